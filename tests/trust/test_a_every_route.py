"""Cases 4, 5, 12, 14 and 15 of the trust list, against every route of the real program.

The wall itself (cases 1 to 3, 6 to 11 and 13) is tried in test_a_other_sites.py, and in a browser in
tests/browser/test_wall.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chat.errors import SettingsError
from chat.settings import load_settings
from tests.support.dom import parse
from tests.support.peer import Peer
from tests.support.server import Server
from tests.support.story import begin_story
from tests.trust.inert import assert_inert
from tests.web.conftest import HTMX, JSON, KEY, Visitor

_ROW = re.compile(r"^\| (GET|POST|PUT) \| `(/[^`]*)` \|", re.MULTILINE)
ROUTES = _ROW.findall((Path(__file__).parents[2] / "docs" / "routes.md").read_text("utf-8"))
"""Method and address of every route; that the page names all of them is a test of its own."""
ACTS = [(method, path) for method, path in ROUTES if method != "GET"]
HARMLESS = ("/settings/test", "/settings/local")  # they ask the model's server, and would ask a real one here


async def _filled(visitor: Visitor, path: str) -> str:
    """The address with ids of things that are there."""
    chat_id = next(iter(visitor.engine.store.library.chats), None) or await visitor.chat()
    turns = await visitor.turns(chat_id)
    chat = visitor.engine.store.library.chats[chat_id]
    known = {
        "chat_id": chat_id,
        "bot_id": chat.bot_ids[0],
        "branch_id": chat.branch_id,
        "turn_id": turns[-1]["id"],
        "you_id": chat.you_id,
    }
    return re.sub(r"\{(\w+)(?::path)?\}", lambda found: known.get(found[1], "nothing"), path)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded;x", "", "multipart/form-data"]
)
async def test_case_04_no_route_takes_json_by_another_name(visitor: Visitor, kind: str) -> None:
    """Also where an action needs no field, and so would never look at a body."""
    chat_id = await visitor.chat()
    await visitor.say(chat_id, "One.")
    head = visitor.engine.store.head
    body = b'{"name": "Forged", "prose": "Forged", "title": "Forged", "base_url": "http://127.0.0.1:9/v1"}'
    for method, path in ACTS:
        address = await _filled(visitor, path)
        headers = {"Content-Type": kind, **JSON} if kind else JSON
        answer = await visitor.client.request(method, address, content=body, headers=headers)
        assert answer.status_code == 415, f"{address}: {answer.status_code}"
        assert answer.json()["error"]["next_step"]
        assert visitor.engine.store.head == head, address
    assert visitor.engine.settings.connection.is_demo


async def test_case_05_reading_any_address_changes_nothing(visitor: Visitor) -> None:
    chat_id = await visitor.chat()
    await visitor.say(chat_id, "One.")
    head = visitor.engine.store.head
    override = {"X-HTTP-Method-Override": "POST", "X-Method-Override": "POST"}
    for _, path in ROUTES:
        address = await _filled(visitor, path)
        if address.endswith("/events") or path in HARMLESS:
            continue
        for method in ("GET", "HEAD"):
            answer = await visitor.client.request(method, f"{address}?_method=POST&prose=x", headers=override)
            assert answer.status_code < 500, address
    assert visitor.engine.store.head == head
    assert (await visitor.turns(chat_id))[-1]["status"] == "whole"


async def test_case_12_no_answer_leads_to_another_site(visitor: Visitor) -> None:
    chat_id = await visitor.chat()
    await visitor.say(chat_id, "One.")
    told = {"Referer": "https://evil.test/x", "HX-Current-URL": "https://evil.test//evil.test"}
    for method, path in ROUTES:
        address = await _filled(visitor, path)
        if address.endswith("/events") or path in HARMLESS:
            continue
        for headers in (told, {**told, **HTMX}):
            answer = await visitor.client.request(
                method, f"{address}?next=//evil.test&return_to=https:evil.test", headers=headers
            )
            for name in ("location", "hx-redirect", "hx-location", "hx-push-url", "refresh"):
                led = answer.headers.get(name, "/")
                assert led.startswith("/"), f"{address}: {name} {led}"
                assert not led.startswith("//")
            if "html" in answer.headers.get("content-type", ""):
                assert_inert(parse(answer.text))
    await visitor.settled(chat_id)


async def test_case_12_the_way_back_from_the_colours_is_our_own(visitor: Visitor) -> None:
    for back in ("//evil.test", "https://evil.test/", "/\\evil.test", "\t//evil.test", "javascript:x"):
        answer = await visitor.post("/settings/theme", theme="dark", back=back)
        assert re.fullmatch(r"/([^/\\].*)?", answer.headers["location"])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.test", ""])
def test_case_14_another_address_than_this_machine_is_refused(tmp_path: Path, host: str) -> None:
    if not host:
        assert load_settings(data_dir=tmp_path).host == "127.0.0.1"
        return
    with pytest.raises(SettingsError, match="only listens on this machine"):
        load_settings(data_dir=tmp_path, host=host)


def test_case_14_the_program_does_not_start_for_other_machines(tmp_path: Path) -> None:
    refused = Server(tmp_path / "data").command("serve", "--no-open", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode != 0
    assert "only listens on this machine" in refused.stderr
    assert "Traceback" not in refused.stderr


async def test_case_15_no_key_is_ever_in_an_address(connected: Visitor, peer: Peer) -> None:
    chat_id = await connected.chat()
    await connected.say(chat_id, "Hello?")
    await connected.client.get("/settings/models", headers=HTMX)
    await connected.post("/settings/test", JSON)
    assert peer.requests
    for asked in peer.requests:
        assert KEY not in asked.path
        assert "?" not in asked.path or "key" not in asked.path.lower()
    before = connected.engine.settings.connection
    await connected.client.get("/settings?api_key=sk-forged&base_url=http://evil.test/v1")
    await connected.client.post("/settings?api_key=sk-forged", data={"name": "Ann"})
    assert connected.engine.settings.connection == before
    for path in ("/settings", f"/chats/{chat_id}", "/chats"):
        page = await connected.get(path)
        addresses = [
            one.attrs.get(name, "") for one in page.walk() for name in ("href", "src", "action", "hx-get")
        ]
        assert not [one for one in addresses if re.search(r"[?&](api_)?(key|token|secret)=", one)]
        assert KEY not in page.raw_text


def test_case_15_the_log_of_the_program_holds_no_address_with_a_key(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        chat = begin_story(server)
        server.request("GET", f"/chats/{chat}?api_key={KEY}&token={KEY}")
        server.request("GET", f"/nothing/{KEY}")
    logs = "".join(
        path.read_text("utf-8") for path in (tmp_path / "data" / "logs").rglob("*") if path.is_file()
    )
    assert KEY not in logs + server.log.read_text("utf-8")
