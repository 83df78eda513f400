"""Undo and redo as places on the story's lines, whatever the actions were."""

from __future__ import annotations

from chat.domain.events import BranchSelected, Event, UserTurn, WeatherChanged
from chat.domain.history import History, history_of


def turn(number: int, branch: str, step: int) -> Event:
    data = UserTurn(
        turn_id=f"t{number}", speaker="you:1", text="x", segments=(), present=(), scene_id="", at=""
    )
    return Event(number, "chat:c", branch, step, "user_turn", 1, "", None, data)


def weather(number: int, branch: str, step: int) -> Event:
    return Event(
        number, "chat:c", branch, step, "weather_changed", 1, "", None, WeatherChanged(weather="w", prior="")
    )


def select(number: int, branch: str, step: int, prior: str, reason: str) -> Event:
    data = BranchSelected(chat_id="c", branch_id=branch, step=step, prior=prior, reason=reason)
    return Event(number, "library", None, None, "branch_selected", 1, "", None, data)


def where(history: History) -> tuple[str, int] | None:
    here = history.here()
    return (here.branch_id, here.step) if here else None


def test_each_step_is_an_action_and_late_results_are_not() -> None:
    history = history_of([turn(1, "a", 1), turn(2, "a", 2), weather(3, "a", 1), turn(4, "a", 3)])
    assert [place.step for place in history.places] == [1, 2, 3]


def test_undo_goes_back_one_action_at_a_time_and_redo_forward() -> None:
    told = [turn(1, "a", 1), turn(2, "a", 2), turn(3, "a", 3)]
    once = history_of([*told, select(4, "b", 2, "a", "undo")])
    assert where(once) == ("b", 2)
    twice = history_of([*told, select(4, "b", 2, "a", "undo"), select(5, "c", 1, "b", "undo")])
    assert where(twice) == ("c", 1)
    back = history_of([*told, select(4, "b", 2, "a", "undo"), select(5, "a", 3, "b", "redo")])
    assert where(back) == ("a", 3)
    assert back.forward() is None


def test_a_rewind_is_an_action_that_can_be_undone() -> None:
    told = [turn(1, "a", 1), turn(2, "a", 2), turn(3, "a", 3), select(4, "b", 1, "a", "rewind")]
    before = history_of(told).back()
    assert before is not None
    assert (before.branch_id, before.step) == ("a", 3)


def test_a_new_action_forgets_what_lay_ahead() -> None:
    told = [turn(1, "a", 1), turn(2, "a", 2), select(3, "b", 1, "a", "undo"), turn(4, "b", 2)]
    history = history_of(told)
    assert history.forward() is None
    assert [(place.branch_id, place.step) for place in history.places] == [("b", 1), ("b", 2)]


def test_nothing_to_undo_before_the_first_action() -> None:
    assert history_of([]).back() is None
    assert history_of([turn(1, "a", 1)]).back() is None
