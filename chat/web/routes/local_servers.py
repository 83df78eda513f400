"""Model servers that run on this machine: what was found, and playing with one at a press.

Only what the list of usual addresses names can be chosen here, so nothing a page sends decides where words go.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from chat.engine.local_servers import LocalServer
from chat.errors import Refused
from chat.settings import ConnectionUpdate
from chat.web.forms import read_fields
from chat.web.pages import engine_of, is_htmx, json_response, part, see_other, wants_json
from chat.web.routes.settings import settings_page

router = APIRouter()
PLACES = ("settings", "chats")
"""The pages that offer a server; where a choice leads back to."""


@router.get("/settings/local")
async def get_local(request: Request, back: str = "settings") -> Response:
    """Looks for model servers on the usual ports of this machine, for a second and a half at most."""
    engine = engine_of(request)
    found = await engine.local_servers.find()
    if wants_json(request):
        return json_response({"servers": [_as_json(server) for server in found]})
    view = offered(found, engine.settings.connection.base_url, back)
    if is_htmx(request):
        return part(request, ("_local_servers.html", {"local": view}))
    return await settings_page(request, local=view)


@router.post("/settings/local")
async def post_local(request: Request) -> Response:
    """Plays with a server that was found (`base_url`) and one of its models (`model`)."""
    engine, fields = engine_of(request), await read_fields(request)
    wanted = fields.line("base_url")
    if wanted not in {preset.base_url for preset in engine.local_servers.usual}:
        raise Refused("That is none of the servers that were found here.", "Type its address in Settings.")
    found = {server.base_url: server for server in await engine.local_servers.find()}
    models = found[wanted].models if wanted in found else ()
    model = fields.line("model") or (models[0] if models else "")
    await engine.update_connection(
        ConnectionUpdate(base_url=wanted, narrative_model=model, classifier_model="")
    )
    request.app.state.models = list(models)
    back = fields.choice("back", PLACES)
    address = "/chats" if back == "chats" else "/settings#connection"
    return see_other(request, address, base_url=wanted, narrative_model=model)


def offered(found: list[LocalServer] | None, base_url: str, back: str) -> dict[str, Any]:
    """`found` is None before anybody looked; the server that plays already is not offered again."""
    others = [server for server in found if server.base_url != base_url] if found is not None else None
    return {"servers": others, "back": back if back in PLACES else PLACES[0]}


def _as_json(server: LocalServer) -> dict[str, Any]:
    told = {"name": server.name, "base_url": server.base_url, "state": server.state}
    return {**told, "models": list(server.models)}
