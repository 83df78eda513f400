"""A snapshot and what came after it are the whole story: at every cut, on every line that shares what it holds.

After each command of a random history every chat gets a snapshot; in the end each of them is gone on from, to every
branch: more than a thousand times, of some two thousand tries. CUT_EXAMPLES and CUT_STEPS in the environment make it
search longer.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from chat.domain.lineage import lineage_of
from chat.domain.world import World
from chat.store import loading, migrate, snapshots, telling, undo
from chat.store.jump import Jump
from chat.store.rows import Buffer
from chat.store.snapshots import Snapshots
from tests.properties.histories import CHATS, Rows, Telling, rows_of
from tests.properties.test_jumps import SMALL, of_chat, rolled_back

CUTS = {"tried": 0, "used": 0}


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in (*SMALL, (snapshots, "KEPT", 1_000)):
        monkeypatch.setattr(module, name, value)


class Only(Snapshots):
    """One snapshot, as if it were all there is."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent)
        self.path = path

    def _of(self, chat_id: str) -> list[Path]:
        return [self.path] if self.path.exists() else []


def told_on(conn: sqlite3.Connection, chat: str, branch: str) -> tuple[Rows, World]:
    """What the log tells of a chat on some branch."""
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate.create(fresh)
        buffer = Buffer(fresh)
        library = telling.library(conn, buffer)
        chosen = msgspec.structs.replace(library.chats[chat], branch_id=branch)
        library = msgspec.structs.replace(library, chats={**library.chats, chat: chosen})
        telling.stories(conn, buffer, library, {})
        return of_chat(rows_of(fresh), chat), loading.world(fresh, chat)
    finally:
        fresh.close()


class Cuts(Telling):
    def begin_folder(self) -> Snapshots:
        return Snapshots(self.folder / "cuts")

    @invariant()
    def every_moment_is_kept(self) -> None:
        self.live.conn.execute("begin")
        for chat in CHATS:
            self.begin_folder().take(self.live.conn, chat)
        self.live.conn.execute("rollback")

    def every_cut_is_gone_on_from(self, chat: str) -> None:
        conn, before = self.live.conn, rows_of(self.live.conn)
        branches = {one.id: one for one in self.live.library.branches.values() if one.chat_id == chat}
        paths = self.begin_folder()._of(chat)
        for branch in branches:
            line = lineage_of(branches, branch)
            rows, world = told_on(conn, chat, branch)
            for path in paths:
                CUTS["tried"] += 1
                with rolled_back(conn):
                    going = Jump(conn, Buffer(conn), chat, line, self.live.head.id + 1, Only(path))
                    found = going.from_snapshot()
                    if found is None:
                        continue
                    CUTS["used"] += 1
                    assert of_chat(rows_of(conn), chat) == rows
                    assert found == world
                    assert list(found.places) == list(world.places)
                    oldest = undo.oldest(conn, chat)
                    if oldest is not None:
                        undo.back_to(conn, chat, oldest)
            assert len(self.begin_folder()._of(chat)) == len(paths), "a good one was left aside"
        assert rows_of(conn) == before

    def teardown(self) -> None:
        if not hasattr(self, "live"):
            return
        for chat in CHATS:
            self.every_cut_is_gone_on_from(chat)
        self.live.close()
        shutil.rmtree(self.folder)


def test_a_snapshot_and_what_came_after_it_are_the_whole_story() -> None:
    run_state_machine_as_test(
        Cuts,
        settings=settings(
            max_examples=int(os.environ.get("CUT_EXAMPLES", "48")),
            stateful_step_count=int(os.environ.get("CUT_STEPS", "25")),
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
    assert CUTS["used"] > max(1_000, CUTS["tried"] // 2)
