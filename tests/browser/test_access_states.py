"""What only some have before them can be used by everyone too: waits, drafts, what was found, and what went wrong."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from chat.app import Server, create_app
from chat.errors import EventsLost
from chat.settings import Preset, load_settings
from chat.web.wire import server_config
from tests.browser import desk
from tests.browser.test_access import findings_of
from tests.support.peer import Peer
from tests.support.peer_acts import Reply, Status
from tests.support.watch import Watch
from tests.web.conftest import Visitor


class Within(Server):
    """The program's own server, in the process of the tests: its signals stay where they are."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path, peer: Peer, watch: Watch) -> AsyncIterator[Visitor]:
    """The program where a test can hold it in a state that passes by, on the port a browser asks for."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        connection = {"base_url": peer.base_url, "narrative_model": "peer-model"}
        app = create_app(load_settings(data_dir=tmp_path / "data", connection=connection), port=port)
        server = Within(server_config(app, lifespan="off"), app, lambda: None)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app=app), base_url=f"http://127.0.0.1:{port}"
            ) as client,
        ):
            serving = asyncio.create_task(server.serve([listener]))
            yield Visitor(app, client)
            watch.is_watching = False
            server.should_exit = True
            await serving


async def shown(page: Page, site: Visitor, path: str, state: str) -> None:
    await page.goto(f"{site.client.base_url}{path}")
    await expect(page.locator(state).first).to_be_visible()


async def found_on_this_machine(page: Page, site: Visitor) -> dict[str, Any]:
    """One that plays, one that is still loading, one that wants a key; and what a test of the connection found."""
    local = site.engine.local_servers
    with Peer(models=[{"id": "story-7b"}, {"id": "story-13b"}]) as ready, Peer() as slow, Peer() as locked:
        slow.script(*[Status(503, {"error": {"message": "Loading model"}})] * 4, on="/v1/models")
        locked.script(*[Status(401)] * 4, on="/v1/models")
        local.usual = tuple(
            Preset(f"Server {number}", one.base_url) for number, one in enumerate((ready, slow, locked))
        )
        local.forget()
        await page.goto(f"{site.client.base_url}/settings")
        await page.get_by_role("button", name="Save and test").click()
        await expect(page.get_by_role("list", name="What works")).to_be_visible()
        await expect(page.locator(".found-servers li")).to_have_count(3)
        return {"what a test of the connection found": await findings_of(page)}


async def refused_fields(page: Page) -> dict[str, Any]:
    await page.locator("#base_url").fill("ftp://nowhere")
    await page.get_by_role("button", name="Save", exact=True).last.click()
    await expect(page.locator("#wrong-base_url")).to_be_visible()
    return {"a field that was refused": await findings_of(page)}


async def waits_of_a_story(page: Page, site: Visitor, peer: Peer, chat: str) -> dict[str, Any]:
    findings = {}
    await page.goto(f"{site.client.base_url}/chats/{chat}")
    peer.script(Status(429, retry_after="20"), Status(429, retry_after="590"), Status(429, retry_after="580"))
    await desk.say(page, "Do you hear me?")
    await expect(page.locator("#status .countdown")).to_be_visible()
    findings["a reply that is asked for again"] = await findings_of(page)
    await page.get_by_role("button", name="Stop").click()
    await page.get_by_role("button", name="Retry").click()
    await expect(page.locator(".face .countdown")).to_be_visible()
    findings["too many requests"] = await findings_of(page)
    await desk.say(page, "And now?")
    await expect(page.locator(".face .countdown")).to_have_count(2)
    findings["two replies that failed"] = await findings_of(page)
    return findings


async def a_draft(page: Page, peer: Peer) -> dict[str, Any]:
    rest = threading.Event()
    peer.script(Reply("I knock twice.", rest=rest))
    await page.get_by_role("button", name="Draft for me").click()
    await expect(page.locator("#status[data-draft]")).to_be_visible()
    findings = {"a draft being written": await findings_of(page)}
    rest.set()
    await expect(page.locator(desk.BOX)).to_have_value("I knock twice.")
    return findings


async def work_that_takes_long(page: Page, site: Visitor) -> dict[str, Any]:
    findings = {}
    for path, worker in (("/backups", site.engine.backups), ("/deleting", site.engine.erasing)):
        worker.stage = "checking what was written"
        await shown(page, site, path, "[role=status]")
        findings[f"{path} at work"] = await findings_of(page)
        worker.stage = ""
        await expect(page.locator("[role=status]")).to_have_count(0)
    return findings


async def what_was_deleted(page: Page, site: Visitor, chat: str) -> dict[str, Any]:
    title = (await site.json(f"/chats/{chat}"))["title"]
    await page.goto(f"{site.client.base_url}/chats/{chat}/delete")
    await page.get_by_label("Type the title to go on").fill("Something else")
    await page.get_by_role("button", name="Delete for good").click()
    await expect(page.locator("#wrong-name")).to_be_visible()
    findings = {"a deletion whose title is wrong": await findings_of(page)}
    await page.get_by_label("Type the title to go on").fill(title)
    await page.get_by_role("button", name="Delete for good").click()
    await expect(page.get_by_text("The words are gone")).to_be_visible()
    return findings | {"what became of a deletion": await findings_of(page)}


async def nothing_can_be_written(page: Page, site: Visitor, chat: str) -> dict[str, Any]:
    site.engine.store.wait_for(EventsLost("Three events of the log are gone."))
    findings = {}
    for path in ("/chats", f"/chats/{chat}"):
        await shown(page, site, path, ".fault")
        findings[f"nothing can be written: {path}"] = await findings_of(page)
    return findings


@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), (1440, "phosphor")])
async def test_no_state_that_passes_by_has_a_finding(
    page: Page, watch: Watch, site: Visitor, peer: Peer, width: int, theme: str
) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    await page.context.add_cookies([{"name": "theme", "value": theme, "url": str(site.client.base_url)}])
    findings = await found_on_this_machine(page, site)
    findings |= await refused_fields(page)
    going, staying = await site.chat(), await site.chat()
    findings |= await waits_of_a_story(page, site, peer, staying)
    findings |= await a_draft(page, peer)
    findings |= await work_that_takes_long(page, site)
    findings |= await what_was_deleted(page, site, going)
    findings |= await nothing_can_be_written(page, site, staying)
    assert not {state: found for state, found in findings.items() if found}
    watch.errors[:] = [error for error in watch.errors if "status of 4" not in error]
