"""Plays over HTTP as a script does: two bots, two chats and more, until the program is gone."""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from chat.settings import Settings
from chat.store.maintenance import list_events
from tests.kills import stages
from tests.kills.diary import Deed, Diary
from tests.kills.model import QUICK
from tests.support.server import Answer, Server

SECOND_BOT = {"name": "Tomas Reed", "persona": "A ferryman who counts his words.", "kickoff_prose": "A pier."}
OPENING = "The quay at dusk. We stand by the boats."
ALL = (
    *(stages.SAY,) * 4,
    stages.STOP,
    stages.RETRY,
    stages.CLOSE,
    stages.EDIT,
    stages.PIN,
    stages.UNDO,
    stages.REWIND,
    stages.SWIPE,
    stages.DRAFT,
)


class Gone(Exception):
    """The program does not answer any more."""


class Player:
    """`diary` is written before each request and after each answer."""

    def __init__(self, server: Server, settings: Settings, chance: random.Random) -> None:
        self.server, self.settings = server, settings
        self.chance = chance
        self.diary = Diary()
        self.chats: list[str] = []
        self.bots: list[str] = []
        self.problems: list[str] = []
        self._marks = 0

    def set_the_stage(self) -> None:
        """A second bot, and a chat with each."""
        self._form("POST", "/bots/new", SECOND_BOT)
        self.bots = [bot["id"] for bot in self._json("/bots")["bots"]]
        for bot_id in self.bots:
            self.begin(bot_id)

    def play(self, wanted: tuple[str, ...] = ()) -> None:
        """One thing a player does; half of the time one of those `wanted`. Raises Gone."""
        kinds = wanted if wanted and self.chance.random() < 0.7 else ALL
        self.do(self.chance.choice(kinds))

    def do(self, kind: str) -> None:
        """One thing, in one of the chats."""
        chat_id = self.chance.choice(self.chats[-3:])
        deeds: dict[str, Callable[[str], object]] = {
            stages.SAY: self.say,
            stages.STOP: self.stop,
            stages.RETRY: self.retry,
            stages.CLOSE: self.close,
            stages.EDIT: self.edit,
            stages.PIN: self.pin,
            stages.UNDO: self.undo,
            stages.DRAFT: self.draft,
            stages.REWIND: self.rewind,
            stages.SWIPE: self.swipe,
            stages.BEGIN: lambda _: self.begin(self.chance.choice(self.bots)),
            stages.BACKUP: lambda _: self.back_up(),
            stages.RESTORE: lambda _: self.go_back(),
            stages.ERASE: lambda _: self.erase(),
        }
        deeds[kind](chat_id)

    def say(self, chat_id: str, *, quick: bool | None = None) -> Deed:
        is_quick = self.chance.random() < 0.5 if quick is None else quick
        mark = self.mark()
        deed = Deed("say", chat_id, mark, f"I say {mark}. {QUICK if is_quick else ''}".strip())
        self._do(self.diary.begin(deed), f"/chats/{chat_id}/turns", self.words(deed))
        return deed

    def words(self, deed: Deed) -> dict[str, str]:
        return {"prose": deed.text, "idempotency_key": deed.mark}

    def stop(self, chat_id: str) -> None:
        running = [turn for turn in self.turns(chat_id) if turn["status"] == "running"]
        if running:
            time.sleep(self.chance.uniform(0, 0.3))
            self._form("POST", f"/chats/{chat_id}/turns/{running[-1]['id']}/stop", {})

    def retry(self, chat_id: str) -> None:
        last = self.settled(chat_id)[-1:]
        if last and last[0]["role"] == "assistant":
            deed = self.diary.begin(Deed("retry", chat_id, last[0]["id"]))
            self._do(deed, f"/chats/{chat_id}/turns/{deed.mark}/regenerate", {})

    def close(self, chat_id: str) -> None:
        self.settled(chat_id)
        deed = self.diary.begin(Deed("close", chat_id, self.mark()))
        self._do(deed, f"/chats/{chat_id}/scene/close", {"name": deed.mark, "place_type": "place"})

    def edit(self, chat_id: str) -> None:
        """A feeling's summary, the weather or what somebody does, in words of their own."""
        forms = self._json(f"/chats/{chat_id}/drawer")["editable"]
        fields = {"edge": "summary", "weather": "weather", "activity": "action"}
        form = self.chance.choice([one for one in forms if one["what"] in fields])
        deed = self.diary.begin(Deed("edit", chat_id, self.mark()))
        values = {fields[form["what"]]: deed.mark, "revision": str(form["revision"])}
        self._do(deed, f"/chats/{chat_id}/drawer/{form['what']}/{form['id']}", values)

    def pin(self, chat_id: str) -> None:
        forms = self._json(f"/chats/{chat_id}/drawer")["editable"]
        memories = [one["id"] for one in forms if one["what"] == "memory"]
        if memories:
            pinned = self.chance.choice(("on", ""))
            path = f"/chats/{chat_id}/drawer/pin/{self.chance.choice(memories)}"
            self._form("POST", path, {"pinned": pinned})
            self.diary.spoken_last[chat_id] = False

    def undo(self, chat_id: str) -> None:
        self.settled(chat_id)
        deed = self.diary.begin(Deed("undo", chat_id, ""))
        self._do(deed, f"/chats/{chat_id}/undo", {})

    def rewind(self, chat_id: str) -> None:
        turns = self.settled(chat_id)
        if len(turns) > 2:
            deed = self.diary.begin(Deed("rewind", chat_id, self.chance.choice(turns[:-1])["id"]))
            self._do(deed, f"/chats/{chat_id}/turns/{deed.mark}/rewind", {})

    def swipe(self, chat_id: str) -> None:
        """To a branch that was left, whichever it is."""
        self.settled(chat_id)
        left = self.branches(chat_id)
        if left:
            deed = self.diary.begin(Deed("swipe", chat_id, self.chance.choice(left)))
            self._do(deed, f"/chats/{chat_id}/branches/{deed.mark}/select", {})

    def branches(self, chat_id: str) -> list[str]:
        """The branches the story does not stand on, as the log has them."""
        chosen = [
            row["data"]
            for row in list_events(self.settings, limit=-1, kind="branch_selected")
            if row["data"].get("chat_id") == chat_id
        ]
        here = chosen[-1]["branch_id"] if chosen else ""
        return sorted({branch for one in chosen for branch in (one["branch_id"], one["prior"])} - {here})

    def draft(self, chat_id: str) -> None:
        deed = Deed("draft", chat_id, "", f"Not said yet: {self.mark()}")
        self._do(self.diary.begin(deed), f"/chats/{chat_id}/draft", {"prose": deed.text}, "PUT")

    def erase(self) -> None:
        """Delete a chat of its own for good, in which something was said."""
        if len(self.chats) < 3:
            self.begin(self.chance.choice(self.bots))
            return
        chat_id = self.chats[-1]
        self.settled(chat_id)
        self.say(chat_id, quick=True)
        title = self._json(f"/chats/{chat_id}")["title"]
        deed = self.diary.begin(Deed("erase", chat_id, chat_id))
        self._do(deed, f"/chats/{chat_id}/delete", {"name": title, "stop": "on"})
        if deed.answered:
            self.chats.remove(chat_id)

    def back_up(self) -> str:
        """A backup of everything; its name, or nothing when it was refused."""
        made = self._form("POST", "/backups", {})
        return str(made.json["backup"]["name"]) if made.status < 400 else ""

    def go_back(self) -> None:
        """To a backup made just now: nobody says anything in between, so the stories are the same afterwards."""
        is_quiet = all(self.settled(chat_id)[-1]["status"] != "running" for chat_id in self.chats)
        if is_quiet and (name := self.back_up()):
            self._form("POST", f"/backups/{name}/restore", {})

    def begin(self, bot_id: str) -> None:
        """A new chat, read from prose and confirmed; sometimes the bot begins to speak."""
        path = f"/bots/{bot_id}/kickoff"
        read = self._form("POST", path, {"prose": OPENING, "action": "parse"})
        draft_id = self._json(path)["draft"]["draft_id"]
        assert read.status < 400, read.text
        deed = self.diary.begin(Deed("begin", draft_id, draft_id, bot_id=bot_id))
        self.confirm(deed)

    def confirm(self, deed: Deed) -> None:
        form = {"action": "confirm", "draft_id": deed.mark, "title": "A quay"}
        self._do(deed, f"/bots/{deed.bot_id}/kickoff", form)
        if deed.answered and deed.mark not in self.chats:
            self.chats.append(deed.mark)
            self.diary.drafts[deed.mark] = {""}

    def settled(self, chat_id: str, within_s: float = 1.5) -> list[dict[str, Any]]:
        """The turns once no reply is being written, or as they are when that takes too long."""
        until = time.monotonic() + within_s
        while (turns := self.turns(chat_id)) and turns[-1]["status"] == "running":
            if time.monotonic() > until:
                break
            time.sleep(0.05)
        return turns

    def turns(self, chat_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._json(f"/chats/{chat_id}")["turns"]
        return found

    def mark(self) -> str:
        self._marks += 1
        return f"mark{self._marks:05}"

    def _do(self, deed: Deed, path: str, form: Mapping[str, str], method: str = "POST") -> None:
        answer = self._form(method, path, form)
        if answer.status >= 500:
            self.problems.append(f"{deed.kind} was answered {answer.status}: {answer.text[:300]}")
        self.diary.end(deed, taken=answer.status < 400)

    def _form(self, method: str, path: str, form: Mapping[str, str]) -> Answer:
        return self._ask(method, path, form)

    def _json(self, path: str) -> Any:
        answer = self._ask("GET", path, None)
        assert answer.status == 200, f"{path}: {answer.status} {answer.text[:300]}"
        return answer.json

    def _ask(self, method: str, path: str, form: Mapping[str, str] | None) -> Answer:
        try:
            return self.server.request(method, path, form=form)
        except (OSError, http.client.HTTPException) as problem:
            raise Gone(str(problem)) from problem
