"""`python -m tests.bench.recall --conversations FOLDER`: how well a bot finds what it witnessed, in others' words.

Long conversations are played through the product's own events, memories and store, and each question is asked as the
latest entry through the product's own recall. Recall@k is the share of a question's evidence turns among the first k
memories. `--speed` measures the time instead, see recall_speed.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median

from chat.clock import Clock
from chat.domain.recall import Found
from chat.engine.remembering import Asking, remembered
from chat.settings import load_settings
from chat.store.store import Store
from tests.bench import recall_speed
from tests.bench.conversations import BOT, CONTINUITY, FILE, YOU, Asked, Conversation, cast, played, read

MAIN = ("single-hop", "multi-hop", "temporal", "open-domain")
DEPTH = 32
"""Memories looked at for the reciprocal rank and the budget of tokens."""
BUDGET = 800
UNRELATED = 3
TARGETS = {"R@8": 0.70, "R@4": 0.62, "MRR": 0.57}
MOST_LOST = 0.03
COLUMNS = ("R@4", "R@8", "R@16", "MRR", f"R in {BUDGET}", "R@8 noisy")


@dataclass
class Scores:
    """Values of each column, one for each question."""

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    seconds: list[float] = field(default_factory=list)

    def add(
        self, question: Asked, found: Sequence[Found], turns: dict[str, list[int]], noisy: Sequence[Found]
    ) -> None:
        wanted = set(question.evidence)
        told = [turns[one.memory_id] for one in found]
        for k in (4, 8, 16):
            self.values[f"R@{k}"].append(_share(wanted, told[:k]))
        ranks = [rank for rank, held in enumerate(told, 1) if wanted & set(held)]
        self.values["MRR"].append(1 / ranks[0] if ranks else 0.0)
        self.values[f"R in {BUDGET}"].append(_share(wanted, told[: _fitting(found)]))
        self.values["R@8 noisy"].append(_share(wanted, [turns[one.memory_id] for one in noisy[:8]]))

    def mean(self, column: str) -> float:
        return fmean(self.values[column])


def _share(wanted: set[int], told: Sequence[Sequence[int]]) -> float:
    return len(wanted & {turn for held in told for turn in held}) / len(wanted)


def _fitting(found: Sequence[Found]) -> int:
    """How many of the first memories fit the budget: four characters a token, six tokens beside each."""
    used = 0.0
    for count, one in enumerate(found):
        used += len(one.text) / 4 + 6
        if used > BUDGET:
            return count
    return len(found)


async def measure(talks: Sequence[Conversation], by_turn: bool) -> dict[str, Scores]:
    """Scores by category, and of all main categories as "overall"."""
    scores: dict[str, Scores] = defaultdict(Scores)
    for number, talk in enumerate(talks):
        noise = [turn.text for turn in talks[number - 1].turns]
        with tempfile.TemporaryDirectory(prefix="chat-bench-recall-") as name:
            store = await Store.open(load_settings(data_dir=Path(name)), Clock(seed=1))
            try:
                await _ask_all(store, talk, noise, by_turn, scores)
            finally:
                await store.close()
    return scores


async def _ask_all(
    store: Store, talk: Conversation, noise: Sequence[str], by_turn: bool, scores: dict[str, Scores]
) -> None:
    """`noise` are entries of another conversation; three of them stand before the question in the noisy run."""
    story = [event for events in played(talk, by_turn) for event in events]
    await store.execute(lambda state: cast(talk))
    await store.execute(lambda state: story)
    turns = await _turns_of(store, by_turn, talk)
    for number, question in enumerate(talk.questions):
        began = time.perf_counter()
        found = await _recalled(store, talk, [question.text])
        took = time.perf_counter() - began
        first = number * 7 % (len(noise) - UNRELATED)
        noisy = await _recalled(store, talk, [question.text, *noise[first : first + UNRELATED]])
        for group in {question.category, "overall" if question.category in MAIN else question.category}:
            scores[group].add(question, found, turns, noisy)
            scores[group].seconds.append(took)


async def _recalled(store: Store, talk: Conversation, entries: Sequence[str]) -> Sequence[Found]:
    async with store.reading() as reader:
        asking = Asking(tuple(entries), frozenset({BOT, YOU}), f"{talk.turns[-1].date}Z")
        return (await remembered(reader, store.library, BOT, CONTINUITY, asking, DEPTH)).chosen


async def _turns_of(store: Store, by_turn: bool, talk: Conversation) -> dict[str, list[int]]:
    """Which turns each memory holds: those up to its last one, from after the memory before it."""
    async with store.reading() as reader:
        rows = await reader.all("select id, turn_id from memories order by event_id")
    held, first = {}, 0
    for memory_id, last in rows:
        held[memory_id] = list(range(first, int(last) + 1))
        first = int(last) + 1
    return held


def _table(title: str, scores: dict[str, Scores]) -> None:
    print(f"\n{title}\n  {'':14}" + "".join(f"{name:>11}" for name in ("questions", *COLUMNS)))
    for group in ("overall", *MAIN, "adversarial"):
        cells = "".join(f"{scores[group].mean(column):>11.3f}" for column in COLUMNS)
        print(f"  {group:14}{len(scores[group].values['MRR']):>11}{cells}")
    took = sorted(scores["overall"].seconds)
    print(
        f"  {median(took) * 1000:.1f} ms a query, {took[int(len(took) * 0.95)] * 1000:.1f} at the 95th percentile"
    )


def _missed(scores: Scores) -> list[str]:
    lost = scores.mean("R@8") - scores.mean("R@8 noisy")
    told = [
        f"{name} {scores.mean(name):.3f} < {low}" for name, low in TARGETS.items() if scores.mean(name) < low
    ]
    return [*told, *([f"loss by noise {lost:.3f} > {MOST_LOST}"] if lost > MOST_LOST else [])]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.recall", description=__doc__)
    parser.add_argument("--conversations", type=Path, help=f"the folder of {FILE}")
    parser.add_argument("--speed", action="store_true", help="measure the time a query takes instead")
    parser.add_argument(
        "--largest", type=int, default=1_000_000, help="the most memories to measure speed with"
    )
    asked = parser.parse_args()
    if asked.speed:
        return recall_speed.main(asked.largest)
    if asked.conversations is None or not (asked.conversations / FILE).exists():
        parser.error(
            f"--conversations must name the folder that holds {FILE}; it is not part of the program."
        )
    talks = read(asked.conversations)
    by_turn = asyncio.run(measure(talks, by_turn=True))
    _table("One memory for each entry: what the targets count", by_turn)
    _table(
        "One memory for each exchange, as in play: a memory holds two turns and more, so k counts for more",
        asyncio.run(measure(talks, by_turn=False)),
    )
    missed = _missed(by_turn["overall"])
    print("\nEvery target is met." if not missed else f"\nMissed: {'; '.join(missed)}.")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
