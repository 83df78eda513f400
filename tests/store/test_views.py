"""What pages are shown, and that what they cost does not grow with the story."""

from __future__ import annotations

import pytest

from chat.domain.events import ContainerCreated, SceneOpened, story
from chat.domain.memories import scope_token
from chat.errors import NotFound, StoreError
from chat.store import Store, views
from chat.store.search_index import stretch_of
from tests.support import stories

GROWS_WITH_THE_STORY = {
    "turns", "t", "memories", "m", "event_log", "model_calls", "witnesses", "edge_changes", "scenes", "sc",
}  # fmt: skip


async def test_the_list_of_chats_shows_where_each_stands(told: Store) -> None:
    place = ContainerCreated(container_id="lamp-room", name="The lamp room")
    scene = SceneOpened(
        scene_id="s", container_id="lamp-room", participants=(stories.MIRA,), at="1887-03-04T18:00:00Z"
    )
    await told.execute(lambda state: story("a", "a-1", 6, place, scene))
    await told.execute(lambda state: [*stories.chat("c", stories.TOMAS, stories.MIRA), *stories.chat("d")])
    await told.execute(lambda state: stories.began("b", "b-1", 3, "b-1-3"))
    async with told.reading() as reader:
        lines = {line.chat.id: line for line in await views.chat_list(reader)}
    assert (lines["a"].place, lines["a"].bot_names, lines["a"].snippet) == (
        "The lamp room",
        ("Mira",),
        "The lamp is lit.",
    )
    assert (lines["b"].snippet, lines["b"].is_running) == ("", True)
    assert lines["c"].bot_names == ("Tomas", "Mira")
    assert (lines["d"].snippet, lines["d"].last_ts) == ("", lines["d"].chat.created_at)


async def test_the_list_shows_the_last_reply_of_the_visible_line(told: Store) -> None:
    await told.execute(lambda state: stories.exchange("a", "a-1", 7, "The hidden ending."))
    await told.execute(lambda state: stories.forked("a", "a-2", "a-1", 3))
    await told.execute(lambda state: stories.forked("a", "a-3", "a-2", 2))
    async with told.reading() as reader:
        (line,) = [one for one in await views.chat_list(reader) if one.chat.id == "a"]
        turn = await views.turn(reader, "a-1-2")
    assert turn is not None
    assert (line.snippet, line.last_speaker) == (turn.text, stories.MIRA)


async def test_archived_chats_are_in_their_own_list_which_comes_in_pages(store: Store) -> None:
    from chat.domain import chats

    for number in range(5):
        await store.execute(lambda state, n=number: stories.chat(f"c{n}"))
    await store.execute(lambda state: chats.archive(state.library.chats["a"]))
    async with store.reading() as reader:
        shown = [line.chat.id for line in await views.chat_list(reader)]
        assert [line.chat.id for line in await views.chat_list(reader, archived=True)] == ["a"]
        first = [line.chat.id for line in await views.chat_list(reader, limit=4)]
        rest = [line.chat.id for line in await views.chat_list(reader, limit=4, offset=4)]
    assert "a" not in shown
    assert first + rest == shown
    assert len(shown) == 6


async def test_a_transcript_of_no_chat_is_not_found(told: Store) -> None:
    async with told.reading() as reader:
        with pytest.raises(NotFound):
            await views.transcript(reader, told.library, "z")
        with pytest.raises(NotFound):
            await views.world(reader, "z")
        assert await views.turn(reader, "z") is None
        assert await views.world(reader, "a") == told._live.worlds["a"]


async def test_replies_that_never_ended_are_listed_until_they_do(told: Store) -> None:
    await told.execute(
        lambda state: [*stories.began("a", "a-1", 8, "r1"), *stories.began("b", "b-1", 4, "r2")]
    )
    async with told.reading() as reader:
        assert [turn.id for turn in await views.running_turns(reader)] == ["r1", "r2"]
        assert [turn.id for turn in await views.running_turns(reader, "b")] == ["r2"]
    await told.execute(lambda state: stories.ended("a", "a-1", 8, "r1", "At last."))
    async with told.reading() as reader:
        assert [turn.id for turn in await views.running_turns(reader)] == ["r2"]


async def test_memories_are_found_only_within_their_owner_and_continuity(told: Store) -> None:
    await told.execute(
        lambda state: [
            *stories.chat("own", continuity="a fresh one"),
            *stories.remembered(
                "own", "own-1", 1, "m-own", "The lamp of another life.", continuity="a fresh one"
            ),
            *stories.remembered("b", "b-1", 3, "m-tomas", "Tomas mended the lamp.", owner=stories.TOMAS),
        ]
    )
    main = scope_token(stories.MIRA, "main")
    async with told.reading() as reader:
        found = await views.search_memories(reader, main, '"lamp"')
        assert {hit.memory.owner for hit in found} == {stories.MIRA}
        assert {hit.memory.continuity for hit in found} == {"main"}
        assert len(found) == 3
        escaped = await views.search_memories(reader, main, '"x" OR text : "mended" OR "lamp"')
        assert {hit.memory.owner for hit in escaped} == {stories.MIRA}
        assert await views.search_memories(reader, main, f'"{scope_token(stories.TOMAS, "main")}"') == []
        assert [
            hit.memory.id
            for hit in await views.search_memories(reader, scope_token(stories.TOMAS, "main"), '"lamp"')
        ] == ["m-tomas"]
        newest = await views.memories_of(reader, stories.MIRA, "main", 2)
        assert [memory.id for memory in newest] == ["memory-b-1-2", "memory-a-1-6"]
        assert await views.witnesses(reader, "memory-a-1-2") == [stories.MIRA, stories.YOU]
        with pytest.raises(StoreError):
            await views.search_memories(reader, main, '"unclosed')


