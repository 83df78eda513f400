"""What is made ready while the player types is what would be read and searched anyway, and never outlives a change."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chat.app import running_engine
from chat.clock import Clock
from chat.engine.authoring import BotFields, YouFields
from chat.settings import load_settings
from chat.store import views
from tests.engine.conftest import Stage, answer, asked, begin
from tests.support.peer import Peer
from tests.support.peer_acts import Reply

WORDS = (
    '"The lantern stands in the boathouse." ((remember this))',
    '"My sister Ann sold the lantern."',
    '*I whisper.* "Where does the lantern stand?"',
    '"And who sold it, Ann or Eva?"\n/think Eva did.',
)


async def typed(stage: Stage, text: str, chat_id: str | None = None) -> None:
    """As the page does while the player types."""
    await stage.engine.save_composer_draft(chat_id or stage.first, text)
    await stage.engine.anticipation.wait(chat_id or stage.first)


async def test_a_reply_to_words_that_were_seen_coming_needs_no_reading(
    stage: Stage, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.say('"Good evening."')
    await stage.digested()
    await typed(stage, '"Is the lamp lit?"')

    async def read(_: object) -> None:
        raise AssertionError("The store was read.")

    with monkeypatch.context() as patch:
        patch.setattr(stage.engine.store, "read", read)
        await stage.say('"Is the lamp lit?"')
        await stage.digested()
    assert "Is the lamp lit?" in asked(peer).text
    assert (await stage.turns())[-1].stop_reason == "complete"


async def test_other_words_than_the_draft_ask_their_own_question(stage: Stage, peer: Peer) -> None:
    await stage.say('"The lantern is in the boathouse."', stage.second)
    await stage.digested(stage.second)
    await typed(stage, '"Shall we dance?"')
    await stage.say('"Where is the lantern?"')
    assert "boathouse" in asked(peer).text
    assert "dance" not in asked(peer).text


async def test_a_memory_that_changes_after_the_draft_is_told_as_it_is_now(stage: Stage, peer: Peer) -> None:
    await stage.say('"The lantern is in the boathouse."', stage.second)
    await stage.digested(stage.second)
    await typed(stage, '"Where is the lantern?"')
    async with stage.engine.store.reading() as reader:
        memory = (await views.memories_of(reader, stage.mira, "main"))[0]
    changed = {"text": 'You: "The lantern is in the crypt."', "significance": 2}
    await stage.engine.edit(stage.second, "memory", memory.id, changed, memory.revision)
    await stage.say('"Where is the lantern?"')
    assert "crypt" in asked(peer).text
    assert "boathouse" not in asked(peer).text


async def test_what_was_rewound_after_the_draft_is_not_in_the_prompt(stage: Stage, peer: Peer) -> None:
    first = await stage.say('"The password is heron."')
    await stage.digested()
    await stage.say('"Forget it at once."')
    await stage.digested()
    await typed(stage, '"What did I say?"')
    turns = await stage.turns()
    assert first == turns[2].id
    await stage.engine.rewind(stage.first, turns[0].id)
    await stage.say('"What did I say?"')
    assert "heron" not in asked(peer).text


async def test_a_story_typed_and_a_story_posted_ask_the_model_for_the_same(tmp_path: Path) -> None:
    """The same turns in two programs, two chats of one bot in each; only in one of them are drafts kept."""

    async def told(folder: Path, *, is_typed: bool) -> list[str]:
        with Peer(default=answer) as peer:
            connection = {"base_url": peer.base_url, "narrative_model": "peer-model"}
            async with running_engine(
                load_settings(data_dir=folder, connection=connection), Clock()
            ) as engine:
                you = await engine.author_you(None, YouFields(name="Alex"))
                mira = await engine.author_bot(None, BotFields(name="Mira", persona="keeps the lighthouse"))
                chats = [await begin(engine, mira, you), await begin(engine, mira, you)]
                stage = Stage(engine, you, mira, mira, *chats)
                for number, text in enumerate(WORDS * 3):
                    chat_id = chats[number % 3 % 2]
                    peer.script(Reply(f'*nods* "So it is, {number}."'))
                    if is_typed:
                        await typed(stage, text[: len(text) // 2], chat_id)
                        await typed(stage, text, chat_id)
                    await stage.say(text, chat_id)
                    await stage.digested(chat_id)
                    await engine.anticipation.wait(chat_id)
                return [one.text for one in peer.requests if one.method == "POST" and not one.schema_name]

    posted, drafted = await asyncio.gather(
        told(tmp_path / "posted", is_typed=False), told(tmp_path / "typed", is_typed=True)
    )
    assert len(posted) == 3 * len(WORDS)
    assert drafted == posted
