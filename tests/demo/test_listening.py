"""What the narrator hears in a turn: walks, what it is about, what can be quoted, and who the bot is."""

from __future__ import annotations

import pytest

from chat.demo.listening import hear, quotable
from chat.demo.movement import in_prose, kind_of, walk_in
from chat.demo.prompt import Message, take_apart
from chat.demo.stage import set_stage
from chat.prompts.assemble import NOTES_BEGIN, NOTES_END
from chat.prompts.history import BEGINNING, LEFT_OUT


@pytest.mark.parametrize(
    ("turn", "place"),
    [
        ("let's go to the harbour", "the harbour"),
        ("I walk down to the old mill", "the old mill"),
        ("We drove to the park.", "the park"),
        ("*I take her hand and lead her to the rooftop garden.*", "the rooftop garden"),
        ("Shall we head over to Tom's Diner?", "Tom's Diner"),
        ('"Come with me to the market," I say.', "the market"),
        ("Let's get out of here and go to my place", "your place"),
        ("We should go to the library, I have never seen it at night.", "the library"),
        ("we walk along the river to the boathouse, talking", "the boathouse"),
        ("How about a walk to the pier?", "the pier"),
    ],
)
def test_a_walk_is_heard_with_its_place(turn: str, place: str) -> None:
    walk = walk_in(turn)
    assert walk is not None
    assert walk.place == place


@pytest.mark.parametrize(
    "turn",
    [
        "I walk over to the window and look out.",
        "I go to you.",
        "I want to go to sleep.",
        "I went to the harbour yesterday.",
        "Did you go to the harbour?",
        "We can't go to the park now.",
        "I always go to the beach in summer.",
        "I walk to work every morning.",
        "Go to hell!",
    ],
)
def test_what_is_no_walk_is_not_taken_for_one(turn: str) -> None:
    assert walk_in(turn) is None


@pytest.mark.parametrize(
    ("turn", "kind", "mention"),
    [
        ("Hello, Maren.", "greeting", ""),
        ("Why did the bell ring?", "ask_why", "the bell"),
        ("Have you met my sister?", "ask_whether", "your sister"),
        ("I give you the brass key my grandfather left me.", "give", "the brass key"),
        ("I take the ladle from your hand.", "take", "the ladle"),
        ("Sorry about the chair.", "sorry", "the chair"),
        ("I swear I will find that letter.", "promise", "that letter"),
        ("Someone is behind you with a knife!", "danger", "the knife"),
        ("I am so tired of this ladder.", "care", "that ladder"),
        ("I love your laugh.", "warm", "my laugh"),
        ("*I open the hatch.*", "deed", "the hatch"),
        ("She lives in Oslo.", "statement", "Oslo"),
        ("Yes.", "agree", ""),
        ("...", "silence", ""),
        ("((rain please))", "aside", ""),
    ],
)
def test_the_kind_and_the_subject_of_a_turn_are_heard(turn: str, kind: str, mention: str) -> None:
    heard = hear(turn, "Maren")
    assert (heard.kind, heard.mention) == (kind, mention)


def test_quotes_prefer_speech_and_whole_clauses() -> None:
    assert (
        quotable('*I sit down on the wall.* "My brother sailed from here."')[0]
        == "My brother sailed from here"
    )
    assert (
        quotable("I was told you might have some work for a stranger, maybe.")[0]
        == "I was told you might have some work"
    )


def test_the_stage_is_read_from_the_prompt_and_survives_its_absence() -> None:
    prompt = "You are Captain Idris Vale.\nHe cooks.\nPlace: Harbour wall\nTime: 7 pm"
    told = set_stage(take_apart([Message("system", prompt)]))
    assert (told.name, told.short_name, told.place, told.hour) == (
        "Captain Idris Vale", "Idris", "the harbour wall", "evening"
    )  # fmt: skip
    assert told.pronouns == ("he", "his", "him")
    bare = set_stage(take_apart([]))
    assert (bare.name, bare.place, bare.hour, bare.walked) == ("the stranger", "", "", None)


@pytest.mark.parametrize(
    ("name", "shown", "kind"),
    [
        ("Harbour wall", "the harbour wall", "water"),
        ("Kitchen", "the kitchen", "table"),
        ("The Blue Anchor", "the Blue Anchor", "anywhere"),
        ("Old Mill", "the Old Mill", "old"),
        ("Tom's Diner", "Tom's Diner", "table"),
        ("Venice", "Venice", "anywhere"),
    ],
)
def test_place_names_read_well_inside_a_sentence(name: str, shown: str, kind: str) -> None:
    assert in_prose(name) == shown
    assert kind_of(name) == kind


def test_notes_and_cues_are_no_words_of_the_player() -> None:
    notes = (
        f"{NOTES_BEGIN}\nTime: Friday 20 November 2026, 06:40\nPlace: Kell Light\n\n"
        f"<memories>\n- Sam said: I fear the basilisk.\n</memories>\n{NOTES_END}"
    )
    prompt = take_apart(
        [
            Message("system", "You are Maren.\n<character>\nShe keeps the light.\n</character>"),
            Message("user", BEGINNING),
            Message("assistant", "Maren trims the wick."),
            Message("user", f"{LEFT_OUT}\n\nIs the lamp lit?"),
            Message("assistant", "It is."),
            Message("user", f"Good.\n\n{notes}\n\nThen I can sleep."),
        ]
    )
    assert prompt.turns == ["Is the lamp lit?", "Good.", "Then I can sleep."]
    assert prompt.words == "Then I can sleep."
    stage = set_stage(prompt)
    assert (stage.place, stage.hour, stage.pronouns[0]) == ("Kell Light", "morning", "she")


@pytest.mark.parametrize("cue", ["[Maren begins.]", "[Maren goes on.]", "[Maren answers.]", BEGINNING])
def test_a_cue_lets_the_bot_speak_unasked(cue: str) -> None:
    notes = f"{NOTES_BEGIN}\nPlace: Pier\n{NOTES_END}"
    prompt = take_apart([Message("system", "You are Maren."), Message("user", f"{notes}\n\n{cue}")])
    assert (prompt.turns, prompt.words) == ([], None)
