"""The drawer in a real browser: in step in every tab, changed in place, and no typed word ever lost."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.browser import desk
from tests.browser.test_access import findings_of
from tests.support.server import Server
from tests.support.watch import Watch

PANEL = "#drawer-panel > summary"


async def opened(page: Page, server: Server, chat: str) -> None:
    await desk.open_chat(page, server, chat)
    await page.click(PANEL)
    await expect(page.locator("#drawer")).to_be_visible()


async def another(page: Page, watch: Watch, server: Server, chat: str) -> Page:
    other = watch.over(await page.context.new_page())
    await opened(other, server, chat)
    return other


def feeling(page: Page) -> Locator:
    """What the bot feels toward the player."""
    return page.locator(".feeling").first


async def edit(thing: Locator, *, has_script: bool = True) -> Locator:
    """Opens the form of a thing; script then moves the focus into it, and what is typed before that goes astray."""
    await thing.locator(".edit > summary").click()
    form = thing.locator(".edit-form")
    if has_script:
        await expect(form.locator(":focus")).to_have_count(1)
    return form


async def weather(page: Page, text: str) -> None:
    form = await edit(page.locator(".thing:has(#weather)"))
    await form.locator("input[name=weather]").fill(text)
    await form.get_by_role("button", name="Save").click()
    await expect(page.locator(".drawer-weather")).to_have_text(text)


def conflicts(watch: Watch) -> None:
    """Chromium tells of every 409 and 422; here they are what is tried."""
    watch.errors[:] = [one for one in watch.errors if "409" not in one and "422" not in one]


async def test_both_tabs_see_the_clock_move_the_feelings_change_and_the_place(
    page: Page, watch: Watch, server: Server
) -> None:
    chat = desk.begin_story(server)
    await opened(page, server, chat)
    other = await another(page, watch, server, chat)
    tabs = (page, other)
    before = [await tab.locator(".drawer-time").inner_text() for tab in tabs]
    values = [await feeling(tab).locator("dd").all_inner_texts() for tab in tabs]
    await page.bring_to_front()
    await desk.say(page, '"Thank you, I love this. You are very kind, and I promise to stay."')
    await desk.answered(page)
    for number, tab in enumerate(tabs):
        await expect(tab.locator(".drawer-time")).not_to_have_text(before[number])
        await expect(feeling(tab).locator(".reason")).to_be_visible()
        assert await feeling(tab).locator("dd").all_inner_texts() != values[number]
    await desk.say(page, '"Let\'s walk down to the harbour together."')
    await desk.answered(page)
    for tab in tabs:
        await expect(tab.locator(".drawer-lead")).to_have_text("the harbour")
        await expect(tab.locator(".memory", has_text="a whole scene")).to_have_count(1)


async def test_the_second_of_two_tabs_gets_the_newer_value_beside_the_typed_one(
    page: Page, watch: Watch, server: Server
) -> None:
    chat = desk.begin_story(server)
    await opened(page, server, chat)
    other = await another(page, watch, server, chat)
    first, second = await edit(feeling(page)), await edit(feeling(other))
    await second.locator("textarea[name=summary]").fill("Mine: somebody\nto be careful of.")
    await second.locator("input[name=affinity]").fill("31")
    await first.locator("input[name=affinity]").fill("64")
    await first.get_by_role("button", name="Save").click()
    await expect(first).to_be_hidden()
    for tab in (page, other):
        await expect(feeling(tab).locator("dd").first).to_have_text("64")
    await expect(second.locator("input[name=affinity]")).to_have_value("31")
    await second.get_by_role("button", name="Save").click()
    await expect(second.get_by_role("button", name="Keep theirs")).to_be_visible()
    await expect(second.locator("input[name=affinity]")).to_have_value("31")
    await expect(second.locator("textarea[name=summary]")).to_have_value("Mine: somebody\nto be careful of.")
    await expect(second.locator(".newer").first).to_have_text("Now it says 64")
    await weather(page, "Fog on the water")
    await expect(other.locator(".drawer-weather")).to_have_text("Fog on the water")
    await expect(second.locator("input[name=affinity]")).to_have_value("31")
    await second.get_by_role("button", name="Take mine").click()
    for tab in (page, other):
        await expect(feeling(tab).locator("dd").first).to_have_text("31")
        await expect(feeling(tab).locator(".feeling-summary")).to_have_text(
            "Mine: somebody to be careful of."
        )
    conflicts(watch)


async def test_keeping_theirs_leaves_everything_as_it_is(page: Page, watch: Watch, server: Server) -> None:
    chat = desk.begin_story(server)
    await opened(page, server, chat)
    other = await another(page, watch, server, chat)
    form = await edit(page.locator(".thing:has(#weather)"))
    await form.locator("input[name=weather]").fill("hail")
    await weather(other, "snow")
    await form.get_by_role("button", name="Save").click()
    await form.get_by_role("button", name="Keep theirs").click()
    await expect(form).to_be_hidden()
    await expect(page.locator(".drawer-weather")).to_have_text("snow")
    await expect(page.locator("#weather > summary")).to_be_focused()
    conflicts(watch)


async def test_typing_and_the_focus_survive_a_reply_and_all_it_changes(page: Page, server: Server) -> None:
    chat = desk.begin_story(server)
    await opened(page, server, chat)
    await desk.say(page, '"My sister was the keeper of this light. Thank you for listening, you are kind."')
    await desk.answered(page)
    await expect(feeling(page).locator(".reason")).to_be_visible()  # all of it is worked out
    memory = page.locator(".memory").first
    memory_id = await memory.get_attribute("id")
    form = await edit(page.locator(f"#{memory_id}"))
    box = form.locator("textarea")
    await box.press("Control+End")
    await box.press_sequentially(" And I")
    said = server.request("POST", f"/chats/{chat}/turns", form={"prose": '"I promise. I love it here."'})
    assert said.status == 202
    await box.press_sequentially(" wrote this while the reply came.", delay=60)
    await expect(page.locator(".memory")).to_have_count(2)
    await expect(page.locator(".memory").first).not_to_have_attribute("id", memory_id or "")
    assert (await box.input_value()).endswith(" And I wrote this while the reply came.")
    assert await box.evaluate("box => document.activeElement === box")
    await form.get_by_role("button", name="Save").click()
    await expect(form).to_be_hidden()
    stored = server.request("GET", f"/chats/{chat}/drawer").json["editable"]
    texts = [one["values"]["text"] for one in stored if one["what"] == "memory"]
    assert any(text.endswith("And I wrote this while the reply came.") for text in texts)


async def test_an_editor_nobody_is_at_shows_the_newer_value(page: Page, watch: Watch, server: Server) -> None:
    chat = desk.begin_story(server)
    await opened(page, server, chat)
    other = await another(page, watch, server, chat)
    form = await edit(page.locator(".thing:has(#weather)"))
    await page.locator(desk.BOX).focus()
    await weather(other, "sleet")
    await expect(form.locator("input[name=weather]")).to_have_value("sleet")
    await form.locator("input[name=weather]").fill("thaw")
    await form.get_by_role("button", name="Save").click()
    await expect(page.locator(".drawer-weather")).to_have_text("thaw")


async def test_a_wrong_value_stays_in_its_field_and_what_is_set_by_hand_can_be_released(
    page: Page, watch: Watch, server: Server
) -> None:
    await opened(page, server, desk.begin_story(server))
    form = await edit(feeling(page))
    await form.locator("input[name=trust]").fill("a great deal")
    await form.get_by_role("button", name="Save").click()
    await expect(form.locator(".refusal")).to_contain_text("Trust is a whole number from 0 to 100.")
    await expect(form.locator("input[name=trust]")).to_have_value("a great deal")
    await expect(form.locator("input[name=trust]")).to_be_focused()
    await page.keyboard.press("Control+A")
    await page.keyboard.type("77")
    await page.keyboard.press("Enter")
    await expect(feeling(page).locator(".by-hand")).to_contain_text("Trust set by hand")
    await feeling(page).get_by_role("button", name="Release").click()
    await expect(feeling(page).locator(".by-hand")).to_have_count(0)
    await expect(page.locator(":focus")).to_have_count(1)
    conflicts(watch)


async def test_what_cannot_be_sent_stays_typed(page: Page, watch: Watch, server: Server) -> None:
    await opened(page, server, desk.begin_story(server))
    form = await edit(page.locator(".thing:has(#weather)"))
    await form.locator("input[name=weather]").fill("A long rain")
    await page.route("**/drawer/weather/*", lambda route: route.abort())
    await form.get_by_role("button", name="Save").click()
    await expect(form.locator(".refusal")).to_contain_text("cannot be reached")
    await expect(form.locator("input[name=weather]")).to_have_value("A long rain")
    await page.unroute("**/drawer/weather/*")
    await form.get_by_role("button", name="Save").click()
    await expect(page.locator(".drawer-weather")).to_have_text("A long rain")
    watch.errors.clear()


async def test_everything_is_done_with_the_keyboard_alone(page: Page, server: Server) -> None:
    await desk.open_chat(page, server, desk.begin_story(server))
    await page.focus(PANEL)
    await page.keyboard.press("Enter")
    await expect(page.locator("#drawer")).to_be_visible()
    for _ in range(2):  # past the place
        await page.keyboard.press("Tab")
    await expect(page.locator("#clock > summary")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#clock input[name=at]")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#clock > summary")).to_be_focused()
    await expect(page.locator("#clock input[name=at]")).to_be_hidden()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#weather input[name=weather]")).to_be_focused()
    await page.keyboard.type("Northern lights")
    await page.keyboard.press("Enter")
    await expect(page.locator(".drawer-weather")).to_have_text("Northern lights")
    await expect(page.locator("#weather > summary")).to_be_focused()


async def test_a_scene_is_closed_and_pins_are_set_in_place(page: Page, server: Server) -> None:
    await opened(page, server, desk.begin_story(server))
    await desk.say(page, '"I was born on this island."')
    await desk.answered(page)
    await page.get_by_role("button", name="Pin this memory").click()
    await expect(page.locator(".pins")).to_contain_text("1/8")
    await page.get_by_text("Close this scene").click()
    await page.fill("#scene-name", "The night train")
    await page.get_by_role("button", name="Close the scene").click()
    await expect(page.locator(".drawer-lead")).to_have_text("The night train")
    await expect(page.locator(".memory", has_text="a whole scene")).to_have_count(1)
    await page.get_by_role("link", name="see the turn").first.click()
    assert await page.evaluate("document.activeElement.classList.contains('turn')")
    assert "/turns/" not in page.url


async def test_what_is_pressed_is_not_moved_from_under_the_pointer(
    page: Page, watch: Watch, server: Server
) -> None:
    await page.add_init_script(desk.PRESSED_FOR_LONG)
    chat = desk.begin_story(server)
    await opened(page, server, chat)
    await desk.say(page, '"I was born on this island."')
    await desk.answered(page)
    await expect(page.locator(".changes li").first).to_be_visible(timeout=15_000)
    other = await another(page, watch, server, chat)
    await page.bring_to_front()
    await page.get_by_role("button", name="Pin this memory").hover()
    await page.mouse.down()
    editable = server.request("GET", f"/chats/{chat}/drawer").json["editable"]
    edge = next(one for one in editable if one["what"] == "edge")
    path = f"/chats/{chat}/drawer/edge/{edge['id'].replace('>', '%3E')}"
    words = "Somebody from here. " * 15
    taken = server.request("POST", path, form={"revision": str(edge["revision"]), "summary": words})
    assert taken.status == 200, taken.text
    await expect(feeling(other)).to_contain_text("Somebody from here.")
    await page.wait_for_timeout(500)
    await page.mouse.up()
    for tab in (page, other):
        await expect(tab.locator(".pins")).to_contain_text("1/8")
        await expect(feeling(tab)).to_contain_text("Somebody from here.")


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_finding_with_every_editor_open(
    page: Page, watch: Watch, server: Server, width: int, scheme: str
) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    chat = desk.begin_story(server)
    await opened(page, server, chat)
    if width == 390:
        await page.click(PANEL)
    await desk.say(page, '"I will tell you a secret, I promise to stay."')
    await desk.answered(page)
    if width == 390:
        await page.click(PANEL)
    await expect(page.locator(".changes li").first).to_be_visible(timeout=15_000)
    form = await edit(feeling(page))
    edge = next(
        one
        for one in server.request("GET", f"/chats/{chat}/drawer").json["editable"]
        if one["what"] == "edge"
    )
    await form.locator("input[name=affinity]").fill("3")
    taken = server.request(
        "POST",
        f"/chats/{chat}/drawer/edge/{edge['id'].replace('>', '%3E')}",
        form={"revision": str(edge["revision"]), "affinity": "80"},
    )
    assert taken.status == 200, taken.text
    await form.get_by_role("button", name="Save").click()
    await expect(form.locator(".newer").first).to_be_visible()
    await page.evaluate("document.querySelectorAll('#drawer details').forEach(one => { one.open = true })")
    assert not await findings_of(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    sheet = page.locator(".drawer-sheet")
    assert await sheet.evaluate("one => one.scrollWidth <= one.clientWidth")
    conflicts(watch)


async def test_the_drawer_is_changed_without_script(page: Page, server: Server) -> None:
    browser = page.context.browser
    assert browser
    context = await browser.new_context(java_script_enabled=False)
    plain = await context.new_page()
    chat = desk.begin_story(server)
    await opened(plain, server, chat)
    late = await context.new_page()
    await opened(late, server, chat)
    form = await edit(plain.locator(".thing:has(#weather)"), has_script=False)
    await form.locator("input[name=weather]").fill("Rain")
    await form.get_by_role("button", name="Save").click()
    await expect(plain.locator(".drawer-weather")).to_have_text("Rain")
    await expect(plain.locator("#drawer")).to_be_visible()
    form = await edit(late.locator(".thing:has(#weather)"), has_script=False)
    await form.locator("input[name=weather]").fill("Hail")
    await form.get_by_role("button", name="Save").click()
    await expect(late.locator(".newer")).to_have_text("Now it says Rain")
    await expect(late.locator("input[name=weather]")).to_have_value("Hail")
    await late.get_by_role("button", name="Take mine").click()
    await expect(late.locator(".drawer-weather")).to_have_text("Hail")
    await context.close()


async def test_the_focus_stays_in_the_drawer_when_the_change_is_told_before_the_answer_comes(
    page: Page, watch: Watch, server: Server
) -> None:
    await opened(page, server, desk.begin_story(server))
    form = await edit(feeling(page))
    await form.locator("input[name=trust]").fill("77")
    await form.get_by_role("button", name="Save").click()
    told = asyncio.Event()

    async def late(route: Route) -> None:
        answer = await route.fetch()
        await told.wait()
        await route.fulfill(response=answer)

    await page.route("**/drawer/edge/**", late)
    await feeling(page).get_by_role("button", name="Release").click()
    await expect(feeling(page).locator(".by-hand")).to_have_count(0)
    told.set()
    await expect(feeling(page).locator(":focus")).to_have_count(1)
