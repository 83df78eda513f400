"""Looks at everything the program needs and says in sentences what works: settings, folder, database, endpoint.

It writes nothing, except that `accept` lets the log go on after a loss the player has accepted.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import suppress
from typing import NamedTuple

from chat.clock import Clock
from chat.engine import timekeeping
from chat.engine.backup_facts import ago, backup_facts
from chat.errors import ChatError, StoreDamaged
from chat.llm.calls import Endpoint
from chat.llm.gateway import Gateway
from chat.settings import Settings
from chat.store import backup, maintenance, mend
from chat.store.heads import gone
from chat.store.start import advise
from chat.store.store import Store

FREE_BYTES_WANTED = 200_000_000


class Finding(NamedTuple):
    what: str
    is_fine: bool
    says: str


def examine(settings: Settings, clock: Clock) -> list[Finding]:
    """Every check in the order a start would meet them."""
    return [
        *_settings(settings),
        *_folder(settings),
        *asyncio.run(_database(settings, clock)),
        *_backups(settings, clock),
        *asyncio.run(_endpoint(settings, clock)),
    ]


def accept(settings: Settings, clock: Clock) -> Finding:
    """Append that the loss is accepted, so that the story can go on from what is there."""
    return Finding("accepted loss", True, asyncio.run(maintenance.accept_loss(settings, clock)))


def _settings(settings: Settings) -> list[Finding]:
    file = settings.config_path.name if settings.config_path.exists() else "no file, all defaults"
    return [
        Finding("settings", True, f"read ({file})"),
        *(Finding("settings", False, warning) for warning in settings.origin.warnings),
    ]


def _folder(settings: Settings) -> list[Finding]:
    if not settings.data_dir.exists():
        return [Finding("folder", True, f"{settings.data_dir} is not there yet; the first start makes it")]
    if not os.access(settings.data_dir, os.W_OK):
        return [
            Finding("folder", False, f"{settings.data_dir} cannot be written to; make it writable for you")
        ]
    free = shutil.disk_usage(settings.data_dir).free
    said = f"{settings.data_dir} is writable, {free / 1e9:.1f} GB free"
    return [Finding("folder", free >= FREE_BYTES_WANTED, said)]


async def _database(settings: Settings, clock: Clock) -> list[Finding]:
    if lost := gone(settings):
        advise(settings, lost)
        return [Finding("database", False, f"{lost.message} {lost.next_step}")]
    if not settings.db_path.exists():
        return [Finding("database", True, "not there yet; the first start makes it")]
    try:
        store = await Store.open(settings, clock, read_only=True)
    except ChatError as problem:
        found = await _looked_into(settings, problem)
        return [Finding("database", False, f"{found.message} {found.next_step}")]
    try:
        shelves = store.library
        said = f"{store.head:,} events, {len(shelves.bots)} bots, {len(shelves.chats)} chats"
        fault = store.fault or await asyncio.to_thread(mend.outlook, settings)
        return [
            Finding(
                "database", fault is None, said if fault is None else f"{fault.message} {fault.next_step}"
            ),
            *(Finding("database", False, warning) for warning in store.warnings),
            *await _clock(store, clock),
            _library_version(),
        ]
    finally:
        await store.close()


async def _clock(store: Store, clock: Clock) -> list[Finding]:
    """Told of only where it stands behind what was written."""
    with suppress(ChatError):  # what cannot be read is told of above
        if told := timekeeping.warning(clock, await timekeeping.last_moment(store)):
            return [Finding("clock", False, told)]
    return []


async def _looked_into(settings: Settings, problem: ChatError) -> ChatError:
    """Where the log of a damaged file is whole, no backup is needed."""
    if not isinstance(problem, StoreDamaged):
        return problem
    try:
        return await asyncio.to_thread(mend.outlook, settings) or problem
    except ChatError:
        return problem


def _backups(settings: Settings, clock: Clock) -> list[Finding]:
    if not settings.db_path.exists() and not settings.head_path.exists():
        return []
    try:
        good = backup.newest_good(settings)
    except ChatError as problem:
        return [Finding("backups", False, f"{problem.message} {problem.next_step}")]
    if good is None:
        return [Finding("backups", True, "none yet; `chat backup` makes one, and a running server one a day")]
    age = ago(backup_facts(good, clock.now())["age_s"])
    return [Finding("backups", True, f"the newest good one is {good.name}, {age}")]


def _library_version() -> Finding:
    version, is_fixed = maintenance.sqlite_version()
    advice = "" if is_fixed else "; older than 3.51.3, so only one program may write (this one sees to that)"
    return Finding("sqlite", True, f"{version}{advice}")


async def _endpoint(settings: Settings, clock: Clock) -> list[Finding]:
    connection = settings.connection
    if connection.is_demo:
        return [Finding("model", True, "none is configured; the built-in demo plays")]
    gateway = Gateway(clock, request_s=settings.timeouts.request_s)
    endpoint = Endpoint(connection.authority, connection.base_url, connection.key_to_send)
    try:
        probe = await gateway.probe(endpoint, connection.narrative_model, connection.classifier_model)
        return [Finding(f"model: {one.what}", one.ok is not False, one.sentence) for one in probe.findings]
    except ChatError as problem:
        return [Finding("model", False, f"{problem.message} {problem.next_step}")]
    finally:
        await gateway.close()
