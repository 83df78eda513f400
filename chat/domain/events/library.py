"""Library events: who there is, and which line of which chat is selected. Permanent, outside every branch."""

from __future__ import annotations

from chat.domain.events.payload import LibraryPayload


class YouAuthored(LibraryPayload, frozen=True):
    """A persona of the player was written or written anew."""

    kind = "you_authored"
    you_id: str
    name: str
    pronouns: str
    persona: str
    appearance: str = ""
    is_default: bool = True


class BotAuthored(LibraryPayload, frozen=True):
    """A bot was written or written anew; earlier versions stay in the log."""

    kind = "bot_authored"
    bot_id: str
    name: str
    persona: str
    appearance: str = ""
    voice_samples: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    backstory: str = ""
    initial_relationship_to_you: str = ""
    kickoff_prose: str = ""


class BotArchived(LibraryPayload, frozen=True):
    """A bot was put out of sight; its chats stay."""

    kind = "bot_archived"
    bot_id: str


class BotRestored(LibraryPayload, frozen=True):
    """An archived bot came back to the list."""

    kind = "bot_restored"
    bot_id: str


class PortraitChanged(LibraryPayload, frozen=True):
    """A bot or persona got another portrait. The ids name pictures by what they hold; empty is none."""

    kind = "portrait_changed"
    entity: str
    media_id: str
    prior: str


class ChatCreated(LibraryPayload, frozen=True):
    """A chat with its first branch. `bot_ids[0]` is the host. Bots share memories within one `continuity`."""

    kind = "chat_created"
    chat_id: str
    branch_id: str
    title: str
    bot_ids: tuple[str, ...]
    you_id: str
    continuity: str = "main"


class ChatRenamed(LibraryPayload, frozen=True):
    """A chat got another title."""

    kind = "chat_renamed"
    chat_id: str
    title: str
    prior: str


class ChatArchived(LibraryPayload, frozen=True):
    """A chat was put out of sight."""

    kind = "chat_archived"
    chat_id: str


class ChatRestored(LibraryPayload, frozen=True):
    """An archived chat came back to the list."""

    kind = "chat_restored"
    chat_id: str


class ChatYouChosen(LibraryPayload, frozen=True):
    """The player goes on in a chat as another persona, from the next turn on; what was said stays said."""

    kind = "chat_you_chosen"
    chat_id: str
    you_id: str
    prior: str


class BranchForked(LibraryPayload, frozen=True):
    """A new branch that shares its parent's story up to and including `fork_step`."""

    kind = "branch_forked"
    chat_id: str
    branch_id: str
    parent_id: str
    fork_step: int
    reason: str


class BranchSelected(LibraryPayload, frozen=True):
    """The chat's visible line is now this branch. `step` is the step it stood at, `prior` the branch left."""

    kind = "branch_selected"
    chat_id: str
    branch_id: str
    step: int
    prior: str
    reason: str


class CheckpointNamed(LibraryPayload, frozen=True):
    """A moment of a chat got a name, or another one (`prior`): right after a step of a branch, selected or not."""

    kind = "checkpoint_named"
    chat_id: str
    checkpoint_id: str
    branch_id: str
    step: int
    name: str
    prior: str = ""


class CheckpointRemoved(LibraryPayload, frozen=True):
    """A moment lost its name; the moment itself stays."""

    kind = "checkpoint_removed"
    chat_id: str
    checkpoint_id: str
    name: str


class WordsErased(LibraryPayload, frozen=True):
    """Words were deleted for good: what these events said is blank, and every fold skips them. It holds ids only.

    `streams` are chats erased as a whole; `events` single ones, of the library or of another chat. `chat_ids` and
    `bot_ids` are what went with them.
    """

    kind = "words_erased"
    streams: tuple[str, ...]
    events: tuple[int, ...] = ()
    chat_ids: tuple[str, ...] = ()
    bot_ids: tuple[str, ...] = ()
