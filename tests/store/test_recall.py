"""The search behind recall: any text may ask, nothing leaves its scope, what it costs does not follow what is asked."""

from __future__ import annotations

import random
import time

import pytest

from chat.domain.events import MemoryKeyed, story
from chat.domain.recall import Recalled
from chat.engine.remembering import Asking, remembered
from chat.store import Store, views
from tests.support import stories
from tests.support.stories import MIRA, TOMAS, YOU

HOSTILE = [
    '"',
    "*",
    "-x",
    "^x",
    "text:x",
    "secret:*",
    "scope : s",
    "NEAR(a b)",
    "lamp AND rope",
    'a"b',
    "(x",
    ")" * 2_000,
    "(" * 2_000,
    "\0lamp\0",
    "",
    "what's up?",
    "*walks over*",
    "🙂 🪔",
    "²³ ½ ①",
    "lamp " * 20_000,
    "x" * 100_000,
    "灯台はどこですか",
    "{text keys} : lamp",
]


async def recalled(
    store: Store, *entries: str, owner: str = MIRA, line: str = "main", count: int = 8
) -> Recalled:
    async with store.reading() as reader:
        asking = Asking(tuple(entries), frozenset({owner, YOU}))
        return await remembered(reader, store.library, owner, line, asking, count)


@pytest.fixture
async def known(store: Store) -> Store:
    """Two bots that remember the same lamp in the same chat, and one of them in another continuity."""
    told = [
        *stories.remembered("a", "a-1", 1, "m1", "Ada: The lamp is lit.\nMira: At dusk, always."),
        *stories.remembered("a", "a-1", 2, "m2", "Ada: The rope is frayed."),
        *stories.remembered("a", "a-1", 3, "t1", "Ada: The lamp is lit.", owner=TOMAS),
        *stories.remembered("a", "a-1", 4, "m3", "Ada: The lamp of elsewhere.", continuity="alone"),
    ]
    await store.execute(lambda state: told)
    return store


@pytest.mark.parametrize("entry", HOSTILE, ids=range(len(HOSTILE)))
async def test_any_text_may_ask(known: Store, entry: str) -> None:
    await recalled(known, "lamp")
    began = time.perf_counter()
    found = await recalled(known, entry, "lamp", entry)
    assert time.perf_counter() - began < 10
    assert {one.memory_id for one in found.chosen} <= {"m1", "m2"}
    assert "m1" in {one.memory_id for one in found.chosen}


async def test_a_bot_finds_only_its_own_in_its_continuity(known: Store) -> None:
    assert {one.memory_id for one in (await recalled(known, "lamp")).chosen} == {"m1", "m2"}
    assert {one.memory_id for one in (await recalled(known, "lamp", owner=TOMAS)).chosen} == {"t1"}
    assert {one.memory_id for one in (await recalled(known, "lamp", line="alone")).chosen} == {"m3"}


async def test_with_nothing_asked_the_latest_come(known: Store) -> None:
    found = await recalled(known, "?!", count=1)
    assert [(one.memory_id, one.why) for one in found.chosen] == [("m2", "the latest that is kept")]


async def test_a_fact_finds_the_memory_it_was_found_in(known: Store) -> None:
    keyed = MemoryKeyed(memory_id="m2", keys=("Ada owns a dinghy.",))
    await known.execute(lambda state: story("a", "a-1", 2, keyed))
    found = await recalled(known, "Who owns the dinghy?")
    assert found.chosen[0].memory_id == "m2"
    assert "mentions" in found.chosen[0].why


async def test_what_a_shown_turn_left_behind_is_not_recalled(told: Store) -> None:
    asking = Asking(("lamp",), frozenset({MIRA, YOU}), shown=("",))
    async with told.reading() as reader:
        found = await remembered(reader, told.library, MIRA, "main", asking, 8)
    assert found == Recalled()


async def test_an_abandoned_branch_is_not_recalled(known: Store) -> None:
    await known.execute(lambda state: stories.forked("a", "a-2", "a-1", 1))
    assert [one.memory_id for one in (await recalled(known, "rope lamp")).chosen] == ["m1"]
    await known.execute(lambda state: stories.selected("a", "a-1", 4, "a-2"))
    assert {one.memory_id for one in (await recalled(known, "rope lamp")).chosen} == {"m1", "m2"}


async def test_thousands_of_random_queries_leak_nothing(store: Store) -> None:
    """Three owners and two continuities with the same words; every query asks for one of the six."""
    chance = random.Random(4)
    words = [f"word{number}" for number in range(40)] + [
        "scope",
        "AND",
        "NOT",
        "text",
        '"',
        "*",
        "s0",
        "-",
        ":",
    ]
    owners = [(owner, line) for owner in (MIRA, TOMAS, "bot-third") for line in ("main", "alone")]
    told = []
    for number in range(240):
        owner, line = owners[number % 6]
        text = " ".join(chance.choices(words, k=8))
        told += stories.remembered("a", "a-1", number + 1, f"{owner}/{line}/{number}", text, owner, line)
    await store.execute(lambda state: told)
    scopes = {row[0] for row in store._live.conn.execute("select distinct scope from memories")}
    words += sorted(scopes)
    for number in range(3_000):
        owner, line = owners[number % 6]
        entry = "".join(word + chance.choice((" ", "", " : ")) for word in chance.choices(words, k=6))
        found = await recalled(store, entry, owner=owner, line=line, count=2)
        seen = [one.memory_id for one in (*found.chosen, *found.left_out)]
        assert all(one.startswith(f"{owner}/{line}/") for one in seen), (entry, owner, line, seen)


async def test_the_finds_of_a_word_are_bounded_and_what_holds_two_rare_words_is_found(store: Store) -> None:
    """A memory older than every bounded list comes back when it is the one that holds both words."""
    told = stories.remembered("a", "a-1", 1, "both", "Ada: The amber lantern.")
    for number in range(2, 1_200):
        word = ("amber", "lantern", "rope", "oar")[number % 4]
        told += stories.remembered("a", "a-1", number, f"m{number}", f"Ada: The {word} {number}x.")
    await store.execute(lambda state: told)
    found = await recalled(store, "the amber lantern")
    assert "both" in [one.memory_id for one in found.chosen]
    async with store.reading() as reader:
        kept = await views.evidence(reader, MIRA, "main", [], ())
    assert kept.kept == {}
