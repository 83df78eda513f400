"""Reads one player turn: what kind of turn it is, what it is about, and which words can be given back.

It only looks at the turn itself and must never decide what is answered.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from chat.demo.lexicon import DETERMINERS, NOUNISH, PASSING, STOPWORDS, WEAK, word_set
from chat.demo.moods import courtesy_in, mood_of
from chat.demo.movement import Walk, walk_in

_ASIDE = re.compile(r"\(\(.*?\)\)|[\[(]\s*ooc\b[^\])]*[\])]|^\s*(?:ooc|//)\s*:?.*$", re.I | re.S | re.M)
_BREAKS = re.compile(r"[\s/—–…\u3000-\u303f\uff00-\uff0f]+")
_CLAUSE_END = re.compile(r"[.!?;:…\n\"“”。！？]+|,\s|\s[-—–]+\s|—")
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])[\"”')\]*_]*\s+|\n+")
_HANDLING = re.compile(
    r"\b(?:give|gave|hand|pass|offer|slide|take|took|grab|accept|pick up|reach for|steal|borrow|pocket)\w*\b",
    re.I,
)
_QUESTION = re.compile(r"[^.!?\n\"“”]*\?")
_SPEECH = re.compile(r"[\"“]([^\"“”]+)[\"”]")
_ASKING = re.compile(r"(?:who|where|when|why|how|what|which|do|did|does|are|is|can|could|would|will)\b", re.I)
_DEED_TEXT = re.compile(r"\*[^*]+\*")
_CUT = word_set("that which who and but because before after if when while with for so since")
_UNPRINTED = ("Cc", "Cs", "Cn", "Co")
_HEAD, _TAIL = 800, 1600


@dataclass(frozen=True)
class Turn:
    """One player turn as the narrator hears it; what is not there is "".

    `mention` is a noun phrase as the bot would say it, `word` one word as it was written, `hail` the greeting,
    thanks or yes itself, `literal` the whole of a turn that has no words.
    """

    plain: str
    kind: str
    word: str
    mention: str
    walk: Walk | None
    literal: str = ""
    hail: str = ""


def plain_text(text: str) -> str:
    """The turn without markup, control characters and outer space; long turns keep their head and tail."""
    if len(text) > _HEAD + _TAIL:
        text = f"{text[:_HEAD]}\n{text[-_TAIL:]}"
    kept = "".join(c if c == "\n" or unicodedata.category(c) not in _UNPRINTED else " " for c in text)
    return re.sub(r"[*_~`#>]+", "", kept).strip()


def tokens(text: str) -> list[str]:
    """Words with the punctuation and symbols around them removed; works for any script that has letters."""
    found = (_trim(chunk) for chunk in _BREAKS.split(text))
    return [word for word in found if any(unicodedata.category(c)[0] in "LN" for c in word)]


def _trim(chunk: str) -> str:
    start, end = 0, len(chunk)
    while start < end and unicodedata.category(chunk[start])[0] in "PSCZ":
        start += 1
    while end > start and unicodedata.category(chunk[end - 1])[0] in "PSCZ":
        end -= 1
    return chunk[start:end]


def is_content(word: str) -> bool:
    """Whether a word says what a turn is about."""
    return word.lower().replace("’", "'") not in STOPWORDS and (len(word) > 2 or not word.isascii())


def content_words(text: str) -> list[str]:
    return [word for word in tokens(text) if is_content(word)]


def hear(text: str, bot_name: str = "") -> Turn:
    """Reads a turn; `bot_name` keeps the bot's own name from being taken for the subject."""
    aside_free = _ASIDE.sub(" ", text[-4000:] if len(text) > 8000 else text)
    only_aside = not tokens(aside_free) and bool(tokens(text))
    spoken = plain_text(text if only_aside else aside_free)
    if only_aside:
        spoken = re.sub(r"\booc\b:?", "", spoken.strip("()[]/ "), flags=re.I).strip()
    return _understood(text, spoken, only_aside, set(re.findall(r"[^\W\d_]+", bot_name.lower())))


def _understood(text: str, spoken: str, only_aside: bool, names: set[str]) -> Turn:
    words = tokens(spoken)
    if not words:
        return Turn(spoken, "silence", "", "", None, literal=literal_of(text))
    walk = None if only_aside else walk_in(spoken)
    kind = "aside" if only_aside else "walk" if walk else mood_of(spoken, words, text)
    hail = courtesy_in(spoken, kind)
    about = _spoken_aloud(spoken) if kind not in ("give", "take", "deed") else ""
    mention = "" if walk else (_mention(about, names, kind) or _mention(spoken, names, kind))
    left = names | {part.lower() for part in tokens(hail)}
    word = tokens(mention)[-1] if mention else _best_word(tokens(about) or words, left)
    return Turn(spoken, kind, word, mention, walk, hail=hail)


def _spoken_aloud(text: str) -> str:
    """What stands in quotation marks, where a turn has any."""
    return "\n".join(found[1] for found in _SPEECH.finditer(text))


