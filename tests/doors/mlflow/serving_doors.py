"""Fixtures for real servers that several tests share, once on SQLite and once on PostgreSQL."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.doors.mlflow.asking import Asking
from tests.server.serving import Serving
from tests.store import postgres_server

ENGINES = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(scope="module", params=ENGINES)
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """The MLflow door of a running server, shared by the tests of a module."""
    url = ""
    if request.param == "postgres":
        if reason := postgres_server.absent():
            pytest.skip(f"PostgreSQL is not installed: {reason}")
        url = postgres_server.server().schema()
    folder = tmp_path_factory.mktemp("shop")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / ".lineal").mkdir()
    serving = Serving(folder, store=url).start()
    yield Asking(serving)
    serving.close()
    if url:
        postgres_server.server().drop(url)
