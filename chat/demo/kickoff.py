"""Reads the opening prose of a story by small keyword rules: where, when, who does what, what may be true.

What the prose does not say stays empty; nothing is invented about the bot or the player.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from chat.demo.lexicon import word_set
from chat.demo.movement import kind_of
from chat.demo.prompt import Message
from chat.demo.stage import bot_name

_FENCED = re.compile(
    r"<(?P<tag>\w+)[^>]*>\s*(?P<prose>.+?)\s*</(?P=tag)>|\"\"\"\s*(?P<quoted>.+?)\s*\"\"\"", re.S
)
_ABOUT = re.compile(r"The story is about (?P<bot>[^\n.;]+?) and (?P<you>[^\n.;]+?);")
_PLACE = re.compile(
    r"\b(?:at|in|on|inside|outside|aboard|behind|under|near|into|through)\s+(?P<place>(?:the|a|an|her|his|their|your|my|our)\s+"
    r"(?:[\w'’-]+\s){0,4}?[\w'’-]+(?:\sof\s(?:the\s)?(?:[\w'’-]+\s)?[\w'’-]+)?)(?=[,.;:!?\n]|\s(?:where|with|and|as|while|when|"
    r"just|after|before|is|are|at|in|on|by|under|into|near|until|to|that|which|for|from|over|beside|smells)\b|"
    r"\s(?!building|landing|clearing|crossing|dining|living|waiting|sitting|fishing|wedding)\w+ing\b|$)",
    re.I,
)
_NAMED = re.compile(
    r"\b(?:[Aa]t|[Ii]n|[Oo]n|[Ii]nside|[Aa]board)\s+(?P<place>[A-Z][\w'’-]+(?:\s[A-Z][\w'’-]+){0,3})"
)
_OPENS = re.compile(
    r"^\s*(?P<place>(?:the|a|an|her|his|their|your|my|our)\s+(?:[\w'’-]+\s){0,3}?[\w'’-]+"
    r"(?:\sof\s(?:the\s)?(?:[\w'’-]+\s)?[\w'’-]+)?)(?=[,.;:\n]|\s(?:at|in|on|by|under|near|just|after|before)\b)",
    re.I,
)
"""A kickoff that begins with its place: "The lobby of the hotel at two in the morning, ..."."""
_CLOCK = re.compile(
    r"\b(?P<h>\d{1,2}):(?P<m>\d{2})\s*(?P<half>[ap]\.?m)?|\b(?P<h2>\d{1,2})\s*(?P<half2>[ap]\.?m)\b", re.I
)
_OCLOCK = re.compile(r"\b(?P<word>\w+)\s+o['’]clock", re.I)
_NUMBERS = ["twelve", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"]
_NIGHT_ENDS = 5
_HOUR, _PART = "|".join(_NUMBERS), r"(?P<{}>morning|afternoon|evening|night)\b"
_SPOKEN = re.compile(
    rf"\b(?:at|after|before|around|about|nearly|almost|by|is|was|(?P<half>half past)) (?P<word>{_HOUR})\b"
    rf"(?: o['’]clock)?(?:[ ,]+[a-z]+){{0,4}}?[ ,]+{_PART.format('part')}"
    rf"|\b(?P<word2>{_HOUR}) (?:in the|at) {_PART.format('part2')}",
    re.I,
)
"""An hour and, a few words on, the part of the day: "a little after nine on a stormy autumn evening"."""
_TIMES: tuple[tuple[str, str], ...] = (
    (r"after midnight|past midnight", "00:15"), (r"before midnight", "23:45"), (r"midnight", "00:00"),
    (r"small hours|dead of night", "03:00"), (r"\bdawn|sunrise|daybreak", "06:00"), (r"late morning", "11:00"),
    (r"\bmorning|breakfast", "08:30"), (r"midday|\bnoon\b", "12:00"), (r"late afternoon", "17:00"),
    (r"afternoon", "15:00"), (r"sunset|\bdusk|twilight", "20:00"), (r"late evening", "22:00"),
    (r"\bevening|supper|dinner", "19:30"), (r"late at night", "23:30"), (r"\bnight|tonight", "22:30"),
)  # fmt: skip
_SEASONS = (("winter|snow|december|january|frost", "01-16"), ("spring|april|may\\b|blossom", "04-18"),
            ("summer|july|august|heat", "07-18"))  # fmt: skip
_DATE = re.compile(r"\b(\d{4}-\d{2}-\d{2})\b")
_POSTURES = (
    ("sitting", r"\bs(?:it|its|at|itting|eated)\b|perched|perches"), ("leaning", r"\blean(?:s|ing|ed)?\b"),
    ("kneeling", r"\bkne(?:el|els|eling|lt)\b|crouch\w*"), ("lying", r"\bl(?:ie|ies|ying|ay)\b|asleep|sprawled"),
    ("walking", r"\bwalk(?:s|ing|ed)?\b|\bpac(?:es|ing)\b|stroll\w*"), ("running", r"\brun(?:s|ning)?\b|\bran\b"),
    ("standing", r"\bst(?:and|ands|ood|anding)\b|waits? (?:at|by)"),
)  # fmt: skip
_ACTS = re.compile(
    r"\b(wip|mend|read|cook|wash|polish|writ|draw|paint|watch|wait|clean|count|sort|stir|pour|play|sing|dig|fix|repair|"
    r"carv|knit|sew|smok|drink|eat|bak|sweep|listen|look|stare|search|work|sharpen|pack|feed|fish|row|steer|driv|lock|"
    r"clos|open|climb|sleep|whistl|hum|chop|load|unload|tun|plant|water|study|studi)(?:es|ing|s|ping|ning|ting)\b[^,.;!?\n]{0,60}",
    re.I,
)
_HELD = re.compile(
    r"\b(?:holds?|holding|carr(?:y|ies|ying)|clutch(?:es|ing)?|grips?|gripping|cradl(?:es|ing)|with)\s+(?P<what>(?:a|an|the|two|"
    r"her|his|their|your|my)\s[\w'’-]+(?:\s[\w'’-]+){0,3}?)(?=\s(?:in|across|on|under|against|between|and|from|to|of)\b|[,.;!?\n]|$)",
    re.I,
)
_IN_HAND = re.compile(
    r"\s(?:in|across|under|between|against)\s(?:one |both |the )?(?:her|his|their|your|my|one|both)\b|^$"
)
_MOVING = word_set("""
train bus car carriage tram wagon cab taxi boat ship ferry plane spaceship starship caravan
""")
_PRIVATE = word_set("""
bedroom kitchen attic cellar basement cottage cabin hut apartment flat home house office bath room
""")
_WARM = re.compile(
    r"\b(?:friends?|love[sd]?|trusts?|warm\w*|glad|old friend|lover|wife|husband|sister|brother|fond)\b", re.I
)
_COLD = re.compile(
    r"\b(?:hates?|rivals?|enem(?:y|ies)|distrusts?|suspicious|angry|wary|stranger|resents?|fears?)\b", re.I
)


def read_kickoff(messages: Sequence[Message]) -> dict[str, Any]:
    """The fields of a kickoff answer, as far as the prose of the last user message fills them."""
    text = next((m.text for m in reversed(messages) if m.role == "user"), "")
    prose = prose_in(text)
    context = "\n".join(m.text for m in messages)
    name, you = _cast(context)
    mine, theirs = _sides(prose, name, you)
    warmth = 50 + 10 * bool(_WARM.search(prose)) - 15 * bool(_COLD.search(prose))
    return {
        "place": _place(prose),
        "start_time": _start_time(prose, context),
        "you": _activity(mine),
        "bot": _activity(theirs),
        "feeling_summary": _first_with(prose, _WARM) or _first_with(prose, _COLD),
        "facts": _sentences(prose)[:4],
        "affinity": warmth,
        "trust": warmth,
        "opening": prose,
    }


def prose_in(text: str) -> str:
    """The prose itself where the message wraps it in a tag or triple quotes, else the whole message."""
    found = _FENCED.search(text)
    return (found["prose"] or found["quoted"]).strip() if found else text.strip()


def _sentences(prose: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?…])[\"”*]*\s+|\n+", prose) if part.strip()]


def _first_with(prose: str, pattern: re.Pattern[str]) -> str:
    return next((sentence for sentence in _sentences(prose) if pattern.search(sentence)), "")


def _cast(context: str) -> tuple[str, str]:
    """The names of the bot and of the player, where the task names them."""
    found = _ABOUT.search(context)
    return (found["bot"], found["you"]) if found else (bot_name(context), "")


def _sides(prose: str, name: str, you: str) -> tuple[str, str]:
    """The clauses about the player and those about the bot; a clause without either goes on with the last."""
    sides: dict[bool, list[str]] = {True: [], False: []}
    mine = rf"you|i|we|{re.escape(you) or 'you'}"
    subject = re.compile(rf"\b(?:(?P<mine>{mine})|she|he|they|{re.escape(name) or 'she'})\b", re.I)
    is_mine = False
    for clause in re.split(r"(?<=[.!?;…\n])\s+|,\s+(?:and|while|but|as)\s+|\s(?:while|as)\s+", prose):
        found = subject.search(clause)
        is_mine = bool(found["mine"]) if found else is_mine
        sides[is_mine].append(clause)
        if re.search(r"\bwe\b|\byou and\b|\band you\b", clause, re.I):
            sides[not is_mine].append(clause)
    return "; ".join(sides[True]), "; ".join(sides[False])


def _place(prose: str) -> dict[str, Any]:
    opens = _OPENS.search(prose)
    candidates = [opens["place"].strip()] if opens else []
    candidates += [found["place"].strip() for found in _PLACE.finditer(prose)]
    named = [found["place"] for found in _NAMED.finditer(prose)]
    known = [place for place in candidates + named if kind_of(place) != "anywhere"]
    name = (known or named or [""])[0]
    words = set(re.findall(r"\w+", name.lower()))
    bare = re.sub(r"^(?:the|a|an)\s+", "", name, flags=re.I)
    return {
        "name": bare[:1].upper() + bare[1:],
        "type": next((w for w in reversed(bare.lower().split()) if kind_of(w) != "anywhere"), "place"),
        "moving": bool(words & _MOVING),
        "public": not words & _PRIVATE,
        "audible_range": "far" if kind_of(name) in ("water", "green", "street") else "room",
    }


def _start_time(prose: str, context: str) -> str:
    time = _clock_time(prose) or next((at for pattern, at in _TIMES if re.search(pattern, prose, re.I)), "")
    if not time:
        return ""
    given = _DATE.search(prose) or _DATE.search(context)
    season = next((day for pattern, day in _SEASONS if re.search(pattern, prose, re.I)), "10-03")
    return f"{given[1] if given else f'2026-{season}'}T{time}:00"


def _clock_time(prose: str) -> str:
    found, spoken = _CLOCK.search(prose), _OCLOCK.search(prose)
    if found:
        hour, half = int(found["h"] or found["h2"]), (found["half"] or found["half2"] or "").lower()
        hour = hour % 12 + 12 * half.startswith("p") if half else hour
        return f"{hour:02}:{found['m'] or '00'}" if hour < 24 and int(found["m"] or 0) < 60 else ""
    if said := _SPOKEN.search(prose):
        hour = _NUMBERS.index((said["word"] or said["word2"]).lower())
        part = (said["part"] or said["part2"]).lower()
        is_late = part in ("afternoon", "evening") or (part == "night" and hour > _NIGHT_ENDS)
        return f"{hour + 12 * is_late:02}:{'30' if said['half'] else '00'}"
    if not spoken:
        return ""
    word = spoken["word"].lower()
    hour = _NUMBERS.index(word) if word in _NUMBERS else int(word) % 24 if word.isdecimal() else -1
    late = bool(re.search(r"evening|night|afternoon", prose, re.I)) and 0 < hour < 12
    return f"{hour + 12 * late:02}:00" if hour >= 0 else ""


def _activity(text: str) -> dict[str, Any]:
    act = _ACTS.search(text)
    asleep = re.search(r"asleep|sleep(?:s|ing)", text, re.I)
    held = [
        f["what"].strip()
        for f in _HELD.finditer(text)
        if not f[0].lower().startswith("with") or _in_hand(text, f)
    ]
    watched = re.search(
        r"\b(?:watch(?:es|ing)|looks?|looking|star(?:es|ing))\s(?:at\s|over\s|out\sat\s)?([^,.;!?\n]{2,50})",
        text,
        re.I,
    )
    return {
        "posture": next((name for name, pattern in _POSTURES if re.search(pattern, text, re.I)), ""),
        "action": act[0].strip() if act else "",
        "attention": watched[1].strip() if watched else "",
        "holding": held[:4],
        "interruptible": not asleep,
        "required_attention": "high" if re.search(r"steer|driv|fight|surger|aim", text, re.I) else "low",
        "expected_minutes": None,
    }


def _in_hand(text: str, found: re.Match[str]) -> bool:
    return bool(_IN_HAND.match(text[found.end() :][:30])) and not found[0].lower().startswith("with her ")
