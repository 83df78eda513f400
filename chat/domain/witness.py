"""Who hears which part of a turn, and the turn as one of them heard it.

Everything a prompt or a memory says about a turn goes through here; nothing else
may decide who witnessed what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from chat.domain.segments import Segment

UNHEARD = ("ooc", "direction")
"""Nobody in the story hears these: an aside is for the player alone, a direction for who writes the reply."""

_NAME_IN_CUE = re.compile(r"\s*/whisper[\s:,]*(.*?)[\s:,]*\Z", re.IGNORECASE | re.DOTALL)
_TOO_MANY_LINES = re.compile(r"\n[^\S\n]*\n\s*\n")


def witnesses(segment: Segment, speaker: str, present: Sequence[str]) -> frozenset[str]:
    """Ids of those who hear the segment. The speaker hears all of their own but asides and directions."""
    if segment.kind in UNHEARD:
        return frozenset()
    if segment.kind == "thought":
        return frozenset((speaker,))
    if segment.kind == "whisper":
        return frozenset((speaker, *(one for one in segment.to if one in present)))
    return frozenset((speaker, *present))


def witnessed_text(segments: Iterable[Segment], speaker: str, present: Sequence[str], viewer: str) -> str:
    """What `viewer` heard, in order, as readable text; empty when that is nothing."""
    heard = ""
    for segment in segments:
        if viewer in witnesses(segment, speaker, present):
            heard += readable(segment)
        else:
            heard = _seam(heard, segment.text)
    return _TOO_MANY_LINES.sub("\n\n", heard).strip()


def readable(segment: Segment) -> str:
    """The segment with its command put into words: "(whispering to Mira) ..." or "(thinking) ..."."""
    words = segment.text[segment.cue :]
    if not segment.cue:
        return words
    if segment.kind == "thought":
        return f"(thinking) {words}"
    if segment.kind == "direction":
        return f"(direction) {words}"
    named = _NAME_IN_CUE.match(segment.text[: segment.cue])
    name = named[1].strip('"“”„«»') if named else ""
    return f"(whispering to {name}) {words}" if name else f"(whispering) {words}"


def directions(segments: Iterable[Segment]) -> str:
    """What the player tells the next reply to bring about, a line for each direction; empty when that is nothing."""
    told = (one.text[one.cue :].strip() for one in segments if one.kind == "direction")
    return "\n".join(words for words in told if words)


def _seam(heard: str, unheard: str) -> str:
    """Where something was left out the wider of the two breaks stays: a paragraph, a line or a space."""
    words = heard.rstrip()
    breaks = max(heard[len(words) :].count("\n"), unheard[len(unheard.rstrip()) :].count("\n"))
    return words + ("\n" * min(breaks, 2) or " ")
