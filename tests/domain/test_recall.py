"""Which memories come back, in which order, and what is said about why."""

from __future__ import annotations

import pytest

from chat.domain.evidence import Evidence, Hits, Kept, Sample, shortlists
from chat.domain.memories import Memory
from chat.domain.questions import WORDS_MAX, questions
from chat.domain.recall import Recalled, recall
from chat.domain.voices import stem_of

ADA, MIRA, TOMAS = "Ada", "Mira", "Tomas"
NAMES = (ADA, MIRA, TOMAS)
NOW = "2023-06-14T20:00:00Z"


def memory(number: int, text: str, **values: object) -> Memory:
    given = {
        "event_id": number,
        "id": f"m{number}",
        "owner": "mira",
        "continuity": "main",
        "chat_id": "c",
        "turn_id": f"t{number}",
        "scene_id": f"s{number}",
        "text": text,
        "scope": "scope",
        "at": "2023-01-01T10:00:00Z",
        "source": "direct",
        "reliability": 1.0,
        "significance": 1,
    }
    return Memory(**(given | values))  # type: ignore[arg-type]


def kept_of(one: Memory, before: int | None, after: int | None) -> Kept:
    return Kept(*(getattr(one, name) for name in Kept.__struct_fields__[:-2]), before, after)


def ask(memories: list[Memory], *entries: str, count: int = 4, hidden: tuple[int, ...] = ()) -> Recalled:
    """Recall over a search that finds every memory with a word that begins alike."""
    asked = questions(entries, NAMES, (ADA, MIRA), NOW)
    words = {word for question in asked for word in question.words}
    newest_first = sorted(memories, key=lambda one: -one.event_id)
    hits = {
        word: Hits(tuple(one.event_id for one in newest_first if stem_of(word) in one.text.casefold()), True)
        for word in words
    }
    ids = [one.event_id for one in memories]
    sample = Sample(len(ids), min(ids), max(ids), min(ids))
    spans = [span for question in asked for span in question.spans]
    dated = tuple(one.event_id for one in memories if any(span[0] <= one.at[:10] < span[1] for span in spans))
    kept = {
        one.event_id: kept_of(
            one,
            ids[place - 1] if place else None,
            ids[place + 1] if place + 1 < len(ids) else None,
        )
        for place, one in enumerate(memories)
    }
    return recall(asked, Evidence(sample, hits, dated, kept), NAMES, hidden, count)


def filler(first: int, count: int) -> list[Memory]:
    plain = "Ada: The weather turned again, number {0}.\nMira: It does, {0} times over."
    return [memory(number, plain.format(f"n{number}x")) for number in range(first, first + count)]


def order(recalled: Recalled) -> list[str]:
    return [one.memory_id for one in recalled.chosen]


def test_one_matching_word_of_many_is_enough() -> None:
    told = [*filler(1, 20), memory(30, "Mira: The key hangs behind the stove.")]
    found = ask(told, "Remember the brass key that opened grandfather's workshop?")
    assert order(found)[0] == "m30"
    assert "mentions key" in found.chosen[0].why


def test_the_rare_word_decides() -> None:
    told = [*filler(1, 20), memory(30, "Mira: An astrolabe!"), *filler(31, 20)]
    assert order(ask(told, "the weather and the astrolabe"))[0] == "m30"


def test_names_of_those_who_talk_find_nothing() -> None:
    told = [*filler(1, 8), memory(30, "Ada: Mira, Mira, Mira!"), memory(31, "Ada: The kiln is cold.")]
    found = ask(told, "Mira, who lit the kiln?")
    assert order(found)[0] == "m31"
    assert ask(told, "Mira?") == Recalled()


def test_the_name_of_somebody_else_is_a_word() -> None:
    told = [*filler(1, 8), memory(30, "Ada: I met Tomas at the pier."), *filler(31, 8)]
    assert order(ask(told, "Have you heard from Tomas?"))[0] == "m30"


