"""Hears a walk to another place in a turn, and knows what kind of place a name stands for.

It must never take a step inside the room (to the window, to the table) for a change of place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from chat.demo.lexicon import FURNITURE, NOT_PLACES, word_set

_GO = (
    r"(?:go|goes|going|went|walk|walks|walked|walking|head|heads|headed|heading|drive|drives|drove|ride|rides|rode|"
    r"run|runs|ran|wander|wanders|wandered|stroll|strolls|strolled|move|step|steps|sail|sails|sailed|row|climb|"
    r"climbs|climbed|travel|travels|travelled|traveled|hurry|hurries|hurried|sneak|return|returned|come with me|"
    r"follow me|follow \w+|take you|takes you|take \w+|lead you|lead \w+|leads \w+|led \w+|bring you|cycle|fly|flew|"
    r"slip|march|set out|set off|make our way|make my way|made our way|cross over|get back|go back|move on|jump)"
)
_WHO = (
    r"(?:let's|let’s|lets|let us|shall we|we|i|i'd|i'll|we'll|i’d|"
    r"i’ll|we’ll|you and me|how about|what about|"
    r"come on|come|why don't we|how about we|together we|want to|would you|"
    r"could we|can we|we should|you and i)"
)
_TO = r"(?:to|into|towards?|inside|onto|for|up|down to|out onto|through)"
_ASK = re.compile(
    rf"(?:^|[\s\"“*,.!?(]){_WHO}(?:\s[^.!?\n\"]{{0,60}}\s(?:and|then))?(?:\s+[\w'’]+){{0,3}}?\s+{_GO}\b(?:\s+(?:"
    rf"with|me|you|us|back|down|up|over|out|on|"
    rf"along|slowly|quickly|together|across|straight|off|all the way|outside|away|the short way|hand in hand|"
    rf"along the \w+|into the night)){{0,3}}"
    rf"\s+{_TO}\s+(?P<place>[^.!?;:\n\"“”]+)",
    re.I,
)
_ORDER = re.compile(
    rf"(?:^|[.!?\"“*]\s*)(?:come|follow me|go|walk|take me|drive|ride|race you|"
    rf"(?:you |\w+ )?(?:lead|take|bring|drive|show)s? me)"
    rf"(?:\s+(?:with me|me|on|back|over|out|"
    rf"along|down|up)){{0,2}}\s+{_TO}\s+(?P<place>[^.!?;:\n\"“”]+)",
    re.I,
)
_NOT_NOW = re.compile(
    r"\b(?:yesterday|last (?:night|week|year|summer|winter)|ago|used to|never|don't|won't|can't|couldn't|not|if|as a "
    r"child|when i was|did you|have you|had|would have|someday|one day|always)\b",
    re.I,
)
_ONCE = re.compile(
    r"\b(?:yesterday|last (?:night|week|year|summer|winter)|ago|every (?:day|morning|\w+day))\b", re.I
)
_PLACE_END = re.compile(
    r",|\s[-—–]+|\s(?:and|then|with|where|because|before|after|while|so|to|for|together|now|tonight|today|tomorrow|"
    r"instead|again|first|but|until|when|if|please|shall|as|like|right|once|slowly|quickly|quietly|hand|which|that|"
    r"who|along|side|you|i|we|it|is|are|without|holding|talking|arm)\b",
    re.I,
)
_ARTICLES = ("the ", "a ", "an ", "my ", "your ", "our ", "his ", "her ", "their ", "that ", "this ", "some ")
_KINDS: dict[str, str] = {
    "water": "harbour harbor quay pier dock docks wharf beach sea seaside shore river riverside lake canal lighthouse "
    "bridge boat ferry ship coast bay pond marina jetty island waterfront lagoon boathouse",
    "green": "forest wood woods park garden gardens field meadow orchard hill hills mountain farm path cemetery "
    "graveyard grove clearing valley jungle vineyard greenhouse moor glade trail stable stables barn camp",
    "table": "kitchen café cafe bar tavern inn pub restaurant bakery diner canteen teahouse taproom brewery saloon "
    "cantina coffeehouse",
    "street": "street square market alley city town village rooftop roof plaza lane road corner fair marketplace "
    "bazaar courtyard terrace balcony stadium playground arcade",
    "travel": "train bus car carriage tram wagon cab taxi station platform airport plane caravan compartment airship",
    "old": "castle church chapel tower temple ruin ruins tomb keep palace mill cave crypt dungeon abbey cathedral "
    "monastery manor fort fortress gatehouse mine windmill throne",
    "far": "space starship spaceship spacecraft airlock cockpit colony planet mars moon orbit hangar asteroid reactor "
    "outpost shuttle deck",
    "indoors": "room house library shop bookshop bookstore office attic cellar basement workshop hall school hotel "
    "apartment flat bedroom studio museum theatre theater cinema gallery clinic hospital bath bathhouse forge "
    "laundromat lobby parlour parlor salon study archive archives home place cottage cabin hut porch lab laboratory",
}
_ON = word_set("""
quay pier dock docks wharf beach shore bridge boat ferry ship jetty island coast hill hills mountain farm
path trail rooftop roof lane road terrace balcony train bus tram deck platform porch moon
""")
_AT = word_set("station airport mill corner fair place stadium")
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.split()}


@dataclass(frozen=True)
class Walk:
    """A change of place. `place` reads well after "to"; `mode` is how they go: walk, drive, sail or ride."""

    place: str
    mode: str


def walk_in(text: str) -> Walk | None:
    """The walk a turn asks for or tells of, or None."""
    for sentence in re.split(r"(?<=[.!?\n])\s+", text):
        for pattern in (_ASK, _ORDER):
            for found in pattern.finditer(sentence):
                place = _place(found.group("place"))
                said = sentence[: found.start("place")]
                if place and not _NOT_NOW.search(said) and not _ONCE.search(found["place"]):
                    return Walk(place, _mode(found.group(0)))
    return None


def kind_of(place: str) -> str:
    """The kind whose sights and sounds fit a place; the last known word of its name decides."""
    words = re.findall(r"[^\W\d_]+", re.split(r"\s(?:by|on|near|of|at|in|under)\s", place)[0].lower())
    for word in reversed(words):
        if word in _KIND_OF:
            return _KIND_OF[word]
        if word.endswith("s") and word[:-1] in _KIND_OF:
            return _KIND_OF[word[:-1]]
    return "anywhere"


def in_prose(name: str) -> str:
    """A place name from a form, as it stands inside a sentence: "Harbour wall" becomes "the harbour wall"."""
    name = " ".join(name.split()).strip(" .,;")[:60]
    words = name.split()
    if "'" in name or "’" in name:
        return name
    if not words or name.lower().startswith(_ARTICLES):
        return (
            name
            if not words or words[0] != words[0].capitalize()
            else words[0].lower() + name[len(words[0]) :]
        )
    common = kind_of(name) != "anywhere"
    if words[0][:1].islower() or (len(words) > 1 and words[1][:1].islower() and common):
        return f"the {words[0].lower()}{name[len(words[0]) :]}"
    return f"the {name.lower() if len(words) == 1 else name}" if common else name


def _mode(text: str) -> str:
    low = text.lower()
    for mode, pattern in (
        ("drive", r"\bdr[io]ve"),
        ("sail", r"\b(?:sail|row)"),
        ("ride", r"\br[io]de|\bcycle"),
    ):
        if re.search(pattern, low):
            return mode
    return "walk"


def _place(raw: str) -> str:
    cut = _PLACE_END.split(raw.strip(" *_")[:80])[0].strip(" *_'’)(")
    words = cut.split()[:7]
    if not words:
        return ""
    bare = words[1:] if f"{words[0].lower()} " in _ARTICLES else words
    if not bare or bare[0].lower() in NOT_PLACES or bare[-1].lower() in FURNITURE:
        return ""
    if len(bare) == len(words) and bare[0][:1].islower() and kind_of(cut) == "anywhere":
        return ""
    return _facing({"a": "the", "an": "the", "some": "the"}.get(words[0].lower(), words[0]), words, bare)


def _facing(first: str, words: list[str], bare: list[str]) -> str:
    """The place as the narration, which calls the player "you", says it."""
    if len(bare) == len(words):
        return " ".join(words)
    turned = {"my": "your", "your": "@", "our": "your", "that": "the", "this": "the"}.get(
        first.lower(), first.lower()
    )
    return " ".join([turned, *bare])


def preposition(place: str) -> str:
    """The word that stands before a place one is at: "on" the quay, "at" the harbour, "in" the kitchen."""
    word = (
        re.sub(r"[^\w]+$", "", re.split(r"\s(?:by|on|near|of|at|in|under)\s", place)[0]).split()[-1].lower()
    )
    if word in _ON:
        return "on"
    return "at" if kind_of(place) == "water" or word in _AT else "in"
