"""Counts tokens without ever touching the network, from a vocabulary that lies beside this file.

Counts are estimates for any model with another vocabulary; the provider's own usage is the truth.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

DATA = Path(__file__).parent / "data"
TABLE = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"  # tiktoken's name for it
TABLE_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"

_PER_MESSAGE = 4
_FOR_THE_REPLY = 2
_STEP = 20_000  # characters; the encoder is quadratic in a single unbroken word


def count_tokens(text: str) -> int:
    encoding = _encoding(DATA)
    if encoding is None:
        return estimate(text)
    if len(text) <= _STEP:
        return len(encoding.encode_ordinary(text))
    return sum(len(encoding.encode_ordinary(text[at : at + _STEP])) for at in range(0, len(text), _STEP))


def count_messages(messages: Iterable[Mapping[str, str]]) -> int:
    """Four tokens of wrapping a message, and two for the beginning of the reply."""
    return _FOR_THE_REPLY + sum(_PER_MESSAGE + count_tokens(message["content"]) for message in messages)


def estimate(text: str) -> int:
    """Without a vocabulary: a token for every four bytes, rounded up."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


@cache
def _encoding(folder: Path) -> Encoding | None:
    """None when the table is missing or damaged: tiktoken would delete it and go online."""
    try:
        table = (folder / TABLE).read_bytes()
    except OSError:
        return None
    if hashlib.sha256(table).hexdigest() != TABLE_SHA256:
        return None
    return _load(folder)


def _load(folder: Path) -> Encoding:
    import tiktoken  # its 40 ms are paid by the first count, not by the start of the program
    from tiktoken_ext.openai_public import cl100k_base  # type: ignore[import-untyped]

    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
    try:
        parts = cl100k_base()
        encoding = tiktoken.Encoding(**parts)
        parts["mergeable_ranks"].clear()  # a second table in Python's own objects, which counting never asks
        return encoding
    finally:
        if before is None:
            del os.environ["TIKTOKEN_CACHE_DIR"]
        else:
            os.environ["TIKTOKEN_CACHE_DIR"] = before
