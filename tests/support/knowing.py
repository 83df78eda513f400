"""Who may know which secret, told apart from the product's code: planted tokens and who heard, saw or was told each.

A story is a list of entries for each chat, on its visible line. Whatever is cut off the line takes its secrets along.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

TOKEN = re.compile(r"zq\d+q")
_numbers = itertools.count(1)
NOBODY: frozenset[str] = frozenset()


@dataclass
class Entry:
    """What one action put into a story. `heard` goes into the hearers' memories; `shown` is the present state of the
    chat and stays in it; `noted` is what the keeper of notes may read: all but asides and thoughts."""

    kind: str
    present: frozenset[str]
    heard: dict[str, frozenset[str]] = field(default_factory=dict)
    shown: dict[str, frozenset[str]] = field(default_factory=dict)
    noted: set[str] = field(default_factory=set)
    step: int = 0


@dataclass
class Reply:
    """What may stand in the question about a reply: the exchange, and the reply's own prompt when it is extended."""

    entry: Entry
    speaker: str
    exchange: set[str]
    prompt: set[str]


@dataclass
class Chat:
    """`carried` is what the host's feelings brought along from elsewhere when the chat began."""

    mark: str
    host: str
    cast: tuple[str, ...]
    is_shared: bool
    chat_id: str = ""
    carried: set[str] = field(default_factory=set)
    line: list[Entry] = field(default_factory=list)
    replies: dict[str, Reply] = field(default_factory=dict)
    """By the token every reply begins with."""
    closing: Entry | None = None

    @property
    def present(self) -> frozenset[str]:
        return self.line[-1].present

    def add(self, kind: str, present: Iterable[str] | None = None) -> Entry:
        self.line.append(Entry(kind, self.present if present is None else frozenset(present)))
        return self.line[-1]

    def exchange(self) -> list[Entry]:
        """The player's entries since the last reply."""
        found: list[Entry] = []
        for entry in reversed(self.line):
            if entry.kind in ("reply", "opening"):
                break
            found.insert(0, entry)
        return found


@dataclass
class Knowledge:
    """One history: two bots by name, their own cards, and their chats. `bots` are names, hearers too."""

    bots: tuple[str, ...]
    cards: dict[str, set[str]] = field(default_factory=dict)
    prose: set[str] = field(default_factory=set)
    chats: list[Chat] = field(default_factory=list)
    what: dict[str, str] = field(default_factory=dict)
    leaks: list[str] = field(default_factory=list)
    delivered: Counter[str] = field(default_factory=Counter)
    is_one_model: bool = True

    def mint(self, what: str) -> str:
        """A token never used before; `what` says what it stands for."""
        token = f"zq{next(_numbers)}q"
        self.what[token] = what
        return token

    def remembered(self, bot: str, chat: Chat) -> set[str]:
        own = {token for entry in chat.line for token, ears in entry.heard.items() if bot in ears}
        return own | (chat.carried if bot == chat.host else set())

    def in_common(self, bot: str) -> set[str]:
        """What a bot takes along into any chat of the shared continuity."""
        return set().union(*(self.remembered(bot, one) for one in self.chats if one.is_shared))

    def may_know(self, bot: str, chat: Chat) -> set[str]:
        """Every secret that may stand in this bot's prompt in this chat now."""
        shown = {token for entry in chat.line for token, eyes in entry.shown.items() if bot in eyes}
        elsewhere = self.in_common(bot) if chat.is_shared else set()
        return self.cards[bot] | shown | self.remembered(bot, chat) | elsewhere

    def may_note(self, chat: Chat, reply: Reply) -> set[str]:
        """Every secret that may stand in the question about what a reply changed."""
        state = {token for entry in chat.line for token in entry.shown}
        return state | reply.exchange | (reply.prompt if self.is_one_model else set())

    def ears(self, tokens: Iterable[str]) -> frozenset[str]:
        """Those who heard every one of these."""
        every = frozenset(self.bots)
        for token in tokens:
            every &= self._heard.get(token, NOBODY)
        return every

    @property
    def _heard(self) -> dict[str, frozenset[str]]:
        return {
            token: ears for chat in self.chats for entry in chat.line for token, ears in entry.heard.items()
        }

    def check(self, text: str, allowed: set[str], whose: str) -> None:
        """Search a whole request; note what must not be there, and count what rightly is."""
        for token in set(TOKEN.findall(text)):
            what = self.what.get(token, "something from an earlier story")
            if token in allowed:
                self.delivered[f"{whose.split(':')[0]} < {what}"] += 1
            else:
                self.leaks.append(f"{whose} holds {what} ({token})")
