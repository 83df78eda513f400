"""A client that speaks plain HTTP to a started demo model, as any OpenAI client would."""

from __future__ import annotations

import json
from typing import Any

import httpx2

TOKEN = "planted-demo-token"


class Demo:
    """Talks to a demo server as any OpenAI client would."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.http = httpx2.Client(base_url=base_url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)

    def ask(self, messages: list[dict[str, str]], **options: Any) -> httpx2.Response:
        body = {"model": "demo-narrator", "messages": messages, **options}
        return self.http.post("/chat/completions", json=body)

    def reply(self, messages: list[dict[str, str]], **options: Any) -> str:
        answer = self.ask(messages, **options)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["choices"][0]["message"]["content"])

    def chunks(self, messages: list[dict[str, str]], **options: Any) -> list[dict[str, Any]]:
        answer = self.ask(messages, stream=True, **options)
        assert answer.headers["content-type"].startswith("text/event-stream")
        frames = answer.text.split("\n\n")
        assert frames[-2:] == ["data: [DONE]", ""]
        return [json.loads(frame.removeprefix("data: ")) for frame in frames[:-2]]


def written(chunks: list[dict[str, Any]]) -> str:
    return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk["choices"])