def literal_of(text: str) -> str:
    """What stands there, on one line and short enough to be quoted."""
    one_line = " ".join(text.replace('"', "").split())
    return "".join(c for c in one_line[:40] if unicodedata.category(c) not in _UNPRINTED) or "..."


def _best_word(words: list[str], names: set[str]) -> str:
    def merit(item: tuple[int, str]) -> tuple[int, int, int]:
        position, word = item
        low = word.lower().replace("’", "'")
        score = 4 * is_content(word) - 3 * (low in WEAK) - 2 * low.endswith("ly") - 12 * (low in names)
        score += 2 * (position > 0 and word[:1].isupper() and low not in STOPWORDS and len(word) > 3)
        # Words of a script whose small words are not known: the longest is the best guess.
        return score + (len(word) > 3), 0 if word.isascii() else len(word), position

    return max(enumerate(words), key=merit)[1].strip()[:40]


def _mention(text: str, names: set[str], kind: str) -> str:
    """The noun phrase a turn is most about: what is given or taken, else the last good one."""
    verb = _HANDLING.search(text) if kind in ("give", "take") else None
    if verb:
        handled = _phrases(text[verb.end() :][:120], names, kind)
        if handled:
            return handled[0]
    phrases = [
        phrase for clause in _CLAUSE_END.split(text[-_TAIL:]) for phrase in _phrases(clause, names, kind)
    ]
    return phrases[-1] if phrases else ""


def _phrases(clause: str, names: set[str], kind: str) -> list[str]:
    found_words = tokens(clause)
    found: list[str] = []
    for at, word in enumerate(found_words):
        if word.lower() in DETERMINERS:
            noun = _noun_after(found_words[at + 1 : at + 5])
            if noun and not names & set(noun.lower().split()):
                found.append(f"{_said_back(word.lower(), kind.startswith('ask'))} {noun}")
        elif at and _is_name(word, found_words[at - 1]) and word.lower() not in names:
            found.append(word)
    return found


def _is_name(word: str, before: str) -> bool:
    """A capital inside a clause, when it does not go on with a phrase that has begun."""
    follows = before.lower() in DETERMINERS or before[:1].isupper()
    return word[:1].isupper() and not follows and is_content(word) and word.lower() not in WEAK


def _noun_after(words: list[str]) -> str:
    """Up to three words before the first that cannot be inside a noun phrase, ending on a noun-like one."""
    noun: list[str] = []
    for word in words:
        low = word.lower().replace("’", "'")
        if low in ("one", "ones"):
            return ""
        if low in STOPWORDS or low.endswith("ly") or len(noun) == 3:
            break
        noun.append(word)
    while noun and (
        noun[-1].lower() in (WEAK - NOUNISH if len(noun) == 1 else WEAK)
        or (len(noun) > 1 and noun[-1].endswith(("ed", "ing")))
    ):
        noun.pop()
    usable = (
        noun
        and noun[-1].lower() not in PASSING
        and all(len(word) < 25 for word in noun)
        and len(noun[-1]) > 2
    )
    return " ".join(noun[:3]) if usable and is_content(noun[-1]) else ""


def _said_back(determiner: str, asking: bool) -> str:
    if determiner in ("a", "an", "some"):
        return determiner if asking else "the"
    if determiner in ("this", "these"):
        return {"this": "that", "these": "those"}[determiner]
    return DETERMINERS[determiner]


def quotable(text: str, about: str = "") -> list[str]:
    """Runs of three to ten words of a turn that read well in quotation marks, best first.

    Those with the word `about` come before others, spoken ones before deeds.
    """
    spoken = _spoken_aloud(text[:4000]) or _DEED_TEXT.sub("\n", text[:4000])
    told = _clauses(_QUESTION.sub("\n", spoken))
    told.sort(key=lambda clause: (about not in clause, *_quote_rank(clause)))
    return told or _clauses(spoken) or _clauses(text[:4000])


def _clauses(text: str) -> list[str]:
    parts = (c.strip(" ,'’-()[]") for c in _CLAUSE_END.split(plain_text(_ASIDE.sub(" ", text))[:900]))
    return [_shortened(part.split()) for part in parts if tokens(part)]


def _shortened(words: list[str]) -> str:
    """The clause itself, or a long one up to the last joint at which it can be cut."""
    if len(words) > 10:
        joints = [at for at, word in enumerate(words[:10]) if at > 2 and word.lower() in _CUT]
        words = words[: joints[-1] if joints else 8]
    return " ".join(words)[:90]


def _quote_rank(clause: str) -> tuple[bool, bool, bool, int]:
    return (
        bool(_ASKING.match(clause)),
        len(clause.split()) < 3,
        clause[:1].islower(),
        -len(content_words(clause)),
    )


def sentences(text: str) -> list[str]:
    """Normalised sentences of a text, for telling whether one was said before."""
    parts = _SENTENCE_END.split(text)
    found = (" ".join(tokens(part.lower())) for part in parts)
    return [sentence for sentence in found if sentence]
