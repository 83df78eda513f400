"""A story with a model whose template refuses the system role: played to the end, and refused no second time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from chat.domain.events import AssistantTurnStarted
from chat.store import views
from tests.engine.conftest import Stage, answer, asked
from tests.support.peer import Peer, Received
from tests.support.peer_acts import Act, Answer, NoSystemRole, as_gemma, as_old_mistral

Refusing = Callable[[Act], NoSystemRole]


@pytest.fixture(params=[as_gemma, as_old_mistral])
def refusing(request: pytest.FixtureRequest) -> Refusing:
    found: Refusing = request.param
    return found


@pytest.fixture
def peer(refusing: Refusing) -> Iterator[Peer]:
    """Refuses for every model but "reader"."""

    def play(received: Received) -> Act:
        good = Answer({"affinity": 40}) if received.schema_name == "KickoffAnswer" else answer(received)
        return good if received.body["model"] == "reader" else refusing(good)

    with Peer(default=play) as running:
        yield running


def reading_with(stage: Stage, model: str) -> None:
    """From now on this model answers the structured questions."""
    settings = stage.engine.settings
    connection = settings.connection.model_copy(update={"classifier_model": model})
    stage.engine.settings = settings.model_copy(update={"connection": connection})


def sent(peer: Peer) -> list[tuple[str, str]]:
    """Of each question its model and the role of its first message."""
    return [(body["model"], body["messages"][0]["role"]) for body in peer.bodies()]


async def begun(stage: Stage) -> list[AssistantTurnStarted]:
    async with stage.engine.store.reading() as reader:
        events = await views.events_of_kinds(reader, 0, (AssistantTurnStarted.kind,))
    return [one.data for one in events if isinstance(one.data, AssistantTurnStarted)]


def hashed(messages: list[dict[str, Any]]) -> str:
    return sha256(msgspec.json.encode(messages)).hexdigest()


async def test_the_opening_two_chats_and_their_digests_cost_one_refusal(stage: Stage, peer: Peer) -> None:
    draft = await stage.engine.parse_kickoff(stage.mira, "A quay at dusk.")
    assert draft.prose == "A quay at dusk."
    for chat_id in (stage.first, stage.second, stage.first):
        reply = await stage.turn(await stage.say("I brought oil.", chat_id))
        await stage.digested(chat_id)
        assert (reply.text, reply.error_code) == ('*nods* "Mm-hm."', "")
        assert (await stage.turn(reply.id)).digest_outcome == "ok"
    roles = [role for _, role in sent(peer)]
    assert roles == ["system", *["user"] * 7], (
        "the opening, refused and read; three replies and three digests"
    )


async def test_the_turn_itself_may_be_what_is_refused_first(stage: Stage, peer: Peer) -> None:
    reply = await stage.turn(await stage.say("I brought oil."))
    await stage.digested()
    assert (reply.text, reply.error_code) == ('*nods* "Mm-hm."', "")
    refused, told, question = (body["messages"] for body in peer.bodies())
    assert [one["role"] for one in refused] == ["system", "user"]
    assert [one["content"] for one in told] == [f"{refused[0]['content']}\n\n{refused[1]['content']}"]
    assert question[:1] == told, "what the server has read already is in front of the question about it"


async def test_the_hash_in_the_log_is_of_the_prompt_however_it_is_told(stage: Stage, peer: Peer) -> None:
    await stage.say("I brought oil.", stage.first)
    await stage.say("I brought oil.", stage.second)
    (system, *rest), told = peer.bodies()[0]["messages"], asked(peer).body["messages"]
    first, second = await begun(stage)
    assert first.prompt_hash == hashed([system, *rest])
    of_the_user = {"role": "user", "content": told[0]["content"].removeprefix(f"{system['content']}\n\n")}
    assert of_the_user != told[0]
    assert second.prompt_hash == hashed([system, of_the_user, *told[1:]])


async def test_another_model_that_reads_keeps_its_system_message(stage: Stage, peer: Peer) -> None:
    reading_with(stage, "reader")
    await stage.engine.parse_kickoff(stage.mira, "A quay at dusk.")
    for _ in range(2):
        await stage.say("I brought oil.")
        await stage.digested()
    assert sent(peer) == [
        ("reader", "system"),
        ("peer-model", "system"),
        ("peer-model", "user"),
        ("reader", "system"),
        ("peer-model", "user"),
        ("reader", "system"),
    ]
