"""The demo keeps notes as the program asks for them: feelings with reasons, walks as a change of scene."""

from __future__ import annotations

from chat.llm.tokens import count_tokens
from chat.prompts.answers import DigestAnswer, SceneMemoryAnswer
from chat.prompts.digest import DigestInput, DigestLine, digest_messages
from chat.prompts.scene import scene_messages
from tests.demo.client import Demo


def digest(demo: Demo, *lines: tuple[str, str]) -> DigestAnswer:
    numbered = tuple(DigestLine(number, name, text) for number, (name, text) in enumerate(lines, 1))
    asked = digest_messages(
        DigestInput(("Maren", "Sam"), "the harbour", (), numbered), 4000, count_tokens
    ).messages
    form = {"type": "json_schema", "json_schema": {"name": "d", "schema": DigestAnswer.model_json_schema()}}
    return DigestAnswer.model_validate_json(demo.reply(asked, model="demo-classifier", response_format=form))


def test_a_promise_moves_trust_and_cites_its_line(demo: Demo) -> None:
    answer = digest(demo, ("Sam", '"I promise I will bring the boat back."'), ("Maren", '"See that you do."'))
    feeling = answer.feelings[0]
    assert (feeling.source, feeling.target, feeling.cites) == ("Maren", "Sam", [1])
    assert feeling.trust > 0
    assert answer.significance == 2
    assert not answer.scene.ended


def test_a_walk_ends_the_scene_and_names_the_next_place(demo: Demo) -> None:
    answer = digest(demo, ("Sam", "Let's walk down to the old mill."), ("Maren", "They arrive."))
    assert (answer.scene.ended, answer.scene.why, answer.scene.next_place) == (
        True,
        "left_place",
        "the old mill",
    )
    assert answer.scene.moved == ["Maren", "Sam"]
    assert answer.minutes >= 10


def test_what_somebody_says_of_themselves_becomes_a_fact(demo: Demo) -> None:
    answer = digest(demo, ("Sam", "My brother was a diver in the north."), ("Maren", '"Was he."'))
    assert [fact.about for fact in answer.facts] == ["Sam"]
    assert "diver" in answer.facts[0].text


def test_only_what_is_taken_from_somebody_costs_trust(demo: Demo) -> None:
    def feelings(turn: str) -> int:
        return len(digest(demo, ("Sam", turn), ("Maren", "She watches.")).feelings)

    assert feelings("I take the ladle from your hand.") == 1
    assert feelings("I grab the map.") == 1
    assert feelings("I take my coat and wait.") == 0
    assert feelings("I accept the cup.") == 0
    assert feelings("I take a deep breath.") == 0


def test_small_talk_changes_little(demo: Demo) -> None:
    answer = digest(demo, ("Sam", "Hm."), ("Maren", '"Hm."'))
    assert (answer.feelings, answer.facts, answer.significance) == ([], [], 0)


def test_a_scene_is_kept_in_the_words_of_those_who_spoke(demo: Demo) -> None:
    seen = ["Sam: Good evening.\nMaren: *nods*", 'Sam: I will be back on Friday.\nMaren: "Friday, then."']
    asked = scene_messages(
        owner="Maren",
        others=["Sam"],
        place="the harbour",
        feelings=[],
        seen=seen,
        hard_tokens=4000,
        count=count_tokens,
    )
    form = {
        "type": "json_schema",
        "json_schema": {"name": "s", "schema": SceneMemoryAnswer.model_json_schema()},
    }
    answer = SceneMemoryAnswer.model_validate_json(
        demo.reply(asked, model="demo-classifier", response_format=form)
    )
    assert "back on Friday" in answer.memory
    assert [feeling.target for feeling in answer.feelings] == ["Sam"]