def test_who_is_named_is_heard_first() -> None:
    mine = memory(30, "Ada: I painted the harbour.", scene_id="a")
    hers = memory(40, "Mira: I painted the harbour wall.", scene_id="b")
    told = [*filler(1, 8), mine, *filler(31, 8), hers]
    assert order(ask(told, "What did Ada paint at the harbour?"))[0] == "m30"
    assert order(ask(told, "What did Mira paint at the harbour?"))[0] == "m40"


def test_a_lower_case_word_that_is_also_a_name_is_a_word() -> None:
    (asked,) = questions(["the rose garden"], ["Rose"], ["Rose"], NOW)
    assert set(asked.words) == {"rose", "garden"}
    (asked,) = questions(["Did Rose see the garden?"], ["Rose"], ["Rose"], NOW)
    assert set(asked.words) == {"see", "garden"}
    assert asked.named == {"rose"}


def test_the_named_day_counts() -> None:
    old = memory(30, "Ada: We swam.", at="2023-05-08T10:00:00Z")
    new = memory(40, "Ada: We swam far out.", at="2023-06-01T10:00:00Z")
    told = [*filler(1, 8), old, *filler(31, 8), new]
    found = ask(told, "Remember how we swam on 8 May 2023?")
    assert order(found)[0] == "m30"
    assert "of a day that was named" in found.chosen[0].why


def test_a_day_alone_is_a_question() -> None:
    told = [*filler(1, 8), memory(30, "Ada: Plums.", at="2023-06-13T10:00:00Z"), *filler(31, 8)]
    assert order(ask(told, "And yesterday?"))[0] == "m30"


def test_a_neighbour_lends_its_words() -> None:
    told = [
        *filler(1, 10),
        memory(30, "Ada: When did you leave the monastery?"),
        memory(31, "Mira: At nineteen, on foot."),
        *filler(32, 10),
    ]
    found = ask(told, "the monastery")
    assert order(found)[:2] == ["m30", "m31"]
    assert "next to one that mentions monastery" in found.chosen[1].why


def test_chatter_before_the_question_drowns_nothing() -> None:
    told = [*filler(1, 30), memory(40, "Mira: The letter lies under the piano."), *filler(41, 30)]
    chatter = [one.text for one in told[5:8]]
    found = ask(told, "Where is the letter?", *chatter)
    assert order(found)[0] == "m40"


def test_earlier_entries_ask_when_the_latest_says_nothing() -> None:
    told = [*filler(1, 30), memory(40, "Mira: The letter lies under the piano.")]
    found = ask(told, "Yes?", "I lost a letter.")
    assert order(found)[0] == "m40"
    assert found.chosen[0].why == "close to what was said before"


def test_a_later_telling_takes_the_place_of_an_earlier_one() -> None:
    told = [
        *filler(1, 5),
        memory(30, "Ada: My sister is Ann.\nMira: Ann! What a fine name for a sister."),
        *filler(31, 5),
        memory(60, "Ada: My sister is Eva.\nMira: I had thought otherwise."),
        *filler(61, 5),
    ]
    assert order(ask(told, "What is the name of my sister?"))[:2] == ["m60", "m30"]


def test_a_flood_of_the_same_leaves_room_for_others() -> None:
    flood = [memory(n, f"Ada: I like tea with milk, honey and lemon, cup {n}.") for n in range(100, 160)]
    told = [memory(5, "Mira: Tea reminds me of the siege."), *filler(6, 5), *flood]
    found = ask(told, "Shall we have tea?")
    assert "m5" in order(found)
    assert len([one for one in found.chosen if "cup" in one.text]) == 1
    assert found.chosen[0].memory_id == "m159" or found.chosen[1].memory_id == "m159"
    assert "another says the same" in {one.left_out for one in found.left_out}


def test_newer_goes_first_among_equals() -> None:
    told = [
        *filler(1, 5),
        memory(10, "Ada: Comet!"),
        *filler(11, 5),
        memory(20, "Mira: Comet?"),
        *filler(21, 5),
    ]
    assert order(ask(told, "the comet"))[:2] == ["m20", "m10"]


