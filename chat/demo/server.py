"""Runs the demo model on a random loopback port, in a thread with an event loop of its own.

It is started before the engine and stopped after it, and must never outlive the program.
"""

from __future__ import annotations

import http.client
import socket
import threading

import uvicorn

from chat.demo.app import PIECES_PER_SECOND, create_demo_app

_TRIES, _TRY_EVERY_S = 2_000, 0.005
_GRACE_S = 1


class DemoDidNotStart(RuntimeError):
    """The demo model did not answer in time."""


class DemoServer:
    """`token` is minted by the caller and is the only key the demo answers to."""

    def __init__(self, token: str, pieces_per_second: float = PIECES_PER_SECOND) -> None:
        self._token = token
        self._port = 0
        self._app = create_demo_app(token, lambda: self._port, pieces_per_second)
        self._server: uvicorn.Server | None = None
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> str:
        """The base URL, once the demo has really answered a request; a second start changes nothing."""
        if self._thread is not None:
            return self.base_url
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._port = self._socket.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="demo-model", daemon=True
        )
        self._thread.start()
        self._wait_until_it_answers()
        return self.base_url

    def stop(self) -> None:
        """Ends running streams within about a second and joins the thread; a second stop changes nothing."""
        server, thread, listener = self._server, self._thread, self._socket
        self._server = self._thread = self._socket = None
        if server is not None and thread is not None:
            server.should_exit = True
            thread.join(_GRACE_S + 4)
        if listener is not None:
            listener.close()

    def _wait_until_it_answers(self) -> None:
        pause = threading.Event()
        for _ in range(_TRIES):
            if self._thread is None or not self._thread.is_alive():
                break
            if self._answers():
                return
            pause.wait(_TRY_EVERY_S)
        self.stop()
        raise DemoDidNotStart("The demo model did not answer on its own address after it was started.")

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1)
        try:
            connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {self._token}"})
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()
