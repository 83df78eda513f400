"""Nothing leaves the machine but calls to the model: what the environment has frameworks collect is not collected."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.server import Server

WATCHED = """
from pathlib import Path
from opentelemetry import trace

class Watching(trace.TracerProvider):
    def get_tracer(self, *about, **more):
        Path({seen!r}).touch()
        return trace.NoOpTracer()

trace.set_tracer_provider(Watching())
from chat.cli import main
main()
"""
ASKED_FOR = {
    "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    "OTEL_SERVICE_NAME": "stories",
}


def test_no_request_is_traced_or_told_of_whatever_the_environment_says(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    program = (sys.executable, "-c", WATCHED.format(seen=str(seen)))
    with Server(tmp_path / "data", settings=ASKED_FOR, program=program) as server:
        assert server.request("GET", "/chats").status == 200
        assert server.request("GET", "/chats/nobody").status == 404
        assert "telemetry" not in server.log.read_text("utf-8").lower()
    assert not seen.exists()
