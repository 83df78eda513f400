"""The real program in a process of its own, as a person starts it: for tests that kill it, restart it or browse it."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

from tests.support.forked import COUNTED, Forked, fork

CHAT = (sys.executable, "-c", "from chat.cli import main; main()")
"""The `chat` command of this very interpreter."""
Program = tuple[str, ...] | Callable[[], None]
_PORTS, _PORTS_EACH = range(20_000, 32_000), 2_000
_CHANCE = random.SystemRandom()  # the tests seed the usual one alike in every process
START_S = 90
STOP_S = 60


class Answer(NamedTuple):
    """What came back for one request."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def free_port() -> int:
    """One that stays free: below those that a system gives to whoever asks for any, and of this test process alone.

    A program whose port was taken at the last moment would move to the next one, and be looked for in vain.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    lowest = _PORTS.start + worker * _PORTS_EACH % len(_PORTS)
    while True:
        port = _CHANCE.randrange(lowest, lowest + _PORTS_EACH)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Server:
    """`chat serve` on a data folder. It can be killed and started again on the same folder and port."""

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        options: tuple[str, ...] = (),
        settings: Mapping[str, str] | None = None,
        program: Program = CHAT,
        is_measured: bool = True,
    ) -> None:
        """`settings` are environment variables of the program, by their full names (CHAT_...).

        `program` is a command, or the function of one, which is then forked: see `forked`. What the program runs
        through counts for the coverage of the tests if it `is_measured`; one that is killed has no time to tell.
        """
        self.program, self.is_measured = program, is_measured
        self.data_dir = data_dir
        self.settings = dict(settings or {})
        self.port = port or free_port()
        self.options = options
        self.log = data_dir.with_name(data_dir.name + ".log")
        self.process: subprocess.Popen[bytes] | Forked | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the program and returns when it says that it is ready."""
        self.launch()
        if not self.came_up():
            how = "hangs" if self.is_alive() else "ended"
            self.kill()
            raise AssertionError(
                f"The program did not start, it {how}:\n{self.log.read_text('utf-8')[-4000:]}"
            )

    def launch(self) -> None:
        """Starts the program and does not wait for it."""
        assert not self.is_alive(), "the program runs already"
        arguments = ["serve", "--no-open", "--port", str(self.port), *self.options]
        if not isinstance(self.program, tuple):
            self.process = fork(self.program, arguments, self.environment(), self.log)
            return
        with self.log.open("ab") as log:
            command = [*self.program, *arguments]
            self.process = subprocess.Popen(command, env=self.environment(), stdout=log, stderr=log)

    def came_up(self) -> bool:
        """Waits until a launched program says that it is ready; False when it ended, or never did."""
        until = time.monotonic() + START_S
        while not self._is_ready():
            if not self.is_alive() or time.monotonic() > until:
                return False
            time.sleep(0.03)
        return True

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def environment(self) -> dict[str, str]:
        """Nothing of the machine's own configuration reaches the program under test."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CHAT_")}
        if not self.is_measured:
            kept.pop(COUNTED, None)
        return kept | self.settings | {"CHAT_DATA_DIR": str(self.data_dir), "PYTHONUNBUFFERED": "1"}

    def stop(self) -> int | None:
        """Ends the program politely; returns its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self._end(signal.SIGKILL)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another `chat` command on the same data folder."""
        command = [*_command(self.program), *arguments]
        return subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, timeout=120, check=False
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request of a script: JSON is asked for unless `headers` says otherwise."""
        sent = {"Accept": "application/json", **(headers or {})}
        body = None
        if form is not None:
            body = urlencode(form).encode()
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read().decode("utf-8"))
        finally:
            connection.close()

    def _is_ready(self) -> bool:
        try:
            return self.request("GET", "/ready").status == 200
        except OSError:
            return False

    def _end(self, how: signal.Signals) -> int | None:
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_S)
            raise AssertionError(f"The program did not end within {STOP_S} s of {how.name}.") from None


def _command(program: Program) -> tuple[str, ...]:
    """What starts it in an interpreter of its own."""
    if isinstance(program, tuple):
        return program
    name = program.__name__
    return (sys.executable, "-c", f"from {program.__module__} import {name}; {name}()")
