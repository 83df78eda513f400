"""What is worked out once for a text is forgotten when words are erased."""

from __future__ import annotations

from chat.domain import likeness, voices
from chat.domain.segments import parse_segments
from chat.domain.turns import Turn
from chat.engine import hearing
from chat.llm.tokens import count_tokens
from chat.prompts.excerpts import excerpt
from tests.domain.test_voices import memory

TEXT = "Alex: My sister is called Heron-0815 now. She keeps the lamp of the old quay."


def test_no_text_of_a_memory_stays_once_words_are_erased() -> None:
    kept = (likeness._words, likeness._sentences, voices._read, voices.stem_of, excerpt, hearing.count)
    hearing.count(TEXT)
    excerpt(TEXT, frozenset({"sister"}), 12, count_tokens)
    likeness.says_the_same(TEXT, TEXT)
    told = likeness.Told(TEXT, ("sister",))
    likeness.Tellings({2: told, 1: told}).is_later(2, 1)
    assert voices.times(voices.Voices(["Alex"]).of([memory(TEXT)]), "heron") == {1: 1}
    assert all(one.cache_info().currsize for one in kept)
    hearing.forget()
    assert not any(one.cache_info().currsize for one in kept)


def test_only_the_turns_heard_last_are_kept_and_heard_again_they_are_the_same() -> None:
    hearing.forget()
    turns = [turn(f"T{number}", f"The lamp is lit for the {number}th time.") for number in range(600)]
    heard = [hearing.hear(one, "bot:mira") for one in turns]
    assert len(hearing._known) < len(turns)
    assert hearing.hear(turns[-1], "bot:mira") is heard[-1]
    again = hearing.hear(turns[0], "bot:mira")
    assert again == heard[0]
    assert again is not heard[0]


def turn(turn_id: str, text: str) -> Turn:
    present = ("you:anna", "bot:mira")
    return Turn(turn_id, "C1", "B1", 1, "user", "you:anna", text, parse_segments(text), present)
