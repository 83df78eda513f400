"""Cases 16 to 30 of the trust list: text of a person, a card or a model is text, in every field and wherever it shows.

What a single turn may become is held in tests/web/test_markup.py, a real browser with a listening sink in
tests/browser/test_hostile.py; here every field is filled and every page, fragment, file and frame is read.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest

from tests.support.dom import Element, parse
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Reply, Status
from tests.trust.inert import assert_inert
from tests.trust.payloads import PAYLOADS, one_line, payloads
from tests.web.conftest import HTMX, JSON, Visitor

_LOADS_IN_MARKDOWN = re.compile(r"(?<!\\)!\[|(?<!\\)<[a-zA-Z/!]|(?<!\\)\]\(|(?<!\\)\]\[")


async def _tell(visitor: Visitor, peer: Peer, texts: list[str]) -> str:
    """A story in which every field of a person and every answer of a model is hostile; returns the chat."""
    line, whole = one_line(texts[0]), "\n\n".join(texts)[:9000]
    await visitor.post("/settings", JSON, name=line, pronouns=line[:40], persona=whole, appearance=whole)
    bot_id = await visitor.bot(
        name=line,
        persona=whole,
        appearance=whole,
        voice_samples=whole,
        traits=line,
        backstory=whole,
        initial_relationship_to_you=line,
        kickoff_prose=whole,
    )
    chat_id = await visitor.chat(
        bot_id,
        title=line,
        place_name=line,
        opening=whole,
        feeling_summary=line,
        facts=line,
        bot_action=line,
        you_posture=line,
    )
    await visitor.post(f"/chats/{chat_id}/rename", JSON, title=line)
    for text in texts:
        peer.script(Reply(pieces=[text[at : at + 5] for at in range(0, min(len(text), 400), 5)] or [text]))
        await visitor.say(chat_id, text[:5000])
    await visitor.client.put(f"/chats/{chat_id}/draft", data={"prose": whole})
    return chat_id


async def _failed(visitor: Visitor, peer: Peer, text: str) -> str:
    """A second chat whose reply failed with words of the server's own."""
    other = await visitor.chat()
    peer.script(Status(400, {"error": {"message": text}}))
    await visitor.say(other, "Hello?")
    assert "refused the request (400)" in (await visitor.turns(other))[-1]["error"]["message"]
    return other


def _pages(chat_id: str, other: str, bot_id: str, turn_id: str) -> list[str]:
    chat = f"/chats/{chat_id}"
    shelves = ["/chats", "/chats/new", "/bots", f"/bots/{bot_id}", f"/bots/{bot_id}/kickoff", "/settings"]
    return [*shelves, chat, f"{chat}?drawer=1", f"{chat}/turns/{turn_id}/rewind", f"/chats/{other}"]


def _parts(chat_id: str, turn_id: str) -> list[str]:
    names = (
        "transcript",
        "status",
        "drawer",
        "draft",
        "steps",
        f"turns/{turn_id}",
        f"turns/{turn_id}/rewind",
        f"parts?turn={turn_id}&part=rail&part=steps&part=status",
    )
    return [f"/chats/{chat_id}/{name}" for name in names] + ["/rail", "/settings/models"]


async def _read(visitor: Visitor, address: str, headers: dict[str, str]) -> Element:
    answer = await visitor.client.get(address, headers=headers)
    assert answer.status_code == 200, f"{address}: {answer.status_code} {answer.text[:300]}"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    root = parse(answer.text)
    assert_inert(root)
    return root


@pytest.mark.parametrize("case", PAYLOADS, ids=[f"case_{case}" for case in PAYLOADS])
async def test_hostile_text_is_only_text_wherever_it_shows(connected: Visitor, peer: Peer, case: int) -> None:
    texts = payloads(case)
    peer.script(Status(200, json.dumps({"data": [{"id": text} for text in texts]})), on="/v1/models")
    chat_id = await _tell(connected, peer, texts)
    other = await _failed(connected, peer, texts[0])
    turns = await connected.turns(chat_id)
    bot_id = turns[-1]["speaker"]["id"]
    for address in _pages(chat_id, other, bot_id, turns[1]["id"]):
        await _read(connected, address, {"Accept": "text/html"})
    for address in _parts(chat_id, turns[1]["id"]):
        await _read(connected, address, HTMX)
    page = await _read(connected, f"/chats/{chat_id}", {"Accept": "text/html"})
    line = one_line(texts[0])
    assert page.one("h1").text == page.one("title").text == " ".join(line.split())
    assert (
        page.by_id("composer").value_of("prose").splitlines()[0].strip()
        == "\n\n".join(texts).splitlines()[0].strip()
    )
    said = [turn["text"] for turn in turns if turn["role"] == "user"]
    assert said == [text[:5000].replace("\r", "\n") for text in texts], "kept to the letter"
    markdown = (await connected.client.get(f"/chats/{chat_id}/transcript.md")).text
    assert not _LOADS_IN_MARKDOWN.search(markdown), "nothing loads when the file is shown as a page"
    told = (await connected.client.get(f"/chats/{chat_id}/transcript.json")).json()
    assert [turn["text"] for turn in told["turns"] if turn["role"] == "you"] == said


