"""Short ways to put runs, versions and points into a store."""

from __future__ import annotations

import struct

from lineal.core.events import Level
from lineal.core.model import Edge, EdgeKind
from lineal.store.open import Store
from lineal.store.tx import Tx


def add_run(store: Store, tx: Tx, number: int = 1, **said: object) -> int:
    values: dict[str, object] = {
        "namespace": "shop",
        "job": "train.py",
        "name": "",
        "kind": "run",
        "parent": None,
        "actor": "ada",
        "started_at": 100 + number % 1_000_000,
        "recorded_at": 1000,
    }
    return store.runs.add_run(tx, f"{number:032x}", **(values | said))  # type: ignore[arg-type]


def add_version(store: Store, tx: Tx, name: str = "a.csv", **said: object) -> tuple[int, bool]:
    values: dict[str, object] = {
        "namespace": "shop",
        "kind": "dataset",
        "digest": f"sha256:{name}",
        "level": Level.CONTENT,
        "reason": "",
        "size": 10,
        "location": f"file:///{name}",
        "recorded_at": 1000,
    }
    return store.artifacts.add_version(tx, name=name, **(values | said))  # type: ignore[arg-type]


def used(version: int, run: int, at: int = 1, role: str = "input") -> Edge:
    return Edge(src=version, dst=run, kind=EdgeKind.USED, at=at, role=role)


def generated(run: int, version: int, at: int = 1) -> Edge:
    return Edge(src=run, dst=version, kind=EdgeKind.GENERATED, at=at, role="output")


def add_points(store: Store, tx: Tx, node: int, key: str, points: list[tuple[int, int, float]]) -> None:
    """points: step, at, value."""
    count = len(points)
    store.metrics.add_points(
        tx,
        node,
        [key],
        bytes(4 * count),
        struct.pack(f"<{count}q", *(p[0] for p in points)),
        struct.pack(f"<{count}q", *(p[1] for p in points)),
        struct.pack(f"<{count}d", *(p[2] for p in points)),
    )
