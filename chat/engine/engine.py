"""What the program can do, one method for each thing a page or a command may ask; built once by `chat.app`.

The methods only delegate: each thing that happens has a module of its own beside this one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from chat.clock import Clock
from chat.domain import chats
from chat.domain.kickoff import KickoffDraft
from chat.domain.scenes import NextPlace
from chat.engine import (
    authoring,
    budgets,
    checkpoints,
    continuing,
    digest,
    edits,
    impact,
    impersonate,
    kickoff,
    portraits,
    prepare,
    recovery,
    reset,
    rewording,
    scenes,
    timeline,
    transcripts,
    turn,
)
from chat.engine.anticipation import Anticipation
from chat.engine.authoring import BotFields, YouFields
from chat.engine.backups import Backups
from chat.engine.digest import Digests
from chat.engine.entry import Accepted
from chat.engine.erasing import Erasing
from chat.engine.faults import Faults
from chat.engine.hub import Hub
from chat.engine.impact import Impact
from chat.engine.impersonate import Draft, Draftings
from chat.engine.local_servers import LocalServers
from chat.engine.publish import publish
from chat.engine.run import Run, RunningReply, Runs, RunStatus, Status
from chat.engine.server_notes import ServerNotes
from chat.engine.snapshots import Snapshots
from chat.engine.sweeping import Sweeping
from chat.engine.timekeeping import Timekeeping
from chat.engine.timeline import Moved, Steps
from chat.engine.turn import Unstored, start_reply
from chat.errors import NotFound, StoreFull, StoreReadOnly
from chat.interop.transcripts import Format
from chat.llm.calls import Endpoint, ModelInfo, Probe
from chat.llm.gateway import Gateway
from chat.observe import register_secret
from chat.settings import ConnectionUpdate, Settings, save_connection
from chat.store import views
from chat.store.media import Media
from chat.store.store import Store

DEMO_NARRATOR = "demo-narrator"
DEMO_CLASSIFIER = "demo-classifier"


class Engine:
    """`demo` is the door to the embedded demo, used while no base URL is configured."""

    def __init__(
        self, settings: Settings, store: Store, gateway: Gateway, clock: Clock, demo: Endpoint
    ) -> None:
        self.settings, self.store, self.gateway, self.clock, self.demo = settings, store, gateway, clock, demo
        self.hub = Hub(clock.new_id().lower(), self._snapshot)
        self.runs = Runs()
        self.digests = Digests()
        self.server_notes = ServerNotes(clock)
        self.unstored: dict[str, Unstored] = {}
        self.background: dict[str, RunStatus] = {}
        self.history_from: dict[tuple[str, str], str] = {}
        self.unclosed: set[str] = set()
        """Chats with a reply whose end could not be stored; it is closed before anything else happens there."""
        self.instructed: set[tuple[str, str]] = set()
        """Servers (and models) that refused a text to complete; kept until the next start."""
        self.draftings = Draftings()
        self.own_ports: tuple[int, ...] = ()
        self.backups = Backups(self)
        self.snapshots = Snapshots(self)
        self.sweeping = Sweeping(self)
        self.media = Media(settings.media_dir)
        self.erasing = Erasing(self)
        self.local_servers = LocalServers(self)
        self.anticipation = Anticipation(lambda chat_id, draft: prepare.anticipate(self, chat_id, draft))
        store.on_commit(self.anticipation.note)
        self.faults = Faults(self)
        self.timekeeping = Timekeeping(self)
        store.on_commit(lambda commit: publish(self.hub, commit))

    @property
    def is_demo(self) -> bool:
        return self.settings.connection.is_demo

    async def start(self) -> None:
        """What a crash left undone is finished and an empty library gets its example before the first page.

        A store with a fault is only read: every page says so, and nothing is written.
        """
        await self.timekeeping.look()  # before anything is written by a clock that may be wrong
        await budgets.recall(self)
        if not self.store.fault:
            try:
                await recovery.recover(self)
                await authoring.ensure_example(self)
            except (StoreFull, StoreReadOnly) as problem:
                self.store.wait_for(problem)
        for one in (self.backups, self.snapshots, self.sweeping, self.faults):
            one.start()  # their waits count from here: the first look at what to back up finds it all there

    async def stop(self) -> None:
        """End every running reply, keeping what it has, and let the streams go."""
        await self.draftings.stop_all()
        for run in self.runs.all():
            await run.stop("shutdown")
        for run in self.runs.all():
            await run.finished.wait()
        writing = (self.faults, self.digests, self.anticipation, self.backups, self.sweeping, self.snapshots)
        for one in (*writing, self.local_servers):
            await one.stop()
        self.hub.close()

    # Who is asked

    def endpoint(self) -> Endpoint:
        connection = self.settings.connection
        if connection.is_demo:
            return self.demo
        return Endpoint(connection.authority, connection.base_url, connection.key_to_send)

    def narrative_model(self) -> str:
        return DEMO_NARRATOR if self.is_demo else self.settings.connection.narrative_model

    def classifier_model(self) -> str:
        connection = self.settings.connection
        return DEMO_CLASSIFIER if self.is_demo else connection.classifier_model or connection.narrative_model

    def other_model(self) -> str:
        """The configured model that does not write the story and could: the one that reads. Empty without one."""
        reading = "" if self.is_demo else self.settings.connection.classifier_model
        return reading if reading != self.narrative_model() else ""

    async def update_connection(self, update: ConnectionUpdate) -> None:
        self.settings = save_connection(self.settings, update, self.own_ports)
        register_secret(self.settings.connection.api_key)
        await budgets.keep(self)

    async def models(self) -> list[ModelInfo]:
        """The models the server offers. Raises ProviderError."""
        endpoint = self.endpoint()
        models = await self.gateway.list_models(endpoint)
        await budgets.listed(self, endpoint, models)
        return models

    async def test_connection(self) -> Probe:
        """What works against the configured server, with a sentence for each finding."""
        endpoint = self.endpoint()
        probe = await self.gateway.probe(endpoint, self.narrative_model(), self.classifier_model())
        if probe.models:
            await budgets.listed(self, endpoint, probe.models)
        return probe

    # Shelves

    async def author_you(self, you_id: str | None, fields: YouFields, revision: str = "") -> str:
        return await authoring.author_you(self, you_id, fields, revision)

    async def author_bot(self, bot_id: str | None, fields: BotFields, revision: str = "") -> str:
        return await authoring.author_bot(self, bot_id, fields, revision)

    async def archive_bot(self, bot_id: str) -> None:
        await authoring.archive_bot(self, bot_id)

    async def restore_bot(self, bot_id: str) -> None:
        await authoring.restore_bot(self, bot_id)

    async def reset_bot(self, bot_id: str, chat_ids: Sequence[str], name: str) -> None:
        """Let a bot begin anew in some of its chats; `name` has to be its own. See `engine.reset.reset`."""
        await reset.reset(self, bot_id, chat_ids, name)

    async def rename_chat(self, chat_id: str, title: str) -> None:
        await authoring.rename_chat(self, chat_id, title)

    async def play_as(self, chat_id: str, you_id: str) -> None:
        """Go on in a chat as another persona, from the next turn on. Raises NotFound."""
        await authoring.play_as(self, chat_id, you_id)

    async def archive_chat(self, chat_id: str) -> None:
        await authoring.archive_chat(self, chat_id)

    async def restore_chat(self, chat_id: str) -> None:
        await authoring.restore_chat(self, chat_id)

    async def change_portrait(self, entity: str, data: bytes | None) -> str:
        """Give a bot or persona a portrait (None: take it away). Raises NotFound, PictureRefused, StoreError."""
        return await portraits.change(self, entity, data)

    def face(self, entity: str) -> str:
        """The id of the picture of a bot or persona, empty when there is none to show."""
        return portraits.of(self, entity)

    # Kickoff

    async def parse_kickoff(self, bot_id: str, prose: str, *, you_id: str | None = None) -> KickoffDraft:
        return await kickoff.parse(self, bot_id, prose, you_id)

    async def kickoff_draft(self, bot_id: str) -> KickoffDraft | None:
        return await kickoff.current(self, bot_id)

    async def save_kickoff_draft(self, draft: KickoffDraft) -> None:
        await kickoff.save(self, draft)

    async def begin_at_once(self, bot_id: str, chat_id: str = "") -> str | None:
        """Begin as the bot's own opening says. Returns the chat's id, None when the opening has to be looked through.

        `chat_id` is the id a fresh page gave the chat, so that a double click makes one.
        """
        draft = await kickoff.parse_own(self, bot_id, chat_id)
        return await self.confirm_kickoff(draft) if draft and not draft.note else None

    async def confirm_kickoff(self, draft: KickoffDraft) -> str:
        """Make the chat; when the draft says so, the bot begins to speak. Returns the chat's id."""
        chat_id, is_new = await kickoff.confirm(self, draft)
        if draft.bot_speaks_first and is_new:
            run = self.new_run(chat_id)
            self.runs.reserve(run)
            start_reply(self, run, draft.bot_id)
        return chat_id

    # Turns

    async def take_turn(self, chat_id: str, prose: str, idempotency_key: str = "") -> Accepted:
        accepted = await turn.take_turn(self, chat_id, prose, idempotency_key)
        await self.draftings.stop(chat_id)
        return accepted

    async def stop_reply(self, chat_id: str, turn_id: str) -> bool:
        """Stop a running reply; False when it had ended already. Raises NotFound for a turn of another chat."""
        run = self.runs.get(chat_id)
        if run is not None and run.reply_id == turn_id:
            await run.stop("user_stop")
            await run.finished.wait()
            return True
        async with self.store.reading() as reader:
            known = await views.turn(reader, turn_id)
        if known is None or known.chat_id != chat_id:
            raise NotFound("There is no such turn in this chat.")
        return False

    async def retry(
        self, chat_id: str, turn_id: str, prose: str | None = None, *, with_other_model: bool = False
    ) -> str:
        model = self.other_model() if with_other_model else ""
        return await timeline.retry(self, chat_id, turn_id, prose, model)

    async def go_on_from(self, chat_id: str, turn_id: str, prose: str) -> str:
        """Fork at one of the player's own turns, say it in other words, and have it answered."""
        return await timeline.go_on_from(self, chat_id, turn_id, prose)

    async def edit_turn(self, chat_id: str, turn_id: str, prose: str, seen: int | None = None) -> int:
        """Put a turn into other words, in its place; see `engine.rewording.edit`."""
        return await rewording.edit(self, chat_id, turn_id, prose, seen)

    async def continue_reply(self, chat_id: str, turn_id: str) -> str:
        """Have the latest reply written on from where it stands; returns its turn id."""
        return await continuing.go_on(self, chat_id, turn_id)

    async def impact(self, chat_id: str, turn_id: str) -> Impact:
        return await impact.impact(self, chat_id, turn_id)

    async def impact_at(self, chat_id: str, branch_id: str, step: int) -> Impact:
        return await impact.impact_at(self, chat_id, branch_id, step)

    async def rewind(self, chat_id: str, turn_id: str) -> Moved:
        return await timeline.rewind(self, chat_id, turn_id)

    async def select_branch(self, chat_id: str, branch_id: str) -> Moved:
        return await timeline.select(self, chat_id, branch_id)

    async def undo(self, chat_id: str) -> Moved:
        return await timeline.undo(self, chat_id)

    async def redo(self, chat_id: str) -> Moved:
        return await timeline.redo(self, chat_id)

    async def go_to(self, chat_id: str, branch_id: str, step: int) -> Moved:
        return await timeline.stand(self, chat_id, branch_id, step)

    async def name_turn(self, chat_id: str, turn_id: str, name: str) -> str:
        """Name the moment right after a turn, or with no turn the present one. Returns the checkpoint's id."""
        return await checkpoints.name_turn(self, chat_id, turn_id, name)

    async def name_moment(self, chat_id: str, branch_id: str, step: int, name: str) -> str:
        return await checkpoints.name_moment(self, chat_id, branch_id, step, name)

    async def rename_checkpoint(self, chat_id: str, checkpoint_id: str, name: str) -> None:
        await checkpoints.rename(self, chat_id, checkpoint_id, name)

    async def remove_checkpoint(self, chat_id: str, checkpoint_id: str) -> None:
        await checkpoints.remove(self, chat_id, checkpoint_id)

    async def come_back(self, chat_id: str, checkpoint_id: str) -> Moved:
        return await checkpoints.come_back(self, chat_id, checkpoint_id)

    async def undo_steps(self, chat_id: str) -> Steps:
        return await timeline.steps(self, chat_id)

    async def edit(
        self,
        chat_id: str,
        what: str,
        target: str,
        values: Mapping[str, Any],
        revision: int,
        releases: Sequence[str] = (),
    ) -> int:
        """Change something in the drawer by hand. Raises NotFound, Refused or Stale; see `engine.edits.edit`."""
        return await edits.edit(self, chat_id, what, target, values, revision, releases)

    async def pin(self, chat_id: str, memory_id: str, *, pinned: bool) -> int:
        return await edits.pin(self, chat_id, memory_id, pinned=pinned)

    async def digest_again(self, chat_id: str, turn_id: str) -> None:
        """Ask once more what a reply changed, where that failed. Raises NotFound, Refused when it was worked out."""
        await digest.ask_again(self, chat_id, turn_id)

    async def close_scene(self, chat_id: str, place: NextPlace) -> None:
        """Close the scene by hand and open the next; each witness keeps one memory of it. Raises TurnRunning."""
        await scenes.close_by_hand(self, chat_id, place)

    def transcript(self, chat_id: str, how: Format) -> AsyncIterator[str]:
        """The visible line as a file, piece by piece. Raises NotFound."""
        return transcripts.told(self, chat_id, how)

    async def draft_turn(self, chat_id: str, typed: str | None = None) -> Draft:
        """A draft of the player's next turn, for them to take or leave; see `engine.impersonate.draft`."""
        return await impersonate.draft(self, chat_id, typed)

    async def stop_draft(self, chat_id: str) -> bool:
        """End the draft that is being written; False when none is. Raises NotFound."""
        chats.known(self.store.library.chats.get(chat_id))
        return await self.draftings.stop(chat_id)

    async def save_composer_draft(self, chat_id: str, text: str) -> None:
        if chat_id not in self.store.library.chats:
            raise NotFound("There is no such chat.")
        await self.store.save_draft(f"composer:{chat_id}", text or None)
        self.anticipation.expect(chat_id, text)

    # What is going on

    def status(self, chat_id: str) -> RunStatus:
        run = self.runs.get(chat_id)
        if run is None and (drafting := self.draftings.get(chat_id)):
            return RunStatus("thinking", drafting.detail, is_draft=True)
        if run is None:
            return self.background.get(chat_id, RunStatus("idle", ""))
        return RunStatus(run.status, run.detail, run.reply_id, run.wait_s)

    def running_reply(self, chat_id: str) -> RunningReply | None:
        run = self.runs.get(chat_id)
        return RunningReply(run.reply_id, run.speaker, run.text, run.model) if run and run.speaker else None

    def tell_if_idle(self, chat_id: str, status: Status, detail: str) -> None:
        """What is going on behind the story, for as long as no reply is being written."""
        if status == "idle":  # also under a reply, which may end without work of its own to tell of
            self.background.pop(chat_id, None)
        if self.runs.get(chat_id) is None:
            if status != "idle":
                self.background[chat_id] = RunStatus(status, detail)
            self.hub.send(chat_id, "status", {"status": status, "detail": detail, "turn": None})

    def new_run(self, chat_id: str, idempotency_key: str = "") -> Run:
        return Run(chat_id, self.clock.new_id(), self.hub, self.clock, idempotency_key)

    async def close_interrupted(self, chat_id: str) -> None:
        await recovery.close_interrupted(self, chat_id)

    def _snapshot(self, chat_id: str) -> dict[str, Any]:
        status, running = self.status(chat_id), self.running_reply(chat_id)
        told = (
            {"turn": running.turn_id, "speaker": running.speaker, "text": running.text} if running else None
        )
        return {
            "head": self.store.head,
            "status": status.status,
            "detail": status.detail,
            "running": told,
            "blocks": chat_id in self.unstored,
        }
