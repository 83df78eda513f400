"""The `chat` command as a person types it: what each of its commands says, and with which exit code it ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from chat.cli import app
from chat.errors import SettingsError
from chat.settings import Settings, load_settings
from chat.store.verify import verify
from tests.support import pages
from tests.support.peer import Peer, Received
from tests.support.peer_acts import Act, Answer, Reply, Status
from tests.support.restoring import play, rows


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two chats that were played."""
    found = load_settings(data_dir=tmp_path / "data")
    asyncio.run(_played(found))
    return found


async def _played(settings: Settings) -> None:
    await play(settings, range(1, 21, 2))
    await play(settings, range(1, 7, 2), "b")


def run(settings: Settings, *asked: str, typed: str = "", **environment: str) -> Result:
    env = {f"CHAT_CONNECTION__{name.upper()}": value for name, value in environment.items()}
    return CliRunner().invoke(app, [*asked, "--data-dir", str(settings.data_dir)], input=typed, env=env)


def told(settings: Settings, *asked: str, **environment: str) -> list[dict[str, Any]]:
    """Every line that a script gets."""
    answer = run(settings, *asked, "--json", **environment)
    return [json.loads(line) for line in answer.stdout.splitlines()]


def examined(settings: Settings, **environment: str) -> dict[str, tuple[bool, str]]:
    return {row["what"]: (row["is_fine"], row["says"]) for row in told(settings, "doctor", **environment)}


def speaks(received: Received) -> Act:
    if received.schema_name:
        return Answer({"sky": "clear", "windy": False})
    return Reply("Hello there, traveller.", pace_s=0.01)


def test_the_doctor_says_what_works_a_stream_and_a_structured_answer_among_it(settings: Settings) -> None:
    run(settings, "backup")
    with Peer(default=speaks) as peer:
        found = examined(settings, base_url=peer.base_url, narrative_model="peer-model")
        assert run(settings, "doctor", base_url=peer.base_url, narrative_model="peer-model").exit_code == 0
    assert all(is_fine for is_fine, _ in found.values())
    assert found["database"][1] == f"{len(rows(settings)['event_log'])} events, 2 bots, 2 chats"
    assert "the newest good one is 2" in found["backups"][1]
    assert "1 model can be chosen from" in found["model: models"][1]
    assert "It replied word by word" in found["model: stream"][1]
    assert "answers that follow a JSON schema" in found["model: structured"][1]
    assert "demo" in examined(settings)["model"][1]


@pytest.mark.parametrize(
    ("act", "what", "says"),
    [
        (Status(401, {"error": {"message": "no such key"}}), "model: stream", "did not accept the key (401)"),
        (Status(500, {"error": {"message": "out of cheese"}}), "model: stream", "It said: out of cheese. "),
        (Reply("Only prose."), "model: structured", "It gave no structured answer"),
    ],
)
def test_the_doctor_says_what_a_server_cannot_do(settings: Settings, act: Act, what: str, says: str) -> None:
    with Peer(default=act) as peer:
        asked = {"base_url": peer.base_url, "narrative_model": "peer-model"}
        is_fine, said = examined(settings, **asked)[what]
        assert run(settings, "doctor", **asked).exit_code == 1
    assert not is_fine
    assert says in said
    assert re.fullmatch(r"[^ ].*[.!?]", said)


def only_the_writer_speaks(received: Received) -> Act:
    """One of two models that are served, of which the second cannot do what it is asked for; others are not known."""
    model = received.body["model"]
    if model == "writer":
        return Reply("Hello there, traveller.")
    return Reply("Only prose.") if model == "reader" else Status(404, {"error": {"message": "no such model"}})


@pytest.mark.parametrize(
    ("reader", "says"),
    [
        ("reader", "reader gave no structured answer"),
        ("raeder", "has no model called raeder. It said: no such model. Choose a model from the list"),
    ],
)
def test_the_doctor_tries_the_model_that_reads_as_well(settings: Settings, reader: str, says: str) -> None:
    with Peer(default=only_the_writer_speaks, models=[{"id": "writer"}, {"id": "reader"}]) as peer:
        asked = {"base_url": peer.base_url, "narrative_model": "writer", "classifier_model": reader}
        found = examined(settings, **asked)
        assert run(settings, "doctor", **asked).exit_code == 1
    assert found["model: stream"][1].startswith("writer replied")
    is_fine, said = found["model: structured"]
    assert (is_fine, says in said) == (False, True)
    assert ("raeder is not in the list" in found.get("model: model", (True, ""))[1]) == (reader == "raeder")


def test_a_server_that_is_not_there_is_said_to_be_not_there(settings: Settings) -> None:
    found = examined(settings, base_url="http://127.0.0.1:9/v1", narrative_model="m")
    assert found["model: models"] == (
        False,
        "Nothing answers at 127.0.0.1:9. See that the model's server is running, then retry.",
    )


LOST: dict[str, Callable[[Path], object]] = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
}
DAMAGED: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "header": lambda path: pages.spoil(path, 1),
    "log": lambda path: pages.spoil(path, pages.leaves_of(path, "event_log")[-1]),
    "another file": lambda path: path.write_text("Dear diary. " * 2000),
}


