"""A turn against a real socket: the player's words first, the reply streamed and stored, two chats at once."""

from __future__ import annotations

import asyncio
import threading

import pytest
from msgspec.structs import replace

from chat.engine.hearing import segments_of
from chat.errors import BlankText, DoesNotFit, NotFound, TextNotStorable, TextTooLong, TurnRunning
from chat.store import views
from tests.engine.conftest import Stage, asked
from tests.support.peer import Peer, Received
from tests.support.peer_acts import Act, Answer, Reply


async def test_a_turn_stores_both_halves_word_for_word(stage: Stage, peer: Peer) -> None:
    peer.script(Reply('*She looks up.* "You\'re late."'))
    reply_id = await stage.say('*I knock.* "Sorry."')
    opening, mine, reply = await stage.turns()
    assert (opening.origin, opening.text) == ("opening", "The quay smells of tar and rain.")
    assert (mine.role, mine.text, mine.speaker) == ("user", '*I knock.* "Sorry."', stage.you)
    assert (reply.id, reply.text, reply.speaker) == (reply_id, '*She looks up.* "You\'re late."', stage.mira)
    assert [segment.kind for segment in reply.segments] == ["action", "dialogue"]
    assert (reply.truncated, reply.stop_reason, reply.is_running) == (False, "complete", False)
    assert [turn.step for turn in (opening, mine, reply)] == [1, 2, 3]


async def test_each_bot_that_was_there_remembers_both_halves(stage: Stage, peer: Peer) -> None:
    peer.script(Reply('"The lamp is yours."'))
    reply_id = await stage.say('"May I have the lamp?" ((ask nicely)) ')
    async with stage.engine.store.reading() as reader:
        memories = await views.memories_of(reader, stage.mira, "main")
        others = await views.memories_of(reader, stage.tomas, "main")
    latest = memories[0]
    assert latest.turn_id == reply_id
    assert "May I have the lamp?" in latest.text
    assert "The lamp is yours." in latest.text
    assert "ask nicely" not in latest.text
    assert others == []


async def test_what_the_model_is_asked_holds_no_aside_and_no_persona(stage: Stage, peer: Peer) -> None:
    await stage.say('"Good evening." ((she must not know about plan zebra))')
    words = asked(peer).text
    assert "Good evening." in words
    assert "zebra" not in words
    assert "secretly a spy" not in words
    assert "a grey coat" in words


async def test_a_thought_is_shown_and_never_sent(stage: Stage, peer: Peer) -> None:
    await stage.say('"Nice boat."\n/think it is about to sink, the ruby is aboard')
    assert "ruby" not in asked(peer).text
    assert "ruby" in (await stage.turns())[1].text


async def test_a_second_post_while_a_reply_runs_is_refused_and_changes_nothing(
    stage: Stage, peer: Peer
) -> None:
    rest = threading.Event()
    peer.script(Reply("one two three four five six", rest=rest))
    accepted = await stage.engine.take_turn(stage.first, "first")
    head = stage.engine.store.head
    with pytest.raises(TurnRunning) as refused:
        await stage.engine.take_turn(stage.first, "second")
    assert refused.value.turn_id == accepted.reply_id
    assert stage.engine.store.head == head
    rest.set()
    await stage.settled(stage.first)
    assert [turn.text for turn in await stage.turns() if turn.role == "user"] == ["first"]


async def test_two_posts_at_the_same_instant_start_one_reply(stage: Stage) -> None:
    posts = [stage.engine.take_turn(stage.first, text) for text in ("left", "right")]
    results = await asyncio.gather(*posts, return_exceptions=True)
    assert sorted(isinstance(one, TurnRunning) for one in results) == [False, True]
    await stage.settled(stage.first)
    assert [turn.role for turn in await stage.turns()] == ["assistant", "user", "assistant"]


async def test_the_same_post_twice_is_one_turn(stage: Stage, peer: Peer) -> None:
    rest = threading.Event()
    peer.script(Reply("slow enough to be asked again", rest=rest))
    first = await stage.engine.take_turn(stage.first, "hello", "key-1")
    again = await stage.engine.take_turn(stage.first, "hello", "key-1")
    rest.set()
    await stage.settled(stage.first)
    later = await stage.engine.take_turn(stage.first, "hello", "key-1")
    assert (again.turn_id, again.reply_id, again.repeated) == (first.turn_id, first.reply_id, True)
    assert (later.turn_id, later.reply_id, later.repeated) == (first.turn_id, first.reply_id, True)
    assert len(await stage.turns()) == 3


async def test_other_words_with_a_used_key_are_a_turn_of_their_own(stage: Stage) -> None:
    await stage.engine.take_turn(stage.first, "hello", "key-1")
    await stage.settled(stage.first)
    other = await stage.engine.take_turn(stage.first, "something else", "key-1")
    assert other.repeated is False
    await stage.settled(stage.first)
    assert [turn.text for turn in await stage.turns() if turn.role == "user"] == ["hello", "something else"]


