"""The story as a file to keep, in Markdown and in JSON, streamed as it is read."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from chat.interop.transcripts import FORMATS, file_name
from chat.web.downloads import attachment
from chat.web.pages import engine_of

router = APIRouter()


@router.get("/chats/{chat_id}/transcript.md")
async def get_markdown(request: Request, chat_id: str) -> Response:
    """The visible line of the story as a Markdown file: what was said, where and when; no prompt and no notes."""
    return _file(request, chat_id, 0)


@router.get("/chats/{chat_id}/transcript.json")
async def get_json(request: Request, chat_id: str) -> Response:
    """The same as a JSON file, a turn on each line."""
    return _file(request, chat_id, 1)


def _file(request: Request, chat_id: str, number: int) -> Response:
    engine, how = engine_of(request), FORMATS[number]
    pieces = engine.transcript(chat_id, how)
    name = file_name(engine.store.library.chats[chat_id].title, how.suffix)
    headers = {"Content-Disposition": attachment(name), "Cache-Control": "no-store"}
    return StreamingResponse(pieces, media_type=how.media_type, headers=headers)
