"""The real program in its own process on a story, with the measuring upstream as its model, and a quick client."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from tests.bench.stories import Story
from tests.support.server import CHAT, free_port
from tests.support.sse import EventStream

START_S = 60
BACKUP_S = 120


class Served:
    """A running `chat serve`. Requests go over one kept connection."""

    def __init__(self, port: int, pid: int) -> None:
        self.port, self.pid = port, pid
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def get(self, path: str, accept: str = "text/html") -> bytes:
        status, body = self._ask("GET", path, None, {"Accept": accept, "Accept-Encoding": "gzip"})
        assert status == 200, (path, status, body[:300])
        return body

    def post_turn(self, chat_id: str, prose: str) -> None:
        form = urlencode({"prose": prose})
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        status, body = self._ask("POST", f"/chats/{chat_id}/turns", form, headers)
        assert status == 202, body[:300]

    def save_draft(self, chat_id: str, prose: str) -> None:
        """As the page does whenever the player stops typing for a moment."""
        headers = {"Content-Type": "application/json"}
        status, body = self._ask("PUT", f"/chats/{chat_id}/draft", json.dumps({"prose": prose}), headers)
        assert status == 204, body[:300]

    def _ask(self, method: str, path: str, form: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        """The server closes a connection that was idle for long; then once more on a new one."""
        try:
            self._http.request(method, path, form, headers)
            response = self._http.getresponse()
        except (ConnectionError, http.client.RemoteDisconnected):
            self._http.close()
            self._http.request(method, path, form, headers)
            response = self._http.getresponse()
        return response.status, response.read()

    def wait_until_idle(self, chat_id: str) -> None:
        while json.loads(self.get(f"/chats/{chat_id}/status", "application/json"))["status"] not in IDLE:
            time.sleep(0.02)

    def wait_until_backed_up(self) -> None:
        """The first backup of a large story takes long, and is no part of what is measured."""
        until = time.monotonic() + BACKUP_S
        while time.monotonic() < until:
            told = json.loads(self.get("/backups", "application/json"))
            if told["backups"] and not told["stage"]:
                return
            time.sleep(0.5)
        raise AssertionError("the backup of the start does not end")

    def resident_bytes(self) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the server has gone")

    def cpu_s(self) -> float:
        """Processor seconds of the server's process so far, by the clock that Linux keeps for it."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def close(self) -> None:
        self._http.close()


def until_digested(stream: EventStream) -> None:
    """Read on until what the reply changed has been worked out, so that nothing runs beside the next turn."""
    while frame := stream.next():
        if frame.event == "event" and "digest_finished" in frame.data["kinds"]:
            return


IDLE = ("idle", "stopped")


@contextlib.contextmanager
def served(story: Story, upstream_port: int = 0) -> Iterator[Served]:
    """Start the program on a story and end it again. Without an upstream the demo would play."""
    environment = environment_for(story.folder)
    if upstream_port:
        environment["CHAT_CONNECTION__BASE_URL"] = f"http://127.0.0.1:{upstream_port}/v1"
        environment["CHAT_CONNECTION__NARRATIVE_MODEL"] = "bench"
    port = free_port()
    command = [*CHAT, "serve", "--no-open", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for_page(port, "/chats", process)
        client = Served(port, process.pid)
        try:
            yield client
        finally:
            client.close()
    finally:
        process.terminate()
        process.wait(30)


def environment_for(folder: Path) -> dict[str, str]:
    """Nothing of the machine's own settings; compiled modules are kept, as they are wherever it was started before."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CHAT_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    compiled = Path(tempfile.gettempdir()) / "chat-bench-compiled"
    return kept | {"CHAT_DATA_DIR": str(folder), "PYTHONPYCACHEPREFIX": str(compiled)}


def wait_for_page(port: int, path: str, process: subprocess.Popen[bytes]) -> None:
    """Ask for a page until it comes, every two milliseconds."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        assert process.poll() is None, "the program ended before its first page"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_S)
        try:
            connection.request("GET", path, headers={"Accept": "text/html"})
            if connection.getresponse().read():
                return
        except ConnectionError:
            time.sleep(0.002)
        finally:
            connection.close()
    raise AssertionError("the first page did not come")


def started(command: list[str], environment: dict[str, str], port: int, path: str) -> tuple[float, float]:
    """Seconds from the start of a process to its first page, and the CPU seconds it took in its whole life."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for_page(port, path, process)
        took = time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(30)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]
