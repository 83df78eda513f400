"""Directing a story: what the next reply is to bring about, and the note that every reply heeds."""

from __future__ import annotations

from pathlib import Path

from tests.support.peer import Peer
from tests.support.peer_acts import Answer
from tests.web.conftest import HTMX, JSON, Visitor, visiting


def _prompts(peer: Peer) -> list[str]:
    return [
        "\n".join(str(message["content"]) for message in body["messages"])
        for body in peer.bodies()
        if "response_format" not in body and "tools" not in body
    ]


async def test_a_direction_is_told_to_the_model_once_and_heard_by_nobody(
    connected: Visitor, peer: Peer
) -> None:
    peer.script(*[Answer({})] * 20, on="DigestAnswer")
    chat_id = await connected.chat()
    await connected.say(chat_id, '"Look."\n/narrate the lantern goes out by itself')
    await connected.say(chat_id, '"Did you see that?"')
    first, second = _prompts(peer)[:2]
    assert "<direction>\nthe lantern goes out by itself\n</direction>" in first
    assert first.index("<direction>") > first.index("[Notes for this reply")
    assert "/narrate" not in first
    assert "goes out by itself" not in second
    memories = (await connected.json(f"/chats/{chat_id}/drawer"))["remembered"]
    assert memories
    assert "goes out by itself" not in str(memories)
    digests = [body for body in peer.bodies() if "response_format" in body or "tools" in body]
    assert digests
    assert all("goes out by itself" not in body["messages"][-1]["content"] for body in digests)


async def test_a_direction_alone_is_answered_and_asked_again_with_the_reply(
    connected: Visitor, peer: Peer
) -> None:
    chat_id = await connected.chat()
    answer = await connected.say(chat_id, "/narrate a door slams upstairs")
    reply_id = answer.json()["reply_id"]
    assert reply_id
    await connected.post(f"/chats/{chat_id}/turns/{reply_id}/regenerate", JSON)
    await connected.settled(chat_id)
    told = [prompt for prompt in _prompts(peer) if "<direction>\na door slams upstairs" in prompt]
    assert len(told) == 2
    assert all("[Mira goes on.]" in prompt or "[Mira answers.]" in prompt for prompt in told)


async def test_the_transcript_shows_a_direction_quietly(visitor: Visitor) -> None:
    chat_id = await visitor.chat()
    await visitor.say(chat_id, "/narrate a gull lands on the rail")
    page = await visitor.get(f"/chats/{chat_id}")
    shown = page.by_id("transcript").one("span", cls="direction")
    assert shown.text == "(direction) a gull lands on the rail"
    turns = await visitor.turns(chat_id)
    assert turns[-1]["text"].startswith("A gull lands on the rail."), "the demo lets it happen"


async def test_the_note_goes_with_every_reply_where_it_is_set_to_stand(
    connected: Visitor, peer: Peer
) -> None:
    chat_id, other = await connected.chat(), await connected.chat()
    await _note(connected, chat_id, words="Keep it slow and wintry.", stands="last")
    await connected.say(chat_id, '"Good evening."')
    await connected.say(other, '"Good evening."')
    await _note(connected, chat_id, stands="first")
    await connected.say(chat_id, '"Is it late?"')
    last, none, first = _prompts(peer)
    assert "Keep it slow" not in none
    for prompt in (last, first):
        notes = prompt[prompt.index("[Notes for this reply") : prompt.index("[End of notes]")]
        assert "<note>\nKeep it slow and wintry.\n</note>" in notes
    assert last.index("Keep it slow") > last.index("How Mira feels")
    assert first.index("Keep it slow") < first.index("How Mira feels")
    reply = (await connected.json(f"/chats/{chat_id}/drawer"))["last_reply"]
    assert "author" in str(reply["prompt"]).lower()


async def test_the_note_is_undone_redone_and_guarded_against_a_stale_tab(visitor: Visitor) -> None:
    chat_id = await visitor.chat()
    await visitor.say(chat_id, '"Good evening."')
    head = await _note(visitor, chat_id, words="No rain any more.")
    assert await _words(visitor, chat_id) == "No rain any more."
    answer = await visitor.post(f"/chats/{chat_id}/undo", JSON)
    assert answer.json()["undo"]
    assert await _words(visitor, chat_id) == ""
    await visitor.post(f"/chats/{chat_id}/redo", JSON)
    assert await _words(visitor, chat_id) == "No rain any more."
    stale = await visitor.post(f"/chats/{chat_id}/drawer/note/-", JSON, words="Mine", revision=str(head - 1))
    assert stale.status_code == 409
    assert stale.json()["error"]["current"]["words"] == "No rain any more."
    wrong = await visitor.post(f"/chats/{chat_id}/drawer/note/-", JSON, stands="sideways", revision=str(head))
    assert wrong.status_code in (409, 422)
    fragment = await visitor.get(f"/chats/{chat_id}/drawer", **HTMX)
    assert fragment.by_id("drawer-part-note").one("p", cls="author-note").text == "No rain any more."


async def _note(visitor: Visitor, chat_id: str, **fields: str) -> int:
    editable = (await visitor.json(f"/chats/{chat_id}/drawer"))["editable"]
    revision = next(one["revision"] for one in editable if one["what"] == "note")
    answer = await visitor.post(f"/chats/{chat_id}/drawer/note/-", JSON, revision=str(revision), **fields)
    assert answer.status_code == 200, answer.text
    newest: int = answer.json()["revision"]
    return newest


async def _words(visitor: Visitor, chat_id: str) -> str:
    words: str = (await visitor.json(f"/chats/{chat_id}/drawer"))["note"]
    return words


async def test_the_mark_of_an_aside_is_the_players_choice(tmp_path: Path, peer: Peer) -> None:
    connection = {"base_url": peer.base_url, "narrative_model": "peer-model"}
    async for visitor in visiting(tmp_path / "own", connection=connection, ooc_marker="//"):
        chat_id = await visitor.chat(opening="Fog. // an opening secret")
        reply_id = (await visitor.say(chat_id, '"Look." // a first secret\n((Now.))')).json()["reply_id"]
        again = f"/chats/{chat_id}/turns/{reply_id}/regenerate"
        await visitor.post(again, JSON, prose='"Look there." // a second secret')
        await visitor.settled(chat_id)
        turn = (await visitor.turns(chat_id))[1]["id"]
        await visitor.post(f"/chats/{chat_id}/turns/{turn}/edit", JSON, prose='"Oh." // a third secret')
        await visitor.client.put(f"/chats/{chat_id}/draft", data={"prose": '"And?" // a fourth secret'})
        await visitor.post(f"/chats/{chat_id}/impersonate", JSON, prose='"And?" // a fourth secret')
        await visitor.say(chat_id, '"And now?"')
        asked = str(peer.bodies())
        assert "Look there." in asked
        assert "((Now.))" in asked, "another mark is no mark"
        assert "secret" not in asked
        page = await visitor.get(f"/chats/{chat_id}")
        assert "//asides// no bot sees" in page.by_id("how-to-write").text
        keys = [row["keys"] for row in (await visitor.json("/shortcuts"))["shortcuts"]]
        assert ["//", "…", "//"] in keys
        assert "((" not in str(keys)
        assert [one.text for one in page.by_id("transcript").all("span", cls="ooc")] == [
            "// an opening secret",
            "// a third secret",
        ]
