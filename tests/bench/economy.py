"""How little of each prompt a back end must read anew: 60 turns with notes on one llama.cpp server with one slot.

The server is real (a tiny random model whose vocabulary has the words of our prompts, cache on, replies cut at 250
tokens by max_tokens) and evaluates everything; only its structured answers are replaced on the way back, as random
ones would close the scene every other turn. `python -m tests.bench.economy` prints each turn.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

from chat.app import running_engine
from chat.clock import Clock
from chat.domain.kickoff import KickoffDraft
from chat.engine.authoring import BotFields, YouFields
from chat.engine.engine import Engine
from chat.settings import load_settings
from chat.store import views
from tests.bench.evaluated import Counted, Counting
from tests.bench.figures import Line, Scale, holds
from tests.support.llama_server import llama_server
from tests.support.tiny_gguf import WORDS

TURNS, REPLY_TOKENS, ENTRY_WORDS = 60, 250, 20
ALLOWED_BEYOND, TRIM_SHARE = 500, 1 / 8
NEVER_ENDS = 1_000_000
PERSONA = (
    "Keeps the old lighthouse with her brother's lantern and a captain's letter. Mira laughs quietly, remembers every "
    "song of the harbor, and never leaves the tower in a storm. She hears more than she says."
)


@dataclass
class Turn:
    """One turn as the server saw it, sizes in its own tokens; `is_trim` when history began later than before."""

    entry: int
    reply: int
    is_trim: bool
    calls: list[Counted] = field(default_factory=list)
    allowed: int = 0

    @property
    def evaluated(self) -> int:
        return sum(call.evaluated for call in self.calls)


async def play(origin: str, counting: Counting, folder: Path, turns: int) -> tuple[list[Turn], bool]:
    """The turns, and whether our own records agree with the server's about what was cached."""
    connection = {
        "base_url": f"{counting.origin}/v1",
        "narrative_model": "tiny",
        "temperature": 1.0,
        "reply_tokens": REPLY_TOKENS,
    }
    patience = {"first_token_s": 60, "between_tokens_s": 60, "classifier_s": 60, "digest_wait_s": 60}
    settings = load_settings(data_dir=folder / "data", connection=connection, timeouts=patience)
    async with running_engine(settings, Clock(seed=1)) as engine:
        chat_id = await _begin(engine)
        told = [await _turn(engine, counting, chat_id, number) for number in range(turns)]
        async with engine.store.reading() as reader:
            calls = await views.calls(reader, chat_id=chat_id, limit=10 * turns)
    ours = sorted((one.prompt_tokens, one.cached_tokens) for one in calls)
    theirs = sorted((one.prompt, one.cached) for turn in told for one in turn.calls)
    for before, turn in pairwise(told):
        turn.allowed = before.entry + before.reply + turn.entry + ALLOWED_BEYOND
    return told, ours == theirs


async def _begin(engine: Engine) -> str:
    you = await engine.author_you(None, YouFields(name="Alex", appearance="a grey coat"))
    bot = await engine.author_bot(None, BotFields(name="Mira", persona=PERSONA, traits=("quiet", "warm")))
    draft = KickoffDraft(
        bot_id=bot,
        you_id=you,
        title="Economy",
        prose="",
        place_name="the old tower",
        start_at="2026-11-20T19:00:00Z",
        opening="The lantern waits in the window over the harbor.",
    )
    return await engine.confirm_kickoff(draft)


async def _turn(engine: Engine, counting: Counting, chat_id: str, number: int) -> Turn:
    pick = random.Random(number)
    words = '"' + " ".join(pick.choices(WORDS, k=ENTRY_WORDS)) + '."'
    counting.taken()
    before = engine.history_from.copy()
    accepted = await engine.take_turn(chat_id, words)
    run = engine.runs.get(chat_id)
    if run and run.task:
        await run.task
    assert await engine.digests.wait(chat_id, 60)
    async with engine.store.reading() as reader:
        reply = await views.turn(reader, accepted.reply_id or "")
    assert reply is not None
    assert reply.digest_outcome == "ok", reply.digest_outcome
    moved = bool(before) and engine.history_from != before
    sizes = counting.size(words), counting.size(reply.text)
    return Turn(*sizes, moved, counting.taken())


