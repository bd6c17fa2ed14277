"""The MLflow door beside `mlflow server` (job runners off, one worker, SQLite): the same requests, the same client program.

MLflow's server is measured where `.venv-peers` holds it; without it, the limits follow from what was measured of it before.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.bench_server import serving
from bench.figures import Figure, report
from lineal.doors.mlflow import experiments, points, runs
from lineal.service.operations import ALL_PERMISSIONS, Scope
from lineal.store.base import Tx
from lineal.store.open import Store, open_store

PEER = Path(__file__).parent.parent / ".venv-peers" / "bin"
API = "/api/2.0/mlflow"
CONNECTIONS = 8
SECONDS = 5.0
RUNS = 100_000
POINTS = 100_000
# What MLflow 3.17.2 was measured to do before, on a quiet machine: used where it is not measured beside.
BEFORE = {"sqlite": 46.0, "postgres": 67.0}

SESSION = """
import json, resource, time
import mlflow
mlflow.set_experiment("bench")
begun, used = time.perf_counter(), time.process_time()
with mlflow.start_run():
    mlflow.log_params({f"p{n}": n for n in range(10)})
    for step in range(1000):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
print("TOOK", json.dumps([time.perf_counter() - begun, time.process_time() - used]))
"""


# ---- servers -------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def mlflow_serving(folder: Path) -> Iterator[int]:
    """The port of `mlflow server` on an empty SQLite file."""
    folder.mkdir()
    port = 18070 + os.getpid() % 1000
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    words = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PEER / "python", "-m", "mlflow", *words, *store],
            cwd=folder,
            env={**os.environ, **settings},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
                break
            time.sleep(0.1)
        yield port
    finally:
        os.killpg(process.pid, 15)
        process.wait(60)


def post(port: int, path: str, document: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{API}{path}",
        json.dumps(document).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def new_run(port: int) -> str:
    return str(post(port, "/runs/create", {"experiment_id": "0", "start_time": 1})["run"]["info"]["run_id"])


# ---- load ----------------------------------------------------------------------------------------------------------------


class _Answers(asyncio.Protocol):
    """Counts whole answers on one connection; a client as light as can be, to leave the processors to the servers."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        self.rest += data
        head, found, body = self.rest.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or b"0") if found else 0
        if found and len(body) >= length:
            self.rest = body[length:]
            self.answered.set_result(head.split(b" ", 2)[1] == b"200")


