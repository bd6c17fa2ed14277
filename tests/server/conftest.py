"""Real servers, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.serving import Serving, begun
from tests.store import postgres_server

ENGINES = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder of its own, with a project in it."""
    folder = tmp_path / "shop"
    folder.mkdir()
    return begun(folder)


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty store; empty for the project's own SQLite file."""
    if request.param == "sqlite":
        yield ""
        return
    if reason := postgres_server.absent():
        pytest.skip(f"PostgreSQL is not installed: {reason}")
    url = postgres_server.server().schema()
    yield url
    postgres_server.server().drop(url)


@pytest.fixture
def serving(project: Path) -> Iterator[Serving]:
    """A running server on the project's own SQLite file."""
    server = Serving(project).start()
    yield server
    server.close()


@pytest.fixture
def anywhere(project: Path, place: str) -> Iterator[Serving]:
    """A running server, once on SQLite and once on PostgreSQL."""
    server = Serving(project, store=place).start()
    yield server
    server.close()
