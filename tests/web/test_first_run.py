"""The first hour: one press to a story, servers found on this machine, and nothing that is redirected by mistake."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from chat.engine import local_servers
from chat.settings import Preset
from tests.support.dom import parse
from tests.support.peer import Peer
from tests.support.peer_acts import Silence, Status
from tests.support.server import free_port
from tests.web.conftest import HTMX, JSON, KEY, PORT, Visitor


@pytest.fixture
def other() -> Iterator[Peer]:
    with Peer(models=[{"id": "nomic-embed-text"}, {"id": "story-7b"}, {"id": "story-13b"}]) as running:
        yield running


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers is found, however busy the machine is."""
    monkeypatch.setattr(local_servers, "ANSWER_S", 20.0)


def _usual(visitor: Visitor, *addresses: str) -> None:
    """These are the addresses looked at; nothing else of the machine the tests run on is."""
    visitor.engine.local_servers.usual = tuple(
        Preset(f"Server {number}", address) for number, address in enumerate(addresses)
    )
    visitor.engine.local_servers.forget()


def _unused() -> str:
    return f"http://127.0.0.1:{free_port()}/v1"


async def test_one_press_on_the_first_page_begins_a_story_with_the_example(visitor: Visitor) -> None:
    form = (await visitor.get("/chats")).one("section", cls="at-once").one("form")
    fields = {"action": "begin", "draft_id": form.value_of("draft_id")}
    first = await visitor.post(form.attrs["action"], **fields)
    again = await visitor.post(form.attrs["action"], **fields)
    assert first.status_code == 303
    assert first.headers["location"] == again.headers["location"] == f"/chats/{fields['draft_id']}"
    story = await visitor.json(first.headers["location"])
    assert story["turns"][0]["text"]
    assert [bot["name"] for bot in story["bots"]] == ["Mira Vale"]
    assert len((await visitor.json("/chats"))["chats"]) == 1
    assert not (await visitor.get("/settings")).all(cls="first-steps")


async def test_an_opening_that_cannot_be_read_leads_to_its_fields(connected: Visitor, peer: Peer) -> None:
    peer.script(Status(500), Status(500), Status(500), Status(500), on="KickoffAnswer")
    bot = (await connected.json("/bots"))["bots"][0]["id"]
    answer = await connected.post(f"/bots/{bot}/kickoff", action="begin")
    assert answer.headers["location"] == f"/bots/{bot}/kickoff"
    page = await connected.get(f"/bots/{bot}/kickoff")
    assert page.all("p", cls="notice")
    assert (await connected.json("/chats"))["chats"] == []


async def test_a_bot_without_an_opening_leads_to_one(visitor: Visitor) -> None:
    bot = await visitor.bot(name="Nobody yet")
    answer = await visitor.post(f"/bots/{bot}/kickoff", JSON, action="begin")
    assert answer.json()["location"] == f"/bots/{bot}/kickoff"


async def test_the_first_pages_lead_from_settings_to_the_opening_until_there_is_a_story(
    visitor: Visitor,
) -> None:
    bot = (await visitor.json("/bots"))["bots"][0]["id"]
    for address, here in (
        ("/settings", "Who you are"),
        ("/bots/new", "Who you meet"),
        (f"/bots/{bot}/kickoff", "The opening"),
    ):
        steps = (await visitor.get(address)).one("nav", cls="first-steps")
        assert steps.one(cls="here").text == here
    await visitor.chat()
    assert not (await visitor.get("/bots/new")).all(cls="first-steps")


async def test_nothing_but_the_start_is_ever_redirected_on_the_first_day(visitor: Visitor) -> None:
    asset = (await visitor.get("/chats")).one("link", rel="stylesheet").attrs["href"]
    for path, kind in (
        ("/health", "text/html"),
        ("/ready", "application/json"),
        ("/metrics", "text/plain"),
        (asset, "text/css"),
        ("/rail", "text/html"),
        ("/settings/models", "text/html"),
        ("/chats/new", "text/html"),
    ):
        answer = await visitor.client.get(path, headers={"Accept": kind, "HX-Request": "true"})
        assert answer.status_code == 200, path
        assert answer.headers["content-type"].startswith(kind), path
        assert "location" not in answer.headers, path


