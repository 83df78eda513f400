"""Files that a browser saves instead of showing: one header for the name, whatever the name holds."""

from __future__ import annotations

from urllib.parse import quote


def attachment(name: str) -> str:
    """Content-Disposition as RFC 6266 and 8187 have it: plain letters for old programs, the whole name for others."""
    plain = "".join(char if char.isascii() and (char.isalnum() or char in " ._-") else "_" for char in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
