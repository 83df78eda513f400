"""The sentences the narrator draws from: text files of [pools], one part a line.

A part may name no genre, year or person. Slots: {n} the bot, {they} {their} {them}, {keepsake} {a_keepsake},
{m} what the turn is about, {w} a word of it, {hail} the greeting or thanks itself, {literal} a turn without words,
{frag} older words of the player, {place} {in_place} {place_said} {dest} {time}; a capital slot starts a sentence.
<say/says> is the verb after {they}, for a bot that is "they" and for one that is not.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

_FILES = (
    "beats",
    "courtesies",
    "feelings",
    "journeys",
    "places",
    "questions",
    "statements",
    "threads",
    "turns",
)

KEEPSAKES: tuple[tuple[str, str], ...] = (
    ("a bent spoon", "the bent spoon"),
    ("a walnut", "the walnut"),
    ("a key that fits nothing", "the key that fits nothing"),
    ("a bit of blue glass", "the bit of blue glass"),
    ("a brass whistle", "the brass whistle"),
    ("a double-five domino", "the domino"),
    ("a chipped marble", "the chipped marble"),
    ("a headless tin soldier", "the tin soldier"),
    ("a knot of green string", "the knot of green string"),
    ("a foreign coin with a hole in it", "the coin with the hole in it"),
    ("a small cracked magnifying glass", "the magnifying glass"),
    ("a thimble", "the thimble"),
)


def pool(name: str) -> tuple[str, ...]:
    """The parts of one pool; empty for a name that has none."""
    return _pools().get(name, ())


def threads() -> tuple[tuple[str, ...], ...]:
    """The little mysteries, each a tuple of stages in order."""
    return tuple(parts for name, parts in _pools().items() if name.startswith("thread_"))


@cache
def _pools() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name in _FILES:
        current: list[str] = []
        for line in files(__package__).joinpath(f"{name}.txt").read_text(encoding="utf-8").splitlines():
            if line.startswith("[") and line.endswith("]"):
                current = found.setdefault(line[1:-1], [])
            elif line.strip():
                current.append(line.strip())
    return {name: tuple(parts) for name, parts in found.items()}
