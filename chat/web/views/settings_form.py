"""The settings page: personas and the connection as forms. The key never comes near it, only whether there is one."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import SecretStr

from chat.domain.library import Library
from chat.domain.people import Person
from chat.domain.wording import revision_of
from chat.engine.authoring import YOU_WORDS, YouFields
from chat.errors import SettingRefused
from chat.settings import LOCAL_BACKENDS, PRESETS, Connection, ConnectionUpdate, Settings
from chat.web.forms import Fields

NEW = "new"
_PERSONA = ("name", "pronouns", "persona", "appearance")
_CONNECTION = ("base_url", "api_key", "narrative_model", "classifier_model", "temperature", "reply_tokens")


class PersonaForm(NamedTuple):
    """One persona as its form shows it; `id` is "new" for the empty form at the end."""

    id: str
    name: str
    is_default: bool
    is_open: bool
    wrong: str
    form: dict[str, Any]


def personas(library: Library, typed: dict[str, str] | None = None, wrong: str = "") -> list[PersonaForm]:
    """Every persona, the default first, and an empty form. `typed` fills the form that was refused for `wrong`."""
    people = sorted(library.people.values(), key=lambda one: (not one.is_default, one.name.casefold()))
    shown = [_persona(person, len(people) == 1) for person in people]
    shown.append(
        PersonaForm(NEW, "", False, not people, "", {**dict.fromkeys(_PERSONA, ""), "is_default": False})
    )
    refused = which(library, typed.get("you_id", "")) if typed else None
    refused = (
        refused if refused in library.people else None
    )  # gone meanwhile: what was typed can become a new one
    return [
        one._replace(
            is_open=True, form=_refused(one.form, typed), wrong=wrong if _is_the_same(one, typed) else ""
        )
        if typed and one.id == (refused or NEW)
        else one
        for one in shown
    ]


def _is_the_same(shown: PersonaForm, typed: dict[str, str]) -> bool:
    """Nobody else has written it since the form was opened."""
    return typed.get("revision", "") in ("", shown.form.get("revision"))


def _refused(stored: dict[str, Any], typed: dict[str, str]) -> dict[str, Any]:
    """What was typed, and beside it what stands there by now where that is something else."""
    revision = stored.get("revision", "")
    if typed.get("revision", "") in ("", revision):
        return stored | typed
    newer = {name: stored[name] for name in _PERSONA if typed.get(name, stored[name]) != stored[name]}
    return stored | typed | {"revision": revision, "newer": newer}


def words_of(person: object) -> dict[str, str]:
    """The words of a persona, with the revision that stands for them."""
    return {name: getattr(person, name) for name in _PERSONA} | {"revision": revision_of(person, YOU_WORDS)}


def _persona(person: Person, is_only: bool) -> PersonaForm:
    values = {**words_of(person), "is_default": person.is_default}
    return PersonaForm(person.id, person.name, person.is_default, is_only, "", values)


def which(library: Library, you_id: str) -> str | None:
    """The persona a form is about: the named one, without a name the default; None for a new one."""
    if you_id == NEW:
        return None
    default = library.default_person()
    return you_id or (default.id if default else None)


def posts_persona(fields: Fields) -> bool:
    return fields.has(*_PERSONA)


def posts_connection(fields: Fields) -> bool:
    return fields.has(*_CONNECTION, "forget_key")


def persona_of(fields: Fields, known: Person | None) -> YouFields:
    """What was posted; fields that were not posted stay as they are."""
    values = {name: fields.text(name, getattr(known, name, "")) for name in _PERSONA}
    is_default = fields.flag("is_default") or bool(known and known.is_default)
    return YouFields(**values, is_default=is_default)


def connection_update(fields: Fields) -> ConnectionUpdate:
    """What was posted; None keeps what is stored. Raises SettingRefused for what is no number."""
    texts = {
        name: fields.line(name)
        for name in ("base_url", "narrative_model", "classifier_model")
        if fields.has(name)
    }
    return ConnectionUpdate(
        **texts,
        api_key=SecretStr(fields.line("api_key")) if fields.line("api_key") else None,
        temperature=_number(fields, "temperature", "The temperature"),
        reply_tokens=_whole(fields),
        allow_plain_http=fields.flag("allow_plain_http"),
        forget_key=fields.flag("forget_key"),
    )


def _number(fields: Fields, name: str, label: str) -> float | None:
    if not fields.line(name):
        return None
    try:
        return float(fields.line(name).replace(",", "."))
    except ValueError:
        raise SettingRefused(f"{label} is not a number.", field=name) from None


def _whole(fields: Fields) -> int | None:
    value = _number(fields, "reply_tokens", "The reply length")
    if value is None or value.is_integer():
        return None if value is None else int(value)
    raise SettingRefused("The reply length is not a whole number.", field="reply_tokens")


def connection_view(
    settings: Settings, models: list[str], typed: dict[str, str] | None = None, wrong: str = ""
) -> dict[str, Any]:
    connection = settings.connection
    form = {name: getattr(connection, name) for name in _CONNECTION if name != "api_key"}
    form["allow_plain_http"] = connection.allow_plain_http
    typed = {name: value for name, value in (typed or {}).items() if name in form}
    return {
        "form": form | typed,
        "has_key": connection.api_key is not None,
        "ask_plain_http": wrong == "allow_plain_http" or connection.allow_plain_http,
        "presets": (*LOCAL_BACKENDS, *PRESETS),
        "models": models,
        "sentence": _sentence(connection),
    }


def _sentence(connection: Connection) -> str:
    if connection.is_demo:
        return "No server is connected: a small script inside this program plays the bots. Nothing leaves this machine."
    if not connection.narrative_model:
        return f"{connection.authority} is connected. Choose a model, so that it can write."
    return f"{connection.narrative_model} at {connection.authority} writes the replies."


def as_json(settings: Settings, library: Library) -> dict[str, Any]:
    connection = settings.connection
    return {
        "personas": [
            {"id": one.id, **{name: getattr(one, name) for name in (*_PERSONA, "is_default")}}
            for one in library.people.values()
        ],
        "connection": {
            **{name: getattr(connection, name) for name in _CONNECTION if name != "api_key"},
            "api_key": "set" if connection.api_key else "not set",
            "is_demo": connection.is_demo,
        },
    }
