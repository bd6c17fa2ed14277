"""The store on SQLite: durable ingest beside a bare grouped insert, metric points on disk and read back, and walks among a
million edges. Both sides of a comparison write to the same disk in turn, with `synchronous=FULL`."""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import numpy as np

from bench import servers
from bench.figures import Figure, report_parts
from bench.graph import generate
from lineal.core import events as ev
from lineal.core.model import Attribute, Edge, EdgeKind
from lineal.service import ingest, operations
from lineal.store.bulk import insert
from lineal.store.conditions import Order, Term
from lineal.store.open import Store, open_store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.graph import Ints

BATCH = 1000
BATCHES = 100
POINTS = 1_000_000
EDGES = int(os.environ.get("LINEAL_EDGES", "1000000"))  # the long form: ten million
WALKS = 2000


def add_run(store: Store, number: int) -> int:
    with store.write() as tx:
        return store.runs.add_run(
            tx,
            f"{number:032x}",
            namespace="bench",
            job="train.py",
            name="",
            kind="run",
            parent=None,
            actor="bench",
            started_at=number,
            recorded_at=number,
        )


def columns(first: int, count: int) -> tuple[bytes, bytes, bytes, bytes]:
    """Points of one key as a training loop sends them: a step each, about a millisecond apart, noisy values."""
    dice = np.random.default_rng(first)
    step = np.arange(first, first + count, dtype="<i8")
    at = 1_700_000_000_000_000 + step * 1000 + dice.integers(0, 100, count)
    value = np.exp(-step / 3e5) + dice.normal(0, 0.01, count)
    return bytes(4 * count), step.tobytes(), at.astype("<i8").tobytes(), value.astype("<f8").tobytes()


def rates(ours: Callable[[int], None], bare: Callable[[int], None]) -> tuple[float, float]:
    """Rows per second of both, batch by batch in turn."""
    spent: tuple[list[float], list[float]] = ([], [])
    for number in range(BATCHES):
        for write, times in zip((ours, bare), spent, strict=True):
            start = time.perf_counter()
            write(number)
            times.append(time.perf_counter() - start)
    return BATCH / statistics.median(spent[0]), BATCH / statistics.median(spent[1])


def bare_table(path: str, table: str, index: str = "") -> apsw.Connection:
    connection = apsw.Connection(path)
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
    connection.execute(table)
    if index:
        connection.execute(index)
    return connection


def ingest_points(folder: Path) -> list[Figure]:
    store = open_store(str(folder / "points.db"))
    node = add_run(store, 1)
    batches = [columns(i * BATCH, BATCH) for i in range(BATCHES)]
    bare = bare_table(
        str(folder / "bare-points.db"),
        "CREATE TABLE point (run, key, step, at, value, PRIMARY KEY (run, key, step)) WITHOUT ROWID",
    )
    rows = [
        list(
            zip(
                [1] * BATCH,
                [1] * BATCH,
                *(np.frombuffer(c, t).tolist() for c, t in zip(b[1:], ("<i8", "<i8", "<f8"), strict=True)),
                strict=True,
            )
        )
        for b in batches
    ]

    def ours(number: int) -> None:
        with store.write() as tx:
            store.metrics.add_points(tx, node, ["loss"], *batches[number])
            close_batch(store, tx, number)

    def insert(number: int) -> None:
        with bare:
            bare.executemany("INSERT INTO point VALUES (?, ?, ?, ?, ?)", rows[number])

    return compared("metric points", *rates(ours, insert))


def close_batch(store: Store, tx: object, number: int) -> None:
    """What every batch carries besides its events: the position of its stream and its audit leaf."""
    store.audit.set_position(tx, "journal", "bench", number)  # type: ignore[arg-type]
    store.audit.add_leaf(
        tx,  # type: ignore[arg-type]
        door="journal",
        actor="bench",
        action="ingest",
        digest="",
        body=b"{}",
        at=number,
    )


