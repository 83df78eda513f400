"""Cases 47 to 53 and 58 of the trust list: any text is kept to the letter or refused, any parameter is only a value.

What goes wrong below HTTP (54 to 57) stands in test_d_on_the_wire.py.
"""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.support.dom import parse
from tests.support.peer import Peer
from tests.web.conftest import HTMX, JSON, Visitor

ODD_TEXTS = {
    "blank inside": "a \t b\u00a0c\u2003d",
    "line ends": "one\n\ntwo\n\n\nthree",
    "quotes": "'\"`´‘’“”„«»‹›",
    "sql": "'; DROP TABLE turns; -- \"; DELETE FROM event_log; /* ",
    "shell": "$(reboot) `id` && rm -rf / | cat > /etc/passwd",
    "path": "../../etc/passwd %2e%2e%2f C:\\con\\nul file:///x",
    "format": "%s %n {} {0} %(x)s \\x41 \\u0041 \\N{DIGIT ONE}",
    "json": '{"a": [1, null, "\\u0000"]} \\" \\\\',
    "yaml": "--- !!python/object/apply:os.system [ls]",
    "numbers": "1e309 -0 0x7f NaN Infinity 00 1_000 ١٢٣ ④ Ⅻ",
    "right to left": "שלום world العربية \u202eabc\u202c",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪👍🏽 e\u0301 Å Å",
    "astral": "𝕳𝖊𝖑𝖑𝖔 𠜎 \U0010fffd",
    "invisible": "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00ad",
    "controls": "bell\x07 escape\x1b[31m delete\x7f c1\x85 vt\x0b ff\x0c",
    "separators": "unit\x1f record\x1e line\u2028para\u2029end",
    "no characters": "\ufffe \uffff \ufdd0 \ufffd",
    "combining": "Z" + "\u0334\u0335\u0336\u0337\u0338" * 40,
    "long word": "x" * 5000,
    "words of this program": "null None true undefined you narrator main default ((aside)) /whisper",
}


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS.keys())
async def test_case_47_any_text_comes_back_as_it_went_in(connected: Visitor, peer: Peer, text: str) -> None:
    """In the story, the box, a card, the file, and the prompt (where only line ends and role marks may differ)."""
    bot_id = await connected.bot(name="Mira", persona=text, backstory=text)
    chat_id = await connected.chat(bot_id)
    await connected.say(chat_id, f"Look: {text}")
    assert (await connected.turns(chat_id))[1]["text"] == f"Look: {text}"
    told = (await connected.client.get(f"/chats/{chat_id}/transcript.json")).json()
    assert told["turns"][1]["text"] == f"Look: {text}"
    bot = await connected.json(f"/bots/{bot_id}")
    assert bot["persona"].split() == text.split()
    await connected.client.put(f"/chats/{chat_id}/draft", data={"prose": text})
    assert (await connected.json(f"/chats/{chat_id}/draft"))["prose"] == text
    page = await connected.get(f"/chats/{chat_id}")
    assert page.by_id("composer").value_of("prose").split() == text.split()
    asked = next(body for body in peer.bodies() if "response_format" not in body and not body.get("tools"))
    sent = " ".join(message["content"] for message in asked["messages"])
    assert text.split()[0][:200] in sent


UNSTORABLE = {"nul": b"a%00b", "half an emoji": b"a%ED%A0%BDb", "no utf-8": b"a%FF%FEb"}


@pytest.mark.parametrize("body", UNSTORABLE.values(), ids=UNSTORABLE.keys())
async def test_case_48_what_cannot_be_stored_is_refused_and_stays_in_the_box(
    visitor: Visitor, body: bytes
) -> None:
    chat_id = await visitor.chat()
    head = visitor.engine.store.head
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await visitor.client.post(f"/chats/{chat_id}/turns", content=b"prose=" + body, headers=form)
    assert answer.status_code == 422
    page = parse(answer.text)
    assert "cannot be stored" in page.by_id("notices").text
    assert page.value_of("prose").startswith("a")
    assert page.value_of("prose").endswith("b")
    assert visitor.engine.store.head == head


async def test_case_48_a_form_of_more_than_a_megabyte_is_refused_with_a_sentence(visitor: Visitor) -> None:
    chat_id = await visitor.chat()
    head = visitor.engine.store.head
    for headers in ({}, JSON, HTMX):
        answer = await visitor.post(f"/chats/{chat_id}/turns", headers, prose="x" * 1_000_001)
        assert answer.status_code == 413
        assert "larger than" in answer.text
    assert visitor.engine.store.head == head
    assert (await visitor.say(chat_id, "Still there?")).status_code == 202


QUESTIONS = (
    '"', '""', "*", "-x", "^x", "text:x", "secret:*", "NEAR(a b, 2)", "AND", "a AND", "NOT", "a OR OR b", 'a"b',
    "(x", "x)", "( " * 2000, "{a b}: c", "a + b", "\\", "'", "%", "_", "~", "a-b-c", "1.5e3", "\u0301", "x" * 20_000,
    "word " * 6000,
)  # fmt: skip


