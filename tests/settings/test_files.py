"""Where files lie, who may read them, and what odd or impossible settings lead to."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest

from chat.errors import SettingsError
from chat.settings import (
    ConnectionUpdate,
    load_settings,
    save_connection,
)
from tests.support.keys import CANARY, key, whole, write


def test_files_lie_below_the_one_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_DATA_DIR", str(tmp_path / "elsewhere"))
    settings = load_settings()
    named = (
        "config_path db_path head_path lock_path backups_dir snapshots_dir quarantine_dir logs_dir media_dir"
    )
    for name in [*named.split(), "running_dir"]:
        assert getattr(settings, name).is_relative_to(tmp_path / "elsewhere")
    assert settings.db_path.name == "chat.db"
    assert load_settings(data_dir="other").data_dir == tmp_path / "other"
    assert not (tmp_path / "elsewhere").exists(), "reading settings writes nothing"


def test_single_files_can_lie_elsewhere_and_the_head_stays_with_its_database(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.toml").write_text("port = 9001\n")
    (tmp_path / "own.toml").chmod(0o600)
    monkeypatch.setenv("CHAT_CONFIG_PATH", str(tmp_path / "own.toml"))
    monkeypatch.setenv("CHAT_DB_PATH", "story.db")
    settings = load_settings()
    assert settings.port == 9001
    assert settings.db_path == tmp_path / "story.db"
    assert settings.head_path == tmp_path / "story.db.head"
    assert settings.lock_path == tmp_path / "story.db.lock"
    assert settings.logs_dir == root / "logs"


def test_folders_are_made_for_this_user_alone_whatever_the_umask(tmp_path: Path, root: Path) -> None:
    root.chmod(0o755)
    before = os.umask(0)
    try:
        settings = load_settings()
        settings.ensure_folders()
        settings.ensure_folders()
    finally:
        os.umask(before)
    folders = [root, *(path for path in root.iterdir() if path.is_dir())]
    assert len(folders) == 7
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_a_data_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be used"):
        load_settings(data_dir=tmp_path / "file" / "data").ensure_folders()


def test_unknown_variables_never_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_NO_SUCH_THING", "value-to-hide")
    monkeypatch.setenv("CHAT_CONNECTION__BASE_URL__DEEPER", "value-to-hide")
    monkeypatch.setenv("CHAT_PORTS", "[1")
    monkeypatch.setenv("SOMETHING_ELSE", "x")
    settings = load_settings()
    assert settings.connection.base_url == ""
    text = " ".join(settings.origin.warnings)
    assert "CHAT_NO_SUCH_THING" in text
    assert "CHAT_CONNECTION__BASE_URL__DEEPER" in text
    assert "SOMETHING_ELSE" not in text
    assert "value-to-hide" not in text


def test_an_empty_variable_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_PORT", "")
    assert load_settings().port == 8321


def test_unknown_keys_in_the_file_are_named_kept_and_harmless(root: Path) -> None:
    write(root, 'prot = 1\ndata_dir = "x"\n[connection]\ntemprature = 1.5\n[mine]\nnote = "keep me"\n')
    settings = load_settings()
    text = "\n".join(settings.origin.warnings)
    assert "'prot'" in text
    assert "Did you mean port?" in text
    assert "Did you mean connection.temperature?" in text
    assert "'mine.note'" in text
    assert "data_dir is decided before" in text
    assert settings.data_dir == root
    save_connection(settings, ConnectionUpdate(narrative_model="m"))
    kept = tomllib.loads((root / "config.toml").read_text())
    assert (kept["prot"], kept["mine"], kept["connection"]["temprature"]) == (1, {"note": "keep me"}, 1.5)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("port = \n", "cannot be read as TOML"),
        ("port = 99999\n", "port cannot be used"),
        ('log_level = "LOUD"\n', "log_level cannot be used"),
        ('app_env = "test"\n', "app_env cannot be used"),
        ('connection = "x"\n', "connection cannot be used"),
        ("[timeouts]\nrequest_s = 9\n", "timeouts.request_s cannot be used"),
        ("[timeouts]\nrequest_s = 301\n", "timeouts.request_s cannot be used"),
        ("[breaker]\nfailure_threshold = 21\n", "breaker.failure_threshold cannot be used"),
        ("[breaker]\nrecovery_s = 4\n", "breaker.recovery_s cannot be used"),
        ("[connection]\ntemperature = 2.1\n", "connection.temperature cannot be used"),
        ("[connection]\ntemperature = nan\n", "connection.temperature cannot be used"),
        ("[connection]\nreply_tokens = 15\n", "connection.reply_tokens cannot be used"),
        ("[budget]\nnarrative_hard_tokens = 1000\n", "must not be larger"),
        ('host = "0.0.0.0"\n', "only listens on this machine"),
        ('[connection]\nbase_url = "ftp://x"\n', "must begin with http"),
        (f'[connection]\napi_key = "{CANARY} x"\n', "holds a space"),
        (f'[connection]\napi_key = ["{CANARY}"]\n', "api_key cannot be used"),
        (f'[connection]\nbase_url = "https://u:{CANARY}@a.test"\n', "user name or password"),
        (f'[connection]\nreply_tokens = "{CANARY}"\n', "reply_tokens cannot be used"),
    ],
)
def test_an_impossible_value_is_refused_by_name_and_never_repeated(
    root: Path, text: str, sentence: str
) -> None:
    write(root, text)
    with pytest.raises(SettingsError, match=sentence) as caught:
        load_settings()
    assert CANARY not in whole(caught.value)
    assert caught.value.next_step


def test_a_refused_value_says_where_it_comes_from(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, "[limits]\nturn_chars = 1\n")
    with pytest.raises(SettingsError) as in_the_file:
        load_settings()
    assert in_the_file.value.next_step == "It comes from config.toml; correct it there and start again."
    monkeypatch.setenv("CHAT_PORT", "99999")
    write(root, "")
    with pytest.raises(SettingsError) as outside:
        load_settings()
    assert outside.value.next_step == "It comes from the environment; correct it there and start again."


def test_a_variable_that_is_not_the_json_it_should_be_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHAT_CONNECTION", '{"api_key": "' + CANARY)
    with pytest.raises(SettingsError, match="CHAT_CONNECTION is not the JSON") as caught:
        load_settings()
    assert CANARY not in whole(caught.value)
    monkeypatch.setenv("CHAT_CONNECTION", f'["{CANARY}"]')
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert CANARY not in whole(caught.value)


def test_a_single_variable_wins_over_the_section_it_is_in_and_letter_case_does_not_matter(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("chat_limits", '{"turn_chars": 500, "body_bytes": 20000}')
    monkeypatch.setenv("CHAT_LIMITS__turn_chars", "700")
    limits = load_settings().limits
    assert (limits.turn_chars, limits.body_bytes) == (700, 20_000)


def test_a_file_in_another_encoding_or_no_file_at_all_is_a_sentence(root: Path) -> None:
    (root / "config.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not written in UTF-8"):
        load_settings()
    (root / "config.toml").unlink()
    (root / "config.toml").mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings()


def test_a_file_with_a_byte_order_mark_is_read(root: Path) -> None:
    (root / "config.toml").write_bytes(b"\xef\xbb\xbfport = 9001\n")
    assert load_settings().port == 9001


def test_a_file_others_could_read_is_closed_to_them(root: Path) -> None:
    path = write(root, "port = 9001\n")
    path.chmod(0o644)
    assert "now only you can read it" in " ".join(load_settings().origin.warnings)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_settings().origin.warnings == ()


def test_the_key_shows_in_no_representation(root: Path) -> None:
    write(root, f'[connection]\nbase_url = "https://a.test"\napi_key = "{CANARY}"\n')
    settings = load_settings()
    for shown in (repr(settings), str(settings), f"{settings.connection}", settings.model_dump_json(),
                  str(settings.model_dump()), repr(settings.origin), str(ConnectionUpdate(api_key=key()))):  # fmt: skip
        assert CANARY not in shown
    sent = settings.connection.key_to_send
    assert sent is not None
    assert sent.get_secret_value() == CANARY


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1