def ingest_edges(folder: Path) -> list[Figure]:
    store = open_store(str(folder / "edges.db"))
    src, dst, _, _ = generate(BATCH * BATCHES * 2)
    order = np.argsort(np.maximum(src, dst), kind="stable")  # as they arise, one run after another
    pairs = list(zip(src[order].tolist(), dst[order].tolist(), strict=True))
    ends = [pairs[i * BATCH : (i + 1) * BATCH] for i in range(BATCHES)]
    bare = bare_table(
        str(folder / "bare-edges.db"),
        "CREATE TABLE edge (dst, src, type, given_src, given_dst, revision, retracted_at, recorded_at, at, evidence, via, "
        "again, batch, PRIMARY KEY (dst, src, type, given_src, given_dst, revision)) WITHOUT ROWID",
        "CREATE INDEX edge_out ON edge (src, dst, retracted_at)",
    )

    rows = [[(d, s, 1, s, d, 1, None, 5, 5, 1, 2, 0, 7) for s, d in part] for part in ends]

    def ours(number: int) -> None:
        with store.write() as tx:
            edges = [Edge(src=s, dst=d, kind=EdgeKind.USED, at=number, role="input") for s, d in ends[number]]
            store.edges.add_edges(tx, edges, recorded_at=number)
            close_batch(store, tx, number)

    def insert(number: int) -> None:
        with bare:
            bare.executemany(f"INSERT INTO edge VALUES ({', '.join('?' * 13)})", rows[number])

    return compared("edges, into a table like ours", *rates(ours, insert))


def ingest_journal(folder: Path) -> list[Figure]:
    """What the journal of one training run brings: 930 points, 40 parameters, 20 files read and 8 written."""
    store = open_store(str(folder / "journal.db"))
    bare = bare_table(
        str(folder / "bare-journal.db"),
        "CREATE TABLE point (run, key, step, at, value, PRIMARY KEY (run, key, step)) WITHOUT ROWID; "
        "CREATE TABLE param (run, key, value, number, at, PRIMARY KEY (run, key)) WITHOUT ROWID; "
        "CREATE INDEX param_value ON param (key, value, run); CREATE INDEX param_number ON param (key, number, run); "
        "CREATE TABLE version (id INTEGER PRIMARY KEY, name, digest, size, at, UNIQUE (name, digest)); "
        "CREATE INDEX version_digest ON version (digest); "
        "CREATE TABLE edge (dst, src, type, at, recorded_at, PRIMARY KEY (dst, src, type)) WITHOUT ROWID; "
        "CREATE INDEX edge_out ON edge (src, dst)",
    )
    batches = [journal_batch(number) for number in range(BATCHES)]

    def ours(number: int) -> None:
        operations.call(
            operations.find("ingest", "ingest"),
            ingest.IngestRequest(batches=[batches[number]]),
            store=store,
            blobs=None,
            caller=operations.Caller("bench", operations.ALL_PERMISSIONS),
            namespace="bench",
            now=lambda: number,
        )

    def insert(number: int) -> None:
        points = [(number, 1, i, number + i, i / 3) for i in range(930)]
        params = [(number, f"p{i}", str(number * i), number * i, number) for i in range(40)]
        versions = [
            (number * 28 + i, f"in/{i}", f"sha256:{number:032x}{i:032}", 100, number) for i in range(28)
        ]
        edges = [(number, number * 28 + i, 1, number, number) for i in range(28)]
        with bare:
            for table, rows in (("point", points), ("param", params), ("version", versions), ("edge", edges)):
                bare.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)", rows)

    return compared(
        "a run's journal through `ingest`, into four plain tables with indexes", *rates(ours, insert)
    )


def journal_batch(number: int) -> ev.Batch:
    run = f"{number:032x}"

    def version(name: str) -> ev.VersionState:
        return ev.VersionState(
            namespace="bench", name=name, digest=f"sha256:{number:032x}{name:>032}", size=100
        )

    key, step, at, value = columns(0, 930)
    events: list[ev.Event] = [
        ev.RunStarted(run=run, namespace="bench", job="train.py", at=number),
        *(ev.ParamSet(run=run, key=f"p{i}", value=str(number * i), at=number) for i in range(40)),
        *(ev.VersionUsed(run=run, version=version(f"in/{i}"), at=number) for i in range(20)),
        ev.MetricPoints(run=run, keys=["loss"], key=key, step=step, at=at, value=value),
        *(ev.VersionGenerated(run=run, version=version(f"out/{i}"), at=number) for i in range(8)),
        ev.RunEnded(run=run, at=number, state=ev.State.FINISHED),
    ]
    return ev.Batch(
        door="journal", source=run, start=0, position=BATCH, digest="sha256:0", actor="bench", events=events
    )


def ingest_parameters(folder: Path) -> list[Figure]:
    store = open_store(str(folder / "params.db"))
    nodes = [add_run(store, number) for number in range(BATCHES)]
    dice = random.Random(5)
    values = [[(f"key {i % 100}", str(dice.random())) for i in range(BATCH)] for _ in range(BATCHES)]
    bare = bare_table(
        str(folder / "bare-params.db"),
        "CREATE TABLE param (run, key, value, number, at, PRIMARY KEY (run, key, value)) WITHOUT ROWID",
        "CREATE INDEX param_value ON param (key, value, run); CREATE INDEX param_number ON param (key, number, run)",
    )

    def ours(number: int) -> None:
        given = [Attribute(key=f"{key}.{i}", value=value) for i, (key, value) in enumerate(values[number])]
        with store.write() as tx:
            store.attributes.add_params(tx, nodes[number], given, at=number)
            close_batch(store, tx, number)

    def insert(number: int) -> None:
        rows = [
            (number, f"{key}.{i}", value, float(value), 1) for i, (key, value) in enumerate(values[number])
        ]
        with bare:
            bare.executemany("INSERT INTO param VALUES (?, ?, ?, ?, ?)", rows)

    return compared("parameters, each value a new one", *rates(ours, insert))


