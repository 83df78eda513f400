"""Histories in which a chat is deleted for good, in the midst of everything else, and another begins in its place."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from chat.domain.events import ChatCreated, WordsErased, library
from chat.store import erase
from chat.store.erase import Wanted
from chat.store.fingerprint import fingerprint
from chat.store.rebuild import rebuild
from tests.properties.histories import ENTITIES, chat_ids
from tests.properties.retelling import Retelling


class Erasing(Retelling):
    """A telling of which parts are blank."""

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
