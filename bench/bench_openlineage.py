"""OpenLineage events over HTTP, durable: in batches of 100 and one by one; on SQLite, and on PostgreSQL where it is installed."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from bench.bench_server import serving
from bench.figures import Figure, report

PATH = "/api/v1/lineage"
SECONDS = 6.0
BATCH = 100
TABLES = 200
_TICKS = os.sysconf("SC_CLK_TCK")


def facet(**said: Any) -> dict[str, Any]:
    return {"_producer": "https://example.org/bench", "_schemaURL": "https://example.org/facet.json", **said}


def table(name: str) -> dict[str, Any]:
    fields = [{"name": f"c{n}", "type": "VARCHAR"} for n in range(8)]
    facets = {"schema": facet(fields=fields), "dataSource": facet(name="pg", uri="pg://db:1")}
    return {"namespace": "pg://db:1", "name": name, "facets": facets}


def pair(worker: int, number: int) -> list[bytes]:
    """START and COMPLETE of a run that reads two tables with a schema and writes one with the lineage of its columns."""
    run = f"{worker:08x}-0000-4000-8000-{number:012x}"
    dag = f"{worker:08x}-0000-4000-9000-{number // 20:012x}"
    sources = [f"db.s.t{number % TABLES}", f"db.s.t{number * 7 % TABLES}"]
    output = table(f"db.s.o{number % TABLES}")
    named = [{"namespace": "pg://db:1", "name": name, "field": "c0"} for name in sources]
    output["facets"]["columnLineage"] = facet(fields={f"c{n}": {"inputFields": named} for n in range(4)})
    parent = {"run": {"runId": dag}, "job": {"namespace": "etl", "name": f"dag{number % 10}"}}
    engine = facet(name="spark", version="3.5", openlineageAdapterVersion="1.54")
    kind = facet(processingType="BATCH", integration="SPARK", jobType="TASK")
    base = {
        "producer": "https://example.org/bench",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run, "facets": {"parent": facet(**parent), "processing_engine": engine}},
        "job": {
            "namespace": "etl",
            "name": f"task{number % 300}",
            "facets": {"jobType": kind, "sql": facet(query="select a, b from t where c > 1 group by 1, 2")},
        },
        "inputs": [table(name) for name in sources],
        "outputs": [output],
    }
    second = number % 3600
    times = [f"2026-03-03T12:{second // 60:02d}:{second % 60:02d}.{ms}Z" for ms in ("000", "900")]
    return [
        json.dumps({"eventType": type, "eventTime": at, **base}).encode()
        for type, at in zip(("START", "COMPLETE"), times, strict=True)
    ]


def hammer(port: int, workers: int, *, batch: int) -> int:
    """How many events were answered for, sent over so many connections that each wait for their answer."""
    count = [0] * workers
    ready = threading.Barrier(workers + 1)

    def send(worker: int) -> None:
        requests = int(SECONDS * (20 if batch > 1 else 300))
        events = [e for n in range(requests * max(batch // 2, 1)) for e in pair(worker + 1000 * batch, n)]
        parts = [events[n : n + batch] for n in range(0, len(events), batch)]
        bodies = [b"[" + b",".join(part) + b"]" if batch > 1 else part[0] for part in parts]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        ready.wait()
        until = time.monotonic() + SECONDS
        for body in bodies:
            if time.monotonic() > until:
                break
            path = f"{PATH}/batch" if batch > 1 else PATH
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status not in {200, 201}:
                raise RuntimeError(said)
            count[worker] += batch
        connection.close()

    threads = [threading.Thread(target=send, args=(n,)) for n in range(workers)]
    for thread in threads:
        thread.start()
    ready.wait()
    for thread in threads:
        thread.join()
    return sum(count)


def cpu_s(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / _TICKS


def measured(name: str, folder: Path, store: str, limits: tuple[float, float]) -> list[Figure]:
    figures = [Figure(f"{name}: bytes of an event", len(pair(1, 1)[0]), "bytes")]
    with serving(folder, store) as (port, pid, _):
        hammer(port, 1, batch=2)
        for words, workers, batch, limit in (
            (f"batches of {BATCH}, 4 connections", 4, BATCH, limits[0]),
            ("single events, 16 connections", 16, 1, limits[1]),
        ):
            before = cpu_s(pid)
            count = hammer(port, workers, batch=batch)
            spent = cpu_s(pid) - before
            figures.append(
                Figure(f"{name}: {words}, durable", count / SECONDS, "events/s", limit, higher=True)
            )
            figures.append(
                Figure(f"{name}: {words}: processor time of the server", spent / count * 1e6, "us/event")
            )
    return figures


def main() -> None:
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as folder:
        figures += measured("SQLite", Path(folder, "one"), "", (5000, 1500))
        from tests.store import postgres_server

        with contextlib.suppress(postgres_server.NotInstalled):
            url = postgres_server.server().schema()
            figures += measured("PostgreSQL", Path(folder, "two"), url, (2500, 750))
    report("openlineage", figures)


if __name__ == "__main__":
    main()
