"""The prompt texts, loaded once at import: named blocks, a name and a version each, undefined names an error.

Values are put in as they are and never read as templates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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
    _template: Template = field(repr=False)

    def block(self, block_name: str, **values: Any) -> str:
        """The text of one named block, without white space around it."""
        context = self._template.new_context(values)
        return "".join(self._template.blocks[block_name](context)).strip()


def _load(name: str) -> PromptText:
    path = f"{name}.md.j2"
    source, _, _ = PackageLoader("chat.prompts", "texts").get_source(_ENVIRONMENT, path)
    header = _HEADER.match(source)
    if header is None or header["name"] != name:
        raise ValueError(f"{path} does not begin with its name and version.")
    return PromptText(name, int(header["version"]), _ENVIRONMENT.get_template(path))


NARRATE_SYSTEM = _load("narrate_system")
NARRATE_VOLATILE = _load("narrate_volatile")
KICKOFF = _load("kickoff")
DIGEST = _load("digest")
SCENE_MEMORY = _load("scene_memory")
