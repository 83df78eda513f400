"""The program's own files: one address for each version, small on the wire, and nothing from anywhere else."""

from __future__ import annotations

import gzip
import io
import random
import re
from pathlib import Path

import pytest
from PIL import Image

from chat.web.assets import Assets
from chat.web.pages import THEMES
from chat.web.scripts import join_modules
from tests.web.conftest import JSON, Visitor

REQUESTS_MAX = 8
WIRE_BYTES_MAX = 120_000
PORTRAIT_BYTES_MAX = 20_000


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
    assets = Assets()
    asset, squeezed = assets.get("vendor/htmx.min.js"), await assets.squeezed("vendor/htmx.min.js")
    assert asset
    assert plain.content == asset.body == gzip.decompress(squeezed)


async def test_a_font_is_not_squeezed_again() -> None:
    assets = Assets()
    asset = assets.get("vendor/ibm-plex-mono-latin.woff2")
    assert asset
    assert asset.media_type == "font/woff2"
    assert await assets.squeezed("vendor/ibm-plex-mono-latin.woff2") == b""


@pytest.mark.parametrize("theme", THEMES)
async def test_a_chat_page_is_light_and_asks_for_little(connected: Visitor, theme: str) -> None:
    bot_id = await connected.bot()
    chat_id = await connected.chat(bot_id)
    for number in range(25):
        await connected.say(chat_id, f"{number} " + "and then the rain began again " * 20)
    headers = {"Accept-Encoding": "gzip", "Cookie": f"theme={theme}"}
    page = await connected.client.get(f"/chats/{chat_id}", headers=headers)
    assert page.headers["content-encoding"] == "gzip"
    files = set(re.findall(r'(?:src|href)="/static/([^"?]+)', page.text)) | {"live.js"}
    assert any(name.endswith(".woff2") for name in files) == (theme == "phosphor")
    assets = Assets()
    sizes = [len(await assets.squeezed(name) or assets.get(name).body) for name in files]  # type: ignore[union-attr]
    sent = len(gzip.compress(page.content, 1)) + sum(sizes)
    assert len(files) + 1 <= REQUESTS_MAX  # the page itself; neither the stream nor portraits are part of it
    assert sent <= WIRE_BYTES_MAX


async def test_portraits_are_content_small_loaded_when_they_come_in_sight_and_kept(
    connected: Visitor,
) -> None:
    """They are no files of the page: it is whole without them, each is asked for once and then never again."""
    mira, tom = await connected.bot(name="Mira"), await connected.bot(name="Tom")
    you = (await connected.json("/settings"))["personas"][0]["id"]
    seen = set()
    for number, owner in enumerate((f"/bots/{mira}", f"/bots/{tom}", f"/settings/personas/{you}")):
        worst = random.Random(number).randbytes(256 * 256 * 3)
        file = io.BytesIO()
        Image.frombytes("RGB", (256, 256), worst).save(file, "PNG")
        answer = await connected.client.post(
            f"{owner}/portrait", headers=JSON, files={"picture": ("me.png", file.getvalue(), "image/png")}
        )
        seen.add(answer.json()["portrait"])
    chat_id = await connected.chat(mira)
    await connected.say(chat_id, "One.")
    await connected.say(chat_id, "Two.")
    page = await connected.get(f"/chats/{chat_id}")
    shown = page.all("img")
    assert {one.attrs["src"] for one in shown} == seen
    assert all((one.attrs["loading"], one.attrs["decoding"]) == ("lazy", "async") for one in shown)
    assert all(one.attrs["width"] == one.attrs["height"] == "32" for one in shown), (
        "nothing moves when it comes"
    )
    for address in seen:
        picture = await connected.client.get(address)
        assert len(picture.content) <= PORTRAIT_BYTES_MAX
        assert "immutable" in picture.headers["cache-control"]


def test_the_style_sheet_names_the_very_font_that_was_loaded_ahead() -> None:
    assets = Assets()
    style = assets.get("style.css")
    assert style
    named = re.findall(r'url\("([^"]+)"\)', style.body.decode())
    assert assets.url("vendor/ibm-plex-mono-latin.woff2") in named
    assert all(assets.url(url.split("?")[0].removeprefix("/static/")) == url for url in named)


def test_a_page_asks_for_one_script_of_ours_however_many_it_is_written_in() -> None:
    script = Assets().get("app.js")
    assert script
    body = script.body.decode()
    assert "class Transcript" in body
    assert not re.search(r"^(import|export)\b", body, re.MULTILINE)


def test_scripts_keep_their_own_names_when_they_are_joined(tmp_path: Path) -> None:
    (tmp_path / "one.js").write_text("const KEPT = 1;\nexport const one = KEPT;\n", "utf-8")
    (tmp_path / "two.js").write_text(
        'import { one } from "./one.js";\nconst KEPT = one + 1;\nexport function two() {\n  return KEPT;\n}\n',
        "utf-8",
    )
    (tmp_path / "main.js").write_text(
        'import { one } from "./one.js";\nimport { two } from "./two.js";\ntell(one, two());\n', "utf-8"
    )
    joined = join_modules(tmp_path / "main.js").decode()
    assert joined.count("const KEPT = 1;") == 1
    assert joined.endswith("const { one } = $one;\nconst { two } = $two;\ntell(one, two());\n")


@pytest.mark.parametrize(
    "line", ['import * as all from "./one.js";', "export default 1;", 'export { one } from "./one.js";']
)
def test_a_script_of_another_shape_is_refused_when_the_program_starts(tmp_path: Path, line: str) -> None:
    (tmp_path / "main.js").write_text(line + "\n", "utf-8")
    with pytest.raises(ValueError, match="cannot be joined"):
        join_modules(tmp_path / "main.js")
