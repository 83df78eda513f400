"""The head of an answer waits for its body, so that both go out as one; without a body it goes alone."""

from __future__ import annotations

import asyncio
from typing import Any

from chat.web.wire import Joining

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"


class Told:
    """What a transport was told, in order."""

    def __init__(self) -> None:
        self.told: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.told.append(data)

    def close(self) -> None:
        self.told.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.told


def joining(told: Told) -> Joining:
    transport: Any = told
    return Joining(transport, asyncio.get_running_loop())


async def test_head_and_body_are_one_write_and_the_next_answer_is_another() -> None:
    told = Told()
    answers = joining(told)
    for _ in range(2):
        answers.write(HEAD)
        answers.write(b"Hello")
    answers.write(b"more of it")
    await asyncio.sleep(0)
    assert told.told == [HEAD + b"Hello", HEAD + b"Hello", b"more of it"]


async def test_a_head_whose_body_takes_its_time_is_not_kept_back() -> None:
    told = Told()
    answers = joining(told)
    answers.write(HEAD)
    assert told.told == []
    await asyncio.sleep(0)
    assert told.told == [HEAD]
    answers.write(b"event: snapshot\n\n")
    assert told.told == [HEAD, b"event: snapshot\n\n"]


async def test_what_waits_goes_out_before_the_connection_is_closed() -> None:
    told = Told()
    answers = joining(told)
    answers.write(HEAD)
    answers.close()
    await asyncio.sleep(0)
    assert told.told == [HEAD, "closed"]
    assert answers.is_closing()
