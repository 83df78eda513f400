"""Which of the named stages the program still runs through: a kill can come only where something is reached.

One story is played through everything a stage asks for, and nothing is killed at a stage of its own.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

from tests.kills import staged
from tests.kills.campaign import row_of
from tests.kills.model import Narrator
from tests.kills.player import Player
from tests.kills.stages import STAGES, Stage
from tests.kills.story import DECIDED, NAMES, Story
from tests.support.peer import Peer

PLAYED_S = 60.0
"""The most that is played to get to the last of them; all together usually takes a quarter of it."""
MID_STREAM = Stage("mid-stream", 20)


def never_reached(folder: Path) -> list[str]:
    """The stages nothing came to, by the names of their rows."""
    narrator = Narrator(random.Random(5), NAMES)
    with Peer(default=narrator) as peer, Story(folder, peer, narrator, random.Random(5)) as story:
        return sorted(row_of(stage) for stage in _Census(folder, story).missing())


class _Census:
    def __init__(self, folder: Path, story: Story) -> None:
        self.story, self.folder = story, folder / "reached"
        self.left = set(STAGES)
        self.folder.mkdir()
        story.server.settings[staged.CENSUS] = str(self.folder)

    def missing(self) -> set[Stage]:
        server, player = self.story.server, self.story.player
        server.start()
        self._count("first")
        player.set_the_stage()
        self._play(player)
        player.say(player.chats[0], quick=False)
        server.stop()
        self._count("stop")
        self._start_after_a_kill(MID_STREAM, "start")
        self._start_after_a_kill(DECIDED, "restore")
        self._start_otherwise(staged.OTHER_FOLD, "rebuild")
        self._start_otherwise(staged.EXTRA_MIGRATION, "migrate")
        return self.left

    def _play(self, player: Player) -> None:
        """What the stages that are missing ask for, first of all each deed once."""
        until = time.monotonic() + PLAYED_S
        while (missing := self._count("play")) and time.monotonic() < until:
            for deed in sorted({deed for stage in missing for deed in stage.play}):
                player.do(deed)
            time.sleep(0.2)

    def _start_after_a_kill(self, stage: Stage, when: str) -> None:
        if not self.story.server.is_alive():
            self.story.server.start()
        self.story.play_until(stage)
        self._forget()
        self.story.server.start()
        self._count(when)

    def _start_otherwise(self, how: str, when: str) -> None:
        self.story.server.stop()
        self._forget()
        self.story.server.settings[how] = "yes"
        self.story.server.start()
        self._count(when)
        self.story.server.settings.pop(how)

    def _count(self, when: str) -> list[Stage]:
        """Strike out what was reached since the last time; the stages of this kind that are left."""
        found = {path.name for path in self.folder.iterdir()}
        self.left -= {stage for stage in self.left if stage.when == when and stage.name in found}
        self._forget()
        return [stage for stage in self.left if stage.when == when]

    def _forget(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()
