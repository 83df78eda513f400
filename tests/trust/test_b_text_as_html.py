"""Cases 16 to 30 of the trust list: text of a person, a card or a model is text, in every field and wherever it shows.

What a single turn may become is held in tests/web/test_markup.py, a real browser with a listening sink in
tests/browser/test_hostile.py; here every field is filled and every page, fragment, file and frame is read.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest

from chat.settings import Preset
from tests.support.dom import Element, parse
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Reply, Status
from tests.trust import everywhere
from tests.trust.inert import assert_folded_once, assert_inert
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
    await everywhere.note(visitor, chat_id, whole[:1000])
    peer.script(Reply(whole))
    assert (await visitor.post(f"/chats/{chat_id}/impersonate", JSON, prose="")).status_code == 200
    return chat_id


async def _failed(visitor: Visitor, peer: Peer, text: str) -> str:
    """A second chat whose reply failed with words of the server's own."""
    other = await visitor.chat()
    peer.script(Status(400, {"error": {"message": text}}))
    await visitor.say(other, "Hello?")
    assert "refused the request (400)" in (await visitor.turns(other))[-1]["error"]["message"]
    return other


async def _read(visitor: Visitor, address: str, headers: dict[str, str]) -> Element:
    answer = await visitor.client.get(address, headers=headers)
    assert answer.status_code == 200, f"{address}: {answer.status_code} {answer.text[:300]}"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    root = parse(answer.text)
    assert_inert(root)
    assert_folded_once(answer.text)
    return root


@pytest.mark.parametrize("case", PAYLOADS, ids=[f"case_{case}" for case in PAYLOADS])
async def test_hostile_text_is_only_text_wherever_it_shows(connected: Visitor, peer: Peer, case: int) -> None:
    texts = payloads(case)
    peer.script(Status(200, json.dumps({"data": [{"id": text} for text in texts]})), on="/v1/models")
    chat_id = await _tell(connected, peer, texts)
    other = await _failed(connected, peer, texts[0])
    turns = await connected.turns(chat_id)
    bot_id = turns[-1]["speaker"]["id"]
    for address in [*await everywhere.pages(connected, chat_id, turns[1]["id"]), f"/chats/{other}"]:
        await _read(connected, address, {"Accept": "text/html"})
    for address in everywhere.parts(chat_id, bot_id, turns[1]["id"]):
        await _read(connected, address, HTMX)
    page = await _read(connected, f"/chats/{chat_id}", {"Accept": "text/html"})
    line = one_line(texts[0])
    assert page.one("h1").text == page.one("title").text == " ".join(line.split())
    drafted = page.by_id("composer").value_of("prose").strip()
    assert drafted.splitlines()[0].strip() == "\n\n".join(texts).strip().splitlines()[0].strip()
    said = [turn["text"] for turn in turns if turn["role"] == "user"]
    assert said == [text[:5000].replace("\r", "\n") for text in texts], "kept to the letter"
    markdown = (await connected.client.get(f"/chats/{chat_id}/transcript.md")).text
    assert not _LOADS_IN_MARKDOWN.search(markdown), "nothing loads when the file is shown as a page"
    told = (await connected.client.get(f"/chats/{chat_id}/transcript.json")).json()
    assert [turn["text"] for turn in told["turns"] if turn["role"] == "you"] == said


async def test_case_16_what_a_digest_says_is_only_text(connected: Visitor, peer: Peer) -> None:
    """Reasons, facts, doings and the place the story goes on come from a model too; they show in the drawer."""
    chat_id = await connected.chat()
    hostile, place = one_line(payloads(16)[2]), one_line(payloads(16)[0])
    answer = {
        "significance": 3,
        "weather": hostile,
        "weather_cites": [1],
        "activities": [{"who": "Mira", "action": hostile, "cites": [1]}],
        "feelings": [{"source": "Mira", "target": "You", "affinity": 2, "reason": hostile, "cites": [1]}],
        "facts": [{"owner": "Mira", "about": "You", "text": hostile, "cites": [1]}],
    }
    peer.script(Answer(answer), on="DigestAnswer")
    await connected.say(chat_id, f"Look at {hostile}.")
    page = await _read(connected, f"/chats/{chat_id}?drawer=1", {"Accept": "text/html"})
    assert page.by_id("drawer").text.count(hostile) > 6, "all of it was believed"
    keeps = {"memory": hostile, "significance": 2, "feelings": [{"target": "You", "summary": hostile}]}
    peer.script(Answer(keeps), on="SceneMemoryAnswer")
    close = await connected.post(f"/chats/{chat_id}/scene/close", JSON, name=place, place_type=place)
    assert close.status_code == 200
    await connected.settled(chat_id)
    for address in (f"/chats/{chat_id}?drawer=1", f"/chats/{chat_id}", "/chats", f"/chats/{chat_id}/map"):
        page = await _read(connected, address, {"Accept": "text/html"})
        assert place in page.text, address
    drawer = await _read(connected, f"/chats/{chat_id}/drawer", HTMX)
    assert [
        one for one in drawer.all("li", cls="memory") if "a whole scene" in one.text and hostile in one.text
    ]
    assert hostile in drawer.by_id("drawer-part-feelings").one(cls="feeling-summary").text


async def test_case_16_what_a_model_reads_out_of_an_opening_is_only_text(
    connected: Visitor, peer: Peer
) -> None:
    hostile, bot_id = one_line(payloads(16)[2]), await connected.bot()
    doing = {"posture": hostile, "action": hostile, "attention": hostile, "holding": [hostile]}
    answer = {
        "place": {"name": hostile, "type": hostile},
        "start_time": hostile,
        "you": doing,
        "bot": doing,
        "feeling_summary": hostile,
        "facts": [hostile],
        "opening": hostile,
    }
    peer.script(Answer(answer), on="KickoffAnswer")
    address = f"/bots/{bot_id}/kickoff"
    assert (await connected.post(address, action="parse", prose="A pier.")).status_code == 303
    page = await _read(connected, address, {"Accept": "text/html"})
    names = ("place_name", "place_type", "opening", "feeling_summary", "facts", "you_action", "bot_holding")
    assert [page.value_of(name) for name in names] == [hostile] * len(names)
    assert hostile in page.value_of("title")
    chat_id = (await connected.post(address, JSON, action="confirm")).json()["chat_id"]
    page = await _read(connected, f"/chats/{chat_id}?drawer=1", {"Accept": "text/html"})
    assert hostile in page.by_id("drawer-part-scene").text
    assert page.by_id("transcript").one(cls="prose").text == hostile


@pytest.mark.parametrize("count", [1, 2])
async def test_case_16_the_models_of_a_server_found_on_this_machine_are_only_text(
    visitor: Visitor, count: int
) -> None:
    hostile = [one_line(text) for text in payloads(16)][:count]
    with Peer(models=[{"id": text} for text in hostile]) as found:
        visitor.engine.local_servers.usual = (Preset(hostile[0], found.base_url),)
        visitor.engine.local_servers.forget()
        part = await _read(visitor, "/settings/local", HTMX)
        assert part.one(cls="found-name").one("strong").text == hostile[0]
        shown = part.all("option") or part.all(cls="found-model")
        assert [one.text for one in shown] == hostile
        chosen = await visitor.post(
            "/settings/local", JSON, base_url=found.base_url, model=hostile[-1], back="chats"
        )
        assert chosen.status_code == 200, chosen.text
        for address in ("/settings", "/chats", "/health"):
            await _read(visitor, address, {"Accept": "text/html"})


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
