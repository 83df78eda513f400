"""Ten turns over ten seeds, driven as the engine drives them: what a reader would notice must not happen."""

from __future__ import annotations

import re
import time

import pytest

from chat.prompts.assemble import Budget, PromptInput, PromptMemory, PromptTurn, assemble
from tests.demo.client import Demo

MAREN = (
    "You are Maren.\nShe keeps the lighthouse at Kell, mends nets and holds grudges against gulls.\n\n"
    "Place: Harbour wall\nTime: Saturday, 19:05\n"
)
IDRIS = "You are Captain Idris Vale.\nA retired smuggler; he runs a noodle bar.\nPlace: The Slow Airlock\nTime: 00:30"
OPENING = "Maren sits on the harbour wall, a net across her knees, and does not look up."
TURNS = [
    "Hello there. I was told you might have work for a stranger.",
    "Why do you mend the nets yourself?",
    '*I sit down on the wall.* "My brother sailed from here, six winters ago."',
    "I promise I will bring your lantern back before the storm.",
    "*I hand you the brass key my grandfather left me.*",
    "Let's walk to the old mill before the rain comes.",
    "The wheel is still turning, though nobody is grinding anything!",
    "Haha, you told that story to the gulls first.",
    "Thank you. I was afraid that nobody would listen.",
    "What will you do with the key?",
]
# Far shorter than the demo's own list, so that a word found here is one any reader would call a content word.
SMALL = frozenset(
    (
        "the",
        "and",
        "was",
        "you",
        "one",
        "did",
        "are",
        "not",
        "but",
        "what",
        "there",
        "told",
        "might",
        "have",
        "for",
        "that",
        "with",
        "will",
        "your",
        "back",
    )
)


def play(demo: Demo, system: str, turns: list[str], seed: int, opening: str = "") -> list[str]:
    messages = [{"role": "system", "content": system}]
    if opening:
        messages.append({"role": "assistant", "content": opening})
    replies = []
    for number, turn in enumerate(turns):
        messages.append({"role": "user", "content": turn})
        replies.append(demo.reply(messages, seed=seed + number))
        messages.append({"role": "assistant", "content": replies[-1]})
    return replies


@pytest.fixture(scope="module")
def stories(demo: Demo) -> list[list[str]]:
    return [play(demo, MAREN, TURNS, seed=1000 * seed, opening=OPENING) for seed in range(10)]


