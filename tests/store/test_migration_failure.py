"""A schema that cannot be brought up to date ends the start: a sentence, an exit code, a log line, nothing changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.support.server import Server


def test_a_start_that_cannot_migrate_says_so_and_leaves_the_database_alone(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as first:
        assert first.request("GET", "/ready").status == 200
    database = tmp_path / "data" / "chat.db"
    with sqlite3.connect(database) as conn:
        conn.execute("update migrations set checksum = 'another' where version = 1")
    conn.close()
    before = database.read_bytes()
    failed = Server(tmp_path / "data").command("serve", "--no-open", "--port", "0")
    assert failed.returncode == 1
    said, next_step = failed.stderr.splitlines()[-2:]
    assert "was changed" in said
    assert next_step.startswith("Put the file back")
    logs = "".join(
        path.read_text("utf-8") for path in (tmp_path / "data" / "logs").rglob("*") if path.is_file()
    )
    assert "the_program_could_not_start" in logs
    assert "migration_failed" in logs
    assert database.read_bytes() == before
