"""Small stories as events, for tests that need a log with something in it: two bots, as many chats as wanted."""

from __future__ import annotations

from chat.domain.events import (
    AssistantTurn,
    AssistantTurnStarted,
    BotAuthored,
    BranchForked,
    BranchSelected,
    ChatCreated,
    EdgeUpdate,
    MemoryWritten,
    ModelCallFinished,
    NewEvent,
    UserTurn,
    YouAuthored,
    ledger,
    library,
    story,
)
from chat.domain.segments import Segment

YOU = "you:1"
MIRA, TOMAS = "bot-mira", "bot-tomas"


def cast() -> list[NewEvent]:
    """The player and two bots."""
    return [
        library(YouAuthored(you_id=YOU, name="Ada", pronouns="she/her", persona="A cartographer.")),
        library(
            BotAuthored(bot_id=MIRA, name="Mira", persona="Keeps the lighthouse.", traits=("dry", "kind"))
        ),
        library(BotAuthored(bot_id=TOMAS, name="Tomas", persona="Mends nets.")),
    ]


def chat(chat_id: str, *bots: str, continuity: str = "main") -> list[NewEvent]:
    """A chat whose first branch is `<chat>-1`."""
    created = ChatCreated(
        chat_id=chat_id,
        branch_id=f"{chat_id}-1",
        title=f"Chat {chat_id}",
        bot_ids=bots or (MIRA,),
        you_id=YOU,
        continuity=continuity,
    )
    return [library(created)]


def said(chat_id: str, branch: str, step: int, turn_id: str, text: str, key: str = "") -> list[NewEvent]:
    turn = UserTurn(
        turn_id=turn_id,
        speaker=YOU,
        text=text,
        segments=(Segment("dialogue", text),),
        present=(MIRA, YOU),
        scene_id="",
        at="1887-03-04T18:00:00Z",
        idempotency_key=key,
    )
    return story(chat_id, branch, step, turn)


def began(chat_id: str, branch: str, step: int, turn_id: str, speaker: str = MIRA) -> list[NewEvent]:
    started = AssistantTurnStarted(
        turn_id=turn_id,
        speaker=speaker,
        reply_to=None,
        endpoint="demo",
        model="narrator",
        seed=7,
        prompt_hash="0" * 64,
        manifest={"sections": [{"name": "identity", "tokens": 12}]},
    )
    return story(chat_id, branch, step, started)


def ended(
    chat_id: str, branch: str, step: int, turn_id: str, text: str, speaker: str = MIRA
) -> list[NewEvent]:
    turn = AssistantTurn(
        turn_id=turn_id,
        speaker=speaker,
        text=text,
        segments=(Segment("narration", text),),
        present=(MIRA, YOU),
        scene_id="",
        at="1887-03-04T18:01:00Z",
    )
    return story(chat_id, branch, step, turn)


def remembered(
    chat_id: str,
    branch: str,
    step: int,
    memory_id: str,
    text: str,
    owner: str = MIRA,
    continuity: str = "main",
) -> list[NewEvent]:
    memory = MemoryWritten(
        memory_id=memory_id,
        owner=owner,
        continuity=continuity,
        turn_id="",
        scene_id="",
        text=text,
        witnesses=(MIRA, YOU),
        at="1887-03-04T18:01:00Z",
    )
    return story(chat_id, branch, step, memory)


def felt(
    chat_id: str, branch: str, step: int, delta: int, source: str = MIRA, turn_id: str = ""
) -> list[NewEvent]:
    change = EdgeUpdate(
        source=source, target=YOU, affinity_delta=delta, trust_delta=-delta, reason="because", turn_id=turn_id
    )
    return story(chat_id, branch, step, change)


def called(call_id: str, turn_id: str | None = None, chat_id: str | None = None) -> list[NewEvent]:
    call = ModelCallFinished(
        call_id=call_id,
        chat_id=chat_id,
        turn_id=turn_id,
        purpose="narrate",
        endpoint="demo",
        model_asked="narrator",
        model_answered="narrator",
        attempts=1,
        status="ok",
        stop_cause="stop",
        prompt_tokens=100,
        completion_tokens=20,
        is_estimate=False,
        duration_ms=12.5,
        cost_nano_usd=300,
    )
    return [ledger(call)]


def exchange(chat_id: str, branch: str, step: int, text: str = "The lamp is lit.") -> list[NewEvent]:
    """An entry at `step` and its reply at the next, with what it leaves behind: nine events' worth of a turn."""
    turn, reply = f"{branch}-{step}", f"{branch}-{step + 1}"
    return [
        *said(chat_id, branch, step, turn, f"You ask about it. {text}", key=turn),
        *began(chat_id, branch, step + 1, reply),
        *called(f"call-{reply}", reply, chat_id),
        *ended(chat_id, branch, step + 1, reply, text),
        *remembered(chat_id, branch, step + 1, f"memory-{reply}", text),
        *felt(chat_id, branch, step + 1, 3, turn_id=reply),
    ]


def forked(chat_id: str, branch: str, parent: str, step: int) -> list[NewEvent]:
    """A fork that is selected at once, as every command does it."""
    fork = BranchForked(chat_id=chat_id, branch_id=branch, parent_id=parent, fork_step=step, reason="retry")
    return [library(fork), *selected(chat_id, branch, step, parent)]


def selected(chat_id: str, branch: str, step: int, prior: str) -> list[NewEvent]:
    return [library(BranchSelected(chat_id=chat_id, branch_id=branch, step=step, prior=prior, reason="undo"))]
