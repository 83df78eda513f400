"""A turn in other words from the page: the form, the versions, going on from there, and writing a reply on."""

from __future__ import annotations

import threading

import pytest

from tests.support.dom import Element, parse
from tests.support.peer import Peer
from tests.support.peer_acts import Reply
from tests.web.conftest import HTMX, JSON, Visitor
from tests.web.test_time_travel import HOSTILE, offered, running, texts, told


async def words(visitor: Visitor, chat_id: str) -> list[str]:
    return [turn["text"] for turn in await visitor.turns(chat_id)][1:]


async def edited(visitor: Visitor, address: str, prose: str, **fields: str) -> None:
    answer = await visitor.post(address, JSON, prose=prose, **fields)
    assert answer.status_code == 200, answer.text


def editor(page: Element) -> Element:
    return page.one("details", cls="editing")


async def test_any_turn_leads_to_its_form_and_is_changed_in_its_place(connected: Visitor) -> None:
    chat_id, (first, _) = await told(connected, "One.", "Two.")
    page = await connected.get(f"/chats/{chat_id}")
    address = page.by_id(f"turn-{first}").one("a", cls="edit-link").attrs["href"]
    assert address == f"/chats/{chat_id}/turns/{first}/edit"
    form = await connected.get(address)
    assert editor(form).value_of("prose") == '*nods* "Mm-hm."'
    assert "What was felt or learned from the old words stays." in editor(form).text
    assert not editor(form).all(cls="versions")
    fragment = await connected.get(address, **HTMX)
    assert not fragment.all("html")
    assert editor(fragment).value_of("prose") == '*nods* "Mm-hm."'
    plain = await connected.post(address, prose='*shrugs* "No."', version="0")
    assert (plain.status_code, plain.headers["location"]) == (303, f"/chats/{chat_id}/turns/{first}")
    assert (await words(connected, chat_id))[1] == '*shrugs* "No."'
    page = await connected.get(f"/chats/{chat_id}")
    assert page.by_id(f"turn-{first}").one("a", cls="edit-link").text == "Edited"
    assert page.by_id("undo").text == "Undo: the change of a turn"
    answer = await connected.post(address, HTMX, prose='"Yes."')
    assert answer.status_code == 202
    assert parse(answer.text).by_id(f"turn-{first}").one(cls="prose").text == '"Yes."'


async def test_every_version_is_shown_and_can_be_brought_back(connected: Visitor) -> None:
    chat_id, (first,) = await told(connected, "One.")
    address = f"/chats/{chat_id}/turns/{first}/edit"
    await edited(connected, address, '"Two."')
    await edited(connected, address, '"Three."')
    told_all = await connected.json(address)
    assert [one["text"] for one in told_all["versions"]] == ['*nods* "Mm-hm."', '"Two."', '"Three."']
    assert told_all["version"] == told_all["versions"][-1]["event"] > 0
    assert (await connected.turns(chat_id))[-1]["version"] == told_all["version"]
    form = await connected.get(address)
    shown = form.one("section", cls="versions").all("li")
    assert [one.one(cls="prose").text for one in shown] == ['"Two."', 'nods "Mm-hm."']
    oldest = shown[-1].one("form")
    fields = {one.attrs["name"]: one.attrs["value"] for one in oldest.all("input")}
    assert fields == {"version": str(told_all["version"]), "restore": "1"}
    plain = await connected.post(oldest.attrs["action"], **fields)
    assert plain.status_code == 303
    assert (await words(connected, chat_id))[-1] == '*nods* "Mm-hm."'
    assert len((await connected.json(address))["versions"]) == 4
    assert (await connected.post(address, JSON, restore="9")).status_code == 422
    await connected.post(f"/chats/{chat_id}/undo", JSON)
    assert (await words(connected, chat_id))[-1] == '"Three."'


