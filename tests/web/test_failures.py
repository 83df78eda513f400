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
