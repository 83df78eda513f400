"""Every failure of the model's server has a face: what happened, what it means for the story, one button that helps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chat.errors import StoreFull
from tests.support.dom import Element
from tests.support.peer import Peer
from tests.support.peer_acts import Act, Endless, HangUp, Raw, Redirect, Reply, Silence, Status, delta, event
from tests.support.server import free_port
from tests.web.conftest import HTMX, JSON, KEY, Visitor, visiting

KEPT = "Your turn is kept; it has no answer yet."
PARTIAL = "What had arrived is kept, and the story can go on from there."
SETTINGS, RETRY, LESS, OTHER, CONTINUE = (
    "Open Settings",
    "Retry",
    "Retry with less of the past",
    "Ask other-model instead",
    "Continue",
)


class Case(NamedTuple):
    """What the server does, and what the page must say: words of the sentence, its meaning, the button."""

    acts: list[Act]
    says: str
    means: str
    button: str


def said(message: str, **more: object) -> dict[str, object]:
    return {"error": {"message": message, **more}}


CASES: dict[str, Case] = {
    "auth": Case([Status(401, said("bad key"))], "did not accept the key (401)", KEPT, SETTINGS),
    "auth-403": Case([Status(403, said("gated"))], "does not allow this (403)", KEPT, SETTINGS),
    "payment": Case([Status(402)], "wants to be paid first (402)", KEPT, SETTINGS),
    "model_not_found": Case(
        [Status(404, said("no such model"))], "no model called peer-model", KEPT, SETTINGS
    ),
    "rate_limited": Case([Status(429, retry_after="90")], "too many requests", KEPT, RETRY),
    "rate_limited-silent": Case([Status(429)] * 3, "too many requests", KEPT, RETRY),
    "unavailable": Case([Status(500, said("out of cheese"))] * 3, "It said: out of cheese.", KEPT, RETRY),
    "unavailable-502": Case([Status(502, "<html>Bad</html>")] * 3, "failed (502)", KEPT, RETRY),
    "unavailable-504": Case([Status(504)] * 3, "failed (504)", KEPT, RETRY),
    "busy": Case([Status(503)] * 3, "has no room just now (503)", KEPT, OTHER),
    "model_loading": Case([Status(503, said("Loading model"))] * 3, "still loading peer-model", KEPT, RETRY),
    "context_too_long": Case(
        [Status(400, said("x", code="context_length_exceeded"))], "longer than peer-model", KEPT, LESS
    ),
    "timed_out": Case([Silence()], "did not begin to write within", KEPT, RETRY),
    "timed_out-between": Case([Reply("The tide comes", stall_after=3)], "fell silent for", PARTIAL, CONTINUE),
    "unavailable-broke": Case([HangUp()] * 3, "was lost", KEPT, RETRY),
    "unavailable-cut": Case(
        [Reply("The tide comes", finish=None, done=False)], "hung up before", PARTIAL, CONTINUE
    ),
    "unavailable-inside": Case(
        [Raw([event(delta("The tide")), event(said("GPU fell off"))])], "GPU fell off", PARTIAL, CONTINUE
    ),
    "thoughts_only": Case([Reply("", reasoning="Hmm.")], "only its thoughts", KEPT, SETTINGS),
    "empty_reply": Case([Reply("  ")], "an empty reply", KEPT, RETRY),
    "declined": Case([Reply("I'm sorry, but I can't assist with that.")], "declined to write", KEPT, OTHER),
    "held_back": Case([Reply("The tide", finish="content_filter")], "held back the rest", PARTIAL, OTHER),
    "web_page": Case([Raw([b"<html>Sign in</html>"], "text/html")], "a web page instead", KEPT, SETTINGS),
    "wrong_address": Case(
        [Status(404, "<html>Not found</html>")], "does not know this address (404)", KEPT, SETTINGS
    ),
    "wrong_address-moved": Case([Redirect("/elsewhere")], "points to another address", KEPT, SETTINGS),
    "invalid_request": Case(
        [Status(400, said("top_k must be positive"))],
        "refused the request (400). It said: top_k must be positive.",
        KEPT,
        SETTINGS,
    ),
    "invalid_request-422": Case(
        [Status(422, {"detail": [{"msg": "field required", "loc": ["x"]}]})],
        "refused the request (422). It said: field required.",
        KEPT,
        SETTINGS,
    ),
    "bad_response": Case(
        [Reply(pieces=['{"a":1}'], tool=True, finish="tool_calls")], "wanted to call a tool", KEPT, RETRY
    ),
    "bad_response-packed": Case(
        [Raw([b"xx"], headers=[("Content-Encoding", "br")])], "cannot be unpacked", KEPT, RETRY
    ),
    "endless_reply": Case([Endless("and on " * 400)], "wrote past 200,000 characters", PARTIAL, RETRY),
}


SILENT_FOR = {"timed_out": {"first_token_s": 1.0}, "timed_out-between": {"between_tokens_s": 1.0}}
"""Only what is waited for in vain is waited for shortly: a busy machine may take its time for all else."""


@pytest.fixture
async def flaky(tmp_path: Path, peer: Peer) -> AsyncIterator[Visitor]:
    """Connected to the peer, with a second model."""
    connection = {"base_url": peer.base_url, "narrative_model": "peer-model", "api_key": KEY}
    async for one in visiting(
        tmp_path / "flaky",
        connection=connection | {"classifier_model": "someone/other-model"},
        timeouts={"first_token_s": 30, "between_tokens_s": 30},
        retries={"first_wait_s": 0.01},
    ):
        yield one


@pytest.mark.parametrize(("name", "case"), CASES.items(), ids=CASES.keys())
async def test_a_failure_has_its_face_and_its_button_helps(
    flaky: Visitor, peer: Peer, name: str, case: Case
) -> None:
    chat_id = await flaky.chat()
    peer.script(*case.acts)
    settings = flaky.engine.settings
    short = settings.timeouts.model_copy(update=SILENT_FOR.get(name, {}))
    flaky.engine.settings = settings.model_copy(update={"timeouts": short})
    await flaky.say(chat_id, "Do you hear me?")
    flaky.engine.settings = settings
    page = await flaky.get(f"/chats/{chat_id}")
    assert page.one("article", cls="you").one(cls="prose").text == "Do you hear me?"
    face = page.one(cls="face")
    assert face.attrs["data-code"] == name.partition("-")[0]
    assert case.says in face.one(cls="face-what").text
    assert face.one(cls="face-means").text == case.means
    assert face.one(cls="face-next").text
    (button,) = [*face.all("button"), *face.all("a", cls="button")]
    assert button.text == case.button
    assert KEY not in page.text
    await _told_alike(flaky, chat_id, case)
    await _helped(flaky, peer, chat_id, page)


async def _told_alike(flaky: Visitor, chat_id: str, case: Case) -> None:
    """As a fragment for a tab with script, and as JSON, it is the same face."""
    last = (await flaky.turns(chat_id))[-1]
    assert case.says in last["error"]["message"]
    assert (last["error"]["means"], last["error"]["button"]["label"]) == (case.means, case.button)
    fragment = await flaky.get(f"/chats/{chat_id}/turns/{last['id']}", **HTMX)
    assert case.says in fragment.one(cls="face-what").text
    status = await flaky.json(f"/chats/{chat_id}/status")
    assert "Have it written again, or write on." in status["detail"]


async def _helped(flaky: Visitor, peer: Peer, chat_id: str, page: Element) -> None:
    """One press of what stands there, and the story goes on, with nothing said twice."""
    peer.script(Reply('*nods* "I hear you."'))
    form = next(
        form for form in page.one("article", cls="bot").all("form") if "regenerate" in form.attrs["action"]
    )
    fields = {one.attrs["name"]: one.attrs["value"] for one in form.all("input")}
    assert (await flaky.post(form.attrs["action"], **fields)).status_code == 303
    await flaky.settled(chat_id)
    after = await flaky.get(f"/chats/{chat_id}")
    assert after.one("article", cls="bot").one(cls="prose").text == 'nods "I hear you."'
    assert after.one("article", cls="you").one(cls="prose").text == "Do you hear me?"
    assert not after.all(cls="face")
    asked = [
        body["model"] for body in peer.bodies() if "response_format" not in body and not body.get("tools")
    ]
    assert ("someone/other-model" in asked) == ("other_model" in fields)


async def test_a_server_that_is_not_running_has_its_face_and_is_asked_again_once_it_runs(
    tmp_path: Path,
) -> None:
    port = free_port()
    connection = {"base_url": f"http://127.0.0.1:{port}/v1", "narrative_model": "peer-model", "api_key": KEY}
    async for lonely in visiting(tmp_path / "lonely", connection=connection, retries={"first_wait_s": 0.01}):
        chat_id = await lonely.chat()
        await lonely.say(chat_id, "Do you hear me?")
        page = await lonely.get(f"/chats/{chat_id}")
        face = page.one(cls="face")
        assert face.attrs["data-code"] == "unavailable"
        assert face.one(cls="face-what").text == f"Nothing answers at 127.0.0.1:{port}."
        assert face.one(cls="face-means").text == KEPT
        assert face.one(cls="face-next").text == "See that the model's server is running, then retry."
        assert [button.text for button in face.all("button")] == [RETRY]
        with Peer(default=Reply('*nods* "Mm-hm."'), port=port) as peer:
            await _helped(lonely, peer, chat_id, page)


async def test_too_many_requests_says_how_long_to_wait(flaky: Visitor, peer: Peer) -> None:
    """In every chat that speaks to this server, and with the time in words where there is no script."""
    first, second = await flaky.chat(), await flaky.chat()
    peer.script(Status(429, retry_after="90"), Status(429, retry_after="600"))
    await flaky.say(first, "One.")
    wait = (await flaky.get(f"/chats/{first}")).one(cls="face-next")
    assert 80 <= int(wait.one(cls="countdown").attrs["data-seconds"]) <= 90
    assert wait.text.startswith("It can be asked again in ")
    assert wait.text.endswith(" seconds.")
    await flaky.say(second, "Two.")
    assert (await flaky.get(f"/chats/{first}")).one(cls="countdown").text == "in 10 minutes"
    assert 590 <= (await flaky.turns(second))[-1]["error"]["wait_s"] <= 600


async def test_a_short_wait_is_waited_for_and_can_be_stopped(flaky: Visitor, peer: Peer) -> None:
    chat_id = await flaky.chat()
    peer.script(Status(429, said("slow down"), retry_after="20"))
    reply_id = (await flaky.post(f"/chats/{chat_id}/turns", JSON, prose="Hello?")).json()["reply_id"]
    while not flaky.engine.status(chat_id).wait_s:
        await flaky.pause()
    status = (await flaky.get(f"/chats/{chat_id}")).by_id("status")
    assert "slow down. It is asked again in" in status.one(cls="status-text").text
    assert 15 <= int(status.one(cls="countdown").attrs["data-seconds"]) <= 25
    assert status.one("button").text == "Stop"
    told = await flaky.json(f"/chats/{chat_id}/status")
    assert 15 <= told["asked_again_in_s"] <= 25
    await flaky.post(f"/chats/{chat_id}/turns/{reply_id}/stop", JSON)
    await flaky.settled(chat_id)
    assert "You stopped this reply" in (await flaky.get(f"/chats/{chat_id}")).one(cls="face-what").text
    assert len(peer.bodies()) == 1


async def test_less_of_the_past_is_less(flaky: Visitor, peer: Peer) -> None:
    """A server that cannot read the prompt is sent a clearly smaller one when it is asked again."""
    chat_id = await flaky.chat()
    for number in range(12):
        peer.script(Reply(f"Reply {number}. " + "The sea is grey. " * 60))
        await flaky.say(chat_id, f"Turn {number}.")
    too_long = Status(400, said("the prompt is too long"))
    peer.script(too_long)
    await flaky.say(chat_id, "And now?")
    failed = (await flaky.turns(chat_id))[-1]
    before = _prompt_sizes(peer)[-1]
    await flaky.post(failed["error"]["button"]["address"], JSON)
    await flaky.settled(chat_id)
    assert _prompt_sizes(peer)[-1] < 0.75 * before
    assert (await flaky.turns(chat_id))[-1]["error"] is None


def _prompt_sizes(peer: Peer) -> list[int]:
    prose = [body for body in peer.bodies() if "response_format" not in body and not body.get("tools")]
    return [sum(len(message["content"]) for message in body["messages"]) for body in prose]


async def test_a_reply_that_takes_long_is_said_to(tmp_path: Path, peer: Peer) -> None:
    connection = {"base_url": peer.base_url, "narrative_model": "peer-model"}
    async for flaky in visiting(tmp_path / "slow", connection=connection, timeouts={"slow_s": 1}):
        chat_id = await flaky.chat()
        peer.script(Reply("At last.", wait_s=1.6))
        await flaky.post(f"/chats/{chat_id}/turns", JSON, prose="Hello?")
        while "still thinking" not in (status := (await flaky.get(f"/chats/{chat_id}")).by_id("status")).text:
            await flaky.pause()
        assert status.one("button").text == "Stop"
        await flaky.settled(chat_id)
        assert (await flaky.turns(chat_id))[-1]["text"] == "At last."


async def test_without_a_model_settings_is_where_to_go(tmp_path: Path, peer: Peer) -> None:
    async for flaky in visiting(tmp_path / "none", connection={"base_url": peer.base_url}):
        chat_id = await flaky.chat()
        await flaky.say(chat_id, "Hello?")
        face = (await flaky.get(f"/chats/{chat_id}")).one(cls="face")
        assert face.one("a", cls="button").attrs["href"] == "/settings#narrative_model"


async def test_a_reply_the_database_does_not_take_blocks_and_is_kept(
    flaky: Visitor, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words stay on the page and in every tab's notice; once there is room again, nothing needs a restart."""
    chat_id, other = await flaky.chat(), await flaky.chat()
    execute = flaky.engine.store.execute

    async def no_room_for_replies(*args: Any, **named: Any) -> Any:
        if flaky.engine.runs.get(chat_id) and flaky.engine.runs.get(chat_id).is_started:  # type: ignore[union-attr]
            raise StoreFull("The disk is full.")
        return await execute(*args, **named)

    monkeypatch.setattr(flaky.engine.store, "execute", no_room_for_replies)
    peer.script(Reply("The tide comes in."))
    await flaky.say(chat_id, "Hello?")
    page = await flaky.get(f"/chats/{chat_id}")
    dialog = page.by_id("notices").one("dialog")
    assert "open" in dialog.attrs
    assert "Free some disk space" in dialog.text
    failed = page.one("article", cls="bot")
    assert failed.one(cls="prose").text == "The tide comes in."
    assert failed.one(cls="face").attrs["data-code"] == "store_full"
    assert "is full" in (await flaky.get(f"/chats/{chat_id}/notice", **HTMX)).one("dialog").text
    assert (await flaky.json(f"/chats/{chat_id}/notice"))["notice"]["message"] == "The disk is full."
    assert not (await flaky.get(f"/chats/{other}")).all("dialog", cls="blocking")
    assert (await flaky.json(f"/chats/{other}/notice"))["notice"] is None

    monkeypatch.undo()
    retry = failed.one(cls="face").one("form").attrs["action"]
    assert (await flaky.post(retry)).status_code == 303
    await flaky.settled(chat_id)
    page = await flaky.get(f"/chats/{chat_id}")
    assert page.one("article", cls="bot").one(cls="prose").text == 'nods "Mm-hm."'
    assert not page.all("dialog", cls="blocking")
    assert page.one(cls="swipe-count").text == "2 of 2", "what had been written is kept beside it"