def bare(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def sentences(text: str) -> list[str]:
    return [bare(part) for part in re.split(r"[.!?…]+|\n+", text) if bare(part)]


def content_words(text: str) -> set[str]:
    return {word for word in re.findall(r"[a-z]+", text.lower()) if len(word) > 2} - SMALL


def test_no_sentence_is_said_twice_in_a_story(stories: list[list[str]]) -> None:
    for replies in stories:
        said = [sentence for reply in replies for sentence in sentences(reply)]
        assert sorted(said) == sorted(set(said))


def test_every_reply_takes_up_a_word_of_the_turn(stories: list[list[str]]) -> None:
    for replies in stories:
        for turn, reply in zip(TURNS, replies, strict=True):
            assert content_words(turn) & content_words(reply), (turn, reply)


def test_by_turn_ten_each_story_has_quoted_something_older_than_three_turns(stories: list[list[str]]) -> None:
    for replies in stories:
        assert any(
            quotes_older(TURNS[: number - 3], reply) for number, reply in enumerate(replies) if number > 3
        ), replies


def quotes_older(older: list[str], reply: str) -> bool:
    """Whether three or more words in a row of an older turn stand inside quotation marks."""
    quoted = " | ".join(bare(part) for part in re.findall(r'"([^"]+)"', reply))
    runs = (bare(turn).split() for turn in older)
    return any(" ".join(words[at : at + 3]) in quoted for words in runs for at in range(len(words) - 2))


def test_replies_are_of_a_length_to_read_and_have_speech_and_action(stories: list[list[str]]) -> None:
    replies = [reply for story in stories for reply in story]
    assert all(60 <= len(reply.split()) <= 120 for reply in replies)
    assert all(reply.count('"') % 2 == 0 and reply.count("*") % 2 == 0 for reply in replies)
    assert sum('"' in reply for reply in replies) > 0.9 * len(replies)
    assert any(re.search(r"^\*[^*]+\*", reply, re.M) for reply in replies)


def test_nothing_is_left_unfilled_and_the_bot_goes_by_its_name(stories: list[list[str]]) -> None:
    for story in stories:
        for reply in story:
            assert "Maren" in reply
            assert not re.search(r"[{}<>\ue000-\uf8ff]|  |\bthe the\b", reply), reply


def test_a_walk_is_answered_as_one_and_the_story_stays_there(stories: list[list[str]]) -> None:
    for replies in stories:
        assert all("old mill" not in reply for reply in replies[:5])
        assert replies[5].count("old mill") >= 2
        after = " ".join(replies[6:])
        assert "old mill" in after
        assert "harbour wall" not in " ".join(replies[5:])


def test_seeds_tell_different_stories_and_one_seed_the_same(demo: Demo, stories: list[list[str]]) -> None:
    assert len({tuple(story) for story in stories}) == 10
    assert play(demo, MAREN, TURNS, seed=3000, opening=OPENING) == stories[3]


def test_a_second_try_of_the_same_turn_reads_differently(demo: Demo) -> None:
    messages = [{"role": "system", "content": MAREN}, {"role": "user", "content": TURNS[0]}]
    assert len({demo.reply(messages, seed=seed) for seed in range(10)}) > 8
    assert demo.reply(messages) == demo.reply(messages)


def test_two_stories_told_in_turn_do_not_mix(demo: Demo) -> None:
    alone = play(demo, IDRIS, TURNS[:5], 50), play(demo, MAREN, TURNS[:5], 70)
    tales: list[list[dict[str, str]]] = [
        [{"role": "system", "content": IDRIS}], [{"role": "system", "content": MAREN}]
    ]  # fmt: skip
    for number, turn in enumerate(TURNS[:5]):
        for tale, seed in zip(tales, (50, 70), strict=True):
            tale.append({"role": "user", "content": turn})
            tale.append({"role": "assistant", "content": demo.reply(tale, seed=seed + number)})
    told = [[m["content"] for m in tale if m["role"] == "assistant"] for tale in tales]
    assert told == [alone[0], alone[1]]
    assert "Maren" not in " ".join(told[0])
    assert "Idris" not in " ".join(told[1])


def test_rewinding_leaves_nothing_of_what_was_taken_back(demo: Demo) -> None:
    kept = [{"role": "system", "content": MAREN}, {"role": "user", "content": TURNS[0]}]
    first = demo.reply(kept, seed=1)
    demo.reply(
        [*kept, {"role": "assistant", "content": first}, {"role": "user", "content": TURNS[5]}], seed=2
    )
    assert demo.reply(kept, seed=1) == first


@pytest.mark.parametrize(
    ("turn", "shown"),
    [
        ("...", "..."),
        ("?!", "?!"),
        ("🙂", "🙂"),
        ("👩‍🚀❤️", "👩‍🚀❤️"),
        ("no", "no"),
        ("Привет, где мой корабль?", "Привет"),
        ("元気ですか", "元気ですか"),
        ("Ich habe den Schlüssel verloren.", "Schlüssel"),
        ("((could it start raining?))", "raining"),
        ('"""', "..."),
        ("{n} {frag} <say/says> {literal}", "literal"),
        ("nul \x00 and \x07 bells", "bells"),
    ],
)
def test_unusual_turns_are_answered_with_what_stands_there(demo: Demo, turn: str, shown: str) -> None:
    reply = demo.reply([{"role": "system", "content": MAREN}, {"role": "user", "content": turn}], seed=4)
    assert shown.lower() in reply.lower()
    assert 55 <= len(reply.split()) <= 120


def test_the_bot_speaks_first_when_nobody_has(demo: Demo) -> None:
    system = {"role": "system", "content": MAREN}
    opening = {"role": "assistant", "content": OPENING}
    begin = {"role": "user", "content": "[The story begins.]"}
    replies = [
        demo.reply(messages, seed=9) for messages in ([system], [system, opening], [system, opening, begin])
    ]
    assert all('"' in reply and "Maren" in reply and "demo" not in reply.lower() for reply in replies)
    assert not any("begins" in reply for reply in replies)


def test_a_prompt_without_name_place_or_time_is_enough(demo: Demo) -> None:
    for messages in ([], [{"role": "system", "content": "Write well. You are a sailor."}]):
        reply = demo.reply([*messages, {"role": "user", "content": "Is that your parrot?"}], seed=1)
        assert "parrot" in reply
        assert "stranger" in reply


def test_five_thousand_words_are_answered_at_once(demo: Demo) -> None:
    turn = "We talked about the weather and the price of herring. " * 500 + "Then I sold the piano."
    messages = [{"role": "system", "content": MAREN}, {"role": "user", "content": turn}]
    demo.reply(messages)
    times = []
    for seed in range(5):
        started = time.perf_counter()
        reply = demo.reply(messages, seed=seed)
        times.append(time.perf_counter() - started)
        assert "piano" in reply
    assert min(times) < 0.1


def test_the_same_short_turn_thirty_times_never_gets_the_same_reply(demo: Demo) -> None:
    replies = play(demo, IDRIS, ["ok"] * 30, seed=12)
    said = [sentence for reply in replies for sentence in sentences(reply) if len(sentence.split()) > 2]
    assert len(said) == len(set(said))


def test_the_engines_own_prompts_are_understood(demo: Demo) -> None:
    turns: list[PromptTurn] = [PromptTurn("01", "bot", "Maren", False, OPENING)]
    replies = []
    for number, words in enumerate(TURNS):
        given = PromptInput(
            bot_id="bot", bot_name="Maren", persona="She keeps the light.", you_name="Sam", you_pronouns="he/him",
            place="Harbour wall", clock_text="Friday 20 November 2026, 21:40", people_present=("Sam", "Maren"),
            memories=[PromptMemory("m", "Sam said that the basilisk is loose.", 1.0, "words")],
            turns=turns, player_words=words,
        )  # fmt: skip
        prompt = assemble(given, Budget(8000, 6000), lambda text: len(text) // 4)
        replies.append(demo.reply(prompt.messages, seed=number))
        turns = [
            *turns,
            PromptTurn(f"{number}a", "you", "Sam", True, words),
            PromptTurn(f"{number}b", "bot", "Maren", False, replies[-1]),
        ]
    said = [sentence for reply in replies for sentence in sentences(reply)]
    assert len(said) == len(set(said))
    assert all(content_words(turn) & content_words(reply) for turn, reply in zip(TURNS, replies, strict=True))
    assert "basilisk" not in " ".join(replies)
    assert "old mill" in replies[5]
    assert any(quotes_older(TURNS[: n - 3], reply) for n, reply in enumerate(replies) if n > 3)


def test_the_bot_goes_on_unasked_without_repeating_itself(demo: Demo) -> None:
    messages = [{"role": "system", "content": MAREN}, {"role": "user", "content": "[The story begins.]"}]
    said: list[str] = []
    for seed in range(6):
        reply = demo.reply([*messages, {"role": "user", "content": "[Maren goes on.]"}], seed=seed)
        said += sentences(reply)
        messages.append({"role": "assistant", "content": reply})
    assert len(said) == len(set(said))