async def test_a_stale_change_is_refused_with_both_texts_side_by_side(connected: Visitor) -> None:
    chat_id, (first,) = await told(connected, "One.")
    address = f"/chats/{chat_id}/turns/{first}/edit"
    await edited(connected, address, '"Theirs."', version="0")
    answer = await connected.post(address, JSON, prose='"Mine."', version="0")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "stale")
    assert answer.json()["versions"][-1]["text"] == '"Theirs."'
    for headers in (HTMX, {}):
        answer = await connected.post(address, headers, prose='"Mine."', version="0")
        assert answer.status_code == 409
        page = parse(answer.text)
        assert editor(page).value_of("prose") == '"Mine."'
        assert editor(page).one(cls="newer").one(cls="prose").text == '"Theirs."'
        version = editor(page).value_of("version")
    assert (await words(connected, chat_id))[-1] == '"Theirs."'
    await edited(connected, address, '"Mine."', version=version)
    assert (await words(connected, chat_id))[-1] == '"Mine."'


async def test_an_earlier_turn_of_ones_own_goes_on_as_a_branch(connected: Visitor) -> None:
    chat_id, _ = await told(connected, "One.", "Two.")
    mine = (await connected.turns(chat_id))[1]
    address = f"/chats/{chat_id}/turns/{mine['id']}/edit"
    form = editor(await connected.get(address))
    assert [one.text for one in form.one("form").all("button")] == ["Save", "Go on from here"]
    plain = await connected.post(address, prose="One, otherwise.", go_on="on")
    assert (plain.status_code, plain.headers["location"]) == (303, f"/chats/{chat_id}")
    await connected.settled(chat_id)
    assert await texts(connected, chat_id) == ["One, otherwise."]
    await connected.post(f"/chats/{chat_id}/undo", JSON)
    assert await texts(connected, chat_id) == ["One.", "Two."]
    reply = (await connected.turns(chat_id))[-1]["id"]
    refused = await connected.post(f"/chats/{chat_id}/turns/{reply}/edit", JSON, prose="x", go_on="on")
    assert refused.status_code == 422


async def test_ones_own_latest_turn_can_be_changed_without_a_new_reply(connected: Visitor) -> None:
    chat_id, (first,) = await told(connected, "Oen.")
    page = await connected.get(f"/chats/{chat_id}")
    button = page.one("details", cls="rewrite").all("button")[1]
    assert button.text == "Keep the reply"
    fields = {"prose": "One.", button.attrs["name"]: button.attrs["value"]}
    assert (await connected.post(button.attrs["formaction"], **fields)).status_code == 303
    assert await texts(connected, chat_id) == ["One."]
    assert (await connected.turns(chat_id))[-1]["id"] == first


@pytest.mark.parametrize(("prose", "status"), [("  ", 422), ("x" * 32_001, 413), ("a\x00b", 422)])
async def test_refused_words_stay_in_their_form(connected: Visitor, prose: str, status: int) -> None:
    chat_id, (first,) = await told(connected, "One.")
    address = f"/chats/{chat_id}/turns/{first}/edit"
    assert (await connected.post(address, JSON, prose=prose)).status_code == status
    fragment = await connected.post(address, HTMX, prose=prose)
    assert (fragment.status_code, fragment.headers["hx-reswap"]) == (status, "none")
    answer = await connected.post(address, prose=prose)
    assert editor(parse(answer.text)).value_of("prose") == prose.replace("\x00", "\ufffd")
    assert (await connected.turns(chat_id))[-1]["versions"] == 1


async def test_hostile_words_stay_words_in_a_form_and_its_versions(connected: Visitor) -> None:
    chat_id, (first,) = await told(connected, "One.")
    address = f"/chats/{chat_id}/turns/{first}/edit"
    await edited(connected, address, HOSTILE)
    await edited(connected, address, f"{HOSTILE} again")
    page = await connected.get(address)
    assert editor(page).value_of("prose") == f"{HOSTILE} again"
    assert not [one for one in page.all("script") if "src" not in one.attrs]


async def test_what_belongs_to_another_chat_is_not_here(connected: Visitor) -> None:
    mine, _ = await told(connected, "Mine.")
    other, (first,) = await told(connected, "Elsewhere.")
    before = [await connected.turns(one) for one in (mine, other)]
    for headers in (JSON, HTMX, {}):
        for turn_id in (first, "nonsense"):
            address = f"/chats/{mine}/turns/{turn_id}"
            assert (await connected.client.get(f"{address}/edit", headers=headers)).status_code == 404
            assert (await connected.post(f"{address}/edit", headers, prose="x")).status_code == 404
            assert (
                await connected.post(f"{address}/edit", headers, prose="x", go_on="on")
            ).status_code == 404
            assert (await connected.post(f"{address}/continue", headers)).status_code == 404
        assert (await connected.post(f"/chats/nowhere/turns/{first}/continue", headers)).status_code == 404
    assert [await connected.turns(one) for one in (mine, other)] == before


