"""What one token from upstream costs in CPU, from the socket to the piece the engine gets, beside a raw socket."""

from __future__ import annotations

import gc
import time

import uvloop

from chat.clock import Clock
from chat.llm.calls import Endpoint, NarrateRequest
from chat.llm.gateway import Gateway
from tests.bench.direct import Direct, upstream
from tests.bench.figures import ROUNDS, Line, Scale, at_most, summed, us
from tests.bench.upstream import flood_text


def measure(scale: Scale) -> list[Line]:
    count = scale.of(30_000, 5_000)
    with upstream() as port:
        pairs = uvloop.run(_rounds(port, count))
    own, floor, ratio = summed(pairs)
    return [at_most("CPU of a token from upstream", us(own), f"{us(floor)} raw socket", ratio, 4)]


async def _rounds(port: int, count: int) -> list[tuple[float, float]]:
    gateway = Gateway(Clock())
    direct = Direct(port)
    endpoint = Endpoint("bench", f"http://127.0.0.1:{port}/v1")
    await _narrated(gateway, endpoint, 100)
    pairs = []
    for _ in range(ROUNDS):
        gc.collect()
        pairs.append((await _narrated(gateway, endpoint, count), _floor(direct, count)))
    direct.close()
    await gateway.close()
    return pairs


async def _narrated(gateway: Gateway, endpoint: Endpoint, count: int) -> float:
    """CPU seconds a token of this thread, which runs the event loop and nothing else."""
    request = NarrateRequest(
        model="bench",
        messages=[{"role": "user", "content": f"bench:steady:{count}"}],
        temperature=0.8,
        max_tokens=count,
        seed=1,
        first_token_s=30,
        between_tokens_s=30,
        total_s=60,
    )
    began = time.thread_time()
    text = ""
    async with gateway.narrate(endpoint, request) as narration:
        async for piece in narration:
            text += piece.text
    took = time.thread_time() - began
    assert text.partition(" ")[2] == flood_text(count)
    return took / count


def _floor(direct: Direct, count: int) -> float:
    began = time.thread_time()
    direct.ask(f"bench:steady:{count}")
    text = "".join(direct.texts())
    took = time.thread_time() - began
    assert text.partition(" ")[2] == flood_text(count)
    return took / count