async def test_case_16_what_a_digest_says_is_only_text(connected: Visitor, peer: Peer) -> None:
    """Reasons, facts and doings come from a model too; they show in the drawer."""
    chat_id = await connected.chat()
    bot_id = (await connected.json(f"/chats/{chat_id}"))["bots"][0]["id"]
    hostile = one_line(payloads(16)[2])
    answer = {"significance": 1, "weather": hostile, "activities": [{"entity": bot_id, "action": hostile}]}
    edge = {
        "source": bot_id,
        "target": "you",
        "affinity": 2,
        "trust": 1,
        "reason": hostile,
        "facts": [hostile],
    }
    peer.script(Reply(f'*nods* "{hostile}"'), Answer(answer | {"edges": [edge]}))
    await connected.say(chat_id, f"Look at {hostile}.")
    for address in (f"/chats/{chat_id}?drawer=1", f"/chats/{chat_id}"):
        await _read(connected, address, {"Accept": "text/html"})
    assert_inert(await connected.get(f"/chats/{chat_id}/drawer", **HTMX))


async def test_case_22_the_page_script_is_told_to_run_nothing_from_content(visitor: Visitor) -> None:
    config = json.loads((await visitor.get("/chats")).one("meta", name="htmx-config").attrs["content"])
    assert {name: config[name] for name in ("allowEval", "allowScriptTags", "includeIndicatorStyles")} == {
        "allowEval": False,
        "allowScriptTags": False,
        "includeIndicatorStyles": False,
    }
    assert config["selfRequestsOnly"] is True
    assert config["historyCacheSize"] == 0


async def test_case_25_a_page_opened_at_any_moment_of_a_reply_is_inert(
    connected: Visitor, peer: Peer
) -> None:
    chat_id = await connected.chat()
    text = " ".join(payload for case in (16, 20, 25) for payload in payloads(case))
    peer.script(Reply(pieces=[text[at : at + 3] for at in range(0, len(text), 3)], pace_s=0.002))
    await connected.post(f"/chats/{chat_id}/turns", JSON, prose="Go on.")
    seen = set()
    while running := connected.engine.running_reply(chat_id):
        seen.add(len(running.text))
        await _read(connected, f"/chats/{chat_id}", {"Accept": "text/html"})
        await connected.pause()
    await connected.settled(chat_id)
    assert len(seen) > 3, "it was looked at while it grew"
    assert (await connected.turns(chat_id))[-1]["text"] == text


async def test_case_26_a_name_is_kept_apart_from_what_stands_beside_it(visitor: Visitor) -> None:
    bot_id = await visitor.bot(name="\u202eariM\u202c")
    page = await visitor.get(f"/chats/{await visitor.chat(bot_id)}")
    names = [one for one in page.walk() if one.tag == "bdi"]
    assert any("ariM" in one.text for one in names)


@pytest.mark.parametrize("text", ["<svg onload=self.owned=1>", '"><script>self.owned=1</script>', "{{7*7}}"])
async def test_case_30_nothing_of_an_address_becomes_markup(visitor: Visitor, text: str) -> None:
    chat_id, odd = await visitor.chat(), quote(text, safe="")
    for address in (
        f"/{odd}",
        f"/chats/{odd}",
        f"/bots/{odd}",
        f"/chats?q={odd}",
        f"/chats/{chat_id}?before={odd}",
        f"/chats/{chat_id}?went={odd}&drawer={odd}&memory={odd}",
        f"/chats/{chat_id}/turns/{odd}/rewind",
        f"/backups/{odd}/restore",
        f"/static/{odd}",
    ):
        for headers in ({"Accept": "text/html"}, HTMX):
            answer = await visitor.client.get(address, headers=headers)
            assert answer.status_code in (200, 303, 404, 422), address
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            if "html" in answer.headers.get("content-type", ""):
                assert_inert(parse(answer.text))
                assert ">49<" not in answer.text
    refused = await visitor.post("/settings", name="", persona=text)
    assert refused.status_code == 422
    assert_inert(parse(refused.text))
