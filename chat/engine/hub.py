"""Fan-out of frames to every open tab: one log per chat, a cursor per subscriber, each frame encoded once for all.

What is pending when a subscriber gets to run goes out as one piece of bytes, and neighbouring tokens as one frame;
there is no timer. A subscriber that falls behind the log is told to resync, so a stalled tab costs nothing.
The hub never waits for a subscriber.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import msgspec

ITEMS_KEPT = 4096
"""Items a channel keeps for subscribers and for resuming; at a token an item, most of a minute of a fast model."""

_SLACK = 8
"""So many are let go of at once: an eighth of what is kept, so that it is seldom and the list hardly grows by it."""

STREAMS_MAX = 128
"""Streams that may be open at once. A browser needs one; whoever opens more ends the oldest."""

TABS_S = 0.05
"""What a tab has to fetch the parts it was just told of, before work nobody waits for takes the processor."""

_encode = msgspec.json.Encoder().encode


class Token(NamedTuple):
    turn: str
    offset: int
    text: str


class Framed(NamedTuple):
    """A ready frame; `event_id` is 0 for frames that are not of a commit."""

    body: bytes
    event_id: int


Item = Token | Framed


def frame(kind: str, data: dict[str, Any], frame_id: str = "") -> bytes:
    """One server-sent event. JSON holds no raw line break, so nothing in `data` can end the frame."""
    head = f"id: {frame_id}\n" if frame_id else ""
    return f"{head}event: {kind}\ndata: ".encode() + _encode(data) + b"\n\n"


class Channel:
    """What happened in one chat, newest last. `first` is the position of the oldest item kept."""

    def __init__(self, chat_id: str | None) -> None:
        self.chat_id = chat_id
        self.items: list[Item] = []
        self.first = 0
        self.subscribers: set[Subscription] = set()
        self._forgotten_id = 0
        self._joined: tuple[int, int, bytes] = (-1, -1, b"")

    @property
    def end(self) -> int:
        return self.first + len(self.items)

    def publish(self, item: Item) -> None:
        """Keep an item and wake the listeners. Tokens nobody listens to are in the snapshot's text anyway."""
        if not self.subscribers and isinstance(item, Token):
            return
        self.items.append(item)
        if len(self.items) > ITEMS_KEPT + ITEMS_KEPT // _SLACK:
            self._forget(len(self.items) - ITEMS_KEPT)
        for subscription in self.subscribers:
            subscription.wake()

    def leave(self, subscription: Subscription) -> None:
        self.subscribers.discard(subscription)
        if not self.subscribers:
            self.items = [item for item in self.items if isinstance(item, Framed) and item.event_id]
            self._joined = (-1, -1, b"")

    def since(self, position: int) -> bytes | None:
        """Everything from a position on as bytes to send, None when that position is no longer kept."""
        if position < self.first:
            return None
        end = self.end
        was_from, was_to, joined = self._joined
        if was_to != end or was_from != position:
            joined = b"".join(self._frames(self.items[position - self.first :]))
            self._joined = (position, end, joined)
        return joined

    def missed(self, event_id: int) -> bytes | None:
        """The frames of the commits after one, None when some are no longer kept."""
        if event_id < self._forgotten_id:
            return None
        return b"".join(
            item.body for item in self.items if isinstance(item, Framed) and item.event_id > event_id
        )

    def clear(self) -> None:
        """Forget everything that was kept, for those who listen and for those who come back."""
        self.first, self.items, self._joined = self.end, [], (-1, -1, b"")

    def _forget(self, count: int) -> None:
        gone = (item.event_id for item in self.items[:count] if isinstance(item, Framed))
        self._forgotten_id = max(gone, default=self._forgotten_id) or self._forgotten_id
        self.first += count
        del self.items[:count]

    def _frames(self, items: Sequence[Item]) -> list[bytes]:
        frames: list[bytes] = []
        run: list[Token] = []
        for item in items:
            if isinstance(item, Token) and (not run or _follows(run, item)):
                run.append(item)
                continue
            if run:
                frames.append(self._token_frame(run))
            run = [item] if isinstance(item, Token) else []
            if isinstance(item, Framed):
                frames.append(item.body)
        if run:
            frames.append(self._token_frame(run))
        return frames

    def _token_frame(self, run: Sequence[Token]) -> bytes:
        text = "".join(token.text for token in run)
        return frame(
            "token", {"chat": self.chat_id, "turn": run[0].turn, "offset": run[0].offset, "text": text}
        )


def _follows(run: Sequence[Token], item: Token) -> bool:
    return run[-1].turn == item.turn and run[-1].offset + len(run[-1].text) == item.offset


