"""Brings the schema up to date: numbered SQL files, forward only, each in one transaction with its own record.

A file that was edited after it ran, and a database written by a newer program, are refused. Whatever there is to
lose is copied first.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import sqlite3
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from chat.errors import MigrationFailed, NewerDatabase, StoreDamaged

_RECORD_TABLE = """
create table if not exists migrations (
    version integer primary key, name text not null, checksum text not null, applied_at text not null
) strict
"""
_APPLIED = "select version, checksum from migrations order by version"
_RECORD = "insert into migrations (version, name, checksum, applied_at) values (?, ?, ?, ?)"
_TABLES = "select count(*) from sqlite_master"
_HAS_RECORD = "select count(*) from sqlite_master where name = 'migrations'"


class Migration(NamedTuple):
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@cache
def shipped() -> tuple[Migration, ...]:
    """Every migration of this program, oldest first."""
    folder = importlib.resources.files("chat.store") / "migrations"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".sql")), key=lambda f: f.name)
    return tuple(
        Migration(int(file.name[:4]), file.name.removesuffix(".sql"), file.read_text("utf-8"))
        for file in files
    )


def statements(sql: str) -> Iterator[str]:
    """The statements of a script, as SQLite itself sees where each ends."""
    waiting = ""
    *pieces, rest = sql.split(";")
    for piece in pieces:
        waiting += piece + ";"
        if sqlite3.complete_statement(waiting):
            yield waiting.strip()
            waiting = ""
    left = (waiting + rest).splitlines()
    if any(line.strip() and not line.lstrip().startswith("--") for line in left):
        raise MigrationFailed("A migration file ends in the middle of a statement.")


def pending(conn: sqlite3.Connection, known: tuple[Migration, ...]) -> tuple[Migration, ...]:
    """What has not run yet. Refuses edited files, newer databases and files of another program."""
    if not conn.execute(_HAS_RECORD).fetchone()[0]:
        if conn.execute(_TABLES).fetchone()[0]:
            raise StoreDamaged("The database file belongs to another program.")
        return known
    applied = dict(conn.execute(_APPLIED).fetchall())
    newest = known[-1].version if known else 0
    if applied and max(applied) > newest:
        raise NewerDatabase(f"The database has schema {max(applied)}; this program knows up to {newest}.")
    for migration in known:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise MigrationFailed(
                f"The migration {migration.name} was changed after this database had run it.",
                "Put the file back as it was shipped, or start the program that wrote this database.",
            )
    return tuple(migration for migration in known if migration.version not in applied)


def migrate(
    conn: sqlite3.Connection,
    now: str,
    keep: Callable[[str], object],
    known: tuple[Migration, ...] | None = None,
) -> tuple[str, ...]:
    """Run what is missing and return its names. `now` is the time as the log writes it.

    `keep` makes a copy of what there is to lose, and is told the name of the first migration to be run.
    """
    todo = pending(conn, shipped() if known is None else known)
    if todo and conn.execute(_TABLES).fetchone()[0]:
        keep(todo[0].name)
    for migration in todo:
        _run(conn, migration, now)
    return tuple(migration.name for migration in todo)


def create(conn: sqlite3.Connection) -> None:
    """The whole schema in an empty database of our own; the caller holds the transaction."""
    for migration in shipped():
        for statement in statements(migration.sql):
            conn.execute(statement)


def _run(conn: sqlite3.Connection, migration: Migration, now: str) -> None:
    todo = list(statements(migration.sql))
    conn.execute("begin immediate")
    try:
        conn.execute(_RECORD_TABLE)
        for statement in todo:
            conn.execute(statement)
        conn.execute(_RECORD, (migration.version, migration.name, migration.checksum, now))
        conn.execute("commit")
    except sqlite3.Error as problem:
        raise MigrationFailed(f"The migration {migration.name} failed: {problem}.") from problem
    finally:
        if conn.in_transaction:
            conn.execute("rollback")
