"""Writes the pages of docs/ that are made from code, so that they cannot say something else than it does.

`python docs/generate.py` writes them; with `--check` it only names the ones that are out of date, and fails.
Nothing is started: the catalogue, the schema, the app and the command line are built and looked at.
"""

from __future__ import annotations

import inspect
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def page(title: str, source: str, intro: str, parts: Iterable[str]) -> str:
    notice = f"<!-- Made by docs/generate.py from {source}. Change that, then run `make docs`. -->"
    return "\n\n".join(part.strip() for part in (f"# {title}", notice, intro, *parts) if part.strip()) + "\n"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table, or nothing at all when there are no rows."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *lines]) if lines else ""


def code(value: object) -> str:
    return f"`{value}`"


def on_one_line(text: str | None) -> str:
    """A docstring as one paragraph of Markdown; what looks like a tag is shown, not obeyed."""
    parts = " ".join(inspect.cleandoc(text or "").split()).split("`")
    return "`".join(part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(parts))


# Events


def events() -> str:
    from chat.domain import events as catalogue

    rooms: dict[str, list[Any]] = {}
    for payload in catalogue.CATALOGUE.values():
        rooms.setdefault(payload.room, []).append(payload)
    parts = [part for room, payloads in rooms.items() for part in _room_of_events(room, payloads)]
    intro = (
        f"{len(catalogue.CATALOGUE)} kinds of event can be in the log. Each line below a kind is a field "
        "of its payload. How the log works stands in [architecture](architecture.md)."
    )
    return page("Events", "chat/domain/events/", intro, parts)


def _room_of_events(room: str, payloads: list[Any]) -> Iterator[str]:
    yield f"## Stream: {'chat:<id>' if room == 'chat' else room}"
    for payload in payloads:
        yield f"### {payload.kind}\n\nVersion {payload.version}. {on_one_line(payload.__doc__)}"
        yield table(("field", "type", "default"), _fields(payload))


def _fields(struct: Any) -> Iterator[tuple[str, str, str]]:
    import msgspec

    written: dict[str, str] = {}
    for owner in reversed(struct.__mro__):
        written |= {name: str(hint) for name, hint in inspect.get_annotations(owner).items()}
    for field in msgspec.structs.fields(struct):
        factory = field.default_factory
        default = field.default if factory is msgspec.NODEFAULT else factory()
        needed = default is msgspec.NODEFAULT
        yield code(field.name), code(written[field.name]), "" if needed else code(repr(default))


# Settings


def settings() -> str:
    from chat.settings import Settings

    intro = (
        "A value given on the command line wins over the environment, which wins over `config.toml` in the "
        "data folder, which wins over the default. The name in the environment is `CHAT_` and the name "
        "below in capitals, with two underscores for each dot: `CHAT_CONNECTION__BASE_URL`."
    )
    groups = dict(_groups(Settings))
    parts = []
    for name, model in groups.items():
        parts.append(f"## {name or 'general'}\n\n{on_one_line(model.__doc__) if name else ''}")
        parts.append(table(("setting", "type", "default", "what it is"), _settings(name, model)))
    return page("Settings", "chat/settings/schema.py", intro, parts)


def _groups(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name -> model, for the schema itself and every group nested in it."""
    yield prefix, model
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from _groups(field.annotation, f"{prefix}.{name}".strip("."))


def _settings(prefix: str, model: Any) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            continue
        default = field.get_default(call_default_factory=True)
        shown = "" if default in (None, "") else code(default)
        limits = " ".join(_limits(field))
        about = on_one_line(field.description) + (f" ({limits})" if limits else "")
        yield code(f"{prefix}.{name}".strip(".")), code(_type_name(field.annotation)), shown, about


def _limits(field: Any) -> Iterator[str]:
    words = {
        "ge": "at least",
        "gt": "more than",
        "le": "at most",
        "lt": "less than",
        "max_length": "length at most",
    }
    for rule in field.metadata:
        for attribute, word in words.items():
            if getattr(rule, attribute, None) is not None:
                yield f"{word} {getattr(rule, attribute)}"


def _type_name(annotation: Any) -> str:
    return re.sub(r"\b(?:\w+\.)+", "", inspect.formatannotation(annotation))


# Routes


def routes() -> str:
    intro = (
        "Every page and action also answers JSON to `Accept: application/json`. The fields of a posted form are set in "
        "code type. An id that belongs to another parent is 404."
    )
    rows = {row for route in _leaves(_app_routes()) for row in _route_rows(route)}
    in_order = sorted(rows, key=lambda row: (row[1].strip("`"), row[0]))
    return page("Routes", "chat/web/routes/", intro, [table(("method", "address", "what it does"), in_order)])


def _app_routes() -> list[Any]:
    from chat.app import create_app
    from chat.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        return list(create_app(Settings(data_dir=Path(folder))).routes)


def _leaves(routes: Iterable[Any]) -> Iterator[Any]:
    """FastAPI keeps an included router as one entry of the app; its routes are what we are after."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        yield from _leaves(inner.routes) if inner else [route]


def _route_rows(route: Any) -> Iterator[tuple[str, ...]]:
    for method in sorted((getattr(route, "methods", None) or set()) - {"HEAD", "OPTIONS"}):
        yield method, code(route.path), on_one_line(inspect.getdoc(route.endpoint))


# Command line


def cli() -> str:
    import typer.main

    import chat.cli

    command = typer.main.get_command(chat.cli.app)
    codes = on_one_line((chat.cli.__doc__ or "").partition("\n\n")[2])
    intro = f"{on_one_line(command.help)}\n\n{codes}"
    return page("Command line", "chat/cli.py", intro, _commands("chat", command))


def _commands(name: str, command: Any) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if not children:
        yield f"## {name}\n\n{inspect.cleandoc(command.help or '')}"
        yield table(("argument or option", "default", "what it does"), _options(command))
    for child_name in sorted(children):
        yield from _commands(f"{name} {child_name}", children[child_name])


def _options(command: Any) -> Iterator[tuple[str, ...]]:
    for parameter in command.params:
        names = ", ".join(code(name) for name in (*parameter.opts, *parameter.secondary_opts))
        default = (
            ""
            if parameter.default in (None, "") or getattr(parameter, "is_flag", False)
            else code(parameter.default)
        )
        yield names, default, on_one_line(getattr(parameter, "help", ""))


# Metrics


def metrics() -> str:
    from chat.observe.metrics import COUNTS

    intro = (
        "What `/metrics` answers, in the text format of Prometheus. Each of these only grows, and begins anew with "
        "the program; labels hold codes alone."
    )
    rows = [(code(f"{one.name}_total"), code(one.label), one.meaning) for one in COUNTS]
    return page(
        "Metrics", "chat/observe/metrics.py", intro, [table(("figure", "label", "what it counts"), rows)]
    )


PAGES: dict[str, Callable[[], str]] = {
    "events.md": events,
    "settings.md": settings,
    "routes.md": routes,
    "cli.md": cli,
    "metrics.md": metrics,
}


def main(arguments: list[str]) -> int:
    made = {name: make() for name, make in PAGES.items()}
    stale = [name for name, text in made.items() if not _says(HERE / name, text)]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/{name} does not say what the code says. Run `make docs` and look at the difference.")
        return 1 if stale else 0
    for name in stale:
        (HERE / name).write_text(made[name], "utf-8", newline="\n")
        print(f"docs/{name} written")
    return 0


def _says(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
