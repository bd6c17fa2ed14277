"""The server's own interface, on SQLite and on PostgreSQL: events kept, questions answered, and what a bare answer costs."""

from __future__ import annotations

import base64
import json
import struct
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import load, servers
from bench.figures import Figure, report_parts

API = "/api/lineal/v1"
MOST = 40_000  # requests; more than are answered in the time


def batch(events: list[dict[str, object]]) -> bytes:
    """A request that brings events."""
    whole = {"door": "bench", "source": "b", "start": 0, "position": 0, "digest": "", "actor": "b"}
    return json.dumps({"batches": [{**whole, "events": events}]}).encode()


def points(count: int) -> list[bytes]:
    """Requests of one event each: a point of one run."""
    one = {"key": "AAAAAA==", "at": "AQAAAAAAAAA=", "value": "AAAAAAAA8D8="}
    return [
        batch(
            [
                {
                    "type": "metrics",
                    "run": f"{1:032x}",
                    "keys": ["loss"],
                    "step": base64.b64encode(struct.pack("<q", number)).decode(),
                    **one,
                }
            ]
        )
        for number in range(count)
    ]


def native(engine: str, store: str = "") -> list[Figure]:
    """Rates over eight connections."""
    with (
        tempfile.TemporaryDirectory(prefix="lineal-bench-") as folder,
        servers.lineal(Path(folder), store) as server,
    ):
        run = {"type": "run_started", "run": f"{1:032x}", "namespace": "n", "job": "j", "at": 1}
        load.load(server.port, f"{API}/ingest", [batch([run])])
        kept = load.load(server.port, f"{API}/ingest", points(MOST))
        read = load.load(server.port, f"{API}/aliases", [b""] * MOST, method="GET")
        bare = load.load(server.port, "/health", [b""] * MOST, method="GET")
        return [
            Figure(f"{engine}: one event with its message kept, durable", kept[0], "req/s"),
            Figure(f"{engine}: such a request, median", kept[1], "ms"),
            Figure(f"{engine}: such a request, 99th percentile", kept[2], "ms"),
            Figure(f"{engine}: questions to the store", read[0], "req/s"),
            Figure(f"{engine}: /health", bare[0], "req/s"),
        ]


def on_postgres() -> list[Figure]:
    if servers.postgres() is None:
        return []
    with servers.schema() as store:
        return native("PostgreSQL", store)


def fsync() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as folder:
        return [Figure("an fsync of 8 KiB here", load.fsync_ms(Path(folder)), "ms")]


def main() -> int:
    parts: list[tuple[str, Callable[[], list[Figure]]]] = [
        ("fsync", fsync),
        ("SQLite", partial(native, "SQLite")),
        ("PostgreSQL", on_postgres),
    ]
    return report_parts("The server's own interface, 8 connections", parts)


if __name__ == "__main__":
    sys.exit(main())
