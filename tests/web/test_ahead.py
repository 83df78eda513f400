"""What is read before it is asked for: the tabs of a chat are answered with it, and never with what is no longer so."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.dom import Element
from tests.web.conftest import HTMX, JSON, Visitor
from tests.web.test_parts import told


class Reads:
    """Counts what is read from the database for pages."""

    def __init__(self, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        read = visitor.engine.store.read

        async def counted(work: Any, **how: Any) -> Any:
            self.count += 1
            return await read(work, **how)

        monkeypatch.setattr(visitor.engine.store, "read", counted)


async def shown(visitor: Visitor, chat_id: str, turn_id: str) -> Element:
    return await visitor.get(f"/chats/{chat_id}/parts?turn={turn_id}", **HTMX)


async def test_the_tabs_of_a_chat_are_answered_with_what_was_read_when_they_were_told(
    connected: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.engine.hub.TABS_S", 60)
    (one, _), (other, theirs) = await told(connected, 1), await told(connected, 1)
    listening = connected.engine.hub.subscribe([one])
    await connected.post(f"/chats/{one}/turns", JSON, prose="Another line.")
    while connected.engine.runs.get(one):
        await connected.pause()
    reply = (await connected.turns(one))[-1]["id"]
    reads = Reads(connected, monkeypatch)
    first, second = [await shown(connected, one, reply) for _ in range(2)]
    assert first.one("article").attrs["data-turn"] == reply
    assert first.text == second.text
    assert reads.count == 0
    assert (await shown(connected, other, theirs[-1])).one("article").attrs["data-turn"] == theirs[-1]
    assert reads.count == 1, "nobody looks at the other one"
    listening.close()


async def test_what_was_read_ahead_is_dropped_when_anything_is_stored(
    connected: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one, turns), (other, _) = await told(connected, 1), await told(connected, 1)
    reads = Reads(connected, monkeypatch)
    with connected.app.state.ahead.reading(one), connected.app.state.ahead.reading(one):
        assert (await shown(connected, one, turns[-2])).one(cls="prose").text == "Line 0."
        assert reads.count == 1
        await connected.post(f"/chats/{one}/turns/{turns[-2]}/edit", JSON, prose="Other words.")
        reads.count = 0
        assert (await shown(connected, one, turns[-2])).one(cls="prose").text == "Other words."
        assert reads.count == 1
    with connected.app.state.ahead.reading(one):
        await connected.post(f"/chats/{other}/rename", JSON, title="Elsewhere")
        assert "Elsewhere" in (await connected.get(f"/chats/{one}/parts?part=rail", **HTMX)).text
    reads.count = 0
    await shown(connected, one, turns[-1])
    assert reads.count == 1, "nothing is kept when the way is no longer given"
