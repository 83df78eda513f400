"""Stories with a backup in the middle, and backups somebody has tampered with."""

from __future__ import annotations

import sqlite3

from chat.clock import Clock
from chat.domain.tables import TABLES
from chat.settings import Settings
from chat.store import Store, connections
from chat.store.backup_folder import Backup
from chat.store.rows import select
from tests.support import stories


def rows(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the log and of every mirrored table."""
    conn = connections.read_only(settings.db_path)
    try:
        found = {name: sorted(conn.execute(select(name)).fetchall(), key=repr) for name in TABLES}
        return found | {"event_log": conn.execute("select * from event_log order by id").fetchall()}
    finally:
        conn.close()


async def play(settings: Settings, steps: range, chat: str = "a") -> None:
    store = await Store.open(settings, Clock())
    if not store.library.chats:
        await store.execute(lambda state: [*stories.cast(), *stories.chat("a"), *stories.chat("b")])
    for step in steps:
        await store.execute(lambda state, s=step: stories.exchange(chat, f"{chat}-1", s))
    await store.close()


def place(settings: Settings, name: str, content: bytes) -> None:
    settings.ensure_folders()
    (settings.backups_dir / f"{name}.db").write_bytes(content)


def edited(settings: Settings, made: Backup, name: str, *statements: str) -> str:
    """A copy of a backup, changed by somebody, without its manifest."""
    place(settings, name, (settings.backups_dir / f"{made.name}.db").read_bytes())
    conn = sqlite3.connect(settings.backups_dir / f"{name}.db", isolation_level=None)
    for statement in statements:
        conn.execute(statement)
    conn.close()
    return name
