"""Portraits: any picture becomes a small one of our own, and nothing that is no picture becomes anything."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from chat.interop.pictures import portrait
from tests.support.dom import parse
from tests.web.conftest import JSON, Visitor

SECRET = b"GPS 54.1 N 10.2 E"


def picture(kind: str = "PNG", size: tuple[int, int] = (640, 480)) -> bytes:
    """A picture with something about its owner in it."""
    image, out = Image.new("RGB", size, (180, 40, 90)), io.BytesIO()
    about = PngInfo()
    about.add_text("Comment", SECRET.decode())
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    image.save(out, kind, **({"pnginfo": about} if kind == "PNG" else {"exif": exif}))
    return out.getvalue()


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


HEAD = _chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
HOSTILE = {
    "empty": b"",
    "html": b"<!doctype html><script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "gif": b"GIF89a" + b"\x00" * 40,
    "33 huge dimensions": _png(
        _chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 6, 0, 0, 0)),
        _chunk(b"IDAT", zlib.compress(b"\x00")),
        _chunk(b"IEND", b""),
    ),
    "31 a text that unpacks to a gigabyte": _png(
        HEAD, _chunk(b"zTXt", b"a\x00\x00" + zlib.compress(b"A" * 200_000_000, 9)), _chunk(b"IEND", b"")
    ),
    "34 a length past the end": _png(HEAD, struct.pack(">I", 0xFFFFFFFF) + b"IDATxx"),
    "34 cut off": picture()[:200],
}


async def _set(visitor: Visitor, address: str, data: bytes, **fields: str) -> tuple[int, str]:
    files = {"picture": ("../../evil.php", data, "image/png")}
    answer = await visitor.client.post(address, headers=JSON, data=fields, files=files)
    return answer.status_code, answer.json().get("portrait") or ""


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_a_portrait_is_made_anew_small_and_without_what_else_was_in_the_file(
    visitor: Visitor, kind: str
) -> None:
    bot_id, other = await visitor.bot(name="Mira"), await visitor.bot(name="Tomas")
    sent = picture(kind) + b"<script>alert(1)</script>"
    status, address = await _set(visitor, f"/bots/{bot_id}/portrait", sent)
    assert status == 200
    shown = await visitor.client.get(address)
    assert shown.headers["content-type"] == "image/png"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in shown.headers["cache-control"]
    image = Image.open(io.BytesIO(shown.content))
    assert (image.format, image.size) == ("PNG", (128, 128))
    assert image.info.keys() <= {"transparency"}
    for kept in (SECRET, b"script", b"Exif"):
        assert kept not in shown.content
    files = [path.name for path in visitor.engine.settings.media_dir.iterdir()]
    assert files == [address.removeprefix("/media/")]
    chat_id, plain = await visitor.chat(bot_id), await visitor.chat(other)
    await visitor.say(chat_id, '"Hello."')
    page = await visitor.get(f"/chats/{chat_id}")
    assert [img.attrs["src"] for img in page.by_id("transcript").all("img")] == [address]
    assert address in [img.attrs["src"] for img in page.by_id("rail").all("img")]
    assert not (await visitor.get(f"/chats/{plain}")).by_id("transcript").all("img")
    assert (await visitor.get("/chats")).by_id("main").all("img", src=address)


def test_a_grey_picture_of_sixteen_bits_keeps_its_greys() -> None:
    out = io.BytesIO()
    Image.new("I;16", (20, 20), 0x8000).save(out, "PNG")
    assert Image.open(io.BytesIO(portrait(out.getvalue()))).convert("RGBA").getpixel((9, 9)) == (
        128,
        128,
        128,
        255,
    )


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_file_that_is_no_picture_is_refused_with_a_sentence(visitor: Visitor, name: str) -> None:
    bot_id = await visitor.bot()
    before = visitor.engine.store.head
    status, _ = await _set(visitor, f"/bots/{bot_id}/portrait", HOSTILE[name])
    assert status == 422
    assert visitor.engine.store.head == before
    assert list(visitor.engine.settings.media_dir.iterdir()) == []


async def test_a_persona_has_a_portrait_that_stays_through_edits_until_it_is_taken_away(
    visitor: Visitor,
) -> None:
    (you,) = (await visitor.json("/settings"))["personas"]
    address = f"/settings/personas/{you['id']}/portrait"
    files = {"picture": ("me.png", picture(size=(60, 200)), "image/png")}
    plain = await visitor.client.post(address, files=files)
    assert (plain.status_code, plain.headers["location"]) == (303, "/settings#you")
    await visitor.post("/settings", name="Jo", persona="A surveyor.")
    chat_id = await visitor.chat()
    await visitor.say(chat_id, '"Hello."')
    page = await visitor.get(f"/chats/{chat_id}")
    assert len(page.by_id("transcript").all("img")) == 1
    answer = await visitor.client.post(address, files={"picture": ("", b"", "")}, data={"remove": "on"})
    assert answer.status_code == 303
    assert not (await visitor.get(f"/chats/{chat_id}")).by_id("transcript").all("img")


async def test_portraits_are_guarded_like_everything_else(visitor: Visitor) -> None:
    bot_id = await visitor.bot()
    (you,) = (await visitor.json("/settings"))["personas"]
    for address in (
        "/bots/nobody/portrait",
        f"/bots/{you['id']}/portrait",
        f"/settings/personas/{bot_id}/portrait",
    ):
        assert (await _set(visitor, address, picture()))[0] == 404, address
    files = {"picture": ("a.png", picture(), "image/png")}
    foreign = {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}
    answer = await visitor.client.post(f"/bots/{bot_id}/portrait", files=files, headers=foreign)
    assert answer.status_code == 403
    assert (await visitor.post(f"/bots/{bot_id}/portrait", picture="x")).status_code == 415
    for name in ("x.png", "../chat.db", f"{'0' * 64}.png", f"{'0' * 64}"):
        assert (await visitor.client.get(f"/media/{name}")).status_code == 404, name
    large = await _set(visitor, f"/bots/{bot_id}/portrait", b"x" * 13_000_000)
    assert large[0] == 413
    page = await visitor.client.post(f"/bots/{bot_id}/portrait", files={"picture": ("a", b"no", "image/png")})
    assert page.status_code == 422
    assert "cannot be read as a PNG, JPEG or WebP" in parse(page.text).by_id("notices").text


async def test_a_copy_without_its_pictures_shows_letters_again(visitor: Visitor) -> None:
    bot_id = await visitor.bot(name="Mira Vale")
    _, address = await _set(visitor, f"/bots/{bot_id}/portrait", picture())
    (visitor.engine.settings.media_dir / address.removeprefix("/media/")).unlink()
    assert (await visitor.client.get(address)).status_code == 404
    page = await visitor.get(f"/bots/{bot_id}")
    assert not page.all("img")
    assert page.by_id("portrait").one(cls="portrait").text == "MV"
