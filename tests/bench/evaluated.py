"""Stands in front of llama.cpp's server, passes requests on and writes down what the server says it had to read anew.

A structured question is passed on too and really answered; the answer is then replaced by one that was scripted.
"""

from __future__ import annotations

import http.client
import json
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Counted:
    """One call, in the server's own tokens: `evaluated` is what its timings say it read anew."""

    prompt: int
    cached: int
    evaluated: int


class Counting:
    """`notes` gives the answer to the n-th structured question."""

    def __init__(self, upstream: str, notes: Callable[[int], dict[str, Any]]) -> None:
        self.upstream, self._notes, self._asked = upstream, notes, 0
        self._calls: list[Counted] = []
        counting = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                counting._pass_on(self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Counting:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def taken(self) -> list[Counted]:
        """The calls since the last time."""
        calls, self._calls = self._calls, []
        return calls

    def size(self, text: str) -> int:
        """Tokens of a text, counted by the server."""
        request = urllib.request.Request(
            f"{self.upstream}/tokenize",
            json.dumps({"content": text}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            return len(json.load(response)["tokens"])

    def _pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        asked = json.loads(body)
        upstream = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=60)
        upstream.request("POST", handler.path, body, {"Content-Type": "application/json"})
        answer = upstream.getresponse()
        assert answer.status == 200, answer.read()
        events = answer.read().split(b"\n\n")
        upstream.close()
        chunks = [json.loads(one[6:]) for one in events if one.startswith(b"data: {")]
        self._count(chunks)
        if asked.get("response_format"):
            chunks = self._replaced(chunks)
        stream = (
            b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in chunks) + b"data: [DONE]\n\n"
        )
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Content-Length", str(len(stream)))
        handler.end_headers()
        handler.wfile.write(stream)

    def _count(self, chunks: list[dict[str, Any]]) -> None:
        usage = next(one["usage"] for one in reversed(chunks) if one.get("usage"))
        timings = next(one["timings"] for one in reversed(chunks) if one.get("timings"))
        assert timings["cache_n"] == usage["prompt_tokens_details"]["cached_tokens"]
        assert timings["cache_n"] + timings["prompt_n"] == usage["prompt_tokens"]
        self._calls.append(Counted(usage["prompt_tokens"], timings["cache_n"], timings["prompt_n"]))

    def _replaced(self, chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The same stream with other words: all of them in the first piece, none in the others."""
        words, self._asked = json.dumps(self._notes(self._asked)), self._asked + 1
        told = False
        for one in chunks:
            for choice in one["choices"]:
                if choice["delta"].get("content"):
                    choice["delta"]["content"], told = ("" if told else words), True
        return chunks
