"""Leading thoughts are kept apart from the reply, in every tag and however the text is cut."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.llm.calls import Endpoint, NarrateRequest
from chat.llm.gateway import Gateway
from chat.llm.thoughts import Separator, Storable, split_thoughts
from tests.support.peer import Peer
from tests.support.peer_acts import Raw, Reply, delta, event

TAGS = [
    ("<think>", "</think>"),
    ("<Think>", "</THINK>"),
    ("<thinking>", "</thinking>"),
    ("[THINK]", "[/THINK]"),
    ("<reasoning>", "</reasoning>"),
    ("◁think▷", "◁/think▷"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
]
REPLY = "She nods. 5 < 6 > 4, [sic], and </b>\n\n*smiles*"


def feed(text: str, size: int, starts_inside: bool = False) -> tuple[Separator, str]:
    """The separator after reading the text in pieces of that size, and the joined text pieces."""
    separator = Separator(starts_inside)
    pieces = [piece for at in range(0, len(text), size) for piece in separator.feed(text[at : at + size])]
    pieces += separator.finish()
    return separator, "".join(piece.text for piece in pieces if piece.kind == "text")


@pytest.mark.parametrize(("opener", "closer"), TAGS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 500])
def test_a_leading_block_is_kept_apart(opener: str, closer: str, size: int) -> None:
    separator, given_out = feed(f"\n{opener}Let me see:\n<b> first.{closer}\n\n{REPLY}", size)
    assert separator.text == REPLY
    assert given_out == REPLY
    assert separator.reasoning == "Let me see:\n<b> first."
    assert not separator.retracted


@pytest.mark.parametrize("size", [1, 4, 500])
def test_several_leading_blocks_are_all_thought(size: int) -> None:
    separator, _ = feed(f"<think></think>\n<think>two</think>{REPLY}", size)
    assert separator.text == REPLY
    assert separator.reasoning == "two"


@pytest.mark.parametrize("size", [1, 5, 500])
def test_a_closing_tag_without_its_opening_takes_the_text_before_it_back(size: int) -> None:
    separator, _ = feed(f"Hm, what would she do?</think>\n{REPLY}", size)
    assert separator.text == REPLY
    assert separator.reasoning == "Hm, what would she do?"
    assert separator.closed_without_opening


@pytest.mark.parametrize("size", [1, 5, 500])
def test_a_model_known_to_begin_inside_a_thought_gives_nothing_out_early(size: int) -> None:
    separator, given_out = feed(f"Hm, what would she do?</think>\n{REPLY}", size, starts_inside=True)
    assert given_out == separator.text == REPLY
    assert not separator.retracted
    unclosed, _ = feed(REPLY, size, starts_inside=True)
    assert unclosed.text == REPLY
    assert unclosed.reasoning == ""


@pytest.mark.parametrize("size", [1, 5, 500])
@pytest.mark.parametrize(
    "text",
    [
        "I <think> so.",
        "Well.\n<think>no</think>",
        "<thimble> she said",
        "<",
        "[THI",
        "◁",
        " \n",
        REPLY,
        "a<thin",
    ],
)
def test_what_is_not_at_the_beginning_is_story(text: str, size: int) -> None:
    separator, given_out = feed(text.replace("</think>", ""), size)
    assert separator.text == given_out == text.replace("</think>", "")
    assert separator.reasoning == ""


@given(st.text(), st.integers(1, 9))
def test_text_without_tags_comes_out_as_it_went_in(text: str, size: int) -> None:
    if "think" in text.lower() or "reasoning" in text.lower():
        return
    separator, given_out = feed(text, size)
    assert separator.text == given_out == text


@given(st.text(alphabet="<>/[]thinkTHINK◁▷ ab\n"), st.integers(1, 5))
def test_how_the_text_is_cut_changes_nothing(text: str, size: int) -> None:
    assert feed(text, size)[0].text == split_thoughts(text)[1]


@given(st.text(alphabet=st.characters(codec=None, categories=["Cs", "L", "Cc", "So"])), st.integers(1, 3))
def test_what_comes_out_can_always_be_stored(text: str, size: int) -> None:
    storable = Storable()
    out = "".join(storable.feed(text[at : at + size]) for at in range(0, len(text), size))
    assert "\0" not in out
    out.encode()


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
async def test_thoughts_in_a_field_of_their_own_are_reasoning(
    field: str, gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Callable[..., NarrateRequest]
) -> None:
    peer.script(Reply(REPLY, reasoning="She might nod.\nYes.", reasoning_field=field))
    narration = gateway.narrate(endpoint, ask())
    kinds = [piece.kind async for piece in narration]
    assert kinds.index("text") == kinds.count("reasoning"), "thoughts first"
    assert narration.text == REPLY
    assert narration.reasoning == "She might nod.\nYes."


async def test_thoughts_as_parts_of_the_content_are_reasoning(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Callable[..., NarrateRequest]
) -> None:
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]
    peer.script(Raw([event(delta(thinking)), event(delta([{"type": "text", "text": "Yes."}], "stop"))]))
    narration = gateway.narrate(endpoint, ask())
    assert [piece.kind async for piece in narration] == ["reasoning", "text"]
    assert (narration.reasoning, narration.text) == ("Hm.", "Yes.")


async def test_thoughts_doubled_in_two_fields_are_read_once(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Callable[..., NarrateRequest]
) -> None:
    peer.script(Raw([event(delta(reasoning="Hm.", reasoning_content="Hm.")), event(delta("Yes.", "stop"))]))
    narration = gateway.narrate(endpoint, ask())
    assert [piece async for piece in narration]
    assert narration.reasoning == "Hm."


async def test_a_model_that_begins_inside_a_thought_is_remembered_for_the_next_call(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Callable[..., NarrateRequest]
) -> None:
    peer.script(*[Reply("Hm, hm.</think> Yes, she does.", pace_s=0.01) for _ in range(2)], Reply("Plain."))
    first, second, third = (gateway.narrate(endpoint, ask()) for _ in range(3))
    assert [piece async for piece in first]
    assert first.retracted
    assert first.text == "Yes, she does."
    second = gateway.narrate(endpoint, ask())
    assert "".join([piece.text async for piece in second if piece.kind == "text"]) == "Yes, she does."
    assert not second.retracted
    third = gateway.narrate(endpoint, ask())
    assert [piece async for piece in third]
    assert third.text == "Plain."
