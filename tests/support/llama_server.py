"""llama.cpp's own server on the tiny random model, in a process of its own: nothing of ours, no weights fetched.

    python -m tests.support.llama_server FOLDER [--context 2048]

prints its address as one line of JSON and serves until its standard input is closed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def llama_server(folder: Path, context: int = 2048) -> Iterator[str]:
    """The server's origin, such as http://127.0.0.1:41234."""
    command = [sys.executable, "-m", "tests.support.llama_server", str(folder), "--context", str(context)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, "llama.cpp's server did not start"
        yield json.loads(line)["origin"]
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def main() -> None:
    import xllamacpp

    from tests.support.tiny_gguf import write_gguf

    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--context", type=int, default=2048)
    arguments = parser.parse_args()
    model = arguments.folder / "tiny.gguf"
    write_gguf(model, seed=7, context=8192, reply_tokens=60)
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_ctx = arguments.context
    params.n_parallel = 1
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.endpoint_slots = True
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    print(json.dumps({"origin": server.listening_address}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
