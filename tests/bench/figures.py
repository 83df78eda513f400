"""What a figure is: lines with a value, its reference measured in the same run, and the target between them.

Every line is a ratio of two things measured in turn (interleaved rounds, median of the rounds' ratios), because
absolute numbers do not travel between machines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

ROUNDS = 5


@dataclass(frozen=True)
class Line:
    """One figure as measured in one run. `measured` and `reference` are ready to print."""

    what: str
    measured: str
    reference: str
    ratio: str
    target: str
    is_met: bool


@dataclass(frozen=True)
class Scale:
    """How large things are. `quick` is for development: its numbers mean little, but everything runs.

    `large` asks for figures of a million events too, where making the story takes minutes.
    """

    quick: bool = False
    large: bool = False

    def of(self, full: int, quick: int) -> int:
        return quick if self.quick else full


Measure = Callable[[Scale], list[Line]]


class Skipped(Exception):
    """A figure could not be measured here; the sentence says why."""


def at_most(what: str, measured: str, reference: str, ratio: float, limit: float) -> Line:
    return Line(what, measured, reference, f"{ratio:.2f}x", f"<= {limit:g}x", ratio <= limit)


def at_least(what: str, measured: str, reference: str, ratio: float, limit: float | None) -> Line:
    """Without a limit it is only told."""
    target = "-" if limit is None else f">= {limit:g}x"
    return Line(what, measured, reference, f"{ratio:.2f}x", target, limit is None or ratio >= limit)


def within(what: str, measured: str, reference: str, value: float, limit: float | None, unit: str) -> Line:
    """For targets that are a difference or a size, not a ratio. Without a limit it is only told."""
    target = "-" if limit is None else f"<= {limit:g} {unit}"
    return Line(what, measured, reference, f"{value:.2f} {unit}", target, limit is None or value <= limit)


def holds(what: str, measured: str, is_met: bool) -> Line:
    """For what is simply true or not."""
    return Line(what, measured, "", "yes" if is_met else "no", "yes", is_met)


def interleaved(
    product: Callable[[], float], reference: Callable[[], float], rounds: int = ROUNDS
) -> tuple[float, float, float]:
    """Median of the product, median of the reference, median of the ratios of each round; the order alternates."""
    pairs = []
    for number in range(rounds):
        if number % 2:
            other, own = reference(), product()
        else:
            own, other = product(), reference()
        pairs.append((own, other))
    return summed(pairs)


def summed(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    return (
        median(own for own, _ in pairs),
        median(other for _, other in pairs),
        median(own / other for own, other in pairs),
    )


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def us(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} us"
