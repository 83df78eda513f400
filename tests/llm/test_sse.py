"""Events are split as the standard says, whatever the cuts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.llm.sse import LineTooLong, Splitter


def split(stream: bytes, size: int) -> tuple[list[bytes], int]:
    splitter = Splitter()
    events = [event for at in range(0, len(stream), size) for event in splitter.feed(stream[at : at + size])]
    return events + splitter.finish(), splitter.heartbeats


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [b"a", b"b", b"c"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data\n\n", [b""]),
        (b"event: x\nid: 1\nretry: 5\nnonsense\ndata: a\n\n", [b"a"]),
        (b"\n\n\n: hi\n\ndata: a", [b"a"]),
        ("data: 你好😀\n\n".encode(), ["你好😀".encode()]),
        (b"", []),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_splits(stream: bytes, events: list[bytes], size: int) -> None:
    assert split(stream, size)[0] == events


def test_comments_are_counted_as_signs_of_life() -> None:
    assert split(b": one\n\n:two\n: three\n\n", 3) == ([], 3)


_LINES = st.lists(
    st.sampled_from([b"data: a", b"data:b", b"data", b"", b": c", b"id: 7", b"\xf0\x9f\x98\x80"])
)


@given(_LINES, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.integers(1, 9))
def test_neither_cuts_nor_line_ends_matter(lines: list[bytes], end: bytes, size: int) -> None:
    assert split(end.join(lines), size) == split(b"\n".join(lines), 10_000)


@pytest.mark.parametrize("chunk", [b"data: " + b"x" * 400, b"x" * 400, b"data: x\n" * 100])
def test_a_line_or_event_past_the_cap_is_refused(chunk: bytes) -> None:
    splitter = Splitter(max_line_bytes=1_000)
    with pytest.raises(LineTooLong):
        sum(len(splitter.feed(chunk)) for _ in range(20))