class Subscription:
    """One open stream over some chats. Iterate it for bytes; it ends when the hub closes."""

    def __init__(self, hub: Hub, chat_ids: Sequence[str]) -> None:
        self._hub = hub
        self._woken = asyncio.Event()
        own = [hub.channel(chat_id) for chat_id in dict.fromkeys(chat_ids)]
        self._channels = [*own, hub.channel(None)]  # that its chat is gone is told before what else changed
        self._cursors = [channel.end for channel in self._channels]
        self.closed = False
        for channel in self._channels:
            channel.subscribers.add(self)

    def wake(self) -> None:
        if not self._woken.is_set():
            self._woken.set()

    def missed(self, event_id: int) -> bytes | None:
        """The frames of the commits after `event_id`, then a snapshot of each chat; None when some are forgotten."""
        parts = [channel.missed(event_id) for channel in self._channels]
        if any(part is None for part in parts):
            return None
        return b"".join(part for part in parts if part) + self.snapshots()

    def snapshots(self) -> bytes:
        """Where each chat stands now; what comes next continues from exactly here."""
        self._cursors = [channel.end for channel in self._channels]
        return b"".join(self._hub.snapshot(one.chat_id) for one in self._channels if one.chat_id is not None)

    async def next(self) -> bytes:
        """What is pending, waiting until there is something; empty bytes when the hub has closed."""
        while not self.closed:
            await self._woken.wait()
            self._woken.clear()
            if pending := self._pending():
                return pending
        return b""

    def _pending(self) -> bytes:
        parts: list[bytes] = []
        for index, channel in enumerate(self._channels):
            cursor, end = self._cursors[index], channel.end
            if cursor != end:
                body = channel.since(cursor)
                parts.append(self._hub.resync(channel.chat_id) if body is None else body)
                self._cursors[index] = end
        return b"".join(parts)

    def close(self) -> None:
        self.closed = True
        for channel in self._channels:
            channel.leave(self)
        self._hub.forget(self)
        self._woken.set()


class Hub:
    """Channels by chat; None is the channel everybody hears (the library). `snapshot` makes a chat's present state."""

    def __init__(self, epoch: str, snapshot: Callable[[str], dict[str, Any]]) -> None:
        self.epoch = epoch
        self._snapshot = snapshot
        self._channels: dict[str | None, Channel] = {}
        self._open: dict[Subscription, None] = {}
        self.closed = False
        self.reading_ahead: Callable[[str], AbstractContextManager[None]] = lambda chat_id: nullcontext()
        """What is done for the tabs of a chat while the way is given to them."""

    def channel(self, chat_id: str | None) -> Channel:
        channel = self._channels.get(chat_id)
        if channel is None:
            channel = self._channels[chat_id] = Channel(chat_id)
        return channel

    def subscribe(self, chat_ids: Sequence[str]) -> Subscription:
        """A new listener; where there are too many, the oldest is let go."""
        if len(self._open) >= STREAMS_MAX:
            next(iter(self._open)).close()
        subscription = Subscription(self, chat_ids)
        self._open[subscription] = None
        return subscription

    def forget(self, subscription: Subscription) -> None:
        self._open.pop(subscription, None)

    def subscriber_count(self) -> int:
        return len(self._open)

    def token(self, chat_id: str, turn_id: str, offset: int, text: str) -> None:
        self.channel(chat_id).publish(Token(turn_id, offset, text))

    def send(self, chat_id: str | None, kind: str, data: dict[str, Any]) -> None:
        """An ephemeral frame: status, steps, stop reason, done."""
        self.channel(chat_id).publish(Framed(frame(kind, {"chat": chat_id, **data}), 0))

    def commit(self, chat_id: str | None, head: int, data: dict[str, Any]) -> None:
        """The frame of a commit, after it; it carries the id a stream can resume from."""
        body = frame("event", {"chat": chat_id, "head": head, **data}, f"{self.epoch}-{head}")
        self.channel(chat_id).publish(Framed(body, head))

    def snapshot(self, chat_id: str) -> bytes:
        """Where a chat stands now, the running reply's text so far included."""
        data = {"chat": chat_id, "epoch": self.epoch, **self._snapshot(chat_id)}
        return frame("snapshot", data, f"{self.epoch}-{data['head']}")

    def resync(self, chat_id: str | None) -> bytes:
        behind = frame("resync", {"chat": chat_id})
        return behind if chat_id is None else behind + self.snapshot(chat_id)

    async def give_way(self, chat_id: str) -> None:
        """Let the tabs of a chat fetch first what they were just told of; at once where nobody looks at it."""
        if self.channel(chat_id).subscribers:
            with self.reading_ahead(chat_id):
                await asyncio.sleep(TABS_S)

    def restart(self, epoch: str) -> None:
        """The history is another one from here on: nothing of the old one is resumed, and everybody looks anew."""
        self.epoch = epoch
        for chat_id, channel in self._channels.items():
            channel.clear()
            channel.publish(Framed(self.resync(chat_id), 0))

    def close(self) -> None:
        self.closed = True
        for subscription in list(self._open):
            subscription.close()
