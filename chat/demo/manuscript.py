"""Turns drawn parts into paragraphs: decides where the bot stands by name, by short name or by pronoun.

It only sets what it is given and must never add or drop a word of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chat.demo.stage import Stage

# They stand for the bot in filled parts, inside and at the start of a sentence; no player's text holds them.
BOT, BOT_FIRST = "\ue000", "\ue001"

_TAG = re.compile(rf'(?<=" ){BOT}(?= [a-z]+s\b)')
_PLAIN_TAG = re.compile(rf'(?<=," ){BOT} ([a-z]+)s(?=\.)')
_START = re.compile(rf"^(\*?){BOT_FIRST}(?= [a-z]+s?\b)")


def typeset(paragraphs: Sequence[Sequence[str]], stage: Stage) -> str:
    """The reply as text; the first mention is the whole name, then the short one, then the pronoun."""
    text = "\n\n".join(
        _paragraph([part for part in parts if part], stage) for parts in paragraphs if any(parts)
    )
    first = re.search(f"[{BOT}{BOT_FIRST}]", text)
    if first:
        text = _named(text[: first.end()], stage.name) + _named(text[first.end() :], stage.short_name)
    return text


def _named(text: str, name: str) -> str:
    return text.replace(BOT_FIRST, name[:1].upper() + name[1:]).replace(BOT, name)


def _paragraph(parts: Sequence[str], stage: Stage) -> str:
    """Two speeches in a row would read as two speakers, so the second begins a paragraph."""
    text, named = "", False
    for part in parts:
        breaks = text.endswith('"') and part.startswith('"')
        if breaks:
            named = False
        text += ("\n\n" if breaks else " " if text else "") + (_pronouns(part, stage) if named else part)
        named = named or BOT in part or BOT_FIRST in part
    return text


def _pronouns(part: str, stage: Stage) -> str:
    they = stage.pronouns[0]
    if they == "they":  # the verbs of the parts are singular; only a bare "says." can be turned
        return _PLAIN_TAG.sub(r"they \1", part)
    return _START.sub(rf"\1{they.capitalize()}", _TAG.sub(they, part))
