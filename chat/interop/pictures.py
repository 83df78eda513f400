"""A picture from elsewhere becomes a small PNG of our own: decoded within limits, cropped, and written anew.

Nothing of the file that was sent survives but its colours: no metadata, no second format hidden behind the first.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from chat.errors import PictureRefused

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "WEBP")
SIDE_PX = 128
"""Twice the largest that a page shows one at."""
_MOST_PIXELS = {"PNG": 12_000_000, "WEBP": 12_000_000, "JPEG": 80_000_000}
"""A JPEG is decoded at a fraction of its size; the others have to be unpacked whole."""
_LONGEST_SIDE_PX = 16_000
_FROM_TOP = 0.3
"""Faces stand in the upper part of a tall picture."""


def portrait(data: bytes) -> bytes:
    """A square PNG of at most `SIDE_PX`. Raises PictureRefused with the reason."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                _check_size(picture)
                picture.draft("RGB", (2 * SIDE_PX, 2 * SIDE_PX))
                upright = ImageOps.exif_transpose(picture)
                side = min(SIDE_PX, *upright.size)
                cropped = ImageOps.fit(_coloured(upright), (side, side), centering=(0.5, _FROM_TOP))
        return _written(cropped)
    except PictureRefused:
        raise
    except Exception:  # noqa: BLE001 - a crafted file can make a decoder fail in any way it likes
        raise PictureRefused("This file cannot be read as a PNG, JPEG or WebP picture.") from None


def _check_size(picture: Image) -> None:
    """From the header alone, before a single pixel is unpacked."""
    width, height = picture.size
    most = _MOST_PIXELS.get(picture.format or "", 0)
    if max(width, height) > _LONGEST_SIDE_PX or width * height > most:
        raise PictureRefused(f"The picture is too large: {width:,} by {height:,} pixels.")


def _coloured(picture: Image) -> Image:
    """As eight bits a colour. A grey of sixteen bits would be cut off at the darkest of its greys, not brought down."""
    if picture.mode.startswith("I"):
        picture = picture.point(lambda grey: grey / 256, "F").convert("L")
    return picture.convert("RGBA")


def _written(picture: Image) -> bytes:
    """At most 256 colours: at this size nobody sees the difference, and a page loads several."""
    from PIL import Image

    plain = Image.new("RGBA", picture.size)
    plain.paste(picture)
    out = io.BytesIO()
    plain.quantize(256, Image.Quantize.FASTOCTREE).save(out, "PNG", optimize=True)
    return out.getvalue()
