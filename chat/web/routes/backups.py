"""Backups: what there is, one more now, and the way back to one. Names are looked up in the listing, nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from chat.engine.backup_facts import ago, backup_facts, restore_facts, size_of, when, why
from chat.engine.engine import Engine
from chat.errors import BackupRunning, TurnRunning
from chat.store.backup_folder import Backup
from chat.web.failures import Notice, status_of
from chat.web.forms import read_fields
from chat.web.pages import engine_of, json_response, page, part, see_other, wants_json
from chat.web.routes.reset import stop_replies

router = APIRouter()
SOON_S = 1.5
"""A page waits this long for a backup to be done before it shows how far it is."""


@router.get("/backups")
async def get_backups(request: Request) -> Response:
    """Every backup, the newest first: age, size, what it holds, and whether it was tried out."""
    engine = engine_of(request)
    found = await engine.backups.all()
    now, outdated = engine.clock.now(), await engine.backups.outdated(found)
    if wants_json(request):
        told = [{**backup_facts(one, now), "holds_deleted": one.name in outdated} for one in found]
        return json_response({"backups": told, "stage": engine.backups.stage, "folder": _folder(engine)})
    view = {
        "backups": [_shown(engine, one) | {"holds_deleted": one.name in outdated} for one in found],
        "stage": engine.backups.stage,
        "folder": _folder(engine),
        "notice": Notice.of(problem) if (problem := engine.backups.problem) else None,
    }
    return await page(request, "pages/backups.html", view)


@router.post("/backups")
async def post_backups(request: Request) -> Response:
    """Backs up every story now. A script is answered when it is done, a page as soon as it shows how far it is."""
    engine = engine_of(request)
    making = asyncio.ensure_future(engine.backups.make())
    if wants_json(request):
        made = await making
        return json_response({"backup": backup_facts(made, engine.clock.now()), "location": "/backups"})
    done, _ = await asyncio.wait({making}, timeout=SOON_S)
    if not done:
        making.add_done_callback(_looked_at)
    elif isinstance(problem := making.exception(), BackupRunning):
        raise problem
    return see_other(request, "/backups")


@router.get("/backups/progress")
async def get_progress(request: Request) -> Response:
    """What is being done at this moment; leads to the list when nothing is."""
    stage = engine_of(request).backups.stage
    if wants_json(request):
        return json_response({"stage": stage})
    if stage:
        return part(request, ("_backup_progress.html", {"stage": stage}))
    return see_other(request, "/backups")


@router.get("/backups/{name}/restore")
async def get_restore(request: Request, name: str) -> Response:
    """What going back to a backup would change, chat by chat; it is checked in full first."""
    if wants_json(request):
        return json_response(restore_facts(await engine_of(request).backups.preview(name)))
    return await _question(request, name)


@router.post("/backups/{name}/restore")
async def post_restore(request: Request, name: str) -> Response:
    """Goes back to a backup without a restart; what was there before is backed up first, so this can be undone.

    With `stop` a reply that is being written anywhere is stopped first.
    """
    engine = engine_of(request)
    if (await read_fields(request)).flag("stop"):
        await stop_replies(request, [run.chat_id for run in engine.runs.all()])
    try:
        done = await engine.backups.restore(name)
    except TurnRunning as error:
        if wants_json(request):
            raise
        return await _question(request, name, Notice.of(error), status_of(error))
    told = restore_facts(done.preview) | {"safety": done.safety, "old_files": done.old_files}
    if wants_json(request):
        return json_response({**told, "location": "/chats"})
    view = {"restored": told, "backup": _shown(engine_of(request), done.preview.backup)}
    return await page(request, "pages/restored.html", view)


async def _question(request: Request, name: str, notice: Notice | None = None, status: int = 200) -> Response:
    """What would change, and the button; while replies are being written it stops them first."""
    engine = engine_of(request)
    seen = await engine.backups.preview(name)
    view = {"backup": _shown(engine, seen.backup), "seen": restore_facts(seen), "notice": notice}
    return await page(
        request, "pages/restore.html", view | {"running": len(engine.runs.all())}, status=status
    )


def _shown(engine: Engine, one: Backup) -> dict[str, Any]:
    """A backup in words."""
    facts = backup_facts(one, engine.clock.now())
    made_at = when(one)
    holds = f"{facts['events']:,} events, {_count(facts['chats'], 'chat')}, {_count(facts['bots'], 'bot')}"
    return {
        "name": one.name,
        "made_at": f"{engine.clock.local(made_at):%A, %d %B %Y, %H:%M}" if made_at else one.name,
        "age": ago(facts["age_s"]),
        "size": size_of(one.size),
        "holds": holds if one.manifest and one.manifest.verified else "contents not known",
        "is_verified": one.is_verified,
        "why": why(facts["reason"]),
    }


def _count(number: int | None, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number or 0:,} {what}s"


def _folder(engine: Engine) -> str:
    return str(engine.settings.backups_dir)


def _looked_at(making: asyncio.Future[Backup]) -> None:
    """What went wrong stands on the list; here it is only taken note of."""
    if not making.cancelled():
        making.exception()
