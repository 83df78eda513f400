"""What the log says after a kill, and what must be true of it: nothing acknowledged is gone, nothing is half there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from chat.settings import Settings
from chat.store.maintenance import list_events
from tests.kills.diary import Deed, Diary
from tests.kills.model import Narrator

KEPT_S = 1.0
"""How much of an unfinished reply a kill may cost."""
ALL = -1
SELECTIONS = ("retry", "undo", "rewind", "swipe")
"""Deeds that the log knows by the reason of a selection, so they are counted by chat."""


class Line(NamedTuple):
    """One event of the log."""

    id: int
    kind: str
    stream: str
    branch_id: str | None
    step: int | None
    caused_by: str | None
    data: dict[str, Any]


def read_log(settings: Settings) -> list[Line]:
    rows = list_events(settings, limit=ALL)
    return [
        Line(
            row["id"],
            row["kind"],
            row["stream"],
            row["branch_id"],
            row["step"],
            row["caused_by"],
            row["data"],
        )
        for row in rows
        if row["data"]  # erased events are blank
    ]


def deleted(lines: list[Line]) -> set[str]:
    """The chats that were deleted for good."""
    return {chat for one in lines if one.kind == "words_erased" for chat in one.data["chat_ids"]}


def missing_deeds(lines: list[Line], diary: Diary) -> Iterator[str]:
    """Every acknowledged deed stands in the log exactly once; one in doubt, once or not at all."""
    gone = deleted(lines)
    for kind, count in COUNTS.items():
        found = count(lines)
        wanted: dict[str, list[Deed]] = {}
        for deed in (one for one in diary.of(kind) if kind == "erase" or one.chat_id not in gone):
            wanted.setdefault(_key(kind, deed), []).append(deed)
        for key, deeds in wanted.items():
            least, most = sum(d.at_least for d in deeds), sum(d.at_most for d in deeds)
            if not least <= found[key] <= most:
                yield f"{kind} {key} stands {found[key]} times in the log, not {least} to {most} times."


def find_out(lines: list[Line], diary: Diary) -> None:
    """From here on what was in doubt is what the log says. It stays on the list of what was, to be sent again."""
    diary.doubtful = diary.in_doubt()
    counts = {kind: count(lines) for kind, count in COUNTS.items()}
    for deed in diary.doubtful:
        if deed.kind not in counts:
            diary.end(deed, taken=False)
            continue
        key = _key(deed.kind, deed)
        known = sum(one.at_least for one in diary.of(deed.kind) if _key(deed.kind, one) == key)
        diary.end(deed, taken=known < counts[deed.kind][key])


def _key(kind: str, deed: Deed) -> str:
    return deed.chat_id if kind in SELECTIONS else deed.mark


def _said(lines: list[Line]) -> Counter[str]:
    return Counter(one.data["idempotency_key"] for one in lines if one.kind == "user_turn")


def _selected(reason: str) -> Callable[[list[Line]], Counter[str]]:
    def count(lines: list[Line]) -> Counter[str]:
        chosen = (one.data for one in lines if one.kind == "branch_selected")
        return Counter(data["chat_id"] for data in chosen if data["reason"] == reason)

    return count


def _edited(lines: list[Line]) -> Counter[str]:
    values = (one.data["values"].values() for one in lines if one.kind == "manual_edit")
    return Counter(str(value) for group in values for value in group)


def _closed(lines: list[Line]) -> Counter[str]:
    """A scene that was closed and the next one opened, at the place of this name."""
    names = {one.data["container_id"]: one.data["name"] for one in lines if one.kind == "container_created"}
    closes = {(one.stream, one.branch_id, one.step) for one in lines if one.kind == "scene_closed"}
    opens = [one for one in lines if one.kind == "scene_opened"]
    return Counter(
        names.get(one.data["container_id"], "")
        for one in opens
        if (one.stream, one.branch_id, one.step) in closes
    )


def _begun(lines: list[Line]) -> Counter[str]:
    return Counter(one.data["chat_id"] for one in lines if one.kind == "chat_created")


COUNTS: dict[str, Callable[[list[Line]], Counter[str]]] = {
    "say": _said,
    **{kind: _selected(kind) for kind in SELECTIONS},
    "edit": _edited,
    "close": _closed,
    "begin": _begun,
    "erase": lambda lines: Counter(deleted(lines)),
}


def half_commands(lines: list[Line]) -> Iterator[str]:
    """What only ever happens together stands together."""
    kinds: dict[str, list[Line]] = {}
    for line in lines:
        kinds.setdefault(line.kind, []).append(line)
    for created in kinds.get("chat_created", []):
        story = {one.kind for one in lines if one.stream == f"chat:{created.data['chat_id']}"}
        if not {"container_created", "scene_opened", "clock_advanced"} <= story:
            yield f"The chat {created.data['chat_id']} began without a place, a scene or a clock."
    chosen = {one.data["branch_id"] for one in kinds.get("branch_selected", [])}
    yield from (
        f"The branch {one.data['branch_id']} was forked and never selected."
        for one in kinds.get("branch_forked", [])
        if one.data["branch_id"] not in chosen
    )
    yield from _half_scenes(kinds)
    yield from _half_replies(kinds)


def _half_scenes(kinds: dict[str, list[Line]]) -> Iterator[str]:
    opened = {(one.stream, one.branch_id, one.step) for one in kinds.get("scene_opened", [])}
    for closed in kinds.get("scene_closed", []):
        if (closed.stream, closed.branch_id, closed.step) not in opened:
            yield f"The scene {closed.data['scene_id']} was closed and no other opened."
    written = {one.data["memory_id"] for one in kinds.get("memory_written", [])}
    for merged in kinds.get("memories_consolidated", []):
        if merged.data["into_memory_id"] not in written:
            yield f"Memories were merged into {merged.data['into_memory_id']}, which does not exist."


def _half_replies(kinds: dict[str, list[Line]]) -> Iterator[str]:
    """Each reply that began has ended once; one with words is remembered, and told of the call that made it."""
    ended = Counter(one.data["turn_id"] for one in kinds.get("assistant_turn", []))
    remembered = {one.data["turn_id"] for one in kinds.get("memory_written", [])}
    for started in kinds.get("assistant_turn_started", []):
        turn_id = started.data["turn_id"]
        if ended[turn_id] != 1:
            yield f"The reply {turn_id} began once and ended {ended[turn_id]} times."
    for reply in kinds.get("assistant_turn", []):
        is_reply = reply.data["text"] and reply.data["origin"] != "opening"
        if is_reply and reply.data["turn_id"] not in remembered:
            yield f"Nobody remembers the reply {reply.data['turn_id']}."


def applied_twice(lines: list[Line]) -> Iterator[str]:
    """A digest counts once, and so does each feeling it changed and each scene that was put into memory."""
    done = Counter(
        one.data["turn_id"]
        for one in lines
        if one.kind == "digest_finished" and one.data["outcome"] != "failed"
    )
    felt = Counter(
        (one.data["turn_id"], one.data["source"], one.data["target"], one.data["reason"])
        for one in lines
        if one.kind == "edge_update" and one.data["reason"] == "what was said" and one.data["affinity_delta"]
    )
    merged = Counter(
        (one.data["scene_id"], one.data["owner"], one.branch_id)
        for one in lines
        if one.kind == "memories_consolidated"
    )
    for what, counted in (("digest", done), ("feeling", felt), ("scene memory", merged)):
        yield from (f"The {what} of {key} was applied {n} times." for key, n in counted.items() if n > 1)


def lost_text(lines: list[Line], narrator: Narrator, died_at: float, since: int) -> Iterator[str]:
    """An interrupted reply has what was sent up to a second before the kill, and nothing that was not sent."""
    seeds = {one.data["turn_id"]: one.data["seed"] for one in lines if one.kind == "assistant_turn_started"}
    for line in lines:
        if line.kind != "assistant_turn" or line.id <= since or line.data["error_code"] != "interrupted":
            continue
        told = narrator.told.get(seeds.get(line.data["turn_id"], -1))
        kept = line.data["text"]
        if told is None:
            if kept:
                yield f"The reply {line.data['turn_id']} has words that nobody wrote."
            continue
        if not told.text.startswith(kept):
            yield f"The words of the reply {line.data['turn_id']} are not those that were sent."
        safe = told.sent_until(died_at - KEPT_S)
        if len(kept) < len(safe):
            yield f"{len(safe) - len(kept)} characters older than a second are gone from an interrupted reply."
