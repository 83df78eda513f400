"""The opening: read once, every line of it editable, confirmed once."""

from __future__ import annotations

from tests.support.dom import parse
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Status
from tests.web.conftest import JSON, Visitor
from tests.web.test_gone_meanwhile import behind

PROSE = "A night train crossing the plain, ten past eleven. Mira reads a letter by the window. You stand in the door."


def _form(page: object) -> dict[str, str]:
    """What a browser would send back with the second form untouched."""
    form = page.one("form", cls="kickoff-fields")  # type: ignore[attr-defined]
    values = {}
    for one in form.walk():
        name = one.attrs.get("name")
        if one.attrs.get("type") == "checkbox":
            if "checked" in one.attrs:
                values[name] = "on"
        elif name and one.tag != "button":
            values[name] = form.value_of(name)
    return values


async def test_the_opening_is_read_then_shown_line_by_line(visitor: Visitor) -> None:
    bot_id = await visitor.bot()
    page = await visitor.get(f"/bots/{bot_id}/kickoff")
    assert not page.all("form", cls="kickoff-fields")
    answer = await visitor.post(f"/bots/{bot_id}/kickoff", action="parse", prose=PROSE)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/bots/{bot_id}/kickoff")
    fields = set(_form(await visitor.get(f"/bots/{bot_id}/kickoff")))
    assert {
        "title",
        "place_name",
        "place_type",
        "audible_range",
        "start_date",
        "start_time",
        "opening",
    } <= fields
    assert {"you_posture", "you_action", "you_holding", "bot_posture", "bot_action", "bot_holding"} <= fields
    assert {"affinity", "trust", "feeling_summary", "facts", "continuity", "draft_id"} <= fields


async def test_what_is_changed_is_what_the_story_begins_with(visitor: Visitor) -> None:
    bot_id = await visitor.bot()
    await visitor.post(f"/bots/{bot_id}/kickoff", action="parse", prose=PROSE)
    fields = _form(await visitor.get(f"/bots/{bot_id}/kickoff")) | {
        "title": "The 23:10",
        "place_name": "Carriage four",
        "is_moving": "on",
        "start_date": "1931-02-28",
        "start_time": "23:10",
        "bot_posture": "sitting",
        "bot_action": "reading a letter",
        "bot_holding": "a letter, a pencil",
        "affinity": "61",
        "trust": "34",
        "feeling_summary": "Wary of strangers.",
        "facts": "You lost your hat.\r\n\r\nYou have no ticket.",
        "opening": "The lamps dim.\r\n\r\nNobody speaks.",
    }
    fields.pop("is_public", None)
    kept = await visitor.post(f"/bots/{bot_id}/kickoff", **fields, action="save")
    assert kept.headers["location"] == f"/bots/{bot_id}/kickoff"
    fields = _form(await visitor.get(f"/bots/{bot_id}/kickoff"))
    assert (fields["title"], fields["trust"], fields.get("is_public")) == ("The 23:10", "34", None)
    answer = await visitor.post(f"/bots/{bot_id}/kickoff", **fields, action="confirm")
    address = answer.headers["location"]
    page = await visitor.get(address)
    assert page.one("h1").text == "The 23:10"
    assert page.one("h2", cls="scene").text == "Carriage four Saturday 28 February 1931, 23:10"
    assert [one.text for one in page.one("article", cls="opening").all("p")] == [
        "The lamps dim.",
        "Nobody speaks.",
    ]
    drawer = await visitor.json(f"{address}/drawer")
    doing = {one["name"]: one["doing"] for one in drawer["present"]}
    assert doing["Mira"] == "sitting, reading a letter, holding a letter, a pencil"
    mira = next(one for one in drawer["feelings"] if one["source"] == "Mira")
    assert (mira["affinity"], mira["trust"], mira["summary"]) == (61, 34, "Wary of strangers.")
    assert mira["facts"] == ["You lost your hat.", "You have no ticket."]
    assert "moving" in (await visitor.get(f"{address}/drawer")).text


async def test_confirming_twice_makes_one_chat(visitor: Visitor) -> None:
    bot_id = await visitor.bot()
    await visitor.post(f"/bots/{bot_id}/kickoff", action="parse", prose=PROSE)
    fields = _form(await visitor.get(f"/bots/{bot_id}/kickoff"))
    first = await visitor.post(f"/bots/{bot_id}/kickoff", **fields, action="confirm")
    again = await visitor.post(f"/bots/{bot_id}/kickoff", **fields, action="confirm")
    assert first.headers["location"] == again.headers["location"]
    assert len((await visitor.json("/chats"))["chats"]) == 1
    assert not (await visitor.get(f"/bots/{bot_id}/kickoff")).all("form", cls="kickoff-fields")


async def test_chats_share_a_continuity_unless_they_stand_alone(visitor: Visitor) -> None:
    bot_id = await visitor.bot()
    chats = [
        await visitor.chat(bot_id),
        await visitor.chat(bot_id),
        await visitor.chat(bot_id, continuity="own"),
    ]
    shared, also, alone = [(await visitor.json(f"/chats/{one}"))["continuity"] for one in chats]
    assert shared == also != alone


async def test_the_bot_may_speak_first(visitor: Visitor) -> None:
    chat_id = await visitor.chat(bot_speaks_first="on")
    await visitor.settled(chat_id)
    turns = await visitor.turns(chat_id)
    assert [turn["role"] for turn in turns] == ["assistant", "assistant"]
    assert turns[-1]["speaker"]["name"] == "Mira"


