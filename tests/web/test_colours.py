"""Contrast: every pair of text and ground of the style sheet reaches AA, in every theme."""

from __future__ import annotations

import re

import pytest

from chat.web.assets import FOLDER, STYLE_SHEETS
from chat.web.pages import THEMES

Rgb = tuple[float, ...]
SCHEMES = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
PLAIN = re.compile(r"--([\w-]+): (#[0-9a-f]{6});")
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
    ("yours", "ground"),
]
TINTS = [(name, name, 0.09, "ground") for name in (*SPEAKERS, "muted")] + [
    ("text", "accent", 0.13, "rail"),
    ("muted", "accent", 0.13, "rail"),
    ("muted", "text", 0.06, "rail"),
    *((name, name, 0.09, "rail") for name in SPEAKERS),
]
EDGES = [("edge", "ground"), ("edge", "surface"), ("accent", "ground"), ("accent", "surface")]


def _themes() -> dict[str, dict[str, str]]:
    """The colours of each theme by their role; those of the system's setting are the light and the dark ones."""
    sheet = (FOLDER / "css/tokens.css").read_text("utf-8")
    found = {
        "light": {name: light for name, light, _ in SCHEMES.findall(sheet)},
        "dark": {name: dark for name, _, dark in SCHEMES.findall(sheet)},
    }
    for theme in set(THEMES) - {"system", "light", "dark"}:
        found[theme] = dict(PLAIN.findall((FOLDER / f"css/{theme}.css").read_text("utf-8")))
    return found


COLOURS = _themes()


def _rgb(theme: str, name: str) -> Rgb:
    value = COLOURS[theme].get(name) or COLOURS[theme]["accent"]
    return tuple(int(value[place : place + 2], 16) / 255 for place in (1, 3, 5))


def _light(rgb: Rgb) -> float:
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: Rgb, other: Rgb) -> float:
    high, low = sorted((_light(one), _light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", COLOURS)
def test_text_can_be_read_on_every_ground(theme: str) -> None:
    weak = {
        pair: round(ratio, 2)
        for pair in TEXT_ON
        if (ratio := _contrast(_rgb(theme, pair[0]), _rgb(theme, pair[1]))) < 4.5
    }
    assert not weak


@pytest.mark.parametrize("theme", COLOURS)
def test_text_can_be_read_on_tinted_grounds(theme: str) -> None:
    weak = {}
    for text, tint, share, ground in TINTS:
        pairs = zip(_rgb(theme, tint), _rgb(theme, ground), strict=True)
        mixed = tuple(share * one + (1 - share) * other for one, other in pairs)
        if (ratio := _contrast(_rgb(theme, text), mixed)) < 4.5:
            weak[text, tint, ground] = round(ratio, 2)
    assert not weak


@pytest.mark.parametrize("theme", COLOURS)
def test_edges_of_controls_and_the_focus_ring_can_be_seen(theme: str) -> None:
    weak = [pair for pair in EDGES if _contrast(_rgb(theme, pair[0]), _rgb(theme, pair[1])) < 3]
    assert not weak


def test_a_theme_of_its_own_says_every_colour_anew() -> None:
    assert set(COLOURS["phosphor"]) - {"yours"} == set(COLOURS["light"]) == set(COLOURS["dark"])


def test_colours_are_named_in_the_sheets_of_themes_only() -> None:
    elsewhere = [
        name
        for name in STYLE_SHEETS
        if name.removesuffix(".css") not in {"tokens", *THEMES}
        and re.search(r":[^;{]*#[0-9a-f]{6}\b", (FOLDER / "css" / name).read_text("utf-8"))
    ]
    assert not elsewhere
    assert {path.name for path in (FOLDER / "css").iterdir()} == set(STYLE_SHEETS)
