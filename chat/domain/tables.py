"""Every table that mirrors the log, by name. `PER_CHAT` are those that hold only the selected line of a chat."""

from __future__ import annotations

from chat.domain.activities import Activity
from chat.domain.bots import Bot
from chat.domain.chats import Branch, Chat
from chat.domain.checkpoints import Checkpoint
from chat.domain.edges import Edge, EdgeChange
from chat.domain.landmarks import BranchTip, PlaceName, SceneStart
from chat.domain.ledger import Ledger, ModelCall
from chat.domain.memories import Memory, Witness
from chat.domain.people import Person
from chat.domain.places import Place
from chat.domain.records import Record
from chat.domain.scenes import Scene
from chat.domain.turns import Turn
from chat.domain.versions import TurnVersion
from chat.domain.world import ChatState

_MIRRORS: tuple[type[Record], ...] = (
    Bot,
    Person,
    Chat,
    Branch,
    Checkpoint,
    BranchTip,
    SceneStart,
    PlaceName,
    Turn,
    TurnVersion,
    ChatState,
    Place,
    Scene,
    Activity,
    Edge,
    EdgeChange,
    Memory,
    Witness,
    ModelCall,
    Ledger,
)

TABLES: dict[str, type[Record]] = {record.table: record for record in _MIRRORS}
PER_CHAT: tuple[str, ...] = tuple(
    record.table
    for record in (TurnVersion, ChatState, Place, Scene, Activity, Edge, EdgeChange, Memory, Witness)
)
