"""The program's own files: one address for each version, small on the wire, and nothing from anywhere else."""

from __future__ import annotations

import gzip
import re

from chat.web.assets import Assets
from tests.web.conftest import Visitor

REQUESTS_MAX = 8
WIRE_BYTES_MAX = 120_000


async def test_a_version_is_kept_for_ever_and_nothing_else_is(visitor: Visitor) -> None:
    url = visitor.app.state.assets.url("style.css")
    kept = await visitor.client.get(url)
    assert "immutable" in kept.headers["cache-control"]
    assert kept.headers["content-type"].startswith("text/css")
    plain = await visitor.client.get("/static/style.css")
    assert plain.headers["cache-control"] == "no-cache"
    again = await visitor.client.get("/static/style.css", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_only_files_that_are_there_are_given(visitor: Visitor) -> None:
    for name in ("nothing.css", "../site.py", "%2e%2e/site.py", "css/tokens.css", "vendor/VENDOR.toml", ""):
        assert (await visitor.client.get(f"/static/{name}")).status_code == 404, name


async def test_a_file_is_squeezed_only_for_who_reads_that(visitor: Visitor) -> None:
    plain = await visitor.client.get("/static/vendor/htmx.min.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    asset = Assets().get("vendor/htmx.min.js")
    assert asset
    assert plain.content == asset.body == gzip.decompress(asset.squeezed)


async def test_a_chat_page_is_light_and_asks_for_little(connected: Visitor) -> None:
    bot_id = await connected.bot()
    chat_id = await connected.chat(bot_id)
    for number in range(25):
        await connected.say(chat_id, f"{number} " + "and then the rain began again " * 20)
    page = await connected.client.get(f"/chats/{chat_id}", headers={"Accept-Encoding": "gzip"})
    assert page.headers["content-encoding"] == "gzip"
    files = set(re.findall(r'(?:src|href)="/static/([^"?]+)', page.text)) | {"live.js"}
    sources = [
        asset.body.decode() for name in files if (asset := Assets().get(name)) and name.endswith(".js")
    ]
    files |= {name for source in sources for name in re.findall(r'from "\./([^"]+)"', source)}
    sent = len(gzip.compress(page.content, 1)) + sum(
        len(Assets().get(name).squeezed or Assets().get(name).body) for name in files
    )  # type: ignore[union-attr]
    assert len(files) + 1 <= REQUESTS_MAX  # the page itself; the stream stays open and is no part of loading
    assert sent <= WIRE_BYTES_MAX
