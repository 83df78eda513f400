"""The Settings page: what is written, and that the key stays with its own server."""

from __future__ import annotations

import os
import pickle
import stat
from pathlib import Path

import pytest

from chat.errors import SettingRefused
from chat.settings import (
    Connection,
    ConnectionUpdate,
    load_settings,
    save_connection,
)
from tests.support.keys import CANARY, key, saved, whole, write


def test_saving_writes_one_private_file_and_reads_it_back(root: Path) -> None:
    before = os.umask(0)
    try:
        settings = saved(
            base_url="https://a.test/v1/", api_key=key(), narrative_model="n", classifier_model="c", temperature=1,
            reply_tokens=500,
        )  # fmt: skip
    finally:
        os.umask(before)
    connection = settings.connection
    assert connection.base_url == "https://a.test/v1"
    assert (connection.narrative_model, connection.classifier_model) == ("n", "c")
    assert (connection.temperature, connection.reply_tokens) == (1, 500)
    assert connection.key_host == "a.test:443"
    assert stat.S_IMODE((root / "config.toml").stat().st_mode) == 0o600
    assert [path.name for path in root.iterdir()] == ["config.toml"]
    assert load_settings().connection == connection


def test_an_empty_key_field_keeps_the_stored_key() -> None:
    saved(base_url="https://a.test/v1", api_key=key())
    settings = saved(base_url="https://a.test/v2", api_key=key(""), narrative_model="other")
    assert settings.connection.key_to_send == key()
    assert settings.connection.narrative_model == "other"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.openai.com.evil.test",
        "https://evil.test/api.openai.com",
        "https://api.openai.com:8443/v1",
        "http://api.openai.com/v1",
        "https://api.openai.co/v1",
    ],
)
def test_a_new_host_never_gets_the_old_key(root: Path, url: str) -> None:
    saved(base_url="https://api.openai.com/v1", api_key=key())
    kept = (root / "config.toml").read_bytes()
    with pytest.raises(SettingRefused, match="another server") as caught:
        saved(base_url=url)
    assert caught.value.field == "api_key"
    assert CANARY not in whole(caught.value)
    assert (root / "config.toml").read_bytes() == kept
    fresh = saved(base_url=url, api_key=key("sk-new"), allow_plain_http=True)
    assert fresh.connection.key_to_send == key("sk-new")


def test_a_new_host_is_taken_once_the_key_is_forgotten(root: Path) -> None:
    saved(base_url="https://a.test", api_key=key())
    settings = saved(base_url="http://127.0.0.1:11434/v1", forget_key=True)
    assert settings.connection.api_key is None
    assert settings.connection.key_host == ""
    assert CANARY not in (root / "config.toml").read_text()


def test_the_demo_and_back_keeps_the_key_for_its_own_server_only() -> None:
    saved(base_url="https://a.test", api_key=key())
    demo = saved(base_url="")
    assert demo.connection.is_demo
    assert demo.connection.key_to_send is None
    with pytest.raises(SettingRefused, match="another server"):
        saved(base_url="https://b.test")
    assert saved(base_url="https://a.test/v1").connection.key_to_send == key()


def test_a_host_changed_by_hand_or_by_the_environment_does_not_get_the_key(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(base_url="https://a.test", api_key=key())
    monkeypatch.setenv("CHAT_CONNECTION__BASE_URL", "https://b.test")
    assert load_settings().connection.key_to_send is None
    monkeypatch.setenv("CHAT_CONNECTION__API_KEY", "sk-for-b")
    assert load_settings().connection.key_to_send == key("sk-for-b")
    monkeypatch.delenv("CHAT_CONNECTION__API_KEY")
    monkeypatch.delenv("CHAT_CONNECTION__BASE_URL")
    text = (root / "config.toml").read_text()
    write(root, text.replace("https://a.test", "https://c.test"))
    assert load_settings().connection.key_to_send is None


def test_a_hand_written_key_belongs_to_the_address_beside_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, f'[connection]\nbase_url = "https://a.test"\napi_key = "{CANARY}"\n')
    assert load_settings().connection.key_to_send == key()
    monkeypatch.setenv("CHAT_CONNECTION__BASE_URL", "https://b.test")
    assert load_settings().connection.key_to_send is None


