"""The scanner splits what a player writes, keeps every character, and lets nothing private become public."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.domain import segments as scanner
from chat.domain.segments import Segment, parse_segments, segments_after

NAMES = {"Mira": "bot:mira", "Mira Vale": "bot:vale", "Old Tom": "bot:tom", "Straße": "bot:street"}

MARKS = (
    *(
        '"',
        "“",
        "”",
        "«",
        "»",
        "*",
        "**",
        "((",
        "))",
        "(",
        ")",
        ":",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        " ",
        "\u2028",
    ),
    *(
        "/whisper ",
        "/think ",
        "\n/whisper Mira ",
        "\n /think ",
        "Mira ",
        "hello",
        "Old Tom",
        "\u200b",
        "é",
        "🙂",
    ),
)
MARKED = st.lists(st.sampled_from(MARKS), max_size=40).map("".join)


OWN_MARKS = ("[[", "//", "{{", "/*", "<", "#", "OOC:", "(:", "*", '"', "^-", "((")


def kinds(text: str) -> list[str]:
    return [segment.kind for segment in parse_segments(text, NAMES)]


def test_the_example_of_the_requirement_gives_action_dialogue_and_aside() -> None:
    assert parse_segments('*walks over* "Hey." ((note))') == (
        Segment("action", "*walks over* "),
        Segment("dialogue", '"Hey." '),
        Segment("ooc", "((note))"),
    )


@given(st.one_of(st.text(), MARKED))
def test_segments_join_to_the_text(text: str) -> None:
    assert "".join(segment.text for segment in parse_segments(text, NAMES)) == text


@given(MARKED)
def test_no_segment_is_empty_and_only_the_first_may_begin_with_white_space(text: str) -> None:
    found = parse_segments(text, NAMES)
    assert all(segment.text for segment in found)
    assert not any(segment.text[0].isspace() for segment in found[1:])
    assert all(0 <= segment.cue <= len(segment.text) for segment in found)


@given(MARKED)
def test_every_double_bracket_stands_in_an_aside(text: str) -> None:
    assert not any("((" in segment.text for segment in parse_segments(text, NAMES) if segment.kind != "ooc")


@given(MARKED)
def test_a_command_at_the_start_of_a_line_is_never_said_aloud(text: str) -> None:
    for segment in parse_segments(text, NAMES):
        if segment.kind in ("narration", "dialogue", "action"):
            lines = segment.text.replace("\u2028", "\n").replace("\r", "\n").split("\n")
            starts_line = lines[1:]
            assert not any(
                line.lstrip(" \u200b").startswith(("/whisper ", "/think ")) for line in starts_line
            )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n ", ["narration"]),
        ('  "Hey."', ["dialogue"]),
        ('He says, "Hey." Then he goes.', ["narration", "dialogue", "narration"]),
        ("“Hey.” «Salut.» „Hallo.“ 「やあ」", ["dialogue"] * 4),
        ("**bold** and ***both***", ["narration"]),
        ("*she **really** ran* off", ["action", "narration"]),
        ('"I *mean* it."', ["dialogue"]),
        ('*says "hi" loudly*', ["action"]),
        ('2 * 3 and 2*3 and 5" long', ["narration"]),
        ('"Open to the end\nof this\n\nParagraph two', ["dialogue", "narration"]),
        ("*open to the end\r\nof this\r\n\r\nParagraph two", ["action", "narration"]),
        ('((never closed *he* "says"\n\nand on', ["ooc"]),
        ("((a ((b)) c)) d", ["ooc", "narration"]),
        ("(((a))) d", ["ooc", "narration"]),
        ("((smile :) secret)) d", ["ooc", "narration"]),
        ("((a (b) c)) d", ["ooc", "narration"]),
        ("(just brackets) d", ["narration"]),
        ('"Hello ((lol)) there"', ["dialogue", "ooc", "dialogue"]),
        ("/whisper Mira psst\nLoud.", ["whisper", "narration"]),
        ("/think hm\nLoud.", ["thought", "narration"]),
        ("Loud.\u2028/think hm\u2029Loud.", ["narration", "thought", "narration"]),
        ("/WHISPER mira psst", ["whisper"]),
        ("\u200b/whisper Mira psst", ["whisper"]),
        ("/whispering is rude", ["narration"]),
        ("Loud /whisper Mira psst", ["narration"]),
        ('"An open quote\n/whisper Mira psst\nLoud.', ["dialogue", "whisper", "narration"]),
        ("/whisper Mira the code ((brb)) is 12\nLoud.", ["whisper", "ooc", "whisper", "narration"]),
        ("/whisper Mira the code ((brb\n)) is 12\nLoud.", ["whisper", "ooc", "whisper", "narration"]),
    ],
)
def test_marks_give_these_kinds(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


@pytest.mark.parametrize(
    ("line", "to", "words"),
    [
        ("/whisper Mira run", ("bot:mira",), "run"),
        ("/whisper MIRA VALE: run", ("bot:vale",), "run"),
        ("/whisper mira, Vale is here", ("bot:mira",), "Vale is here"),
        ("/whisper old tom run", ("bot:tom",), "run"),
        ('/whisper "Old Tom" run', ("bot:tom",), "run"),
        ("/whisper “old tom” run", ("bot:tom",), "run"),
        ("  /whisper: Mira run", ("bot:mira",), "run"),
        ("/whisper STRASSE run", ("bot:street",), "run"),
        ("/whisper Mira", ("bot:mira",), ""),
        ("/whisper Miranda run", (), "Miranda run"),
        ("/whisper Mira's a liar", (), "Mira's a liar"),
        ('/whisper "Nobody" run', (), '"Nobody" run'),
        ("/whisper", (), ""),
    ],
)
def test_a_whisper_reaches_the_longest_name_it_begins_with_or_nobody(
    line: str, to: tuple[str], words: str
) -> None:
    (segment,) = parse_segments(line, NAMES)
    assert (segment.kind, segment.to, segment.text[segment.cue :]) == ("whisper", to, words)


def test_what_an_aside_interrupts_goes_on_to_the_same_ears() -> None:
    found = parse_segments("/whisper Mira the code ((brb)) is 12", NAMES)
    assert [segment.to for segment in found] == [("bot:mira",), (), ("bot:mira",)]
    assert found[2].text == "is 12"


def test_segments_survive_the_way_through_the_log() -> None:
    found = parse_segments('*walks* "Hey." /x\n/whisper Mira run\n/think hm', NAMES)
    assert msgspec.json.decode(msgspec.json.encode(found), type=tuple[Segment, ...]) == found


PATHOLOGICAL: list[Callable[[int], str]] = [
    lambda n: "((" * n,
    lambda n: "((a))" * n,
    lambda n: "//a" * n,
    lambda n: "/*" * n,
    lambda n: '"' * n,
    lambda n: "“" * n,
    lambda n: "*a " * n,
    lambda n: "* " * n,
    lambda n: "\n/whisper Mira" * n,
    lambda n: "\n" + " " * n + "x",
    lambda n: ("\n" + " " * 30) * n,
    lambda n: "\r" * n + "/whisper" * n,
    lambda n: "/whisper " + "M" * n,
    lambda n: "a" * n,
]


@pytest.mark.parametrize("make", PATHOLOGICAL)
def test_the_number_of_searches_grows_only_with_the_text(
    make: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts the places passed over: twice the text may cost about twice, never four times."""
    for aside in ("((", "//", "/*"):
        costs = [_cost(make(size), aside, monkeypatch) for size in (500, 1000, 2000)]
        assert all(larger <= 2.2 * smaller + 50 for smaller, larger in pairwise(costs))


