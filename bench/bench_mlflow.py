"""The MLflow door beside `mlflow server` (job runners off, one worker): the same requests by the same client programs, on SQLite
and on PostgreSQL. MLflow's server is measured where `.venv-peers` holds it; without it, limits follow from what was measured before."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench import load, servers
from bench.figures import Figure, report_parts
from bench.load import MLFLOW, batches, new_run, post, single
from bench.servers import Server
from lineal.doors.mlflow import experiments, points, runs
from lineal.service.operations import ALL_PERMISSIONS, Scope
from lineal.store.open import Store, open_store
from lineal.store.tx import Tx

RUNS = 100_000
PEER_RUNS = 300  # MLflow's server takes longer to be filled than to be asked
POINTS = 100_000
FILE = 1 << 30
# What MLflow 3.17.2 was measured to do before, on a quiet machine: used where it is not measured beside.
BEFORE = {"SQLite": {"single": 46.0}, "PostgreSQL": {"single": 67.0}}
BATCH_LIMIT = {"SQLite": 100_000.0, "PostgreSQL": 40_000.0}


# ---- one server ----------------------------------------------------------------------------------------------------------


def measure(server: Server, folder: Path) -> dict[str, float]:
    """Everything that is measured of a server alone."""
    time.sleep(2.0)  # until it has nothing left to do
    found = {"start": server.started, "idle": servers.pss_mb(server.pid)}
    run = new_run(server.port)
    # As many as no server here can answer in the time.
    found["single"], found["single p50"], found["single p99"] = load.load(
        server.port, f"{MLFLOW}/runs/log-metric", single(run, 50_000)
    )
    for keys, count in ((10, 1500), (1000, 800)):
        rate, _, _ = load.load(
            server.port, f"{MLFLOW}/runs/log-batch", batches(new_run(server.port), count, keys)
        )
        found[f"batch {keys}"] = rate * 1000
    if servers.peer_is_here():
        found["fsync"] = load.fsync_ms(folder)
        found["session"], found["client"] = load.session(server.port, folder)
    found |= histories(server)
    found["loaded"] = servers.pss_mb(server.pid)
    return found


def histories(server: Server) -> dict[str, float]:
    """A metric of 100,000 points: what it takes in the database, read whole, and sampled for a chart."""
    run = new_run(server.port)
    before = server.size()
    for body in reversed(batches(run, POINTS // 1000, 1)):
        address = f"http://127.0.0.1:{server.port}{MLFLOW}/runs/log-batch"
        urllib.request.urlopen(
            urllib.request.Request(address, body, {"Content-Type": "application/json"})
        ).close()
    post(server.port, "/runs/update", {"run_id": run, "status": "FINISHED"})
    size = (server.size() - before) / POINTS
    query = urlencode({"run_id": run, "run_ids": run, "metric_key": "m1.0"})
    return {
        "point": size,
        "history": load.asked(server.port, f"/metrics/get-history?{query}", 3),
        "chart": load.asked(server.port, f"/metrics/get-history-bulk-interval?{query}&max_results=2500", 5),
    }


def starts(folder: Path, store: str) -> float:
    """The median time until Lineal's server answers, three times on a store that is there already."""
    took = []
    for _ in range(3):
        with servers.lineal(folder, store) as server:
            took.append(server.started)
    return statistics.median(took)


def both(engine: str, folder: Path) -> list[Figure]:
    """Lineal's server and MLflow's on one engine, one after the other."""
    sqlite = engine == "SQLite"
    place: Callable[[], Any] = (lambda: contextlib.nullcontext("")) if sqlite else servers.schema
    if not sqlite and servers.postgres() is None:
        return []
    theirs: dict[str, float] = dict(BEFORE[engine])
    peer = servers.peer_is_here()
    if peer:
        with place() as store, servers.mlflow(folder / f"peer {engine}", store) as server:
            theirs = measure(server, folder)
    with place() as store:
        own = folder / f"own {engine}"
        start = starts(own, store)
        with servers.lineal(own, store) as server:
            ours = measure(server, folder)
    return told(engine, ours | {"start": start}, theirs, measured=peer)


