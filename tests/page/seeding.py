"""What tests of the page record through the server's own interface."""

from __future__ import annotations

import struct
from pathlib import Path

from lineal.core import events as ev
from lineal.service.remote import RemoteClient
from tests.server.making import client, ingest, started
from tests.server.serving import Serving

T = 1_700_000_000_000_000


def table(name: str, content: int, *, kind: str = "dataset") -> ev.VersionState:
    """A version whose content is a number."""
    return ev.VersionState(
        namespace="shop", name=name, kind=kind, digest=f"sha256:{content:064x}", size=1000 + content
    )


def points(run: int, key: str, values: list[float], first: int = 0) -> ev.MetricPoints:
    """Points of one metric, a step apart."""
    count = len(values)
    return ev.MetricPoints(
        run=f"{run:032x}",
        keys=[key],
        key=struct.pack(f"<{count}I", *[0] * count),
        step=struct.pack(f"<{count}q", *range(first, first + count)),
        at=struct.pack(f"<{count}q", *[T + (first + n) * 1_000_000 for n in range(count)]),
        value=struct.pack(f"<{count}d", *values),
    )


def record(served: Serving, *events: ev.Event, source: str = "page", token: str = "") -> None:
    """Bring events to a server."""
    with opened(served, token) as remote:
        remote.call("ingest", ingest(*events, source=source))


def opened(served: Serving, token: str = "") -> RemoteClient:
    """A client of the server."""
    return client(served, token=token) if token else client(served)


def fan(served: Serving, runs: int) -> None:
    """One table that many runs read, each of which makes a table of its own under a name of its own."""
    events: list[ev.Event] = []
    for n in range(1, runs + 1):
        at = T + n * 1_000_000
        events += [
            ev.RunStarted(run=f"{n:032x}", namespace="shop", job=f"{word(n)}.py", at=at),
            ev.VersionUsed(run=f"{n:032x}", version=table("root.csv", 1), at=at),
            ev.VersionGenerated(run=f"{n:032x}", version=table(f"out/{word(n)}.csv", 10 + n), at=at + 1),
            ev.RunEnded(run=f"{n:032x}", state=ev.State.FINISHED, at=at + 2),
        ]
    record(served, *events, source="fan")


def word(number: int) -> str:
    """A number in letters, so that no two names are alike but for their digits."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def project(folder: Path) -> Path:
    """An empty project."""
    (folder / ".lineal").mkdir(parents=True)
    return folder


__all__ = ["T", "fan", "opened", "points", "project", "record", "started", "table", "word"]
