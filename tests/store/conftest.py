"""One suite for both engines: `store` is a real, empty store, once on SQLite and once on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.store.open import Store, open_store
from tests.store import postgres_server

ENGINES = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a store that does not exist yet."""
    if request.param == "sqlite":
        yield str(tmp_path / "lineal.db")
        return
    if reason := postgres_server.absent():
        pytest.skip(f"PostgreSQL is not installed: {reason}")
    url = postgres_server.server().schema()
    yield url
    postgres_server.server().drop(url)


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    """A real, empty store."""
    opened = open_store(place)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_path(tmp_path: Path) -> str:
    return str(tmp_path / "lineal.db")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if reason := postgres_server.absent():
        terminalreporter.write_line(f"SKIPPED PEERS: PostgreSQL is not installed: {reason}", yellow=True)
