"""The live stream as it is on the wire: nothing lost, nothing twice, nothing that a text could make of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chat import cli
from tests.support.peer import Peer, Received
from tests.support.peer_acts import Act, Answer, Reply
from tests.support.server import Server
from tests.support.sse import EventStream, Frame
from tests.support.story import begin_story

TEXT = (
    "One.\n\nevent: done\ndata: {}\n\nid: 7\rretry: 1\u2028 "
    "<script>alert(1)</script> \U0001f642\U0001f642 e\u0301 the end of it, word by word by word."
)


@pytest.fixture(scope="module")
def rest() -> threading.Event:
    """Cleared by a test, the model says its first word and waits with the others until it is set again."""
    may_go_on = threading.Event()
    may_go_on.set()
    return may_go_on


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, rest: threading.Event) -> Iterator[Server]:
    """One program for all of these tests, connected to a model that says `TEXT`."""
    folder: Path = tmp_path_factory.mktemp("stream")

    def answer(received: Received) -> Act:
        return Answer({}) if received.schema_name else Reply(TEXT, pace_s=0.01, rest=rest)

    with Peer(default=answer) as peer:
        settings = {
            "CHAT_CONNECTION__BASE_URL": peer.base_url,
            "CHAT_CONNECTION__NARRATIVE_MODEL": "peer-model",
        }
        with Server(folder / "data", settings=settings, program=cli.main) as running:
            yield running


def listen(server: Server, *chats: str, **query: str) -> EventStream:
    asked = "&".join(
        [*(f"chat={chat}" for chat in chats), *(f"{name}={value}" for name, value in query.items())]
    )
    return EventStream(f"{server.url}/events?{asked}")


def say(server: Server, chat: str, prose: str = "Hello.") -> dict[str, Any]:
    answer = server.request("POST", f"/chats/{chat}/turns", form={"prose": prose})
    assert answer.status == 202, answer.text
    told: dict[str, Any] = answer.json
    return told


def whole_turn(server: Server, stream: EventStream, chat: str) -> list[Frame]:
    reply = say(server, chat)["reply_id"]
    return stream.until("done", turn=reply)


def words(frames: list[Frame]) -> str:
    """The text of the token frames, which have to join without a gap."""
    text = ""
    for frame in frames:
        if frame.event == "token":
            assert frame.data["offset"] == len(text)
            text += frame.data["text"]
    return text


def test_a_stream_begins_with_where_each_chat_stands(server: Server) -> None:
    one, two = begin_story(server), begin_story(server)
    with listen(server, one, two) as stream:
        first, second = stream.next(), stream.next()
    assert first
    assert second
    assert [first.event, second.event] == ["snapshot", "snapshot"]
    assert [first.data["chat"], second.data["chat"]] == [one, two]
    assert first.data["running"] is None
    assert first.id == f"{first.data['epoch']}-{first.data['head']}"
    assert stream.headers["content-type"].startswith("text/event-stream")


def test_the_words_of_a_reply_join_to_the_stored_text_and_cannot_become_frames(server: Server) -> None:
    chat = begin_story(server)
    with listen(server, chat) as stream:
        frames = whole_turn(server, stream, chat)
    stored = server.request("GET", f"/chats/{chat}").json["turns"][-1]["text"]
    assert words(frames).strip() == stored == TEXT
    assert [frame.event for frame in frames].count("done") == 1
    assert {frame.event for frame in frames} <= {
        "snapshot", "event", "token", "status", "tool_start", "tool_result", "thinking", "stop_reason", "done",
    }  # fmt: skip


def test_a_page_hears_that_the_last_word_is_there_before_it_hears_that_the_reply_is_stored(
    server: Server,
) -> None:
    """That is when it asks for the reply: the answer comes when it is stored."""
    chat, other = begin_story(server), begin_story(server)
    with listen(server, chat) as stream, listen(server, other) as elsewhere:
        replies = [say(server, one)["reply_id"] for one in (chat, other)]
        for heard, reply in (
            (stream.until("done", turn=replies[0]), replies[0]),
            (elsewhere.until("done", turn=replies[1]), replies[1]),
        ):
            told = [(one.event, one.data) for one in heard]
            steps = [
                at
                for at, (kind, data) in enumerate(told)
                if kind == "tool_start" and data["tool"] == "remember"
            ]
            stored = [
                at
                for at, (kind, data) in enumerate(told)
                if kind == "event" and "assistant_turn" in data["kinds"]
            ]
            last_word = max(at for at, (kind, _) in enumerate(told) if kind == "token")
            assert [told[at][1]["turn"] for at in steps] == [reply]
            assert last_word < steps[0] < stored[0]


def test_two_listeners_hear_the_same(server: Server) -> None:
    chat = begin_story(server)
    with listen(server, chat) as one, listen(server, chat) as two:
        reply = say(server, chat)["reply_id"]
        heard = [stream.until("done", turn=reply) for stream in (one, two)]
    assert words(heard[0]) == words(heard[1])
    commits = [[frame for frame in frames if frame.event == "event"] for frames in heard]
    assert commits[0] == commits[1]


def test_who_joins_late_gets_the_words_so_far_and_then_the_rest(
    server: Server, rest: threading.Event
) -> None:
    chat = begin_story(server)
    rest.clear()
    with listen(server, chat) as early:
        reply = say(server, chat)["reply_id"]
        early.until("token", turn=reply)
        with listen(server, chat) as late:
            frames = late.until("snapshot", chat=chat)
            rest.set()
            frames += late.until("done", turn=reply)
    running = frames[0].data["running"]
    assert running["turn"] == reply
    text = running["text"]
    for frame in frames:
        if frame.event == "token":
            assert frame.data["offset"] == len(text)
            text += frame.data["text"]
    assert text.strip() == TEXT


def test_a_stream_that_resumes_repeats_exactly_the_commits_it_missed(server: Server) -> None:
    chat = begin_story(server)
    with listen(server, chat) as stream:
        frames = whole_turn(server, stream, chat)
        while "digest_finished" not in frames[-1].data.get("kinds", ()):  # the last commit of a turn
            frames += stream.until("event", chat=chat)
    commits = [frame for frame in frames if frame.event == "event"]
    assert len(commits) >= 3
    with listen(server, chat, after=commits[0].id) as again:
        repeated = again.until("snapshot", chat=chat)
    assert repeated[:-1] == commits[1:]
    with EventStream(f"{server.url}/chats/{chat}/events", {"Last-Event-ID": commits[-1].id}) as again:
        first = again.next()
    assert first
    assert first.event == "snapshot"


@pytest.mark.parametrize("after", ["abc", "-1", "other-3", "", "99999999999999999999999", "%00"])
def test_an_id_that_means_nothing_here_begins_anew(server: Server, after: str) -> None:
    chat = begin_story(server)
    with listen(server, chat, after=after) as stream:
        first = stream.next()
    assert first
    assert (first.event, first.data["chat"]) == ("snapshot", chat)


def test_a_listener_that_goes_away_does_not_end_the_reply(server: Server, rest: threading.Event) -> None:
    chat = begin_story(server)
    rest.clear()
    with listen(server, chat) as stream:
        reply = say(server, chat)["reply_id"]
        stream.until("token", turn=reply)
    with listen(server, chat) as later:
        later.until("snapshot", chat=chat)
        rest.set()
        later.until("done", turn=reply)
    assert server.request("GET", f"/chats/{chat}").json["turns"][-1]["text"] == TEXT


def test_a_chat_that_does_not_exist_has_no_stream_and_silences_no_other(server: Server) -> None:
    assert server.request("GET", "/chats/nowhere/events").status == 404
    chat = begin_story(server)
    with listen(server, "nowhere", chat) as stream:
        reply = say(server, chat)["reply_id"]
        stream.until("done", turn=reply)


def test_the_stream_ends_properly_when_the_program_stops(server: Server) -> None:
    chat = begin_story(server)
    with listen(server, chat) as stream:
        assert stream.next()
        server.stop()
        while stream.next():
            pass
        assert stream.is_whole
    server.start()
