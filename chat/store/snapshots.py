"""The snapshots of a data folder: which are kept, which one helps a far jump, and how its rows come back.

Only a short cut: with all of them gone, every state is the same and a far jump folds more. What cannot be used is
left aside with a warning. They hold story text, so `forget` and `delete_all` belong to every erasing of words: after
its commit, once what is being written has ended (`idle` of the engine's snapshots).
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from chat.domain.events import chat_stream
from chat.domain.lineage import Lineage, lineage_of
from chat.domain.memories import Memory
from chat.domain.tables import PER_CHAT, TABLES
from chat.observe import get_logger
from chat.settings import Settings
from chat.store import abandoned, connections, log, snapshot_file, undo
from chat.store.rows import delete_rows, put_rows, select, visible
from chat.store.snapshot_file import FORMAT, UNDO, Chunk, Header, UnusableSnapshot

logged = get_logger(__name__)
KEPT = 5
"""For each chat, of either kind."""
_ENDING = ".snapshot"
_LEFT_ASIDE = (
    "A snapshot of a story could not be used and was left aside. It is only a short cut for going far back: nothing "
    "was lost, the story was told anew from the log instead, and nothing need be done."
)
_PROJECTOR = "select cursor, fingerprint from projector"
_BRANCHES = "select id, parent_id, fork_step from branches where chat_id = ?"
_SELECTED = "select branch_id from chats where id = ?"
_FETCHED = 2_000
_COUNT = "select count(*) from {} where chat_id = ?"
_UNDO = "select first_event_id, images from undo_rows where chat_id = ? order by first_event_id"
_SINCE = "select count(*) from (select 1 from event_log where stream = ? and id > ? and id < ? limit ?)"
_PUT_UNDO = "insert into undo_rows (chat_id, first_event_id, images) values (?, ?, ?)"


class _Fork(NamedTuple):
    parent_id: str | None
    fork_step: int


class Snapshots:
    """`folder` holds those of every chat; `rewind_folder` those of the moment before each rewind."""

    def __init__(self, folder: Path, warn: Callable[[str], None] = lambda told: None) -> None:
        self._folder = folder
        self._warn = warn
        self._is_told = False
        self.rewind_folder = folder / "rewind"

    def take(self, conn: sqlite3.Connection, chat_id: str, *, before_rewind: bool = False) -> Header | None:
        """Write the chat as a read transaction shows it; None when there is nothing yet. Any thread may.

        Costs the rows of the chat. The oldest that add least go, so that the kept ones lie ever further apart.
        """
        header = _header(conn, chat_id)
        if header is None:
            return None
        folder = self.rewind_folder if before_rewind else self._folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{_of_chat(chat_id)}-{header.head_id:015d}-{_of_line(header.line)}{_ENDING}"
        snapshot_file.write(path, header, _chunks(conn, chat_id))
        self._thin(folder, chat_id, newest_only=before_rewind)
        return header

    def latest_for(
        self, conn: sqlite3.Connection, chat_id: str, is_shared: Callable[[Header], bool], before_id: int
    ) -> tuple[Path, Header] | None:
        """The snapshot of the latest event before one that is of this log and of what a line shows."""
        (_, fingerprint) = conn.execute(_PROJECTOR).fetchone()
        for path in sorted(self._of(chat_id), key=_head_id, reverse=True):
            try:
                header = snapshot_file.read_header(path)
                if (
                    header.chat_id != chat_id
                    or header.head_id >= before_id
                    or header.fingerprint != fingerprint
                ):
                    continue
                _must_be_of(conn, header)
                if is_shared(header):
                    return path, header
            except (UnusableSnapshot, OSError, ValueError) as problem:
                self.leave_aside(path, problem)
        return None

    def newest(self, conn: sqlite3.Connection, chat_id: str) -> Header | None:
        """The newest that was taken now and then and can be used. Looks at names and headers, and changes nothing."""
        (_, fingerprint) = conn.execute(_PROJECTOR).fetchone()
        for path in sorted(_named(self._folder, chat_id), key=_head_id, reverse=True):
            with suppress(UnusableSnapshot, OSError, ValueError):
                header = snapshot_file.read_header(path)
                _must_be_of(conn, header)
                if (header.chat_id, header.fingerprint) == (chat_id, fingerprint):
                    return header
        return None

    def leave_aside(self, path: Path, problem: Exception) -> None:
        """A snapshot that cannot be used is no loss: it goes, and the log is folded instead. One that only could not be
        read this time stays: a failed read leads to no write."""
        why = str(problem) if isinstance(problem, UnusableSnapshot) else type(problem).__name__
        logged.warning("snapshot_left_aside", file=path.name, why=why)
        if not self._is_told:
            self._is_told = True
            self._warn(_LEFT_ASIDE)
        if not isinstance(problem, OSError):
            with suppress(OSError):
                path.unlink()

    def _of(self, chat_id: str) -> list[Path]:
        return [*_named(self._folder, chat_id), *_named(self.rewind_folder, chat_id)]

    def _thin(self, folder: Path, chat_id: str, *, newest_only: bool) -> None:
        paths = sorted(_named(folder, chat_id), key=_head_id)
        while len(paths) > KEPT:
            paths.pop(0 if newest_only else _least_missed([_head_id(path) for path in paths])).unlink(
                missing_ok=True
            )


class Moment:
    """The stories as they were when it was made, whatever is written meanwhile. To be closed by any thread."""

    def __init__(self, database: Path) -> None:
        self.conn = connections.read_only(database)
        with connections.closing_on_error(self.conn), connections.translated():
            self.conn.execute(connections.READ_ONCE)
            self.conn.execute("begin")
            self.conn.execute(_PROJECTOR).fetchone()

    def close(self) -> None:
        self.conn.close()


def since(settings: Settings, chat_id: str, before_id: int, most: Callable[[int], int]) -> tuple[int, int]:
    """How many events a chat has between its newest snapshot and an event, and how many rows that snapshot has.

    Counts no further than `most` allows for so many rows: never more than lies between two snapshots.
    """
    moment = Moment(settings.db_path)
    try:
        with connections.translated():
            header = Snapshots(settings.snapshots_dir).newest(moment.conn, chat_id)
            head_id, rows = (header.head_id, header.rows) if header else (0, 0)
            given = (chat_stream(chat_id), head_id, before_id, most(rows))
            return moment.conn.execute(_SINCE, given).fetchone()[0], rows
    finally:
        moment.close()


def restore(conn: sqlite3.Connection, path: Path, chat_id: str) -> None:
    """Make the rows of a chat those of a snapshot; what stands there already is not written again.

    The caller holds the transaction. Raises UnusableSnapshot, after which the rows are to be made anew.
    """
    for table in PER_CHAT:
        conn.execute(f"drop table if exists temp.snapshot_{table}")
        names = ", ".join(TABLES[table].__struct_fields__)
        key = ", ".join(TABLES[table].key)
        conn.execute(f"create temp table snapshot_{table} ({names}, primary key ({key}))")
    try:
        with _fitting():
            for table, rows in _rows_of(conn, path, chat_id):
                places = ", ".join("?" * len(TABLES[table].__struct_fields__))
                conn.executemany(f"insert into temp.snapshot_{table} values ({places})", rows)
            _compare_and_write(conn, chat_id)
    finally:
        for table in PER_CHAT:
            conn.execute(f"drop table if exists temp.snapshot_{table}")
    abandoned.forget(conn, chat_id)


def add(conn: sqlite3.Connection, path: Path, chat_id: str) -> None:
    """Write the rows of a snapshot over those with the same keys, whatever else stands there.

    The caller holds the transaction. Raises UnusableSnapshot, after which the rows are to be made anew.
    """
    with _fitting():
        for table, rows in _rows_of(conn, path, chat_id):
            put_rows(conn, table, rows)


@contextmanager
def _fitting() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as problem:
        raise UnusableSnapshot("its rows do not fit") from problem


def _rows_of(conn: sqlite3.Connection, path: Path, chat_id: str) -> Iterator[Chunk]:
    """What a snapshot has of the mirrored tables. Its steps are put in the place of those that are kept."""
    undo.forget(conn, chat_id)
    for table, rows in snapshot_file.read(path):
        if table == UNDO:
            conn.executemany(_PUT_UNDO, ((chat_id, *row) for row in rows))
        else:
            yield table, rows


def forget(settings: Settings, streams: Iterable[str]) -> int:
    """Delete every snapshot of these streams' chats; how many there were."""
    names = tuple(_of_chat(stream.removeprefix("chat:")) for stream in streams if stream.startswith("chat:"))
    return _delete(path for path in _all(settings) if path.name.startswith(names)) if names else 0


