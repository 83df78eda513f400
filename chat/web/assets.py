"""Everything under static/, read once at the start and served from memory, squeezed beforehand.

An address with the right `?v=` may be kept for ever; without it the browser asks again each time.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from chat.errors import NotFound
from chat.web.scripts import join_modules

FOLDER = Path(__file__).parent / "static"
STYLE_SHEETS = (
    "tokens.css",
    "frame.css",
    "reading.css",
    "desk.css",
    "forms.css",
    "drawer.css",
    "lists.css",
    "travel.css",
    "map.css",
    "start.css",
    "phosphor.css",
)
"""Joined in this order into the one style sheet that pages ask for, `style.css`."""
_SMALL = 600
_WORTH_SQUEEZING = 0.9  # of its size; a font is squeezed already
_FILE_IN_STYLE = re.compile(rb'url\("([\w./-]+)"\)')
_KEPT_FOR_EVER = "public, max-age=31536000, immutable"

router = APIRouter()


class Asset(NamedTuple):
    """A file as it goes out."""

    body: bytes
    media_type: str
    version: str


def _asset(name: str, body: bytes) -> Asset:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Asset(body, media_type, hashlib.sha256(body).hexdigest()[:12])


def _squeezed(body: bytes) -> bytes:
    """Empty where gzip gains nothing."""
    squeezed = gzip.compress(body, 9, mtime=0) if len(body) > _SMALL else b""
    return squeezed if len(squeezed) <= len(body) * _WORTH_SQUEEZING else b""


class Assets:
    """The files by their name below static/."""

    def __init__(self, folder: Path = FOLDER) -> None:
        files = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.parent.name != "css" and path.suffix != ".toml"
        }
        files["app.js"] = join_modules(folder / "app.js")
        self._assets = {name: _asset(name, body) for name, body in files.items()}
        style = b"\n".join((folder / "css" / name).read_bytes() for name in STYLE_SHEETS)
        style = _FILE_IN_STYLE.sub(lambda found: f'url("{self.url(found[1].decode())}")'.encode(), style)
        self._assets["style.css"] = _asset("style.css", style)
        # Squeezing takes as long as opening the database; beside each other they cost a start half of that.
        squeezing = ThreadPoolExecutor(1, "squeezing")
        self._squeezed = {
            name: squeezing.submit(_squeezed, asset.body) for name, asset in self._assets.items()
        }
        squeezing.shutdown(wait=False)

    def url(self, name: str) -> str:
        """The address of a file, with the version of what it holds."""
        return f"/static/{name}?v={self._assets[name].version}"

    def get(self, name: str) -> Asset | None:
        return self._assets.get(name)

    async def squeezed(self, name: str) -> bytes:
        """What gzip makes of the file; empty where it gains nothing."""
        # Who leaves takes it from nobody.
        return await asyncio.shield(asyncio.wrap_future(self._squeezed[name]))


@router.get("/static/{name:path}")
async def get_asset(request: Request, name: str, v: str = "") -> Response:
    """A style sheet, script or picture of the program itself."""
    assets: Assets = request.app.state.assets
    asset = assets.get(name)
    if asset is None:
        raise NotFound("There is no such file.")
    headers = {
        "Cache-Control": _KEPT_FOR_EVER if v == asset.version else "no-cache",
        "ETag": f'"{asset.version}"',
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    takes_gzip = "gzip" in request.headers.get("accept-encoding", "")
    if takes_gzip and (squeezed := await assets.squeezed(name)):
        headers["Content-Encoding"] = "gzip"
        return Response(squeezed, media_type=asset.media_type, headers=headers)
    return Response(asset.body, media_type=asset.media_type, headers=headers)
