"""An address for the programs under `lineal run` that speak to an MLflow server, behind which a server starts when one is asked for.

Every `lineal run` offers such an address; until a program connects to it, it costs a socket and a sleeping thread. Each
connection is led on to the process that serves the project's record at that moment: another program's, a server that was
started meanwhile, else a thread of this one. So a program goes on when the process that served it until now has ended.
"""

from __future__ import annotations

import _socket  # `socket`, `typing` and `threading` cost milliseconds that every start of `lineal run` would pay
import os
import sys

from lineal.server import local

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from typing import Any

    from lineal.resolve.project import Project

_PIECE = 1 << 18  # bytes
_NEEDED = ("starlette", "uvicorn", "httptools")


class Offer:
    """The address, and the token to be shown there. `environment`: what tells MLflow's client of it; empty when it is told otherwise."""

    def __init__(self, project: Project, variables: Mapping[str, str]) -> None:
        self.environment: dict[str, str] = {}
        self._project = project
        self._listening: _socket.socket | None = None
        if variables.get("MLFLOW_TRACKING_URI"):
            return
        if url := variables.get("LINEAL_URL", ""):
            self._tell(url, variables.get("LINEAL_TOKEN", ""))
        elif _can_serve():
            self._listen()

    def _listen(self) -> None:
        try:
            found = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
            found.bind(("127.0.0.1", 0))
            found.listen(128)
        except OSError:
            return
        self._listening = found
        self._tell(f"http://127.0.0.1:{found.getsockname()[1]}", local.token(self._project.dir))

    def _tell(self, url: str, token: str) -> None:
        self.environment = {"MLFLOW_TRACKING_URI": url, "LINEAL_MLFLOW": url}
        if token:
            self.environment["MLFLOW_TRACKING_TOKEN"] = token

    def begin(self) -> None:
        """Take connections from now on; to be called once no more processes are forked."""
        if self._listening is not None:
            import _thread

            descriptor = os.dup(
                self._listening.fileno()
            )  # now: a short command may have ended before the thread runs
            _thread.start_new_thread(self._accept, (descriptor,))

    def end(self) -> None:
        """Take no more connections, answer what was asked, end what was started for it."""
        if self._listening is None:
            return
        self._listening.close()
        if (embedded := sys.modules.get("lineal.server.embedded")) is not None:
            embedded.stop()

    def _accept(self, descriptor: int) -> None:
        import _thread

        listening = _socket.socket(fileno=descriptor)
        while True:
            try:
                near, _ = listening._accept()  # type: ignore[attr-defined]  # `socket.socket.accept` is made of it
            except OSError:
                return
            os.set_inheritable(near, False)
            _thread.start_new_thread(self._lead, (near,))

    def _lead(self, connected: int) -> None:
        """Pass bytes between a program and whoever serves now, until either has enough."""
        import contextlib
        import socket
        import threading
        from urllib.parse import urlsplit

        from lineal.core.errors import LinealError

        with socket.socket(fileno=connected) as near:
            try:
                from lineal.server import embedded

                url = urlsplit(embedded.reach(self._project).url)
                far = socket.create_connection((url.hostname or "127.0.0.1", url.port or 80))
            except (ImportError, LinealError, OSError) as error:
                with contextlib.suppress(OSError):
                    near.sendall(_unavailable(str(error)))
                return
            with far:
                for one in (near, far):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                back = threading.Thread(target=_pass, args=(far, near), daemon=True)
                back.start()
                _pass(near, far)
                back.join()


def _pass(source: socket.socket, target: socket.socket) -> None:
    import socket

    try:
        while piece := source.recv(_PIECE):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # one side is gone: let the other know
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def _unavailable(reason: str) -> bytes:
    """An answer that MLflow's client understands as: try again later."""
    import json

    body = json.dumps({"error_code": "TEMPORARILY_UNAVAILABLE", "message": reason}).encode()
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def _can_serve() -> bool:
    return all(name in sys.modules or _is_installed(name) for name in _NEEDED)


def _is_installed(name: str) -> bool:
    if any(os.path.isdir(os.path.join(folder, name)) for folder in sys.path):
        return True
    from importlib.machinery import PathFinder  # costs a millisecond, which every `lineal run` would pay

    find: Any = PathFinder.find_spec
    return find(name) is not None