def told(engine: str, ours: dict[str, float], theirs: dict[str, float], *, measured: bool) -> list[Figure]:
    """A row for each figure of ours with its limit, and before it MLflow's, where it was measured."""
    figures: list[Figure] = []

    def row(
        key: str, what: str, unit: str, limit: float | None = None, *, higher: bool = False, scale: float = 1
    ) -> None:
        if measured and key in theirs:
            figures.append(Figure(f"mlflow server, {engine}: {what}", theirs[key] * scale, unit))
        if key in ours:
            figures.append(Figure(f"lineal server, {engine}: {what}", ours[key] * scale, unit, limit, higher))

    row("start", "start to first healthy answer", "s", 1)
    row("idle", "memory when idle, one worker (PSS)", "MB", 90)
    row("loaded", "memory after all of this (PSS)", "MB")
    row(
        "single",
        "single `log-metric`, 8 connections, durable",
        "req/s",
        15 * theirs["single"],
        higher=True,
    )
    row("single p50", "such a request, median", "ms")
    row("single p99", "such a request, 99th percentile", "ms")
    for keys, what in ((10, "over 10 metrics"), (1000, "of different metrics")):
        row(
            f"batch {keys}",
            f"`log-batch` of 1,000 {what}, durable",
            "metrics/s",
            BATCH_LIMIT[engine],
            higher=True,
        )
    if "session" in ours:
        # 1,000 times (fsync + 0.7 ms) are as many seconds.
        wanted = max(6.5, ours["client"] + ours["fsync"] + 0.7)
        row("client", "session of MLflow's client, its own processor time", "s")
        row("session", f"session of MLflow's client (fsync {ours['fsync']:.2f} ms)", "s", wanted)
    row("history", "metric history of 100,000 points", "s", 0.35)
    row("chart", "bulk interval of it, 2,500 points for a chart", "ms", 20, scale=1e3)
    row("point", "bytes per metric point in the database, 100,000 points", "bytes", 12)
    return figures


# ---- files ---------------------------------------------------------------------------------------------------------------


def files(folder: Path) -> list[Figure]:
    """A file of 1 GB through the proxy, up and down, with the memory that it took."""
    small = load.random_file(folder / "small", FILE >> 4)
    large = load.random_file(folder / "large", FILE)
    bare = FILE / 1e6 / statistics.median(load.copied(large, folder / "copy") for _ in range(3))
    figures = [Figure("copy + fsync of 1 GB, then SHA-256 of it", bare, "MB/s")]
    limits = {"upload": bare / 2, "download": bare / 2}
    serving: list[Callable[[], contextlib.AbstractContextManager[Server]]] = [
        partial(servers.lineal, folder / "own files")
    ]
    if servers.peer_is_here():
        serving.insert(0, partial(servers.mlflow, folder / "peer files"))
    for serve in serving:
        with serve() as server:
            ours = server.name == "lineal server"
            transferred(server, small, "small")  # whatever a first file costs
            servers.forget_peak(server.pid)
            before, most = servers.pss_mb(server.pid), servers.peak_mb(server.pid)
            rates = transferred(server, large, "large")
            grown = max(servers.pss_mb(server.pid) - before, servers.peak_mb(server.pid) - most)
        for way, rate in rates.items():
            limit = limits[way] if ours else None
            figures.append(
                Figure(f"{server.name}: {way} of 1 GB through the proxy", rate, "MB/s", limit, ours)
            )
            limits[way] = max(limits[way], 3 * rate)
        figures.append(
            Figure(
                f"{server.name}: memory that 1 GB takes beyond what 64 MB took, at its peak",
                max(grown, 0.0),
                "MB",
                32 if ours else None,
            )
        )
    return figures


def transferred(server: Server, source: Path, name: str) -> dict[str, float]:
    """MB/s up and down, the better of two."""
    size = source.stat().st_size
    up = min(load.upload(server.port, source, f"{name}/{number}.bin") for number in range(2))
    down = min(load.download(server.port, size, f"{name}/{number}.bin") for number in range(2))
    return {"upload": size / 1e6 / up, "download": size / 1e6 / down}


# ---- search --------------------------------------------------------------------------------------------------------------

ASKED: dict[str, dict[str, Any]] = {
    "metric range and parameter, by metric": {
        "filter": "metrics.acc > 0.9 and params.lr = '0.01'",
        "order_by": ["metrics.acc DESC"],
    },
    "all, by metric": {"order_by": ["metrics.acc DESC"]},
    "the latest": {},
    "a tag's value": {"filter": "tags.t0 = 'v3'"},
}


