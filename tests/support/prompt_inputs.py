"""One full prompt input that several tests start from, and a counting function that needs no tokenizer."""

from __future__ import annotations

from chat.prompts.assemble import Budget, Feeling, PromptInput, PromptMemory, PromptTurn

BUDGET = Budget(hard=8000, soft=6000)


def count(text: str) -> int:
    return (len(text) + 3) // 4


def turns(number: int, words: int = 40) -> tuple[PromptTurn, ...]:
    """Anna and Mira by turns, Anna first, each turn with its own number in it."""
    return tuple(
        PromptTurn(
            turn_id=f"T{n:05}",
            speaker="bot:mira" if n % 2 else "you:anna",
            speaker_name="Mira" if n % 2 else "Anna",
            is_you=n % 2 == 0,
            text=f"turn{n:05} " + "word " * words,
        )
        for n in range(number)
    )


FULL = PromptInput(
    bot_id="bot:mira",
    bot_name="Mira",
    persona="{{char}} keeps the lighthouse and does not like to be thanked, not even by {{user}}.",
    appearance="Grey coat, wet hair.",
    voice_samples=('"Mind the step."', '*shrugs* "Could be worse."'),
    traits=("dry", "curious"),
    backstory="She came with the last supply boat and stayed.",
    initial_relationship_to_you="A guest she did not expect.",
    you_name="Anna",
    you_pronouns="she/her",
    you_appearance="Tall, a red scarf.",
    place="The lamp room",
    place_facts="tower, private",
    clock_text="Friday 20 November 2026, 21:40",
    weather="rain",
    people_present=("Anna", "Mira", "Old Tom"),
    activities=(("Anna", "sitting, holding a cup"), ("Mira", "standing")),
    feeling=Feeling(70, 40, "She is warming to her.", ("Anna came by boat.", "Anna is afraid of heights.")),
    memories=(
        PromptMemory("m1", "Anna: I lost my key.\nMira: Which one?", 2.5, "says key"),
        PromptMemory("m2", "Anna: My sister is called Ruth.", 1.5, "says sister"),
    ),
    turns=(
        PromptTurn("T1", "narrator", "Narrator", False, "Rain runs down the glass."),
        PromptTurn("T2", "you:anna", "Anna", True, '*sits* "Is it always this loud?"'),
        PromptTurn("T3", "bot:mira", "Mira", False, '"Only when it rains."'),
        PromptTurn("T4", "bot:tom", "Old Tom", False, '"Or blows."'),
    ),
    player_words='"Have you seen my key?"',
    withheld=(("turn T0", "Mira was not there"),),
    summaries=(
        PromptMemory("01SCENE", "Anna arrived by boat and could not find the stairs.", 0.0, "a scene"),
    ),
)
