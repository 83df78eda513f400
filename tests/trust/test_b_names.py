"""Case 26 of the trust list: a name that turns its line round turns nothing but itself, on every page and part.

In a page a name beside other words stands in `<bdi>`; in a sentence written by code, and in an attribute, it stands
between isolating marks. Where it stands alone, there is nothing to turn.
"""

from __future__ import annotations

import re

import pytest

from chat.domain.names import apart
from tests.support.dom import Element, parse
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Reply
from tests.trust import everywhere
from tests.web.conftest import HTMX, JSON, Visitor

BOT, YOU, TITLE, PLACE = ("\u202e" + word for word in ("ariM", "annA", "yrotS", "reiP"))
MOMENT = "\u05e7kraM"
NAMES = (BOT, YOU, TITLE, PLACE, MOMENT)
_ONE = re.compile("|".join(name[1:] for name in NAMES))
_INLINE = {"a", "b", "bdi", "button", "em", "i", "q", "small", "span", "strong", "time"}
_SPOKEN = {"title", "aria-label", "alt", "placeholder"}
_TYPED = {"textarea", "option"}
"""What holds a name as it was typed, and nothing else."""
_STORY = {"prose", "memory-text"}
"""What was said, in a box of its own; who said it is a part of what a memory tells."""


def loose(root: Element) -> list[str]:
    """Where a name is not kept apart from the words around it."""
    return list(_loose_text(root, "", is_apart=False)) + [
        f"{one.tag} {name}={value!r}"
        for one in root.walk()
        for name, value in one.attrs.items()
        if name in _SPOKEN and not _is_apart(value, value)
    ]


def _loose_text(element: Element, block: str, *, is_apart: bool) -> list[str]:
    if element.tag not in _INLINE:
        block = element.text
    is_apart = is_apart or element.tag in {"bdi", *_TYPED} or bool(element.classes & _STORY)
    found = []
    for part in element.parts:
        if isinstance(part, Element):
            found += _loose_text(part, block, is_apart=is_apart)
        elif not is_apart and not _is_apart(part, block):
            found.append(f"<{element.tag}> {part.strip()!r}")
    return found


def _is_apart(text: str, block: str) -> bool:
    """The name is all there is, or each stands between marks of its own."""
    if block.strip() in NAMES:
        return True
    kept = text
    for name in NAMES:
        kept = kept.replace(apart(name), "")
    return not _ONE.search(kept)


def test_only_a_name_that_could_turn_its_line_is_marked_and_cannot_end_the_mark() -> None:
    assert [apart(name) for name in ("Mira", "Zoë", "李明", "R2-D2", "")] == [
        "Mira",
        "Zoë",
        "李明",
        "R2-D2",
        "",
    ]
    assert apart("\u05de\u05d9\u05e8\u05d4") == "\u2068\u05de\u05d9\u05e8\u05d4\u2069"
    assert apart("\u2069\u202eariM\u2066") == "\u2068\u202eariM\u2069"


@pytest.fixture
async def story(connected: Visitor, peer: Peer) -> tuple[str, str]:
    """A chat in which everything that has a name has one that turns its line round; and another one beside it."""
    await connected.post("/settings", JSON, name=YOU)
    bot_id = await connected.bot(name=BOT)
    chat_id = await connected.chat(bot_id, title=TITLE, place_name=PLACE)
    feeling = {"source": BOT, "target": YOU, "affinity": 4, "trust": 2, "reason": "was kind", "cites": [1]}
    doing = {"who": BOT, "action": "waiting", "cites": [1]}
    fact = {"owner": BOT, "about": YOU, "text": "There is oil.", "cites": [1]}
    digest = {"significance": 3, "feelings": [feeling], "activities": [doing], "facts": [fact]}
    peer.script(Answer(digest), on="DigestAnswer")
    await connected.say(chat_id, '"I brought oil." //not now//')
    turn_id = (await connected.turns(chat_id))[-1]["id"]
    named = await connected.post(f"/chats/{chat_id}/checkpoints", JSON, turn=turn_id, name=MOMENT)
    assert named.status_code == 201, named.text
    peer.script(Reply('"Yes."'))
    await connected.say(chat_id, '"And bread."')
    return chat_id, await connected.chat(bot_id, title=TITLE, place_name=PLACE)


async def _nothing_loose(visitor: Visitor, chat_id: str, *more: str) -> None:
    about = visitor.engine.store.library.chats[chat_id]
    turn_id = (await visitor.turns(chat_id))[-1]["id"]
    found: dict[str, list[str]] = {}
    seen = [(one, {"Accept": "text/html"}) for one in await everywhere.pages(visitor, chat_id, turn_id)]
    seen += [(one, HTMX) for one in everywhere.parts(chat_id, about.bot_ids[0], turn_id)]
    for address, headers in [*seen, *((one, {"Accept": "text/html"}) for one in more)]:
        answer = await visitor.client.get(address, headers=headers)
        assert answer.status_code == 200, f"{address}: {answer.status_code}"
        if bad := loose(parse(answer.text)):
            found[address] = bad
    assert not found, "\n".join(f"{address}: {one}" for address, bad in found.items() for one in bad)


async def test_case_26_a_name_is_kept_apart_from_what_stands_beside_it(
    connected: Visitor, story: tuple[str, str]
) -> None:
    chat_id, other = story
    changed = (await connected.get(f"/chats/{chat_id}?drawer=1")).by_id("drawer").text
    assert f"{apart(BOT)} toward {apart(YOU)}" in changed, "the digest was believed"
    page = await connected.get(f"/chats/{chat_id}")
    assert [one for one in page.all("bdi") if one.text == BOT]
    await _nothing_loose(connected, chat_id)
    turns = await connected.turns(chat_id)
    await connected.post(f"/chats/{chat_id}/turns/{turns[1]['id']}/rewind", JSON)
    await connected.post(f"/chats/{chat_id}/archive", JSON)
    await _nothing_loose(connected, other, f"/chats/{chat_id}?went=rewind")
    bot_id = connected.engine.store.library.chats[chat_id].bot_ids[0]
    assert (await connected.post(f"/bots/{bot_id}/archive", JSON)).status_code == 200
    await _nothing_loose(connected, other)
