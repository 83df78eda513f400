"""Builds everything once, starts it and stops it; the only file that knows every room.

Order of start: demo, store, gateway, engine, pages; of stop, the reverse.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from chat.clock import Clock
from chat.demo.server import DemoServer
from chat.engine.engine import Engine
from chat.errors import ChatError, SettingsError
from chat.llm.calls import Endpoint
from chat.llm.gateway import Gateway
from chat.llm.policy import Policy
from chat.observe import get_logger
from chat.prompts import answers, templates
from chat.settings import Settings, parse_base_url
from chat.store.store import Store
from chat.web.site import create_site
from chat.web.views.ahead import Ahead
from chat.web.wire import server_config

log = get_logger(__name__)
PORTS_TRIED = 40
GRACE_S = 3
WARM_AFTER_S = 0.5


@asynccontextmanager
async def running_engine(
    settings: Settings, clock: Clock, own_ports: tuple[int, ...] = ()
) -> AsyncIterator[Engine]:
    """The whole program without its pages, for the server and for commands that need it all."""
    token = secrets.token_urlsafe(24)
    demo = DemoServer(token)
    try:
        door = Endpoint("demo", demo.start(), SecretStr(token))
        store = await Store.open(settings, clock, serving=True)
        try:
            gateway = Gateway(clock, _policy(settings), settings.timeouts.request_s)
            engine = Engine(settings, store, gateway, clock, door)
            engine.own_ports = (*own_ports, parse_base_url(door.base_url).port)
            await engine.start()
            try:
                yield engine
            finally:
                await engine.stop()
                await gateway.close()
        finally:
            await store.close()
    finally:
        demo.stop()


@asynccontextmanager
async def _noted(app: FastAPI) -> AsyncIterator[None]:
    """Keeps why the program could not start, for whoever started it to say so."""
    try:
        yield
    except ChatError as problem:
        app.state.problem = problem
        log.error("the_program_could_not_start", code=problem.code)
        raise


async def _warm(gateway: Gateway) -> None:
    """Load what the first call of a model needs, once the first page has gone out."""
    await asyncio.sleep(WARM_AFTER_S)
    await gateway.warm()
    await asyncio.to_thread(templates.warm)
    await asyncio.to_thread(answers.warm)


def create_app(settings: Settings, *, port: int | None = None, clock: Clock | None = None) -> FastAPI:
    """The ASGI application; the engine starts and stops with its lifespan. `port` is the one really bound."""
    bound = settings.port if port is None else port
    used_clock = clock or Clock()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.stopping, app.state.problem = None, None  # the first stream makes the one to stop by
        async with _noted(app), running_engine(settings, used_clock, (bound,)) as engine:
            app.state.engine, app.state.ahead = engine, Ahead(engine)
            engine.hub.reading_ahead = app.state.ahead.reading
            warming = asyncio.create_task(_warm(engine.gateway))
            yield
            warming.cancel()
            _let_go(app)

    return create_site(settings, port=bound, clock=used_clock, lifespan=lifespan)


def _let_go(app: FastAPI) -> None:
    """End the live streams, if there ever was one."""
    if stopping := getattr(app.state, "stopping", None):
        stopping.set()


class Server(uvicorn.Server):
    """Lets go of the live streams before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._app, self._on_started = app, on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._on_started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """A stop that was asked for is a normal end: the signal is not raised once more after it, as uvicorn would."""
        asked = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in asked}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        _let_go(self._app)
        if engine := getattr(self._app.state, "engine", None):
            engine.hub.close()
        await super().shutdown(sockets)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket on the port, or on the next free one; port 0 takes any. Raises SettingsError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + PORTS_TRIED, 65536)) if port else (0,):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            return listener
        except OSError:
            listener.close()
    raise SettingsError(f"No free port was found on {host} from {port} on.", "Name another one with --port.")


def serve(settings: Settings, *, open_browser: bool, clock: Clock, announce: Callable[[str], None]) -> None:
    """Run until stopped. `announce` gets the address once pages are really served.

    Raises what kept it from starting: AlreadyRunning, MigrationFailed, NewerDatabase and their kin.
    """
    listener = bind(settings.host.strip("[]"), settings.port)
    port = int(listener.getsockname()[1])
    name = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{name}:{port}/"
    app = create_app(settings, port=port, clock=clock)

    def started() -> None:
        announce(address)
        if open_browser:
            webbrowser.open(address)

    config = server_config(app, timeout_graceful_shutdown=GRACE_S)
    server = Server(config, app, started)
    with suppress(SystemExit):  # uvicorn's own way to say that the start failed; ours follows
        server.run(sockets=[listener])
    if problem := getattr(app.state, "problem", None):
        raise problem
    if not server.started:
        raise SettingsError("The program could not start.", "The log in the data folder says why.")


def _policy(settings: Settings) -> Policy:
    retries = settings.retries
    return Policy(retries.tries, retries.longest_wait_s, retries.first_wait_s)
