"""The OpenLineage door of a running server, once on SQLite and once on PostgreSQL, shared by the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.store.open import Store, open_store
from tests.doors.openlineage.door import Door
from tests.server.serving import Serving, begun
from tests.store import postgres_server

ENGINES = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(scope="module", params=ENGINES)
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    url = ""
    if request.param == "postgres":
        if reason := postgres_server.absent():
            pytest.skip(f"PostgreSQL is not installed: {reason}")
        url = postgres_server.server().schema()
    serving = Serving(begun(tmp_path_factory.mktemp("lake")), store=url).start()
    yield Door(serving)
    serving.close()
    if url:
        postgres_server.server().drop(url)


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A real, empty store."""
    place = str(tmp_path / "lineal.db")
    if request.param == "postgres":
        if reason := postgres_server.absent():
            pytest.skip(f"PostgreSQL is not installed: {reason}")
        place = postgres_server.server().schema()
    opened = open_store(place)
    yield opened
    opened.close()
    if request.param == "postgres":
        postgres_server.server().drop(place)
