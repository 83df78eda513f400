"""What goes wrong, as an answer."""

from __future__ import annotations

import inspect

import pytest
from fastapi import Request

from chat import errors
from chat.errors import ChatError
from chat.web import failures
from tests.support.dom import parse
from tests.web.conftest import HTMX, JSON, Visitor

TREE = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, ChatError)]


def test_every_error_of_the_tree_has_a_status() -> None:
    made = [cls.__new__(cls) for cls in TREE]
    assert len(made) > 30
    assert all(400 <= failures.status_of(error) < 600 for error in made)
    assert failures.status_of(errors.NotFound("x")) == 404
    assert failures.status_of(errors.StoreFull("x")) == 507
    assert failures.status_of(errors.ThoughtsOnly("x")) == 502
    assert failures.status_of(errors.Refused("x")) == 422


def test_what_an_error_carries_is_told_but_not_what_arrived() -> None:
    told = failures.details(
        errors.ProviderRateLimited("Slow down.", retry_after_s=3.5, partial="secret words")
    )
    assert told == {
        "code": "rate_limited",
        "message": "Slow down.",
        "next_step": "Wait a little, then retry.",
        "retry_after_s": 3.5,
    }


@pytest.fixture
def broken(visitor: Visitor) -> Visitor:
    async def fails(request: Request) -> None:
        raise ValueError("the inside of the program")

    visitor.app.add_api_route("/broken", fails, methods=["GET"])
    return visitor


async def test_the_unexpected_is_a_number_and_nothing_else(broken: Visitor) -> None:
    answer = await broken.client.get("/broken")
    assert answer.status_code == 500
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "inside" not in answer.text
    assert "Incident" in parse(answer.text).by_id("notices").text
    fragment = await broken.client.get("/broken", headers=HTMX)
    assert (fragment.status_code, fragment.headers["hx-reswap"]) == (500, "none")
    error = (await broken.client.get("/broken", headers=JSON)).json()["error"]
    assert error["code"] == "unexpected"


async def test_without_the_database_there_is_still_a_page(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged() -> None:
        raise errors.StoreDamaged("The database file is damaged.")

    monkeypatch.setattr(visitor.engine.store, "reading", damaged)
    page = await visitor.get("/chats", 503)
    assert page.by_id("notices").one(cls="notice-message").text == "The database file is damaged."
    assert not page.all(id="rail")
    assert (await visitor.json("/chats", 503))["error"]["code"] == "store_damaged"


async def test_a_disk_that_is_full_blocks_until_it_was_read(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat_id = await visitor.chat()

    async def full(*args: object, **named: object) -> None:
        raise errors.StoreFull("The disk is full.")

    monkeypatch.setattr(visitor.engine.store, "execute", full)
    monkeypatch.setattr(visitor.engine.store, "save_draft", full)
    for headers in ({}, HTMX):
        answer = await visitor.post(f"/chats/{chat_id}/turns", headers, prose="Do not lose this.")
        assert answer.status_code == 507
        dialog = parse(answer.text).one("dialog")
        assert "open" in dialog.attrs
        assert dialog.one(cls="notice-message").text == "The disk is full."
        assert dialog.one("form").attrs["method"] == "dialog"
        assert headers or parse(answer.text).value_of("prose") == "Do not lose this."
    ready = await visitor.json("/ready", 503)
    assert (ready["checks"]["writable"], ready["message"]) == (False, "The disk is full.")
    assert (await visitor.get(f"/chats/{chat_id}")).by_id("transcript")


async def test_lost_events_are_told_on_every_page(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = errors.EventsLost("Three events are gone.")
    monkeypatch.setattr(type(visitor.engine.store), "fault", property(lambda store: lost))
    for address in ("/chats", "/settings"):
        told = (await visitor.get(address)).one(cls="fault").text
        assert "Three events are gone." in told
        assert lost.next_step in told


@pytest.mark.parametrize("query", ["before=x", "before=-1", "before=99999999999999999999", "since=1e3"])
async def test_a_number_that_is_none_is_a_page_too(visitor: Visitor, query: str) -> None:
    chat_id = await visitor.chat()
    answer = await visitor.client.get(f"/chats/{chat_id}/transcript?{query}")
    assert answer.status_code == 422
    assert parse(answer.text).by_id("notices").one(cls="notice-next").text
    assert (await visitor.client.get(f"/chats/{chat_id}?before=0")).status_code == 200
