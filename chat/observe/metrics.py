"""Every figure the program counts, in one list, and the page that shows them to Prometheus.

Names begin with chat_. Labels hold codes only: no ids, no names, no text. Counting needs nothing but this file; the
library that knows the format is loaded when somebody asks for the page, because a start would wait for it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.core import CounterMetricFamily


class Count:
    """A number that only grows, one for each value of its label."""

    def __init__(self, name: str, meaning: str, label: str) -> None:
        self.name, self.meaning, self.label = name, meaning, label
        self._numbers: dict[str, int] = {}
        self._lock = threading.Lock()

    def add(self, value: str) -> None:
        with self._lock:
            self._numbers[value] = self._numbers.get(value, 0) + 1

    def of(self, value: str) -> int:
        return self._numbers.get(value, 0)

    def items(self) -> list[tuple[str, int]]:
        with self._lock:
            return list(self._numbers.items())


LOG_LINES = Count("chat_log_lines", "Lines logged", "level")
REFUSED_REQUESTS = Count("chat_refused_requests", "Requests refused before any page saw them", "reason")
COUNTS = (LOG_LINES, REFUSED_REQUESTS)


def metrics_page() -> tuple[bytes, str]:
    """What /metrics answers, and the content type of that."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.exposition import CONTENT_TYPE_LATEST

    registry = CollectorRegistry()
    registry.register(_Counted())
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Counted:
    """The counts in the library's own shape."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        from prometheus_client.core import CounterMetricFamily

        for count in COUNTS:
            family = CounterMetricFamily(count.name, count.meaning, labels=[count.label])
            for value, number in count.items():
                family.add_metric([value], number)
            yield family