def _cost(text: str, aside: str, monkeypatch: pytest.MonkeyPatch) -> int:
    class Counting:
        def __init__(self, pattern: object) -> None:
            self.pattern, self.passed = pattern, 0

        def search(self, string: str, position: int) -> object:
            found = self.pattern.search(string, position)  # type: ignore[attr-defined]
            self.passed += 1 + (found.end() if found else len(string)) - position
            return found

        def finditer(self, string: str, position: int) -> object:
            for found in self.pattern.finditer(string, position):  # type: ignore[attr-defined]
                self.passed += 1
                yield found

    marks = scanner._aside_marks(aside)
    counting = marks._replace(any=Counting(marks.any), either=Counting(marks.either))  # type: ignore[arg-type]
    with monkeypatch.context() as patch:
        patch.setattr(scanner, "_aside_marks", lambda aside: counting)
        parse_segments(text, NAMES, aside)
    return counting.any.passed + counting.either.passed  # type: ignore[attr-defined, no-any-return]


@given(text=st.text('ab "*\n((', max_size=40), chars=st.integers(0, 45))
def test_what_lies_beyond_a_place_joins_to_the_rest_of_the_text(text: str, chars: int) -> None:
    whole = parse_segments(text)
    rest = segments_after(whole, chars)
    assert "".join(one.text for one in rest) == text[chars:]
    assert rest == whole[len(whole) - len(rest) :] or rest[0].text == text[chars:][: len(rest[0].text)]


@pytest.mark.parametrize(
    ("aside", "text", "expected"),
    [
        ("[[", 'a [[b [[c]] "d"]] e ((f))', ["a ", '[[b [[c]] "d"]] ', "e ((f))"]),
        ("[[", "a [b] [[c\nd", ["a [b] ", "[[c\nd"]),
        ("/*", "a /* b */ c", ["a ", "/* b */ ", "c"]),
        ("//", "// b\nc //d// e", ["// b\n", "c ", "//d// ", "e"]),
        ("OOC:", "a\nOOC: b\nc", ["a\n", "OOC: b\n", "c"]),
        ("<", "a <b> c", ["a ", "<b> ", "c"]),
    ],
)
def test_an_aside_can_have_other_marks(aside: str, text: str, expected: list[str]) -> None:
    found = parse_segments(text, NAMES, aside)
    assert [segment.text for segment in found] == expected
    mine = [segment.text for segment in found if segment.kind == "ooc"]
    assert mine == [words for words in expected if words.startswith(aside)]


@given(
    aside=st.sampled_from(OWN_MARKS),
    marks=st.lists(st.sampled_from((*MARKS, *OWN_MARKS, "]]", "}}", "*/", ">")), max_size=40),
)
def test_whatever_opens_an_aside_the_segments_join_and_nobody_else_hears_it(
    aside: str, marks: list[str]
) -> None:
    text = "".join(marks)
    found = parse_segments(text, NAMES, aside)
    assert "".join(segment.text for segment in found) == text
    if not any(letter in aside for letter in '*"/'):  # those begin something else as well
        assert not any(aside in one.text for one in found if one.kind != "ooc" and not one.cue)
