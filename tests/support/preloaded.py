"""Everything the program has loaded once it has answered a turn: imported once, for all that are forked from here."""

from __future__ import annotations

import gc
import importlib

from chat.llm.tokens import count_tokens
from chat.prompts import answers, templates

LATE = (
    "tests.support.forked",
    "chat.app",
    "instructor.v2.core.patch",
    "openai.types.chat",
    "uvicorn.loops.auto",
)

gc.disable()
for name in LATE:
    importlib.import_module(name)
count_tokens("")
templates.warm()
answers.warm()
gc.freeze()
gc.enable()
