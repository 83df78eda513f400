"""Writing personas and bots, and keeping the shelves: rename, archive, restore. Each is one command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from chat.domain import bots, chats, people
from chat.domain.bots import Bot
from chat.domain.events import BotAuthored, NewEvent, YouAuthored
from chat.domain.people import Person
from chat.domain.turns import check_text
from chat.domain.wording import revision_of
from chat.errors import NotFound, Refused, Stale, TextTooLong
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine

NAME_CHARS = 200
FIELD_CHARS = 32_000


class BotFields(msgspec.Struct, frozen=True, kw_only=True):
    """What the author form holds; voice samples and traits are already split."""

    name: str
    persona: str = ""
    appearance: str = ""
    voice_samples: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    backstory: str = ""
    initial_relationship_to_you: str = ""
    kickoff_prose: str = ""


class YouFields(msgspec.Struct, frozen=True, kw_only=True):
    """One persona of the player."""

    name: str
    pronouns: str = ""
    persona: str = ""
    appearance: str = ""
    is_default: bool = True


BOT_WORDS = BotFields.__struct_fields__
YOU_WORDS = tuple(name for name in YouFields.__struct_fields__ if name != "is_default")
"""What a form is about. Which persona is the default changes with another one's form."""

EXAMPLE_YOU = YouFields(name="You")
EXAMPLE_BOT = BotFields(
    name="Mira Vale",
    persona=(
        "Keeper of a lighthouse that no ship needs any more. Forty, dry-humoured, observant, slow to trust and "
        "impossible to hurry. She mends clocks for the village and reads other people's letters only when asked. "
        "She answers questions with a detail first and the answer second."
    ),
    appearance="Tall, grey-streaked braid, oil-stained cuffs, a burn scar across the left palm.",
    voice_samples=(
        '"You can sit. The chair bites less than it looks."',
        "*She turns the lamp down a finger's breadth.* \"There. Now we can both pretend it's late.\"",
        '"I don\'t mind the rain. It keeps the curious ones honest."',
    ),
    traits=("patient", "wry", "proud of small repairs", "afraid of being pitied"),
    backstory=(
        "Her brother took the boat out on a calm evening six years ago and did not come back. She kept the light on "
        "for a year after the order came to put it out. She has never told anyone what she saw from the gallery."
    ),
    initial_relationship_to_you="A stranger who came up the cliff path in bad weather and knocked.",
    kickoff_prose=(
        "The lamp room of the lighthouse at Cape Ferrow, a little after nine on a stormy autumn evening. Mira sits at "
        "the workbench with a stopped clock open in front of her, a pair of tweezers in her hand. You stand in the "
        "doorway, soaked, holding a lantern that has just gone out."
    ),
)


async def author_you(engine: Engine, you_id: str | None, fields: YouFields, revision: str = "") -> str:
    """Write a persona (anew when `you_id` is given). Returns its entity id. `revision` as in `author_bot`."""
    _check(msgspec.structs.asdict(fields))
    entity = you_id or people.entity_id(engine.clock.new_id())

    def written(state: State) -> list[NewEvent]:
        if you_id and you_id not in state.library.people:
            raise NotFound("There is no such persona.")
        if you_id:
            _check_seen(state.library.people[you_id], YOU_WORDS, revision)
        return people.author(YouAuthored(you_id=entity, **_tidy(msgspec.structs.asdict(fields))))

    await engine.store.execute(written)
    return entity


async def author_bot(engine: Engine, bot_id: str | None, fields: BotFields, revision: str = "") -> str:
    """Write a bot (anew when `bot_id` is given; its identity and chats stay). Returns its id.

    `revision` names the words the form was opened with (`revision_of`). Raises Stale where others stand there by now;
    without one nothing is compared.
    """
    _check(msgspec.structs.asdict(fields))
    entity = bot_id or engine.clock.new_id()

    def written(state: State) -> list[NewEvent]:
        if bot_id and bot_id not in state.library.bots:
            raise NotFound("There is no such bot.")
        if bot_id:
            _check_seen(state.library.bots[bot_id], BOT_WORDS, revision)
        return bots.author(BotAuthored(bot_id=entity, **_tidy(msgspec.structs.asdict(fields))))

    await engine.store.execute(written)
    return entity


def _check_seen(known: Bot | Person, words: Sequence[str], revision: str) -> None:
    if revision and revision != revision_of(known, words):
        raise Stale(
            "Another tab has saved this form meanwhile.",
            known,
            "Nothing was saved. What you wrote is still here, and what stands there now; save again to keep yours.",
        )


async def archive_bot(engine: Engine, bot_id: str) -> None:
    await engine.store.execute(lambda state: bots.archive(state.library.bots.get(bot_id)))


async def restore_bot(engine: Engine, bot_id: str) -> None:
    await engine.store.execute(lambda state: bots.restore(state.library.bots.get(bot_id)))


async def rename_chat(engine: Engine, chat_id: str, title: str) -> None:
    _check({"name": title})
    await engine.store.execute(lambda state: chats.rename(state.library.chats.get(chat_id), title))


async def play_as(engine: Engine, chat_id: str, you_id: str) -> None:
    def chosen(state: State) -> list[NewEvent]:
        return chats.play_as(state.library.chats.get(chat_id), state.library.people.get(you_id))

    await engine.store.execute(chosen)


async def archive_chat(engine: Engine, chat_id: str) -> None:
    await engine.store.execute(lambda state: chats.archive(state.library.chats.get(chat_id)))


async def restore_chat(engine: Engine, chat_id: str) -> None:
    await engine.store.execute(lambda state: chats.restore(state.library.chats.get(chat_id)))


async def ensure_example(engine: Engine) -> None:
    """An empty library gets one persona and one bot, so that nobody starts before a blank page."""

    def shelved(state: State) -> list[NewEvent]:
        if state.library.people or state.library.bots:
            return []
        you_id, bot_id = people.entity_id(engine.clock.new_id()), engine.clock.new_id()
        you = YouAuthored(you_id=you_id, **msgspec.structs.asdict(EXAMPLE_YOU))
        bot = BotAuthored(bot_id=bot_id, **msgspec.structs.asdict(EXAMPLE_BOT))
        return [*people.author(you), *bots.author(bot)]

    await engine.store.execute(shelved)


def _check(fields: dict[str, Any]) -> None:
    """Refuse what cannot be stored or is far too long; a blank field is fine here."""
    for label, value in fields.items():
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and text.strip():
                _check_words(label, text)


def _check_words(label: str, text: str) -> None:
    try:
        check_text(text, FIELD_CHARS, "one field")
        if label == "name" and len(text) > NAME_CHARS:
            raise TextTooLong(f"A name can have {NAME_CHARS} characters; this one has {len(text):,}.")
    except Refused as refused:
        refused.field = label
        raise


def _tidy(fields: dict[str, Any]) -> dict[str, Any]:
    """Names on one line, line ends as LF; nothing else is changed."""
    tidied = {key: _line_ends(value) for key, value in fields.items()}
    return tidied | {"name": " ".join(str(fields["name"]).split())}


def _line_ends(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(_line_ends(one) for one in value)
    return value.replace("\r\n", "\n").replace("\r", "\n") if isinstance(value, str) else value
