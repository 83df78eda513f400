"""The wall against a real browser: our own page may do everything, a page on another port nothing but link to us."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from playwright.async_api import Browser, Page

from tests.support.walled import World, small_app
from tests.support.wire import serving

SUBMIT = """async (address) => {
    const form = document.createElement('form');
    form.method = 'post';
    form.action = address;
    const field = document.createElement('input');
    field.name = 'prose';
    field.value = 'typed here';
    form.append(field);
    document.body.append(form);
    form.submit();
}"""
LISTEN = """(address) => new Promise((done) => {
    const stream = new EventSource(address);
    stream.onmessage = (event) => { stream.close(); done(event.data); };
    stream.onerror = () => { stream.close(); done('refused'); };
})"""
PUT = """(address) => fetch(address, {
    method: 'PUT', body: '{"text": "x"}', headers: {'Content-Type': 'application/json'},
}).then((answer) => answer.status)"""
LOAD = """([tag, address]) => new Promise((done) => {
    const part = document.createElement(tag);
    part.onload = () => done('loaded');
    part.onerror = () => done('refused');
    part.src = address;
    document.body.append(part);
})"""


def elsewhere() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse("<p>another program on this machine</p>")

    return app


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ours(world: World) -> Iterator[str]:
    with serving(small_app(world)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def theirs() -> Iterator[str]:
    with serving(elsewhere()) as port:
        yield f"http://127.0.0.1:{port}/"


async def opened(browser: Browser, address: str) -> Page:
    page = await browser.new_page()
    await page.goto(address)
    return page


async def submitted(page: Page, address: str) -> int:
    async with page.expect_navigation() as navigation:
        await page.evaluate(SUBMIT, address)
    response = await navigation.value
    assert response is not None
    return response.status


async def test_a_plain_form_a_script_and_a_stream_of_our_own_page_pass(
    browser: Browser, ours: str, world: World
) -> None:
    page = await opened(browser, ours)
    assert await page.evaluate(LISTEN, "/chats/1/events") == "0"
    assert await page.evaluate(PUT, "/chats/1/draft") == 200
    assert await submitted(page, "/chats/1/turns") == 200
    assert world.posted == ["typed here"]


async def test_a_page_on_another_port_cannot_post_load_listen_or_frame(
    browser: Browser, ours: str, theirs: str, world: World
) -> None:
    page = await opened(browser, theirs)
    assert await page.evaluate(LOAD, ["script", f"{ours}/chats/1/export.json"]) == "refused"
    assert await page.evaluate(LOAD, ["img", f"{ours}/static/app.css"]) == "refused"
    assert await page.evaluate(LISTEN, f"{ours}/chats/1/events") == "refused"
    fetched = f"fetch('{ours}/chats/1/export.json').then(() => 'read', () => 'refused')"
    assert await page.evaluate(fetched) == "refused"
    blind = f"fetch('{ours}/chats/1/turns', {{method: 'POST', mode: 'no-cors', body: new URLSearchParams('prose=x')}})"
    await page.evaluate(f"{blind}.catch(() => 0)")
    await page.evaluate(LOAD, ["iframe", ours])
    assert await submitted(page, f"{ours}/chats/1/turns") == 403
    assert world.calls == []


async def test_a_link_from_elsewhere_opens_the_page(
    browser: Browser, ours: str, theirs: str, world: World
) -> None:
    page = await opened(browser, theirs)
    async with page.expect_navigation():
        await page.evaluate("(address) => { location.href = address }", ours)
    assert await page.text_content("p") == "hello"
    assert world.calls == ["page"]


async def test_ten_megabytes_from_a_form_end_on_a_page_that_says_so(
    browser: Browser, ours: str, world: World
) -> None:
    page = await opened(browser, ours)
    fill = SUBMIT.replace("'typed here'", "'x'.repeat(10_000_000)")
    async with page.expect_navigation() as navigation:
        await page.evaluate(fill, "/chats/1/turns")
    response = await navigation.value
    assert response is not None
    assert response.status == 413
    assert "still in the box" in (await page.text_content("main") or "")
    assert world.calls == ["page"]
    assert world.posted == []
