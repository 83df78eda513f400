"""Watches a browser's pages for what they must never do."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.async_api import ConsoleMessage, Page, Request


class Watch:
    """What a page should not do. A test that provokes an error on purpose takes it out of `errors`."""

    def __init__(self) -> None:
        self.is_watching = True
        self.errors: list[str] = []
        self.left_the_machine: list[str] = []

    def over(self, page: Page) -> Page:
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._on_request)
        return page

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and self.is_watching:
            self.errors.append(f"{message.text} at {message.location.get('url', '')}")

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https", "ws", "wss"} and address.hostname not in {
            "127.0.0.1",
            "localhost",
        }:
            self.left_the_machine.append(request.url)
