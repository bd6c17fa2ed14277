"""The ML Metadata door of a running server, once on SQLite and once on PostgreSQL, shared by the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lineal.store.open import Store, open_store
from tests.doors.mlmd.clients import free_port
from tests.server.serving import Serving, begun
from tests.store import postgres_server

ENGINES = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]


@dataclass
class Door:
    """A server, the port of the door, and its store to look into."""

    serving: Serving
    port: int
    place: str


@pytest.fixture(scope="module", params=ENGINES)
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    url = ""
    if request.param == "postgres":
        if reason := postgres_server.absent():
            pytest.skip(f"PostgreSQL is not installed: {reason}")
        url = postgres_server.server().schema()
    folder = begun(tmp_path_factory.mktemp("kitchen"))
    port = free_port()
    serving = Serving(folder, "--mlmd-port", str(port), store=url).start()
    yield Door(serving, port, url or str(folder / ".lineal" / "lineal.db"))
    serving.close()
    if url:
        postgres_server.server().drop(url)


@pytest.fixture
def opened(door: Door) -> Iterator[Store]:
    """The server's store, opened beside it."""
    store = open_store(door.place)
    yield store
    store.close()


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A real, empty store."""
    place = str(tmp_path / "lineal.db")
    if request.param == "postgres":
        if reason := postgres_server.absent():
            pytest.skip(f"PostgreSQL is not installed: {reason}")
        place = postgres_server.server().schema()
    found = open_store(place)
    yield found
    found.close()
    if request.param == "postgres":
        postgres_server.server().drop(place)
