"""What has left the prompt is told by what the bot kept of its scenes: in order, once, never another chat's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chat.app import running_engine
from chat.clock import Clock
from chat.domain.events import AssistantTurnStarted
from chat.domain.scenes import NextPlace
from chat.engine.authoring import BotFields, YouFields
from chat.engine.context import SCENES_SUMMED_UP
from chat.settings import load_settings
from chat.store import views
from tests.engine.conftest import Stage, answer, asked, begin
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Reply

COLOURS = ("amber", "beryl", "cobalt", "damask", "ebony", "fuchsia", "garnet", "heliotrope")
SHORT = {"narrative_soft_tokens": 1100, "narrative_hard_tokens": 2000}
FEW = {"narrative_soft_tokens": 800, "narrative_hard_tokens": 1300}


@asynccontextmanager
async def opened(peer: Peer, folder: Path, **budget: int) -> AsyncIterator[Stage]:
    """Two chats of one bot, or those that are there already."""
    connection = {"base_url": peer.base_url, "narrative_model": "peer-model"}
    settings = load_settings(data_dir=folder, connection=connection, budget=budget)
    async with running_engine(settings, Clock()) as engine:
        chats, (you, mira) = list(engine.store.library.chats), ("", "")
        if chats:
            chat = engine.store.library.chats[chats[0]]
            you, mira = chat.you_id, chat.bot_ids[0]
        else:
            you = await engine.author_you(None, YouFields(name="Alex"))
            mira = await engine.author_bot(None, BotFields(name="Mira", persona="keeps the lighthouse"))
            chats = [await begin(engine, mira, you), await begin(engine, mira, you)]
        yield Stage(engine, you, mira, mira, *chats)


async def scene(stage: Stage, peer: Peer, chat_id: str, colour: str, thing: str = "lamp") -> None:
    """Two exchanges, and the memory Mira keeps of them."""
    for number in range(2):
        peer.script(Reply(f'*nods* "So it is, {number}." {"Rain falls on the roof. " * 16}'))
        await stage.say(f'"And the {thing}, {number}?" {"Waves beat on the rocks. " * 12}', chat_id)
        await stage.digested(chat_id)
    told = {"memory": f"Alex painted the {thing} {colour}.", "significance": 1}
    peer.script(Answer(told), on="SceneMemoryAnswer")
    await stage.engine.close_scene(chat_id, NextPlace())


def system(peer: Peer) -> str:
    return str(asked(peer).body["messages"][0]["content"])


def told(words: str, thing: str = "lamp") -> list[str]:
    """The colours of the scenes that are told, in the order they are told in."""
    found = [(words.find(f"painted the {thing} {colour}"), colour) for colour in COLOURS]
    return [colour for place, colour in sorted(found) if place >= 0]


async def manifest(stage: Stage, chat_id: str) -> dict[str, Any]:
    """What the record says of the last prompt of a chat."""
    async with stage.engine.store.reading() as reader:
        begun = await views.events_of_kinds(reader, 0, ["assistant_turn_started"])
    last = next(one for one in reversed(begun) if one.stream == f"chat:{chat_id}")
    assert isinstance(last.data, AssistantTurnStarted)
    return last.data.manifest


async def test_scenes_that_left_the_prompt_are_told_in_their_order_and_stay_until_more_leave(
    tmp_path: Path,
) -> None:
    with Peer(default=answer) as peer:
        async with opened(peer, tmp_path, **SHORT) as stage:
            systems, gone = list[str](), list[int]()
            for colour in COLOURS:
                await scene(stage, peer, stage.second, colour, "boat")
                await scene(stage, peer, stage.first, colour)
                systems.append(system(peer))
                gone.append(len((await manifest(stage, stage.first))["turns_left_out"]))
        assert told(systems[0]) == []
        last = told(systems[-1])
        assert len(last) == SCENES_SUMMED_UP
        first = COLOURS.index(last[0])
        assert tuple(last) == COLOURS[first : first + SCENES_SUMMED_UP]
        assert first > 0, "a long story tells the last of them"
        assert "boat" not in systems[-1], "nothing of the other chat"
        for before, after, fewer, more in zip(systems, systems[1:], gone, gone[1:], strict=False):
            assert (told(before) == told(after)) or more > fewer
        assert len(set(gone)) < len(gone), "there are turns between two cuts"
        shown = asked(peer).text.count("And the lamp")
        assert (len(COLOURS) * 2 - shown) // 2 >= COLOURS.index(last[-1]) + 1, (
            "no scene is told beside its turns"
        )


async def test_what_is_told_of_a_scene_is_not_recalled_beside_it(tmp_path: Path) -> None:
    with Peer(default=answer) as peer:
        async with opened(peer, tmp_path, **SHORT) as stage:
            for colour in COLOURS[:5]:
                await scene(stage, peer, stage.first, colour)
            await stage.say('"Which colour did I paint the lamp? Was it amber, beryl or cobalt?"')
            text = asked(peer).text
            uses = (await manifest(stage, stage.first))["memories"]
        summed_up = told(system(peer))
        assert summed_up
        assert all(text.count(f"painted the lamp {colour}") == 1 for colour in summed_up)
        assert len({one["memory_id"] for one in uses}) == len(uses)
        assert sum("sums up a scene" in one["why"] and one["used"] for one in uses) == len(summed_up)


async def test_another_start_tells_the_same_scenes(tmp_path: Path) -> None:
    with Peer(default=answer) as peer:
        async with opened(peer, tmp_path, **SHORT) as stage:
            for colour in COLOURS[:6]:
                await scene(stage, peer, stage.first, colour)
            reply = await stage.say('"And now?"')
        before = told(system(peer))
        async with opened(peer, tmp_path, **SHORT) as stage:
            await stage.engine.retry(stage.first, reply)
            await stage.settled(stage.first)
        assert before
        assert set(told(system(peer))) & set(before)
        assert json.dumps(asked(peer).body).count("painted the lamp amber") <= 1


async def test_what_was_rewound_is_not_told(tmp_path: Path) -> None:
    with Peer(default=answer) as peer:
        async with opened(peer, tmp_path, **SHORT) as stage:
            await stage.say('"Good evening."')
            await stage.digested()
            kept = (await stage.turns())[-1].id
            for colour in COLOURS[:5]:
                await scene(stage, peer, stage.first, colour)
            await stage.say('"And now?"')
            await stage.digested()
            assert told(system(peer))
            await stage.engine.rewind(stage.first, kept)
            await stage.say('"And now?"')
        assert told(asked(peer).text) == []


async def test_where_there_is_no_room_they_go_and_the_record_says_so(tmp_path: Path) -> None:
    with Peer(default=answer) as peer:
        async with opened(peer, tmp_path, **FEW) as stage:
            for colour in COLOURS[:4]:
                await scene(stage, peer, stage.first, colour)
            await stage.say("It is on me, so I do it. " * 55)
            record = await manifest(stage, stage.first)
        uses = [one for one in record["memories"] if "sums up a scene" in one["why"]]
        sections = {one["name"]: one["trimmed"] for one in record["sections"]}
        assert uses
        assert sections["earlier_scenes"], "before the last turns go"
        assert not told(system(peer))
        assert not any(one["used"] for one in uses)
        assert record["total_tokens"] <= record["hard_tokens"]