def measure(scale: Scale) -> list[Line]:
    told, agrees = _measured(scale.of(TURNS, 24))
    usual = [turn for turn in told[1:] if not turn.is_trim]
    trims = [turn for turn in told[1:] if turn.is_trim]
    share, calls = len(trims) / len(told), max(len(turn.calls) for turn in told)
    cost = f"{mean(turn.evaluated for turn in trims):.0f} tokens each" if trims else "none"
    return [
        _anew("read anew for a reply", usual, lambda turn: turn.calls[0].evaluated),
        _anew("read anew in a turn, its notes included", usual, lambda turn: turn.evaluated),
        Line("turns that trim history", cost, "", f"{share:.3f}", "<= 0.125", share <= TRIM_SHARE),
        holds("our cached-token counts are the server's", f"{sum(len(t.calls) for t in told)} calls", agrees),
        Line("calls of a model in a turn", f"{calls}", "", f"{calls}", "<= 2", calls <= 2),
    ]


def _anew(what: str, turns: list[Turn], size: Callable[[Turn], int]) -> Line:
    """The worst turn, beside what it may be."""
    worst = max(turns, key=lambda turn: size(turn) / turn.allowed)
    return Line(
        what,
        f"{size(worst)} tokens, mean {mean(map(size, turns)):.0f}",
        f"exchange + entry + {ALLOWED_BEYOND} = {worst.allowed}",
        f"{size(worst) / worst.allowed:.2f}x",
        "<= 1x",
        size(worst) <= worst.allowed,
    )


def _measured(turns: int) -> tuple[list[Turn], bool]:
    with tempfile.TemporaryDirectory(prefix="chat-bench-economy-") as name:
        folder = Path(name)
        with (
            llama_server(folder, 16_384, NEVER_ENDS, reads_prompts=True) as origin,
            Counting(origin, _notes) as counting,
        ):
            return asyncio.run(play(origin, counting, folder, turns))


def _notes(number: int) -> dict[str, Any]:
    """What a careful reader would note: a little each turn."""
    pick = random.Random(number)
    about = {"source": "Mira", "target": "Alex", "affinity": pick.randint(-2, 3), "trust": 1, "cites": [1]}
    fact = f"Alex {pick.choice(WORDS)} the {pick.choice(WORDS)} {pick.choice(WORDS)}."
    doing = f"{pick.choice(WORDS)} the {pick.choice(WORDS)}"
    return {
        "feelings": [{**about, "reason": "kind words"}],
        "facts": [{"owner": "Mira", "about": "Alex", "text": fact, "cites": [1]}] if number % 3 == 0 else [],
        "activities": [{"who": "Mira", "posture": "standing", "action": doing, "cites": [1]}],
        "minutes": 2,
        "minutes_cites": [1],
        "significance": pick.choice([0, 1, 1, 2]),
    }


def main() -> int:
    told, agrees = _measured(int(sys.argv[1]) if len(sys.argv) > 1 else TURNS)
    print("turn  entry reply | narrate: prompt cached anew | notes: prompt cached anew | anew allowed")
    for number, turn in enumerate(told, 1):
        cells = "".join(f" | {call.prompt:6} {call.cached:6} {call.evaluated:5}" for call in turn.calls)
        over = (
            "  trim" if turn.is_trim else "  OVER" if turn.allowed and turn.evaluated > turn.allowed else ""
        )
        print(f"{number:4} {turn.entry:6} {turn.reply:5}{cells} | {turn.evaluated:5} {turn.allowed:5}{over}")
    print("our records agree with the server's" if agrees else "OUR RECORDS DIFFER from the server's")
    return 0


if __name__ == "__main__":
    sys.exit(main())
