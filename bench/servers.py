"""The servers that are measured: Lineal's and `mlflow server` (job runners off, one worker), on the same engines."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.store import postgres_server

LINEAL = str(Path(sys.executable).parent / "lineal")
PEER = Path(__file__).parent.parent / ".venv-peers" / "bin"


class Server(NamedTuple):
    """One that answers. started: seconds until its first healthy answer; size: bytes that its database holds now."""

    name: str
    port: int
    pid: int
    started: float
    size: Callable[[], int]


def peer_is_here() -> bool:
    """Whether `.venv-peers` has MLflow."""
    return (PEER / "mlflow").exists()


@cache
def postgres() -> postgres_server.Server | None:
    """A PostgreSQL whose commits wait for the disk; None where none is installed."""
    return None if postgres_server.absent() else postgres_server.Server(fsync="on", full_page_writes="on")


@contextlib.contextmanager
def schema() -> Iterator[str]:
    """The address of an empty place in it, for as long as the block lasts."""
    server = postgres()
    assert server is not None
    url = server.schema()
    try:
        yield url
    finally:
        server.drop(url)


@contextlib.contextmanager
def lineal(folder: Path, store: str = "", *more: str) -> Iterator[Server]:
    """Lineal's server in a project of its own. store: the address of a PostgreSQL; else its SQLite file. more: options."""
    (folder / ".lineal").mkdir(parents=True, exist_ok=True)
    port = 17070 + os.getpid() % 1000
    command = [LINEAL, "server", "--port", str(port), *(["--store", store] if store else []), *more]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINEAL")}
    size = (lambda: postgres_size(store)) if store else lambda: _sqlite_size(folder / ".lineal" / "lineal.db")
    with _running("lineal server", command, folder, environment, port, size) as server:
        yield server


@contextlib.contextmanager
def mlflow(folder: Path, store: str = "") -> Iterator[Server]:
    """`mlflow server` in an empty folder, likewise."""
    folder.mkdir(parents=True, exist_ok=True)
    port = 18070 + os.getpid() % 1000
    database = (
        store.replace("postgresql://", "postgresql+psycopg2://", 1)
        if store
        else f"sqlite:///{folder}/mlflow.db"
    )
    command = [str(PEER / "python"), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", database]
    command += ["--artifacts-destination", str(folder / "files")]
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    size = (lambda: postgres_size(store)) if store else lambda: _sqlite_size(folder / "mlflow.db")
    environment = {**os.environ, **settings}
    with _running("mlflow server", command, folder, environment, port, size) as server:
        yield server


@contextlib.contextmanager
def _running(
    name: str,
    command: list[str],
    folder: Path,
    environment: dict[str, str],
    port: int,
    size: Callable[[], int],
) -> Iterator[Server]:
    begun = time.monotonic()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        while not _healthy(port):
            if process.poll() is not None or time.monotonic() - begun > 180:
                raise RuntimeError(f"{name} did not start: {(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.005)
        yield Server(name, port, process.pid, time.monotonic() - begun, size)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


# ---- memory --------------------------------------------------------------------------------------------------------------


def pss_mb(pid: int) -> float:
    """Memory of a process and all that it started, what is shared counted once (MiB)."""
    total = 0
    for one in [pid, *_descendants(pid)]:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def peak_mb(pid: int) -> float:
    """The most memory that a process and those it started had at once since `forget_peak` (MiB, each by itself)."""
    total = 0
    for one in [pid, *_descendants(pid)]:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    total += int(line.split()[1])
    return total / 1024


def forget_peak(pid: int) -> None:
    for one in [pid, *_descendants(pid)]:
        with contextlib.suppress(OSError):
            Path(f"/proc/{one}/clear_refs").write_text("5")


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [int(child), *_descendants(int(child))]
    return found


# ---- disk ----------------------------------------------------------------------------------------------------------------


def _sqlite_size(path: Path) -> int:
    """Bytes of the pages that are in use."""
    connection = sqlite3.connect(path)
    try:
        pages, free, size = (
            connection.execute(f"PRAGMA {word}").fetchone()[0]
            for word in ("page_count", "freelist_count", "page_size")
        )
    finally:
        connection.close()
    return int((pages - free) * size)


def postgres_size(url: str, *, full: bool = True) -> int:
    """Bytes of tables with their indexes. full: without what updates left behind, which VACUUM FULL takes away first."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        if full:
            connection.execute("VACUUM FULL")
        found = connection.execute(
            "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = current_schema() AND c.relkind = 'r'"
        ).fetchone()
    assert found is not None
    return int(found[0])
