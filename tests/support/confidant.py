"""A model server's part in a story of secrets: it tells new ones, and keeps notes that try to give them away.

Every request is searched when it arrives. Its notes cite honestly, and claim everything for everybody.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Sequence
from typing import Any

from tests.support.knowing import TOKEN, Chat, Entry, Knowledge, Reply
from tests.support.peer import Received
from tests.support.peer_acts import Act, Answer, Connection
from tests.support.peer_acts import Reply as Told

MARK = re.compile(r"mk\d+m")
LINE = re.compile(r"^\[(\d+)\] [^:\n]+: (.*)$", re.M)
NAMES = re.compile(r"^Names: (.+)\.$", re.M)
IDENTITY = re.compile(r"^You are (.+)\.$", re.M)
OWNER = re.compile(r"what (.+?) keeps of a scene")
TOPICS = ("lantern", "ferry", "ruby", "storm", "letter", "harbour")
MOST_NOTES = 5


class Held:
    """An answer that waits until it is let go."""

    def __init__(self, act: Act, gate: threading.Event) -> None:
        self._act, self._gate = act, gate

    async def play(self, connection: Connection) -> None:
        import asyncio

        while not self._gate.is_set():
            await asyncio.sleep(0.002)
        await self._act.play(connection)


class Confidant:
    """Answers for one history at a time. `style` are the kinds of segments the next replies have."""

    def __init__(self) -> None:
        self.knowledge = Knowledge(())
        self.random = random.Random(0)
        self.style: Sequence[str] = ()
        self.closes = False
        self.gate = threading.Event()
        self.held = 0
        self.gate.set()
        self.problems: list[str] = []

    def __call__(self, received: Received) -> Act:
        try:
            return self._answer(received)
        except Exception as problem:  # noqa: BLE001 - a thread of the peer's; told by the test
            self.problems.append(f"{type(problem).__name__}: {problem} at {received.text[-400:]}")
            return Told("Hm.")

    def _answer(self, received: Received) -> Act:
        text = received.raw.decode()
        if received.schema_name == "KickoffAnswer":
            return self._kickoff(text)
        marks = set(MARK.findall(received.text))
        assert len(marks) == 1, f"places of {len(marks)} chats in one request"
        chat = next(one for one in self.knowledge.chats if one.mark in marks)
        if received.schema_name == "DigestAnswer":
            return self._digest(received, text, chat)
        if received.schema_name == "SceneMemoryAnswer":
            return self._scene(received, text, chat)
        return self._reply(received, text, chat)

    def _kickoff(self, text: str) -> Act:
        known = self.knowledge
        known.check(text, known.prose, "kickoff")
        feeling, fact, opening = (known.mint(f"a kickoff's {one}") for one in ("feeling", "fact", "opening"))
        self.begun = {"feeling": feeling, "fact": fact, "opening": opening}
        return Answer(
            {
                "feeling_summary": f"Warm {feeling}.",
                "facts": [f"Knows {fact}."],
                "opening": f"Dusk {opening}.",
            }
        )

    def _reply(self, received: Received, text: str, chat: Chat) -> Act:
        known = self.knowledge
        speaker = IDENTITY.findall(received.text)[0]
        allowed = known.may_know(speaker, chat)
        known.check(text, allowed, f"prompt:{speaker} in {chat.mark}")
        before = chat.exchange()
        entry = chat.add("reply")
        others = [one for one in known.bots if one != speaker]
        first = known.mint("a reply")
        entry.heard[first] = entry.present | {speaker}
        entry.noted.add(first)
        lines = [f"*nods* {first} {self.random.choice(TOPICS)}."]
        for kind in self.style:
            lines.append(segment(known, entry, kind, speaker, others[0] if others else "", self.random))
        noted = set().union(*(one.noted for one in before), entry.noted)
        prompt = allowed | {token for token, ears in entry.heard.items() if speaker in ears}
        chat.replies[first] = Reply(entry, speaker, noted, prompt)
        return Told("\n".join(lines))

    def _digest(self, received: Received, text: str, chat: Chat) -> Act:
        known = self.knowledge
        asked = str(received.body["messages"][-1]["content"])
        lines = [(int(number), TOKEN.findall(words)) for number, words in LINE.findall(asked)]
        reply = next(chat.replies[token] for _, tokens in lines for token in tokens if token in chat.replies)
        known.check(text, known.may_note(chat, reply), f"notes:{reply.speaker} in {chat.mark}")
        names = NAMES.findall(asked)[0].split(", ")
        answer = Answer(self._notes(chat, reply, [line for line in lines if line[1]], names))
        if self.gate.is_set():
            return answer
        self.held += 1
        return Held(answer, self.gate)

    def _notes(
        self, chat: Chat, reply: Reply, lines: list[tuple[int, list[str]]], names: list[str]
    ) -> dict[str, Any]:
        """Facts, doings and a way on, each from one line, each claimed for whoever it suits."""
        known, entry, pick = self.knowledge, reply.entry, self.random
        facts, doings, feelings = [], [], []
        for number, tokens in pick.sample(lines, min(len(lines), MOST_NOTES)):
            ears = known.ears(tokens)
            owner, about = pick.choice(names), pick.choice(names)
            fact = known.mint(f"a fact for {owner} from {self._of(tokens)}")
            entry.heard[fact] = ears & {owner}
            facts.append({"owner": owner, "about": about, "text": f"Learned {fact}.", "cites": [number]})
            reason = known.mint("a reason")
            entry.heard[reason] = ears & {owner}
            feelings.append(
                {"source": owner, "target": about, "affinity": 3, "reason": reason, "cites": [number]}
            )
            doing = known.mint(f"doing from {self._of(tokens)}")
            self._show(entry, doing, ears)
            doings.append(
                {
                    "who": pick.choice(names),
                    "action": f"busy with {doing}",
                    "holding": [doing],
                    "cites": [number],
                }
            )
        sky: dict[str, Any] = {}
        if lines:
            number, tokens = pick.choice(lines)
            weather = known.mint(f"weather from {self._of(tokens)}")
            self._show(entry, weather, known.ears(tokens))
            sky = {"weather": f"a {weather} sky", "weather_cites": [number]}
        scene: dict[str, Any] = {}
        if self.closes and lines:
            number, tokens = pick.choice(lines)
            place = known.mint(f"a place from {self._of(tokens)}")
            self._show(entry, place, known.ears(tokens))
            chat.closing = entry
            scene = {
                "ended": True,
                "why": "left_place",
                "next_place": f"cellar {chat.mark} {place}",
                "cites": [number],
            }
        return {
            "feelings": feelings,
            "facts": facts,
            "activities": doings,
            "scene": scene,
            "significance": pick.randint(0, 3),
            **sky,
        }

    def _show(self, entry: Entry, token: str, ears: frozenset[str]) -> None:
        """What everybody there could know is for all eyes, also of those who come later."""
        entry.shown[token] = frozenset(self.knowledge.bots) if entry.present <= ears else ears

    def _of(self, tokens: Sequence[str]) -> str:
        return ", ".join(self.knowledge.what[token] for token in tokens)

    def _scene(self, received: Received, text: str, chat: Chat) -> Act:
        known = self.knowledge
        owner = OWNER.findall(received.text)[0]
        allowed = known.may_know(owner, chat)
        known.check(text, allowed, f"scene:{owner} in {chat.mark}")
        entry = chat.closing
        assert entry is not None
        memory, summary = known.mint(f"a scene memory of {owner}"), known.mint(f"a feeling of {owner}")
        entry.heard |= {memory: frozenset((owner,)), summary: frozenset((owner,))}
        feelings = [
            {"target": name, "summary": f"Thinks {summary}."}
            for name in (*known.bots, "Alex")
            if name != owner
        ]
        text = f"There was a {self.random.choice(TOPICS)} {memory}."
        return Answer({"memory": text, "significance": self.random.randint(0, 3), "feelings": feelings})


def segment(known: Knowledge, entry: Entry, kind: str, speaker: str, other: str, pick: random.Random) -> str:
    """One line of a turn with a secret in it, heard by whom its kind says. `speaker` is "" for the player."""
    who = speaker or "the player"
    token = known.mint(f"{kind} of {who}")
    mine = frozenset((speaker,)) & frozenset(known.bots)
    topic = pick.choice(TOPICS)
    hearers = {
        "aside": frozenset[str](),
        "open aside": frozenset[str](),
        "thought": mine,
        "whisper": mine | ({other} & entry.present),
        "whisper to nobody": mine,
    }.get(kind, entry.present | mine)
    entry.heard[token] = hearers
    if kind not in ("aside", "open aside", "thought"):
        entry.noted.add(token)
    if kind == "whisper" and pick.random() < 0.5:
        aside = known.mint(f"an aside in a whisper of {who}")
        entry.heard[aside] = frozenset()
        return f"/whisper {other} the {topic} (({aside})) {token}"
    return {
        "speech": f'"The {topic} {token}."',
        "action": f"*lifts the {topic} {token}*",
        "narration": f"The {topic} {token} is near.",
        "aside": f"((the {topic} {token}))",
        "open aside": f"((the {topic} {token}",
        "thought": f"/think the {topic} {token}",
        "whisper": f"/whisper {other} the {topic} {token}",
        "whisper to nobody": f"/whisper Nobody the {topic} {token}",
    }[kind]