async def test_another_persona_can_be_played(visitor: Visitor) -> None:
    await visitor.post("/settings", you_id="new", name="Inspector Hale")
    hale = next(
        one for one in (await visitor.json("/settings"))["personas"] if one["name"] == "Inspector Hale"
    )
    bot_id = await visitor.bot()
    await visitor.post(f"/bots/{bot_id}/kickoff", action="parse", prose=PROSE, you_id=hale["id"])
    page = await visitor.get(f"/bots/{bot_id}/kickoff")
    assert page.value_of("you_id") == hale["id"]
    answer = await visitor.post(f"/bots/{bot_id}/kickoff", JSON, **_form(page), action="confirm")
    assert (await visitor.json(answer.json()["location"]))["you"]["name"] == "Inspector Hale"


async def test_nothing_to_read_is_refused_with_the_fields_kept(visitor: Visitor) -> None:
    bot_id = await visitor.bot(kickoff_prose="Its own beginning.")
    answer = await visitor.post(f"/bots/{bot_id}/kickoff", action="parse", prose="  ")
    assert answer.status_code == 422
    page = parse(answer.text)
    assert page.by_id("notices").one(cls="notice-next").text == "Write where the story begins, then read it."
    assert (await visitor.post("/bots/nobody/kickoff", JSON, prose=PROSE)).status_code == 404


async def test_a_refused_field_of_the_opening_says_itself_why(visitor: Visitor) -> None:
    bot_id = await visitor.bot()
    await visitor.post(f"/bots/{bot_id}/kickoff", action="parse", prose=PROSE)
    fields = _form(await visitor.get(f"/bots/{bot_id}/kickoff"))
    blank, long = (
        "There is nothing to read yet.",
        "The text has 16,001 characters; an opening can have 16,000.",
    )
    for sent, field, words in (
        ({"action": "parse", "prose": " "}, "prose", blank),
        ({"action": "parse", "prose": "p" * 16_001}, "prose", long),
        (fields | {"action": "confirm", "opening": "o" * 16_001}, "opening", long),
    ):
        page = parse((await visitor.post(f"/bots/{bot_id}/kickoff", **sent)).text)
        (marked,) = [one for one in page.walk() if one.attrs.get("aria-invalid")]
        assert (marked.attrs["name"], "autofocus" in marked.attrs) == (field, True)
        assert page.by_id(marked.attrs["aria-describedby"].split()[0]).text.startswith(words)
        assert marked.raw_text.strip() == sent[field].strip()


async def test_a_model_that_fails_leaves_a_draft_to_fill_in(connected: Visitor, peer: Peer) -> None:
    peer.script(Status(500, "down"), Status(500, "down"), Status(500, "down"), Status(500, "down"))
    bot_id = await connected.bot()
    await connected.post(f"/bots/{bot_id}/kickoff", action="parse", prose=PROSE)
    page = await connected.get(f"/bots/{bot_id}/kickoff")
    assert page.one(cls="notice-plain").text
    assert page.value_of("opening") == PROSE


async def test_feelings_carried_over_name_their_chat_and_what_there_is_instead(
    connected: Visitor, peer: Peer
) -> None:
    bot_id = await connected.bot()
    first = await connected.chat(bot_id, title="The <i>pier</i>")
    edge = next(
        one for one in (await connected.json(f"/chats/{first}/drawer"))["editable"] if one["what"] == "edge"
    )
    told = {"affinity": "71", "trust": "12", "summary": "Wary\nof you.", "facts": "You lie."}
    await connected.post(
        f"/chats/{first}/drawer/edge/{edge['id']}", JSON, revision=str(edge["revision"]), **told
    )
    stories = {}
    for continuity in ("own", "main"):
        peer.script(Answer({"affinity": 40, "feeling_summary": "A stranger."}), on="KickoffAnswer")
        await connected.post(f"/bots/{bot_id}/kickoff", action="parse", prose=PROSE)
        page = await connected.get(f"/bots/{bot_id}/kickoff")
        note = page.one("p", cls="carried")
        assert note.one("a").attrs["href"] == f"/chats/{first}"
        assert "The <i>pier</i>" in note.text
        assert "affinity 40, trust 50, “A stranger.”" in note.text
        form = _form(page) | {"continuity": continuity, "action": "confirm"}
        assert (form["affinity"], form["facts"]) == ("71", "You lie.")
        answer = await connected.post(f"/bots/{bot_id}/kickoff", JSON, **form)
        stories[continuity] = (await connected.json(f"/chats/{answer.json()['chat_id']}/drawer"))["feelings"][
            0
        ]
    shared, alone = stories["main"], stories["own"]
    assert (shared["affinity"], shared["summary"], shared["facts"]) == (71, "Wary\nof you.", ["You lie."])
    assert shared["from_chat"] == [first, "The <i>pier</i>"]
    assert (alone["affinity"], alone["summary"], alone["facts"]) == (40, "A stranger.", [])
    assert alone["from_chat"] is None


async def test_a_story_begun_twice_at_once_is_one_and_both_are_led_to_it(connected: Visitor) -> None:
    bot_id = await connected.bot()
    await connected.post(f"/bots/{bot_id}/kickoff", JSON, prose="A pier.", action="parse")
    begin = (
        f"/bots/{bot_id}/kickoff",
        {"action": "confirm", "place_name": "The pier", "bot_speaks_first": "on"},
    )
    first, second = await behind(connected, begin, begin)
    assert (first.status_code, second.status_code) == (200, 200), second.text
    assert first.json()["chat_id"] == second.json()["chat_id"]
    await connected.settled(first.json()["chat_id"])
    turns = await connected.turns(first.json()["chat_id"])
    assert [turn["speaker"]["name"] for turn in turns] == ["Narrator", "Mira"]
