"""A story to test with: a chat made as a script makes one, and a model whose every lost or doubled word shows."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.support.peer import Received
from tests.support.peer_acts import Act, Answer, Reply
from tests.support.server import Server

PACE_S = 0.02  # between the words of the model the tests play against
PROSE = "In the kitchen of an old inn, late at night. I sit by the stove; she is peeling apples."


def counted(words: int) -> str:
    """A text in which every lost, doubled or moved word shows."""
    return " ".join(f"w{number:04}" for number in range(words)) + "."


def narrator(
    text: str, pace_s: float = 0.01, rest: threading.Event | None = None
) -> Callable[[Received], Act]:
    """A model that answers each turn with `text`, at a pace, and reads kickoffs as empty.

    The last third of the text waits for `rest`.
    """
    reply = Reply(text, pace_s=pace_s, rest=rest, rest_from=len(text.split(" ")) * 2 // 3)

    def answer(received: Received) -> Act:
        return Answer({}) if received.schema_name else reply

    return answer


def begin_story(server: Server, bot_id: str = "") -> str:
    """A new chat, made as a script makes one; returns its id."""
    bot = bot_id or server.request("GET", "/bots").json["bots"][0]["id"]
    read = server.request("POST", f"/bots/{bot}/kickoff", form={"prose": PROSE, "action": "parse"})
    assert read.status in (200, 303), read.text
    made = server.request("POST", f"/bots/{bot}/kickoff", form={"action": "confirm"})
    assert made.status in (200, 201), made.text
    chat_id: str = made.json["chat_id"]
    return chat_id
