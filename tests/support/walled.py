"""A small app behind the wall, as the tests of the wall need it: a page, actions, data, a file and a stream."""

from __future__ import annotations

from typing import Any

from fastapi import Body, FastAPI, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse

from chat.web.security import SecurityMiddleware
from tests.support.wire import Answer, ask

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BODY_BYTES = 20_000


class World:
    """What the handlers of the app under test saw."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.posted: list[str] = []
        self.ids: list[str] = []


def small_app(world: World) -> SecurityMiddleware:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    add_pages(app, world)
    add_actions(app, world)
    add_data(app, world)
    minted = iter(range(1_000_000))
    return SecurityMiddleware(app, body_bytes=BODY_BYTES, new_id=lambda: f"id{next(minted)}")


def add_pages(app: FastAPI, world: World) -> None:
    @app.get("/")
    async def page(request: Request) -> HTMLResponse:
        world.calls.append("page")
        world.ids.append(request.state.correlation_id)
        too_open = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public", "X-Frame-Options": "ALLOW"}
        return HTMLResponse("<p>hello</p>", headers=too_open)

    @app.get("/away")
    async def away() -> RedirectResponse:
        return RedirectResponse("/", 303)

    @app.get("/broken")
    async def broken() -> Response:
        raise RuntimeError("broken on purpose")


def add_actions(app: FastAPI, world: World) -> None:
    @app.post("/chats/1/turns")
    async def turn(prose: str = Form()) -> dict[str, str]:
        world.calls.append("turn")
        world.posted.append(prose)
        return {"turn_id": "1"}

    @app.post("/chats/1/turns/1/stop")
    async def stop() -> dict[str, str]:
        world.calls.append("stop")
        return {}

    @app.put("/chats/1/draft")
    async def draft(text: str = Body(embed=True)) -> dict[str, str]:
        world.calls.append("draft")
        return {}


def add_data(app: FastAPI, world: World) -> None:
    @app.get("/chats/1/export.json")
    async def export() -> JSONResponse:
        world.calls.append("export")
        return JSONResponse({"secret": "story"})

    @app.get("/static/app.css")
    async def static() -> Response:
        world.calls.append("static")
        return Response(
            "body{}", headers={"Cache-Control": "public, max-age=31536000"}, media_type="text/css"
        )

    @app.get("/whoami")
    async def whoami(request: Request) -> dict[str, Any]:
        client = request.client.host if request.client else ""
        return {"client": client, "scheme": request.url.scheme, "base": str(request.base_url)}

    @app.get("/chats/1/events")
    async def events() -> StreamingResponse:
        world.calls.append("events")

        async def frames() -> Any:
            for number in range(3):
                yield f"data: {number}\n\n"

        return StreamingResponse(frames(), media_type="text/event-stream")


def post(
    port: int, headers: dict[str, str], body: bytes = b"prose=hello", path: str = "/chats/1/turns"
) -> Answer:
    return ask(port, "POST", path, {**FORM, **headers}, body)


def own(port: int, **more: str) -> dict[str, str]:
    """What a browser sends with a form of our own page."""
    return {"Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin", **more}
