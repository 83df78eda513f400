"""Histories in which turns get other words and replies are written on, on whatever line."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from chat.domain.events import (
    ContinuationStarted,
    DigestFinished,
    NewEvent,
    TurnContinued,
    TurnEdited,
    UserTurnEdit,
    story,
)
from chat.domain.lineage import is_visible
from chat.domain.segments import Segment
from tests.properties.histories import Telling, chat_ids, shares, texts


class Retelling(Telling):
    """A telling whose words change afterwards."""

    def some_turn(self, chat: str, share: float) -> tuple[str, str] | None:
        """Id and role of a turn of the visible line."""
        line = self.live.library.lineage(chat)
        of_chat = "select id, role, branch_id, step from turns where chat_id = ? order by event_id"
        found = [
            (turn, role)
            for turn, role, branch, step in self.live.conn.execute(of_chat, (chat,))
            if is_visible(line, branch, step)
        ]
        return found[int(share * (len(found) - 1))] if found else None

    @rule(chat=chat_ids, share=shares, text=texts)
    def turn_in_other_words(self, chat: str, share: float, text: str) -> None:
        if turn := self.some_turn(chat, share):
            kind = UserTurnEdit if turn[1] == "user" else TurnEdited
            segments = (Segment("dialogue", text),)
            self.happen(chat, kind(turn_id=turn[0], text=text, segments=segments, prior=""))

    @rule(
        chat=chat_ids,
        share=shares,
        text=texts,
        ends=st.booleans(),
        outcome=st.sampled_from(["", "ok", "failed"]),
    )
    def reply_written_on(self, chat: str, share: float, text: str, ends: bool, outcome: str) -> None:
        """A continuation, which a crash may leave open, and whose digest may be lacking."""
        turn = self.some_turn(chat, share)
        if turn is None or turn[1] == "user":
            return
        branch, step = self.tip(chat)
        how = {"endpoint": "demo", "model": "narrator", "seed": 7, "prompt_hash": "", "manifest": {}}
        self.do(story(chat, branch, step, ContinuationStarted(turn_id=turn[0], **how)))
        if ends:
            segments = (Segment("narration", text),)
            whole = TurnContinued(
                turn_id=turn[0], text=text, segments=segments, prior="", truncated=len(text) % 2 > 0
            )
            self.do(story(chat, branch, step, whole))
        if ends and outcome:
            self.do(
                story(chat, branch, step, DigestFinished(turn_id=turn[0], outcome=outcome, continued=True))
            )

    def taken_along(self, chat: str, branch: str, step: int, text: str) -> list[NewEvent]:
        """Other words of an earlier turn that a retry takes along: on the fork, at the step it begins at."""
        turn = (
            "select id from turns where chat_id = ? and role = 'user' and step <= ? order by event_id limit 1"
        )
        found = self.live.conn.execute(turn, (chat, step)).fetchone() if len(text) % 3 else None
        if found is None:
            return []
        segments = (Segment("action", text),)
        return story(
            chat, branch, step, UserTurnEdit(turn_id=found[0], text=text, segments=segments, prior="")
        )