async def test_two_chats_stream_at_once_without_mixing(stage: Stage, peer: Peer) -> None:
    def answer(received: Received) -> Act:
        if received.schema_name:
            return Answer({})
        word = "apple" if "apple" in received.text else "pear"
        return Reply(" ".join([word] * 30), pace_s=0.005)

    peer._default = answer
    await stage.engine.take_turn(stage.first, "an apple")
    await stage.engine.take_turn(stage.second, "a pear")
    await stage.settled(stage.first)
    await stage.settled(stage.second)
    assert (await stage.turns(stage.first))[-1].text == " ".join(["apple"] * 30)
    assert (await stage.turns(stage.second))[-1].text == " ".join(["pear"] * 30)


async def test_stop_keeps_what_had_arrived_and_closes_the_call(stage: Stage, peer: Peer) -> None:
    peer.script(Reply(" ".join(["word"] * 400), pace_s=0.02))
    accepted = await stage.engine.take_turn(stage.first, "tell me everything")
    assert accepted.reply_id
    while not (running := stage.engine.running_reply(stage.first)) or len(running.text) < 20:
        await asyncio.sleep(0.01)
    assert await stage.engine.stop_reply(stage.first, accepted.reply_id)
    reply = (await stage.turns())[-1]
    assert reply.text.startswith("word word")
    assert (reply.truncated, reply.stop_reason) == (True, "user_stop")
    assert peer.wait_until(lambda: asked(peer).gone_s is not None)
    assert await stage.engine.stop_reply(stage.first, accepted.reply_id) is False


async def test_stopping_a_turn_of_another_chat_is_not_found(stage: Stage) -> None:
    reply_id = await stage.say("hello")
    with pytest.raises(NotFound):
        await stage.engine.stop_reply(stage.second, reply_id)


async def test_an_aside_alone_is_kept_and_asks_nobody(stage: Stage, peer: Peer) -> None:
    before = len(peer.requests)
    accepted = await stage.engine.take_turn(stage.first, "((back in five))")
    assert accepted.reply_id is None
    assert len(peer.requests) == before
    assert (await stage.turns())[-1].text == "((back in five))"
    await stage.say("here again")


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("", BlankText),
        (" \n\t ", BlankText),
        ("x" * 32_001, TextTooLong),
        ("a\x00b", TextNotStorable),
        ("\ud83d", TextNotStorable),
    ],
)
async def test_what_cannot_be_stored_is_refused_before_anything_is_written(
    stage: Stage, text: str, refusal: type[Exception]
) -> None:
    head = stage.engine.store.head
    with pytest.raises(refusal):
        await stage.engine.take_turn(stage.first, text)
    assert stage.engine.store.head == head
    await stage.say("and the chat goes on")


@pytest.mark.parametrize("text", ["x" * 20_000, "👩‍👩‍👧 🏴‍☠️ \u202eabc\u202c", "مرحبا بالعالم", "a\r\nb\rc"])
async def test_odd_but_honest_text_is_kept_exactly(stage: Stage, text: str) -> None:
    await stage.say(text)
    assert (await stage.turns())[1].text == text.replace("\r\n", "\n").replace("\r", "\n")


async def test_words_that_cannot_fit_are_refused_with_sizes(stage: Stage) -> None:
    head = stage.engine.store.head
    with pytest.raises(DoesNotFit, match=r"\d"):
        await stage.engine.take_turn(stage.first, "漢字" * 15_000)
    assert stage.engine.store.head == head


async def test_a_draft_is_gone_once_its_turn_is_stored(stage: Stage) -> None:
    await stage.engine.save_composer_draft(stage.first, "half a thou")
    await stage.engine.save_composer_draft(stage.second, "another")
    await stage.say("half a thought")
    async with stage.engine.store.reading() as reader:
        assert await views.draft(reader, f"composer:{stage.first}") is None
        assert await views.draft(reader, f"composer:{stage.second}") == "another"


async def test_the_manifest_of_a_reply_says_what_its_prompt_held(stage: Stage) -> None:
    reply_id = await stage.say("hello")
    async with stage.engine.store.reading() as reader:
        turn = await views.turn(reader, reply_id)
        assert turn
        assert turn.started_event_id
        started = await views.event(reader, turn.started_event_id)
    assert started
    manifest = started.data.manifest  # type: ignore[attr-defined]
    assert manifest["total_tokens"] > 0
    assert any(section["tier"] == "must" for section in manifest["sections"])


async def test_every_call_of_a_model_is_in_the_ledger(stage: Stage) -> None:
    reply_id = await stage.say("hello")
    async with stage.engine.store.reading() as reader:
        calls = [call for call in await views.calls(reader, turn_id=reply_id) if call.purpose == "narrate"]
    assert [(call.purpose, call.status, call.model_asked) for call in calls] == [
        ("narrate", "ok", "peer-model")
    ]


async def test_a_whisper_by_first_name_reaches_the_one_who_bears_it(stage: Stage, peer: Peer) -> None:
    library = stage.engine.store.library
    chat = replace(library.chats[stage.first], bot_ids=(stage.mira, stage.tomas))
    (whisper,) = segments_of(stage.engine, chat, "/whisper Tomas the tide turns at nine")
    assert whisper.to == (stage.tomas,)
    await stage.say("/whisper Mira the tide turns at nine")
    assert "the tide turns at nine" in asked(peer).text