async def test_case_49_whatever_is_said_can_be_looked_for_in_memory(connected: Visitor, peer: Peer) -> None:
    chat_id = await connected.chat()
    for number in range(8):
        await connected.say(chat_id, f"The lamp number {number} is lit, and the word secret is spoken.")
    for question in QUESTIONS:
        await connected.say(chat_id, question)
        last = (await connected.turns(chat_id))[-1]
        assert (last["error"], last["text"]) == (None, '*nods* "Mm-hm."'), question[:40]
    assert "fts5" not in (await connected.client.get(f"/chats/{chat_id}")).text


async def test_case_50_sql_is_only_text(visitor: Visitor) -> None:
    injection = "x'); DROP TABLE turns; DELETE FROM event_log; --"
    bot_id = await visitor.bot(name=injection)
    chat_id = await visitor.chat(bot_id, title=injection)
    await visitor.say(chat_id, injection)
    for address in ("before=1;DROP", "before=1 OR 1=1", "since=0;--", "memory=' OR ''='", "went='; --"):
        assert (await visitor.client.get(f"/chats/{chat_id}?{address}")).status_code in (200, 422)
    assert (await visitor.json(f"/chats/{chat_id}"))["title"] == injection
    assert [turn["text"] for turn in await visitor.turns(chat_id)][1] == injection


ODD_IDS = (
    "0",
    "-1",
    "9223372036854775808",
    "1e3",
    "１",
    "1;2",
    "%2e%2e",
    "x" * 300,
    "%00",
    "null",
    "'--",
)


@pytest.mark.parametrize("odd", ODD_IDS)
async def test_case_51_an_id_that_is_none_is_not_found_and_changes_nothing(
    visitor: Visitor, odd: str
) -> None:
    chat_id = await visitor.chat()
    await visitor.say(chat_id, "One.")
    head = visitor.engine.store.head
    for address in _addresses(chat_id, odd, odd) + _addresses(odd, odd, odd):
        answer = await visitor.post(address, JSON, prose="x", revision="1", title="x")
        assert answer.status_code in (404, 405, 422), f"{address}: {answer.status_code}"
    for address in (
        f"/chats/{odd}",
        f"/chats/{chat_id}/turns/{odd}",
        f"/bots/{odd}",
        f"/chats/{odd}/transcript.md",
    ):
        assert (await visitor.client.get(address, headers=JSON)).status_code in (404, 405), address
    assert visitor.engine.store.head == head


async def test_case_51_what_belongs_to_another_parent_is_not_found(visitor: Visitor) -> None:
    mine, other = await visitor.chat(), await visitor.chat()
    await visitor.say(mine, "Mine.")
    told = (await visitor.say(other, "Theirs.")).json()
    drawer = await visitor.json(f"/chats/{other}/drawer")
    memory = drawer["remembered"][0]["memories"][0]["id"]
    branch = next(
        iter(one.id for one in visitor.engine.store.library.branches.values() if one.chat_id == other)
    )
    head = visitor.engine.store.head
    for address in [
        *_addresses(mine, told["reply_id"], branch),
        f"/chats/{mine}/drawer/pin/{memory}",
        f"/chats/{mine}/drawer/memory/{memory}",
    ]:
        answer = await visitor.post(address, JSON, prose="x", revision="1", text="x", pinned="on")
        assert answer.status_code == 404, f"{address}: {answer.status_code} {answer.text[:200]}"
    assert visitor.engine.store.head == head


def _addresses(chat_id: str, turn_id: str, branch_id: str) -> list[str]:
    turn = f"/chats/{chat_id}/turns/{turn_id}"
    acts = [f"{turn}/{act}" for act in ("stop", "regenerate", "rewind", "digest")]
    return [
        *acts,
        f"/chats/{chat_id}/branches/{branch_id}/select",
        f"/chats/{chat_id}/drawer/activity/{turn_id}",
    ]


async def test_case_53_what_is_said_starts_no_line_in_the_log(
    connected: Visitor, capfd: pytest.CaptureFixture[str]
) -> None:
    hostile = 'x\n{"level": "error", "event": "forged"}\r\n\x1b[2J'
    chat_id = await connected.chat(await connected.bot(name="Mira"), title="A\nforged line")
    await connected.say(chat_id, hostile)
    await connected.client.get("/chats/x%0aforged%0d%1b%5b2J")
    written = "".join(capfd.readouterr())
    logs = connected.engine.settings.logs_dir
    written += "".join(path.read_text("utf-8") for path in logs.rglob("*") if path.is_file())
    assert "forged" not in written
    assert "\x1b[2J" not in written


async def test_case_58_the_same_post_twice_is_one_turn_and_two_at_once_are_one_reply(
    connected: Visitor,
) -> None:
    chat_id = await connected.chat()
    address = f"/chats/{chat_id}/turns"
    twice = [connected.post(address, JSON, prose="Once.", idempotency_key="k1") for _ in range(4)]
    answers = await asyncio.gather(*twice)
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({json.dumps(answer.json()) for answer in answers if answer.status_code == 202}) == 1
    await connected.settled(chat_id)
    two = await asyncio.gather(*(connected.post(address, JSON, prose=word) for word in ("This.", "That.")))
    assert sorted(answer.status_code for answer in two) == [202, 409]
    await connected.settled(chat_id)
    texts = [turn["text"] for turn in await connected.turns(chat_id)]
    assert texts[1:3] == ["Once.", '*nods* "Mm-hm."']
    assert texts[3] in ("This.", "That.")
    assert len(texts) == 5
