"""What a player does while the machine fails, and what the program says to it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from chat.settings import Settings
from tests.support import no_override
from tests.support.peer import Peer, Received
from tests.support.peer_acts import Act, Reply
from tests.support.peer_acts import Answer as Structured
from tests.support.server import START_S, Answer, Server

ROOT = str(Path(__file__).parents[2])
HTML = {"Accept": "text/html"}


def answer(received: Received) -> Act:
    return Structured({"significance": 1}) if received.schema_name else Reply('*nods* "Mm-hm."')


class Desk:
    """One data folder and the program on it."""

    def __init__(self, settings: Settings, model: Peer) -> None:
        self.settings = settings
        given = {"BASE_URL": model.base_url, "NARRATIVE_MODEL": "peer-model"}
        self.server = Server(
            settings.data_dir,
            settings={
                **{f"CHAT_CONNECTION__{key}": value for key, value in given.items()},
                "PYTHONPATH": ROOT,
            },
            program=no_override.main,
        )

    @property
    def pid(self) -> int:
        assert self.server.process
        return self.server.process.pid

    @property
    def told(self) -> str:
        """What stands in the log of the program."""
        return self.server.log.read_text("utf-8")

    def launch(self) -> None:
        """Start the program and wait until it answers, ready or not."""
        self.server.launch()
        self.until(lambda: self.get("/health").status == 200, "the program answers", START_S)

    def get(self, path: str) -> Answer:
        return self.server.request("GET", path)

    def page(self, path: str) -> Answer:
        return self.server.request("GET", path, headers=HTML)

    def post(self, chat: str, prose: str) -> Answer:
        return self.server.request("POST", f"/chats/{chat}/turns", form={"prose": prose})

    def say(self, chat: str, prose: str) -> None:
        """Words that are taken and answered."""
        said = self.post(chat, prose)
        assert said.status == 202, said.text
        self.until(
            lambda: self.last(chat)[1] == "whole" and self.last(chat)[0] != prose, "the reply is whole"
        )

    def last(self, chat: str) -> tuple[str, str]:
        """The text and the status of the last turn."""
        turn = self.get(f"/chats/{chat}").json["turns"][-1]
        return turn["text"], turn["status"]

    def until(self, is_so: object, what: str, within_s: float = 60) -> None:
        assert callable(is_so)
        end = time.monotonic() + within_s
        while True:
            try:
                if is_so():
                    return
            except OSError:
                assert self.server.is_alive(), self.told[-2000:]
            assert time.monotonic() < end, f"not within {within_s} s: {what}\n{self.told[-2000:]}"
            time.sleep(0.05)

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))
