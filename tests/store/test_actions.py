"""What was done last is told by a few steps of the log as all of them tell it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chat.domain.events import BranchSelected
from chat.domain.history import UNDO, History, history_of
from chat.domain.records import Row
from chat.store import actions

Move = tuple[str, int]
KINDS = ("say", "edit", "late", "elsewhere", "go", "undo")


class Log:
    """The rows of a chat whose moves are drawn: turns, edits, late results here and on lines left, and selections."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.happened: list[actions.Action] = []
        self.tips, self.branch = {"b0": 1}, "b0"

    def move(self, kind: str, number: int) -> None:
        getattr(self, f"_{kind}")(number)

    def _say(self, number: int) -> None:
        for what in ("user_turn", "assistant_turn_started", "assistant_turn")[: 1 + number % 3]:
            self._step(self.branch, what)

    def _edit(self, number: int) -> None:
        self._step(self.branch, "weather_changed")

    def _late(self, number: int) -> None:
        self._add(self.branch, max(1, self.tips[self.branch] - number), "weather_changed")

    def _elsewhere(self, number: int) -> None:
        other = sorted(self.tips)[number % len(self.tips)]
        if other != self.branch:
            self._step(other, "weather_changed")

    def _go(self, number: int) -> None:
        self._select("rewind", max(1, self.tips[self.branch] - number))

    def _undo(self, number: int) -> None:
        if history_of(self.happened).back():
            self._select(UNDO, max(1, self.tips[self.branch] - number))

    def _step(self, branch: str, kind: str) -> None:
        self.tips[branch] += 1
        self._add(branch, self.tips[branch], kind)

    def _add(self, branch: str, step: int, kind: str) -> None:
        row = (len(self.happened) + 1, branch, step, kind)
        self.rows.append(row)
        self.happened.append(actions.Action(*row))

    def _select(self, reason: str, step: int) -> None:
        prior, self.branch = self.branch, f"b{len(self.tips)}"
        self.tips[self.branch] = step
        data = BranchSelected(chat_id="c", branch_id=self.branch, step=step, prior=prior, reason=reason)
        self.happened.append(actions.Action(len(self.happened) + 1, None, None, "branch_selected", data))

    def ends(self, history: History) -> tuple[object, ...]:
        return history.here(), history.back(), history.forward()

    def told_by(self, few: int) -> tuple[object, ...] | None:
        steps = self.rows[::-1][:few]
        found = actions.latest(steps, self.branch)
        was_selected = any(one.data and one.id > steps[-1][0] for one in self.happened if steps)
        return self.ends(found) if found and not was_selected else None


MOVES = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5)), max_size=40)


@settings(max_examples=400, deadline=None)
@given(MOVES, st.integers(1, 25))
def test_a_few_steps_tell_what_all_of_them_tell(moves: list[Move], few: int) -> None:
    log = Log()
    for kind, number in moves:
        log.move(kind, number)
    told = log.told_by(few)
    assert told is None or told == log.ends(history_of(log.happened))


def test_a_story_that_goes_on_is_told_by_few() -> None:
    log = Log()
    for number in range(30):
        log.move("say", 2)
        log.move("late", number % 4)
    assert log.told_by(12) == log.ends(history_of(log.happened))
