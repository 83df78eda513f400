"""What was taken from elsewhere is exactly what VENDOR.toml says, and nothing else lies beside it."""

from __future__ import annotations

import base64
import hashlib
import tomllib
from pathlib import Path

import pytest
import tiktoken_ext.openai_public

ROOT = Path(__file__).parent.parent
LISTS = sorted(ROOT.glob("chat/**/VENDOR.toml"))
TOKEN_TABLE = ROOT / "chat/llm/data/9b5ad71b2ce5302211f9c61530b329a4922fc6a4"


def _entries(listing: Path) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = tomllib.loads(listing.read_text("utf-8"))["file"]
    return entries


def test_there_are_vendored_files_to_check() -> None:
    assert [str(listing.parent.relative_to(ROOT)) for listing in LISTS] == [
        "chat/llm/data",
        "chat/web/static/vendor",
    ]


@pytest.mark.parametrize("listing", LISTS, ids=lambda path: path.parent.name)
def test_every_vendored_file_has_the_hash_that_was_written_down(listing: Path) -> None:
    for entry in _entries(listing):
        digest = hashlib.sha384((listing.parent / entry["file"]).read_bytes()).digest()
        assert entry["sha384"] == "sha384-" + base64.b64encode(digest).decode(), entry["file"]


@pytest.mark.parametrize("listing", LISTS, ids=lambda path: path.parent.name)
def test_every_file_in_a_vendored_folder_is_listed_with_its_licence(listing: Path) -> None:
    entries = _entries(listing)
    known = {"VENDOR.toml"} | {entry[key] for entry in entries for key in ("file", "licence_file")}
    assert {path.name for path in listing.parent.iterdir() if path.is_file()} == known
    assert all(entry["name"] and entry["version"] and entry["licence"] for entry in entries)


def test_the_token_table_is_the_one_tiktoken_expects(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def record(address: str, expected_hash: str) -> dict[bytes, int]:
        asked.update(address=address, hash=expected_hash)
        return {}

    monkeypatch.setattr(tiktoken_ext.openai_public, "load_tiktoken_bpe", record)
    tiktoken_ext.openai_public.cl100k_base()
    assert hashlib.sha1(asked["address"].encode()).hexdigest() == TOKEN_TABLE.name
    assert hashlib.sha256(TOKEN_TABLE.read_bytes()).hexdigest() == asked["hash"]
