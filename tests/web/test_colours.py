"""Contrast: every pair of text and ground of the style sheet reaches AA, in light and in dark."""

from __future__ import annotations

import re

import pytest

from chat.web.assets import FOLDER, STYLE_SHEETS

TOKENS = dict(
    re.findall(
        r"--([\w-]+): light-dark\((#[0-9a-f]{6}, #[0-9a-f]{6})\)",
        (FOLDER / "css/tokens.css").read_text("utf-8"),
    )
)
SPEAKERS = [f"speaker-{number}" for number in range(8)]
TEXT_ON = [
    *(
        (text, ground)
        for text in ("text", "muted", "accent", "danger")
        for ground in ("ground", "surface", "rail")
    ),
    *((speaker, ground) for speaker in SPEAKERS for ground in ("ground", "rail")),
    ("on-accent", "accent"),
    ("danger", "danger-ground"),
    ("text", "danger-ground"),
    ("text", "good-ground"),
]
TINTS = [(name, name, 0.09, "ground") for name in (*SPEAKERS, "muted")] + [
    ("text", "accent", 0.13, "rail"),
    ("muted", "accent", 0.13, "rail"),
    ("muted", "text", 0.06, "rail"),
    *((name, name, 0.09, "rail") for name in SPEAKERS),
]
EDGES = [("edge", "ground"), ("edge", "surface"), ("accent", "ground"), ("accent", "surface")]


def _rgb(name: str, scheme: int) -> tuple[float, float, float]:
    value = TOKENS[name].split(", ")[scheme]
    return tuple(int(value[place : place + 2], 16) / 255 for place in (1, 3, 5))  # type: ignore[return-value]


def _light(rgb: tuple[float, float, float]) -> float:
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    high, low = sorted((_light(one), _light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_on_every_ground(scheme: int) -> None:
    weak = {
        pair: round(ratio, 2)
        for pair in TEXT_ON
        if (ratio := _contrast(_rgb(pair[0], scheme), _rgb(pair[1], scheme))) < 4.5
    }
    assert not weak


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_on_tinted_grounds(scheme: int) -> None:
    weak = {}
    for text, tint, share, ground in TINTS:
        pairs = zip(_rgb(tint, scheme), _rgb(ground, scheme), strict=True)
        mixed = tuple(share * one + (1 - share) * other for one, other in pairs)
        if (ratio := _contrast(_rgb(text, scheme), mixed)) < 4.5:  # type: ignore[arg-type]
            weak[text, tint, ground] = round(ratio, 2)
    assert not weak


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_edges_of_controls_and_the_focus_ring_can_be_seen(scheme: int) -> None:
    weak = [pair for pair in EDGES if _contrast(_rgb(pair[0], scheme), _rgb(pair[1], scheme)) < 3]
    assert not weak


def test_colours_are_named_in_one_sheet_only() -> None:
    elsewhere = [
        name
        for name in STYLE_SHEETS
        if name != "tokens.css"
        and re.search(r":[^;{]*#[0-9a-f]{6}\b", (FOLDER / "css" / name).read_text("utf-8"))
    ]
    assert not elsewhere
    assert {path.name for path in (FOLDER / "css").iterdir()} == set(STYLE_SHEETS)