async def test_words_whose_reply_could_not_begin_can_still_be_answered(
    flaky: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat_id = await flaky.chat()
    execute = flaky.engine.store.execute

    async def no_room_after_the_words(*args: Any, **named: Any) -> Any:
        run = flaky.engine.runs.get(chat_id)
        if run and run.user_turn_id:
            raise StoreFull("The disk is full.")
        return await execute(*args, **named)

    monkeypatch.setattr(flaky.engine.store, "execute", no_room_after_the_words)
    await flaky.say(chat_id, "Is anybody there?")
    monkeypatch.undo()
    page = await flaky.get(f"/chats/{chat_id}")
    mine = page.one("article", cls="you")
    assert mine.one("button").text == "Ask for the reply"
    assert "Ask for the reply, or write on." in page.by_id("status").text
    assert (await flaky.post(mine.one("form").attrs["action"])).status_code == 303
    await flaky.settled(chat_id)
    page = await flaky.get(f"/chats/{chat_id}")
    assert page.one("article", cls="bot").one(cls="prose").text == 'nods "Mm-hm."'
    assert page.one("article", cls="you").one(cls="prose").text == "Is anybody there?"
    assert not page.all("dialog", cls="blocking")


async def test_a_reply_that_broke_off_is_written_on_with_one_press(flaky: Visitor, peer: Peer) -> None:
    chat_id = await flaky.chat()
    peer.script(Reply("The tide comes", finish=None, done=False))
    await flaky.say(chat_id, "Go on.")
    face = (await flaky.get(f"/chats/{chat_id}")).one(cls="face")
    peer.script(Reply(" in and goes out."))
    assert (await flaky.post(face.one("form").attrs["action"])).status_code == 303
    await flaky.settled(chat_id)
    page = await flaky.get(f"/chats/{chat_id}")
    assert page.one("article", cls="bot").one(cls="prose").text == "The tide comes in and goes out."
    assert not page.all(cls="face")
