"""The `chat` command: serve, and look after what was written. Thin: it calls what the web calls.

Output is for people on a terminal and JSON lines with --json. Exit codes: 0 all is well, 1 something was found or
went wrong, 2 the command was not understood, 3 another server uses the data folder.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chat.clock import Clock
from chat.errors import AlreadyRunning, ChatError, NotFound
from chat.settings import Settings, load_settings

if TYPE_CHECKING:
    from chat.engine.erasing import Left

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A local-first roleplay engine: one person, their bots, one SQLite file, any OpenAI-compatible model.",
)

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder for everything the program writes.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, for scripts.")]

EXIT_FOUND, EXIT_BUSY = 1, 3
_BAR, _LINE_ANEW = 24, "\r\x1b[K"
SWITCH_S = 0.0005
"""How long another thread may keep the event loop, and with it every tab, waiting: a tenth of what Python allows."""


def main() -> None:
    """The entry point of the installed command; every error of ours is two sentences and an exit code."""
    try:
        app()
    except ChatError as problem:
        typer.echo(f"{problem.message}\n{problem.next_step}".strip(), err=True)
        sys.exit(EXIT_BUSY if isinstance(problem, AlreadyRunning) else EXIT_FOUND)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; only this machine.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; the next free one is taken when it is busy.")
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the browser.")] = False,
    data_dir: DataDir = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed for ids and model calls, to play the same again.")
    ] = None,
) -> None:
    """Start the program and open it in the browser. Ctrl+C stops it; a reply being written is kept."""
    gc.disable()  # nothing that is loaded here is ever garbage, so it is neither searched now nor later
    from chat.app import serve as run_server
    from chat.observe import start_logging

    gc.freeze()
    gc.enable()
    sys.setswitchinterval(SWITCH_S)
    settings = _settings(host=host, port=port, data_dir=data_dir)
    settings.ensure_folders()
    start_logging(settings)
    for warning in settings.origin.warnings:
        typer.echo(warning, err=True)

    def announce(address: str) -> None:
        typer.echo(f"Ready at {address}\nYour stories lie in {settings.data_dir}. Press Ctrl+C to stop.")

    run_server(settings, open_browser=not no_open, clock=Clock(seed), announce=announce)


@app.command()
def doctor(
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Go on although events were lost.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check settings, folder, database and the model's server, and say what works and what to do."""
    from chat.engine.doctor import accept, examine

    settings = _settings(data_dir=data_dir)
    findings = [accept(settings, Clock())] if accept_loss else []
    findings += examine(settings, Clock())
    _report(
        [finding._asdict() for finding in findings],
        as_json,
        lambda row: f"{_mark(row)} {row['what']}: {row['says']}",
    )
    if not all(finding.is_fine for finding in findings):
        raise typer.Exit(EXIT_FOUND)


