"""Questions to a large graph: the impact of a hub over the mapped snapshot beside a plain breadth-first search in C, and scenes of
150 cards. `LINEAL_EDGES=10000000` for the long form."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.figures import Figure, report
from bench.graph import generate
from lineal.service import operations
from lineal.service.impact import ImpactRequest
from lineal.service.scene import SceneRequest
from lineal.store.open import Store, open_store
from lineal.store.words import add_words

EDGES = int(os.environ.get("LINEAL_EDGES", "1000000"))
SCENES = 60
_AT_ONCE = 500_000


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
    for begin in range(0, vertices, _AT_ONCE):
        part = range(begin, min(vertices, begin + _AT_ONCE))
        with store.write() as tx:
            tx.many(
                "INSERT INTO node (id, kind) VALUES (?, ?)", [(i + 1, 1 if is_run[i] else 2) for i in part]
            )
            tx.many(
                "INSERT INTO run (node, run_id, job, name, kind, actor, started_at, recorded_at, state) "
                f"VALUES (?, ?, 1, {word['']}, {word['run']}, {word['']}, ?, 1, 'finished')",
                [(i + 1, f"{i:032x}", i) for i in part if is_run[i]],
            )
            tx.many(
                "INSERT INTO version (node, artifact, number, digest, kind, level, reason, size, location, recorded_at) "
                f"VALUES (?, ?, ?, ?, {word['dataset']}, 'content', '', 1, '', 1)",
                [(i + 1, i % 1000 + 1, i, f"sha256:{i:064x}") for i in part if not is_run[i]],
            )
    order = np.lexsort((src, dst))
    src, dst = src[order], dst[order]
    for begin in range(0, len(src), _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        rows = [
            (s + 1, d + 1, 2 if is_run[s] else 1, s + 1, d + 1, s, s)
            for s, d in zip(src[some].tolist(), dst[some].tolist(), strict=True)
        ]
        with store.write() as tx:
            tx.many(
                "INSERT INTO edge (src, dst, type, given_src, given_dst, revision, recorded_at, at, evidence, via, again, batch) "
                f"VALUES (?, ?, ?, ?, ?, 1, ?, ?, 1, {word['']}, 0, 0)",
                rows,
            )
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


def measure(folder: Path) -> list[Figure]:
    store = open_store(str(folder / "graph.db"))
    vertices, edges = fill(store)
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
        Figure(f"snapshot of {edges:,} edges built", built, "s"),
        Figure(
            f"impact of a hub, {count:,} descendants: count, kinds and first page",
            whole,
            "s",
            1.5 if large else 0.5,
        ),
        Figure("breadth-first search in C over the same arrays", bare * 1e3, "ms"),
        Figure("the walk over the snapshot, against it", statistics.median(alone) / bare, "x", 8),
        *scenes(store, vertices),
    ]


def scenes(store: Store, vertices: int) -> list[Figure]:
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
        Figure("cards of a scene, median", statistics.median(cards), "cards"),
        Figure("a scene of up to 150 cards, median", statistics.median(spent) * 1e3, "ms", 30),
        Figure("a scene of up to 150 cards, the slowest of 60", spent[-1] * 1e3, "ms"),
    ]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as name:
        report("lineage", measure(Path(name)))


if __name__ == "__main__":
    main()
