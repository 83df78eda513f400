"""What can be seen of the running program: logs, figures, and the redaction both pass through."""

from chat.observe import lean as lean  # before anything loads structlog
from chat.observe.logs import empty_logs, get_logger, logged_as, start_logging, stop_logging
from chat.observe.redaction import redact, register_secret

__all__ = [
    "empty_logs",
    "get_logger",
    "logged_as",
    "redact",
    "register_secret",
    "start_logging",
    "stop_logging",
]
