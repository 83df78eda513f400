"""Structured logs: one line a fact, to the terminal and to data/logs/chat.log, with the ids of chat and turn.

Lines carry codes, ids, counts and durations, never text of a story and never a key.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO, cast

import structlog

from chat.observe import metrics
from chat.observe.failures import describe
from chat.observe.redaction import guarded, printable, redact, register_secret
from chat.settings import Settings

FILE_BYTES = 5_000_000
FILES_KEPT = 3
_CONTEXT_KEYS = frozenset({"chat_id", "turn_id", "correlation_id"})
# These print prompts, keys or replies when left alone: instructor even at error level.
_SILENCED = ("openai", "httpx2", "httpcore2", "httpx", "httpcore", "instructor", "uvicorn.access")
_OURS = ("_record", "_from_structlog", "event", "exc_info", "stack_info", "positional_args")


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The only door to a logger. The event is a fixed sentence; what varies goes into keys."""
    return structlog.stdlib.get_logger(name)


def logged_as(**ids: str) -> AbstractContextManager[Any]:
    """Puts chat_id, turn_id or correlation_id on every line written inside the block."""
    unknown = ids.keys() - _CONTEXT_KEYS
    if unknown:
        raise TypeError(f"a log line has no place for {', '.join(sorted(unknown))}")
    return structlog.contextvars.bound_contextvars(**ids)


def start_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Sends everything to the terminal (or `stream`) and to the log file. May be called again."""
    register_secret(settings.connection.api_key)
    screen = stream or sys.stderr
    handlers: list[logging.Handler] = [_Screen(screen)]
    as_json = settings.app_env == "production" or not screen.isatty()
    handlers[0].setFormatter(LineFormatter(as_json=as_json))
    try:
        handlers.append(_file_handler(settings.logs_dir))
    except OSError as error:
        handlers[0].handle(_line("the log file cannot be written", error))
    stop_logging()
    root = logging.getLogger()
    root.setLevel(logging.WARNING)  # other people's debug lines hold SQL parameters and request bodies
    for handler in handlers:
        root.addHandler(handler)
    logging.getLogger("chat").setLevel(settings.log_level)
    for name in _SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def stop_logging() -> None:
    """Closes what start_logging opened; lines after this go nowhere."""
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _Ours)]:
        root.removeHandler(handler)
        handler.close()


def empty_logs(settings: Settings) -> None:
    """Forget every line of the log file and the older ones. The open file is appended to, so it goes on from there."""
    for path in settings.logs_dir.glob("chat.log*"):
        try:
            if path.name == "chat.log":
                os.truncate(path, 0)
            else:
                path.unlink()
        except OSError as error:
            get_logger(__name__).warning("log_not_emptied", error_type=type(error).__name__)


class LineFormatter(logging.Formatter):
    """Every line of ours and of any library passes here, and nowhere else."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        facts = _facts(record)
        line = json.dumps(facts) if self._as_json else _readable(facts)
        return redact(line)


def _facts(record: logging.LogRecord) -> dict[str, object]:
    """The record as plain safe values, in the order they are read."""
    if isinstance(record.msg, dict):
        said, event = record.msg, str(record.msg.get("event", ""))
    else:  # a library: its first line only, since the rest may quote anything
        said = {**structlog.contextvars.get_contextvars(), "exc_info": record.exc_info}
        event = record.getMessage().partition("\n")[0]
    facts: dict[str, object] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "event": printable(event),
        "logger": record.name,
    }
    facts |= {printable(key, 60): guarded(key, value) for key, value in said.items() if key not in _OURS}
    error = _error(said.get("exc_info"))
    if error is not None:
        facts["exception"] = [printable(line) for line in describe(error)]
    return facts


def _error(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    if isinstance(exc_info, BaseException):
        return exc_info
    return sys.exc_info()[1] if exc_info else None


def _readable(facts: dict[str, object]) -> str:
    lines = facts.pop("exception", [])
    time, level, event = (str(facts.pop(key)) for key in ("time", "level", "event"))
    rest = " ".join(f"{key}={value}" for key, value in facts.items())
    tail = "".join(f"\n    {line}" for line in cast("list[str]", lines))
    return f"{time[11:19]} {level:<7} {event}  {rest}{tail}"


class _Ours(logging.Handler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A log that cannot be written must not stop a story, nor print the record as logging would."""


class _Screen(logging.StreamHandler[TextIO], _Ours):
    def emit(self, record: logging.LogRecord) -> None:
        metrics.LOG_LINES.add(record.levelname.lower())
        super().emit(record)


class _PrivateFile(RotatingFileHandler, _Ours):
    def _open(self) -> TextIOWrapper:
        def private(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        return TextIOWrapper(open(self.baseFilename, "ab", opener=private), encoding="utf-8")


def _file_handler(folder: Path) -> logging.Handler:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "chat.log"
    handler = _PrivateFile(path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
    path.chmod(0o600)
    handler.setFormatter(LineFormatter(as_json=True))
    return handler


def _line(event: str, error: OSError) -> logging.LogRecord:
    facts = {"event": event, "error_type": type(error).__name__, "errno": error.errno}
    return logging.LogRecord("chat.observe", logging.WARNING, __file__, 0, facts, None, None)


def _through_the_formatter(
    logger: object, method: str, facts: structlog.typing.EventDict
) -> tuple[tuple[structlog.typing.EventDict], dict[str, object]]:
    return (facts,), {}


# Set at import, not at start: structlog's own default would print local variables to the terminal.
logging.getLogger("chat").addHandler(logging.NullHandler())
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.contextvars.merge_contextvars,
        _through_the_formatter,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
)
