"""Every address that shows words of a person or of a model: pages, and the parts that stand in for pieces of them."""

from __future__ import annotations

from tests.web.conftest import JSON, Visitor


async def pages(visitor: Visitor, chat_id: str, turn_id: str) -> list[str]:
    """All pages about this chat, its bot, its player and what lies beside them."""
    library, chat = visitor.engine.store.library, f"/chats/{chat_id}"
    about = library.chats[chat_id]
    bot, backups = f"/bots/{about.bot_ids[0]}", (await visitor.json("/backups"))["backups"]
    return [
        "/chats",
        "/chats/new",
        "/bots",
        *(f"{bot}{part}" for part in ("", "?kept=1", "?reset=2", "/kickoff", "/reset", "/delete")),
        "/settings",
        "/settings/local",
        f"/settings/personas/{about.you_id}/delete",
        "/shortcuts",
        "/health",
        "/backups",
        *(f"/backups/{one['name']}/restore" for one in backups[:1]),
        chat,
        f"{chat}?drawer=1",
        f"{chat}?went=undo",
        f"{chat}/delete",
        f"{chat}/map",
        f"{chat}/map?branch={about.branch_id}&step=2",
        f"{chat}/turns/{turn_id}/edit",
        f"{chat}/turns/{turn_id}/rewind",
    ]


def parts(chat_id: str, bot_id: str, turn_id: str) -> list[str]:
    """What htmx asks for."""
    names = (
        "transcript",
        "status",
        "drawer",
        "draft",
        "steps",
        "notice",
        "map",
        f"turns/{turn_id}",
        f"turns/{turn_id}/edit",
        f"turns/{turn_id}/rewind",
        f"parts?turn={turn_id}&part=rail&part=steps&part=status",
    )
    beside = ["/rail", "/settings/models", "/settings/local", f"/bots/{bot_id}/state?on=author"]
    return [f"/chats/{chat_id}/{name}" for name in names] + beside


async def note(visitor: Visitor, chat_id: str, text: str) -> None:
    """The author's note of a chat, changed in the drawer."""
    editable = (await visitor.json(f"/chats/{chat_id}/drawer"))["editable"]
    one = next(one for one in editable if one["what"] == "note")
    answer = await visitor.post(
        f"/chats/{chat_id}/drawer/note/-", JSON, revision=str(one["revision"]), words=text, stands="last"
    )
    assert answer.status_code == 200, answer.text
