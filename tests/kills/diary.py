"""What the player did and what the program said to it: the measure of what may not be lost and what may not be half."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Deed:
    """One request that changes something. `mark` finds it in the log; `answered` is None while nobody knows."""

    kind: str
    chat_id: str
    mark: str
    text: str = ""
    bot_id: str = ""
    answered: bool | None = None

    @property
    def is_in_doubt(self) -> bool:
        return self.answered is None

    @property
    def at_least(self) -> int:
        return 1 if self.answered else 0

    @property
    def at_most(self) -> int:
        return 0 if self.answered is False else 1


@dataclass
class Diary:
    """`drafts` are the texts that may stand in each composer; a chat that is missing may hold any."""

    deeds: list[Deed] = field(default_factory=list)
    drafts: dict[str, set[str]] = field(default_factory=dict)
    spoken_last: dict[str, bool] = field(default_factory=dict)
    """Per chat: the last deed asked for a reply, so the story must not end with the player's own words."""
    doubtful: list[Deed] = field(default_factory=list)
    """What was in doubt at the last kill, to be sent again."""

    def begin(self, deed: Deed) -> Deed:
        self.deeds.append(deed)
        if deed.kind == "say":
            self._draft_may_be(deed.chat_id, "")
        elif deed.kind in ("undo", "rewind", "swipe"):
            self.drafts.pop(deed.chat_id, None)
            self.spoken_last[deed.chat_id] = False
        elif deed.kind == "draft":
            self._draft_may_be(deed.chat_id, deed.text)
        return deed

    def end(self, deed: Deed, *, taken: bool) -> None:
        deed.answered = taken
        if taken and deed.kind in ("say", "retry"):
            self.spoken_last[deed.chat_id] = True
        if taken and deed.kind in ("say", "draft"):
            self.drafts[deed.chat_id] = {deed.text if deed.kind == "draft" else ""}

    def forget(self, chat_ids: set[str]) -> set[str]:
        """What was done in chats that were deleted for good is not asked for any more. Returns the words said there."""
        gone = [deed for deed in self.deeds if deed.chat_id in chat_ids and deed.kind != "erase"]
        self.deeds = [deed for deed in self.deeds if deed not in gone]
        return {deed.text for deed in gone if deed.text}

    def in_doubt(self) -> list[Deed]:
        return [deed for deed in self.deeds if deed.is_in_doubt]

    def of(self, kind: str) -> list[Deed]:
        return [deed for deed in self.deeds if deed.kind == kind]

    def _draft_may_be(self, chat_id: str, text: str) -> None:
        if chat_id in self.drafts:
            self.drafts[chat_id].add(text)
