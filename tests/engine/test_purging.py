"""`chat purge`: only what was put away long ago goes, after a look and a word, and then no file holds it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from chat.cli import app
from chat.clock import Clock
from chat.domain.events import library
from chat.domain.events.library import ChatArchived, ChatRestored
from chat.engine import purging
from chat.settings import Settings, load_settings
from chat.store import Store, backup
from chat.store.verify import verify
from tests.support import stories
from tests.support.erasing import CANARY, CARRIED, fill, holding


@pytest.fixture
async def shelf(tmp_path: Path) -> Settings:
    """Chat a, full of canaries, is put away; chat b goes on; chat c was put away and brought back."""
    settings = load_settings(data_dir=tmp_path / "data")
    store = await Store.open(settings, Clock())
    try:
        await fill(store, settings)
        put_away = [library(ChatArchived(chat_id=one)) for one in "ac"]
        brought_back = library(ChatRestored(chat_id="c"))
        await store.execute(lambda state: [*stories.chat("c"), *put_away, brought_back])
    finally:
        await store.close()
    return settings


def run(settings: Settings, *asked: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["purge", "--data-dir", str(settings.data_dir), *asked], input=typed)


def rows(answer: Result) -> Sequence[str]:
    return [json.loads(line)["chat_id"] for line in answer.stdout.splitlines()]


async def test_only_what_was_put_away_long_enough_ago_is_due(shelf: Settings) -> None:
    async def due(after: float, days: int) -> list[tuple[str, int]]:
        later = Clock(now=lambda: datetime.now(UTC) + timedelta(days=after))
        found = await purging.found(shelf, later, days)
        return [(one.chat_id, one.days) for one in found]

    assert await due(29.5, 30) == []
    assert await due(30.5, 30) == [("a", 30)]
    assert await due(0, 0) == [("a", 0)]


def test_a_dry_run_says_what_would_go_and_takes_nothing(shelf: Settings) -> None:
    assert rows(run(shelf, "--days", "0", "--dry-run", "--json")) == ["a"]
    assert rows(run(shelf, "--dry-run", "--json")) == []
    assert "There is nothing to purge." in run(shelf).stdout
    assert CANARY in run(shelf, "--days", "0", "--dry-run").stdout
    assert "chat.db" in holding(shelf, CANARY)


def test_it_asks_first_and_then_no_file_but_the_backup_holds_a_word(shelf: Settings) -> None:
    assert run(shelf, "--days", "0", typed="yes\n").exit_code == 1
    assert "chat.db" in holding(shelf, CANARY)
    answer = run(shelf, "--days", "0", typed="purge\n")
    assert answer.exit_code == 0, answer.output
    assert "The words are gone from every file but the backups." in answer.stdout
    assert holding(shelf, CANARY) == []
    assert "chat.db" in holding(shelf, CARRIED)  # what went over into chat b is its own
    assert [one.manifest.reason for one in backup.listing(shelf) if one.manifest] == ["before-delete"]
    assert verify(shelf) == []


def test_what_else_may_hold_a_word_is_named_at_the_end(shelf: Settings) -> None:
    aside = shelf.db_path.with_name("chat.db-wal.damaged-2026-01-01T000000Z")
    aside.write_text(CANARY)
    shelf.backups_dir.mkdir(exist_ok=True)
    (shelf.backups_dir / "from elsewhere.db").write_text(CANARY)
    said = run(shelf, "--days", "0", "--yes").stdout
    assert f"every file but the backups and what was damaged and set aside: {aside.name}." in said
    assert "Not made by this program, so not looked into: from elsewhere, among the backups." in said
    assert holding(shelf, CANARY) == [aside.name]


def test_backups_and_what_went_over_into_others_go_too_when_that_is_wanted(shelf: Settings) -> None:
    backup.make(shelf, Clock(), "daily")
    answer = run(shelf, "--days", "0", "--yes", "--traces", "--copies")
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.endswith("The words are gone from every file and backup.\n")
    assert (holding(shelf, CANARY), holding(shelf, CARRIED)) == ([], [])
    assert [one.manifest.reason for one in backup.listing(shelf) if one.manifest] == ["after-delete"]
    assert verify(shelf) == []
