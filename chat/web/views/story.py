"""Reads one chat for a page: everything of one moment, in one read transaction, whatever the length of the story."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import structs
from msgspec.structs import replace

from chat.domain.chats import Chat
from chat.domain.library import Library
from chat.domain.lineage import UNCUT as END
from chat.domain.turns import Turn
from chat.domain.versions import TurnVersion
from chat.domain.world import World
from chat.errors import NotFound, StoreError
from chat.store import views
from chat.store.views import Alternative, Transcript
from chat.web.views import transcript
from chat.web.views.checkpoint_marks import Mark, read_marks
from chat.web.views.drawer import DrawerView, drawer
from chat.web.views.drawer_facts import Facts, read_facts
from chat.web.views.editors import Attempt
from chat.web.views.faces import Server
from chat.web.views.status import StatusView, status_view
from chat.web.views.transcript import TranscriptView

if TYPE_CHECKING:
    from chat.engine.engine import Engine
    from chat.store.reading import Reader


LATEST = 6
"""Turns that are read where only the last ones are asked for: a tab waits for them while the player does."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one read transaction told beside the turns. `facts` is what the drawer tells, None where not asked for.

    `kept` is the draft, None where all this was read ahead: a draft changes without an event.
    """

    world: World
    kept: str | None
    places: dict[str, str]
    alternatives: dict[str, list[Alternative]]
    versions: dict[str, list[TurnVersion]]
    marks: Mapping[str, Sequence[Mark]]
    facts: Facts | None = None


class Story(Told, frozen=True, kw_only=True):
    """A window of a chat, with the turn before it in `prior`.

    `head` is an event the window surely includes; `before` the step it ends before, if any.

    `server` is what is known of the model's server, None while it writes; `unstored` why the latest reply could not be
    stored, if so.
    """

    chat: Chat
    library: Library
    turns: list[Turn]
    prior: Turn | None
    head: int
    before: int | None
    running_text: str
    status: StatusView
    server: Server | None = None
    unstored: StoreError | None = None

    @property
    def has_more(self) -> bool:
        return self.prior is not None

    @property
    def transcript(self) -> TranscriptView:
        """The window as entries, with the step before which there is more."""
        shown = transcript.entries(
            self.turns,
            self.library,
            self.places,
            running_text=self.running_text,
            is_end=self.before is None,
            server=self.server,
            alternatives=self.alternatives,
            versions=self.versions,
            marks=self.marks,
            prior=self.prior,
        )
        older = self.turns[0].step if self.has_more else None
        resets, library = self.world.state.resets, self.library
        if resets and self.turns:
            marked = pairwise([self.turns[0], *self.turns])
            told = [transcript.forgotten(resets, library, one.step, two.step) for one, two in marked]
            shown = [replace(entry, forgot=forgot) for entry, forgot in zip(shown, told, strict=True)]
        last = self.turns[-1].step if self.turns and self.before is None else END
        forgot = transcript.forgotten(resets, library, last, END)
        return TranscriptView(shown, older, newer=self.before is not None, forgot=forgot)

    def drawer(self, attempt: Attempt | None = None, full: str = "") -> DrawerView:
        """The drawer of this moment, with an edit that was refused and a long memory that was asked for, if any."""
        assert self.facts, "the story was read without its drawer"
        return drawer(self.facts, attempt, full)

    @property
    def draft(self) -> str:
        assert self.kept is not None, "the story was read without its draft"
        return self.kept

    @property
    def you(self) -> str:
        return self.library.name_of(self.chat.you_id)

    def turns_as_json(self) -> list[dict[str, Any]]:
        return [
            transcript.as_json(
                turn,
                self.library,
                self.running_text,
                self.alternatives.get(turn.id, ()),
                self.versions.get(turn.id, ()),
                self.server if self.before is None and turn is self.turns[-1] else None,
            )
            | {"checkpoints": [{"id": one.id, "name": one.name} for one in self.marks.get(turn.id, ())]}
            for turn in self.turns
        ]


async def read_story(
    engine: Engine, chat_id: str, before: int | None = None, limit: int | None = None
) -> Story:
    """The last turns before a step (None: the end of the story), without the drawer. Raises NotFound."""
    return story_of(engine, chat_id, await read_stored(engine, chat_id, before, limit))


async def read_with_drawer(
    engine: Engine, chat_id: str, before: int | None = None, limit: int | None = None, full: str = ""
) -> Story:
    """The same and what the drawer tells of now; `full` is a memory that is wanted whatever its age and length."""
    return story_of(engine, chat_id, await read_stored(engine, chat_id, before, limit, full))


class Stored(NamedTuple):
    """What the database told of a chat, with the chat and the library as they were when it was asked."""

    chat: Chat
    library: Library
    head: int
    before: int | None
    window: Transcript
    told: Told

    def without_draft(self) -> Stored:
        return self._replace(told=replace(self.told, kept=None))


async def read_stored(
    engine: Engine,
    chat_id: str,
    before: int | None = None,
    limit: int | None = None,
    full: str | None = None,
) -> Stored:
    """The stored part of a story; what is happening in the chat is no part of it. Raises NotFound."""
    library, head = engine.store.library, engine.store.head
    chat = library.chats.get(chat_id)
    if chat is None:
        raise NotFound("There is no such chat.")
    limit = limit or transcript.window_of(before)
    is_short = limit <= LATEST and full is None
    window, told = await engine.store.read(
        lambda reader: _stored(reader, library, chat, before, limit, full), is_short=is_short
    )
    return Stored(chat, library, head, before, window, told)


def story_of(engine: Engine, chat_id: str, stored: Stored) -> Story:
    """What was read, with what is happening in the chat now."""
    chat, library, head, before, window, told = stored
    known = _with_unstored(engine, chat_id, window.turns)
    turns, text = _with_running(engine, chat_id, known) if before is None else (known, "")
    unstored = engine.unstored.get(chat_id)
    return Story(
        **structs.asdict(told),
        chat=chat,
        library=library,
        turns=turns,
        prior=window.prior,
        head=head,
        before=before,
        running_text=text,
        status=status_view(engine.status(chat_id), turns[-1] if turns else None),
        server=_server(engine, chat_id),
        unstored=unstored.problem if unstored else None,
    )


async def _stored(
    reader: Reader, library: Library, chat: Chat, before: int | None, limit: int, full: str | None
) -> tuple[Transcript, Told]:
    """Awaits nothing but its reader, so it is read in one go."""
    window = await views.transcript(reader, library, chat.id, before, limit)
    world = await views.world(reader, chat.id)
    facts = None
    if full is not None:
        latest = window if before is None else await views.transcript(reader, library, chat.id)
        facts = await read_facts(reader, library, chat, world, latest.turns, full)
    return window, Told(
        world=world,
        kept=await views.draft(reader, f"composer:{chat.id}") or "",
        places=await _places(reader, world, window.turns),
        alternatives=await views.alternatives(reader, library, chat.id, window.turns),
        versions=await views.versions(reader, [turn.id for turn in window.turns]),
        marks=await read_marks(reader, library, chat.id, window.turns),
        facts=facts,
    )


async def _places(reader: Reader, world: World, turns: list[Turn]) -> dict[str, str]:
    """The name of the place of each scene in the window."""
    names = {}
    for scene_id in {turn.scene_id for turn in turns if turn.scene_id}:
        with suppress(NotFound):  # the library may be a commit ahead of this reader
            scene = await views.scene(reader, scene_id)
            place = world.places.get(scene.container_id)
            names[scene_id] = place.name if place else ""
    return names


def _server(engine: Engine, chat_id: str) -> Server | None:
    """What can be offered where a reply failed; nothing while one is being written, or while nothing can be."""
    if engine.runs.get(chat_id) or engine.store.fault:
        return None
    return Server(engine.other_model(), engine.server_notes.rest_s(engine.endpoint().name))


def _with_unstored(engine: Engine, chat_id: str, turns: list[Turn]) -> list[Turn]:
    """A reply that has no end in the log and that nobody writes any more: the database did not take it."""
    lost = engine.unstored.get(chat_id)
    if lost is None or engine.runs.get(chat_id):
        return turns
    return [
        replace(
            turn,
            text=lost.text,
            is_running=False,
            truncated=True,
            error_code=lost.problem.code,
            error_message=lost.problem.message,
            error_next_step=lost.problem.next_step,
        )
        if turn.id == lost.turn_id and turn.is_running
        else turn
        for turn in turns
    ]


def _with_running(engine: Engine, chat_id: str, turns: list[Turn]) -> tuple[list[Turn], str]:
    """A reply that is about to begin has no row yet, but it has its place on the page."""
    running = engine.running_reply(chat_id)
    if running is None or not running.speaker:
        return turns, ""
    if any(turn.id == running.turn_id for turn in turns):  # begun, or stored before and being written on
        return [_growing(one) if one.id == running.turn_id else one for one in turns], running.text
    last = turns[-1] if turns else None
    coming = Turn(
        id=running.turn_id,
        chat_id=chat_id,
        branch_id=last.branch_id if last else "",
        step=last.step + 1 if last else 1,
        role="assistant",
        speaker=running.speaker,
        text="",
        is_running=True,
        model=running.model or engine.narrative_model(),
        scene_id=last.scene_id if last else "",
        at=last.at if last else "",
    )
    return [*turns, coming], running.text


def _growing(turn: Turn) -> Turn:
    """A reply that is being written; how it had ended before, if it is written on, is no longer true."""
    return replace(
        turn,
        is_running=True,
        truncated=False,
        stop_reason="",
        error_code="",
        error_message="",
        error_next_step="",
    )
