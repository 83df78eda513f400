"""Every page: whole, framed, labelled, and with an answer for scripts."""

from __future__ import annotations

import pytest

from tests.web.conftest import HTMX, JSON, Visitor


async def _addresses(visitor: Visitor) -> list[str]:
    bot_id = await visitor.bot()
    chat_id = await visitor.chat(bot_id)
    return [
        "/chats",
        "/chats/new",
        f"/chats/{chat_id}",
        "/bots",
        "/bots/new",
        f"/bots/{bot_id}",
        f"/bots/{bot_id}/kickoff",
        "/settings",
    ]


async def test_the_start_leads_to_the_chats(visitor: Visitor) -> None:
    answer = await visitor.client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/chats")


async def test_every_page_is_whole_and_answers_json_too(visitor: Visitor) -> None:
    for address in await _addresses(visitor):
        page = await visitor.get(address)
        assert len(page.all("h1")) == 1, address
        assert page.one("h1").text, address
        assert page.one("title").text, address
        assert page.by_id("main").tag == "main", address
        assert page.by_id("notices").text == "", address
        assert not page.all("style"), address
        assert all("src" in script.attrs for script in page.all("script")), address
        assert isinstance(await visitor.json(address), dict), address


async def test_every_answer_carries_the_policy_and_is_not_kept(visitor: Visitor) -> None:
    for address in [*await _addresses(visitor), "/chats/nothing-here", "/nowhere"]:
        answer = await visitor.client.get(address)
        assert "default-src 'none'" in answer.headers["content-security-policy"], address
        assert answer.headers["cache-control"] == "no-store", address


async def test_every_page_that_shows_words_of_the_demo_says_so(visitor: Visitor, connected: Visitor) -> None:
    bot_id = await visitor.bot()
    chat_id = await visitor.chat(bot_id)
    for address in ("/chats", f"/chats/{chat_id}", f"/bots/{bot_id}/kickoff"):
        assert "not from a language model" in (await visitor.get(address)).text, address
    assert "language model" not in (await connected.get("/chats")).text


async def test_nobody_is_trapped_on_the_first_day(visitor: Visitor) -> None:
    page = await visitor.get("/chats")
    links = {link.attrs["href"] for link in page.by_id("main").all("a")}
    example = (await visitor.json("/bots"))["bots"][0]
    assert {"/settings#you", "/bots", f"/bots/{example['id']}/kickoff"} <= links
    assert example["name"] in page.by_id("main").text


async def test_the_chat_page_has_every_place_that_live_updates_fill(visitor: Visitor) -> None:
    chat_id = await visitor.chat()
    page = await visitor.get(f"/chats/{chat_id}")
    body = page.one("body")
    assert body.attrs["data-page"] == "chat"
    assert body.attrs["data-chat"] == chat_id
    assert int(body.attrs["data-head"]) == visitor.engine.store.head
    assert body.attrs["data-epoch"] == visitor.engine.hub.epoch
    for name in ("transcript", "status", "composer", "rail", "drawer", "notices"):
        assert page.by_id(name)
    assert page.by_id("status").attrs["role"] == "status"
    assert page.by_id("composer").attrs["data-chat"] == chat_id
    assert page.value_of("idempotency_key")


async def test_fragments_have_one_root_that_says_what_it_is_and_when(visitor: Visitor) -> None:
    chat_id = await visitor.chat()
    for address, name in (
        (f"/chats/{chat_id}/status", "status"),
        (f"/chats/{chat_id}/drawer", "drawer"),
        ("/rail", "rail"),
    ):
        fragment = await visitor.get(address, **HTMX)
        roots = [part for part in fragment.parts if not isinstance(part, str)]
        assert [root.attrs["id"] for root in roots] == [name]
        assert int(roots[0].attrs["data-head"]) == visitor.engine.store.head
        assert await visitor.json(address)


async def test_the_rail_marks_the_open_chat_in_fragments_too(visitor: Visitor) -> None:
    first, second = await visitor.chat(), await visitor.chat()
    page = await visitor.get(f"/chats/{first}")
    assert [one.attrs["href"] for one in page.by_id("rail").all("a", aria_current="page")] == [
        f"/chats/{first}"
    ]
    told = {"HX-Request": "true", "HX-Current-URL": f"http://127.0.0.1:8321/chats/{second}?before=3"}
    rail = (await visitor.get("/rail", **told)).by_id("rail")
    assert [one.attrs["href"] for one in rail.all("a", aria_current="page")] == [f"/chats/{second}"]


async def test_the_rail_shows_where_a_chat_stands(visitor: Visitor) -> None:
    chat_id = await visitor.chat(start_date="1893-11-04", start_time="21:05")
    item = (await visitor.get("/chats")).by_id("rail").one("a", href=f"/chats/{chat_id}")
    assert item.one(cls="rail-where").text == "The pier · Sat 4 Nov, 21:05"
    assert item.one(cls="rail-snippet").text == "Fog."


@pytest.mark.parametrize(
    "address",
    [
        "/chats/0",
        "/chats/-1",
        "/chats/9223372036854775808",
        "/chats/1;2",
        "/chats/１",
        "/bots/0",
        "/bots/0/kickoff",
        "/nowhere",
        "/static/../site.py",
    ],
)
async def test_what_is_not_there_is_a_page_a_fragment_and_json(visitor: Visitor, address: str) -> None:
    page = await visitor.get(address, 404)
    assert page.by_id("rail")
    assert page.by_id("notices").one(cls="notice-next").text
    fragment = await visitor.get(address, 404, **HTMX)
    assert fragment.one("div", hx_swap_oob="innerHTML:#notices").one(cls="notice-message").text
    error = (await visitor.json(address, 404))["error"]
    assert error["message"]
    assert error["next_step"]


async def test_a_wrong_method_changes_nothing_and_says_so(visitor: Visitor) -> None:
    chat_id = await visitor.chat()
    head = visitor.engine.store.head
    for method, address in (
        ("GET", f"/chats/{chat_id}/archive"),
        ("DELETE", f"/chats/{chat_id}"),
        ("HEAD", f"/chats/{chat_id}/turns"),
    ):
        answer = await visitor.client.request(method, address, headers=JSON)
        assert answer.status_code == 405, address
    assert visitor.engine.store.head == head


async def test_the_program_says_that_it_lives_and_can_write(visitor: Visitor) -> None:
    assert (await visitor.json("/health"))["status"] == "ok"
    assert (await visitor.get("/health", Accept="text/html")).one("h1").text == "Health"
    ready = await visitor.json("/ready")
    assert ready["ready"]
    assert all(ready["checks"].values())
    figures = await visitor.client.get("/metrics")
    assert "chat_log_lines" in figures.text


async def test_chats_are_renamed_put_away_and_brought_back(visitor: Visitor) -> None:
    first, second = await visitor.chat(), await visitor.chat()
    answer = await visitor.post(f"/chats/{first}/rename", title="  The  long\r\nwinter ")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/chats/{first}")
    assert (await visitor.json(f"/chats/{first}"))["title"] == "The  long winter"
    assert (await visitor.post(f"/chats/{first}/rename", JSON, title=" ")).status_code == 422
    assert (await visitor.post(f"/chats/{first}/archive")).status_code == 303
    listed = await visitor.json("/chats")
    assert ([one["id"] for one in listed["chats"]], [one["id"] for one in listed["archived"]]) == (
        [second],
        [first],
    )
    assert (await visitor.post(f"/chats/{first}/archive", JSON)).status_code == 422
    assert (await visitor.post(f"/chats/{first}/restore")).headers["location"] == f"/chats/{first}"
