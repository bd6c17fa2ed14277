"""OpenLineage events over HTTP, durable: in batches of 100 and one by one; on SQLite, and on PostgreSQL where it is installed."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench import load, servers
from bench.figures import Figure, report_parts

PATH = "/api/v1/lineage"
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


def bodies(worker: int, count: int, batch: int) -> list[bytes]:
    """Requests of so many events each, the first at the end of the list; START and COMPLETE of a run one after the other."""
    events = [event for number in range(count * batch // 2 + 1) for event in pair(worker, number)]
    parts = [events[n : n + batch] for n in range(0, count * batch, batch)]
    return [b"[" + b",".join(part) + b"]" if batch > 1 else part[0] for part in reversed(parts)]


def cpu_s(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / _TICKS


def measured(name: str, limits: tuple[float, float], store: str = "") -> list[Figure]:
    figures = [Figure(f"{name}: bytes of an event", len(pair(1, 1)[0]), "bytes")]
    with (
        tempfile.TemporaryDirectory(prefix="lineal-bench-") as folder,
        servers.lineal(Path(folder), store) as server,
    ):
        load.load(server.port, f"{PATH}/batch", bodies(1, 10, BATCH))
        for words, worker, batch, most, limit in (
            (f"batches of {BATCH}", 2, BATCH, 500, limits[0]),
            ("single events", 3, 1, 20_000, limits[1]),
        ):
            requests = bodies(worker, most, batch)
            before = cpu_s(server.pid)
            rate, median, p99 = load.load(server.port, PATH + "/batch" * (batch > 1), requests)
            sent = (most - len(requests)) * batch
            figures += [
                Figure(f"{name}: {words}, durable", rate * batch, "events/s", limit, higher=True),
                Figure(f"{name}: {words}: a request, median", median, "ms"),
                Figure(f"{name}: {words}: a request, 99th percentile", p99, "ms"),
                Figure(
                    f"{name}: {words}: processor time of the server",
                    (cpu_s(server.pid) - before) / sent * 1e6,
                    "us/event",
                ),
            ]
        figures.append(Figure(f"{name}: database", server.size() / 2**20, "MiB"))
    return figures


def on_postgres() -> list[Figure]:
    if servers.postgres() is None:
        return []
    with servers.schema() as store:
        return measured("PostgreSQL", (2500, 750), store)


def main() -> int:
    parts: list[tuple[str, Callable[[], list[Figure]]]] = [
        ("SQLite", partial(measured, "SQLite", (5000, 1500))),
        ("PostgreSQL", on_postgres),
    ]
    return report_parts("OpenLineage events over HTTP, 8 connections", parts)


if __name__ == "__main__":
    sys.exit(main())