def delete_all(settings: Settings) -> int:
    """Delete every snapshot; how many there were."""
    return _delete(_all(settings))


def sweep(settings: Settings) -> None:
    """Clear up what a kill left half written. Only for the holder of the folder's lock."""
    _delete(path for path in _all(settings) if path.suffix != _ENDING)


def _must_be_of(conn: sqlite3.Connection, header: Header) -> None:
    if log.hash_of(conn, header.head_id) != bytes.fromhex(header.head_hash):
        raise UnusableSnapshot("it is of another log")
    if log.erased_since(conn, header.head_id):
        raise UnusableSnapshot("words were erased since")


def _named(folder: Path, chat_id: str) -> list[Path]:
    return list(folder.glob(f"{_of_chat(chat_id)}-*{_ENDING}")) if folder.is_dir() else []


def _all(settings: Settings) -> list[Path]:
    """Also what a kill left half written."""
    folder = settings.snapshots_dir
    return [path for path in folder.rglob(f"*{_ENDING}*") if path.is_file()] if folder.is_dir() else []


def _delete(paths: Iterable[Path]) -> int:
    count = 0
    for path in list(paths):
        path.unlink(missing_ok=True)
        count += 1
    return count


def _header(conn: sqlite3.Connection, chat_id: str) -> Header | None:
    cursor, fingerprint = conn.execute(_PROJECTOR).fetchone()
    selected = conn.execute(_SELECTED, (chat_id,)).fetchone()
    digest = log.hash_of(conn, cursor)
    if selected is None or digest is None or not cursor:
        return None
    forks = {row[0]: _Fork(row[1], row[2]) for row in conn.execute(_BRANCHES, (chat_id,))}
    tables = (*PER_CHAT, UNDO)
    counts = {
        table: conn.execute(_COUNT.format(visible(table)), (chat_id,)).fetchone()[0] for table in tables
    }
    return Header(
        format=FORMAT,
        fingerprint=fingerprint,
        chat_id=chat_id,
        head_id=cursor,
        head_hash=digest.hex(),
        line=lineage_of(forks, selected[0]),
        counts=counts,
        columns=snapshot_file.columns(),
    )


