"""Names the kind of a player turn by small rules, first match wins; it must never look past the turn itself."""

from __future__ import annotations

import re

from chat.demo.lexicon import STOPWORDS, word_set

_RULES: tuple[tuple[str, str], ...] = (
    ("ask_memory", r"\b(?:do|don't|can) you (?:still )?remember\b|\bwhat did i (?:say|tell)\b"),
    ("ask_name", r"\bwho are you\b|\bwhat(?:'s| is| are)? (?:your name|you called)\b|\byour name\s*\?"),
    ("ask_wellbeing", r"\bhow (?:are|have) you\b|\bare you (?:ok|okay|all ?right|well)\b"),
    ("ask_where_here", r"\bwhere (?:are we|am i|is this)\b|\bwhat(?:'s| is) this place\b"),
    ("ask_time", r"\bwhat(?:'s| is)? (?:the )?(?:time|hour)\b|\bhow late\b"),
    ("promise", r"\bi(?:'ll| will)? (?:promise|swear|vow)\b|\byou have my word\b|\bi give you my word\b"),
    ("laugh", r"^\W*(?:haha+|hehe+|lol|hah)|\b(?:i|we) laugh|you(?:'re| are) (?:so |very )?funny|"
              r"\b(?:worst|best|bad|good|terrible|your) joke\b|^\W*[😂🤣]"),
    ("thanks", r"\b(?:thanks|thank you|grateful|much obliged|cheers|merci|danke|gracias)\b"),
    ("sorry", r"\b(?:sorry|apologi[sz]e|forgive me|my fault)\b"),
    ("give", r"\b(?:give|gives|gave|giving|hand|hands|handed|offer|offers|offered|pass|passes|slide|slides)\b"
             r"[^.?!]{0,40}\b(?:you|him|her|them|over|the|a|an|my|this)\b|\bhere,? (?:take|have)\b|\bfor you\b"),
    ("take", r"\bi\b[^.?!\"]{0,30}?\b(?:(?:take|took)\b(?! (?:my|our|off|it off|a (?:\w+ )?(?:seat|breath|step|look|"
             r"sip|moment|bow|walk|bite|swig|drink))\b)|grab|accept|pick up|reach for|steal|borrow|pocket)\b|"
             r"\b(?:give|hand|pass) me\b"),
    ("danger", r"\b(?:danger|run for|help me|(?:with|draws?|pulls?|raises?|has) (?:a|an|the|his|her) "
               r"(?:knife|gun|sword|axe|blade)|blood|bleeding|fire(?=!)|on fire|"
               r"scream\w*|attack\w*|watch out|look out|behind you|hide|explo\w+|monster|dragon|run+(?=!)|"
               r"wolves|enemy|enemies|they're coming|trapped)\b"),
    ("joke", r"\b(?:joke|joking|jokes|kidding|knock knock|punchline|pun)\b|😂|🤣"),
    ("care", r"\b(?:sad|crying|cry|tears|lonely|(?:so|all|feel) alone|afraid|scared|frightened|tired|exhausted|"
             r"hurts?|grief|miss (?:him|her|them|my|home)|died|dead|drowned|killed|buried|"
             r"funeral|widow(?:er)?|grave|lost my|worried|ashamed|nervous)\b|😢|😭|💔"),
    ("warm", r"\b(?:love|hug|hugs|kiss|kisses|embrace|hold (?:your|her|his) hand|happy|glad|trust you|proud|"
             r"beautiful|lovely|wonderful|amazing|your (?:cheek|shoulder))\b|❤|😍|🥰"),
    ("farewell", r"\b(?:goodbye|good-bye|bye|farewell|good night|goodnight|see you|i (?:should|must|have to) "
                 r"(?:go|leave))\b"),
    ("greeting", r"^\W*(?:hello|hi|hey|good (?:morning|evening|day|afternoon)|greetings|howdy|hallo|hola|bonjour|"
                 r"salut|ahoy|well met|привет|こんにちは|你好)(?!\w)"),
)  # fmt: skip
_COMPILED = tuple((name, re.compile(pattern, re.I)) for name, pattern in _RULES)
_PATTERN = dict(_COMPILED)
COURTEOUS = ("greeting", "farewell", "thanks", "sorry")
_QUESTION_WORD = re.compile(r"\b(who|where|when|why|how|what|which)\b", re.I)
_AGREE = word_set("yes yeah yep yup sure okay ok fine agreed alright deal aye gladly ja oui si да")
_REFUSE = word_set("no nope nah never don't nein non нет")
_PLAIN_DEED = re.compile(
    r"\s*I (?:sit|stand|take|pick|open|close|turn|pour|push|pull|look|point|nod|smile|lean|kneel|touch|set|throw|lift|"
    r"knock|draw|shrug|wave|step|climb|reach|walk|light|hold|wipe|stare|wait|listen)\b[^\"]*$"
)
_DEEDS_ONLY = re.compile(r"^\s*\*[^*]+\*[\s.]*$|^\s*_[^_]+_[\s.]*$", re.S)


def courtesy_in(plain: str, kind: str) -> str:
    """The greeting, thanks, apology, farewell, yes or no itself, as the player wrote it; "" for other kinds."""
    if kind in ("agree", "refuse"):
        found = re.search(r"[^\W_]+(?:['’][^\W_]+)?", plain)
    else:
        found = _PATTERN[kind].search(plain) if kind in COURTEOUS else None
    return found[0].strip(" \"'*.,!").strip() if found else ""


def mood_of(plain: str, words: list[str], raw: str) -> str:
    """The kind of a turn that has words and is no walk. `raw` still carries its markup."""
    for name, pattern in _COMPILED:
        if pattern.search(plain):
            return name
    if re.search(r"[?？]", plain):
        return _question_kind(plain)
    return _short_kind(words) or ("deed" if _is_deed(raw) else "statement")


def _question_kind(plain: str) -> str:
    last = [part for part in re.findall(r"[^.!?？]*[?？]", plain) if part.strip("?？ ")]
    found = _QUESTION_WORD.search(last[-1]) if last else None
    if not found:
        return "ask_whether"
    word = found.group(1).lower()
    return "ask_what" if word == "which" else f"ask_{word}"


def _short_kind(words: list[str]) -> str:
    lowered = [word.lower() for word in words[:3]]
    if len(words) > 4 and not all(word.lower() in STOPWORDS for word in words):
        return ""
    if lowered[0] in _AGREE:
        return "agree"
    return "refuse" if lowered[0] in _REFUSE else "word" if len(words) == 1 else ""


def _is_deed(raw: str) -> bool:
    return bool(_DEEDS_ONLY.match(raw) or _PLAIN_DEED.match(raw))