async def test_the_live_stream_and_what_htmx_fetches_are_answered_before_there_is_any_story(
    visitor: Visitor,
) -> None:
    for path in ("/events", "/events?chat=one-that-is-gone"):
        status, headers, began = await first_words(visitor, path)
        assert (status, headers["content-type"].partition(";")[0]) == (200, "text/event-stream"), path
        assert "location" not in headers, path
        assert began.startswith(b":"), path
    chat_id = await visitor.chat()
    for path in (f"/events?chat={chat_id}", f"/chats/{chat_id}/events"):
        status, headers, began = await first_words(visitor, path)
        assert (status, headers["content-type"].partition(";")[0]) == (200, "text/event-stream"), path
        assert b"event: snapshot" in began, path


async def first_words(visitor: Visitor, path: str) -> tuple[int, dict[str, str], bytes]:
    """How a stream begins: it has no end, so whoever listens goes away after its first piece."""
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    target, _, query = path.partition("?")
    named = {"host": f"127.0.0.1:{PORT}", "accept": "text/event-stream", "hx-request": "true"}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": target,
        "raw_path": target.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", PORT),
    }
    listening = asyncio.create_task(visitor.app(scope, receive, told.put))
    async with asyncio.timeout(20):
        start, piece = await told.get(), await told.get()
        gone.set()
        await listening
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, piece["body"]


async def test_servers_on_this_machine_are_found_offered_and_played_with_at_a_press(
    visitor: Visitor, other: Peer
) -> None:
    _usual(visitor, _unused(), other.base_url)
    page = await visitor.get("/chats")
    assert page.by_id("local-servers").attrs["hx-get"] == "/settings/local?back=chats"
    assert other.requests == [], "a page never waits for the look"
    fragment = await visitor.get("/settings/local?back=chats", **HTMX)
    (form,) = fragment.all("form")
    assert [option.text for option in form.all("option")] == ["story-7b", "story-13b"]
    fields = {"base_url": form.value_of("base_url"), "back": form.value_of("back"), "model": "story-13b"}
    answer = await visitor.post("/settings/local", **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/chats")
    connection = visitor.engine.settings.connection
    assert (connection.base_url, connection.narrative_model) == (other.base_url, "story-13b")
    assert not (await visitor.json("/settings"))["connection"]["is_demo"]


async def test_a_look_sends_no_key_and_skips_this_program(connected: Visitor, other: Peer) -> None:
    own = f"http://127.0.0.1:{connected.engine.settings.port}/v1"
    demo = connected.engine.demo.base_url
    _usual(connected, own, demo, other.base_url)
    found = (await connected.json("/settings/local"))["servers"]
    assert [server["base_url"] for server in found] == [other.base_url]
    assert all("authorization" not in request.headers for request in other.requests)
    assert KEY not in str([request.headers for request in other.requests])


async def test_a_server_that_wants_a_key_loads_or_hangs_is_told_apart(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_servers, "ANSWER_S", 4.0)
    loading = Status(503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}})
    with Peer() as locked, Peer() as busy, Peer() as silent:
        locked.script(Status(401), on="/v1/models")
        busy.script(loading, on="/v1/models")
        silent.script(Silence(), on="/v1/models")
        _usual(visitor, locked.base_url, busy.base_url, silent.base_url)
        found = (await visitor.json("/settings/local"))["servers"]
    assert [(one["name"], one["state"]) for one in found] == [
        ("Server 0", "wants_key"),
        ("Server 1", "loading"),
    ]


async def test_only_the_usual_addresses_can_be_chosen(visitor: Visitor, other: Peer) -> None:
    _usual(visitor, _unused())
    answer = await visitor.post("/settings/local", JSON, base_url=other.base_url)
    assert answer.status_code == 422
    assert visitor.engine.settings.connection.is_demo
    foreign = {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}
    answer = await visitor.post("/settings/local", foreign, base_url=other.base_url)
    assert answer.status_code == 403


async def test_without_script_the_settings_page_itself_shows_what_was_found(
    visitor: Visitor, other: Peer
) -> None:
    _usual(visitor, other.base_url)
    link = (await visitor.get("/settings")).by_id("local-servers").one("a").attrs["href"]
    answer = await visitor.client.get(link)
    page = parse(answer.text)
    assert page.one("h1").text == "Settings"
    assert page.by_id("local-servers").all("form", action="/settings/local")
