"""Story events: what happens in one chat, on a branch and at a step."""

from __future__ import annotations

from typing import Any, Literal

from chat.domain.events.payload import StoryPayload
from chat.domain.segments import Segment


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
    """A reply is being written. The manifest says what the prompt held, what was trimmed and what withheld.

    `prompt_hash` is of the messages as they were made; a model without a system role is told the same words, in the
    same order, with the first two messages in one.
    """

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


class UserTurnEdit(StoryPayload, frozen=True):
    """The player put one of their own turns into other words, in its place; `prior` are the words before."""

    kind = "user_turn_edit"
    turn_id: str
    text: str
    segments: tuple[Segment, ...]
    prior: str


class TurnEdited(StoryPayload, frozen=True):
    """The player put a turn of a bot, or the opening, into other words, in its place; `prior` are the words before."""

    kind = "turn_edited"
    turn_id: str
    text: str
    segments: tuple[Segment, ...]
    prior: str


class ContinuationStarted(StoryPayload, frozen=True):
    """A reply that stood there already is being written on. The manifest says what the prompt held.

    `prompt_hash` is of the messages as they were made, as with a reply that is begun.
    """

    kind = "continuation_started"
    turn_id: str
    endpoint: str
    model: str
    seed: int
    prompt_hash: str
    manifest: dict[str, Any]


class TurnContinued(StoryPayload, frozen=True):
    """A reply as it ended after it was written on: all of its text; `prior` is what stood there before."""

    kind = "turn_continued"
    turn_id: str
    text: str
    segments: tuple[Segment, ...]
    prior: str
    truncated: bool = False
    stop_reason: str = "complete"
    error_code: str = ""
    error_message: str = ""
    error_next_step: str = ""
    model: str = ""
    call_id: str | None = None
    reasoning: str = ""


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
    level: Literal["turn", "scene"] = "turn"


class MemorySignificanceSet(StoryPayload, frozen=True):
    """How much a memory matters, 0 routine to 3 pivotal."""

    kind = "memory_significance_set"
    memory_id: str
    significance: int
    prior: int


class EdgeSummarySet(StoryPayload, frozen=True):
    """A feeling was summed up anew, at the close of a scene or by hand."""

    kind = "edge_summary_set"
    source: str
    target: str
    summary: str
    prior: str
    facts: tuple[str, ...] = ()


class WeatherChanged(StoryPayload, frozen=True):
    """The weather of the scene is now this."""

    kind = "weather_changed"
    weather: str
    prior: str


class MemoryKeyed(StoryPayload, frozen=True):
    """Facts found in what a memory holds, kept as extra search keys that point to its turn."""

    kind = "memory_keyed"
    memory_id: str
    keys: tuple[str, ...]


class MemoryPinChanged(StoryPayload, frozen=True):
    """A memory was pinned or let go. `by_hand` pins are never evicted; `prior_pinned` is what it was."""

    kind = "memory_pin_changed"
    memory_id: str
    owner: str
    pinned: bool
    by_hand: bool
    prior_pinned: bool


class MemoryRewritten(StoryPayload, frozen=True):
    """A memory got other words; the ones before stay in the log."""

    kind = "memory_rewritten"
    memory_id: str
    text: str
    prior: str


class MemoriesConsolidated(StoryPayload, frozen=True):
    """A scene memory stands for these turn memories of the same owner; they stay searchable and weigh less."""

    kind = "memories_consolidated"
    scene_id: str
    owner: str
    into_memory_id: str
    memory_ids: tuple[str, ...]


class DigestFinished(StoryPayload, frozen=True):
    """What changed in an exchange was worked out. `outcome` is ok, partial, failed or late_ok.

    `dropped` says in words what was left out and why; `quarantine_ids` name what could not be read at all.
    `continued`: it is about what a continuation added, and stands at the step of that.
    """

    kind = "digest_finished"
    version = 2
    turn_id: str
    outcome: str
    dropped: tuple[str, ...] = ()
    quarantine_ids: tuple[str, ...] = ()
    continued: bool = False


class BotReset(StoryPayload, frozen=True):
    """A bot begins anew in this chat: what it remembered, felt and did here is gone, what others keep stays.

    Its prompts show nothing of the story before this step but the opening. `at` is story time.
    """

    kind = "bot_reset"
    bot_id: str
    at: str


class ManualEdit(StoryPayload, frozen=True):
    """The player changed something by hand. `what` is activity, edge, memory, place, clock, weather or note.

    `target` is an entity, "source>target", a memory or place id, or empty; values are by field name.
    A field in `fixes` wins over the classifier until it is in `releases` of a later edit.
    """

    kind = "manual_edit"
    what: str
    target: str
    values: dict[str, Any]
    prior: dict[str, Any]
    fixes: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
