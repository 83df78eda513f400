"""The nine reasons a run can end for, each with the sentence the player reads and what to do next."""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    message: str
    next_step: str


STOP_REASONS: dict[str, Reason] = {
    "complete": Reason("The reply is complete.", "It is your turn."),
    "repeated_failure": Reason("The same step failed several times.", "Look at the error, then retry."),
    "no_progress": Reason("Nothing changed for several steps.", "Retry, or say it in another way."),
    "tool_loop": Reason("One step was repeated over and over.", "Retry, or say it in another way."),
    "waiting_approval": Reason("A change waits for your decision.", "Accept or dismiss it."),
    "user_stop": Reason(
        "You stopped the reply; what had arrived is kept.", "Go on writing, or retry the reply."
    ),
    "budget_exceeded": Reason(
        "A limit of this run was reached; what had arrived is kept.", "Raise it, or go on."
    ),
    "guardrail_triggered": Reason("A guardrail ended the reply.", "Retry, or say it in another way."),
    "error": Reason("The reply could not be finished; your words are kept.", "Retry the reply."),
}

INTERRUPTED = Reason(
    "The program stopped while this reply was being written.", "Retry the reply, or go on from here."
)
INTERNAL = Reason(
    "Something in the program went wrong while this reply was being written.", "Retry the reply."
)
