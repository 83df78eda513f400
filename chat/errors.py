"""The whole exception tree. Every error is a sentence for the player and one next step; data are attributes.

ChatError
    SettingsError            a setting is unreadable or outside its range
    Refused                  the request cannot be carried out; nothing changed
        SettingRefused       a setting typed on a page or a command line cannot be kept; carries its field
        ValueRefused         a value set by hand makes no sense; carries its field
        BlankText            nothing was written
        TextTooLong          more than the limit
        TextNotStorable      NUL or a lone surrogate, which no database can hold
        DoesNotFit           the text cannot fit the model's context beside what must be there
        PictureRefused       a file is no picture, or too large a one
        NotFound             no such bot, chat, turn or draft here
        Stale                somebody changed it since; carries the newer value
        TurnRunning          a reply is being written in this chat; carries its id
        BackupRunning        another backup is being made, or one is being restored
    StoreError               the database cannot do what was asked
        StoreBusy            another program holds the file
        StoreFull            the disk (or its quota) is full
        StoreReadOnly        the folder, a file or the whole disk can be read and not written to
        StoreDamaged         the log, its chain or the file is damaged
        EventsLost           the head file knows events the log no longer has
        UnknownEvent         a kind or version this program does not know
        MigrationFailed      the schema could not be brought up to date
        NewerDatabase        written by a newer program
        AlreadyRunning       another server uses this data folder
    ProviderError            the model's server did not give a reply; carries status, partial, retry_after_s
        ProviderAuth         401 or 403
        ProviderPayment      402, or the quota is used up
        ProviderRateLimited  429
        ProviderUnavailable  5xx, refused or dropped connection
            ProviderBusy     503: no room just now
            WrongAddress     there is no such server, or no model behind this address
        ModelNotFound        404 for the model
        ModelLoading         the server is still loading the model
        ContextTooLong       the prompt does not fit
        BadResponse          an answer that cannot be used
            InvalidRequest   400 or 422: the server does not take the request as it is
            EmptyReply       no text at all
            WebPage          a page for people, such as a sign-in, where a reply should be
            ThoughtsOnly     reasoning without a reply
            Declined         the model says that it will not write this
            HeldBack         the server's filter kept the reply, or its rest
        TimedOut             no first token, or silence between tokens
        EndlessReply         the reply passed the size cap
    BudgetExceeded           the run's limit is reached; nothing raises it yet
    CircuitOpen              the endpoint failed too often just now; nothing raises it yet
"""

from __future__ import annotations


class ChatError(Exception):
    """`message` is a sentence about what happened, `next_step` one about what to do. `code` is stable."""

    code = "error"
    default_next_step = ""

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step or self.default_next_step


class SettingsError(ChatError):
    code = "settings"
    default_next_step = "Correct the setting and start again."


class Refused(ChatError):
    """`field` is the name of the form field to mark, where it is about one; no message repeats what was typed."""

    code = "refused"

    def __init__(self, message: str, next_step: str = "", *, field: str = "") -> None:
        super().__init__(message, next_step)
        self.field = field


class SettingRefused(Refused):
    code = "setting"
    default_next_step = "Correct it and save again; nothing was changed."


class ValueRefused(Refused):
    code = "value"
    default_next_step = "Correct it and save again; nothing was changed."


class BlankText(Refused):
    code = "blank"
    default_next_step = "Write something and send it again."


class TextTooLong(Refused):
    code = "too_long"
    default_next_step = "Shorten it and send it again; what you wrote is still in the box."


class TextNotStorable(Refused):
    code = "not_storable"
    default_next_step = (
        "Remove the invisible character and send it again; what you wrote is still in the box."
    )


class DoesNotFit(Refused):
    code = "does_not_fit"
    default_next_step = (
        "Shorten it, or choose a model with a larger context; what you wrote is still in the box."
    )


class PictureRefused(Refused):
    code = "picture"
    default_next_step = "Choose another file; the portrait is as it was."


class NotFound(Refused):
    code = "not_found"
    default_next_step = "Go back to the list and choose again."


class Stale(Refused):
    """`current` is the newer value, to be shown beside what was typed."""

    code = "stale"
    default_next_step = "Look at the newer value and decide which to keep."

    def __init__(self, message: str, current: object = None, next_step: str = "") -> None:
        super().__init__(message, next_step)
        self.current = current


class TurnRunning(Refused):
    code = "turn_running"
    default_next_step = "Wait for the reply or stop it; what you wrote is still in the box."

    def __init__(self, message: str, turn_id: str, next_step: str = "") -> None:
        super().__init__(message, next_step)
        self.turn_id = turn_id


