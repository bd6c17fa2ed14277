"""The in-process client: the same call as over HTTP, answered by the embedded store."""

from __future__ import annotations

import getpass
import os
import socket
import time
from types import TracebackType
from typing import Any, Protocol, Self

from lineal.resolve import project as projects
from lineal.service import operations, serving
from lineal.store.open import Store, open_store

# operation -> the service module that declares it, so that one verb does not load all others
_WHERE = {
    "files": "file_lineage",
    "ingest": "ingest",
    "positions": "ingest",
    "import": "importing",
    "import-mlmd": "mlmd_import",
    "import-stamps": "importing",
    "import-count": "importing",
    "runs": "runs",
    "metrics": "runs",
    "charts": "runs",
    "models": "catalog",
    "model": "catalog",
    "artifacts": "catalog",
    "artifact": "catalog",
    "jobs": "activity",
    "deployments": "activity",
    "fields": "activity",
    "run-groups": "grouping",
    "views": "grouping",
    "view-save": "grouping",
    "view-drop": "grouping",
    "whoami": "overview",
    "find": "overview",
    "show": "show",
    "trace": "lineage",
    "diff": "compare",
    "health": "health",
    "openlineage": "openlineage_out",
    "register": "registry",
    "alias": "registry",
    "aliases": "registry",
    "tag": "registry",
    "deploy": "registry",
    "undeploy": "registry",
    "delete": "removal",
    "dependants": "removal",
    "same": "joining",
    "split": "joining",
    "joins": "joining",
    "facet-define": "facets",
    "facets": "facets",
    "facet-set": "facet_set",
    "message": "messages",
    "facet-faults": "facets",
    "conflicts": "conflicts",
    "resolve": "conflicts",
    "path": "questions",
    "impact": "impact",
    "common": "questions",
    "why": "questions",
    "inherited": "questions",
    "fsck": "check",
    "tokens": "access",
    "token-create": "access",
    "token-revoke": "access",
}


def module_of(name: str) -> str:
    """The service module that declares an operation."""
    return _WHERE.get(name, name)


def now_us() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1000


def local_actor() -> str:
    """`user@host` of the person whose process this is."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


class AnyClient(Protocol):
    """What calls operations, here or on a server."""

    project: projects.Project

    @property
    def blobs(self) -> Any:
        """The kept bytes."""
        ...

    def call(self, name: str, request: Any) -> Any:
        """Run one operation; the reply's type is the one the operation table declares."""
        ...

    def close(self) -> None:
        """Let go of the store or the connection."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None: ...


def connect(project: projects.Project, *, patience_s: float | None = None) -> AnyClient:
    """A client of the server that keeps the project's record, else of its own store. Connects at the first call.

    patience_s: how long a call is repeated while a server does not answer; None for five seconds.
    Raises Invalid: LINEAL_URL is no address of a server.
    """
    found = serving.served(project)
    if found is None:
        return Client(project)
    from lineal.service.remote import PATIENCE_S, RemoteClient

    patience_s = PATIENCE_S if patience_s is None else patience_s
    return RemoteClient(found.url, found.token, project=project, patience_s=patience_s)


class Client:
    """Calls operations on a project's store. Use as a context manager; not to be shared between threads or over a fork."""

    def __init__(self, project: projects.Project, *, store: Store | None = None, actor: str = "") -> None:
        self.project = project
        self.actor = actor or local_actor()
        self._store = store
        self._blobs: Any = None

    @property
    def store(self) -> Store:
        """The store, opened at first use."""
        if self._store is None:
            self._store = open_store(self.project.store_url)
        return self._store

    @property
    def blobs(self) -> Any:
        """The bytes kept for this project, opened at first use."""
        if self._blobs is None:
            from lineal.store.blobs import Blobs

            self._blobs = Blobs(self.project.blobs_url)
        return self._blobs

    def call(self, name: str, request: Any) -> Any:
        """Run one operation; the reply's type is the one the operation table declares."""
        found = operations.find(name, module_of(name))
        return operations.call(
            found,
            request,
            store=self.store,
            blobs=self.blobs if found.name in {"fsck", "delete"} else None,
            caller=operations.Caller(self.actor, operations.ALL_PERMISSIONS),
            namespace=self.project.name,
            now=now_us,
        )

    def close(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()
