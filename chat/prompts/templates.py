"""The prompt texts: named blocks, a name and a version each, undefined names an error. Compiled when first needed.

Values are put in as they are and never read as templates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jinja2 import PackageLoader, StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

_ENVIRONMENT = SandboxedEnvironment(
    loader=PackageLoader("chat.prompts", "texts"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,
)
_HEADER = re.compile(r"\{# (?P<name>\w+) version (?P<version>\d+) #\}\n")


@dataclass(frozen=True)
class PromptText:
    """One prompt file. `version` goes up whenever its words change."""

    name: str
    version: int

    @cached_property
    def _template(self) -> Template:
        return _ENVIRONMENT.get_template(_path(self.name))

    def block(self, block_name: str, **values: Any) -> str:
        """The text of one named block, without white space around it."""
        context = self._template.new_context(values)
        return "".join(self._template.blocks[block_name](context)).strip()


def _path(name: str) -> str:
    return f"{name}.md.j2"


def _load(name: str) -> PromptText:
    path = _path(name)
    source, _, _ = PackageLoader("chat.prompts", "texts").get_source(_ENVIRONMENT, path)
    header = _HEADER.match(source)
    if header is None or header["name"] != name:
        raise ValueError(f"{path} does not begin with its name and version.")
    return PromptText(name, int(header["version"]))


NARRATE_SYSTEM = _load("narrate_system")
NARRATE_VOLATILE = _load("narrate_volatile")
KICKOFF = _load("kickoff")
IMPERSONATE = _load("impersonate")
DIGEST = _load("digest")
SCENE_MEMORY = _load("scene_memory")


def warm() -> None:
    """Compile every text now, so that the first reply need not."""
    for text in (NARRATE_SYSTEM, NARRATE_VOLATILE, KICKOFF, IMPERSONATE, DIGEST, SCENE_MEMORY):
        _ENVIRONMENT.get_template(_path(text.name))
