"""Snapshots shorten a far jump; a bad one, or none, changes nothing but the time it takes."""

from __future__ import annotations

import errno
import sqlite3
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import pytest
import structlog

from chat.clock import Clock
from chat.settings import Settings, load_settings
from chat.store import Store, jump, log, snapshot_file, snapshots, undo
from chat.store.jump import Jump
from chat.store.snapshots import Snapshots
from tests.store.test_undo import rows
from tests.support import stories


async def take(store: Store, chat: str = "a", *, before_rewind: bool = False) -> Path:
    header = await store.keep_snapshot(chat, await store.moment(), before_rewind=before_rewind)
    assert header is not None
    folder = store._settings.snapshots_dir / ("rewind" if before_rewind else "")
    (path,) = folder.glob(f"{snapshots._of_chat(chat)}-{header.head_id:015d}-*.snapshot")
    return path


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How each jump went: "anew" for every fold from the first event, "snapshot" for each snapshot gone on from."""
    how: list[str] = []
    anew, restore = Jump.anew, snapshots.restore
    monkeypatch.setattr(Jump, "anew", lambda self: how.append("anew") or anew(self))
    monkeypatch.setattr(snapshots, "restore", lambda *given: how.append("snapshot") or restore(*given))
    return how


async def far_away_and_back(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """To another branch and back, with nothing left to undo; returns the rows as they are then."""
    undo.forget(store._live.conn)
    await store.execute(lambda state: stories.forked("a", "a-2", "a-1", 2))
    undo.forget(store._live.conn)
    await store.execute(lambda state: stories.selected("a", "a-1", 8, "a-2"))
    return rows(store._live.conn)


async def test_a_far_jump_goes_on_from_the_latest_snapshot_that_fits(told: Store, folded: list[str]) -> None:
    await take(told)
    await told.execute(lambda state: stories.exchange("a", "a-1", 7, "Later."))
    before = rows(told._live.conn)
    assert await far_away_and_back(told) == before
    assert folded == ["anew", "snapshot"]
    assert told._live.worlds["a"].state.head_step == 8


async def test_what_a_chat_has_since_its_newest_good_snapshot_is_counted_and_no_further_than_asked(
    told: Store,
) -> None:
    def since(chat: str = "a", most: int = 1000) -> int:
        before_id = log.head(told._live.conn).id
        return snapshots.since(told._settings, chat, before_id + 1, lambda rows: most)[0]

    everything, of_the_other = since(), since("b")
    old = await take(told)
    await told.execute(lambda state: stories.exchange("a", "a-1", 7, "Later."))
    later = since()
    assert 0 < later < everything
    assert (since(most=1), since("b")) == (1, of_the_other)
    new = await take(told)
    await take(told, before_rewind=True)
    assert since() == 0
    new.write_bytes(b"no snapshot")
    assert since() == later
    old.unlink()
    assert since() == everything + later
    assert new.exists(), "looking changes nothing"


async def test_going_back_a_little_is_near_again_after_a_snapshot(told: Store, folded: list[str]) -> None:
    await take(told)
    await far_away_and_back(told)
    folded.clear()
    await told.execute(lambda state: stories.forked("a", "a-3", "a-1", 4))
    assert folded == []


async def test_a_snapshot_that_cannot_be_read_now_is_there_when_it_can(
    told: Store, folded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed read never leads to a write: the log is folded instead, and the file is left as it is."""
    path = await take(told)
    before = rows(told._live.conn)

    def fails(_: Path) -> NoReturn:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(snapshot_file, "read_header", fails)
        assert await far_away_and_back(told) == before
    assert folded == ["anew", "anew"]
    folded.clear()
    assert path.exists()
    assert await far_away_and_back(told) == before
    assert "snapshot" in folded


