"""The demo goes on with a reply as a server does that completes text."""

from __future__ import annotations

from chat.demo.narrator import narrate
from chat.demo.onward import go_on
from chat.demo.prompt import Message


def test_a_reply_that_broke_off_is_ended_and_gone_on_with() -> None:
    told = (Message("system", "You are Mira.\nPlace: the quay"), Message("user", "How is the lamp?"))
    whole = narrate(told, 7)
    for cut in (20, 90, 150, len(whole)):
        part = whole[:cut].rstrip()
        more = go_on((*told, Message("assistant", part)), 7)
        assert more == go_on((*told, Message("assistant", part)), 7)
        first, rest = more.split("\n\n", 1)
        assert first in ("", "…", '…"', "…*", '"', "*")
        assert (part + first).split("\n\n")[-1].count('"') % 2 == 0
        assert len(rest.split()) > 10
        assert not set(rest.split(". ")) & set(part.split(". "))
