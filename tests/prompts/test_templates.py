"""Every prompt text has a name and a version, and refuses to be rendered with a value missing."""

from __future__ import annotations

import re
from hashlib import sha256
from importlib.resources import files

import pytest
from jinja2 import UndefinedError

from chat.prompts.templates import (
    DIGEST,
    IMPERSONATE,
    KICKOFF,
    NARRATE_SYSTEM,
    NARRATE_VOLATILE,
    SCENE_MEMORY,
)

TEXTS = (DIGEST, IMPERSONATE, KICKOFF, NARRATE_SYSTEM, NARRATE_VOLATILE, SCENE_MEMORY)
WORDS_OF_VERSION = {
    "digest": (3, "5501aa81c9b4"),
    "impersonate": (1, "483e5348ba59"),
    "kickoff": (1, "f7d4e9d7bff2"),
    "narrate_system": (2, "fba87760f2a7"),
    "narrate_volatile": (3, "3a76990c60a1"),
    "scene_memory": (1, "22a4d6291413"),
}


def test_every_file_is_loaded_and_begins_with_its_name_and_version() -> None:
    found = {
        path.name.removesuffix(".md.j2"): path.read_text("utf-8")
        for path in files("chat.prompts").joinpath("texts").iterdir()
    }
    assert set(found) == {text.name for text in TEXTS}
    for text in TEXTS:
        assert found[text.name].startswith(f"{{# {text.name} version {text.version} #}}\n")


def test_changed_words_ask_for_a_new_version() -> None:
    """When this fails, raise the version in the file's first line and note the new hash here."""
    for text in TEXTS:
        body = files("chat.prompts").joinpath("texts", f"{text.name}.md.j2").read_text("utf-8")
        digest = sha256(re.sub(r"\A.*\n", "", body).encode()).hexdigest()[:12]
        assert (text.version, digest) == WORDS_OF_VERSION[text.name], text.name


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_a_missing_value_is_an_error_and_not_an_empty_place(text: object) -> None:
    block = {"narrate_system": "identity", "narrate_volatile": "now", "digest": "lines"}
    with pytest.raises(UndefinedError):
        text.block(block.get(text.name, "task"))  # type: ignore[attr-defined]
