"""Models whose templates refuse the system role: learned from their words, once for each, and told all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from pydantic import BaseModel

from chat.errors import BadResponse
from chat.llm.calls import ClassifyRequest, Endpoint, NarrateRequest
from chat.llm.gateway import Gateway
from chat.llm.quirks import Quirks
from tests.support.peer import Peer, Received
from tests.support.peer_acts import (
    Act,
    Answer,
    Connection,
    NoSystemRole,
    Reply,
    Status,
    as_gemma,
    as_old_mistral,
)

Ask = Callable[..., NarrateRequest]
SYSTEM = {"role": "system", "content": "You are Mira."}
TALK = [
    SYSTEM,
    {"role": "user", "content": "Hello?"},
    {"role": "assistant", "content": "Hm."},
    {"role": "user", "content": "So?"},
]
FOLDED = [{"role": "user", "content": "You are Mira.\n\nHello?"}, *TALK[2:]]
JINJA = 'Error rendering prompt with jinja template: "Only user and assistant roles are supported!".'


class Sky(BaseModel):
    sky: str


def as_lm_studio(good: Act) -> NoSystemRole:
    return NoSystemRole(good, 200, {"error": {"message": JINJA}})


REFUSING = pytest.mark.parametrize("refusing", [as_gemma, as_old_mistral, as_lm_studio])


def only_gemma_refuses(received: Received) -> Act:
    good = Answer({"sky": "clear"}) if received.schema_name else Reply("Well met.")
    return as_gemma(good) if received.body["model"] == "gemma" else good


async def words_of(gateway: Gateway, endpoint: Endpoint, request: NarrateRequest) -> str:
    return "".join([piece.text async for piece in gateway.narrate(endpoint, request)])


@REFUSING
async def test_the_system_message_is_told_with_the_first_of_the_user_and_never_refused_again(
    refusing: Callable[[Act], Act], gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(*(refusing(Reply("Well met.")) for _ in range(3)))
    first = gateway.narrate(endpoint, ask(messages=TALK))
    assert [piece.text async for piece in first] == ["Well met."]
    assert (first.record().status, first.record().attempts) == ("ok", 2)
    assert await words_of(gateway, endpoint, ask(messages=TALK)) == "Well met."
    assert [body["messages"] for body in peer.bodies()] == [TALK, FOLDED, FOLDED]


@REFUSING
async def test_a_structured_question_learns_it_too_and_loses_no_way_to_ask(
    refusing: Callable[[Act], Act], gateway: Gateway, peer: Peer, endpoint: Endpoint
) -> None:
    peer.script(*(refusing(Answer({"sky": "clear"})) for _ in range(3)))
    request = ClassifyRequest("weather", "tiny", TALK, Sky)
    for _ in range(2):
        answered = await gateway.classify(endpoint, request)
        assert (answered.answer, answered.rung, answered.failures) == (Sky(sky="clear"), "json_schema", ())
    assert [body["messages"][0]["role"] for body in peer.bodies()] == ["system", "user", "user"]


async def test_of_two_models_at_one_address_only_the_one_that_refuses_is_told_otherwise(
    gateway: Gateway, ask: Ask
) -> None:
    with Peer(default=only_gemma_refuses) as peer:
        endpoint = Endpoint("peer", peer.base_url)
        for model in ("gemma", "other", "gemma", "other"):
            assert await words_of(gateway, endpoint, ask(model=model, messages=TALK)) == "Well met."
        sent = [(body["model"], body["messages"][0]["role"]) for body in peer.bodies()]
    assert sent == [
        ("gemma", "system"),
        ("gemma", "user"),
        ("other", "system"),
        ("gemma", "user"),
        ("other", "system"),
    ]


@dataclass(frozen=True)
class Together:
    """Begins when so many questions have come that none of them can know what the others learn."""

    peer: Peer
    act: Act
    questions: int = 2

    async def play(self, connection: Connection) -> None:
        while len(self.peer.bodies()) < self.questions:
            await asyncio.sleep(0.005)
        await self.act.play(connection)


async def test_two_calls_that_are_refused_at_once_are_both_sent_again(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(*(Together(peer, as_gemma(Reply("Well met."))) for _ in range(4)))
    calls = (words_of(gateway, endpoint, ask(messages=TALK)) for _ in range(2))
    assert await asyncio.gather(*calls) == ["Well met."] * 2
    assert [body["messages"][0]["role"] for body in peer.bodies()] == ["system", "system", "user", "user"]


async def test_the_same_goes_for_a_parameter_that_is_refused_to_two_at_once(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    refusal = Status(400, {"error": {"message": "Unrecognized request argument supplied: stream_options"}})
    peer.script(*(Together(peer, act) for act in (refusal, refusal, Reply("Yes."), Reply("Yes."))))
    assert await asyncio.gather(*(words_of(gateway, endpoint, ask()) for _ in range(2))) == ["Yes."] * 2


async def test_a_model_that_still_refuses_is_heard(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    refusal = Status(400, {"error": {"message": "System role not supported"}})
    peer.script(refusal, refusal)
    with pytest.raises(BadResponse, match="System role not supported"):
        await words_of(gateway, endpoint, ask(messages=TALK))


@pytest.mark.parametrize(
    ("model", "works", "sentence"),
    [
        (
            "gemma",
            None,
            "It takes no system message; what stands there is told at the head of the first message",
        ),
        ("other", True, "It takes a system message."),
    ],
)
async def test_the_probe_says_what_it_found_and_a_story_that_begins_then_is_not_refused(
    model: str, works: bool | None, sentence: str, gateway: Gateway, ask: Ask
) -> None:
    with Peer(default=only_gemma_refuses, models=[{"id": model}]) as peer:
        endpoint = Endpoint("peer", peer.base_url)
        probe = await gateway.probe(endpoint, model)
        found = {one.what: one for one in probe.findings}["system"]
        assert found.sentence.startswith(sentence)
        assert (probe.ok, found.ok) == (True, works)
        assert peer.bodies()[0]["messages"][0]["role"] == "system"
        tried = len(peer.bodies())
        assert await words_of(gateway, endpoint, ask(model=model, messages=TALK)) == "Well met."
        assert len(peer.bodies()) == tried + 1


@pytest.mark.parametrize(
    "words",
    [
        "System role not supported",
        "System role is not supported.",
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "Only user and assistant roles are supported!",
        JINJA,
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        "Developer instruction is not enabled for models/gemma-3-27b-it",
        "This model doesn't support system messages.",
        "Input should be 'user' or 'assistant'",
        "invalid params, chat content has invalid message role: system (2013)",
        "Role 'system' is not supported",
    ],
)
def test_servers_say_it_in_many_words(words: str) -> None:
    quirks = Quirks()
    assert quirks.learn(400, words, "", {"messages": TALK})
    assert quirks.adapt({"messages": TALK})["messages"] == FOLDED
    assert not quirks.learn(400, words, "", {"messages": FOLDED}), "there is nothing more to do about it"


@pytest.mark.parametrize(
    "words",
    [
        "After the optional system message, conversation roles must alternate user/assistant/user/assistant/...",
        "Only user and assistant roles are supported, with the exception of an initial optional system message!",
        "System message must be at the beginning.",
        "The system is overloaded; priority is not supported.",
        "Unsupported parameter: 'system_fingerprint' is not supported with this model.",
        "Internal Server Error",
        "No user query found in messages.",
    ],
)
def test_what_is_not_about_the_system_role_changes_nothing(words: str) -> None:
    quirks = Quirks()
    assert not quirks.learn(500, words, "", {"messages": TALK})
    assert quirks == Quirks()


def test_no_refusal_of_the_key_or_for_want_of_room_is_taken_for_one() -> None:
    quirks = Quirks()
    for status in (401, 402, 403, 404, 429, 503):
        assert not quirks.learn(status, "System role not supported", "", {"messages": TALK})


def test_without_a_first_message_of_the_user_it_becomes_one() -> None:
    quirks = Quirks(folds_system=True)
    assert quirks.adapt({"messages": [SYSTEM]})["messages"] == [SYSTEM | {"role": "user"}]
    spoken = [SYSTEM, {"role": "assistant", "content": "Hm."}]
    assert quirks.adapt({"messages": spoken})["messages"] == [SYSTEM | {"role": "user"}, spoken[1]]