def searching(folder: Path) -> list[Figure]:
    """Search among 100,000 runs of 10 parameters, 10 metrics and 5 tags; MLflow's server among a few of them."""
    figures: list[Figure] = []
    if servers.peer_is_here():
        with servers.mlflow(folder / "peer search") as server:
            fill_peer(server)
            for what, (p50, _) in searched(server, 20, least=1).items():
                figures.append(Figure(f"mlflow server, {PEER_RUNS} runs: search {what}, p50", p50, "ms"))
    own = folder / "own search"
    (own / ".lineal").mkdir(parents=True)
    store = open_store(str(own / ".lineal" / "lineal.db"))
    fill(store)
    store.close()
    with servers.lineal(own) as server:
        for what, (p50, p99) in searched(server, 300, least=50).items():
            name = f"lineal server, {RUNS:,} runs: search {what}"
            figures.append(Figure(f"{name}, p50", p50, "ms", 10))
            figures.append(Figure(f"{name}, p99", p99, "ms", 50))
    return figures


def searched(server: Server, times: int, *, least: int) -> dict[str, tuple[float, float]]:
    """Median and 99th percentile in milliseconds of every question, 50 results wanted.

    One connection, which MLflow's client keeps too; the answer is read to its end, and understood only afterwards: what a client
    spends on its JSON is the same for every server, and more than some of them spend on the answer.
    """
    found = {}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    for what, said in ASKED.items():
        body = json.dumps({"experiment_ids": [EXPERIMENT], "max_results": 50, **said})
        took = []
        for _ in range(times):
            begun = time.perf_counter()
            connection.request("POST", f"{MLFLOW}/runs/search", body, {"Content-Type": "application/json"})
            answer = connection.getresponse().read()
            took.append((time.perf_counter() - begun) * 1e3)
        count = len(json.loads(answer)["runs"])
        assert least <= count <= 50, (what, count)
        took.sort()
        found[what] = took[len(took) // 2], took[len(took) * 99 // 100]
    connection.close()
    return found


EXPERIMENT = "1"


def described(dice: random.Random) -> tuple[dict[str, str], dict[str, float], dict[str, str]]:
    """Parameters, metrics and tags of one run."""
    params = {f"p{i}": str(dice.randrange(50)) for i in range(9)}
    params["lr"] = dice.choice(["0.1", "0.01", "0.001", "0.0001"])
    metrics = {name: dice.random() for name in ("acc", *(f"m{i}" for i in range(9)))}
    return params, metrics, {f"t{i}": f"v{dice.randrange(20)}" for i in range(5)}


def fill_peer(server: Server) -> None:
    """Put runs in by requests."""
    dice = random.Random(3)
    assert post(server.port, "/experiments/create", {"name": "big"})["experiment_id"] == EXPERIMENT
    for n in range(PEER_RUNS):
        params, metrics, tags = described(dice)
        made = post(server.port, "/runs/create", {"experiment_id": EXPERIMENT, "start_time": 10**12 + n})
        batch = {
            "run_id": made["run"]["info"]["run_id"],
            "params": [{"key": k, "value": v} for k, v in params.items()],
            "tags": [{"key": k, "value": v} for k, v in tags.items()],
            "metrics": [{"key": k, "value": v, "timestamp": 10**12, "step": 0} for k, v in metrics.items()],
        }
        post(server.port, "/runs/log-batch", batch)


def fill(store: Store) -> None:
    """Put the runs in as the door does, without the requests."""
    dice = random.Random(3)
    with store.write() as tx:
        id = experiments.create(_scope(store, tx), {"name": "big"})["experiment_id"]
        assert id == EXPERIMENT
    for first in range(0, RUNS, 500):
        with store.write() as tx:
            scope = _scope(store, tx)
            for n in range(first, first + 500):
                params, metrics, tags = described(dice)
                said = [{"key": k, "value": v} for k, v in tags.items()]
                known = runs.add(
                    scope, {"experiment_id": id, "start_time": 10**12 + n, "user_id": "u", "tags": said}
                )
                runs.put_params(scope, known, params)
                points.put(scope, known, [points.Point(k, v, 10**12 + n) for k, v in metrics.items()])


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


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as folder:
        yield Path(folder)


def _in_folder(part: Callable[[Path], list[Figure]]) -> list[Figure]:
    with _folder() as folder:
        return part(folder)


def main() -> int:
    parts: dict[str, Callable[[Path], list[Figure]]] = {
        "SQLite": partial(both, "SQLite"),
        "PostgreSQL": partial(both, "PostgreSQL"),
        "files": files,
        "search": searching,
    }
    wanted = sys.argv[1:] or list(parts)
    return report_parts("The MLflow door", [(name, partial(_in_folder, parts[name])) for name in wanted])


if __name__ == "__main__":
    sys.exit(main())
