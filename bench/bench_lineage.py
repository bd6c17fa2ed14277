"""Questions to a large graph, on SQLite, and on PostgreSQL where it is installed: what is upstream and downstream of ordinary vertices,
beside the bare recursive query; the impact of a hub over the mapped snapshot beside a plain breadth-first search in C; scenes of 150
cards. `LINEAL_EDGES=10000000` for the long form."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench import servers
from bench.figures import Figure, report_parts
from bench.graph import generate
from lineal.service import operations
from lineal.service.impact import ImpactRequest
from lineal.service.scene import SceneRequest
from lineal.store.bulk import insert
from lineal.store.open import Store, open_store
from lineal.store.words import add_words

EDGES = int(os.environ.get("LINEAL_EDGES", "1000000"))
SCENES = 60
WALKS = 400
ORDINARY = 1000  # vertices of an answer, at most
_AT_ONCE = 250_000
_NODE = (("id", "bigint"), ("kind", "smallint"))
_RUN = (
    *((name, "bigint") for name in ("node", "job", "name", "kind", "actor", "started_at", "recorded_at")),
    *((name, "text") for name in ("run_id", "state")),
)
_VERSION = (
    *((name, "bigint") for name in ("node", "artifact", "number", "kind", "size", "recorded_at")),
    *((name, "text") for name in ("digest", "level", "reason", "location")),
)
_EDGE = (
    *(
        (name, "bigint")
        for name in ("src", "dst", "type", "given_src", "given_dst", "recorded_at", "at", "via", "batch")
    ),
    *((name, "smallint") for name in ("revision", "evidence", "again")),
)


def fill(store: Store) -> tuple[int, Any]:
    """The generated graph with its runs and versions, written straight into the tables, for that is not what is measured."""
    src, dst, runs, vertices = generate(EDGES)
    is_run = np.zeros(vertices, bool)
    is_run[runs] = True
    with store.write() as tx:
        word = add_words(tx, ("bench", "train.py", "run", "dataset", "", "input"))
        tx.run(
            "INSERT INTO job (id, namespace, name) VALUES (1, :n, :j)", n=word["bench"], j=word["train.py"]
        )
        for kind in (1, 2):
            tx.run(
                "INSERT INTO edge_type (id, kind, role, rule) VALUES (:k, :k, :r, :e)",
                k=kind,
                r=word["input"],
                e=word[""],
            )
        for n in range(1000):
            name = add_words(tx, (f"table-{n}",))[f"table-{n}"]
            tx.run(
                "INSERT INTO artifact (id, namespace, name, kind, version_count, recorded_at) VALUES (:id, :n, :name, :k, 1, 1)",
                id=n + 1, n=word["bench"], name=name, k=word["dataset"],
            )  # fmt: skip
    empty, run, dataset = word[""], word["run"], word["dataset"]
    for begin in range(0, vertices, _AT_ONCE):
        part = range(begin, min(vertices, begin + _AT_ONCE))
        with store.write() as tx:
            insert(tx, "node", _NODE, [(i + 1, 1 if is_run[i] else 2) for i in part])
            runs_of = [
                (i + 1, 1, empty, run, empty, i, 1, f"{i:032x}", "finished") for i in part if is_run[i]
            ]
            insert(tx, "run", _RUN, runs_of)
            versions = [
                (i + 1, i % 1000 + 1, i, dataset, 1, 1, f"sha256:{i:064x}", "content", "", "")
                for i in part
                if not is_run[i]
            ]
            insert(tx, "version", _VERSION, versions)
    order = np.lexsort((src, dst))
    src, dst = src[order], dst[order]
    for begin in range(0, len(src), _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        rows = [
            (s + 1, d + 1, 2 if is_run[s] else 1, s + 1, d + 1, s, s, empty, 0, 1, 1, 0)
            for s, d in zip(src[some].tolist(), dst[some].tolist(), strict=True)
        ]
        with store.write() as tx:
            insert(tx, "edge", _EDGE, rows)
    return vertices, len(src)


def ask(store: Store, name: str, module: str, request: Any) -> Any:
    return operations.call(
        operations.find(name, module), request, store=store, blobs=None,
        caller=operations.Caller("bench", operations.ALL_PERMISSIONS), namespace="bench", now=lambda: 1,
    )  # fmt: skip


def plain(folder: Path, starts: Any, far: Any, start: int) -> tuple[float, int]:
    """Seconds and count of a breadth-first search in C; the median of five."""
    library = folder / "bfs.so"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return float("nan"), 0
    subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(Path(__file__).parent / "bfs.c")],
        check=True,
    )
    reach = ctypes.CDLL(str(library)).reach
    reach.restype = ctypes.c_int64
    starts, far = np.ascontiguousarray(starts, np.int32), np.ascontiguousarray(far, np.int32)
    spent, count = [], 0
    for _ in range(5):
        seen, queue = np.zeros(len(starts), np.uint8), np.empty(len(starts), np.int32)
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (starts, far, seen, queue)]
        begun = time.perf_counter()
        count = reach(ctypes.c_int64(start), *pointers)
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent), count


def walks(name: str, store: Store, vertices: int) -> list[Figure]:
    """What is upstream and downstream of ordinary vertices, and the bare query that only walks, in turns."""
    dice = random.Random(5)
    spent: list[float] = []
    bare: list[float] = []
    reached: list[int] = []
    with store.read() as tx:
        for _ in range(WALKS):
            node, up = dice.randrange(vertices) + 1, dice.random() < 0.5
            ahead, behind = ("src", "dst") if up else ("dst", "src")
            walk = store.edges.upstream if up else store.edges.downstream
            begun = time.perf_counter()
            plain = tx.rows(
                "WITH RECURSIVE walk (node) AS (SELECT CAST(:node AS bigint) UNION "
                f"SELECT e.{ahead} FROM walk JOIN edge e ON e.{behind} = walk.node AND e.retracted_at IS NULL) "
                "SELECT node FROM walk LIMIT :most",
                node=node,
                most=ORDINARY + 1,
            )
            between = time.perf_counter()
            edges, _ = walk(tx, node, depth=10_000, budget=ORDINARY + 1)
            ended = time.perf_counter()
            ends = {node, *(edge.src if up else edge.dst for edge in edges)}
            if len(plain) <= ORDINARY:
                assert ends == {id for (id,) in plain}
                bare.append(between - begun)
                spent.append(ended - between)
                reached.append(len(plain))
    spent.sort()
    median, farthest = statistics.median(spent), spent[len(spent) * 99 // 100]
    sqlite = name == "SQLite"
    return [
        Figure(
            f"{name}: vertices upstream or downstream of an ordinary one, mean",
            statistics.mean(reached),
            "vertices",
        ),
        Figure(f"{name}: their edges, median", median * 1e3, "ms", 1 if sqlite else None),
        Figure(f"{name}: their edges, 99th percentile", farthest * 1e3, "ms", 10 if sqlite else None),
        Figure(f"{name}: the bare recursive query, median", statistics.median(bare) * 1e3, "ms"),
        Figure(
            f"{name}: median against the bare query's",
            median / statistics.median(bare),
            "x",
            None if sqlite else 1.5,
        ),
        Figure(f"{name}: all together, against the bare query", sum(spent) / sum(bare), "x"),
    ]


def measure(name: str, folder: Path, url: str = "") -> list[Figure]:
    store = open_store(url or str(folder / "graph.db"))
    try:
        return measured(name, store, folder)
    finally:
        store.close()


def measured(name: str, store: Store, folder: Path) -> list[Figure]:
    vertices, edges = fill(store)
    if name != "SQLite":
        with store.write() as tx:
            tx.run("ANALYZE")
        return [*walks(name, store, vertices), *scenes(name, store, vertices)]
    large = edges > 5_000_000
    begun = time.perf_counter()
    with store.read() as tx:
        store.snapshots.build(tx)
    built = time.perf_counter() - begun
    snapshot = store.snapshots.mapped()
    assert snapshot is not None
    hub = ImpactRequest(ref="table-0@0", limit=100)
    spent, reply = [], None
    for _ in range(5):
        begun = time.perf_counter()
        reply = ask(store, "impact", "impact", hub)
        spent.append(time.perf_counter() - begun)
    assert reply is not None
    whole = statistics.median(spent)
    alone = []
    for _ in range(5):
        begun = time.perf_counter()
        count, _, _ = snapshot.reach(1, up=False)
        alone.append(time.perf_counter() - begun)
    bare, there = plain(folder, *snapshot.behind, 1)
    assert there in (0, count)
    assert reply.total == count
    return [
        *walks(name, store, vertices),
        Figure(f"snapshot of {edges:,} edges built", built, "s"),
        Figure(
            f"impact of a hub, {count:,} descendants: count, kinds and first page",
            whole,
            "s",
            1.5 if large else 0.5,
        ),
        Figure("breadth-first search in C over the same arrays", bare * 1e3, "ms"),
        Figure("the walk over the snapshot, against it", statistics.median(alone) / bare, "x", 8),
        *scenes(name, store, vertices),
    ]


def scenes(name: str, store: Store, vertices: int) -> list[Figure]:
    dice = random.Random(9)
    spent, cards = [], []
    for _ in range(SCENES):
        node = dice.randrange(vertices) + 1
        with store.read() as tx:
            run = store.runs.get_runs(tx, [node]).get(node)
            version = None if run else store.artifacts.get_versions(tx, [node])[node]
        ref = f"run:{run.run_id}" if run else f"{version.name}@{version.number}" if version else ""
        begun = time.perf_counter()
        reply = ask(
            store,
            "scene",
            "scene",
            SceneRequest(ref=f"sha256:{version.digest[7:]}" if version and version.digest else ref),
        )
        spent.append(time.perf_counter() - begun)
        cards.append(len(reply.nodes))
    spent.sort()
    return [
        Figure(f"{name}: cards of a scene, median", statistics.median(cards), "cards"),
        Figure(f"{name}: a scene of up to 150 cards, median", statistics.median(spent) * 1e3, "ms", 30),
        Figure(f"{name}: a scene of up to 150 cards, the slowest of 60", spent[-1] * 1e3, "ms"),
    ]


def on_postgres(folder: Path) -> list[Figure]:
    if servers.postgres() is None:
        return []
    with servers.schema() as store:
        return measure("PostgreSQL", folder, store)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as name:
        parts: list[tuple[str, Callable[[], list[Figure]]]] = [
            ("SQLite", partial(measure, "SQLite", Path(name))),
            ("PostgreSQL", partial(on_postgres, Path(name))),
        ]
        return report_parts("lineage", parts)


if __name__ == "__main__":
    sys.exit(main())
