"""What a bot did not witness is in no request made for it, whatever happened in whatever order.

Random histories of two bots over several chats. Secrets are planted in everything anybody writes and searched in every
request a real server received. SECRETS_EXAMPLES in the environment makes it search longer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.confidant import Confidant
from tests.support.peer import Peer
from tests.support.secret_history import KINDS, Act, Desk

acts = st.builds(
    Act,
    what=st.sampled_from(
        ["say"] * 6 + ["retry", "back", "close", "edit", "move", "move", "speak", "kickoff", "own", "let go"]
    ),
    where=st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5]),
    parts=st.lists(st.sampled_from(KINDS), min_size=1, max_size=4).map(tuple),
    reply=st.lists(st.sampled_from(KINDS), max_size=3).map(tuple),
    whom=st.integers(0, 1),
    flag=st.booleans(),
    late=st.booleans(),
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    confidant = Confidant()
    with Peer(default=confidant) as peer:
        desk = Desk(tmp_path_factory.mktemp("secrets"), peer, confidant)
        yield desk
        desk.close()


@pytest.mark.timeout(600)
def test_what_a_bot_did_not_witness_is_in_no_request_made_for_it(desk: Desk) -> None:
    @settings(
        max_examples=int(os.environ.get("SECRETS_EXAMPLES", "200")),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(acts, min_size=3, max_size=12), st.booleans(), st.integers(0, 2**16))
    def search(story: list[Act], is_one_model: bool, seed: int) -> None:
        desk.play(story, is_one_model, seed)

    search()


def test_what_a_bot_did_witness_reaches_it(desk: Desk) -> None:
    """Else the search above would find nothing, because there is nothing."""
    every = ("speech", "whisper", "thought", "aside")
    story = [
        Act("move", 0, whom=1),
        *(Act("say", 0, parts=every, reply=every, whom=1) for _ in range(3)),
        Act("speak", 0, reply=every, whom=1),
        Act("speak", 0, whom=1),
        Act("edit", 1, whom=0),
        Act("close", 0, whom=1),
        Act("say", 0, parts=("speech",)),
        Act("say", 2, parts=("speech",)),
        *(Act("say", 1, parts=("action",)) for _ in range(3)),
    ]
    desk.delivered.clear()
    desk.play(story, True, 7)
    told = " ".join(desk.delivered)
    for what in (
        "prompt < the persona of Mira",
        "prompt < the backstory of Mira Vale",
        "prompt < whisper of the player",
        "prompt < thought of Mira",
        "prompt < a fact for Mira",
        "prompt < a kickoff's fact",
        "prompt < an edit by hand",
        "prompt < doing from",
        "prompt < a feeling of Mira",
        "scene < whisper of Mira",
        "notes < a kickoff's opening",
        "kickoff < kickoff prose",
    ):
        assert what in told, what
