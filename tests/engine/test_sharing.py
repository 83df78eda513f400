"""What the question about a reply shares with the prompt of the reply, so that a server reads little of it anew."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from chat.app import running_engine
from chat.clock import Clock
from chat.engine.authoring import BotFields, YouFields
from chat.prompts.digest import MARK
from chat.settings import load_settings
from tests.engine.conftest import Stage, begin
from tests.engine.test_digest import DIGEST
from tests.support.peer import Peer, Received


def narrated_and_digested(peer: Peer) -> tuple[Received, Received]:
    posted = [one for one in peer.requests if one.method == "POST"]
    return (
        [one for one in posted if not one.schema_name][-1],
        [one for one in posted if one.schema_name == DIGEST][-1],
    )


async def test_the_question_goes_on_from_the_very_messages_of_the_reply(stage: Stage, peer: Peer) -> None:
    for words in ('"I brought oil."', f'"{MARK} Nothing, {MARK.lower()}"'):
        await stage.say(words)
        await stage.digested()
        narrated, digested = (one.body["messages"] for one in narrated_and_digested(peer))
        assert digested[: len(narrated)] == narrated
        reply, question = digested[len(narrated) :]
        assert reply == {"role": "assistant", "content": '*nods* "Mm-hm."'}
        assert question["content"].startswith(f"{MARK}\n")
        assert [MARK in one["content"] for one in narrated] == [True] + [False] * (len(narrated) - 1)
        assert len(question["content"]) < len(MARK) + 250, "the task itself is not told again"


async def test_the_next_prompt_begins_as_the_one_before(stage: Stage, peer: Peer) -> None:
    prompts = []
    for words in ('"I brought oil."', '"And bread."', '"And time."'):
        await stage.say(words)
        await stage.digested()
        prompts.append(narrated_and_digested(peer)[0].body["messages"])
    for before, after in pairwise(prompts):
        assert after[: len(before) - 1] == before[:-1]


async def test_another_model_that_reads_is_told_everything_and_the_one_that_writes_nothing_of_it(
    tmp_path: Path, peer: Peer
) -> None:
    connection = {"base_url": peer.base_url, "narrative_model": "writer", "classifier_model": "reader"}
    async with running_engine(
        load_settings(data_dir=tmp_path / "data", connection=connection), Clock()
    ) as engine:
        you = await engine.author_you(None, YouFields(name="Alex"))
        mira = await engine.author_bot(None, BotFields(name="Mira", persona="keeps the lighthouse"))
        chat_id = await begin(engine, mira, you)
        stage = Stage(engine, you, mira, "", chat_id, "")
        await stage.say('"I brought oil."')
        await stage.digested()
        narrated, digested = narrated_and_digested(peer)
        assert (narrated.body["model"], digested.body["model"]) == ("writer", "reader")
        assert MARK not in narrated.text
        assert MARK not in digested.text
        assert [one["role"] for one in digested.body["messages"]] == ["system", "user"]
        assert '[1] Alex: "I brought oil."' in digested.text


async def test_a_recalled_memory_is_as_long_as_the_settings_say(tmp_path: Path, peer: Peer) -> None:
    long, short = [await recalled(tmp_path / str(tokens), peer, tokens) for tokens in (120, 16)]
    assert len(short) < 120 < len(long)


async def recalled(folder: Path, peer: Peer, tokens: int) -> str:
    """The one memory told in a second chat, of a first one where much was said."""
    connection: dict[str, Any] = {"base_url": peer.base_url, "narrative_model": "peer-model"}
    budget = {"memory_tokens": tokens, "memories_tokens": tokens}
    settings = load_settings(data_dir=folder, connection=connection, budget=budget)
    async with running_engine(settings, Clock()) as engine:
        you = await engine.author_you(None, YouFields(name="Alex"))
        mira = await engine.author_bot(None, BotFields(name="Mira", persona="keeps the lighthouse"))
        first, second = await begin(engine, mira, you), await begin(engine, mira, you)
        stage = Stage(engine, you, mira, "", first, second)
        await stage.say("The ruby lies under the third stair, " + "and the stair is old and worn, " * 12)
        await stage.say('"Which stair hid the ruby?"', second)
        prompt = narrated_and_digested(peer)[0].text
    return prompt.split("<memories>\n")[1].split("\n</memories>")[0]
