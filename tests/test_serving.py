"""`chat serve` as a person types it: the port it really takes, the browser it opens, the seed it plays by."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.server import CHAT, STOP_S, Server, free_port


@contextmanager
def _serving(data_dir: Path, *options: str, port: int) -> Iterator[Server]:
    """The program as it serves, at the address that it says itself; its browser writes down what it is to open."""
    browser = data_dir.with_name("browser")
    browser.write_text(f'#!/bin/sh\necho "$1" >> "{data_dir}.opened"\n')
    browser.chmod(0o755)
    at = Server(data_dir)
    environment = at.environment() | {"BROWSER": f"{browser} %s"}
    command = [*CHAT, "serve", "--port", str(port), *options]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        ready = process.stdout.readline()
        assert ready.startswith("Ready at http://127.0.0.1:"), ready
        at.port = int(ready.strip().rstrip("/").rpartition(":")[2])
        assert at.request("GET", "/ready").status == 200  # answered once the browser has been opened
        yield at
    finally:
        process.terminate()
        process.communicate(timeout=STOP_S)


def _opened(data_dir: Path) -> list[str]:
    said = Path(f"{data_dir}.opened")
    return said.read_text().split() if said.exists() else []


def test_a_busy_port_is_left_for_the_next_free_one_and_the_browser_is_led_there(tmp_path: Path) -> None:
    port = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with _serving(tmp_path / "data", port=port) as server:
            assert port < server.port < port + 100
            assert _opened(tmp_path / "data") == [f"{server.url}/"]


def test_one_seed_gives_the_same_ids_and_no_browser_is_opened_where_none_is_wanted(tmp_path: Path) -> None:
    chance = []
    for name, options in (("a", ["--seed", "7"]), ("b", ["--seed", "7"]), ("c", ["--seed", "8"])):
        with _serving(tmp_path / name, "--no-open", *options, port=free_port()) as server:
            (bot,) = server.request("GET", "/bots").json["bots"]
            chance.append(bot["id"][10:])  # behind the time it was made at
        assert _opened(tmp_path / name) == []
    assert chance[0] == chance[1] != chance[2]