def compared(what: str, ours: float, bare: float) -> list[Figure]:
    return [
        Figure(f"bare grouped insert, {BATCH} rows per commit: {what}", bare, "rows/s"),
        Figure(
            f"durable ingest, {BATCH} events per commit, against it: {what}",
            ours / bare,
            "x",
            0.5,
            higher=True,
        ),
    ]


def million_points(folder: Path) -> list[Figure]:
    path = folder / "million.db"
    store = open_store(str(path))
    node = add_run(store, 1)
    empty = os.path.getsize(path)
    start = time.perf_counter()
    for first in range(0, POINTS, BATCH):
        with store.write() as tx:
            store.metrics.add_points(tx, node, ["loss"], *columns(first, BATCH))
    with store.write() as tx:
        store.metrics.seal(tx, node)
    spent = time.perf_counter() - start
    store.close()
    size = (
        sum(os.path.getsize(folder / name) for name in os.listdir(folder) if name.startswith(path.name))
        - empty
    )

    whole, chart = [], []
    for _ in range(7):
        store = open_store(str(path))
        with store.read() as tx:
            start = time.perf_counter()
            points = store.metrics.get_chart(tx, node, "loss", 2000)
            chart.append(time.perf_counter() - start)
            start = time.perf_counter()
            read = store.metrics.get_points(tx, node, "loss")
            whole.append(time.perf_counter() - start)
        assert 1000 < len(points[0]) <= 2000
        assert len(read.step) == POINTS
        store.close()
    return [
        Figure("metric points written, durably, 1,000 per commit", POINTS / spent, "points/s"),
        Figure("bytes per metric point on disk, 1 M points", size / POINTS, "bytes", 10),
        Figure("1 M points read back, store just opened", statistics.median(whole), "s", 0.5),
        Figure("1 M points as a chart of 2,000", statistics.median(chart) * 1e3, "ms", 20),
    ]


def million_edges(folder: Path) -> list[Figure]:
    """Edges on SQLite."""
    path = str(folder / "graph.db")
    return edges_in(path, lambda: os.path.getsize(path), "", limits=True)


def million_edges_postgres(folder: Path) -> list[Figure]:
    """The same on PostgreSQL, without limits."""
    if servers.postgres() is None:
        return []
    with servers.schema() as url:
        return edges_in(url, lambda: servers.postgres_size(url, full=False), "PostgreSQL: ", limits=False)


