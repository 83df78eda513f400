"""Tries an endpoint out, the way a story will use it, and says in sentences what works and what does not.

One model writes; the same or another one reads, which is asked for structured answers. Where there are two, each
sentence names the one it is about.

Costs a few short calls. It raises nothing: an endpoint that cannot be used is a finding too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel

from chat.clock import Clock
from chat.errors import BadResponse, ModelNotFound, ProviderError
from chat.llm.calls import (
    LADDER,
    ClassifyRequest,
    Endpoint,
    Finding,
    Message,
    ModelInfo,
    NarrateRequest,
    Probe,
    Rung,
)
from chat.llm.narration import Narration
from chat.llm.quirks import QuirkBook, Quirks
from chat.llm.structured import CallLog, Ladder, Start

List = Callable[[Endpoint], Awaitable[list[ModelInfo]]]

_AT_ONCE_MS = 50  # less is told as no time at all
_TOKENS = 256  # enough for a model that thinks first
_TASK = "You are talking to somebody who tries out whether this works."
_RUNG_NAMES: dict[Rung, str] = {
    "json_schema": "answers that follow a JSON schema",
    "json_object": "answers as a JSON object",
    "tools": "tool calls",
    "prompt": "JSON by instruction",
}


class Weather(BaseModel):
    """The shape asked for: small and bounded, and nothing that a model would refuse to talk about."""

    sky: Literal["clear", "cloudy", "rainy"]
    windy: bool


@dataclass
class Prober:
    """One probe. Without a `model` the first of the list is tried; without a `reader` the same model reads."""

    start: Start
    list_models: List
    clock: Clock
    quirks: QuirkBook
    endpoint: Endpoint
    model: str
    reader: str = ""
    findings: list[Finding] = field(default_factory=list)

    async def run(self) -> Probe:
        models = await self._models()
        self.model = self.model or (models[0].id if models else "")
        self.reader = self.reader or self.model
        known = next((model for model in models if model.id == self.model), None)
        context_length = self._context(known)
        narration = await self._stream()
        streams = narration is not None
        reads = streams or (self._are_two() and bool(models))
        return Probe(
            endpoint=self.endpoint.name,
            model=self.model,
            reader=self.reader,
            models=tuple(models),
            context_length=context_length,
            streams=streams,
            usage=streams and self._usage(narration),
            rungs=await self._rungs() if reads else (),
            reasoning_field=self._reasoning(narration) if narration else None,
            findings=tuple(self.findings),
        )

    def _found(self, what: str, ok: bool | None, sentence: str) -> None:
        self.findings.append(Finding(what, ok, sentence))

    def _are_two(self) -> bool:
        return self.reader not in ("", self.model)

    def _who(self, model: str, otherwise: str = "It") -> str:
        return model if self._are_two() else otherwise

    async def _models(self) -> list[ModelInfo]:
        try:
            models = await self.list_models(self.endpoint)
        except ProviderError as error:
            self._found("models", False, f"{error.message} {error.next_step}")
            return []
        count = len(models)
        self._found("models", count > 0, f"{count:,} model{'' if count == 1 else 's'} can be chosen from.")
        listed = {model.id for model in models}
        for name in dict.fromkeys((self.model, self.reader)):
            if name and models and name not in listed:
                self._found("model", None, f"{name} is not in the list; some servers accept it all the same.")
        return models

    def _context(self, known: ModelInfo | None) -> int | None:
        length = known.context_length if known else None
        unknown = f"How much {self._who(self.model, 'it')} can read at once is unknown."
        sentence = f"{self._who(self.model)} reads {length:,} tokens at once." if length else unknown
        self._found("context", True if length else None, sentence)
        return length

    async def _stream(self) -> Narration | None:
        if not self.model:
            self._found("stream", False, "There is no model to try. Type the name of one and test again.")
            return None
        narration = self.start(self.endpoint, self._request(), {})
        pieces = 0
        try:
            async for piece in narration:
                pieces += piece.kind == "text"
        except ProviderError as error:
            self._found("stream", False, f"{self._told_of(self.model)}{error.message} {error.next_step}")
            return None
        first = narration.record().first_token_ms or 0.0
        how = "word by word" if pieces > 1 else "all at once"
        when = f"after {first / 1000:.1f} seconds" if first >= _AT_ONCE_MS else "at once"
        self._found("stream", True, f"{self._who(self.model)} replied {how}; the first words came {when}.")
        self._system(self.model)
        return narration

    def _told_of(self, model: str) -> str:
        """What stands in front of a sentence of somebody else's, which need not name the model."""
        return f"{model}: " if self._are_two() else ""

    def _system(self, model: str) -> None:
        folds = self.quirks.page(self.endpoint, model).folds_system
        how = "no system message; what stands there is told at the head of the first message instead"
        words = f"{self._who(model)} takes {how if folds else 'a system message'}."
        self._found("system", None if folds else True, words)

    def _usage(self, narration: Narration | None) -> bool:
        counted = narration is not None and not narration.record().estimated
        how = "counts its tokens." if counted else "does not count its tokens; they will be estimated."
        self._found("usage", counted or None, f"{self._who(self.model)} {how}")
        return counted

    def _reasoning(self, narration: Narration) -> str | None:
        if not narration.reasoning:
            return None
        where = narration.reasoning_field or "tags"
        place = "in a field of their own" if narration.reasoning_field else "in tags"
        self._found(
            "reasoning",
            True,
            f"{self._who(self.model)} thinks before it replies; its thoughts come {place} and are kept apart.",
        )
        return where

    async def _rungs(self) -> tuple[Rung, ...]:
        works: list[Rung] = []
        refused: ProviderError | None = None
        for rung in LADDER:
            try:
                works += [rung] if await self._rung(rung) else []
            except ProviderError as error:
                refused = error
                if isinstance(error, ModelNotFound):
                    break
        self._structured(works, refused)
        return tuple(works)

    def _structured(self, works: list[Rung], refused: ProviderError | None) -> None:
        if works:
            named = ", ".join(_RUNG_NAMES[rung] for rung in works)
            self._found("structured", True, f"{self._who(self.reader)} can give {named}.")
            if self._are_two():
                self._system(self.reader)
            return
        words = (
            f"{self._who(self.reader)} gave no structured answer; "
            "feelings and memories will be kept with defaults only."
        )
        reason = f" {refused.message} {refused.next_step}" if refused else ""
        self._found("structured", False, f"{words}{reason}")

    async def _rung(self, rung: Rung) -> bool:
        """Whether it answered well, asked in this way. Raises ProviderError when it could not be asked at all."""
        request = ClassifyRequest(
            purpose="probe",
            model=self.reader,
            messages=_asked("Describe the weather of a mild spring day."),
            answer=Weather,
            max_tokens=_TOKENS,
            seed=1,
            first_token_s=60.0,
            between_tokens_s=20.0,
            total_s=60.0,
            attempts=1,
        )
        ladder = Ladder(self.start, Quirks(), self.clock, self.endpoint, request, CallLog(), (rung,))
        try:
            return not (await ladder.climb()).salvaged
        except BadResponse as error:
            if error.status is not None:
                raise
            return False

    def _request(self) -> NarrateRequest:
        return NarrateRequest(
            model=self.model,
            messages=_asked("Say hello in one short sentence."),
            temperature=0.0,
            max_tokens=_TOKENS,
            seed=1,
            first_token_s=60.0,
            between_tokens_s=20.0,
            total_s=60.0,
            max_chars=20_000,
            purpose="probe",
        )


def _asked(words: str) -> list[Message]:
    """Like every prompt of a story: a system message first."""
    return [{"role": "system", "content": _TASK}, {"role": "user", "content": words}]
