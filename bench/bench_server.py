"""The server: start, memory, single metric points, durable, requests per second; on SQLite, and on PostgreSQL where it is installed."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.figures import Figure, report

LINEAL = str(Path(sys.executable).parent / "lineal")
API = "/api/lineal/v1"
MLFLOW = "/api/2.0/mlflow"
CONNECTIONS = 8
SECONDS = 4.0


@contextlib.contextmanager
def serving(folder: Path, store: str = "") -> Iterator[tuple[int, int, float]]:
    """(port, pid, seconds from the start to the first healthy answer) of a server of its own."""
    folder.mkdir(exist_ok=True)
    (folder / ".lineal").mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINEAL")}
    port = 17070 + os.getpid() % 1000
    begun = time.monotonic()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [LINEAL, "server", "--port", str(port), *(["--store", store] if store else [])],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    break
            if process.poll() is not None:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.005)
        yield port, process.pid, time.monotonic() - begun
    finally:
        process.terminate()
        process.wait(30)


def pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def hammer(port: int, method: str, path: str, body: str) -> tuple[float, float, float]:
    """(answers per second, median ms, 99th percentile ms) over several connections that each wait for their answer.

    `{i}` in the body is another number each time, `{n}` the same as base64 of 64 bits.
    """
    took: list[float] = []
    until = time.monotonic() + SECONDS

    def ask(worker: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        number = worker * 1_000_000
        while (now := time.monotonic()) < until:
            number += 1
            connection.request(
                method,
                path,
                numbered(body, number) or None,
                {"Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200:
                raise RuntimeError(said)
            took.append(time.monotonic() - now)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took.sort()
    return len(took) / SECONDS, statistics.median(took) * 1e3, took[int(len(took) * 0.99)] * 1e3


def numbered(body: str, number: int) -> str:
    return body.replace("{n}", base64.b64encode(struct.pack("<q", number)).decode()).replace(
        "{i}", str(number)
    )


def fsync_ms(folder: Path) -> float:
    """Median time of a small write with fsync, beside the store."""
    times = []
    with (folder / "probe").open("wb") as file:
        for _ in range(100):
            begun = time.perf_counter()
            file.write(b"x" * 200)
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1e3


def batch(events: list[dict[str, object]]) -> str:
    return json.dumps(
        {
            "batches": [
                {
                    "door": "bench",
                    "source": "b",
                    "start": 0,
                    "position": 0,
                    "digest": "",
                    "actor": "b",
                    "events": events,
                }
            ]
        }
    )


def engine(name: str, folder: Path, store: str = "", *, writes: float) -> list[Figure]:
    run = {"type": "run_started", "run": f"{1:032x}", "namespace": "n", "job": "j", "at": 1}
    one = {"key": "AAAAAA==", "at": "AQAAAAAAAAA=", "value": "AAAAAAAA8D8="}
    point = {"type": "metrics", "run": f"{1:032x}", "keys": ["loss"], "step": "{n}", **one}
    starts = []
    for _ in range(3):
        with serving(folder, store) as (_, _, took):
            starts.append(took)
    with serving(folder, store) as (port, pid, _):
        time.sleep(1.0)
        idle = pss_mb(pid)
        post(port, f"{API}/ingest", batch([run]))
        made = post(port, f"{MLFLOW}/runs/create", '{"experiment_id": "0"}')
        metric = {"run_id": made["run"]["info"]["run_id"], "key": "loss", "value": 0.5, "timestamp": 1}
        logged = hammer(port, "POST", f"{MLFLOW}/runs/log-metric", json.dumps({**metric, "step": "{i}"}))
        event = hammer(port, "POST", f"{API}/ingest", batch([point]))
        read = hammer(port, "GET", f"{API}/aliases", "")
        bare = hammer(port, "GET", "/health", "")
        loaded = pss_mb(pid)
    many = f"{CONNECTIONS} connections"
    return [
        Figure(f"{name}: start to first healthy answer", statistics.median(starts), "s", 1.0),
        Figure(f"{name}: memory when idle (PSS)", idle, "MB", 90),
        Figure(f"{name}: memory after the load (PSS)", loaded, "MB"),
        Figure(f"{name}: single log-metric, durable, {many}", logged[0], "/s", writes, higher=True),
        Figure(f"{name}: such a request, median", logged[1], "ms"),
        Figure(f"{name}: such a request, 99th percentile", logged[2], "ms"),
        Figure(f"{name}: one event with its message kept, {many}", event[0], "/s"),
        Figure(f"{name}: questions to the store, {many}", read[0], "/s"),
        Figure(f"{name}: /health, {many} (client included)", bare[0], "/s"),
    ]


def post(port: int, path: str, body: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(said)
    return json.loads(said)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as folder:
        figures = [
            Figure("an fsync of 200 bytes here", fsync_ms(Path(folder)), "ms"),
            *engine("SQLite", Path(folder, "one"), writes=690),
        ]
        from tests.store import postgres_server

        if not postgres_server.absent():
            figures += engine(
                "PostgreSQL", Path(folder, "two"), postgres_server.server().schema(), writes=1005
            )
    report("server", figures)


if __name__ == "__main__":
    main()
