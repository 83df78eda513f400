"""The least a relay can be: asyncio without a framework. What the upstream sends goes to every tab as it comes.

    python -m tests.bench.floor_relay UPSTREAM_PORT        prints its port, then serves until its input closes

`GET /` opens a tab; `POST /` with a mark asks the upstream. Nothing is stored, checked, encoded again or resumed.
"""

from __future__ import annotations

import asyncio
import sys

import msgspec
import uvloop

from tests.bench.upstream import chat_request

_TAB = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: snapshot\ndata: {}\n\n"
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Relay:
    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self._tabs: list[asyncio.StreamWriter] = []
        self._asking: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            writer.write(_TAB)
            self._tabs.append(writer)
            return
        mark = await reader.read(1000)
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        task = asyncio.create_task(self._relay(mark.decode()))
        self._asking.add(task)

    async def _relay(self, mark: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        writer.write(chat_request(mark))
        offset = 0
        while (line := await reader.readline()) and not line.startswith(b"data: [DONE]"):
            if line.startswith(b"data: {") and (choices := _decode(line[6:])["choices"]):
                text = choices[0]["delta"].get("content") or ""
                self._send(b"event: token\ndata: " + _encode({"offset": offset, "text": text}) + b"\n\n")
                offset += len(text)
        self._send(b"event: done\ndata: {}\n\n")
        writer.close()
        self._tabs.clear()

    def _send(self, frame: bytes) -> None:
        for tab in self._tabs:
            tab.write(frame)


async def main() -> None:
    relay = Relay(int(sys.argv[1]))
    server = await asyncio.start_server(relay.accept, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
