"""The branches of a chat as a tree of lines: whatever is selected, every step is on one line and no line is lost."""

from __future__ import annotations

import random
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.domain.branching import FAN, MOST_STRANDS, TRUNK, Tree, Window, fan, tree, window
from chat.domain.chats import Branch

Ends = dict[str, int]


def branch(name: str, parent: str | None, fork_step: int, reason: str = "rewind") -> Branch:
    return Branch(id=name, chat_id="c", parent_id=parent, fork_step=fork_step, reason=reason, created_at="")


def grown(*branches: tuple[Branch, int]) -> tuple[dict[str, Branch], Ends]:
    return {one.id: one for one, _ in branches}, {one.id: end for one, end in branches}


@st.composite
def forests(draw: st.DrawFn) -> tuple[dict[str, Branch], Ends, str]:
    """Branches as the program makes them: each leaves an earlier one at one of its own steps."""
    branches, ends = {"b0": branch("b0", None, 0)}, {"b0": draw(st.integers(1, 12))}
    for number in range(1, draw(st.integers(1, 14))):
        parent = draw(st.sampled_from([name for name in branches if ends[name] > branches[name].fork_step]))
        step = draw(st.integers(branches[parent].fork_step + (parent != "b0"), ends[parent]))
        name = f"b{number}"
        branches[name] = branch(name, parent, step)
        ends[name] = step + draw(st.integers(0, 6))
    return branches, ends, draw(st.sampled_from(sorted(branches)))


@given(forests())
def test_every_step_of_every_branch_is_on_exactly_one_line(
    grown: tuple[dict[str, Branch], Ends, str],
) -> None:
    branches, ends, along = grown
    whole = tree(branches, ends, along)
    told = [(one.branch_id, step) for one in whole.trunk for step in range(one.after + 1, one.upto + 1)]
    told += [
        (one.branch_id, step) for one in whole.strands.values() for step in range(one.start + 1, one.end + 1)
    ]
    own = [
        (name, step) for name, one in branches.items() for step in range(one.fork_step + 1, ends[name] + 1)
    ]
    assert sorted(told) == sorted(own)
    assert all(before.upto == after.after for before, after in pairwise(whole.trunk))
    assert whole.sizes == {name: len(list(below(whole, name))) for name in whole.strands}


def below(whole: Tree, name: str) -> set[str]:
    """A strand and all that leave it, found the slow way."""
    found = {name}
    for strand in whole.strands.values():
        found |= {strand.branch_id} if strand.parent in found else set()
    return found


@given(forests())
def test_a_window_hides_nothing_without_counting_it(grown: tuple[dict[str, Branch], Ends, str]) -> None:
    branches, ends, along = grown
    whole = tree(branches, ends, along)
    part = window(whole, [])
    assert_all_accounted(whole, part)
    drawn = {TRUNK, *(one.branch_id for one in part.strands)}
    assert all(one.parent in drawn for one in part.strands)


def assert_all_accounted(whole: Tree, part: Window) -> None:
    hidden = sum(part.folded.values())
    assert len(part.strands) + hidden + part.before + part.after == len(whole.strands)


def test_what_is_left_of_a_branch_after_a_fork_leaves_the_trunk_there() -> None:
    branches, ends = grown(
        (branch("a", None, 0), 9), (branch("b", "a", 4, "retry"), 7), (branch("unused", "a", 2), 2)
    )
    whole = tree(branches, ends, "b")
    assert [tuple(piece) for piece in whole.trunk] == [("a", 0, 4), ("b", 4, 7)]
    (left,) = whole.strands.values()
    assert (left.branch_id, left.parent, left.start, left.end, left.reason) == ("a", TRUNK, 4, 9, "retry")
    assert [whole.branch_of(step) for step in (1, 4, 5, 99)] == ["a", "a", "b", "b"]


def many_in_one_place(count: int) -> Tree:
    forks = [(branch(f"r{number}", "a", 3, "retry"), 4 + number % 5) for number in range(count)]
    return tree(*grown((branch("a", None, 0), 6), *forks), "a")


def test_of_very_many_in_one_place_some_are_drawn_and_the_rest_can_be_paged_through() -> None:
    whole = many_in_one_place(500)
    part = window(whole, [], named={"r17"})
    assert len(part.strands) == FAN
    assert part.strands[0].branch_id == "r17"
    assert part.folded == {(TRUNK, 3): 500 - FAN}
    seen: list[str] = []
    while len(seen) < 500:
        page = [one.branch_id for one in fan(whole, 3, len(seen)).strands]
        assert 0 < len(page) <= MOST_STRANDS
        seen += page
    assert len(set(seen)) == 500


def test_one_more_than_a_fan_is_drawn_and_not_called_one_more() -> None:
    assert not window(many_in_one_place(FAN + 1), []).folded


@pytest.mark.parametrize("along", ["b0", "b499"])
def test_a_chain_of_five_hundred_branches_is_windowed_whichever_end_is_looked_at(along: str) -> None:
    chain = [(branch("b0", None, 0), 4)]
    chain += [
        (branch(f"b{number}", f"b{number - 1}", number * 3, "rewind"), number * 3 + 4)
        for number in range(1, 500)
    ]
    whole = tree(*grown(*chain), along)
    until, drawn = None, 0
    for _ in range(500):
        part = window(whole, [], until=until)
        drawn += len(part.strands) + sum(part.folded.values())
        assert len(part.strands) <= MOST_STRANDS + FAN
        assert drawn + part.before == 499
        until = part.earlier
        if until is None:
            break
    assert (drawn, until) == (499, None)


def work(count: int) -> int:
    """Calls made to find the lines of so many branches, of which each leaves some earlier one."""
    chance, calls = random.Random(count), 0
    branches, ends = {"b0": branch("b0", None, 0)}, {"b0": 200}
    for number in range(1, count):
        parent = f"b{chance.randrange(number)}"
        name, step = f"b{number}", chance.randint(branches[parent].fork_step + 1, ends[parent])
        branches[name], ends[name] = branch(name, parent, step), step + chance.randint(1, 9)

    def called(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(called)
    window(tree(branches, ends, f"b{count - 1}"), [])
    sys.setprofile(None)
    return calls


def test_ten_times_the_branches_are_ten_times_the_work() -> None:
    assert work(5000) < 13 * work(500)


def test_marks_make_a_window_too() -> None:
    whole = tree(*grown((branch("a", None, 0), 1000)), "a")
    part = window(whole, range(1, 1001, 5))
    assert part.earlier is not None
    assert part.first > part.earlier > 1
    before = window(whole, range(1, 1001, 5), until=part.earlier)
    assert before.last == part.earlier
