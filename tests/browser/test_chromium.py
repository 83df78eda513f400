"""The browser the other tests rely on is really there and really watched."""

from __future__ import annotations

from playwright.async_api import Page

from tests.support.watch import Watch


async def test_a_page_is_drawn_and_its_script_runs(page: Page) -> None:
    await page.set_content(
        "<p id=p>before</p><script>document.getElementById('p').textContent = 'after'</script>"
    )
    assert await page.text_content("#p") == "after"


async def test_a_script_error_and_a_request_elsewhere_are_noticed(page: Page, watch: Watch) -> None:
    await page.set_content(
        "<img src='http://192.0.2.1/pixel.png'><script>missing()</script>", wait_until="commit"
    )
    await page.wait_for_timeout(200)
    assert watch.left_the_machine == ["http://192.0.2.1/pixel.png"]
    assert any("missing is not defined" in error for error in watch.errors)
    watch.left_the_machine.clear()
    watch.errors.clear()
