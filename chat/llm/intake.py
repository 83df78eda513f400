"""What a reply has brought so far: pieces to hand on, text, thoughts, tool arguments, usage; and whether it is one.

Pure bookkeeping between the chunks of a stream and whoever reads it; it never waits.
"""

from __future__ import annotations

from collections import deque

from chat.errors import BadResponse, EmptyReply, EndlessReply, HeldBack, ProviderUnavailable, ThoughtsOnly
from chat.llm.calls import Endpoint, Piece
from chat.llm.chunks import Chunk, Usage, read_usage
from chat.llm.failures import read_error, redact, stream_failure
from chat.llm.patience import Patience
from chat.llm.thoughts import Separator, Storable
from chat.llm.wire import RefusedRequest


class Intake:
    """`chars` counts everything that came, thoughts and tool arguments included."""

    def __init__(
        self, endpoint: Endpoint, model: str, patience: Patience, max_chars: int, starts_inside: bool
    ) -> None:
        self.ready: deque[Piece] = deque()
        self.separator = Separator(starts_inside)
        self.chars = 0
        self.usage: Usage | None = None
        self.model: str | None = None
        self.reply_id: str | None = None
        self.reasoning_field = ""
        self.is_refusal = False
        self._endpoint, self._asked, self._patience, self._max_chars = endpoint, model, patience, max_chars
        self._storable = Storable()
        self._arguments: list[str] = []

    @property
    def arguments(self) -> str:
        return "".join(self._arguments)

    def take(self, chunks: list[Chunk]) -> None:
        """Neighbouring chunks of one kind become one piece: what came together is passed on together."""
        texts: list[str] = []
        for chunk in chunks:
            if chunk.reasoning:
                self._take_text(texts)
                self._take_reasoning(chunk)
            if chunk.text:
                texts.append(chunk.text)
            if chunk.tool_arguments:
                self._arguments.append(self._count(chunk.tool_arguments))
            self.is_refusal = self.is_refusal or chunk.is_refusal
            if chunk.error or chunk.usage or self.model is None:
                self._take_text(texts)
                self._note(chunk)
        self._take_text(texts)

    def flush(self) -> None:
        """Nothing more comes: what was held back is given out."""
        self.ready.extend(self.separator.finish())

    def judge(self, finish: str | None, structured: bool) -> None:
        """Raises unless what came is a reply. `structured`: a tool's arguments count as one."""
        name = self._endpoint.name
        if finish == "error":
            raise ProviderUnavailable(f"{name} broke off with an error of its own.")
        if self.separator.text.strip() or (structured and self._arguments):
            return
        if self.separator.reasoning.strip():
            raise ThoughtsOnly(f"{name} sent only its thoughts and no reply.")
        if self._arguments:
            raise BadResponse(f"{name} wanted to call a tool instead of writing a reply.")
        if finish == "content_filter":
            raise HeldBack(f"{name} held its reply back (content filter).")
        raise EmptyReply(f"{name} sent an empty reply.")

    def _take_text(self, texts: list[str]) -> None:
        if texts:
            text = self._count(self._storable.feed("".join(texts)))
            texts.clear()
            self.ready.extend(self.separator.feed(text))
            self._check_size()

    def _take_reasoning(self, chunk: Chunk) -> None:
        text = self._count(Storable().feed(chunk.reasoning))
        self.reasoning_field = self.reasoning_field or chunk.reasoning_field
        self.ready.append(self.separator.add_reasoning(text))
        self._check_size()

    def _count(self, text: str) -> str:
        """Notes that a token has come, and cuts the text where the cap is."""
        if text:
            self._patience.heard_token()
        room = max(self._max_chars - self.chars, 0)
        self.chars += len(text)
        return text[:room]

    def _check_size(self) -> None:
        if self.chars > self._max_chars:
            raise EndlessReply(
                f"{self._endpoint.name} wrote past {self._max_chars:,} characters and was cut."
            )

    def _note(self, chunk: Chunk) -> None:
        if self.model is None and chunk.model:
            self.model = redact(chunk.model, self._endpoint)
        if self.reply_id is None and chunk.id:
            self.reply_id = redact(chunk.id, self._endpoint)
        if chunk.usage:
            self.usage = read_usage(chunk.usage)
        if chunk.error:
            said = read_error(chunk.error)
            error = stream_failure(chunk.error, self._endpoint, self._asked)
            raise RefusedRequest(error, said.words, said.param)
