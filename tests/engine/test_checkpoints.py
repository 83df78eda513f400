"""Named moments: they stay whatever is rewound, on whatever branch they lie, and coming back to one can be undone."""

from __future__ import annotations

import threading

import pytest

from chat.errors import BlankText, NotFound, Refused, TextTooLong, TurnRunning
from chat.store import actions
from tests.engine.conftest import Stage
from tests.engine.test_edits import edit
from tests.engine.test_timeline import tell, texts
from tests.support.peer import Peer
from tests.support.peer_acts import Reply


def named(stage: Stage) -> list[str]:
    known = stage.engine.store.library.checkpoints.values()
    return [one.name for one in known if one.chat_id == stage.first]


async def test_a_moment_that_was_rewound_past_is_come_back_to_and_left_again(
    stage: Stage, peer: Peer
) -> None:
    first, second = await tell(stage, peer, ("one", "uno"), ("two", "due"))
    await edit(stage, "weather", "", weather="hail")
    storm = await stage.engine.name_turn(stage.first, "", "  Before\n the storm ")
    await stage.engine.rewind(stage.first, first)
    assert named(stage) == ["Before the storm"]
    await tell(stage, peer, ("three", "tre"))
    moved = await stage.engine.come_back(stage.first, storm)
    assert moved.what == "the return to a checkpoint"
    assert await texts(stage) == ["one", "uno", "two", "due"]
    assert (await stage.world()).state.weather == "hail"
    with pytest.raises(Refused):
        await stage.engine.come_back(stage.first, storm)
    await stage.engine.undo(stage.first)
    assert await texts(stage) == ["one", "uno", "three", "tre"]
    await stage.engine.redo(stage.first)
    assert (await stage.world()).state.weather == "hail"
    at_turn = await stage.engine.name_turn(stage.first, second, "Due")
    await stage.engine.come_back(stage.first, at_turn)
    assert (await texts(stage), (await stage.world()).state.weather) == (["one", "uno", "two", "due"], "")


async def test_a_name_is_given_once_to_a_moment_and_again_to_another(stage: Stage, peer: Peer) -> None:
    first, second = await tell(stage, peer, ("one", "uno"), ("two", "due"))
    storm = await stage.engine.name_turn(stage.first, "", "The storm")
    assert await stage.engine.name_turn(stage.first, second, " The  storm") == storm
    assert await stage.engine.name_turn(stage.first, first, "The storm") != storm
    assert await stage.engine.name_turn(stage.first, "", "The calm") != storm
    assert named(stage) == ["The storm", "The storm", "The calm"]


async def test_any_moment_of_any_branch_can_be_named_and_stood_at(stage: Stage, peer: Peer) -> None:
    first, second, _ = await tell(stage, peer, ("one", "uno"), ("two", "due"), ("three", "tre"))
    left = stage.engine.store.library.chats[stage.first].branch_id
    await stage.engine.rewind(stage.first, first)
    there = (await stage.turn(second)).step
    await stage.engine.go_to(stage.first, left, there)
    assert await texts(stage) == ["one", "uno", "two", "due"]
    assert stage.engine.store.library.chats[stage.first].branch_id != left
    last = await stage.engine.name_moment(stage.first, left, 10**6, "The end")
    await stage.engine.come_back(stage.first, last)
    assert stage.engine.store.library.chats[stage.first].branch_id == left
    assert (await texts(stage))[-1] == "tre"


async def test_a_fork_that_was_gone_on_from_is_not_taken_for_an_unused_one_however_long_ago(
    stage: Stage, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "STEPS_READ", 4)
    first, _ = await tell(stage, peer, ("one", "uno"), ("two", "due"))
    main = stage.engine.store.library.chats[stage.first].branch_id
    await stage.engine.rewind(stage.first, first)
    await edit(stage, "weather", "", weather="hail")
    await stage.engine.select_branch(stage.first, main)
    await tell(stage, peer, ("three", "tre"), ("four", "quattro"))
    await stage.engine.rewind(stage.first, first)
    assert (await texts(stage), (await stage.world()).state.weather) == (["one", "uno"], "")


async def test_names_are_changed_and_taken_away_and_refused(stage: Stage, peer: Peer) -> None:
    await tell(stage, peer, ("one", "uno"))
    kept = await stage.engine.name_turn(stage.first, "", "Here")
    await stage.engine.rename_checkpoint(stage.first, kept, "There")
    assert named(stage) == ["There"]
    for name, refusal in (("  ", BlankText), ("x" * 81, TextTooLong), ("a\x00b", Refused)):
        with pytest.raises(refusal):
            await stage.engine.name_turn(stage.first, "", name)
        with pytest.raises(refusal):
            await stage.engine.rename_checkpoint(stage.first, kept, name)
    assert named(stage) == ["There"]
    await stage.engine.remove_checkpoint(stage.first, kept)
    assert named(stage) == []
    with pytest.raises(NotFound):
        await stage.engine.come_back(stage.first, kept)


async def test_what_belongs_to_another_chat_is_not_here(stage: Stage, peer: Peer) -> None:
    (reply_id,) = await tell(stage, peer, ("one", "uno"))
    mine = await stage.engine.name_turn(stage.first, reply_id, "Here")
    branch = stage.engine.store.library.chats[stage.first].branch_id
    for foreign in (
        stage.engine.name_turn(stage.second, reply_id, "x"),
        stage.engine.name_moment(stage.second, branch, 1, "x"),
        stage.engine.rename_checkpoint(stage.second, mine, "x"),
        stage.engine.remove_checkpoint(stage.second, mine),
        stage.engine.come_back(stage.second, mine),
        stage.engine.go_to(stage.second, branch, 1),
    ):
        with pytest.raises(NotFound):
            await foreign
    assert named(stage) == ["Here"]


async def test_nobody_leaves_while_a_reply_is_written_but_the_moment_can_be_named(
    stage: Stage, peer: Peer
) -> None:
    await tell(stage, peer, ("one", "uno"))
    kept = await stage.engine.name_turn(stage.first, "", "Here")
    rest = threading.Event()
    peer.script(Reply("slow slow slow slow", rest=rest))
    await stage.engine.take_turn(stage.first, "two")
    with pytest.raises(TurnRunning):
        await stage.engine.come_back(stage.first, kept)
    rest.set()
    await stage.settled(stage.first)
    await stage.engine.come_back(stage.first, kept)
    assert await texts(stage) == ["one", "uno"]
