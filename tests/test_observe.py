"""Logs and figures: what is on a line, and that neither a key nor a word of a story is ever on one."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import BaseModel, SecretStr

from chat.errors import BadResponse
from chat.observe import get_logger, logged_as, metrics, redact, register_secret, start_logging, stop_logging
from chat.observe.logs import FILE_BYTES
from chat.settings import Connection, Settings

CANARY = "planted/secret+9d2c7a51-with=odd\"signs'"
STORY = "She whispered that the lighthouse was empty."


class Logs:
    """What reached the terminal and the file."""

    def __init__(self, screen: io.StringIO, file: Path) -> None:
        self._screen, self._file = screen, file

    @property
    def screen(self) -> str:
        return self._screen.getvalue()

    @property
    def file(self) -> str:
        return self._file.read_text()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.splitlines()]

    @property
    def last(self) -> dict[str, Any]:
        return self.lines[-1]


def settings_in(folder: Path, **more: Any) -> Settings:
    connection = Connection(base_url="https://a.test", api_key=SecretStr(CANARY))
    return Settings(data_dir=folder, connection=connection, **{"log_level": "DEBUG", **more})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    screen = Terminal()
    start_logging(settings_in(tmp_path), screen)
    yield Logs(screen, tmp_path / "logs" / "chat.log")
    stop_logging()


log = get_logger("chat.tests")


def test_a_line_says_when_where_what_and_in_which_chat(logs: Logs) -> None:
    with logged_as(chat_id="c1", turn_id="t1"), logged_as(correlation_id="r1"):
        log.info("a turn began", purpose="narrate", tokens=12, took_ms=3.5, fresh=True)
    log.warning("nothing open")
    first, second = logs.lines
    assert first | {"time": ""} == {
        "time": "", "level": "info", "event": "a turn began", "logger": "chat.tests", "chat_id": "c1",
        "turn_id": "t1", "correlation_id": "r1", "purpose": "narrate", "tokens": 12, "took_ms": 3.5, "fresh": True,
    }  # fmt: skip
    assert first["time"].endswith("+00:00")
    assert "chat_id" not in second
    assert "info    a turn began  logger=chat.tests" in logs.screen
    assert "chat_id=c1" in logs.screen


def test_only_known_ids_can_be_bound() -> None:
    with pytest.raises(TypeError, match="prose"):
        logged_as(prose=STORY)


def test_two_logs_at_once_keep_their_ids_apart(logs: Logs) -> None:
    with logged_as(chat_id="c1"):
        with logged_as(chat_id="c2"):
            log.info("inner")
        log.info("outer")
    assert [line["chat_id"] for line in logs.lines] == ["c2", "c1"]


def test_text_under_an_unlisted_key_shows_only_its_length(logs: Logs) -> None:
    log.info(
        "said",
        prose=STORY,
        raw=STORY.encode(),
        parts=[STORY, 7],
        deep={"text": STORY, "code": "ok"},
        none=None,
    )
    assert "lighthouse" not in logs.file + logs.screen
    last = logs.last
    assert last["prose"] == f"<{len(STORY)} characters>"
    assert last["raw"] == f"<{len(STORY)} bytes>"
    assert last["parts"] == [f"<{len(STORY)} characters>", 7]
    assert last["deep"] == {"text": f"<{len(STORY)} characters>", "code": "ok"}
    assert last["none"] is None


def test_arguments_for_the_event_are_not_shown(logs: Logs) -> None:
    log.info("said %s", STORY)
    assert "lighthouse" not in logs.file + logs.screen


def test_objects_do_not_show_themselves(logs: Logs) -> None:
    class Talkative:
        def __str__(self) -> str:
            return STORY

        __repr__ = __str__

    log.info("said", thing=Talkative(), key=SecretStr(CANARY), endless=endless_list())
    assert "lighthouse" not in logs.file + logs.screen
    assert logs.last["key"] == "[hidden]"


def endless_list() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


def spellings(secret: str) -> list[str]:
    coded = [base64.b64encode(b"x" * n + secret.encode() + b"tail").decode() for n in range(3)]
    return [
        secret,
        json.dumps(secret),
        repr(secret),
        quote(secret),
        quote(secret, safe=""),
        secret[:12],
        *coded,
    ]


@pytest.mark.parametrize("form", range(9))
def test_case_59_the_configured_key_passes_in_no_spelling(logs: Logs, form: int) -> None:
    shown = spellings(CANARY)[form]
    log.info(f"the event itself {shown}", reason=shown, part=[shown, {"code": shown}])
    logging.getLogger("some.library").warning("it says %s", shown)
    for text in (logs.file, logs.screen):
        assert CANARY[:12] not in text
        assert quote(CANARY, safe="")[:14] not in text
        assert base64.b64encode(CANARY.encode()).decode()[4:24] not in text
        assert shown not in text
        assert shown[8:-12] not in text or len(shown) < 24
    assert "[hidden]" in logs.file


@pytest.mark.parametrize(
    "text",
    [
        "sk-abcdef0123456789", "sk-proj-abc_def-0123456789", "sk-or-v1-0123456789abcdef", "nvapi-0123456789abcdef",
        "Authorization: Bearer abc.def.ghi", "authorization: bearer opaque-token-1", '"api_key": "hunter2hunter2"',
        "api-key=hunter2hunter2", "password=hunter2hunter2", "x-api-key: hunter2hunter2", "hf_abcdefghij0123456789",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefghijk", "AIzaSyA0123456789abcdefghij",
        "Incorrect API key provided: sk-abcd**********wxyz.", "Authorization: Basic dXNlcjpwYXNzd29yZA==",
        "https://a.test/?access_token=hunter2hunter2&x=1",
    ],
)  # fmt: skip
def test_what_looks_like_a_key_is_hidden(text: str) -> None:
    shown = redact(text)
    assert "[hidden]" in shown
    for part in ("hunter2", "abcdef0123", "0123456789", "abc.def", "opaque", "wxyz", "eyJzdWI", "dXNlcjpw"):
        assert part not in shown


@pytest.mark.parametrize(
    "text",
    ["the task-list is long", "a skeleton key", "basic training", "step 3 of 7", "bearer", "passwords are secret",
     "POST /chats/01ABC/turns 202", "model mistral-7b-instruct"],
)  # fmt: skip
def test_plain_text_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_short_words_are_never_taken_for_secrets() -> None:
    register_secret("key")
    register_secret("")
    register_secret(None)
    assert redact("the key of the tower") == "the key of the tower"


def test_an_old_key_stays_hidden_after_a_new_one(logs: Logs) -> None:
    register_secret(SecretStr("first-value-1234567890"))
    register_secret("second-value-1234567890")
    log.info("x", reason="first-value-1234567890 second-value-1234567890")
    assert logs.last["reason"] == "[hidden] [hidden]"


class Prose(BaseModel):
    turns: int


def raises_deep_inside(key: str, prose: str) -> None:
    try:
        Prose(turns=prose)  # type: ignore[arg-type]
    except ValueError as error:
        failure = BadResponse(f"the server said {key}")
        failure.add_note(prose)
        raise failure from error


def test_case_61_failures_show_the_way_but_neither_locals_nor_stories(logs: Logs) -> None:
    try:
        raises_deep_inside(CANARY, STORY)
    except BadResponse:
        log.exception("a step failed", step="digest")
    for text in (logs.file, logs.screen):
        assert "planted" not in text
        assert "lighthouse" not in text
    lines = logs.last["exception"]
    assert lines[0].startswith("pydantic_core._pydantic_core.ValidationError: <")
    assert "chat.errors.BadResponse: the server said [hidden]" in lines
    assert any("tests/test_observe.py" in line and "raises_deep_inside" in line for line in lines)
    assert str(Path(__file__).parents[1]) not in logs.file


def test_kinds_of_failure_that_cannot_quote_a_story_say_what_they_are(logs: Logs) -> None:
    for failure, shown in (
        (FileNotFoundError(2, "No such file", "x.db"), "No such file"),
        (sqlite3.OperationalError("no such table: bots"), "no such table: bots"),
        (ValueError(STORY), "<"),
        (KeyError(STORY), "<"),
        (UnicodeEncodeError("utf-8", STORY, 0, 1, "no"), "<"),
        (sqlite3.OperationalError(f"fts5: syntax error near {STORY}"), "<"),
    ):
        log.error("failed", exc_info=failure)
        assert shown in logs.last["exception"][0]
    assert "lighthouse" not in logs.file + logs.screen


def test_groups_and_loops_of_failures_end(logs: Logs) -> None:
    first, second = ValueError("a"), OSError(5, "broken")
    first.__cause__, second.__cause__ = second, first
    log.error("failed", exc_info=ExceptionGroup(STORY, [first, second]))
    text = " ".join(logs.last["exception"])
    assert "2 failures" in text
    assert "broken" in text
    assert "lighthouse" not in text


def test_case_53_nothing_can_start_a_line_of_its_own(logs: Logs) -> None:
    hostile = 'x\r\n{"level": "error"}\x1b[2J\x1b]0;title\x07\u2028\u202e\ud800\x00'
    log.info(f"event {hostile}", reason=hostile, **{f"odd {hostile}": 1})
    logging.getLogger("some.library").error("first line\nsecond line %s", STORY)
    try:
        raise OSError(5, hostile)
    except OSError:
        log.exception("failed")
    assert len(logs.lines) == 3
    for text in (logs.file, logs.screen):
        assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]
    assert "second line" not in logs.file
    shown = logs.screen.splitlines()
    assert all(line[:1].isdigit() or line.startswith("    ") for line in shown)


def test_long_values_are_cut(logs: Logs) -> None:
    log.info("x" * 5000, reason="y" * 5000)
    assert len(logs.file) < 1500
    assert "(5000 characters)" in logs.last["reason"]


def test_chatty_libraries_are_quiet_and_others_speak_from_warning_on(logs: Logs) -> None:
    for name in (
        "openai",
        "openai._base_client",
        "httpx2",
        "httpcore2.http11",
        "instructor",
        "uvicorn.access",
    ):
        logging.getLogger(name).error(STORY)
    for name in ("aiosqlite", "asyncio", "some.library"):
        logging.getLogger(name).debug(STORY)
        logging.getLogger(name).info(STORY)
    assert logs.file == logs.screen == ""
    logging.getLogger("uvicorn.error").error("it broke", exc_info=ValueError(STORY))
    assert logs.last["logger"] == "uvicorn.error"
    assert "lighthouse" not in logs.file


def test_the_level_is_the_one_that_was_set(tmp_path: Path) -> None:
    screen = io.StringIO()
    start_logging(settings_in(tmp_path, log_level="WARNING"), screen)
    log.info("quiet")
    log.warning("loud")
    stop_logging()
    assert [json.loads(line)["event"] for line in screen.getvalue().splitlines()] == ["loud"]


def test_json_in_production_and_when_nobody_watches(tmp_path: Path) -> None:
    for screen, app_env, as_json in (
        (Terminal(), "development", False),
        (Terminal(), "production", True),
        (io.StringIO(), "development", True),
    ):
        start_logging(settings_in(tmp_path, app_env=app_env), screen)
        log.info("hello")
        stop_logging()
        assert screen.getvalue().startswith("{") is as_json


def test_the_log_file_is_private_bounded_and_started_once(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        start_logging(settings_in(tmp_path), io.StringIO())
        start_logging(settings_in(tmp_path), io.StringIO())
        log.info("once")
        handlers = logging.getLogger().handlers
        file = next(one for one in handlers if isinstance(one, logging.handlers.RotatingFileHandler))
        assert file.maxBytes == FILE_BYTES
        file.maxBytes = 500
        for _ in range(20):
            log.info("more")
    finally:
        os.umask(before)
        stop_logging()
    files = sorted((tmp_path / "logs").iterdir())
    assert [path.name for path in files] == ["chat.log", "chat.log.1", "chat.log.2", "chat.log.3"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    screen = io.StringIO()
    start_logging(settings_in(tmp_path), screen)
    log.info("on we go")
    screen.close()
    log.info("to a closed terminal")
    stop_logging()


def test_a_missing_log_folder_is_said_on_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    screen = io.StringIO()
    start_logging(settings_in(tmp_path), screen)
    stop_logging()
    assert json.loads(screen.getvalue())["event"] == "the log file cannot be written"


def test_before_and_after_logging_nothing_leaks_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    stop_logging()
    log.error("nobody listens", reason=CANARY)
    try:
        raise ValueError(STORY)
    except ValueError:
        log.exception("nobody listens")
    assert capfd.readouterr() == ("", "")


def test_figures_are_written_as_prometheus_reads_them(logs: Logs) -> None:
    before = metrics.LOG_LINES.of("warning")
    log.warning("counted")
    assert metrics.LOG_LINES.of("warning") == before + 1
    metrics.REFUSED_REQUESTS.add("foreign_host")
    page, media_type = metrics.metrics_page()
    text = page.decode()
    assert f'chat_log_lines_total{{level="warning"}} {before + 1}.0' in text
    assert "# TYPE chat_log_lines_total counter" in text
    assert 'chat_refused_requests_total{reason="foreign_host"}' in text
    assert media_type.startswith("text/plain")
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert all(name.startswith("chat_") for name in names)
