"""From kickoff prose to a story: read once by the model when posted, kept as a draft, confirmed in one command.

A model that fails costs nothing here: the draft stands with plain defaults and says what went wrong.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from chat.domain import kickoff
from chat.domain.bots import Bot
from chat.domain.events import NewEvent, ledger
from chat.domain.kickoff import ActivityDraft, Feeling, KickoffDraft
from chat.domain.library import Library
from chat.domain.people import Person
from chat.domain.turns import check_text
from chat.engine.calls import call_finished
from chat.errors import ChatError, NotFound, Refused
from chat.llm.calls import ClassifyRequest
from chat.llm.structured import CallLog
from chat.prompts.answers import ActivityAnswer, KickoffAnswer
from chat.prompts.kickoff import kickoff_messages
from chat.store import views
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine

ANSWER_TOKENS = 700
KICKOFF_CHARS = 16_000
_ULID = re.compile("[0-9A-HJKMNP-TV-Z]{26}")


class _Read(msgspec.Struct, frozen=True):
    """What the model made of the prose; `note` says so when it made nothing of it."""

    answer: KickoffAnswer
    note: str


def draft_key(bot_id: str) -> str:
    return f"kickoff:{bot_id}"


async def parse(
    engine: Engine, bot_id: str, prose: str, you_id: str | None = None, draft_id: str = ""
) -> KickoffDraft:
    """Read the prose once and keep what came of it as the bot's draft; every field can be changed afterwards.

    `draft_id` names the chat to be, where it is an id.
    """
    text = _checked("prose", prose)
    bot, you = _people(engine.store.library, bot_id, you_id)
    plain = _draft(engine, bot, you, text, await _ask(engine, bot, you, text))
    if _ULID.fullmatch(draft_id):
        plain = msgspec.structs.replace(plain, draft_id=draft_id)
    while True:  # until nothing was deleted for good between reading what is carried over and keeping it
        read_at = engine.store.head
        draft = await _carried_over(engine, plain)
        if await engine.store.save_draft(draft_key(bot_id), _encoded(draft), read_at=read_at):
            return draft


async def parse_own(engine: Engine, bot_id: str, draft_id: str = "") -> KickoffDraft | None:
    """Read the opening that was written with the bot; None where there is none."""
    bot, _ = _people(engine.store.library, bot_id, None)
    if not bot.kickoff_prose.strip():
        return None
    return await parse(engine, bot_id, bot.kickoff_prose, None, draft_id)


async def current(engine: Engine, bot_id: str) -> KickoffDraft | None:
    """The kept draft of a bot, None when there is none."""
    async with engine.store.reading() as reader:
        body = await views.draft(reader, draft_key(bot_id))
    return msgspec.json.decode(body, type=KickoffDraft) if body else None


async def save(engine: Engine, draft: KickoffDraft) -> None:
    await engine.store.save_draft(draft_key(draft.bot_id), _encoded(draft))


async def confirm(engine: Engine, draft: KickoffDraft) -> tuple[str, bool]:
    """Make the chat and everything it starts with in one transaction. Returns its id, and whether it is new.

    Raises NotFound. The id is the draft's own, so that a double click makes one, unless a chat that was deleted had it.
    """
    if draft.opening.strip():
        _checked("opening", draft.opening)
    made: list[str] = []

    def confirmed(state: State) -> list[NewEvent]:
        if draft.draft_id in state.library.chats:
            made.append(draft.draft_id)
            return []
        bot, you = _people(state.library, draft.bot_id, draft.you_id)
        names = {bot.name: bot.id, you.name: you.id}
        earlier = state.world(draft.source_chat_id) if draft.source_chat_id in state.library.chats else None
        fresh = draft if earlier else draft.left_alone()
        fresh = msgspec.structs.replace(fresh, draft_id="") if state.is_used(draft.draft_id) else fresh
        marked = engine.settings.ooc_marker
        started = kickoff.confirm(fresh, bot, names, engine.clock.new_id, earlier, marked)
        made.append(started.chat_id)
        return started.events

    commit = await engine.store.execute(confirmed, drop_draft=draft_key(draft.bot_id))
    return made[0], bool(commit.events)


def _encoded(draft: KickoffDraft) -> str:
    return msgspec.json.encode(draft).decode()


def _checked(field: str, text: str) -> str:
    """The words of a field of the form, tidied. A refusal names the field."""
    try:
        return check_text(text, KICKOFF_CHARS, "an opening")
    except Refused as refused:
        refused.field = field
        raise


async def _carried_over(engine: Engine, draft: KickoffDraft) -> KickoffDraft:
    """The draft with what the bot felt when it last met this player in the shared continuity, if it has."""
    chats = engine.store.library.chats.values()
    met = [one.id for one in chats if draft.bot_id in one.bot_ids and one.continuity == "main"]
    async with engine.store.reading() as reader:
        latest = await views.latest_chat(reader, met)
        edge = (await views.world(reader, latest)).edges.get((draft.bot_id, draft.you_id)) if latest else None
    if latest is None or edge is None:
        return draft
    carried = Feeling(affinity=edge.affinity, trust=edge.trust, summary=edge.summary, facts=edge.facts)
    return draft.felt(carried, carried_from=latest, carried=carried, fresh=draft.feeling)


def _people(library: Library, bot_id: str, you_id: str | None) -> tuple[Bot, Person]:
    bot = library.bots.get(bot_id)
    you = library.people.get(you_id) if you_id else library.default_person()
    if bot is None or you is None:
        raise NotFound("There is no such bot." if bot is None else "There is no such persona.")
    return bot, you


async def _ask(engine: Engine, bot: Bot, you: Person, prose: str) -> _Read:
    request = ClassifyRequest(
        purpose="kickoff",
        model=engine.classifier_model(),
        messages=kickoff_messages(bot_name=bot.name, you_name=you.name, prose=prose),
        answer=KickoffAnswer,
        default=KickoffAnswer(),
        max_tokens=ANSWER_TOKENS,
        between_tokens_s=engine.settings.timeouts.classifier_s,
        first_token_s=engine.settings.timeouts.first_token_s,
    )
    calls = CallLog()
    try:
        classified = await engine.gateway.classify(engine.endpoint(), request, calls)
    except ChatError as problem:
        return _Read(
            KickoffAnswer(),
            f"{problem.message} {problem.next_step} You can also fill in the fields yourself.",
        )
    finally:
        spent = [call_finished(record, engine.clock.new_id(), None) for record in calls.records]
        await engine.store.execute(lambda state: [ledger(record) for record in spent])
    note = (
        ""
        if not classified.defaulted
        else "The model could not make sense of this. Fill in the fields yourself."
    )
    return _Read(classified.answer, note)


def _draft(engine: Engine, bot: Bot, you: Person, prose: str, read: _Read) -> KickoffDraft:
    answer = read.answer
    return KickoffDraft(
        draft_id=engine.clock.new_id(),
        bot_id=bot.id,
        you_id=you.id,
        title=f"{bot.name}, {answer.place.name}" if answer.place.name else bot.name,
        prose=prose,
        place_name=answer.place.name or "somewhere",
        place_type=answer.place.type or "place",
        is_moving=answer.place.moving,
        is_public=answer.place.public,
        audible_range=answer.place.audible_range,
        start_at=_start_at(answer.start_time, engine.clock.now()),
        you=_activity(answer.you),
        bot=_activity(answer.bot),
        affinity=answer.affinity,
        trust=answer.trust,
        feeling_summary=answer.feeling_summary or bot.initial_relationship_to_you,
        facts=tuple(answer.facts),
        opening=answer.opening.strip() or prose,
        note=read.note,
    )


def _activity(answer: ActivityAnswer) -> ActivityDraft:
    return ActivityDraft(
        posture=answer.posture,
        action=answer.action,
        attention=answer.attention,
        holding=tuple(answer.holding),
        is_interruptible=answer.interruptible,
        required_attention=answer.required_attention,
        expected_minutes=answer.expected_minutes,
    )


def _start_at(told: str, now: datetime) -> str:
    """Story time as ISO 8601 in UTC. A time of day without a date is today's; nothing usable is this hour."""
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        at = now.replace(minute=0, second=0, microsecond=0)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if not 1 <= at.year <= 9998:
        at = now
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
