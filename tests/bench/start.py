"""From the start of the process to its first page: beside a bare FastAPI app, and with a short and a long log."""

from __future__ import annotations

from statistics import median

from tests.bench.figures import ROUNDS, Line, Scale, at_most, ms, summed
from tests.bench.served import environment_for, python, started
from tests.bench.stories import Story, story_of_events
from tests.support.server import CHAT, free_port

SMALL, LARGE, LARGE_QUICK = 1_000, 1_000_000, 100_000


def measure(scale: Scale) -> list[Line]:
    small, large = story_of_events(SMALL), story_of_events(scale.of(LARGE, LARGE_QUICK), chats=4)
    _bare()
    _own(small)
    _own(large)
    taken = [(_own(small), _own(large), _bare()) for _ in range(2 * ROUNDS)]
    beside = summed([(own[0], bare[0]) for own, _, bare in taken])
    flat = summed([(late[0], early[0]) for early, late, _ in taken])
    own_cpu, bare_cpu = median(own[1] for own, _, _ in taken), median(bare[1] for _, _, bare in taken)
    return [
        at_most(
            "start to first page",
            f"{ms(beside[0])} (CPU {ms(own_cpu)})",
            f"{ms(beside[1])} bare (CPU {ms(bare_cpu)})",
            beside[2],
            2,
        ),
        at_most(
            f"start with {large.events:,} events",
            ms(flat[0]),
            f"{ms(flat[1])} with {small.events:,}",
            flat[2],
            1.1,
        ),
    ]


def _own(story: Story) -> tuple[float, float]:
    port = free_port()
    command = [*CHAT, "serve", "--no-open", "--port", str(port)]
    return started(command, environment_for(story.folder), port, "/chats")


def _bare() -> tuple[float, float]:
    port = free_port()
    return started(
        python("-m", "tests.bench.bare", str(port)),
        environment_for(story_of_events(SMALL).folder),
        port,
        "/chats",
    )
