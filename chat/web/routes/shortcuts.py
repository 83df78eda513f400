"""The keys of the program, and which of them sends a turn. The choice belongs to a browser, like its colours."""

from __future__ import annotations

from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from chat.domain.segments import closing
from chat.web.forms import read_fields
from chat.web.pages import SEND_KEYS, engine_of, json_response, page, see_other, send_key_of, wants_json

router = APIRouter()
_YEAR_S = 31_536_000


class Group(NamedTuple):
    name: str
    rows: tuple[tuple[tuple[str, ...], str], ...]


_SENDS = {
    "ctrl-enter": ((("Ctrl", "Enter"), "Send your turn"), (("Enter",), "A new line")),
    "enter": ((("Enter",), "Send your turn"), (("Shift", "Enter"), "A new line")),
}
_WRITING = (
    (("/narrate", "…"), "Direct the next reply; nobody in the story hears it"),
    (("/whisper", "Name", "…"), "Whisper to one of those present"),
    (("/think", "…"), "A thought nobody else hears"),
)
_STORY = (
    (("Ctrl", "Z"), "Undo the last action (outside of a text box)"),
    (("Ctrl", "Shift", "Z"), "Do it again"),
    (("←", "→"), "Earlier or later wording of the last reply, from an empty box, the reply or no box at all"),
    (("Escape",), "Leave what you are editing, close the drawer, stop the reply: whichever is nearest"),
    (("?",), "This page; Escape leads back to the story"),
)


@router.get("/shortcuts")
async def get_shortcuts(request: Request, kept: str = "") -> Response:
    """Every key there is, and the choice of what sends a turn; `kept` says that it was just saved."""
    chosen = send_key_of(request)
    marker = engine_of(request).settings.ooc_marker
    aside = ((marker, "…", closing(marker)), "An aside that no bot and no model sees")
    groups = (Group("Writing", (*_SENDS[chosen], *_WRITING, aside)), Group("The story", _STORY))
    if wants_json(request):
        told = [
            {"group": group.name, "keys": list(keys), "what": what}
            for group in groups
            for keys, what in group.rows
        ]
        return json_response({"shortcuts": told, "send_key": chosen})
    view = {"groups": groups, "send_keys": tuple(SEND_KEYS.items()), "kept": kept}
    return await page(request, "pages/shortcuts.html", view)


@router.post("/shortcuts")
async def post_shortcuts(request: Request) -> Response:
    """Chooses what sends a turn (`send_key`: ctrl-enter or enter), for this browser."""
    fields = await read_fields(request)
    chosen = fields.choice("send_key", tuple(SEND_KEYS))
    response = see_other(request, "/shortcuts?kept=on#send-key", send_key=chosen)
    response.set_cookie("send_key", chosen, max_age=_YEAR_S, httponly=True, samesite="strict")
    return response
