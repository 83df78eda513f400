"""However badly the model's server behaves, a turn ends with its reply or with a reason, and nothing said is lost."""

from __future__ import annotations

from pathlib import Path

from chat.settings import load_settings
from chat.store.verify import verify
from tests.support.delivery import REASON, REPLY, deliver


async def test_sixty_turns_in_two_chats_all_end_with_a_reply_or_a_reason(tmp_path: Path) -> None:
    told = await deliver(tmp_path / "data", 60, seed=11)
    assert not told.lost
    assert told.ended[REPLY] + told.ended[REASON] == 60
    assert told.ended[REASON] >= 5, "the server misbehaved"
    assert len(told.reasons) >= 3
    assert not told.findings
    assert verify(load_settings(data_dir=tmp_path / "data")) == []
