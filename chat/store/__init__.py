"""The only SQL: the log, its mirror, one writer and many readers."""

from chat.store.reading import Reader
from chat.store.state import Commit, Decide, State
from chat.store.store import Store

__all__ = ["Commit", "Decide", "Reader", "State", "Store"]
