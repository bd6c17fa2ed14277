"""A server inside a program that records: a thread that serves the project's own store for as long as the program runs.

While it does, it is the one writer of that store, and found by other programs as any server is, by `server.json`.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn

from lineal.core.errors import Unavailable
from lineal.deliver.lock import hold
from lineal.doors.mlflow.bytes import threads
from lineal.resolve.project import Project
from lineal.server import local
from lineal.server.app import create_app
from lineal.server.config import Config
from lineal.server.log import Log
from lineal.server.run import address, bind
from lineal.service import serving
from lineal.service.serving import Address

_WAIT_S, _START_S, _TRY_S = 60.0, 30.0, 0.5
_QUIET_S, _LONGEST_END_S = 0.2, 5.0
_OPEN = ("/health", "/ready", "/version")
_lock = threading.Lock()
_running: dict[
    tuple[int, str], _Thread
] = {}  # by process and folder: a child of a fork has no thread of its parent's


def reach(project: Project) -> Address:
    """Where the record of a project is served: by a server that lives, else by this process from now on.

    Raises Unavailable: another process writes to the store and serves nobody, or the store cannot be opened.
    """
    deadline = time.monotonic() + _WAIT_S
    while True:
        if (found := serving.served(project)) is not None:
            return found
        with _lock:
            running = _running.get((os.getpid(), project.dir))
            if running is not None and running.is_alive():
                return running.address
            try:
                running = _Thread(project, wait_s=_TRY_S)
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                continue
            _running[os.getpid(), project.dir] = running
            return running.address


def stop() -> None:
    """Finish what was asked for, and serve no more. To be called when the program ends."""
    with _lock:
        for (pid, folder), running in list(_running.items()):
            if pid == os.getpid():
                running.end()
                del _running[pid, folder]


class _Thread(threading.Thread):
    """The thread, which serves as soon as it was made."""

    def __init__(self, project: Project, *, wait_s: float) -> None:
        super().__init__(name="lineal-server", daemon=True)
        self._held = contextlib.ExitStack()
        self._config = Config(
            store=project.store_url,
            blobs=project.blobs_url,
            namespace=project.name,
            folder=project.dir,
            port=0,
        )
        if self._config.embedded:
            self._held.enter_context(hold(project.dir, wait=wait_s))
        try:
            self._begin(project)
        except BaseException:
            self._held.close()
            raise

    def _begin(self, project: Project) -> None:
        listening = self._held.enter_context(contextlib.closing(bind(self._config)))
        token = local.token(project.dir)
        self.address = Address(address(self._config, listening), token, named=False)
        threads.start()
        quiet = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self._held.callback(os.close, quiet)
        self._guard = _Known(create_app(self._config, log=Log(quiet), local=token), token)
        settings = uvicorn.Config(
            self._guard,
            loop="asyncio",
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=30,
        )
        self._server = _Server(settings)
        self._sockets = [listening]
        self.start()
        deadline = time.monotonic() + _START_S
        while not self._server.started:
            if not self.is_alive() or time.monotonic() > deadline:
                raise Unavailable(
                    f"the store at {project.store_url} could not be served", hint="`lineal server` tells more"
                )
            time.sleep(0.005)
        if serving.beside(project.dir) is None:
            serving.announce(project.dir, self.address.url, token)

    def run(self) -> None:
        """Serve until told to end."""
        self._server.run(sockets=self._sockets)

    def end(self) -> None:
        """Answer what was asked, then end and let go of the store.

        Other programs are no longer led here first, and those that were led here are answered: the next of them serves.
        """
        serving.withdraw(self._config.folder)
        deadline = time.monotonic() + _LONGEST_END_S
        while time.monotonic() < min(self._guard.asked_at + _QUIET_S, deadline):
            time.sleep(0.01)
        self._server.should_exit = True
        self.join(60)
        self._held.close()


class _Server(uvicorn.Server):
    """Leaves the program's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class _Known:
    """The application, for those who know the token: whoever may read the project's folder. asked_at: when, the last time."""

    def __init__(self, app: Any, token: str) -> None:
        self._app = app
        self._wanted = (b"authorization", f"Bearer {token}".encode())
        self.asked_at = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request, or the application's life."""
        if scope["type"] != "http" or scope["path"] in _OPEN or self._wanted in map(tuple, scope["headers"]):
            self.asked_at = time.monotonic()
            await self._app(scope, receive, send)
            return
        body = b'{"error_code":"UNAUTHENTICATED","message":"this server serves only the programs of its project"}'
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": body})
