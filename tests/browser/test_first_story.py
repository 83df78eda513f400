"""A new user, from the first page to the tenth turn, with nothing configured."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.browser import desk
from tests.support.server import Server

LINES = (
    'I sit down on the bench. "Good evening. Is the kettle on?"',
    '"It rained all the way from the harbour."',
    "*hangs the wet coat over the chair*",
    '"Do you remember the lighthouse?"',
    '((is this slow on purpose?)) "Tell me about your brother."',
    '"I brought a letter for you." *lays it on the table*',
    '"Who else is awake?"',
    "*looks out of the window at the yard*",
    '"Shall we go down to the cellar?"',
    '"What did I bring you tonight?"',
)


async def test_a_new_user_reaches_the_tenth_turn_and_finds_the_story_again(
    page: Page, server: Server
) -> None:
    await page.goto(server.url)
    await expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    await page.goto(f"{server.url}/settings")
    await page.fill("#you input[name=name] >> nth=0", "Ada")
    await page.fill("#you input[name=pronouns] >> nth=0", "she/her")
    await page.click("#you button.primary >> nth=0")
    await expect(page.locator("#rail")).to_contain_text("Ada")

    await page.goto(f"{server.url}/bots/new")
    await page.fill("[name=name]", "Mara")
    await page.fill("[name=persona]", "An innkeeper who notices everything and says little.")
    await page.fill("[name=voice_samples]", "Sit. Eat.\n---\nThe road keeps what it takes.")
    await page.fill("[name=traits]", "dry, patient, watchful")
    await page.fill("[name=kickoff_prose]", desk.PROSE)
    await page.click("main button.primary")
    await expect(page).to_have_url(f"{server.url}/bots/{page.url.split('/')[-2]}/kickoff")
    await expect(page.locator("textarea[name=prose]")).to_have_value(desk.PROSE)
    await page.click("button[value=parse]")
    await page.click("button[value=confirm]")
    await expect(page.locator("#composer")).to_be_visible()
    await expect(page.locator(".demo-tag")).to_be_visible()

    replies = []
    for line in LINES:
        await desk.say(page, line)
        replies.append(await desk.answered(page))
    assert all(reply.strip() for reply in replies)
    assert len(set(replies)) == len(LINES)
    await expect(page.locator(".turn.you")).to_have_count(len(LINES))
    before = await desk.transcript(page)

    address = page.url
    await page.close()
    server.stop()
    server.start()
    again = await page.context.browser.new_page()  # type: ignore[union-attr]
    await again.goto(server.url)
    await again.locator("main a[href^='/chats/']", has_text="").first.wait_for()
    await again.goto(address)
    assert await desk.transcript(again) == before
    server.stop()
    verified = server.command("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
