"""One data folder that is played with and killed again and again, and looked at after each kill."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self
from unittest import mock

from chat import cli
from chat.settings import load_settings
from chat.store import migrate
from chat.store.verify import verify
from tests.kills import staged, told
from tests.kills.model import Narrator
from tests.kills.player import SECOND_BOT, Gone, Player
from tests.kills.stages import AT_RANDOM, RANDOM, RANDOM_START, RESTORE, Stage
from tests.support.erasing import holding
from tests.support.peer import Peer
from tests.support.server import Server

ROOT = str(Path(__file__).parents[2])
PLAYED_S = 9.0
PATIENCE_S = 40.0
"""A first reply after a start loads the client's libraries, which takes long on a machine that is busy."""
DECIDED = Stage("restore: decided", play=(RESTORE,))
NAMES = ("Mira Vale", SECOND_BOT["name"])


class Kill(NamedTuple):
    """One kill: the stage it was meant for, the one it hit, and what was wrong afterwards."""

    wanted: Stage
    hit: str
    problems: list[str]


class Story:
    """`played` is a folder of its own; the model answers from the process that plays."""

    def __init__(self, folder: Path, peer: Peer, narrator: Narrator, chance: random.Random) -> None:
        self.narrator, self.chance = narrator, chance
        self.settings = load_settings(data_dir=folder / "data")
        self.calendar = folder / "calendar"
        connection = {"BASE_URL": peer.base_url, "NARRATIVE_MODEL": "peer-model"}
        given = {f"CHAT_CONNECTION__{name}": value for name, value in connection.items()}
        self.server = Server(
            folder / "data",
            settings={**given, "PYTHONPATH": ROOT, staged.CALENDAR: str(self.calendar)},
            program=staged.main,
            is_measured=False,
        )
        self.player = Player(self.server, self.settings, chance)
        self.is_migrated = False
        self.following: Stage | None = None
        """The next stage: at a random instant it is the program itself that is killed, without any of our hooks."""
        self._seen = 0
        self._died_at = 0.0

    def first_start(self, stage: Stage | None) -> list[Kill]:
        """The very first start, killed in the middle when a stage is given; then the cast comes on stage."""
        kills = []
        if stage:
            self._arm(stage)
            self.server.launch()
            kills.append(self._end_of_start(stage))
        self._start()
        self.player.set_the_stage()
        return [kill._replace(problems=self._asked()) for kill in kills]

    def kill(self, stage: Stage) -> list[Kill]:
        """Play, be killed at the stage, start again and look. A start that is to be killed needs a kill before it."""
        if stage.when == "play":
            return [self._kill_in_play(stage)]
        if stage.when == "stop":
            self._play(0.3)
            self._arm(stage)
            assert self.server.process
            self.server.process.terminate()
            return [self._looked(stage, self._wait_for_death())]
        before = DECIDED if stage.when == "restore" else RANDOM
        first = self._kill_in_play(before, look=False)
        second = self._kill_in_start(stage)
        return [first, second]

    def play_until(self, stage: Stage) -> None:
        """Play until the program has killed itself at a stage. Nothing is looked at."""
        hit = self._kill_in_play(stage, look=False).hit
        assert hit == stage.name, f"The program was to die at {stage.name!r} and died at {hit!r}."
        self._disarm()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.server.kill()

    def _kill_in_play(self, stage: Stage, *, look: bool = True) -> Kill:
        if stage is RANDOM:
            self._play(self.chance.uniform(0.0, 2.5))
            hit = self._kill_now()
        else:
            self._arm(stage)
            self._play(PLAYED_S, stage.play)
            hit = self._wait_for_death(0.5)
        return self._looked(stage, hit) if look else Kill(stage, hit, [])

    def _kill_in_start(self, stage: Stage) -> Kill:
        extra = {"rebuild": staged.OTHER_FOLD, "migrate": staged.EXTRA_MIGRATION}.get(stage.when, "")
        self.is_migrated |= stage.when == "migrate"
        left_at = self._died_at  # a start that is killed has no reply of its own to lose
        if extra:
            self.server.settings[extra] = "yes"
        self._arm(stage)
        self.server.program = cli.main if stage is RANDOM_START and not self.is_migrated else staged.main
        self.server.launch()
        if stage is RANDOM_START:
            time.sleep(self.chance.uniform(0.02, 0.8))
            hit = self._kill_now()
        else:
            hit = self._end_of_start(stage).hit
        self._died_at = left_at
        self.server.settings.pop(staged.OTHER_FOLD, None)
        return self._looked(stage, hit)

    def _end_of_start(self, stage: Stage) -> Kill:
        came_up = self.server.came_up()
        return Kill(stage, self._kill_now() if came_up else self._wait_for_death(), [])

    def _play(self, for_s: float, wanted: tuple[str, ...] = ()) -> None:
        until = time.monotonic() + for_s
        with suppress(Gone):
            while time.monotonic() < until:
                self.player.play(wanted)
                time.sleep(min(self.chance.uniform(0, 0.15), max(0.0, until - time.monotonic())))

    def _arm(self, stage: Stage) -> None:
        self._disarm()
        if stage is not RANDOM:
            self.calendar.write_text(f"{stage.name} {self.chance.randint(1, stage.most)}", "utf-8")

    def _disarm(self) -> None:
        self.calendar.unlink(missing_ok=True)
        self.calendar.with_suffix(".died").unlink(missing_ok=True)

    def _kill_now(self) -> str:
        self._died_at = time.monotonic()
        self.server.kill()
        return RANDOM.name

    def _wait_for_death(self, within_s: float = 15.0) -> str:
        """The stage that was hit; when it was not reached, a kill at this moment instead."""
        until = time.monotonic() + within_s
        while self.server.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        if (death := staged.died(self.calendar)) is None:
            return self._kill_now()
        self.server.kill()
        self._died_at = death[0]
        return death[1]

    def _start(self) -> None:
        self._disarm()
        self.server.program = (
            cli.main if self.following in AT_RANDOM and not self.is_migrated else staged.main
        )
        self.server.start()

    def _looked(self, stage: Stage, hit: str) -> Kill:
        return Kill(stage, hit, self._look())

    def _look(self) -> list[str]:
        """Start again and say everything that is wrong."""
        problems = self._verified() if self.chance.random() < 0.25 and not self.is_migrated else []
        try:
            self._start()
        except AssertionError as problem:
            return [*problems, str(problem)]
        return problems + self._asked()

    def _asked(self) -> list[str]:
        """Everything that is wrong with the program that runs."""
        problems = []
        try:
            problems += self._questions()
        except Gone as problem:
            problems.append(f"The program went away while it was looked at: {problem}")
        problems += self._verified() + self.player.problems
        self.player.problems.clear()
        return problems

    def _questions(self) -> list[str]:
        diary = self.player.diary
        lines = told.read_log(self.settings)
        problems = [*told.missing_deeds(lines, diary), *told.half_commands(lines)]
        problems += [*told.applied_twice(lines)]
        problems += told.lost_text(lines, self.narrator, self._died_at, self._seen)
        told.find_out(lines, diary)
        problems += self._of_deleted(told.deleted(lines))
        for chat_id in self.player.chats:
            problems += self._of_chat(chat_id)
        problems += self._of_backups()
        problems += self._said_again()
        problems += self._next_turn()
        lines = told.read_log(self.settings)
        problems += [*told.missing_deeds(lines, diary), *told.applied_twice(lines)]
        self._seen = lines[-1].id
        return problems

    def _of_chat(self, chat_id: str) -> list[str]:
        """Nothing is still running, and words that asked for a reply do not stand there without one."""
        problems = []
        page = self.server.request("GET", f"/chats/{chat_id}").json
        turns = page["turns"]
        if any(turn["status"] == "running" for turn in turns):
            problems.append("A reply seems to be written although nobody writes it.")
        allowed = self.player.diary.drafts.setdefault(chat_id, {page["draft"]})
        if page["draft"] not in allowed:
            problems.append(f"The composer holds {page['draft']!r}, not one of {sorted(allowed)}.")
        self.player.diary.drafts[chat_id] = {page["draft"]}
        last = turns[-1] if turns else None
        if last and last["role"] == "user" and self.player.diary.spoken_last.get(chat_id):
            problems.append("The player's words stand there without a reply and without a way to get one.")
        if last and (last["error"] or {}).get("code") == "interrupted":
            html = self.server.request("GET", f"/chats/{chat_id}", headers={"Accept": "text/html"}).text
            if f"/turns/{last['id']}/regenerate" not in html or "Retry" not in html:
                problems.append("An interrupted reply offers no Retry.")
        return problems

    def _of_deleted(self, chat_ids: set[str]) -> list[str]:
        """What was said in a chat that was deleted for good stands in no file but backups."""
        said = self.player.diary.forget(chat_ids)
        self.player.diary.doubtful = [
            one for one in self.player.diary.doubtful if one.chat_id not in chat_ids
        ]
        self.player.chats = [one for one in self.player.chats if one not in chat_ids]
        found = {name for words in said for name in holding(self.settings, words)}
        return [f"Words of a deleted chat still stand in {name}." for name in sorted(found)]

    def _of_backups(self) -> list[str]:
        """Whatever has the name of a backup is a whole one."""
        listed = self.server.request("GET", "/backups").json["backups"]
        return [f"The backup {one['name']} was never tried out." for one in listed if not one["verified"]]

    def _said_again(self) -> list[str]:
        """What nobody knows the fate of is sent once more, with the same key."""
        player, problems = self.player, []
        doubtful, player.diary.doubtful = player.diary.doubtful, []
        for deed in (one for one in doubtful if one.kind == "say"):
            answer = self.server.request("POST", f"/chats/{deed.chat_id}/turns", form=player.words(deed))
            player.diary.end(deed, taken=answer.status < 400)
            if answer.status != 202:
                problems.append(f"Words sent again were answered {answer.status}: {answer.text[:200]}")
            player.stop(deed.chat_id)
        for deed in (one for one in doubtful if one.kind == "begin"):
            player.confirm(deed)
            if not deed.answered:
                problems.append("A story that was begun in doubt could not be begun again.")
        return problems

    def _next_turn(self) -> list[str]:
        """The story goes on: the next turn is answered, and what it changed is worked out."""
        chat_id = self.chance.choice(self.player.chats)
        self.player.settled(chat_id, 8)
        deed = self.player.say(chat_id, quick=True)
        if not deed.answered:
            return ["The next turn was refused."]
        until = time.monotonic() + PATIENCE_S
        turns = self.player.settled(chat_id, PATIENCE_S)
        while turns[-1]["role"] == "user" and time.monotonic() < until:
            turns = self.player.settled(chat_id, PATIENCE_S)
        said, reply = turns[-2:]
        if (reply["role"], reply["status"], said["text"]) != ("assistant", "whole", deed.text):
            return [f"The next turn was not answered: {said['text']!r}, {reply['status']}, {reply['error']}."]
        while time.monotonic() < until:
            done = [line.data for line in told.read_log(self.settings) if line.kind == "digest_finished"]
            if any(one["turn_id"] == reply["id"] for one in done):
                return []
            time.sleep(0.05)
        return ["What the next turn changed was never worked out."]

    def _verified(self) -> list[str]:
        if not self.is_migrated:
            return verify(self.settings)
        extra = (*migrate.shipped(), migrate.Migration(9999, "9999_killed", staged.EXTRA))
        with mock.patch.object(migrate, "shipped", return_value=extra):
            return verify(self.settings)