async def test_the_search_follows_a_changed_text(told: Store) -> None:
    conn = told._live.conn
    conn.execute("update memories set text = 'Herring for supper.' where id = 'memory-a-1-2'")
    conn.execute("update memories set significance = 3 where id = 'memory-a-1-4'")
    scope = scope_token(stories.MIRA, "main")
    async with told.reading() as reader:
        assert [hit.memory.id for hit in await views.search_memories(reader, scope, '"herring"')] == [
            "memory-a-1-2"
        ]
        assert len(await views.search_memories(reader, scope, '"lamp"')) == 2
    conn.execute("insert into memories_fts (memories_fts, rank) values ('integrity-check', 1)")


async def test_calls_are_listed_newest_first_by_turn_and_by_chat(told: Store) -> None:
    await told.execute(lambda state: stories.called("extra"))
    async with told.reading() as reader:
        assert [call.id for call in await views.calls(reader, limit=2)] == ["extra", "call-b-1-2"]
        assert [call.id for call in await views.calls(reader, turn_id="a-1-4")] == ["call-a-1-4"]
        assert [call.turn_id for call in await views.calls(reader, chat_id="a")] == [
            "a-1-6",
            "a-1-4",
            "a-1-2",
        ]


async def test_events_are_read_in_order_of_all_streams_or_one(told: Store) -> None:
    async with told.reading() as reader:
        assert [event.id for event in await views.events(reader, after=4, limit=3)] == [5, 6, 7]
        of_chat = await views.events(reader, stream="chat:b")
        assert [event.kind for event in of_chat][:2] == ["user_turn", "assistant_turn_started"]
        turn = await views.turn(reader, "a-1-2")
        assert turn is not None
        started = await views.event(reader, turn.started_event_id or 0)
        assert started is not None
        assert started.data.manifest["sections"][0]["name"] == "identity"  # type: ignore[attr-defined]
        assert await views.event(reader, 10_000) is None


async def test_no_page_reads_a_whole_table(told: Store) -> None:
    """Every statement of the views, explained by SQLite: it seeks, or walks something that is small by nature."""
    statements: list[tuple[str, object]] = []
    async with told.reading() as reader:
        read = reader.all

        async def noted(sql: str, values: object = ()) -> object:
            statements.append((sql, values))
            return await read(sql, values)  # type: ignore[arg-type]

        reader.all = noted  # type: ignore[method-assign,assignment]
        await views.chat_list(reader)
        await views.transcript(reader, told.library, "a")
        await views.turn(reader, "a-1-1")
        await views.world(reader, "a")
        await views.running_turns(reader)
        await views.running_turns(reader, "a")
        await views.memories_of(reader, stories.MIRA, "main")
        await views.witnesses(reader, "memory-a-1-2")
        await views.calls(reader, turn_id="a-1-2")
        await views.calls(reader, chat_id="a")
        await views.events(reader, stream="chat:a")
        await views.draft(reader, "composer:a")
        said = await views.said_at(reader, "a", told.library.branches, "a-1", 2)
        assert said
        await views.as_told(reader, [(said, told.library.lineage("a"))])
        for sql, values in statements:
            plan = [row[3] for row in await read(f"explain query plan {sql}", values)]  # type: ignore[arg-type]
            walked = [
                step.split()[1] for step in plan if step.startswith("SCAN") and "turns_running" not in step
            ]
            growing = GROWS_WITH_THE_STORY.intersection(walked)
            assert not growing, (sql, plan)


@pytest.mark.parametrize("other", ["mains", "Main", "màin", "ma-in", "main ", "maine", "mained"])
async def test_continuities_with_names_that_look_alike_share_nothing(told: Store, other: str) -> None:
    await told.execute(
        lambda state: [
            *stories.chat("own", continuity=other),
            *stories.remembered("own", "own-1", 1, "m-own", "A lamp elsewhere.", continuity=other),
        ]
    )
    async with told.reading() as reader:
        found = await views.search_memories(reader, scope_token(stories.MIRA, other), '"lamp"')
        assert [hit.memory.id for hit in found] == ["m-own"]
        stretch = stretch_of(scope_token(stories.MIRA, "main"))
        placed = await reader.all("select rowid from memories_fts where rowid between ? and ?", stretch)
        assert len(placed) == 4
