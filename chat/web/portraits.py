"""Who speaks, as the margin shows it: a letter or two and one of eight hues, the same in every chat and every run."""

from __future__ import annotations

import unicodedata
from zlib import crc32

from chat.domain.people import is_you

YOUR_HUES = (1, 4, 6)
BOT_HUES = (0, 2, 3, 5, 7)


def speaker_hue(entity: str) -> str:
    """The CSS class of an entity's colour, from its id; a bot never has the colour of the player."""
    hues = YOUR_HUES if is_you(entity) else BOT_HUES
    return f"speaker-{hues[crc32(entity.encode('utf-8', 'replace')) % len(hues)]}"


def monogram(name: str) -> str:
    """The first letter of the first and last word; a middle dot where a name has no letter."""
    words = ["".join(char for char in word if unicodedata.category(char)[0] in "LN") for word in name.split()]
    letters = [word[0].upper()[:1] for word in words if word]
    return "".join(letters[:1] + letters[1:][-1:]) or "·"
