"""Runs the server: settings, lock, socket, processes, and an end at which nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FrameType
from typing import Any
from urllib.parse import unquote

import uvicorn

from lineal.core.errors import Conflict, Invalid, LinealError, Unavailable
from lineal.deliver.lock import hold
from lineal.resolve import project as projects
from lineal.server import mlmd
from lineal.server.app import create_app
from lineal.server.config import Config, checked
from lineal.server.local import token
from lineal.server.log import Log
from lineal.service import serving
from lineal.store.blobs import Blobs
from lineal.store.open import open_store

Tell = Callable[[str], None]
_LOCK_WAIT_S = 30.0
# Passes over many events make hundreds of thousands of objects, hardly any of them in circles: looking for circles after every
# 700, Python's default, took a fifth of the processor time.
_COLLECT_AFTER = (50_000, 20, 100)


def configured(*, store: str | None = None, blobs: str | None = None, **others: Any) -> Config:
    """The settings of a server started here: what was asked for, else what the project says.

    Raises Invalid: they cannot be together.
    """
    project = projects.find()
    if store is None and project is None:
        project = projects.ensure()
    place = store or (project.store_url if project else "")
    folder = _folder_of(place, project)
    if project is not None:
        bytes_at = project.blobs_url
    else:
        bytes_at = os.path.join(folder or os.path.abspath("."), "blobs")
    return checked(
        Config(
            store=place,
            blobs=blobs or bytes_at,
            namespace=project.name if project else "default",
            folder=folder,
            forward_key=os.environ.get("LINEAL_FORWARD", ""),
            **others,
        )
    )


def start(config: Config, tell: Tell, *, ready: Callable[[str], None] | None = None) -> None:
    """Serve until a signal ends it. ready: told the address as soon as connections are taken.

    Raises Unavailable: the port, the store or its lock cannot be had. Conflict: a server runs here already.
    """
    if config.blobs:
        Blobs(config.blobs)  # refuses an address of no known kind
    with _locked(config):
        refuse_open(config)
        refuse_mlmd(config)
        listening = bind(config)
        url = address(config, listening)
        local = token(config.folder)
        announced = bool(config.folder) and serving.beside(config.folder) is None
        try:
            if announced:
                serving.announce(config.folder, url, local)
            tell(f"serving {without_password(config.store)} at {url}")
            if ready is not None:
                ready(url)
            if config.workers == 1:
                serve(config, listening, local)
            else:
                _serve_in_processes(config, listening, local)
        finally:
            if announced:
                serving.withdraw(config.folder)
            listening.close()


def bind(config: Config) -> socket.socket:
    """A listening socket. Raises Unavailable: the port is taken or may not be used."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise Unavailable(
            f"{config.host!r} is no address of this machine: {error.strerror}",
            hint="choose another with --host",
        ) from error
    found = socket.socket(family, kind, protocol)  # named, so that asyncio sends at once (TCP_NODELAY)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(where)
        found.listen(2048)
    except OSError as error:
        found.close()
        raise Unavailable(
            f"{config.host}:{config.port} cannot be used: {error.strerror}",
            hint="stop what uses it, or choose another with --port",
        ) from error
    return found


def refuse_mlmd(config: Config) -> None:
    """Raises Unavailable: clients of ML Metadata are to be answered, and what that needs is not installed or not free."""
    if not config.mlmd_port:
        return
    mlmd.load()
    try:
        bind(replace(config, port=config.mlmd_port)).close()
    except Unavailable as error:
        raise Unavailable(
            f"for ML Metadata's clients {error.message}",
            hint="stop what uses it, or choose another with --mlmd-port",
        ) from error


def address(config: Config, listening: socket.socket) -> str:
    """Where programs on this machine reach the server."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104 - as above
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def refuse_open(config: Config) -> None:
    """Open the store once, so that what is wrong with it is told now.

    Raises what `open_store` raises. Invalid: others than this machine could reach the server, and no token was made.
    """
    store = open_store(config.store)
    try:
        with store.read() as tx:
            has_tokens = store.tokens.has_tokens(tx)
    finally:
        store.close()
    if not config.loopback and not has_tokens:
        raise Invalid(
            f"at {config.host} everybody who reaches this machine could read and change the record, "
            "for no token was made yet",
            hint="make one first: lineal token create NAME --scope admin",
        )


def serve(config: Config, listening: socket.socket, local: str) -> None:
    """Serve in this process until a signal ends it."""
    log = Log()
    app: Any = create_app(config, log=log, local=local)
    logger = logging.getLogger("uvicorn.error")
    logger.handlers, logger.propagate = [_Handler(log)], False
    logger.setLevel(logging.WARNING)
    settings = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(config.grace_s),
    )
    gc.set_threshold(*_COLLECT_AFTER)
    gc.collect()
    gc.freeze()  # what was imported stays for good
    _Server(settings, app.desk.refuse).run(sockets=[listening])


def without_password(url: str) -> str:
    """The address of a store without a password in it."""
    scheme, separator, rest = url.partition("://")
    login, at, host = rest.rpartition("@")
    return f"{scheme}://{login.partition(':')[0]}@{host}" if separator and at else url


class _Server(uvicorn.Server):
    """Ends at a signal by finishing what it does; unlike its base it does not send itself the signal again."""

    def __init__(self, settings: uvicorn.Config, refuse: Callable[[], None]) -> None:
        super().__init__(settings)
        self._refuse = refuse

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take no more changes, answer what was asked, end. A second Ctrl-C ends at once."""
        self._refuse()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the signals that end a server."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield


class _Handler(logging.Handler):
    """What uvicorn has to tell, as lines of our log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        self._log.tell("uvicorn", level=record.levelname.lower(), message=record.getMessage()[:2000])


def _serve_in_processes(config: Config, listening: socket.socket, local: str) -> None:
    """Several processes that accept from one socket; one that dies is replaced. They share nothing but the database."""
    ending = False
    living: set[int] = set()

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ending
        ending = True
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    while not ending and len(living) < config.workers:
        living.add(_fork(config, listening, local))
    while living:
        try:
            pid, _ = os.wait()
        except ChildProcessError:
            break
        living.discard(pid)
        if not ending:
            living.add(_fork(config, listening, local))


def _fork(config: Config, listening: socket.socket, local: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        serve(config, listening, local)
        code = 0
    except LinealError as error:
        print(f"lineal: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


@contextlib.contextmanager
def _locked(config: Config) -> Iterator[None]:
    """Hold the lock of a store in a file for as long as the server runs."""
    if not config.embedded:
        yield
        return
    folder = config.folder or os.path.dirname(os.path.abspath(_path(config.store)))
    if (running := serving.beside(folder)) is not None:
        raise Conflict(
            f"a server of this store runs already at {running.url}", hint="use that one, or stop it first"
        )
    os.makedirs(folder, exist_ok=True)
    with hold(folder, wait=_LOCK_WAIT_S):
        yield


def _folder_of(place: str, project: projects.Project | None) -> str:
    """The folder in which clients look for this store's server: the project's, if it is the project's store."""
    if project is not None and place == project.store_url:
        return project.dir
    if place.startswith(("postgresql:", "postgres:")):
        return ""
    folder = os.path.dirname(os.path.abspath(_path(place)))
    return folder if os.path.basename(folder) == projects.FOLDER else ""


def _path(place: str) -> str:
    return unquote(place.removeprefix("sqlite://")) if place.startswith("sqlite://") else place
