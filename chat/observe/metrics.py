"""Every figure the program counts, in one list, and the page that shows them to Prometheus.

Names begin with chat_. Labels hold codes only: no ids, no names, no text.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

REGISTRY = CollectorRegistry()
CONTENT_TYPE = CONTENT_TYPE_LATEST

LOG_LINES = Counter("chat_log_lines", "Lines logged", ["level"], registry=REGISTRY)
REFUSED_REQUESTS = Counter(
    "chat_refused_requests", "Requests refused before any page saw them", ["reason"], registry=REGISTRY
)


def metrics_text() -> bytes:
    """What /metrics answers, with CONTENT_TYPE."""
    return generate_latest(REGISTRY)
