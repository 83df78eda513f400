"""A bot that begins anew: what goes, what stays, and that nothing late slips behind it."""

from __future__ import annotations

from chat.domain import resets, world
from chat.domain.events import (
    ActivityChange,
    BotReset,
    ClockAdvanced,
    EdgeSeeded,
    EdgeUpdate,
    EntityEntered,
    Event,
    MemoryPinChanged,
    SceneClosed,
    SceneOpened,
    StoryPayload,
)
from chat.domain.records import Clear
from chat.domain.world import World

MIRA, TOMAS, YOU = "mira", "tomas", "you:1"
BEGINNING: list[StoryPayload] = [
    ClockAdvanced(at="1887-03-04T18:00:00Z", prior="", reason="kickoff"),
    EntityEntered(entity=YOU, at=""),
    EntityEntered(entity=MIRA, at=""),
    ActivityChange(entity=MIRA, container_id="lamp room", action="mending a clock"),
    SceneOpened(scene_id="first", container_id="lamp room", participants=(YOU, MIRA), at=""),
    EdgeSeeded(source=MIRA, target=YOU, affinity=40, trust=45, summary="a stranger"),
    EdgeSeeded(source=YOU, target=MIRA),
]


def told(now: World, step: int, *data: StoryPayload) -> World:
    for number, one in enumerate(data):
        event = Event(step * 100 + number, "chat:a", "a-1", step, one.kind, 1, "", None, one)
        now, _ = world.evolve(now, event)
    return now


def moved(source: str, delta: int) -> EdgeUpdate:
    return EdgeUpdate(source=source, target=YOU, affinity_delta=delta, trust_delta=0, reason="r", turn_id="t")


def played() -> World:
    now = told(world.empty("a"), 1, *BEGINNING)
    later = [
        EntityEntered(entity=TOMAS, at=""),
        ClockAdvanced(at="1887-03-09T08:00:00Z", prior="", reason="days pass"),
        moved(MIRA, 30),
        moved(TOMAS, 20),
        MemoryPinChanged(memory_id="m", owner=MIRA, pinned=True, by_hand=True, prior_pinned=False),
        MemoryPinChanged(memory_id="n", owner=TOMAS, pinned=True, by_hand=True, prior_pinned=False),
    ]
    return told(now, 5, *later)


def test_it_feels_as_at_the_beginning_and_others_keep_what_they_have() -> None:
    now = played()
    events = resets.reset(now, MIRA, BEGINNING)
    assert [type(one) for one in events] == [BotReset, EdgeSeeded, SceneClosed]
    after = told(now, 6, *events)
    assert (after.edge(MIRA, YOU).affinity, after.edge(MIRA, YOU).summary) == (40, "a stranger")
    assert after.edge(TOMAS, YOU).affinity == 70
    assert [pin.owner for pin in after.pins] == [TOMAS]
    assert MIRA not in after.activities
    assert after.scene is None
    assert MIRA in after.state.present


def test_its_rows_of_this_chat_go_and_no_others() -> None:
    now = played()
    event = Event(700, "chat:a", "a-1", 7, "bot_reset", 1, "", None, BotReset(bot_id=MIRA, at=""))
    _, changes = world.evolve(now, event)
    cleared = {change.table: change.values for change in changes if isinstance(change, Clear)}
    assert cleared == {
        "edge_changes": {"chat_id": "a", "source": MIRA},
        "memories": {"chat_id": "a", "owner": MIRA},
    }


def test_what_comes_late_for_a_time_before_is_forgotten_too() -> None:
    after = told(played(), 6, *resets.reset(played(), MIRA, BEGINNING))
    late = told(after, 5, moved(MIRA, 9), moved(TOMAS, 9), ActivityChange(entity=MIRA, container_id=""))
    assert late.edge(MIRA, YOU).affinity == 40
    assert late.edge(TOMAS, YOU).affinity == 79
    assert MIRA not in late.activities
    assert told(after, 8, moved(MIRA, 9)).edge(MIRA, YOU).affinity == 49


def test_the_next_words_open_the_scene_where_it_began_and_guests_come_along() -> None:
    after = told(played(), 6, *resets.reset(played(), MIRA, BEGINNING))
    assert resets.is_over(after)
    again = resets.begin_again(after, YOU, BEGINNING, lambda: "second")
    opened = told(after, 7, *again)
    assert opened.scene
    assert opened.scene.id == "second"
    assert set(opened.scene.participants) == {YOU, MIRA, TOMAS}
    assert opened.state.clock_at == "1887-03-04T18:00:00Z"
    assert opened.activities[MIRA].action == "mending a clock"
    assert {one.container_id for one in opened.activities.values()} == {"lamp room"}
    assert not resets.is_over(opened)


def test_a_story_with_an_open_scene_does_not_begin_again() -> None:
    assert resets.begin_again(played(), YOU, BEGINNING, lambda: "second") == []
