"""The moments at which the program is killed: where each lies, and what has to be played to get there."""

from __future__ import annotations

from typing import NamedTuple

SAY, STOP, RETRY, CLOSE, EDIT, PIN = "say", "stop", "retry", "close", "edit", "pin"
BEGIN, UNDO, REWIND, SWIPE, DRAFT = "begin", "undo", "rewind", "swipe", "draft"
BACKUP, RESTORE, ERASE = "backup", "restore", "erase"


class Stage(NamedTuple):
    """`most` is up to which time of its being reached the kill comes; `play` is what leads there.

    `when` is play (while it runs), start (while it starts after a kill), first (while it starts for the first time),
    stop (while it ends politely), rebuild (start with another fold), migrate (start with another schema), restore
    (while a start carries out an exchange that a kill has interrupted).
    """

    name: str
    most: int = 1
    play: tuple[str, ...] = (SAY,)
    when: str = "play"


RANDOM = Stage("random instant")
RANDOM_START = Stage("random instant of a start", when="start")
AT_RANDOM = (RANDOM, RANDOM_START)

STAGES = (
    Stage("any statement", 150, (SAY, RETRY, CLOSE, EDIT, BEGIN)),
    Stage("log written, rows not", 8, (SAY, RETRY, EDIT, CLOSE)),
    Stage("between rows", 12, (SAY, CLOSE, BEGIN)),
    Stage("before commit", 8, (SAY, RETRY, EDIT, CLOSE, DRAFT, BEGIN)),
    Stage("between commit and head file", 8, (SAY, RETRY, EDIT, CLOSE)),
    Stage("head file torn", 8, (SAY, RETRY, EDIT)),
    Stage("after head file", 8, (SAY, RETRY, EDIT, CLOSE)),
    Stage("search index", 8, (SAY, CLOSE)),
    Stage("checkpoint", 3),
    Stage("checkpoint done", 2),
    Stage("turn stored, reply not begun", 2),
    Stage("reply begun", 2, (SAY, RETRY)),
    Stage("mid-stream", 120),
    Stage("journal torn", 5),
    Stage("reply whole, not stored", 2, (SAY, STOP)),
    Stage("reply stored", 2, (SAY, STOP, RETRY)),
    Stage("journal not removed", 2),
    Stage("digest not asked", 2),
    Stage("digest not applied", 2),
    Stage("digest applied", 2),
    Stage("scene closed", 1, (SAY, CLOSE)),
    Stage("scene memory not asked", 1, (SAY, CLOSE)),
    Stage("scene memory kept", 1, (SAY, CLOSE)),
    Stage("forked, reply not begun", 1, (RETRY,)),
    Stage("selection", 30, (SAY, RETRY, UNDO, REWIND, SWIPE)),
    Stage("going back, not stored", 1, (SAY, UNDO, REWIND)),
    Stage("gone back, words not given back", 1, (SAY, UNDO)),
    Stage("edit stored", 2, (EDIT,)),
    Stage("opening read, not kept", 1, (BEGIN,)),
    Stage("story begun", 1, (BEGIN,)),
    Stage("backup: copied", 2, (BACKUP, SAY)),
    Stage("backup: tried out", 2, (BACKUP, SAY)),
    Stage("backup: a name given", 3, (BACKUP,)),
    Stage("restore: checked", 1, (RESTORE,)),
    Stage("restore: written anew", 1, (RESTORE,)),
    Stage("restore: present backed up", 1, (RESTORE,)),
    Stage("restore: decided", 1, (RESTORE,)),
    Stage("restore: put in place", 1, (RESTORE,)),
    Stage("restore: head file written", 1, (RESTORE,)),
    Stage("restore: cleared up", 2, (RESTORE,)),
    Stage("erasing: blanked", 1, (ERASE,)),
    Stage("erasing: rows written", 1, (ERASE,)),
    Stage("erasing: out of the log", 1, (ERASE,)),
    Stage("erasing: written anew", 1, (ERASE,)),
    Stage("erasing: put in place", 1, (ERASE,)),
    Stage("erasing: files cleaned", 1, (ERASE,)),
    Stage("restore: put in place", 1, when="restore"),
    Stage("restore: head file written", 1, when="restore"),
    Stage("recovery: reply not closed", 1, when="start"),
    Stage("recovery: reply closed", 1, when="start"),
    Stage("recovery: done", 1, when="start"),
    Stage("any statement", 25, when="start"),
    Stage("before commit", 1, when="start"),
    Stage("checkpoint", 1, when="stop"),
    Stage("checkpoint done", 1, when="stop"),
    Stage("before commit", 1, when="stop"),
    Stage("migration", 90, when="first"),
    Stage("migration: one done", 3, when="first"),
    Stage("before commit", 1, when="first"),
    Stage("rebuild", 60, when="rebuild"),
    Stage("rebuild: rows handed over", 3, when="rebuild"),
    Stage("rebuild: rows written", 1, when="rebuild"),
    Stage("a sync", 1, when="migrate"),
    Stage("migration", 8, when="migrate"),
    Stage("migration: one done", 1, when="migrate"),
    Stage("rebuild", 40, when="migrate"),
)