def _chunks(conn: sqlite3.Connection, chat_id: str) -> Iterator[Chunk]:
    """Rows in the order in which they came, where that counts."""
    yield UNDO, conn.execute(_UNDO, (chat_id,)).fetchall()
    for table in PER_CHAT:
        rows = conn.execute(f"{select(table)} where chat_id = ? order by {_order(conn, table)}", (chat_id,))
        while found := rows.fetchmany(_FETCHED):
            yield table, found


def _order(conn: sqlite3.Connection, table: str) -> str:
    if table == Memory.table:
        return "event_id"
    return "rowid" if undo.is_listed_by_arrival(conn, table) else ", ".join(TABLES[table].key)


def _compare_and_write(conn: sqlite3.Connection, chat_id: str) -> None:
    for table in reversed(PER_CHAT):
        delete_rows(conn, table, _is_gone(conn, table), (chat_id,))
    for table in PER_CHAT:
        changed = conn.execute(_changed_sql(table)).fetchall()
        put_rows(conn, table, changed)


def _is_gone(conn: sqlite3.Connection, table: str) -> str:
    """Rows that the snapshot has not; all of them where the order in which they came counts."""
    if undo.is_listed_by_arrival(conn, table):
        return "chat_id = ?"
    same = f"select 1 from temp.snapshot_{table} kept where {_same_key(table, 'kept')}"
    return f"chat_id = ? and not exists ({same})"


def _changed_sql(table: str) -> str:
    names = TABLES[table].__struct_fields__
    kept = ", ".join(f"kept.{name}" for name in names)
    here = ", ".join(f"{table}.{name}" for name in names)
    return f"""
    select {kept} from temp.snapshot_{table} kept left join {table} on {_same_key(table, "kept")}
    where ({kept}) is not ({here}) order by kept.rowid
    """


def _same_key(table: str, other: str) -> str:
    return " and ".join(f"{other}.{name} = {table}.{name}" for name in TABLES[table].key)


def _least_missed(head_ids: Sequence[int]) -> int:
    """Which of the kept ones leaves the smallest gap for its age; never the oldest or the newest."""
    newest = head_ids[-1] + 1
    inner = range(1, len(head_ids) - 1)
    return min(inner, key=lambda at: (head_ids[at + 1] - head_ids[at - 1]) / (newest - head_ids[at - 1]))


def _of_chat(chat_id: str) -> str:
    return hashlib.sha256(chat_stream(chat_id).encode()).hexdigest()[:20]


def _of_line(line: Lineage) -> str:
    return hashlib.sha256(repr(line).encode()).hexdigest()[:8]


def _head_id(path: Path) -> int:
    """As the name says; a stray file counts as the oldest."""
    _, _, rest = path.name.partition("-")
    number = rest.split("-")[0]
    return int(number) if number.isdecimal() else -1
