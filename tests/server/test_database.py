"""A database that goes away and comes back loses nothing that was acknowledged."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from lineal.core.errors import LinealError, Unavailable
from lineal.service.runs import RunsRequest
from tests.server.making import API, client, ingest, started
from tests.server.serving import Serving
from tests.server.writers import Writers
from tests.store import postgres_server

pytestmark = pytest.mark.postgres


@pytest.fixture
def place() -> Iterator[str]:
    if reason := postgres_server.absent():
        pytest.skip(f"PostgreSQL is not installed: {reason}")
    url = postgres_server.server().schema()
    yield url
    postgres_server.server().drop(url)


def test_sessions_that_the_database_ends_are_opened_again(project: Path, place: str) -> None:
    server = Serving(project, store=place).start()
    stop = threading.Event()
    acknowledged: list[int] = []
    refused: list[LinealError] = []

    def write(first: int) -> None:
        number = first
        with client(server, patience_s=0) as remote:
            while not stop.is_set():
                number += 1
                try:
                    remote.call("ingest", ingest(started(number)))
                    remote.call("runs", RunsRequest(limit=1))
                except Unavailable as error:
                    refused.append(error)
                else:
                    acknowledged.append(number)

    threads = [threading.Thread(target=write, args=(n * 1_000_000,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        with psycopg.connect(postgres_server.server().url(), autocommit=True) as other:
            for _ in range(10):
                wanted, deadline = len(acknowledged) + 2, time.monotonic() + 20
                while len(acknowledged) < wanted and time.monotonic() < deadline:
                    time.sleep(0.01)
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert len(acknowledged) >= 20
    with client(server) as remote:
        kept = {int(run.run_id, 16) for run in remote.call("runs", RunsRequest(limit=100_000)).runs}
    assert set(acknowledged) <= kept
    assert server.get("/ready").status == 200
    server.close()


def test_a_database_that_stays_away_is_a_503_with_a_time_to_come_again(project: Path, place: str) -> None:
    server = Serving(project, store=place).start()
    schema = re.search(r"search_path%3D(\w+)", place)
    assert schema
    with psycopg.connect(postgres_server.server().url(), autocommit=True) as other:
        other.execute("CREATE ROLE guest LOGIN")
    server.close()
    away = Serving(project, store=place.replace("lineal@", "guest@"))
    try:
        with psycopg.connect(postgres_server.server().url(), autocommit=True) as other:
            other.execute(f"GRANT ALL ON SCHEMA {schema[1]} TO guest")
            other.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema[1]} TO guest")
            other.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema[1]} TO guest")
            away.start()
            other.execute("ALTER ROLE guest NOLOGIN")
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guest'")
            answer = away.get(f"{API}/runs")
            assert (answer.status, answer.code) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert away.get("/ready").status == 503
            assert away.get("/health").status == 200
            other.execute("ALTER ROLE guest LOGIN")
            assert away.get(f"{API}/runs").status == 200
            assert away.get("/ready").status == 200
    finally:
        away.close()
        with psycopg.connect(postgres_server.server().url(), autocommit=True) as other:
            other.execute("DROP OWNED BY guest")
            other.execute("DROP ROLE guest")


@pytest.mark.timeout(300)
def test_a_database_that_crashes_and_comes_back_has_all_that_was_acknowledged(project: Path) -> None:
    if reason := postgres_server.absent():
        pytest.skip(f"PostgreSQL is not installed: {reason}")
    database = postgres_server.Server(fsync="on", full_page_writes="on")
    server = Serving(project, store=database.schema()).start()
    writers = Writers(server)
    try:
        for _ in range(3):
            before, deadline = writers.acknowledged, time.monotonic() + 60
            while writers.acknowledged < before + 10 and time.monotonic() < deadline and not writers.broken:
                time.sleep(0.005)
            database.crash()
            answer = server.get("/ready")
            assert (answer.status, "retry-after" in answer.headers) == (503, True)
            assert server.get("/health").status == 200
            database.start()
        before, deadline = writers.acknowledged, time.monotonic() + 60
        while writers.acknowledged < before + 10 and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        writers.end()
    try:
        assert writers.broken == []
        writers.verify()
    finally:
        server.close()
        database.stop()