def load(port: int, path: str, bodies: list[bytes]) -> tuple[float, float, float]:
    """(answers per second, median ms, 99th percentile ms) of requests over connections that each wait for their answer."""
    took: list[float] = []

    async def one(until: float) -> None:
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(_Answers, "127.0.0.1", port)
        while bodies and time.perf_counter() < until:
            body = bodies.pop()
            head = (
                f"POST {API}{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            )
            wire.answered = loop.create_future()
            begun = time.perf_counter()
            wire.transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            if not await wire.answered:
                raise RuntimeError(f"{path} was refused")
            took.append(time.perf_counter() - begun)
        wire.transport.close()

    async def every() -> float:
        begun = time.perf_counter()
        await asyncio.gather(*(one(begun + SECONDS) for _ in range(CONNECTIONS)))
        return time.perf_counter() - begun

    spent = asyncio.run(every())
    took.sort()
    return len(took) / spent, took[len(took) // 2] * 1e3, took[len(took) * 99 // 100] * 1e3


def single(run: str, count: int) -> list[bytes]:
    return [
        json.dumps(
            {"run_id": run, "key": "loss", "value": n / 7, "timestamp": 1_700_000_000_000 + n, "step": n}
        ).encode()
        for n in range(count, 0, -1)
    ]


def batches(run: str, count: int, keys: int) -> list[bytes]:
    """Requests of 1,000 points each over so many metrics."""
    return [
        json.dumps(
            {
                "run_id": run,
                "metrics": [
                    {
                        "key": f"m{keys}.{n % keys}",
                        "value": n / 7,
                        "timestamp": 10**12 + b,
                        "step": b * 1000 + n,
                    }
                    for n in range(1000)
                ],
            }
        ).encode()
        for b in range(count, 0, -1)
    ]


def session(port: int, folder: Path) -> tuple[float, float]:
    """Seconds of the client's session, and its processor time."""
    url = f"http://127.0.0.1:{port}"
    done = subprocess.run(
        [PEER / "python", "-c", SESSION],
        cwd=folder,
        env={**os.environ, "MLFLOW_TRACKING_URI": url, "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("TOOK "))
    took, used = json.loads(line.removeprefix("TOOK "))
    return took, used


def fsync_ms(folder: Path) -> float:
    """The median time of writing 8 KiB and waiting for the disk."""
    took = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(200):
            begun = time.perf_counter()
            file.write(b"x" * 8192)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1e3


# ---- the table -----------------------------------------------------------------------------------------------------------


def writing(folder: Path) -> list[Figure]:
    """Single points, batches and the client's session, MLflow's own server first."""
    theirs, their_batch, their_session, peer = BEFORE["sqlite"], 3400.0, 19.3, (PEER / "mlflow").exists()
    figures: list[Figure] = []
    if peer:
        with mlflow_serving(folder / "peer") as port:
            run = new_run(port)
            theirs, _, _ = load(port, "/runs/log-metric", single(run, 5000))
            rate, _, _ = load(port, "/runs/log-batch", batches(run, 200, 10))
            their_batch = rate * 1000
            their_session, used = session(port, folder)
        figures += [
            Figure("mlflow server, SQLite: log-metric, 8 connections", theirs, "req/s"),
            Figure("mlflow server, SQLite: log-batch of 1,000", their_batch, "metrics/s"),
            Figure(
                f"mlflow server, SQLite: session of the client, {used:.1f} s of it the client",
                their_session,
                "s",
            ),
        ]
    with serving(folder / "sqlite") as (port, _, _):
        figures += _ours(port, "SQLite", 15 * theirs, 100_000)
        if peer:
            sync = fsync_ms(folder)
            took, used = session(port, folder)
            wanted = max(6.5, used + sync + 0.7)
            figures.append(
                Figure(
                    f"session of the client, SQLite, {used:.1f} s of it the client, fsync {sync:.1f} ms",
                    took,
                    "s",
                    wanted,
                )
            )
    return figures + _postgres(folder)


def _ours(port: int, engine: str, single_limit: float, batch_limit: float) -> list[Figure]:
    run = new_run(port)
    rate, p50, p99 = load(port, "/runs/log-metric", single(run, 50_000))
    few, _, _ = load(port, "/runs/log-batch", batches(run, 1200, 10))
    many, _, _ = load(port, "/runs/log-batch", batches(run, 600, 1000))
    return [
        Figure(f"log-metric, {engine}, 8 connections, durable", rate, "req/s", single_limit, higher=True),
        Figure(f"log-metric, {engine}: median, p99 {p99:.1f} ms", p50, "ms"),
        Figure(
            f"log-batch of 1,000 over 10 metrics, {engine}", few * 1000, "metrics/s", batch_limit, higher=True
        ),
        Figure(
            f"log-batch of 1,000 different metrics, {engine}",
            many * 1000,
            "metrics/s",
            batch_limit,
            higher=True,
        ),
    ]


def _postgres(folder: Path) -> list[Figure]:
    from tests.store import postgres_server

    if postgres_server.absent():
        return []
    url = postgres_server.server().schema()
    try:
        with serving(folder / "postgres", url) as (port, _, _):
            return _ours(port, "PostgreSQL", 15 * BEFORE["postgres"], 40_000)
    finally:
        postgres_server.server().drop(url)


def reading(folder: Path) -> list[Figure]:
    """A metric's history, whole and sampled, and what its points take on disk."""
    with serving(folder / "history") as (port, _, _):
        run = new_run(port)
        place = folder / "history" / ".lineal" / "lineal.db"
        before = _size(place)
        for body in reversed(batches(run, POINTS // 1000, 1)):
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}{API}/runs/log-batch", body, {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(request).close()
        post(port, "/runs/update", {"run_id": run, "status": "FINISHED"})
        query = urlencode({"run_id": run, "run_ids": run, "metric_key": "m1.0"})
        whole = _median(port, f"/metrics/get-history?{query}", 7)
        chart = _median(port, f"/metrics/get-history-bulk-interval?{query}&max_results=2500", 15)
    after = _size(place)
    return [
        Figure("metric history of 100,000 points", whole, "s", 0.35),
        Figure("of it 2,500 points for a chart", chart * 1e3, "ms", 20),
        Figure(
            "bytes per metric point in the database, 100,000 points", (after - before) / POINTS, "bytes", 12
        ),
    ]


def _median(port: int, path: str, times: int) -> float:
    took = []
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(times):
        begun = time.perf_counter()
        connection.request("GET", API + path)
        answer = connection.getresponse()
        assert len(answer.read()) > 1000
        took.append(time.perf_counter() - begun)
    connection.close()
    return statistics.median(took)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob(path.name + "*"))


def searching(folder: Path) -> list[Figure]:
    """Search among 100,000 runs of 10 parameters, 10 metrics and 5 tags."""
    (folder / "search" / ".lineal").mkdir(parents=True)
    store = open_store(str(folder / "search" / ".lineal" / "lineal.db"))
    fill(store)
    store.close()
    asked: dict[str, dict[str, Any]] = {
        "metric range and parameter, by metric": {
            "filter": "metrics.acc > 0.9 and params.lr = '0.01'",
            "order_by": ["metrics.acc DESC"],
        },
        "all, by metric": {"order_by": ["metrics.acc DESC"]},
        "the latest": {},
        "a tag's value": {"filter": "tags.t0 = 'v3'"},
    }
    figures = []
    with serving(folder / "search") as (port, _, _):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for what, said in asked.items():
            body = json.dumps({"experiment_ids": ["1"], "max_results": 50, **said}).encode()
            took = []
            for _ in range(200):
                begun = time.perf_counter()
                connection.request("POST", f"{API}/runs/search", body, {"Content-Type": "application/json"})
                answer = connection.getresponse().read()
                took.append(time.perf_counter() - begun)
            assert len(json.loads(answer)["runs"]) == 50
            took.sort()
            figures.append(
                Figure(f"search of {RUNS:,} runs, 50 results: {what}, p50", took[100] * 1e3, "ms", 10)
            )
            figures.append(Figure("... p99", took[197] * 1e3, "ms", 50))
    return figures


def fill(store: Store) -> None:
    """Put the runs in as the door does."""
    dice = random.Random(3)
    with store.write() as tx:
        id = experiments.create(_scope(store, tx), {"name": "big"})["experiment_id"]
    for first in range(0, RUNS, 500):
        with store.write() as tx:
            scope = _scope(store, tx)
            for n in range(first, first + 500):
                tags = [{"key": f"t{i}", "value": f"v{dice.randrange(20)}"} for i in range(5)]
                known = runs.add(
                    scope, {"experiment_id": id, "start_time": 10**12 + n, "user_id": "u", "tags": tags}
                )
                params = {f"p{i}": str(dice.randrange(50)) for i in range(9)}
                runs.put_params(
                    scope, known, {"lr": dice.choice(["0.1", "0.01", "0.001", "0.0001"]), **params}
                )
                names = ["acc", *(f"m{i}" for i in range(9))]
                points.put(scope, known, [points.Point(name, dice.random(), 10**12 + n) for name in names])


def _scope(store: Store, tx: Tx) -> Scope:
    at = time.time_ns() // 1000
    return Scope(
        tx=tx,
        store=store,
        blobs=None,
        namespace="shop",
        actor="ada",
        at=at,
        grants=ALL_PERMISSIONS,
        door="mlflow",
    )


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as folder:
        figures = writing(Path(folder)) + reading(Path(folder)) + searching(Path(folder))
    report("The MLflow door", figures)


if __name__ == "__main__":
    sys.exit(main())