class BackupRunning(Refused):
    code = "backup_running"
    default_next_step = "Wait until it is done, then try again."


class StoreError(ChatError):
    code = "store"
    default_next_step = "Nothing was written. Run `chat doctor` to see what is wrong."


class StoreBusy(StoreError):
    code = "store_busy"
    default_next_step = "Close the other program that has the database open, then try again."


class StoreFull(StoreError):
    code = "store_full"
    default_next_step = "Free some disk space, then try again; nothing was written."


class StoreReadOnly(StoreError):
    code = "store_read_only"
    default_next_step = (
        "Make the data folder and its files writable for you; the stories go on by themselves then."
    )


class StoreDamaged(StoreError):
    code = "store_damaged"
    default_next_step = (
        "Stop the program and restore the newest good backup; `chat verify` shows what differs."
    )


class EventsLost(StoreDamaged):
    code = "events_lost"
    default_next_step = "Restore the newest good backup, or accept the loss with `chat doctor --accept-loss`."


class UnknownEvent(StoreError):
    code = "unknown_event"
    default_next_step = "Start the newer program that wrote this database."


class MigrationFailed(StoreError):
    code = "migration_failed"
    default_next_step = "The database is as it was. Send the log line to whoever maintains this program."


class NewerDatabase(StoreError):
    code = "newer_database"
    default_next_step = "Start the newer program that wrote this database."


class AlreadyRunning(StoreError):
    code = "already_running"
    default_next_step = "Use the window that is already open, or stop that server first."


ADDRESS_STEP = "Check the address of the server in Settings (it usually ends in /v1), then retry."


class ProviderError(ChatError):
    """`status` is the HTTP status if there was one, `partial` the text that had arrived."""

    code = "provider"
    default_next_step = "Try again."

    def __init__(
        self,
        message: str,
        next_step: str = "",
        *,
        status: int | None = None,
        partial: str = "",
        retry_after_s: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, next_step)
        self.status = status
        self.partial = partial
        self.retry_after_s = retry_after_s
        self.request_id = request_id


class ProviderAuth(ProviderError):
    code = "auth"
    default_next_step = "Check the key in Settings, then retry."


class ProviderPayment(ProviderError):
    code = "payment"
    default_next_step = "Top up the account, or choose another model in Settings, then retry."


class ProviderRateLimited(ProviderError):
    code = "rate_limited"
    default_next_step = "Wait a little, then retry."


class ProviderUnavailable(ProviderError):
    code = "unavailable"
    default_next_step = "See that the model's server is running, then retry."


class ProviderBusy(ProviderUnavailable):
    code = "busy"
    default_next_step = "Retry in a while, or take another model."


class WrongAddress(ProviderUnavailable):
    code = "wrong_address"
    default_next_step = ADDRESS_STEP


class ModelNotFound(ProviderError):
    code = "model_not_found"
    default_next_step = "Choose a model from the list in Settings, then retry."


class ModelLoading(ProviderError):
    code = "model_loading"
    default_next_step = "Wait until the model is loaded, then retry."


class ContextTooLong(ProviderError):
    code = "context_too_long"
    default_next_step = (
        "Lower the prompt budget in config.toml or choose a model with a larger context, then retry."
    )


class BadResponse(ProviderError):
    code = "bad_response"
    default_next_step = "Retry; if it happens again, choose another model in Settings."


class InvalidRequest(BadResponse):
    code = "invalid_request"
    default_next_step = (
        "The same again is refused again: look at the model and its limits in Settings, then retry."
    )


class EmptyReply(BadResponse):
    code = "empty_reply"


class WebPage(BadResponse):
    code = "web_page"
    default_next_step = ADDRESS_STEP


class ThoughtsOnly(BadResponse):
    code = "thoughts_only"
    default_next_step = "Raise the reply length in Settings or choose a model that thinks less, then retry."


class Declined(BadResponse):
    code = "declined"
    default_next_step = "Retry, say it in another way, or choose another model in Settings."


class HeldBack(BadResponse):
    code = "held_back"
    default_next_step = "Say it in another way, then retry."


class TimedOut(ProviderError):
    code = "timed_out"
    default_next_step = "Retry; if the model is slow to load, raise first_token_s in config.toml."


class EndlessReply(ProviderError):
    code = "endless_reply"
    default_next_step = "Retry, or lower the reply length in Settings."


class BudgetExceeded(ChatError):
    code = "budget_exceeded"
    default_next_step = "Raise the limit in config.toml, or stop here."


class CircuitOpen(ChatError):
    code = "circuit_open"
    default_next_step = "Wait half a minute, then retry."
