"""What is left in a library after words were erased."""

from __future__ import annotations

from chat.domain import library as libraries
from chat.domain.events import CheckpointNamed, Event, NewEvent, library
from chat.domain.events.library import WordsErased
from chat.domain.library import Library
from chat.domain.records import Drop
from tests.support import stories


def folded(known: Library, events: list[NewEvent]) -> tuple[Library, list[object]]:
    changes: list[object] = []
    for number, one in enumerate(events, 1):
        event = Event(
            number, "library", None, None, one.data.kind, 1, "2026-01-01T00:00:00.000Z", None, one.data
        )
        known, changed = libraries.evolve(known, event)
        changes += changed
    return known, changes


def test_a_library_forgets_what_was_erased_and_nothing_else() -> None:
    named = CheckpointNamed(chat_id="a", checkpoint_id="c", branch_id="a-1", step=1, name="before")
    kept = CheckpointNamed(chat_id="b", checkpoint_id="d", branch_id="b-1", step=1, name="before")
    told = [
        *stories.cast(),
        *stories.chat("a"),
        *stories.chat("b", stories.TOMAS),
        library(named),
        library(kept),
    ]
    before, _ = folded(Library(), told)
    erased = WordsErased(streams=("chat:a",), events=(1, 2), chat_ids=("a",), bot_ids=(stories.MIRA,))
    after, changes = folded(before, [library(erased)])
    assert (set(after.chats), set(after.bots)) == ({"b"}, {stories.TOMAS})
    assert (set(after.branches), set(after.checkpoints)) == ({"b-1"}, {"d"})
    assert after.people == before.people
    assert changes == [Drop("chats", ("a",)), Drop("bots", (stories.MIRA,))]
