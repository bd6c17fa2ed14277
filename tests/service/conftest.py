"""The operations on a real, empty store (SQLite; in the long form on PostgreSQL too), with a clock of the test's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineal.core import events as ev
from lineal.service import operations
from lineal.service.ingest import IngestReply, IngestRequest
from lineal.store.open import Store, open_store
from tests.store import postgres_server


class Desk:
    """Calls operations as one caller; every call is one second later."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.at = 1_000_000_000_000
        self.table = operations.table()

    def call(self, name: str, /, **fields: Any) -> Any:
        found = self.table[name]
        return self.ask(name, found.request(**fields))

    def ask(self, name: str, request: Any) -> Any:
        self.at += 1_000_000
        return operations.call(
            self.table[name],
            request,
            store=self.store,
            blobs=None,
            caller=operations.Caller("tester@here", operations.ALL_PERMISSIONS),
            namespace="project",
            now=lambda: self.at,
        )

    def ingest(
        self, *events: ev.Event, source: str = "test", start: int = 0, position: int = 0
    ) -> IngestReply:
        batch = ev.Batch(
            door="test",
            source=source,
            start=start,
            position=position,
            digest="",
            actor="",
            events=list(events),
        )
        reply = self.ask("ingest", IngestRequest(batches=[batch]))
        assert isinstance(reply, IngestReply)
        return reply


# The long form asks the same of PostgreSQL.
ENGINES = [
    "sqlite",
    *([pytest.param("postgres", marks=pytest.mark.postgres)] if os.environ.get("LINEAL_SOAK") else []),
]


@pytest.fixture(params=ENGINES)
def desk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    if request.param == "postgres":
        if reason := postgres_server.absent():
            pytest.skip(f"PostgreSQL is not installed: {reason}")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        place = postgres_server.server().schema()
    else:
        place = str(tmp_path / "lineal.db")
    store = open_store(place)
    yield Desk(store)
    store.close()
    if request.param == "postgres":
        postgres_server.server().drop(place)


def run_id(number: int) -> str:
    return f"{number:032x}"


def digest(content: str) -> str:
    return "sha256:" + content.encode().hex().ljust(64, "0")[:64]


def state(name: str, content: str, *, size: int = 1000, kind: str = "dataset") -> ev.VersionState:
    return ev.VersionState(namespace="project", name=name, kind=kind, digest=digest(content), size=size)


def started(number: int, job: str, at: int, **more: Any) -> ev.Event:
    return ev.RunStarted(run=run_id(number), namespace="project", job=job, at=at, **more)


def used(number: int, name: str, content: str, at: int, **more: Any) -> ev.Event:
    return ev.VersionUsed(run=run_id(number), version=state(name, content, **more), at=at)


def made(number: int, name: str, content: str, at: int, **more: Any) -> ev.Event:
    return ev.VersionGenerated(run=run_id(number), version=state(name, content, **more), at=at)


def ended(number: int, at: int, how: ev.State = ev.State.FINISHED) -> ev.Event:
    return ev.RunEnded(run=run_id(number), at=at, state=how)
