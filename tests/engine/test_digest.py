"""What a reply changed: applied piece by piece, nothing a bot did not witness, and never in the way of the story."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from chat.app import running_engine
from chat.clock import Clock
from chat.domain import digest as digests
from chat.domain.events import DigestFinished
from chat.domain.memories import Memory
from chat.settings.schema import Settings
from chat.store import quarantine, views
from tests.engine.conftest import Stage, asked, begin
from tests.support.peer import Peer
from tests.support.peer_acts import Act, Answer, Reply, Silence, Status

DIGEST = "DigestAnswer"
WARM = {
    "feelings": [
        {
            "source": "Mira",
            "target": "Alex",
            "affinity": 5,
            "trust": 2,
            "reason": "he brought oil",
            "cites": [1],
        }
    ],
    "facts": [{"owner": "Mira", "about": "Alex", "text": "Alex once sailed with her brother.", "cites": [1]}],
    "activities": [
        {
            "who": "Mira",
            "posture": "standing",
            "action": "filling the lamp",
            "holding": ["oil can"],
            "cites": [2],
        }
    ],
    "minutes": 12,
    "minutes_cites": [1, 2],
    "weather": "clearing",
    "weather_cites": [1],
    "significance": 2,
}


async def digest_of(stage: Stage, peer: Peer, answer: Act, text: str = '"I brought oil."') -> str:
    peer.script(answer, on=DIGEST)
    reply_id = await stage.say(text)
    await stage.digested()
    return reply_id


async def memories(stage: Stage, owner: str | None = None) -> list[Memory]:
    async with stage.engine.store.reading() as reader:
        return await views.memories_of(reader, owner or stage.mira, "main")


async def test_a_good_answer_moves_everything_it_names(stage: Stage, peer: Peer) -> None:
    reply_id = await digest_of(stage, peer, Answer(WARM))
    world = await stage.world()
    edge = world.edge(stage.mira, stage.you)
    assert (edge.affinity, edge.trust, edge.last_reason, edge.last_turn_id) == (
        55,
        52,
        "he brought oil",
        reply_id,
    )
    assert edge.facts == ("Alex once sailed with her brother.",)
    assert world.activities[stage.mira].action == "filling the lamp"
    assert world.activities[stage.mira].holding == ("oil can",)
    assert world.state.clock_at == "2026-11-20T19:12:00Z"
    assert world.state.weather == "clearing"
    latest = (await memories(stage))[0]
    assert (latest.significance, latest.keys) == (2, ("Alex once sailed with her brother.",))
    assert (await stage.turn(reply_id)).digest_outcome == "ok"


async def test_the_other_chat_and_the_other_direction_stay_as_they_were(stage: Stage, peer: Peer) -> None:
    await digest_of(stage, peer, Answer(WARM))
    assert (await stage.world()).edge(stage.you, stage.mira).affinity == 50
    assert (await stage.world(stage.second)).edge(stage.mira, stage.you).affinity == 50
    assert (await stage.world(stage.second)).state.clock_at == "2026-11-20T19:00:00Z"


@pytest.mark.parametrize(
    "item",
    [
        {"source": "Tomas Reed", "target": "Alex", "affinity": 5, "cites": [1]},
        {"source": "Mira", "target": "Tomas Reed", "affinity": 5, "cites": [1]},
        {"source": "Mira", "target": "Alex", "affinity": 5, "cites": []},
        {"source": "Mira", "target": "Alex", "affinity": 5, "cites": [99]},
        {"source": "Mira", "target": "Mira", "affinity": 5, "cites": [1]},
        {"source": "*", "target": "Alex", "affinity": 5, "cites": [1]},
    ],
)
async def test_what_nobody_there_could_know_is_dropped(
    stage: Stage, peer: Peer, item: dict[str, Any]
) -> None:
    await digest_of(stage, peer, Answer({"feelings": [item]}))
    world = await stage.world()
    assert all(edge.affinity == 50 for edge in world.edges.values())


async def test_a_hostile_answer_moves_nothing_far(stage: Stage, peer: Peer) -> None:
    many = [{"source": "Mira", "target": "Alex", "affinity": 10**9, "trust": -(10**9), "cites": [1]}] * 10_000
    facts = [{"owner": "Mira", "about": "Alex", "text": "x" * 900, "cites": [1]}] * 300
    await digest_of(
        stage, peer, Answer({"feelings": many, "facts": facts, "significance": 10**9, "minutes": 10**12})
    )
    world = await stage.world()
    edge = world.edge(stage.mira, stage.you)
    assert (edge.affinity, edge.trust) in ((60, 40), (50, 50))
    assert all(len(fact) <= 240 for fact in edge.facts)
    assert len(edge.facts) <= 40
    assert (await memories(stage))[0].significance <= 3


async def test_a_bad_part_is_dropped_and_the_good_ones_count(stage: Stage, peer: Peer) -> None:
    broken = {**WARM, "feelings": [{"target": 7}, *WARM["feelings"]], "minutes": "a while"}  # type: ignore[misc]
    await digest_of(stage, peer, Answer(broken))
    world = await stage.world()
    assert world.edge(stage.mira, stage.you).affinity == 55
    assert world.state.clock_at == "2026-11-20T19:00:00Z"


async def test_an_answer_that_is_cut_off_counts_as_far_as_it_came(stage: Stage, peer: Peer) -> None:
    whole = json.dumps(WARM)
    cut = whole[: whole.index("filling the lamp")]
    reply_id = await digest_of(stage, peer, Answer(cut, finish="length"))
    world = await stage.world()
    assert world.edge(stage.mira, stage.you).affinity == 55
    assert world.edge(stage.mira, stage.you).facts == ("Alex once sailed with her brother.",)
    assert (world.state.clock_at, world.state.weather) == ("2026-11-20T19:00:00Z", "")
    cases = quarantine.cases(stage.engine.settings.quarantine_dir)
    assert [(one.turn_id, one.raw_text) for one in cases] == [(reply_id, cut)]
    assert (await stage.turn(reply_id)).digest_outcome == "partial"


async def test_what_did_not_change_is_no_event(stage: Stage, peer: Peer) -> None:
    still = {**WARM["feelings"][0], "affinity": 0, "trust": 0}  # type: ignore[index]
    kinds: list[str] = []
    stage.engine.store.on_commit(lambda commit: kinds.extend(event.kind for event in commit.events))
    await digest_of(stage, peer, Answer({"feelings": [still], "minutes": 0, "minutes_cites": [1]}))
    assert "digest_finished" in kinds
    assert not {"edge_update", "clock_advanced", "weather_changed"} & set(kinds)


async def test_a_reply_of_twenty_thousand_words_is_remembered_and_asked_about(
    stage: Stage, peer: Peer
) -> None:
    words = " ".join(f"wave{number}" for number in range(20_000))
    peer.script(Reply(f'"{words}"'))
    await digest_of(stage, peer, Answer(WARM), '"Count the waves."')
    for number in range(2):
        await digest_of(stage, peer, Answer({}), f'"What came after wave{number}?"')
    turns = await stage.turns()
    assert words in turns[-5].text
    assert [turn.stop_reason for turn in turns if turn.role == "assistant"][-3:] == ["complete"] * 3


PROSE = Reply("I'd say they are getting along splendidly!")
REFUSAL = Reply("I'm sorry, but I can't help with getting along splendidly.")


@pytest.mark.parametrize("said", [PROSE, REFUSAL], ids=["prose", "refusal"])
async def test_prose_instead_of_an_answer_is_quarantined_and_the_story_goes_on(
    stage: Stage, peer: Peer, said: Reply
) -> None:
    peer.script(*[said] * 8, on=DIGEST)
    reply_id = await stage.say('"Hello."')
    await stage.digested()
    cases = quarantine.cases(stage.engine.settings.quarantine_dir)
    assert cases
    assert {case.turn_id for case in cases} == {reply_id}
    assert "getting along splendidly" in cases[0].raw_text
    assert (await stage.world()).edge(stage.mira, stage.you).affinity == 50
    assert (await stage.turn(reply_id)).digest_outcome == "failed"
    await stage.say('"Still here?"')


async def test_a_failed_digest_can_be_asked_for_again(stage: Stage, peer: Peer) -> None:
    peer.script(Status(500), Status(500), on=DIGEST)
    reply_id = await stage.say('"I brought oil."')
    await stage.digested()
    peer._scripts.clear()
    peer.script(Answer(WARM), on=DIGEST)
    await stage.engine.digest_again(stage.first, reply_id)
    await stage.digested()
    assert (await stage.world()).edge(stage.mira, stage.you).affinity == 55


async def test_an_answer_the_program_stumbles_over_is_told_and_can_be_asked_for_again(
    stage: Stage, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one chat; the digest of the other, after it, is applied as ever."""

    def stumbles(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(digests, "apply", stumbles)
        reply_id = await stage.say('"Good evening."')
        await stage.digested()
    assert (await stage.turn(reply_id)).digest_outcome == "failed"
    other = await stage.say('"Good evening."', stage.second)
    await stage.digested(stage.second)
    await stage.engine.digest_again(stage.first, reply_id)
    await stage.digested()
    assert [(await stage.turn(one)).digest_outcome for one in (reply_id, other)] == ["ok", "ok"]


async def test_a_digest_is_never_applied_twice(stage: Stage, peer: Peer) -> None:
    reply_id = await digest_of(stage, peer, Answer(WARM))
    peer.script(Answer(WARM), on=DIGEST)
    stage.engine.digests.start(stage.engine, stage.first, reply_id)
    await stage.digested()
    assert (await stage.world()).edge(stage.mira, stage.you).affinity == 55


async def test_a_slow_classifier_does_not_hold_up_the_next_turn_and_lands_late(
    stage: Stage, peer: Peer
) -> None:
    stage.limits(digest_wait_s=0.05)
    peer.script(Slow(WARM), on=DIGEST)
    first = await stage.say('"I brought oil."')
    await stage.say('"And bread."')
    await stage.digested()
    world = await stage.world()
    assert world.edge(stage.mira, stage.you).affinity == 55
    assert world.edge(stage.mira, stage.you).last_turn_id == first
    assert world.state.clock_at == "2026-11-20T19:00:00Z", "a late digest must not move the present"
    assert world.activities[stage.mira].action == ""


class Slow:
    """The answer, after the next turn has begun and ended."""

    def __init__(self, value: Any) -> None:
        self._value = value

    async def play(self, connection: Any) -> None:
        await asyncio.sleep(0.8)
        await Answer(self._value).play(connection)


async def test_a_retried_reply_takes_its_digest_with_it(stage: Stage, peer: Peer) -> None:
    reply_id = await digest_of(stage, peer, Answer(WARM))
    await stage.engine.retry(stage.first, reply_id)
    await stage.settled(stage.first)
    await stage.digested()
    world = await stage.world()
    assert world.edge(stage.mira, stage.you).affinity == 50
    assert world.state.weather == ""
    assert "sailed with her brother" not in asked(peer).text


async def test_pivotal_memories_pin_themselves_and_push_out_the_oldest(stage: Stage, peer: Peer) -> None:
    for number in range(10):
        await digest_of(stage, peer, Answer({"significance": 3}), f'"Moment {number}."')
    pinned = sorted((one for one in await memories(stage) if one.pinned), key=lambda one: one.event_id)
    assert [f"Moment {number}." in one.text for number, one in zip(range(2, 10), pinned, strict=True)] == [
        True
    ] * 8


async def test_whispers_and_asides_move_only_who_heard_them(stage: Stage, peer: Peer) -> None:
    told = {"feelings": [{"source": "Mira", "target": "Alex", "affinity": -9, "cites": [2]}]}
    await digest_of(
        stage, peer, Answer(told), '"Fine day."\n/think she must never learn of the ruby ((aside))'
    )
    asked = next(body for body in reversed(peer.bodies()) if body.get("response_format"))
    text = "\n".join(message["content"] for message in asked["messages"])
    assert "ruby" not in text
    assert "aside" not in text


async def test_an_aside_in_a_reply_is_not_told_to_the_model_that_takes_notes(
    stage: Stage, peer: Peer
) -> None:
    peer.script(Reply('*nods* "Aye." ((is this too short?))'))
    await digest_of(stage, peer, Answer({}))
    asked = next(one for one in reversed(peer.requests) if one.schema_name == DIGEST)
    assert asked.body["messages"][-2] == {"role": "assistant", "content": '*nods* "Aye."'}
    assert "too short" not in asked.text


async def test_what_was_whispered_to_somebody_else_is_not_seen_in_what_people_do(
    stage: Stage, peer: Peer
) -> None:
    doings = [
        {"who": who, "action": "eyeing the third stair", "holding": ["ruby"], "cites": [2]}
        for who in ("Alex", "Mira")
    ]
    way_on = {"ended": True, "why": "left_place", "next_place": "the third stair", "cites": [2]}
    text = '"Fine day."\n/whisper Tomas the ruby lies under the third stair'
    before = (await stage.world()).scene
    await digest_of(stage, peer, Answer({"activities": doings, "scene": way_on}), text)
    world = await stage.world()
    assert [activity.action for activity in world.activities.values()] == ["", ""]
    assert world.scene == before
    await stage.say('"Shall we?"')
    prompt = next(one for one in reversed(peer.requests) if not one.schema_name).text
    assert "stair" not in prompt
    assert "ruby" not in prompt


@pytest.mark.parametrize("cites", [[], [0], [4], [99], [1, 99], [-1]])
async def test_time_and_weather_that_no_line_of_the_exchange_tells_of_do_not_change(
    stage: Stage, peer: Peer, cites: list[int]
) -> None:
    sky = {"minutes": 12, "minutes_cites": cites, "weather": "hail", "weather_cites": cites}
    reply_id = await digest_of(stage, peer, Answer({**WARM, **sky}))
    world = await stage.world()
    assert (world.state.clock_at, world.state.weather) == ("2026-11-20T19:00:00Z", "")
    assert world.edge(stage.mira, stage.you).affinity == 55, "the other parts of the answer count"
    assert await dropped_of(stage, reply_id) == (
        "the time that passed: it cites nothing that was said or done",
        "the weather: it cites nothing that was said or done",
    )


async def test_an_answer_from_before_time_and_weather_were_cited_still_counts_in_its_other_parts(
    stage: Stage, peer: Peer
) -> None:
    old = {name: value for name, value in WARM.items() if not name.endswith("_cites")}
    await digest_of(stage, peer, Answer(old))
    world = await stage.world()
    assert (world.state.clock_at, world.state.weather) == ("2026-11-20T19:00:00Z", "")
    assert world.edge(stage.mira, stage.you).affinity == 55
    assert world.activities[stage.mira].action == "filling the lamp"


async def test_weather_that_was_whispered_to_somebody_else_is_not_everybodys(
    stage: Stage, peer: Peer
) -> None:
    text = '"Fine day."\n/whisper Tomas there will be ruby hail'
    reply_id = await digest_of(
        stage,
        peer,
        Answer({"weather": "ruby hail", "weather_cites": [2], "minutes": 4, "minutes_cites": [2]}),
        text,
    )
    world = await stage.world()
    assert (world.state.clock_at, world.state.weather) == ("2026-11-20T19:04:00Z", "")
    assert await dropped_of(stage, reply_id) == ("the weather: not everybody there witnessed what it cites",)


async def dropped_of(stage: Stage, reply_id: str) -> tuple[str, ...]:
    async with stage.engine.store.reading() as reader:
        told = await views.events(reader, 0, 1000, f"chat:{stage.first}")
    finished = [one.data for one in told if isinstance(one.data, DigestFinished)]
    return next(one.dropped for one in finished if one.turn_id == reply_id)


async def test_a_digest_left_undone_by_a_stop_is_done_at_the_next_start(
    settings: Settings, peer: Peer
) -> None:
    peer.script(Silence(), on=DIGEST)
    async with running_engine(settings, Clock()) as engine:
        you = engine.store.library.default_person()
        assert you
        bot_id = next(iter(engine.store.library.bots))
        chat_id = await begin(engine, bot_id, you.id)
        accepted = await engine.take_turn(chat_id, '"I brought oil."')
        run = engine.runs.get(chat_id)
        assert run
        assert run.task
        await run.task
        while len(peer.bodies()) < 2:  # one that was never asked would leave its silence to the next
            await asyncio.sleep(0.01)
    answer = {"feelings": [{"source": "Mira Vale", "target": "You", "affinity": 5, "cites": [1]}]}
    peer.script(Answer(answer), on=DIGEST)
    async with running_engine(settings, Clock()) as engine:
        assert await engine.digests.wait(chat_id, 20)
        async with engine.store.reading() as reader:
            world = await views.world(reader, chat_id)
            turn = await views.turn(reader, accepted.reply_id or "")
        assert world.edge(bot_id, you.id).affinity == 55
        assert turn
        assert turn.digest_outcome == "ok"


async def test_every_call_of_a_turn_is_counted_two_at_most(stage: Stage, peer: Peer) -> None:
    before = len(peer.bodies())
    await digest_of(stage, peer, Answer(WARM))
    assert len(peer.bodies()) - before == 2
