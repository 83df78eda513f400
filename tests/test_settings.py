"""Settings: which layer wins, what is refused, where files lie, and that the key stays where it belongs."""

from __future__ import annotations

import os
import pickle
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from chat.errors import ChatError, SettingRefused, SettingsError
from chat.settings import (
    LOCAL_BACKENDS,
    PRESETS,
    Connection,
    ConnectionUpdate,
    Settings,
    check_base_url,
    check_bind,
    load_settings,
    save_connection,
)
from chat.settings.endpoint import is_forbidden_address, parse_base_url

CANARY = "sk-canary-5f1d2c3b4a-THE-KEY"
EXAMPLE = Path(__file__).parents[1] / "data" / "config.example.toml"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own, and an environment without settings."""
    for name in [name for name in os.environ if name.upper().startswith("CHAT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


def write(root: Path, text: str) -> Path:
    path = root / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def saved(**update: Any) -> Settings:
    return save_connection(load_settings(), ConnectionUpdate(**update))


def key(text: str = CANARY) -> SecretStr:
    return SecretStr(text)


# name, default, and three other values for file, environment and command line
KEYS: list[tuple[str, Any, Any, Any, Any]] = [
    ("host", "127.0.0.1", "::1", "localhost", "::1"),
    ("port", 8321, 8401, 8402, 8403),
    ("app_env", "development", "staging", "production", "staging"),
    ("log_level", "INFO", "DEBUG", "WARNING", "ERROR"),
    ("ooc_marker", "((", "[[", "//", "{{"),
    ("connection.base_url", "", "http://a.test", "http://b.test", "http://c.test"),
    ("connection.api_key", None, "key-a", "key-b", "key-c"),
    ("connection.key_host", "", "a.test:80", "b.test:80", "c.test:80"),
    ("connection.allow_plain_http", False, True, False, True),
    ("connection.narrative_model", "", "a", "b", "c"),
    ("connection.classifier_model", "", "a", "b", "c"),
    ("connection.temperature", 0.7, 0.1, 0.2, 0.3),
    ("connection.reply_tokens", 400, 101, 102, 103),
    ("timeouts.request_s", 60, 11, 12, 13),
    ("timeouts.first_token_s", 180, 11, 12, 13),
    ("timeouts.between_tokens_s", 30, 11, 12, 13),
    ("timeouts.total_s", 900, 11, 12, 13),
    ("timeouts.classifier_s", 10, 11, 12, 13),
    ("timeouts.digest_wait_s", 3, 11, 12, 13),
    ("budget.narrative_hard_tokens", 8000, 8001, 8002, 8003),
    ("budget.narrative_soft_tokens", 6000, 5001, 5002, 5003),
    ("budget.classifier_hard_tokens", 4000, 4001, 4002, 4003),
    ("budget.recall_k", 4, 5, 6, 7),
    ("budget.memory_tokens", 120, 121, 122, 123),
    ("limits.turn_chars", 32_000, 1001, 1002, 1003),
    ("limits.body_bytes", 1_000_000, 10_001, 10_002, 10_003),
    ("breaker.failure_threshold", 5, 6, 7, 8),
    ("breaker.recovery_s", 30, 31, 32, 33),
]


def value_of(settings: Settings, name: str) -> Any:
    found: Any = settings
    for part in name.split("."):
        found = getattr(found, part)
    return found.get_secret_value() if isinstance(found, SecretStr) else found


def toml_for(name: str, value: Any) -> str:
    section, _, leaf = name.rpartition(".")
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    return (f"[{section}]\n" if section else "") + f"{leaf} = {shown}\n"


def variable(name: str) -> str:
    return "CHAT_" + name.replace(".", "__").upper()


@pytest.mark.parametrize(
    ("name", "default", "in_file", "in_env", "on_cli"), KEYS, ids=[row[0] for row in KEYS]
)
def test_command_line_over_environment_over_file_over_default(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    default: Any,
    in_file: Any,
    in_env: Any,
    on_cli: Any,
) -> None:
    assert value_of(load_settings(), name) == default
    write(root, toml_for(name, in_file))
    from_file = load_settings()
    assert value_of(from_file, name) == in_file
    assert from_file.origin.provenance[name] == "config.toml"
    monkeypatch.setenv(variable(name), str(in_env))
    from_env = load_settings()
    assert value_of(from_env, name) == in_env
    assert from_env.origin.provenance[name] == "the environment"
    from_cli = load_settings(**{name.replace(".", "__"): on_cli})
    assert value_of(from_cli, name) == on_cli
    assert from_cli.origin.provenance[name] == "the command line"
    assert from_cli.origin.warnings == ()


def schema_keys() -> set[str]:
    names: set[str] = set()
    for name, field in Settings.model_fields.items():
        inner = field.annotation
        nested = isinstance(inner, type) and issubclass(inner, BaseModel)
        names |= {f"{name}.{leaf}" for leaf in inner.model_fields} if nested else {name}  # type: ignore[union-attr]
    return names


def test_every_key_of_the_schema_is_in_the_list_above_and_in_the_example_file() -> None:
    paths = {"data_dir", "config_path", "db_path"}
    assert schema_keys() - paths == {row[0] for row in KEYS}
    example = tomllib.loads(EXAMPLE.read_text())
    flat = {
        f"{name}.{leaf}" if isinstance(value, dict) else name
        for name, value in example.items()
        for leaf in (value if isinstance(value, dict) else [name])
    }
    assert flat == {row[0] for row in KEYS}
    for name in paths:
        assert f"CHAT_{name.upper()} " in EXAMPLE.read_text()


def test_the_example_file_holds_exactly_the_defaults(root: Path) -> None:
    plain = load_settings()
    write(root, EXAMPLE.read_text())
    example = load_settings()
    assert example.model_dump() == plain.model_dump()
    assert example.origin.warnings == ()


def test_a_none_on_the_command_line_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_PORT", "9001")
    assert load_settings(port=None).port == 9001


def test_the_bare_constructor_reads_neither_file_nor_environment(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, "port = 9001\n")
    monkeypatch.setenv("CHAT_LOG_LEVEL", "DEBUG")
    settings = Settings(data_dir=root)
    assert (settings.port, settings.log_level) == (8321, "INFO")


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


def whole(error: BaseException | None) -> str:
    """All that a traceback of this error could print."""
    if error is None:
        return ""
    step = error.next_step if isinstance(error, ChatError) else ""
    shown = None if error.__suppress_context__ else error.__context__
    return f"{error} {error!r} {step} {whole(error.__cause__)} {whole(shown)}"


def test_a_variable_that_is_not_the_json_it_should_be_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHAT_CONNECTION", '{"api_key": "' + CANARY)
    with pytest.raises(SettingsError, match="CHAT_CONNECTION is not the JSON") as caught:
        load_settings()
    assert CANARY not in whole(caught.value)


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


# saving


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


# addresses: cases 68 to 71 of the trust list

GOOD = {
    "http://127.0.0.1:11434/v1/": "http://127.0.0.1:11434/v1",
    "HTTPS://OpenRouter.AI/api/v1": "https://openrouter.ai/api/v1",
    "  http://localhost:8080  ": "http://localhost:8080",
    "http://[::1]:8080/v1": "http://[::1]:8080/v1",
    "http://192.168.1.20:1234/v1": "http://192.168.1.20:1234/v1",
    "http://my_llm:8000/v1": "http://my_llm:8000/v1",
    "https://xn--bcher-kva.example/v1": "https://xn--bcher-kva.example/v1",
    "http://[fd12:3456::1]/v1": "http://[fd12:3456::1]/v1",
    "": "",
    "   ": "",
}


@pytest.mark.parametrize("url", GOOD)
def test_case_68_a_usable_address_is_kept_in_its_plain_form(url: str) -> None:
    assert check_base_url(url) == GOOD[url]
    assert check_base_url(GOOD[url]) == GOOD[url]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://a.test", "gopher://a.test", "data:text/plain,x", "javascript:alert(1)",
        "a.test/v1", "//a.test/v1", "localhost:8080", "http:a.test", "http:/a.test", "http:///v1", "http://",
        "https://user:pass@a.test", "https://user@a.test", "https://api.openai.com@evil.test", "https://@a.test",
        "https://a.test/#x", "https://evil.test/?api.openai.com", "https://a.test/v1?x=1",
        "https://a.test/\r\nX: y", "https://a.test\t/v1", "\nhttps://a.test", "https://a.test\n", "https://a.test/\x00",
        "https://a.test\\@evil.test", "https:\\\\a.test", "https://a.test /v1", "https://" + "a" * 20_000,
        "https://оpenai.com", "https://ｅxample.com", "https://a.test\u200b", "https://a。test", "https://ⓐ.test",
        "https://a.test:0", "https://a.test:65536", "https://a.test:port", "https://a.test:", "https://a.test:80:80",
        "https://a%2etest", "https://[::1", "https://::1", "https://[zz::1]", "https://[fe80::1%25eth0]",
        "https://a..test", "https://.a.test", "https://a.test/<svg>", 'https://a.test/"x',
    ],
)  # fmt: skip
def test_case_68_an_address_that_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(SettingRefused) as caught:
        check_base_url(url)
    assert caught.value.field == "base_url"
    assert caught.value.next_step
    assert "pass@" not in whole(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "169.254.169.254.", "169.254.0.1", "[fd00:ec2::254]", "[fe80::1]", "metadata",
        "metadata.google.internal", "METADATA.google.internal.", "100.100.100.200", "192.0.0.192",
        "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::169.254.169.254]", "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[::169.254.169.254]", "2852039166", "0xa9fea9fe",
        "0xA9.0xFE.0xA9.0xFE", "0251.0376.0251.0376", "025177524776", "169.254.43518", "169.16689662", "0.0.0.0",
        "[::]", "0", "127.1", "2130706433", "0x7f.1", "017700000001", "224.0.0.1", "255.255.255.255", "[ff02::1]",
        "1.2.3.256", "1.2.3.4.5", "127.0.0.01", "0.1.2.3",
    ],
)  # fmt: skip
def test_case_70_addresses_that_are_never_a_model_are_refused(host: str) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(SettingRefused):
            check_base_url(f"{scheme}://{host}/v1")
        with pytest.raises(SettingRefused):
            check_base_url(f"{scheme}://{host}:8080/v1")


def test_case_70_what_a_name_resolves_to_can_be_asked_again() -> None:
    for address in ("169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "0.0.0.0"):
        assert is_forbidden_address(address)
    for address in (
        "127.0.0.1",
        "::1",
        "192.168.1.1",
        "10.0.0.1",
        "8.8.8.8",
        "fd12::1",
        "2606:4700::1",
        "no address",
    ):
        assert not is_forbidden_address(address)


def test_case_71_the_own_address_is_refused_in_all_its_spellings() -> None:
    for host in (
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "127.5.5.5",
        "app.localhost",
        "[::ffff:127.0.0.1]",
    ):
        with pytest.raises(SettingRefused, match="own address"):
            check_base_url(f"http://{host}:8321/v1", own_ports={8321, 40_001})
        assert check_base_url(f"http://{host}:8322/v1", own_ports={8321})
    with pytest.raises(SettingRefused, match="own address"):
        saved(base_url="http://127.0.0.1:8321/v1")
    with pytest.raises(SettingRefused, match="own address"):
        save_connection(
            load_settings(), ConnectionUpdate(base_url="http://localhost:40001"), own_ports={40_001}
        )


def test_case_14_only_this_machine_may_be_listened_on() -> None:
    for host in ("127.0.0.1", "localhost", "::1", "[::1]"):
        assert check_bind(host) == host.strip("[]")
    for host in (
        "0.0.0.0",
        "::",
        "192.168.1.2",
        "example.org",
        "",
        "127.1",
        "127.0.0.2",
        "localhost.evil.test",
    ):
        with pytest.raises(SettingRefused, match="only listens on this machine"):
            check_bind(host)
    with pytest.raises(SettingsError, match="only listens on this machine"):
        load_settings(host="0.0.0.0")


def test_presets_and_local_back_ends_are_usable_and_never_our_own_port() -> None:
    for preset in (*PRESETS, *LOCAL_BACKENDS):
        assert check_base_url(preset.base_url, {8321}) == preset.base_url
    assert {"Featherless", "OpenRouter"} <= {preset.name for preset in PRESETS}
    assert load_settings().port not in {parse_base_url(preset.base_url).port for preset in LOCAL_BACKENDS}
    featherless = PRESETS[0]
    assert featherless.narrative_model == "dphn/Dolphin-Mistral-24B-Venice-Edition"
    assert featherless.classifier_model == "NousResearch/Hermes-3-Llama-3.1-8B"


def test_a_key_given_without_a_host_is_bound_to_its_address() -> None:
    connection = Connection(base_url="https://a.test", api_key=key())
    assert connection.key_host == "a.test:443"
    assert CANARY.encode() not in pickle.dumps(repr(connection))
