"""Kickoff: from a confirmed draft to the events a story starts with, all of them at step 1 of its first branch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from chat.domain.bots import Bot
from chat.domain.events import (
    ActivityChange,
    AssistantTurn,
    ChatCreated,
    ClockAdvanced,
    ContainerCreated,
    EdgeSeeded,
    EntityEntered,
    NewEvent,
    SceneOpened,
    StoryPayload,
    library,
    story,
)
from chat.domain.segments import ASIDE, Segment, parse_segments

if TYPE_CHECKING:
    from chat.domain.world import World

NARRATOR = "narrator"


class ActivityDraft(msgspec.Struct, frozen=True, kw_only=True):
    posture: str = ""
    action: str = ""
    attention: str = ""
    holding: tuple[str, ...] = ()
    is_interruptible: bool = True
    required_attention: Literal["low", "medium", "high"] = "low"
    expected_minutes: int | None = None


class Feeling(msgspec.Struct, frozen=True, kw_only=True):
    """How the bot feels about the player, as values, words and facts."""

    affinity: int = 50
    trust: int = 50
    summary: str = ""
    facts: tuple[str, ...] = ()


class KickoffDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the confirm page shows; every field can be changed there. `start_at` is ISO 8601 in UTC.

    `draft_id` becomes the chat's id, so confirming one draft twice makes one chat. `carried` are the feelings from
    the bot's latest chat of the continuity (`carried_from`), `fresh` those the prose alone would give.
    """

    draft_id: str = ""
    bot_id: str
    you_id: str
    title: str
    prose: str
    place_name: str
    place_type: str = "place"
    is_moving: bool = False
    is_public: bool = False
    audible_range: Literal["none", "near", "room", "far"] = "room"
    start_at: str
    you: ActivityDraft = ActivityDraft()
    bot: ActivityDraft = ActivityDraft()
    affinity: int = 50
    trust: int = 50
    feeling_summary: str = ""
    facts: tuple[str, ...] = ()
    opening: str = ""
    continuity: str = "main"
    bot_speaks_first: bool = False
    note: str = ""
    carried_from: str = ""
    carried: Feeling | None = None
    fresh: Feeling | None = None

    @property
    def feeling(self) -> Feeling:
        """What the story starts with. On its own, whatever was only carried over gives way to what the prose gives."""
        told = Feeling(
            affinity=self.affinity, trust=self.trust, summary=self.feeling_summary, facts=self.facts
        )
        if self.continuity != "own" or self.carried is None or self.fresh is None:
            return told
        own = {
            name: getattr(self.fresh if value == getattr(self.carried, name) else told, name)
            for name, value in msgspec.structs.asdict(told).items()
        }
        return Feeling(**own)

    def left_alone(self) -> KickoffDraft:
        """Without what was only carried over, as where the chat it came from was deleted meanwhile."""
        return self.felt(msgspec.structs.replace(self, continuity="own").feeling)

    def felt(
        self,
        now: Feeling,
        *,
        carried_from: str = "",
        carried: Feeling | None = None,
        fresh: Feeling | None = None,
    ) -> KickoffDraft:
        """With these feelings, and where they were carried over from another chat, what stands beside them."""
        return msgspec.structs.replace(
            self,
            affinity=now.affinity,
            trust=now.trust,
            feeling_summary=now.summary,
            facts=now.facts,
            carried_from=carried_from,
            carried=carried,
            fresh=fresh,
        )

    @property
    def source_chat_id(self) -> str | None:
        """The chat the feelings come from, None for a story on its own or the first of its continuity."""
        return self.carried_from if self.carried_from and self.continuity != "own" else None


class Started(msgspec.Struct, frozen=True):
    """Ids of the chat that a kickoff made, and the events that make it."""

    chat_id: str
    events: list[NewEvent]


def confirm(
    draft: KickoffDraft,
    bot: Bot,
    names: dict[str, str],
    new_id: Callable[[], str],
    earlier: World | None = None,
    aside: str = ASIDE,
) -> Started:
    """The chat, its place, activities, presence, scene, feelings and opening, in one go.

    `earlier` is the world of the chat the feelings are carried over from, `aside` what opens an aside.
    """
    chat_id, branch_id = draft.draft_id or new_id(), new_id()
    created = ChatCreated(
        chat_id=chat_id,
        branch_id=branch_id,
        title=draft.title.strip() or bot.name,
        bot_ids=(bot.id,),
        you_id=draft.you_id,
        continuity=new_id() if draft.continuity == "own" else draft.continuity,
    )
    told = [*_setting(draft, bot, new_id), *_feelings(draft, bot, earlier)]
    scene_id = next(event.scene_id for event in told if isinstance(event, SceneOpened))
    if draft.opening.strip():
        segments = parse_segments(draft.opening, names, aside)
        told.append(_opening(draft, bot, scene_id, segments, new_id))
    return Started(chat_id, [library(created), *story(chat_id, branch_id, 1, *told)])


def _setting(draft: KickoffDraft, bot: Bot, new_id: Callable[[], str]) -> list[StoryPayload]:
    place_id, scene_id = new_id(), new_id()
    both = (draft.you_id, bot.id)
    return [
        ClockAdvanced(at=draft.start_at, prior="", reason="kickoff"),
        ContainerCreated(
            container_id=place_id,
            name=draft.place_name.strip() or "somewhere",
            container_type=draft.place_type or "place",
            is_moving=draft.is_moving,
            is_public=draft.is_public,
            audible_range=draft.audible_range,
        ),
        *(EntityEntered(entity=entity, at=draft.start_at) for entity in both),
        _activity(draft.you_id, place_id, draft.you),
        _activity(bot.id, place_id, draft.bot),
        SceneOpened(scene_id=scene_id, container_id=place_id, participants=both, at=draft.start_at),
    ]


def _activity(entity: str, container_id: str, draft: ActivityDraft) -> ActivityChange:
    return ActivityChange(entity=entity, container_id=container_id, **msgspec.structs.asdict(draft))


def _feelings(draft: KickoffDraft, bot: Bot, earlier: World | None) -> list[StoryPayload]:
    """Both directions. What is carried over is copied by value and names the chat it came from."""
    feeling, source = draft.feeling, draft.source_chat_id if earlier else None
    toward_you = EdgeSeeded(
        source=bot.id,
        target=draft.you_id,
        affinity=feeling.affinity,
        trust=feeling.trust,
        summary=feeling.summary,
        facts=feeling.facts,
        from_chat_id=source,
    )
    if source is None or earlier is None:
        return [toward_you, EdgeSeeded(source=draft.you_id, target=bot.id)]
    back = earlier.edge(draft.you_id, bot.id)
    return [
        toward_you,
        EdgeSeeded(
            source=draft.you_id,
            target=bot.id,
            affinity=back.affinity,
            trust=back.trust,
            summary=back.summary,
            facts=back.facts,
            from_chat_id=source,
        ),
    ]


def _opening(
    draft: KickoffDraft,
    bot: Bot,
    scene_id: str,
    segments: tuple[Segment, ...],
    new_id: Callable[[], str],
) -> AssistantTurn:
    return AssistantTurn(
        turn_id=new_id(),
        speaker=NARRATOR,
        text=draft.opening,
        segments=segments,
        present=tuple(sorted((draft.you_id, bot.id))),
        scene_id=scene_id,
        at=draft.start_at,
        origin="opening",
    )
