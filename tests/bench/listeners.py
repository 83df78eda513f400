"""Open tabs, in a process of their own: they note what came and when, and look at it only after the end.

    python -m tests.bench.listeners PORT CHAT TABS [stalled]

Prints `ready` when every tab is connected and, once all have seen `done`, one JSON line: the text each put together
by offsets, whether any piece was lost or came out of order, and the latency of each stamped token in microseconds.
A stalled tab connects and never reads; it ends when its input closes.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time
from hashlib import sha256
from statistics import median
from typing import Any

_STAMP = re.compile(r"t(\d{6,}) ")
_DONE = b"event: done"


class Tab:
    def __init__(self, port: int, chat_id: str, *, stalled: bool = False) -> None:
        self.socket = socket.socket()
        if stalled:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", port))
        head = f"GET /chats/{chat_id}/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n"
        self.socket.sendall(head.encode())
        self.pieces: list[tuple[int, bytes]] = []
        self.is_done = False
        self._tail = b""
        if not stalled:
            self._wait_for(b"event: snapshot")
            self.pieces.clear()

    def _wait_for(self, wanted: bytes) -> None:
        while not any(wanted in data for _, data in self.pieces):
            self.read()

    def read(self) -> None:
        data = self.socket.recv(262_144)
        assert data, "the server ended the stream"
        self.pieces.append((time.monotonic_ns(), data))
        self.is_done = self.is_done or _DONE in self._tail + data
        self._tail = data[-len(_DONE) :]

    def tokens(self) -> list[tuple[int, dict[str, Any]]]:
        """Each token frame with the time at which its last byte came."""
        found, rest = [], b""
        for at_ns, data in self.pieces:
            *lines, rest = (rest + data).split(b"\n")
            found += [
                (at_ns, json.loads(line[6:]))
                for line in lines
                if line.startswith(b"data: ") and b'"offset":' in line
            ]
        return found


def judge(tab: Tab) -> dict[str, Any]:
    """What one tab saw: its text, and whether it is whole and in order."""
    text, in_order, latencies, last_ns = "", True, [], 0
    for at_ns, token in tab.tokens():
        in_order = in_order and token["offset"] == len(text)
        text += token["text"]
        last_ns = at_ns
        latencies += [(at_ns - int(sent_ns)) / 1000 for sent_ns in _STAMP.findall(token["text"])]
    first = _STAMP.match(text)
    body = text.partition(" ")[2]
    return {
        "in_order": in_order,
        "digest": sha256(body.encode()).hexdigest(),
        "seconds": (last_ns - int(first[1])) / 1e9 if first else 0.0,
        "latencies_us": latencies,
    }


def listen(tabs: list[Tab]) -> None:
    with selectors.DefaultSelector() as selector:
        for tab in tabs:
            selector.register(tab.socket, selectors.EVENT_READ, tab)
        while not all(tab.is_done for tab in tabs):
            for key, _ in selector.select():
                key.data.read()


def main() -> None:
    port, chat_id, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    stalled = sys.argv[4:] == ["stalled"]
    tabs = [Tab(port, chat_id, stalled=stalled) for _ in range(count)]
    print("ready", flush=True)
    if stalled:
        sys.stdin.read()
        return
    listen(tabs)
    seen = [judge(tab) for tab in tabs]
    latencies = sorted(one for tab in seen for one in tab["latencies_us"])
    answer = {
        "in_order": all(tab["in_order"] for tab in seen),
        "digests": sorted({tab["digest"] for tab in seen}),
        "seconds": max(tab["seconds"] for tab in seen),
        "p50_us": median(latencies) if latencies else 0.0,
        "p95_us": latencies[int(len(latencies) * 0.95)] if latencies else 0.0,
    }
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
