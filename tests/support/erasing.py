"""A store with words in every place where words can be, and a search for them through every file."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec

from chat.domain.events import EdgeSeeded, EdgeSummarySet, ManualEdit, NewEvent, library, story
from chat.domain.events.library import ChatRenamed
from chat.settings import Settings
from chat.store import Store
from chat.store.erase import Wanted
from chat.store.quarantine import Case, keep
from chat.store.scrub import Copy
from tests.support import stories

CANARY, CARRIED = "xylophone-marmalade", "kumquat-semaphore"
CASE_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def holding(settings: Settings, word: str) -> list[str]:
    """Every file of the data root in which the bytes of a word stand, backups excepted."""
    root, found = settings.data_dir, []
    for path in root.rglob("*"):
        if path.is_file() and settings.backups_dir not in path.parents:
            with suppress(FileNotFoundError):  # of a program that runs
                found += [str(path.relative_to(root))] if word.encode() in path.read_bytes() else []
    return sorted(found)


def seeded(chat: str, summary: str) -> list[NewEvent]:
    seed = EdgeSeeded(
        source=stories.MIRA, target=stories.YOU, summary=summary, facts=(CARRIED,), from_chat_id="a"
    )
    later = EdgeSummarySet(source=stories.MIRA, target=stories.YOU, summary="warmer", prior=summary)
    edit = ManualEdit(
        what="edge",
        target=f"{stories.MIRA}>{stories.YOU}",
        values={"summary": "cool"},
        prior={"summary": summary},
    )
    return [
        *story(chat, f"{chat}-1", 1, seed),
        *story(chat, f"{chat}-1", 2, later),
        *story(chat, f"{chat}-1", 3, edit),
    ]


async def fill(store: Store, settings: Settings) -> None:
    """Chat a full of canaries, also where rows once were; chat b knows one that was carried over; files beside them."""
    await store.execute(lambda state: [*stories.cast(), *stories.chat("a"), *stories.chat("b")])
    await store.execute(
        lambda state: [library(ChatRenamed(chat_id="a", title=f"The {CANARY}", prior="Chat a"))]
    )
    for step in (1, 3, 5, 7, 9):
        await store.execute(
            lambda state, step=step: stories.exchange("a", "a-1", step, f"{CANARY} {step} " * 40)
        )
    await store.execute(lambda state: stories.forked("a", "a-2", "a-1", 4))
    await store.execute(lambda state: stories.exchange("a", "a-2", 5, f"Again the {CANARY}."))
    await store.execute(lambda state: [*seeded("b", CARRIED), *stories.exchange("b", "b-1", 5, "Nets dry.")])
    await store.save_draft("composer:a", f"half a {CANARY}")
    await store.save_draft("composer:b", "half a net")
    plant(settings)


def plant(settings: Settings) -> None:
    case = Case(
        id=CASE_ID, kind="json", purpose="digest", chat_id="a", turn_id="t", model="m", attempt=1, detail="",
        raw_text=CANARY, ts="",
    )  # fmt: skip
    keep(settings.quarantine_dir, case)
    other = {"id": f"{CASE_ID[:-1]}W", "chat_id": "b", "raw_text": "net"}
    keep(settings.quarantine_dir, msgspec.structs.replace(case, **other))
    (settings.snapshots_dir / "rewind").mkdir()
    left = settings.data_dir / "verify-1234"
    left.mkdir()
    for path in (
        settings.snapshots_dir / "a.snapshot",
        settings.snapshots_dir / "rewind" / "a.snapshot",
        settings.logs_dir / "chat.log",
        settings.logs_dir / "chat.log.1",
        settings.data_dir / "cache.db",
        left / "copy.db",
    ):
        path.write_text(CANARY)


async def erased(store: Store, settings: Settings, wanted: Wanted) -> None:
    """As the program does it."""
    await store.erase(wanted)
    copy = await asyncio.to_thread(Copy.begin, settings)
    await store.exchange(copy.put_in_place)
