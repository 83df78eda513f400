"""What a server's list says a model reads at once: less makes prompts shorter, more is room for a long text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chat.app import running_engine
from chat.clock import Clock
from chat.engine.authoring import BotFields, YouFields
from chat.errors import DoesNotFit
from chat.llm.tokens import count_messages
from chat.settings import ConnectionUpdate, load_settings
from tests.engine.conftest import Stage, answer, asked, begin
from tests.support.peer import Peer
from tests.support.peer_acts import Reply, Status, json_body

LONG = "It is on me, so I do it. " * 1200  # 30,000 characters
REPLY_TOKENS = 400


def listing(context: int, reader: int | None = None) -> list[dict[str, object]]:
    return [
        {"id": "peer-model", "context_length": context},
        {"id": "reader", "context_length": reader or context},
    ]


@asynccontextmanager
async def opened(peer: Peer, folder: Path, reader: str = "", **budget: int) -> AsyncIterator[Stage]:
    file = folder / "config.toml"
    if not file.exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        models = f'narrative_model = "peer-model"\nclassifier_model = "{reader}"\n'
        file.write_text(f'[connection]\nbase_url = "{peer.base_url}"\n{models}')
    settings = load_settings(data_dir=folder, budget=budget)
    async with running_engine(settings, Clock()) as engine:
        shelves = engine.store.library
        if len(shelves.chats) < 2:
            you = await engine.author_you(None, YouFields(name="Alex"))
            mira = await engine.author_bot(None, BotFields(name="Mira", persona="keeps the lighthouse"))
            first, second = await begin(engine, mira, you), await begin(engine, mira, you)
        else:
            first, second = list(shelves.chats)[:2]
            mira, you = shelves.chats[first].bot_ids[0], shelves.chats[first].you_id
        yield Stage(engine, you, mira, mira, first, second)


def size(peer: Peer) -> int:
    return count_messages(asked(peer).body["messages"])


def lists_asked(peer: Peer) -> int:
    return sum(one.method == "GET" for one in peer.requests)


async def test_a_model_that_reads_little_is_never_asked_for_more(tmp_path: Path) -> None:
    with Peer(default=answer, models=listing(4096)) as peer:
        async with opened(peer, tmp_path) as stage:
            await stage.engine.models()
            sizes = []
            for number in range(14):
                peer.script(Reply(f"{number}: " + "rain falls on the roof of the house " * 40))
                await stage.say(f"{number}. " + "waves beat on the rocks below " * 20)
                await stage.digested()
                sizes.append(size(peer))
            questions = [one for one in peer.requests if one.schema_name]
        assert 2000 < max(sizes) <= 4096 * 7 // 8 - REPLY_TOKENS
        assert len(questions) == 14
        assert max(count_messages(one.body["messages"]) for one in questions) < 4096 - 700


async def test_a_model_that_reads_much_takes_a_long_turn_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    """And the beginning of what is sent stays the same until that turn is one of the old ones."""
    with Peer(default=answer, models=listing(131_072)) as peer:
        async with opened(peer, tmp_path) as stage:
            with pytest.raises(DoesNotFit):
                await stage.say(LONG)
            await stage.engine.test_connection()
            lists = lists_asked(peer)
            sent, sizes = [], []
            for number in range(10):
                await stage.say(f"{number}. What is it?" if number != 4 else LONG)
                sent.append(asked(peer).body["messages"])
                sizes.append(size(peer))
            assert lists_asked(peer) == lists, "no turn asks for the list"
            await stage.say("And here?", stage.second)
        assert LONG.strip() in sent[4][-1]["content"]
        assert "0. What is it?" in str(sent[4])
        assert [n for n in range(1, 10) if sent[n][: len(sent[n - 1]) - 1] != sent[n - 1][:-1]] == [8]
        assert sizes[4] > 8000
        assert max(sizes[8:]) < 2000, "it left the prompt with the exchanges before it"
        assert LONG[:500] not in asked(peer).text


async def test_a_story_that_fits_the_default_costs_the_same_whatever_the_model_reads(tmp_path: Path) -> None:
    async def told(context: int) -> list[str]:
        with Peer(default=answer, models=listing(context)) as peer:
            async with opened(peer, tmp_path / str(context)) as stage:
                await stage.engine.models()
                for number in range(24):
                    peer.script(Reply(f"{number}: " + "rain falls on the roof of the house " * 40))
                    await stage.say(f"{number}. " + "waves beat on the rocks below " * 10)
                    await stage.digested()
            return [one.text for one in peer.requests if one.method == "POST" and not one.schema_name]

    small, large = await told(16_384), await told(131_072)
    assert small == large
    assert "Earlier turns are left out" in large[-1]


async def test_what_was_listed_is_known_after_a_restart_and_only_for_its_own_server(tmp_path: Path) -> None:
    with Peer(default=answer, models=listing(131_072)) as peer, Peer(default=answer) as other:
        async with opened(peer, tmp_path) as stage:
            await stage.engine.models()
        peer.requests.clear()
        async with opened(peer, tmp_path) as stage:
            await stage.say(LONG)
            assert lists_asked(peer) == 0
            update = ConnectionUpdate(base_url=other.base_url, narrative_model="peer-model", forget_key=True)
            await stage.engine.update_connection(update)
            with pytest.raises(DoesNotFit):
                await stage.say(LONG, stage.second)


async def test_a_model_chosen_after_its_list_was_read_is_known_after_a_restart(tmp_path: Path) -> None:
    models = [{"id": "peer-model"}, {"id": "larger", "context_length": 131_072}]
    with Peer(default=answer, models=models) as peer:
        async with opened(peer, tmp_path) as stage:
            await stage.engine.models()
            await stage.engine.update_connection(ConnectionUpdate(narrative_model="larger"))
        async with opened(peer, tmp_path) as stage:
            assert stage.engine.narrative_model() == "larger"
            await stage.say(LONG)


async def test_a_budget_somebody_chose_is_never_raised_and_still_lowered(tmp_path: Path) -> None:
    with Peer(default=answer, models=listing(131_072)) as peer:
        chosen = {"narrative_hard_tokens": 7000, "narrative_soft_tokens": 5000}
        async with opened(peer, tmp_path / "less", **chosen) as stage:
            await stage.engine.models()
            with pytest.raises(DoesNotFit):
                await stage.say(LONG)
    with Peer(default=answer, models=listing(4096)) as peer:
        async with opened(peer, tmp_path / "more", narrative_hard_tokens=200_000) as stage:
            await stage.engine.models()
            with pytest.raises(DoesNotFit):
                await stage.say(LONG)


async def test_a_list_that_says_too_much_is_corrected_by_the_first_refusal(tmp_path: Path) -> None:
    """And a list that says something new is believed again."""
    refusal = {"error": {"code": "context_length_exceeded", "message": "too long"}}
    with Peer(default=answer, models=listing(131_072)) as peer:
        async with opened(peer, tmp_path) as stage:
            await stage.engine.models()
            peer.script(Status(400, refusal))
            await stage.say(LONG)
            assert (await stage.turns())[-1].error_code == "context_too_long"
            with pytest.raises(DoesNotFit):
                await stage.say(LONG, stage.second)
            peer.script(json_body({"data": listing(65_536)}), on="/v1/models")
            await stage.engine.models()
            await stage.say(LONG, stage.second)
            assert LONG.strip() in asked(peer).text


async def test_a_long_exchange_is_looked_at_whole_where_the_other_model_reads_more(tmp_path: Path) -> None:
    lines = "\n\n".join(f'*walks on* "Step {n}: {"on and on we went over the hill " * 8}"' for n in range(80))
    for reader, is_whole in ((131_072, True), (4096, False)):
        with Peer(default=answer, models=listing(131_072, reader)) as peer:
            async with opened(peer, tmp_path / str(reader), reader="reader") as stage:
                await stage.engine.models()
                await stage.say(lines)
                await stage.digested()
            question = next(one for one in peer.requests if one.schema_name)
        assert ("Step 40:" in question.text) == is_whole
        assert "Step 1:" in question.text
        assert is_whole or count_messages(question.body["messages"]) < 4096 - 700
