"""The story as a file: what the page shows, whatever stands in it, and how ever long it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from chat.domain.events import AssistantTurn, UserTurn, story
from chat.domain.segments import parse_segments
from chat.interop.transcripts import prose
from tests.support.peer import Peer
from tests.support.peer_acts import Reply
from tests.support.server import Server
from tests.support.story import begin_story
from tests.web.conftest import JSON, KEY, Visitor


async def test_both_files_hold_what_the_page_shows_and_nothing_behind_it(
    connected: Visitor, peer: Peer
) -> None:
    bot_id = await connected.bot(name="Mira", persona="Hides a treasure map.")
    chat_id = await connected.chat(bot_id, title="By the sea")
    peer.script(Reply('*nods* "Come in."', reasoning="I must not tell about the map."))
    await connected.say(chat_id, '"May I?"\n/whisper Mira I saw the lamp.')
    markdown = (await connected.client.get(f"/chats/{chat_id}/transcript.md")).text
    told = (await connected.client.get(f"/chats/{chat_id}/transcript.json")).json()
    assert markdown.startswith("# By the sea\n\nMira, You\n\n## The pier, ")
    assert '**You**\n\n"May I?"\\\n(whispering to Mira) I saw the lamp.' in markdown
    assert '**Mira**\n\n*nods* "Come in."' in markdown
    assert [turn["role"] for turn in told["turns"]] == ["narrator", "you", "bot"]
    assert told["turns"][1]["text"] == '"May I?"\n/whisper Mira I saw the lamp.'
    assert told["turns"][2]["place"] == "The pier"
    for hidden in ("treasure", "must not tell", KEY, "Notes for this reply"):
        assert hidden not in markdown + json.dumps(told)


async def test_only_the_selected_line_is_told(visitor: Visitor) -> None:
    chat_id, other = await visitor.chat(), await visitor.chat()
    await visitor.say(chat_id, '"First words."')
    await visitor.say(other, '"Of the other chat."')
    first = (await visitor.turns(chat_id))[1]
    await visitor.say(chat_id, '"Words that are left behind."')
    await visitor.post(f"/chats/{chat_id}/turns/{first['id']}/rewind", JSON)
    await visitor.say(chat_id, '"Another way."')
    told = (await visitor.client.get(f"/chats/{chat_id}/transcript.json")).json()
    shown = [turn["text"] for turn in await visitor.turns(chat_id)]
    assert [turn["text"] for turn in told["turns"]] == shown
    assert "left behind" not in str(told)
    assert "other chat" not in str(told)
    assert (await visitor.client.get("/chats/nothing/transcript.md")).status_code == 404


async def test_words_of_a_story_never_become_markup_in_the_file(visitor: Visitor) -> None:
    chat_id = await visitor.chat()
    words = "# Loud\n![x](http://sink.test/x)\n<img src=http://sink.test>\n> said\n1. one\n    code\n[a]: http://sink.test"
    await visitor.say(chat_id, words)
    markdown = (await visitor.client.get(f"/chats/{chat_id}/transcript.md")).text
    mine = markdown[markdown.index("**You**") :]
    assert "\\# Loud" in mine
    assert not re.search(r"(?<!\\)[<\[`]", mine)
    assert not re.search(r"^\s{4}", mine, re.MULTILINE)
    assert "\\> said" in mine
    assert "1\\. one" in mine


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("&copy; &#42; AT&T", r"\&copy; \&#42; AT&T"),
        ("* * *", r"\* * *"),
        ("***", r"\***"),
        ("_ _ _", r"\_ _ _"),
        ("* one\n* two", "\\* one\\\n\\* two"),
        ("a | b\n:-- | --:", "a | b\\\n\\:-- | --:"),
        ("It is ~~gone~~.", r"It is \~\~gone\~\~."),
        ("***Now*** *sits* __down__ _here_", "***Now*** *sits* __down__ _here_"),
    ],
)
def test_what_a_reader_of_markdown_would_make_of_words_is_what_the_page_makes_of_them(
    said: str, written: str
) -> None:
    """No rule, list, table, struck word or sign that nobody wrote; bold and italic stay what they are."""
    assert prose(said) == written


def test_a_hostile_title_makes_one_header_and_a_name_any_disk_takes(tmp_path: Path) -> None:
    """Through a real server: a client inside the process would let a line break pass. Case 52 of the trust list."""
    with Server(tmp_path / "data") as server:
        chat_id = begin_story(server)
        for title in ("a\r\nX-Evil: 1", '"; x="y', "../../etc/passwd", "Zoë 灯 🙂", "x" * 250, "🙂"):
            server.request("POST", f"/chats/{chat_id}/rename", form={"title": title[:200]})
            answer = server.request("GET", f"/chats/{chat_id}/transcript.md", headers={"Accept": "*/*"})
            assert answer.status == 200, title
            assert "x-evil" not in answer.headers
            name = re.fullmatch(
                r"attachment; filename=\"([^\"\\/]*)\"; filename\*=UTF-8''([\w.%-]+)",
                answer.headers["content-disposition"],
            )
            assert name, answer.headers["content-disposition"]
            assert not re.search(r'[/\\\r\n"]|\.\.', unquote(name[2])), title
            assert unquote(name[2]).endswith(".md")
        assert "content-length" not in answer.headers, "it is streamed"


async def test_a_story_of_many_windows_is_told_whole_and_in_order(visitor: Visitor) -> None:
    chat_id = await visitor.chat()
    chat = visitor.engine.store.library.chats[chat_id]
    bot, you = chat.bot_ids[0], chat.you_id
    events = []
    for number in range(2, 1002):
        text = f"Line {number}."
        words = {"text": text, "segments": parse_segments(text), "present": (bot, you), "at": ""}
        turn = (
            UserTurn(turn_id=f"t{number}", speaker=you, scene_id="", **words)
            if number % 2
            else AssistantTurn(turn_id=f"t{number}", speaker=bot, scene_id="", origin="opening", **words)
        )
        events += story(chat_id, chat.branch_id, number, turn)
    await visitor.engine.store.execute(lambda state: events)
    told = (await visitor.client.get(f"/chats/{chat_id}/transcript.json")).json()
    assert [turn["text"] for turn in told["turns"][1:]] == [f"Line {number}." for number in range(2, 1002)]