@pytest.mark.parametrize(
    "what", ["flipped", "flipped in the line", "cut", "empty", "text", "another format", "missing"]
)
async def test_a_damaged_snapshot_is_left_aside_with_a_warning(
    told: Store, folded: list[str], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRUST 85."""
    if what == "another format":
        monkeypatch.setattr(snapshots, "FORMAT", 0)
    path = await take(told)
    content = path.read_bytes()
    figure = content.index(b"]]", content.index(b'"line"')) - 1
    damaged = {
        "flipped": content[:-60] + bytes([content[-60] ^ 1]) + content[-59:],
        "flipped in the line": content[:figure] + bytes([content[figure] ^ 1]) + content[figure + 1 :],
        "cut": content[: len(content) // 2],
        "empty": b"",
        "text": b"not a snapshot at all",
        "another format": content,
    }
    path.write_bytes(damaged.get(what, b""))
    if what == "missing":
        path.unlink()
    before = rows(told._live.conn)
    with structlog.testing.capture_logs() as logged:
        assert await far_away_and_back(told) == before
    assert "anew" in folded
    assert not path.exists()
    if what != "missing":
        assert any(line["event"] == "snapshot_left_aside" for line in logged)


async def test_a_snapshot_of_another_database_or_of_a_later_head_is_not_used(
    told: Store, folded: list[str], settings: Settings, tmp_path: Path
) -> None:
    """The same chat, told otherwise elsewhere (TRUST 85)."""
    other = load_settings(data_dir=tmp_path / "other")
    elsewhere = await Store.open(other, Clock(seed=9))
    await elsewhere.execute(lambda state: [*stories.cast(), *stories.chat("a"), *stories.chat("b")])
    for step in (1, 3, 5, 7, 9):
        await elsewhere.execute(lambda state, at=step: stories.exchange("a", "a-1", at, "Another story."))
        path = await take(elsewhere)
        settings.snapshots_dir.mkdir(exist_ok=True, parents=True)
        (settings.snapshots_dir / path.name).write_bytes(path.read_bytes())
    await elsewhere.close()
    before = rows(told._live.conn)
    assert await far_away_and_back(told) == before
    assert "snapshot" not in folded


async def test_a_snapshot_by_another_program_is_not_used(told: Store, folded: list[str]) -> None:
    """TRUST 85."""
    await take(told)
    told._live.conn.execute("update projector set fingerprint = 'another'")
    before = rows(told._live.conn)
    assert await far_away_and_back(told) == before
    assert folded == ["anew", "anew"]


async def test_rows_that_do_not_fit_are_left_aside_and_the_chat_is_folded_anew(
    told: Store, folded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole file whose rows are wrong: what it ends with is held against the log (TRUST 85)."""
    read = snapshot_file.read

    def shortened(path: Path) -> object:
        return (chunk for chunk in read(path) if chunk[0] != "chat_state")

    await take(told)
    monkeypatch.setattr(snapshot_file, "read", shortened)
    before = rows(told._live.conn)
    assert await far_away_and_back(told) == before
    assert folded == ["anew", "snapshot", "anew"]


async def test_rows_that_cannot_be_read_are_asked_for_once_and_the_file_stays(
    told: Store, folded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing disk (TRUST 85): the beginning is read and the rest is not, again and again."""
    asked = 0

    def failing(path: Path) -> object:
        nonlocal asked
        asked += 1
        assert asked < 10, "it would be asked for without an end"
        raise OSError(5, "Input/output error")

    path = await take(told)
    monkeypatch.setattr(snapshot_file, "read", failing)
    before = rows(told._live.conn)
    assert await far_away_and_back(told) == before
    assert folded == ["anew", "snapshot", "anew"]
    assert path.exists()


async def test_a_snapshot_from_before_words_were_erased_is_never_used(
    told: Store, folded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erasing is played by a fork here: what counts is that it came after the snapshot."""
    path = await take(told)
    monkeypatch.setattr(log, "_ERASED_SINCE", log._ERASED_SINCE.replace("words_erased", "branch_forked"))
    before = rows(told._live.conn)
    assert await far_away_and_back(told) == before
    assert "snapshot" not in folded
    assert not path.exists()


async def test_five_of_a_chat_are_kept_ever_further_apart(told: Store) -> None:
    for step in range(7, 67, 2):
        await told.execute(lambda state, at=step: stories.exchange("a", "a-1", at))
        await take(told)
    await take(told, "b")
    kept = Snapshots(told._settings.snapshots_dir)
    ids = sorted(snapshots._head_id(path) for path in kept._of("a"))
    assert len(ids) == snapshots.KEPT
    assert len(kept._of("b")) == 1
    gaps = [later - earlier for earlier, later in pairwise(ids)]
    assert gaps[-1] < gaps[0]


async def test_before_a_rewind_the_newest_five_are_kept(told: Store) -> None:
    made = []
    for step in range(7, 21, 2):
        await told.execute(lambda state, at=step: stories.exchange("a", "a-1", at))
        made.append(await take(told, before_rewind=True))
    assert sorted(Snapshots(told._settings.snapshots_dir).rewind_folder.iterdir()) == sorted(made[-5:])


async def test_snapshots_are_private_and_can_be_forgotten(told: Store, settings: Settings) -> None:
    paths = [await take(told), await take(told, before_rewind=True), await take(told, "b")]
    for path in paths:
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    half = paths[0].with_name(paths[0].name + ".part")
    half.write_bytes(b"The lamp is lit.")
    assert snapshots.forget(settings, ["library", "chat:a"]) == 3
    assert [path.exists() for path in [*paths, half]] == [False, False, True, False]
    assert snapshots.delete_all(settings) == 1
    assert snapshots.delete_all(settings) == 0


async def test_a_moment_stays_what_it_was_whatever_is_written_meanwhile(told: Store) -> None:
    moment = await told.moment()
    head = told.head
    await told.execute(lambda state: stories.exchange("a", "a-1", 7, "Later."))
    header = await told.keep_snapshot("a", moment)
    assert header is not None
    assert header.head_id == head
    with pytest.raises(sqlite3.ProgrammingError):
        moment.conn.execute("select 1")


async def test_an_empty_chat_or_none_at_all_has_no_snapshot(store: Store) -> None:
    assert await store.keep_snapshot("no such chat", await store.moment()) is None
    assert jump.apart((("a", 3),), (("a", 3),)) == []
