"""The catalogue of event kinds: what may ever happen, as frozen typed payloads.

A payload holds ids and times minted by the command that made it, prior values where something is changed,
and neither secrets nor rendered HTML. Nothing here reads a clock or a file.
A kind is never renamed; a changed shape gets the next version and an upcaster from the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import msgspec

from chat.domain.segments import Segment
from chat.errors import UnknownEvent

LIBRARY = "library"
LEDGER = "ledger"

Room = Literal["library", "chat", "ledger"]


def chat_stream(chat_id: str) -> str:
    return f"chat:{chat_id}"


class Payload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every kind. `room` says which stream it belongs to."""

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    room: ClassVar[Room]


class LibraryPayload(Payload, frozen=True):
    room = "library"


class StoryPayload(Payload, frozen=True):
    room = "chat"


class LedgerPayload(Payload, frozen=True):
    room = "ledger"


# Library: who there is, and which line of which chat is selected. Permanent, outside every branch.


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


# Story: what happens in one chat, on a branch and at a step.


class ContainerCreated(StoryPayload, frozen=True):
    """A place came to be: a room, a street, a moving car."""

    kind = "container_created"
    container_id: str
    name: str
    container_type: str = "place"
    parent_id: str | None = None
    is_moving: bool = False
    is_public: bool = False
    audible_range: Literal["none", "near", "room", "far"] = "room"


class ActivityChange(StoryPayload, frozen=True):
    """What one entity is doing from now on; `prior_action` is what it did before."""

    kind = "activity_change"
    entity: str
    container_id: str
    slot: str = ""
    posture: str = ""
    action: str = ""
    attention: str = ""
    holding: tuple[str, ...] = ()
    status: str = ""
    is_interruptible: bool = True
    required_attention: Literal["low", "medium", "high"] = "low"
    expected_minutes: int | None = None
    prior_action: str = ""


class ClockAdvanced(StoryPayload, frozen=True):
    """Story time was set or moved on. Times are ISO 8601 in UTC."""

    kind = "clock_advanced"
    at: str
    prior: str
    reason: str


class SceneOpened(StoryPayload, frozen=True):
    """A scene began at a place."""

    kind = "scene_opened"
    scene_id: str
    container_id: str
    participants: tuple[str, ...]
    at: str


class SceneClosed(StoryPayload, frozen=True):
    """A scene ended."""

    kind = "scene_closed"
    scene_id: str
    at: str
    reason: str
    significance: int = 1


class EntityEntered(StoryPayload, frozen=True):
    """An entity is present from here on and witnesses what follows."""

    kind = "entity_entered"
    entity: str
    at: str


class EntityLeft(StoryPayload, frozen=True):
    """An entity is gone from here on."""

    kind = "entity_left"
    entity: str
    at: str


class UserTurn(StoryPayload, frozen=True):
    """The player's entry, word for word. `present` is who was there to witness it."""

    kind = "user_turn"
    turn_id: str
    speaker: str
    text: str
    segments: tuple[Segment, ...]
    present: tuple[str, ...]
    scene_id: str
    at: str
    idempotency_key: str = ""


class AssistantTurnStarted(StoryPayload, frozen=True):
    """A reply is being written. The manifest says what the prompt held, what was trimmed and what withheld."""

    kind = "assistant_turn_started"
    turn_id: str
    speaker: str
    reply_to: str | None
    endpoint: str
    model: str
    seed: int
    prompt_hash: str
    manifest: dict[str, Any]


class AssistantTurn(StoryPayload, frozen=True):
    """A bot's (or the narrator's) entry as it ended.

    `stop_reason` is one of the nine; `error_*` are the sentence shown when it is `error`.
    `origin` is `opening` for the text a story starts with.
    """

    kind = "assistant_turn"
    turn_id: str
    speaker: str
    text: str
    segments: tuple[Segment, ...]
    present: tuple[str, ...]
    scene_id: str
    at: str
    truncated: bool = False
    stop_reason: str = "complete"
    error_code: str = ""
    error_message: str = ""
    error_next_step: str = ""
    reply_to: str | None = None
    model: str = ""
    call_id: str | None = None
    reasoning: str = ""
    origin: Literal["reply", "opening"] = "reply"


class EdgeSeeded(StoryPayload, frozen=True):
    """What one entity feels toward another when the story starts. `from_chat_id` names where it was carried from."""

    kind = "edge_seeded"
    source: str
    target: str
    affinity: int = 50
    trust: int = 50
    summary: str = ""
    facts: tuple[str, ...] = ()
    from_chat_id: str | None = None