@pytest.mark.parametrize(
    ("better", "worse"),
    [({"significance": 3}, {}), ({"pinned": True, "significance": 2}, {}), ({}, {"consolidated": True})],
)
def test_what_matters_goes_before_what_is_newer(better: dict[str, object], worse: dict[str, object]) -> None:
    first, second = (
        memory(10, "Ada: A comet above Ulm.", **better),
        memory(20, "Mira: Comets do fade.", **worse),
    )
    told = [*filler(1, 5), first, *filler(11, 5), second, *filler(21, 5)]
    assert order(ask(told, "the comet"))[0] == "m10"


def test_a_pivotal_memory_keeps_its_weight_when_a_scene_memory_stands_for_it() -> None:
    pivotal = memory(10, "Ada: A comet above Ulm.", significance=3, consolidated=True)
    routine = memory(20, "Mira: Comets do fade.", consolidated=True)
    told = [*filler(1, 5), pivotal, *filler(11, 5), routine, *filler(21, 5)]
    assert order(ask(told, "the comet"))[0] == "m10"


def test_hidden_memories_are_never_chosen_nor_listed() -> None:
    told = [memory(10, "Ada: A comet!"), memory(20, "Ada: Another comet!")]
    found = ask(told, "comet", hidden=(20,))
    assert order(found) == ["m10"]
    assert found.left_out == ()


def test_what_came_close_is_listed_with_the_reason() -> None:
    told = [
        memory(n, f"Ada: A comet over {place}.") for n, place in ((10, "Ulm"), (20, "Kiel"), (30, "Rome"))
    ]
    found = ask(told, "comet", count=2)
    assert order(found) == ["m30", "m20"]
    assert [(one.memory_id, one.left_out) for one in found.left_out] == [("m10", "not among the best 2")]


def test_a_long_entry_asks_with_its_beginning_and_its_end() -> None:
    entry = "astrolabe " + " ".join(f"w{n}x" for n in range(20_000)) + " sextant"
    (asked,) = questions([entry], NAMES, NAMES, NOW)
    assert len(asked.words) == WORDS_MAX
    assert {"astrolabe", "sextant"} <= asked.words.keys()


def test_an_estimate_of_rarity_follows_the_density_of_the_newest_finds() -> None:
    sample = Sample(count=1000, oldest=9001, newest=10_000, first=1)
    dense = Hits(tuple(range(10_000, 9_800, -2)), False)
    sparse = Hits(tuple(range(10_000, 5_000, -50)), False)
    found = Evidence(
        sample, {"dense": dense, "sparse": sparse, "once": Hits((5,), True), "never": Hits((), True)}
    )
    assert found.rarity("dense") < found.rarity("sparse") < found.rarity("once") < found.rarity("never")
    assert found.rarity("dense") == pytest.approx(0.69, abs=0.02)


def test_the_shortlist_holds_the_best_of_each_question() -> None:
    asked = questions(["comet", "letter"], NAMES, NAMES, NOW)
    many = Hits(tuple(range(1000, 0, -1)), False)
    found = Evidence(Sample(1000, 1, 1000, 1), {"comet": many, "letter": Hits((7,), True)})
    latest, earlier = shortlists(asked, found, hidden=(1000,))
    assert earlier == (7,)
    assert 1000 not in latest
    assert len(latest) < 100


def test_an_earlier_entry_looks_only_at_its_own_shortlist_and_what_stands_beside_it() -> None:
    told = [*filler(1, 9), memory(10, "Mira: The comet came."), memory(11, "Mira: A letter lay there.")]
    kept = {one.event_id: kept_of(one, one.event_id - 1, one.event_id + 1) for one in told}
    found = Evidence(Sample(11, 1, 11, 1), {}, (), kept, ((10,), (3,)))
    assert found.about(0).kept.keys() == kept.keys()
    assert found.about(1).kept.keys() == {2, 3, 4}