@app.command()
def verify(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Check the chain of the log, re-project it into a scratch database and compare every row."""
    from chat.store.verify import verify as look

    with _bar() as progress:
        findings = look(_settings(data_dir=data_dir), progress)
    _report([{"finding": finding} for finding in findings], as_json, lambda row: row["finding"])
    if findings:
        raise typer.Exit(EXIT_FOUND)
    if not as_json:
        typer.echo(
            "All is well: the chain is whole, every table equals what the log says, the file is sound."
        )


@app.command()
def rebuild(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Write every table anew from the log. The program must not be running."""
    from chat.store.maintenance import rebuild_all

    with _bar() as progress:
        rebuilt = rebuild_all(_played(data_dir), Clock(), progress)
    _report([rebuilt._asdict()], as_json, _rebuilt_lines)


def _rebuilt_lines(row: dict[str, Any]) -> str:
    return "\n".join([*row["warnings"], f"Rebuilt every table from {row['events']:,} events."])


@app.command()
def events(
    after: Annotated[int, typer.Option(help="Only events after this id.")] = 0,
    limit: Annotated[int, typer.Option(help="At most this many.")] = 50,
    stream: Annotated[str, typer.Option(help="Only this stream: library, ledger or chat:<id>.")] = "",
    kind: Annotated[str, typer.Option(help="Only this kind.")] = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the log: what happened, in order."""
    from chat.store.maintenance import list_events

    rows = list_events(_played(data_dir), after=after, limit=limit, stream=stream, kind=kind)
    _report(rows, as_json, _event_line)


@app.command()
def backup(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Back up every story, also while the program runs; the copy is tried out before it counts."""
    from chat.engine.backup_facts import backup_facts
    from chat.store.backup import make

    clock = Clock()
    made = make(_played(data_dir), clock, "by-hand", _stages())
    _report([backup_facts(made, clock.now())], as_json, _backup_line)


@app.command("backups")
def list_backups(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the backups, the newest first: how old, how large, how many events, and whether they were tried out."""
    from chat.engine.backup_facts import backup_facts
    from chat.store.backup import listing

    found = listing(_settings(data_dir=data_dir))
    _report([backup_facts(one, Clock().now()) for one in found], as_json, _backup_line)
    if not found and not as_json:
        typer.echo("There are no backups yet. `chat backup` makes one.")


@app.command()
def restore(
    name: Annotated[str, typer.Argument(help="Name of a backup, as `chat backups` lists it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Go back to a backup, after a look at what would change. The present is backed up first. The program must not be
    running."""
    from chat.engine.backup_facts import restore_facts
    from chat.store import restore as restoring

    settings = _settings(data_dir=data_dir)
    seen = restoring.preview(settings, name, _stages())
    _report([restore_facts(seen)], as_json, _preview_lines)
    if dry_run:
        return
    if not yes and typer.prompt("Type restore to go back to it", err=True) != "restore":
        raise typer.Exit(EXIT_FOUND)
    done = restoring.restore(settings, Clock(), name, _stages())
    kept = {"safety": done.safety, "old_files": done.old_files}
    _report([restore_facts(done.preview) | kept], as_json, _restored_lines)


@app.command()
def purge(
    days: Annotated[int, typer.Option(min=0, help="Only chats put away at least this many days ago.")] = 30,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
    traces: Annotated[
        bool, typer.Option("--traces", help="Erase what of them went over into other chats, too.")
    ] = False,
    copies: Annotated[
        bool, typer.Option("--copies", help="Delete the backups that hold them, too, and make a new one.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Delete for good what was put away long ago. A backup is made first. The program must not be running."""
    from chat.engine import purging

    settings, clock = _played(data_dir), Clock()
    due = purging.due(settings, clock, days)
    _report([one._asdict() for one in due], as_json, _due_line)
    if not due or dry_run:
        if not as_json:
            typer.echo(f"{len(due)} to delete for good." if due else "There is nothing to purge.")
        return
    if not yes and typer.prompt("This cannot be undone. Type purge to go on", err=True) != "purge":
        raise typer.Exit(EXIT_FOUND)
    chosen = [one.chat_id for one in due]
    left = purging.purge(settings, clock, chosen, _stages(), traces=traces, copies=copies)
    if not as_json:
        typer.echo(_purged_lines(left))


def _settings(**given: Any) -> Settings:
    return load_settings(**{name: value for name, value in given.items() if value is not None})


def _played(data_dir: Path | None) -> Settings:
    """The settings of a folder that holds stories: with a mistyped name nothing is begun there, and none are missed."""
    from chat.store.heads import gone

    settings = _settings(data_dir=data_dir)
    if not settings.db_path.exists() and not gone(settings):
        raise NotFound(
            f"There is no database at {settings.db_path}; the first start makes it.",
            "Name the folder your stories are in with --data-dir.",
        )
    return settings


def _report(rows: list[dict[str, Any]], as_json: bool, line: Callable[[dict[str, Any]], str]) -> None:
    for row in rows:
        typer.echo(json.dumps(row, ensure_ascii=False) if as_json else line(row))


def _mark(row: dict[str, Any]) -> str:
    return "ok  " if row["is_fine"] else "look"


def _event_line(row: dict[str, Any]) -> str:
    where = f"{row['stream']} {row['step'] if row['step'] is not None else '-'}"
    return f"{row['id']:>8}  {row['ts']}  {row['kind']:<24} {where}"


def _stages() -> Callable[[str], None]:
    """Says on a terminal what is being done; silent elsewhere."""
    shown = sys.stderr.isatty()
    return lambda stage: typer.echo(f"  {stage} ...", err=True) if shown else None


@contextmanager
def _bar() -> Iterator[Callable[[str, float], None]]:
    """Shows on a terminal how far long work is, on one line that is gone in the end; silent elsewhere."""
    shown, drawn = sys.stderr.isatty(), ""

    def draw(what: str, share: float) -> None:
        nonlocal drawn
        full = int(share * _BAR)
        line = f"{_LINE_ANEW}  {'#' * full}{'.' * (_BAR - full)} {share:4.0%}  {what}"
        if shown and line != drawn:
            typer.echo(line, err=True, nl=False)
            drawn = line

    try:
        yield draw
    finally:
        typer.echo(_LINE_ANEW if drawn else "", err=True, nl=False)


def _backup_line(row: dict[str, Any]) -> str:
    from chat.engine.backup_facts import ago, size_of, why

    events = f"{row['events']:,} events" if row["events"] is not None else "contents unknown"
    tried = "verified" if row["verified"] else "NOT VERIFIED"
    return (
        f"{row['name']}  {ago(row['age_s'])}, {size_of(row['size'])}, {events}, {tried}, {why(row['reason'])}"
    )


def _due_line(row: dict[str, Any]) -> str:
    return f"{row['chat_id']}  put away {row['days']} days ago, {row['turns']} turns  {row['title']}"


def _purged_lines(left: Left) -> str:
    but = ["the backups"] if left.backups else []
    but += [f"what was damaged and set aside: {', '.join(left.damaged)}"] if left.damaged else []
    rest = f" but {' and '.join(but)}." if but else " and backup."
    lines = [f"The words are gone from every file{rest}"]
    if left.foreign:
        lines.append(
            f"Not made by this program, so not looked into: {', '.join(left.foreign)}, among the backups."
        )
    return "\n".join(lines)


def _preview_lines(row: dict[str, Any]) -> str:
    lines = [f"Going back to {row['name']} with {row['events']:,} events:"]
    if not row["present_is_readable"]:
        lines.append("The present stories cannot be read.")
    for chat in row["chats"]:
        title = chat["title"] or chat["chat_id"]
        lines.append(f"  {title}: {chat['gained']} turns come back, {chat['lost']} go.")
    if not row["chats"]:
        lines.append("No turn of any chat comes or goes.")
    return "\n".join(lines)


def _restored_lines(row: dict[str, Any]) -> str:
    lines = [f"Went back to {row['name']} with {row['events']:,} events."]
    if row["safety"]:
        lines.append(f"What was there before is the backup {row['safety']}.")
    if row["old_files"]:
        lines.append(f"The damaged files were kept beside the database as {row['old_files']}.")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
