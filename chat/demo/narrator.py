"""The scripted narrator: one reply from a request's messages and seed, the same every time.

It reads nothing but the messages it is given and keeps nothing between two replies.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from random import Random

from chat.demo.listening import Turn, hear, is_content, quotable
from chat.demo.manuscript import BOT, BOT_FIRST, typeset
from chat.demo.movement import kind_of, preposition, walk_in
from chat.demo.parts import KEEPSAKES, pool, threads
from chat.demo.prompt import Message, take_apart
from chat.demo.stage import NOBODY, Stage, set_stage
from chat.demo.telling import Teller

_GRAVE = ("danger", "care")  # turns beside which nothing whimsical may happen
_LAYOUTS: tuple[tuple[str, ...], ...] = (
    ("beat react", "sight", "turn"),
    ("react", "sight beat", "turn"),
    ("sight", "react beat", "turn"),
    ("react beat", "sight turn"),
    ("beat", "react sight", "turn"),
    ("react", "beat sight turn"),
)
_ASKS = re.compile(r"\?|^\W*(?:what|who|where|why|how|when)\b", re.I)
_ASKED = re.compile(r"^(?:please |have the narrator |let the narrator )+", re.I)
_DIRECTION_CHARS = 400
_STAGES = 6
_FEWEST, _MOST = 62, 118
# Only when every part has been told: the count makes each of these new.
_LAST_RESORT = (
    '"That makes {count} things you have told me," {n} says, "and \'{w}\' is still the one I would keep."',
    '{N} counts "{w}" as number {count}, and holds up more fingers than are there.',
)


def narrate(messages: Sequence[Message], seed: int | None = None) -> str:
    """The next reply of the story, 60 to 120 words in paragraphs."""
    return _Reply(messages, seed).tell()


class _Reply:
    """The making of one reply: what was heard, what is drawn, and in which order it stands."""

    def __init__(self, messages: Sequence[Message], seed: int | None) -> None:
        prompt = take_apart(messages)
        self.stage = set_stage(prompt)
        self.turns = prompt.turns
        self.happens = _happening(prompt.direction)
        self.turn = None if prompt.words is None else hear(prompt.words, self.stage.name)
        self.count = len(self.turns)
        self.rng = Random(_mix(messages, seed))
        fill = _slots_of(self.stage, self.turn, self.count)
        self.teller = Teller(self.rng, fill, prompt.replies, self.stage)
        fragment = self._old_words()
        if fragment:
            fill["frag"] = fragment

    def tell(self) -> str:
        paragraphs = [part.split() for part in self._layout()]
        drawn = {name: self._draw(name) for names in paragraphs for name in names}
        self._fit(paragraphs, drawn)
        told = typeset([[drawn[name] for name in names] for names in paragraphs], self.stage)
        return f"{self.happens}\n\n{told}" if self.happens else told

    def _layout(self) -> tuple[str, ...]:
        if self.turn is None:
            return ("react", "sight", "turn")
        if self.turn.kind == "walk":
            return ("travel", "sight more_sight", "turn")
        if self.turn.kind in _GRAVE:
            return self.rng.choice((("react", "sight", "turn"), ("sight", "react", "turn")))
        if self.turn.hail and self._has_more_than_hail(self.turn):
            return ("react", "topic", "sight turn")
        return self.rng.choice(_LAYOUTS)

    def _has_more_than_hail(self, turn: Turn) -> bool:
        """Whether a greeting or thanks came with something else to answer."""
        return is_content(turn.word) and turn.word not in turn.hail and turn.word not in self.stage.name

    def _draw(self, name: str) -> str:
        if name in ("react", "topic", "turn", "beat"):
            return {"react": self._react, "topic": self._topic, "turn": self._hand_back, "beat": self._beat}[
                name
            ]()
        if name == "travel" and self.turn and self.turn.walk:
            return (
                self.teller.draw(pool(self.turn.walk.mode)) or self.teller.draw(pool("walk")) or self._topic()
            )
        return self._sight(name)

    def _react(self) -> str:
        if self.turn is None:
            return self.teller.draw(pool("first_words"))
        return self.teller.draw(pool(self.turn.kind)) or self._topic()

    def _topic(self) -> str:
        """An answer to what the turn is about, whatever kind of turn it is."""
        about = pool("about") if self.turn and self.turn.mention else ()
        return self.teller.draw(about) or self.teller.draw(pool("word")) or self.teller.draw(_LAST_RESORT)

    def _hand_back(self) -> str:
        """The end of a reply: now and then older words of the player, else a question or a proposal."""
        kind = self.turn.kind if self.turn else ""
        if kind != "ask_memory" and self.count > 4 and (self.count + self.stage.story_key) % 3 == 0:
            quoted = self.teller.draw(pool("callback"))
            if quoted:
                return quoted
        fitting = pool("arrived" if kind == "walk" else f"hook_{kind}")
        return self.teller.draw(fitting) or self.teller.draw(pool("hook"))

    def _sight(self, name: str) -> str:
        """What the world does meanwhile: the story's thread every second turn, else the place and the hour."""
        kind = self.turn.kind if self.turn else ""
        if self.count and self.count % 2 == 0 and name == "sight" and kind not in ("walk", *_GRAVE):
            stage = self._next_of_thread()
            if stage:
                return stage
        place_kind = kind_of(self.stage.place)
        around = pool(place_kind) if self.stage.place else ()
        if kind != "walk":
            around += pool("anywhere") + (() if place_kind == "far" else pool(self.stage.hour))
        seen = self.teller.draw(around) or self.teller.draw(pool("anywhere"))
        return f"{seen} {self._here()}".strip() if name == "sight" else seen

    def _here(self) -> str:
        """A sentence that names the place: on arrival, every other reply after a walk, else every third."""
        walked = self.stage.walked
        due = self.count % 3 == 0 if walked is None else walked % 2 == 1 or walked == 0
        return self.teller.draw(pool("still_here")) if due else ""

    def _next_of_thread(self) -> str:
        """The next stage of the thread that has begun, else the first of another."""
        first = self.stage.story_key % len(threads())
        left = [self._stages_left(thread) for thread in threads()[first:] + threads()[:first]]
        begun = [stages for stages in left if 0 < len(stages) < _STAGES]
        unbegun = [stages for stages in left if len(stages) == _STAGES]
        following = (begun or unbegun or [()])[0]
        return self.teller.draw(following[:1])

    def _stages_left(self, thread: tuple[str, ...]) -> tuple[str, ...]:
        used = [at for at, stage in enumerate(thread) if self.teller.used(stage)]
        return thread[used[-1] + 1 :] if used else thread

    def _beat(self) -> str:
        return self.teller.draw(pool("beat"))

    def _old_words(self) -> str:
        """A run of words from more than three player turns ago that the story has not given back yet."""
        asked = self.turn.word if self.turn and self.turn.kind == "ask_memory" else ""
        known = self.turns[:-1] if asked else self.turns[:-4]
        old = self.rng.sample(known, min(12, len(known)))
        # What was asked about first; remarks before questions and before "let's go there".
        old.sort(
            key=lambda text: (asked not in text, bool(_ASKS.search(text)), walk_in(text[:1500]) is not None)
        )
        fragments = [fragment for text in old for fragment in quotable(text, asked)]
        fragments.sort(key=lambda fragment: len(fragment.split()) < 3)
        return next((fragment for fragment in fragments if not self.teller.says(fragment)), "")

    def _fit(self, paragraphs: list[list[str]], drawn: dict[str, str]) -> None:
        """Brings a reply to between 60 and 120 words by leaving out or adding what the world does meanwhile."""
        for name in ("beat", "more_sight", "sight"):
            if _length(drawn) > _MOST and name in drawn:
                drawn[name] = ""
        grave = self.turn is not None and self.turn.kind in _GRAVE
        for name in ("more_sight",) if grave else ("more_sight", "beat"):
            if _length(drawn) < _FEWEST and not drawn.get(name):
                drawn[name] = self._draw(name)
                paragraphs[max(0, len(paragraphs) - 2)].append(name)


