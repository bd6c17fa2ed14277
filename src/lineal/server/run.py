"""Runs the server: binds, serves, and ends so that nothing acknowledged is lost."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from lineal.core.errors import Unavailable
from lineal.resolve import project as projects
from lineal.server.app import create_app
from lineal.server.config import Config, checked
from lineal.server.log import Log


def bind(config: Config) -> socket.socket:
    """A listening socket. Raises Unavailable: the port is taken or may not be used."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((config.host, config.port))
        found.listen(2048)
    except OSError as error:
        found.close()
        raise Unavailable(
            f"{config.host}:{config.port} cannot be used: {error.strerror}",
            hint="stop what uses it, or choose another with --port",
        ) from error
    return found


def configured(*, store: str | None, blobs: str | None, host: str, port: int, workers: int) -> Config:
    """The settings of a server started here: what was asked for, else what the project says.

    Raises Invalid: they cannot be together.
    """
    project = projects.find()
    if store is None and project is None:
        project = projects.ensure()
    place = store or (project.store_url if project else "")
    folder = _folder_of(place, project)
    return checked(
        Config(
            store=place,
            blobs=blobs or (project.blobs_url if project else "") or os.path.join(folder or ".", "blobs"),
            namespace=project.name if project else "default",
            folder=folder,
            host=host,
            port=port,
            workers=workers,
        )
    )


def _folder_of(place: str, project: projects.Project | None) -> str:
    """The folder in which clients look for this store's server: the project's, if it is the project's store."""
    if project is not None and place == project.store_url:
        return project.dir
    folder = os.path.dirname(os.path.abspath(place.removeprefix("sqlite://")))
    return folder if os.path.basename(folder) == projects.FOLDER else ""


def start(config: Config, tell: Callable[[str], None]) -> None:
    """Serve until a signal ends it; says where."""
    listening = bind(config)
    host, port = listening.getsockname()[:2]
    tell(f"serving {config.store} at http://{host}:{port}")
    serve(config, listening)


def serve(config: Config, listening: socket.socket) -> None:
    """Serve until a signal ends it."""
    log = Log()
    app: Any = create_app(config, log=log)
    settings = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        backlog=2048,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(config.grace_s),
    )
    _Server(settings).run(sockets=[listening])


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal: finish, take nothing new."""
        super().handle_exit(sig, frame)