async def test_a_reply_is_written_on_from_its_button(connected: Visitor, peer: Peer) -> None:
    chat_id, (first,) = await told(connected, "One.")
    page = await connected.get(f"/chats/{chat_id}")
    forms = [form.attrs["action"] for form in page.by_id(f"turn-{first}").all("form", cls="again")]
    assert forms[0] == f"/chats/{chat_id}/turns/{first}/continue"
    peer.script(Reply(" *And again.*"))
    plain = await connected.post(forms[0])
    assert (plain.status_code, plain.headers["location"]) == (303, f"/chats/{chat_id}")
    await connected.settled(chat_id)
    assert (await words(connected, chat_id))[-1] == '*nods* "Mm-hm." *And again.*'
    page = await connected.get(f"/chats/{chat_id}")
    assert page.by_id("undo").text == "Undo: the continuation"
    rest = threading.Event()
    peer.script(Reply(" More.", rest=rest))
    answer = await connected.post(forms[0], HTMX)
    assert answer.status_code == 202
    grown = parse(answer.text).by_id(f"turn-{first}")
    assert "running" in grown.attrs["class"]
    assert not grown.all("form")
    rest.set()
    await connected.settled(chat_id)
    impact = await connected.json(
        f"/chats/{chat_id}/turns/{(await connected.turns(chat_id))[1]['id']}/rewind"
    )
    assert (impact["turns"], impact["wordings"]) == (1, 0)
    impact = await connected.json(f"/chats/{chat_id}/turns/{first}/rewind")
    assert "1 turn gets its earlier words back." in impact["sentences"]


async def test_while_a_reply_is_written_stopping_it_first_is_offered(connected: Visitor, peer: Peer) -> None:
    chat_id, first, reply_id = await running(connected, peer)
    for path, fields in (("edit", {"prose": "Other."}), ("continue", {})):
        address = f"/chats/{chat_id}/turns/{first if path == 'edit' else reply_id}/{path}"
        assert (await connected.post(address, JSON, **fields)).status_code == 409
        fragment = parse((await connected.post(address, HTMX, **fields)).text)
        assert fragment.one(cls="notice").one("form").attrs["action"] == address
        answer = await connected.post(address, **fields)
        assert answer.status_code == 409
        offer = offered(parse(answer.text))
        assert (offer["action"], offer["stop"]) == (address, "on")
    elsewhere = await connected.post(f"/chats/{chat_id}/turns/{first}/continue")
    link = parse(elsewhere.text).by_id("notices").one("a")
    assert link.attrs["href"] == f"/chats/{chat_id}/turns/{first}/rewind"
    assert connected.engine.runs.get(chat_id)


async def test_the_offered_button_stops_the_reply_and_does_what_was_asked_at_once(
    connected: Visitor, peer: Peer
) -> None:
    chat_id, first, reply_id = await running(connected, peer)
    edit = f"/chats/{chat_id}/turns/{first}/edit"
    version = (await connected.get(edit)).value_of("version")
    page = parse((await connected.post(edit, prose='Other\n"words" & <b>.', version=version)).text)
    form = page.by_id("notices").one("form")
    sent = {str(one.attrs["name"]): str(one.attrs["value"]) for one in form.all("input")}
    assert sent == {"prose": 'Other\n"words" & <b>.', "version": version, "stop": "on"}
    answer = await connected.post(str(form.attrs["action"]), **sent)
    assert answer.status_code == 303
    assert connected.engine.runs.get(chat_id) is None
    told = await words(connected, chat_id)
    assert told[1] == 'Other\n"words" & <b>.'
    await connected.settled(chat_id)
    peer.script(Reply(" *And on.*"))
    before = told[-1]
    answer = await connected.post(f"/chats/{chat_id}/turns/{reply_id}/continue", stop="on")
    assert answer.status_code == 303
    await connected.settled(chat_id)
    assert (await words(connected, chat_id))[-1].startswith(before.rstrip())
    assert (await words(connected, chat_id))[-1].endswith("*And on.*")