def edges_in(place: str, size: Callable[[], int], name: str, *, limits: bool) -> list[Figure]:
    """A graph written, and walked from many places and from its hub."""
    src, dst, runs, vertices = generate(EDGES)
    is_run = np.zeros(vertices, bool)
    is_run[runs] = True
    store = open_store(place)
    add_vertices(store, is_run)
    empty, spent = size(), add_graph(store, src, dst, is_run)
    store.close()
    taken = (size() - empty) / len(src)
    store = open_store(place)
    up, sizes, cuts = walks(store, vertices)
    with store.read() as tx:
        start = time.perf_counter()
        _, cut = store.edges.downstream(tx, 1, depth=10_000, budget=20_000)
        hub = time.perf_counter() - start
        assert cut
    store.close()
    among = f"{name}upstream trace among {len(src):,} edges"
    return [
        Figure(f"{name}edges written, {len(src):,} in all", len(src) / spent, "edges/s"),
        Figure(f"{name}bytes per edge on disk", taken, "bytes"),
        Figure(f"{name}edges of an upstream closure, median", statistics.median(sizes), "edges"),
        Figure(f"{among}, median", up[len(up) // 2] * 1e3, "ms", 1 if limits else None),
        Figure(f"{among}, p99", up[len(up) * 99 // 100] * 1e3, "ms", 10 if limits else None),
        Figure(f"{name}of {WALKS:,} of these, cut at 20,000 vertices", cuts, "walks"),
        Figure(f"{name}downstream of the hub, cut at 20,000 vertices", hub * 1e3, "ms"),
    ]


def add_vertices(store: Store, is_run: NDArray[np.bool_]) -> None:
    for begin in range(0, len(is_run), 100_000):
        part = is_run[begin : begin + 100_000].tolist()
        rows = [(begin + i + 1, 1 if run else 2) for i, run in enumerate(part)]
        with store.write() as tx:
            insert(tx, "node", (("id", "bigint"), ("kind", "smallint")), rows)


def add_graph(store: Store, src: Ints, dst: Ints, is_run: NDArray[np.bool_]) -> float:
    """Add edges in the order in which they would have arrived; the seconds that the store took."""
    order = np.argsort(np.maximum(src, dst), kind="stable")
    src, dst = src[order], dst[order]
    spent, told = 0.0, time.monotonic()
    for first in range(0, len(src), 10_000):
        some = slice(first, first + 10_000)
        edges = [
            Edge(
                src=s + 1,
                dst=d + 1,
                kind=EdgeKind.GENERATED if is_run[s] else EdgeKind.USED,
                at=s,
                role="input",
            )
            for s, d in zip(src[some].tolist(), dst[some].tolist(), strict=True)
        ]
        start = time.perf_counter()
        with store.write() as tx:
            store.edges.add_edges(tx, edges, recorded_at=first)
        spent += time.perf_counter() - start
        if time.monotonic() - told > 20:
            told = time.monotonic()
            print(f"    {first:,} of {len(src):,} edges written", file=sys.stderr, flush=True)
    return spent


def walks(store: Store, vertices: int) -> tuple[list[float], list[int], int]:
    """Seconds of walks upstream from anywhere, sorted; how many edges each found; how many were cut."""
    dice = random.Random(9)
    up, sizes, cuts = [], [], 0
    for _ in range(WALKS):
        node = dice.randrange(vertices) + 1
        with store.read() as tx:
            start = time.perf_counter()
            found, cut = store.edges.upstream(tx, node, depth=10_000, budget=20_000)
            up.append(time.perf_counter() - start)
        sizes.append(len(found))
        cuts += cut
    return sorted(up), sizes, cuts


def searching(folder: Path, count: int = 100_000) -> list[Figure]:
    """Runs with ten parameters and two metrics each."""
    store = open_store(str(folder / "search.db"))
    dice = random.Random(13)
    start = time.perf_counter()
    for first in range(0, count, BATCH):
        with store.write() as tx:
            for number in range(first, first + BATCH):
                node = store.runs.add_run(
                    tx,
                    f"{number:032x}",
                    namespace="bench",
                    job=f"job {number % 20}",
                    name="",
                    kind="run",
                    parent=None,
                    actor="bench",
                    started_at=number,
                    recorded_at=number,
                )
                params = [Attribute(key=f"p{i}", value=str(dice.randrange(8))) for i in range(10)]
                store.attributes.add_params(tx, node, params, at=number)
                for key in ("acc", "loss"):
                    value = np.array([dice.random()], "<f8").tobytes()
                    store.metrics.add_points(tx, node, [key], bytes(4), bytes(8), bytes(8), value)
                if number % 10:
                    store.runs.set_state(tx, node, ev.State.FINISHED, at=number, recorded_at=number)
    built = time.perf_counter() - start
    questions = {
        "acc > 0.9 and p0 = 3, best first": (
            [Term("metrics.acc", ">", 0.9), Term("params.p0", "=", "3")],
            "metrics.acc",
        ),
        "three parameters equal, newest first": (
            [Term(f"params.p{i}", "=", "3") for i in range(3)],
            "started_at",
        ),
        "running, by a parameter": ([Term("state", "=", "running")], "params.p1"),
    }
    figures = [Figure(f"runs written, {count:,} with 10 parameters and 2 metrics", count / built, "runs/s")]
    for what, (terms, order) in questions.items():
        spent = []
        for _ in range(15):
            with store.read() as tx:
                start = time.perf_counter()
                assert len(store.search.search_runs(tx, terms, order=Order(order), limit=50)) == 50
                spent.append(time.perf_counter() - start)
        figures.append(
            Figure(f"search among {count:,} runs: {what}", statistics.median(spent) * 1e3, "ms", 50)
        )
    return figures


def in_folder(measure: Callable[[Path], list[Figure]]) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as name:
        return measure(Path(name))


def main() -> int:
    measures = (
        ingest_points,
        ingest_journal,
        ingest_edges,
        ingest_parameters,
        million_points,
        million_edges,
        searching,
    )
    wanted = sys.argv[1:]
    chosen = [m for m in (*measures, million_edges_postgres) if m.__name__ in wanted] if wanted else measures
    return report_parts("store", [(m.__name__, partial(in_folder, m)) for m in chosen])


if __name__ == "__main__":
    sys.exit(main())
