"""Tokens are counted from the vendored table, never from the network."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from chat.llm import tokens


def test_the_table_is_the_one_it_should_be() -> None:
    table = (tokens.DATA / tokens.TABLE).read_bytes()
    assert hashlib.sha256(table).hexdigest() == tokens.TABLE_SHA256
    address = b"https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"
    assert hashlib.sha1(address).hexdigest() == tokens.TABLE


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("hello world", 2),
        ("tiktoken is great!", 6),
        ("antidisestablishmentarianism", 6),
        ("お誕生日おめでとう", 9),
    ],
)
def test_counts_match_known_values(text: str, count: int) -> None:
    assert tokens.count_tokens(text) == count


def test_text_like_a_special_token_is_only_text() -> None:
    assert tokens.count_tokens("<|endoftext|>") > 1


def test_the_table_stands_in_memory_once() -> None:
    """The counter has a table of its own; in Python's objects the same takes half as much again."""
    encoding = tokens._encoding(tokens.DATA)
    assert encoding is not None
    assert encoding._mergeable_ranks == {}
    assert encoding.decode(encoding.encode_ordinary("hello world")) == "hello world"


def test_messages_cost_four_each_and_two_for_the_reply() -> None:
    one = {"role": "user", "content": "hello world"}
    assert tokens.count_messages([]) == 2
    assert tokens.count_messages([one]) == 2 + 4 + 2
    assert tokens.count_messages([one, one]) == 2 + 2 * (4 + 2)


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "/somewhere/else")
    tokens._encoding.cache_clear()
    assert tokens.count_tokens("hello world") == 2
    assert os.environ["TIKTOKEN_CACHE_DIR"] == "/somewhere/else"
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR")
    tokens._encoding.cache_clear()
    assert tokens.count_tokens("hello world") == 2
    assert "TIKTOKEN_CACHE_DIR" not in os.environ


@pytest.mark.parametrize("damage", [None, b"damaged"])
def test_without_a_good_table_bytes_are_counted_and_nothing_is_fetched(
    damage: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if damage is not None:
        (tmp_path / tokens.TABLE).write_bytes(damage)
    monkeypatch.setattr(tokens, "DATA", tmp_path)
    assert tokens.count_tokens("hello world") == 3
    assert tokens.count_tokens("😀") == 1
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([damage] if damage else [])


def test_a_very_long_word_does_not_hold_the_program_up() -> None:
    began = time.monotonic()
    assert tokens.count_tokens("a" * 200_000) > 1_000
    assert time.monotonic() - began < 20
