"""llama.cpp's own server on the tiny random model, in a process of its own: nothing of ours, no weights fetched.

    python -m tests.support.llama_server FOLDER [--context 2048] [--reply-tokens 60] [--reads-prompts] [--quote 0.03]

prints its address as one line of JSON and serves until its standard input is closed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def llama_server(
    folder: Path,
    context: int = 2048,
    reply_tokens: int = 60,
    *,
    reads_prompts: bool = False,
    quote: float = 0.03,
) -> Iterator[str]:
    """The server's origin, such as http://127.0.0.1:41234.

    A reply ends by itself after about `reply_tokens`. With `reads_prompts` the words of our prompts are one token
    each, as they are to a real model; else they are spelled out letter by letter. With a `quote` of 0.2 the strings
    of its JSON end at once.
    """
    command = [sys.executable, "-m", "tests.support.llama_server", str(folder), "--context", str(context)]
    command += ["--reply-tokens", str(reply_tokens), "--quote", str(quote)]
    command += ["--reads-prompts"] if reads_prompts else []
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


def words_of_prompts() -> list[str]:
    """Every word that stands in our prompts, and some that stand in stories."""
    texts = "\n".join(path.read_text() for path in sorted((ROOT / "chat/prompts/texts").glob("*.j2")))
    more = "quay dusk Mira Alex lighthouse keeper story begins notes reply nobody hears end liking affection facts"
    return sorted(set(re.findall(r"[A-Za-z]+", f"{texts} {more}")))


def main() -> None:
    import xllamacpp

    from tests.support.tiny_gguf import write_gguf

    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--reply-tokens", type=int, default=60)
    parser.add_argument("--reads-prompts", action="store_true")
    parser.add_argument("--quote", type=float, default=0.03)
    arguments = parser.parse_args()
    model = arguments.folder / "tiny.gguf"
    words = words_of_prompts() if arguments.reads_prompts else []
    most = max(8192, arguments.context)
    kind = {"reply_tokens": arguments.reply_tokens, "quote": arguments.quote}
    write_gguf(model, seed=7, context=most, read_only=words, **kind)
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
