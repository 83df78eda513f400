"""Keeps the text of a running reply in its journal: soon after it has come, whether or not more comes after it.

A model may say a page in a moment and then think for a minute; a kill in that minute must not cost the page.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from chat.engine.run import Run
from chat.observe import get_logger

if TYPE_CHECKING:
    from chat.engine.engine import Engine

log = get_logger(__name__)
JOURNAL_EVERY_S = 0.25


class Keeping:
    """Call `note` when text has come; leave with `close`, which keeps the rest."""

    def __init__(self, engine: Engine, run: Run) -> None:
        self._engine, self._run = engine, run
        self._timer: asyncio.TimerHandle | None = None
        self._written = len(run.text) if run.journal else 0
        self._written_at_s: float | None = None

    def note(self) -> None:
        """The run has more text: write it once the tabs have it, or as soon as the last write is long enough ago."""
        if self._timer is not None:
            return
        now_s = self._engine.clock.monotonic_s()
        since_s = JOURNAL_EVERY_S if self._written_at_s is None else now_s - self._written_at_s
        wait_s = max(JOURNAL_EVERY_S - since_s, 0.0)
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._write)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._write()

    def _write(self) -> None:
        """Add to the journal. A disk that is full costs the safety net, not the reply."""
        self._timer, self._written_at_s = None, self._engine.clock.monotonic_s()
        text = self._run.text[self._written :]
        if not text:
            return
        try:
            if self._run.journal is None:
                self._run.journal = self._engine.store.reply_journal(self._run.reply_id)
            self._run.journal.append(text)
            self._written += len(text)
        except OSError as problem:
            log.warning("reply_journal_failed", error_type=type(problem).__name__)