def _happening(direction: str) -> str:
    """What the player directs, as narration of its own: a script can do no more than let it happen."""
    words = _ASKED.sub("", " ".join(direction.split()))[:_DIRECTION_CHARS].strip()
    end = "" if words.endswith((".", "!", "?", "…", '"', "*")) else "."
    return f"{words[:1].upper()}{words[1:]}{end}" if words else ""


def _length(drawn: dict[str, str]) -> int:
    return sum(len(text.split()) for text in drawn.values())


def _mix(messages: Sequence[Message], seed: int | None) -> int:
    """One number from the seed and every message, so that a change anywhere gives another reply."""
    whole = json.dumps([seed or 0, [[m.role, m.text] for m in messages]])
    return int.from_bytes(hashlib.sha256(whole.encode("ascii")).digest()[:8], "big")


def _slots_of(stage: Stage, turn: Turn | None, count: int) -> dict[str, str]:
    """Everything a part may ask for that is known in this reply; what is unknown is left out."""
    held, the_held = KEEPSAKES[stage.bot_key % len(KEEPSAKES)]
    they, their, them = stage.pronouns
    fill = {"n": BOT, "they": they, "their": their, "them": them, "time": stage.time, "count": str(count)}
    if stage.name != NOBODY:
        fill["name"] = stage.name
    fill |= {"a_keepsake": held, "keepsake": the_held}
    if stage.place:
        said = stage.place.replace(f"{stage.short_name}'s ", "my ")
        fill |= {
            "place": stage.place,
            "place_said": said,
            "in_place": f"{preposition(stage.place)} {stage.place}",
        }
    if turn is not None:
        known = {"w": turn.word, "m": turn.mention, "literal": turn.literal, "hail": turn.hail}
        fill |= {slot: text for slot, text in known.items() if text}
        if turn.walk:
            fill["dest"] = stage.place
    capital = {slot.capitalize(): text[:1].upper() + text[1:] for slot, text in fill.items()}
    return {**fill, **capital, "N": BOT_FIRST}