class EdgeUpdate(StoryPayload, frozen=True):
    """A feeling moved, with the reason and the turn that moved it. Values stay within 0..100."""

    kind = "edge_update"
    source: str
    target: str
    affinity_delta: int
    trust_delta: int
    reason: str
    turn_id: str
    facts: tuple[str, ...] = ()


class MemoryWritten(StoryPayload, frozen=True):
    """What one bot keeps of an exchange: only the segments it witnessed."""

    kind = "memory_written"
    memory_id: str
    owner: str
    continuity: str
    turn_id: str
    scene_id: str
    text: str
    witnesses: tuple[str, ...]
    at: str
    source: str = "direct"
    reliability: float = 1.0
    significance: int = 1


class MemorySignificanceSet(StoryPayload, frozen=True):
    """How much a memory matters, 0 routine to 3 pivotal."""

    kind = "memory_significance_set"
    memory_id: str
    significance: int
    prior: int


# Ledger: what was spent.


class ModelCallFinished(LedgerPayload, frozen=True):
    """One call of a model, whatever came of it. Times in milliseconds, cost in nano-dollars (None: unknown)."""

    kind = "model_call_finished"
    call_id: str
    chat_id: str | None
    turn_id: str | None
    purpose: str
    endpoint: str
    model_asked: str
    model_answered: str
    attempts: int
    status: str
    stop_cause: str
    prompt_tokens: int
    completion_tokens: int
    is_estimate: bool
    duration_ms: float
    first_token_ms: float | None = None
    cached_tokens: int | None = None
    cost_nano_usd: int | None = None
    request_id: str | None = None


class LogGapAccepted(LedgerPayload, frozen=True):
    """The player accepted that events are gone: the head file knew `lost_head_id`, the log ends at `kept_head_id`."""

    kind = "log_gap_accepted"
    lost_head_id: int
    lost_head_hash: str
    kept_head_id: int


def _subclasses(payload: type[Payload]) -> list[type[Payload]]:
    found = []
    for child in payload.__subclasses__():
        found += [child] if "kind" in vars(child) else _subclasses(child)
    return found


CATALOGUE: dict[str, type[Payload]] = {payload.kind: payload for payload in _subclasses(Payload)}
"""Every kind this program knows, in the order of this file."""

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""(kind, old version) -> the payload as the next version has it. Empty while every kind is at version 1."""


class NewEvent(msgspec.Struct, frozen=True):
    """What a decision returns: an event that has no place in the log yet. Library and ledger have no branch or step."""

    data: Payload
    stream: str
    branch_id: str | None = None
    step: int | None = None


class Event(msgspec.Struct, frozen=True):
    """One line of the log. `id` gives the order of folding; `ts` is real time, ISO 8601 in UTC."""

    id: int
    stream: str
    branch_id: str | None
    step: int | None
    kind: str
    version: int
    ts: str
    caused_by: str | None
    data: Payload


_encoder = msgspec.json.Encoder()
_decoders: dict[tuple[str, int], msgspec.json.Decoder[Any]] = {
    (kind, payload.version): msgspec.json.Decoder(payload) for kind, payload in CATALOGUE.items()
}


def encode(payload: Payload) -> bytes:
    return _encoder.encode(payload)


def decode(kind: str, version: int, body: bytes | str) -> Payload:
    """The payload as the newest version has it. Raises UnknownEvent; an event is never skipped."""
    decoder = _decoders.get((kind, version))
    try:
        return decoder.decode(body) if decoder else _decode_older(kind, version, body)  # type: ignore[no-any-return]
    except msgspec.MsgspecError as problem:
        raise UnknownEvent(
            f"An event of kind {kind!r} does not have the shape this program knows: {problem}."
        ) from None


def _decode_older(kind: str, version: int, body: bytes | str) -> Payload:
    known = CATALOGUE.get(kind)
    raw: dict[str, Any] = msgspec.json.decode(body) if known else {}
    while known and version < known.version and (kind, version) in UPCASTERS:
        raw = UPCASTERS[kind, version](raw)
        version += 1
    if known is None or version != known.version:
        raise UnknownEvent(
            f"The log holds an event of kind {kind!r}, version {version}, which this program does not know."
        )
    return msgspec.convert(raw, known)


def library(data: LibraryPayload) -> NewEvent:
    return NewEvent(data, LIBRARY)


def ledger(data: LedgerPayload) -> NewEvent:
    return NewEvent(data, LEDGER)


def story(chat_id: str, branch_id: str, step: int, *data: StoryPayload) -> list[NewEvent]:
    """Several things that happen at one step."""
    return [NewEvent(payload, chat_stream(chat_id), branch_id, step) for payload in data]
