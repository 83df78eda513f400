"""Histories in which a chat is deleted for good, in the midst of everything else, and another begins in its place."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from chat.domain.events import ChatCreated, WordsErased, library, story
from chat.store import erase
from chat.store.erase import Wanted
from chat.store.fingerprint import fingerprint
from chat.store.rebuild import rebuild
from tests.properties.histories import ENTITIES, chat_ids, shares, texts
from tests.properties.retelling import Retelling
from tests.support import stories


class Erasing(Retelling):
    """A telling of which parts are blank."""

    @precondition(lambda self: self.memories)
    @rule(chat=chat_ids, share=shares, text=texts)
    def told_of_another(self, chat: str, share: float, text: str) -> None:
        """A reply that was written with some memory at hand, mostly of another chat, and goes with that."""
        branch, step = self.tip(chat)
        reply, memory = self.name("reply"), self.memories[int(share * (len(self.memories) - 1))][-1]
        began = stories.began(chat, branch, step + 1, reply)[0].data
        at_hand = {"memories": [{"memory_id": memory, "used": True, "score": 1.0, "why": ""}]}
        self.do(
            [
                *stories.said(chat, branch, step, self.name("turn"), text),
                *story(chat, branch, step + 1, msgspec.structs.replace(began, manifest=at_hand)),
                *stories.ended(chat, branch, step + 1, reply, text),
            ]
        )

    @rule(chat=chat_ids, feelings=st.booleans(), told=st.booleans())
    def deleted_for_good(self, chat: str, feelings: bool, told: bool) -> None:
        continuity = self.live.library.chats[chat].continuity
        wanted = Wanted(chat_ids=(chat,), feelings=feelings, told=told)
        commit = erase.erase(self.live, wanted, lambda conn: rebuild(conn, fingerprint()))
        assert isinstance(commit.events[0].data, WordsErased)
        self.memories = [one for one in self.memories if one[0] != chat]
        self.running = [one for one in self.running if one[0] != chat]
        created = ChatCreated(
            chat_id=chat,
            branch_id=self.name("branch"),
            title=f"Chat {chat}",
            bot_ids=ENTITIES[:2],
            you_id=ENTITIES[2],
            continuity=continuity,
        )
        self.do([library(created)])