def test_what_the_environment_fixes_cannot_be_changed_on_the_page(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAT_CONNECTION__BASE_URL", "https://a.test")
    monkeypatch.setenv("CHAT_CONNECTION__API_KEY", CANARY)
    settings = saved(base_url="https://a.test", narrative_model="m")
    assert settings.connection.narrative_model == "m"
    assert "a.test" not in (root / "config.toml").read_text()
    with pytest.raises(SettingRefused, match="given by the environment"):
        saved(base_url="https://a.test", api_key=key("sk-other"))
    with pytest.raises(SettingRefused, match="another server"):
        saved(base_url="https://b.test")


def test_a_key_of_the_environment_is_not_carried_to_another_host_by_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHAT_CONNECTION__API_KEY", CANARY)
    assert saved(base_url="https://a.test").connection.key_to_send == key()
    with pytest.raises(SettingRefused):
        saved(base_url="https://b.test")
    with pytest.raises(SettingRefused):
        saved(base_url="https://b.test", api_key=key("sk-other"))
    with pytest.raises(SettingRefused):
        saved(base_url="https://b.test", forget_key=True)


def test_plain_http_to_another_machine_with_a_key_needs_a_word(root: Path) -> None:
    with pytest.raises(SettingRefused, match="anyone between") as caught:
        saved(base_url="http://10.0.0.5:8080/v1", api_key=key())
    assert caught.value.field == "allow_plain_http"
    assert saved(base_url="http://10.0.0.5:8080/v1").connection.base_url == "http://10.0.0.5:8080/v1"
    allowed = saved(base_url="http://10.0.0.5:8080/v1", api_key=key(), allow_plain_http=True)
    assert allowed.connection.key_to_send == key()
    assert saved(narrative_model="m").connection.key_to_send == key(), (
        "the word is remembered for this server"
    )
    text = (root / "config.toml").read_text()
    write(root, text.replace("allow_plain_http = true", ""))
    assert load_settings().connection.key_to_send is None
    loopback = saved(base_url="http://127.0.0.1:8080/v1", api_key=key())
    assert loopback.connection.key_to_send == key()
    assert loopback.connection.allow_plain_http is False


@pytest.mark.parametrize(
    "bad", ["sk-a b", "sk-a\n", " sk-a", "sk-a\t", "sk-ä", "sk-a\x00", "sk-\u2028", "k" * 9000]
)
def test_a_key_no_server_takes_is_refused_without_being_shown(bad: str) -> None:
    with pytest.raises(SettingRefused) as caught:
        saved(base_url="https://a.test", api_key=key(bad))
    assert caught.value.field == "api_key"
    assert bad.strip() not in whole(caught.value)
    assert load_settings().connection.api_key is None


def test_a_value_out_of_range_leaves_the_file_as_it_was(root: Path) -> None:
    saved(base_url="https://a.test", api_key=key())
    kept = (root / "config.toml").read_bytes()
    for update in ({"temperature": 2.5}, {"reply_tokens": 1}, {"narrative_model": "x" * 301}):
        with pytest.raises(SettingRefused) as caught:
            saved(**update)
        assert caught.value.field in update
        assert CANARY not in whole(caught.value)
    assert (root / "config.toml").read_bytes() == kept


def test_other_sections_survive_a_save(root: Path) -> None:
    write(root, 'port = 9001\n[timeouts]\nrequest_s = 20\n[connection]\nnarrative_model = "old"\n')
    settings = saved(classifier_model="c")
    assert (settings.port, settings.timeouts.request_s) == (9001, 20)
    assert settings.connection.narrative_model == "old"


def test_a_save_keeps_what_the_command_line_said() -> None:
    settings = load_settings(port=9001)
    assert save_connection(settings, ConnectionUpdate(narrative_model="m")).port == 9001


def test_a_failed_write_keeps_the_old_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(base_url="https://a.test", api_key=key())
    kept = (root / "config.toml").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SettingRefused, match="No space left"):
        saved(base_url="https://a.test/v2")
    assert (root / "config.toml").read_bytes() == kept
    assert [path.name for path in root.iterdir()] == ["config.toml"]


def test_a_linked_settings_file_stays_a_link(root: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.toml"
    real.write_text("port = 9001\n")
    (root / "config.toml").symlink_to(real)
    saved(narrative_model="m")
    assert (root / "config.toml").is_symlink()
    assert 'narrative_model = "m"' in real.read_text()


def test_a_key_given_without_a_host_is_bound_to_its_address() -> None:
    connection = Connection(base_url="https://a.test", api_key=key())
    assert connection.key_host == "a.test:443"
    assert CANARY.encode() not in pickle.dumps(repr(connection))


def test_what_a_person_wrote_into_the_file_stays(root: Path) -> None:
    """Comments, blank lines, order, and sections this program does not write."""
    before = (
        "# my own file\n"
        "port = 9001   # the old one was taken\n\n"
        "[connection]  # which server\n"
        'base_url = "https://a.test/v1"  # the good one\n'
        "# temperature = 1.2 was too wild\n"
        "temperature = 0.9 # calm\n\n"
        "[limits]\n"
        "turn_chars = 9000 # I write long\n"
    )
    write(root, before)
    saved(narrative_model="m", temperature=0.5)
    after = (root / "config.toml").read_text()
    assert after == before.replace(
        "temperature = 0.9 # calm\n", 'temperature = 0.5 # calm\nnarrative_model = "m"\n'
    )
    saved(base_url="", narrative_model="")
    assert "# the good one" in (root / "config.toml").read_text()
    assert load_settings().limits.turn_chars == 9000


@pytest.mark.parametrize(
    "text",
    [
        'connection.base_url = "https://a.test/v1" # dotted\n',
        'connection = { base_url = "https://a.test/v1" }\n',
    ],
)
def test_a_section_written_in_another_way_is_changed_where_it_stands(root: Path, text: str) -> None:
    write(root, f"# first\n{text}port = 9001\n")
    settings = saved(narrative_model="m")
    assert (settings.connection.base_url, settings.connection.narrative_model) == ("https://a.test/v1", "m")
    assert load_settings().port == 9001
    assert (root / "config.toml").read_text().startswith("# first\n")