@pytest.mark.parametrize("how", [*LOST, *DAMAGED])
def test_whatever_became_of_the_database_each_command_says_so_and_the_way_back_leads_back(
    settings: Settings, how: str
) -> None:
    before = rows(settings)
    (kept,) = told(settings, "backup")
    {**LOST, **DAMAGED}[how](settings.db_path)
    left = settings.db_path.read_bytes() if settings.db_path.exists() else b""
    is_fine, said = examined(settings)["database"]
    assert not is_fine
    assert f"`chat restore {kept['name']}`" in said
    for command in ("doctor", "verify", "rebuild", "backup"):
        answer = run(settings, command)
        assert answer.exit_code == 1, command
        words = str(answer.exception) if isinstance(answer.exception, Exception) else answer.stdout
        assert re.search(r"gone or empty|damaged|malformed|cannot be read", words), words
        assert ".." not in words
    assert ("accept-loss" in said) == (how not in LOST and "gone" in said), "nothing is left to go on from"
    assert (settings.db_path.read_bytes() if settings.db_path.exists() else b"") == left
    (listed,) = told(settings, "backups")
    assert (listed["name"], listed["verified"], listed["events"]) == (kept["name"], True, kept["events"])
    assert run(settings, "restore", kept["name"], "--dry-run").exit_code == 0
    assert run(settings, "restore", kept["name"], "--yes").exit_code == 0
    assert rows(settings) == before
    assert verify(settings) == []


def test_events_rebuild_and_backups_say_what_they_found(settings: Settings) -> None:
    count = len(rows(settings)["event_log"])
    assert [row["id"] for row in told(settings, "events", "--limit", "3", "--after", "5")] == [6, 7, 8]
    turns = told(settings, "events", "--kind", "user_turn", "--stream", "chat:b")
    assert [row["data"]["turn_id"] for row in turns] == ["b-1-1", "b-1-3", "b-1-5"]
    assert run(settings, "rebuild").stdout == f"Rebuilt every table from {count} events.\n"
    assert "There are no backups yet." in run(settings, "backups").stdout
    assert f"{count} events, verified, made by hand" in run(settings, "backup").stdout
    assert run(settings, "verify").stdout.startswith("All is well")
    assert run(settings, "restore", "no-such-backup").exit_code == 1


@pytest.mark.parametrize("command", ["rebuild", "events", "backup", "purge"])
def test_a_mistyped_folder_is_not_made_and_its_nothing_is_no_backup(tmp_path: Path, command: str) -> None:
    answer = CliRunner().invoke(app, [command, "--data-dir", str(tmp_path / "dtaa")])
    assert answer.exit_code == 1
    assert "There is no database at" in str(answer.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["doctor", "verify", "events", "serve"])
def test_a_file_where_the_folder_should_be_is_said_to_be_none(tmp_path: Path, command: str) -> None:
    (tmp_path / "data").write_text("no folder", "utf-8")
    answer = CliRunner().invoke(app, [command, "--data-dir", str(tmp_path / "data")])
    assert isinstance(answer.exception, SettingsError)
    assert "is no folder" in answer.exception.message


@pytest.mark.parametrize("command", ["doctor", "verify", "rebuild", "events", "backup"])
def test_a_folder_where_the_file_should_be_is_said_to_be_one_and_stays(tmp_path: Path, command: str) -> None:
    (tmp_path / "chat.db").mkdir()
    answer = CliRunner().invoke(app, [command, "--data-dir", str(tmp_path)])
    assert answer.exit_code == 1
    said = f"{answer.stdout} {answer.stderr} {answer.exception}"
    assert f"{tmp_path / 'chat.db'} is a folder" in said
    assert (tmp_path / "chat.db").is_dir()


def test_a_restore_says_what_comes_and_goes_before_it_goes_and_then_how_to_come_back(
    settings: Settings,
) -> None:
    (kept,) = told(settings, "backup")
    asyncio.run(play(settings, range(21, 25, 2)))
    before = rows(settings)
    for typed in ("", "\n", "yes\n"):
        asked = run(settings, "restore", kept["name"], typed=typed)
        assert asked.exit_code == 1
        assert "Chat a: 0 turns come back, 4 go." in asked.stdout
        assert "Type restore" in asked.stderr
        assert "Went back" not in asked.stdout
        assert [one["name"] for one in told(settings, "backups")] == [kept["name"]]
        assert rows(settings) == before, "not before the word was typed"
    said = run(settings, "restore", kept["name"], typed="restore\n").stdout
    assert said.index("Chat a: 0 turns come back, 4 go.") < said.index("Went back to")
    (safety,) = [one["name"] for one in told(settings, "backups") if one["name"] != kept["name"]]
    assert f"What was there before is the backup {safety}." in said
    assert rows(settings) != before
    assert "Chat a: 4 turns come back, 0 go." in run(settings, "restore", safety, "--dry-run").stdout
    foreseen, done = told(settings, "restore", safety, "--yes")
    assert (foreseen["gained"], foreseen["lost"], "safety" in foreseen) == (4, 0, False)
    assert (done["gained"], bool(done["safety"])) == (4, True)
    assert rows(settings) == before
