"""Faults the program gets over without a restart: no space, no files, no memory, a lock, a reader, a second server.

Each says what is the matter, takes nothing half, and goes on once it is over (TRUST 90, 91, 95, 96, 99).
"""

from __future__ import annotations

import resource
import sqlite3
import threading
import time
from collections.abc import Iterator

import pytest

from chat.store.verify import verify
from tests.faults.desk import Desk
from tests.support.limits import limited


def test_a_full_disk_keeps_the_words_and_the_story_goes_on_once_there_is_room(shared: Desk) -> None:
    """TRUST 91: no file may grow, which is what a full disk looks like from inside."""
    before = shared.get("/chats/a").json["turns"]
    with limited(shared.pid, resource.RLIMIT_FSIZE, 4096):
        refused = shared.post("a", "Do not lose this.")
        assert refused.status == 507
        assert "disk may be full" in refused.json["error"]["message"]
        assert "Free some disk space" in refused.json["error"]["next_step"]
        page = shared.server.request(
            "POST", "/chats/a/turns", form={"prose": "Do not lose this."}, headers={"Accept": "text/html"}
        )
        assert page.status == 507
        assert "Do not lose this." in page.text
        assert shared.get("/chats/a").json["turns"] == before
        backup = shared.server.request("POST", "/backups", form={})
        assert backup.status in (503, 507)
        assert shared.get("/backups").json["backups"] == []
    shared.say("a", "There is room again.")
    assert verify(shared.settings) == []


def test_no_more_open_files_is_got_over(shared: Desk) -> None:
    """TRUST 99."""
    with limited(shared.pid, resource.RLIMIT_NOFILE, shared.open_files()):
        asked = threading.Thread(target=lambda: _try(shared), daemon=True)
        asked.start()
        time.sleep(0.3)
        assert shared.server.is_alive()
    asked.join(20)
    shared.say("a", "There are files again.")
    assert verify(shared.settings) == []


def test_no_more_memory_is_got_over(shared: Desk) -> None:
    """TRUST 99: a turn in which the program may have no more memory than it has."""
    with open(f"/proc/{shared.pid}/statm", encoding="ascii") as told:
        size = int(told.read().split()[0]) * resource.getpagesize()
    with limited(shared.pid, resource.RLIMIT_AS, size):
        _try(shared, "A long breath. " * 2_000)
        assert shared.server.is_alive()
    shared.until(lambda: shared.last("b")[1] != "running", "the turn has ended")
    shared.say("a", "There is memory again.")
    assert verify(shared.settings) == []


def test_a_database_locked_by_another_program_is_waited_for_and_then_told(shared: Desk) -> None:
    """TRUST 96: a lock that outlasts every turn that waits for it. Each waits its five seconds and is refused, and so
    it goes for a minute as for these two; meanwhile every page is served, and nothing is half done."""
    other = sqlite3.connect(shared.settings.db_path, isolation_level=None)
    other.execute("begin immediate")
    answers: list[tuple[int, str]] = []

    def post() -> None:
        for _ in range(2):
            refused = shared.post("b", "Is anybody there?")
            answers.append((refused.status, refused.text))

    waiting = threading.Thread(target=post)
    waiting.start()
    served = 0
    while waiting.is_alive() and served < 2_000:
        assert shared.page("/chats/b").status == 200, shared.told[-6000:]
        served += 1
        time.sleep(0.05)
    waiting.join()
    other.execute("rollback")
    other.close()
    assert served > 5
    assert [status for status, _ in answers] == [503, 503]
    assert all("Another program is using the database" in text for _, text in answers)
    assert "Is anybody there?" not in shared.get("/chats/b").text
    shared.say("b", "Is anybody there now?")
    assert verify(shared.settings) == []


def test_a_reader_that_stays_harms_nothing_and_is_told_of(
    shared: Desk,
) -> None:
    """TRUST 97, in the real program: the log grows by what is written, and is used anew once the reader is gone.

    That it is told of when it has grown long is in tests/trust.
    """
    before = _log_bytes(shared)
    other = sqlite3.connect(f"{shared.settings.db_path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    other.execute("begin")
    seen = other.execute("select count(*) from event_log").fetchone()
    for number in range(5):
        shared.say("a", f"Number {number}.")
    assert _log_bytes(shared) > before
    assert other.execute("select count(*) from event_log").fetchone() == seen
    other.close()
    for number in range(10):  # a page that reads at that very moment puts it off to the next reply
        before = _log_bytes(shared)
        shared.say("a", f"And {number}.")
        if _log_bytes(shared) <= before:
            return
    raise AssertionError("the write-ahead log keeps growing")


def _log_bytes(desk: Desk) -> int:
    size: int = desk.get("/health").json["write_ahead_log_bytes"]
    return size


def test_a_second_server_names_the_first_and_a_kill_leaves_no_lock(shared: Desk) -> None:
    """TRUST 95."""
    second = shared.server.command("serve", "--no-open", "--port", "0")
    assert second.returncode == 3
    assert str(shared.pid) in second.stderr
    shared.server.kill()
    shared.server.start()
    shared.say("a", "I am back.")


def _try(desk: Desk, words: str = "May I?") -> None:
    """A turn of which nothing is expected but that the program survives it."""
    try:
        desk.post("b", words)
    except OSError:
        return


@pytest.fixture(autouse=True)
def nothing_runs(shared: Desk) -> Iterator[None]:
    yield
    for chat in ("a", "b"):
        shared.until(lambda chat=chat: shared.last(chat)[1] != "running", "the last reply has ended")
