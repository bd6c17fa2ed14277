"""ML Metadata's calls by 8 clients, durable, and lineage in a store of 100,000 nodes; ml-metadata's own engine behind a plain gRPC
forwarder beside ours in the same run.

`python -m bench.bench_mlmd [writes|postgres|lineage]`
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc

from bench import servers
from bench.bench_openlineage import cpu_s
from bench.figures import Figure, report_parts
from lineal.core.mlmd import Kind
from lineal.core.mlmd_requests import PutSubgraph
from lineal.doors.mlmd import mlmd_pb2 as pb
from lineal.doors.mlmd import wire
from lineal.service.mlmd import Received, take_in
from lineal.service.operations import Scope
from lineal.store.open import open_store

CLIENTS = 8
SECONDS = float(os.environ.get("LINEAL_BENCH_S", "4"))
NODES = int(os.environ.get("LINEAL_NODES", "100000"))
PEER = Path(__file__).parent.parent / ".venv-mlmd" / "bin" / "python"
SERVICE = "/ml_metadata.MetadataStoreService/"
Options = pb.LineageSubgraphQueryOptions


@dataclass
class Serving:
    port: int
    pid: int


@contextlib.contextmanager
def peer(file: Path) -> Iterator[Serving]:
    """ml-metadata's engine behind the forwarder."""
    port = 19070 + os.getpid() % 1000
    command = [str(PEER), str(Path(__file__).parent / "mlmd_peer.py"), str(file), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == b"ready"
            yield Serving(port, process.pid)
        finally:
            process.terminate()


@contextlib.contextmanager
def ours(folder: Path, store: str = "") -> Iterator[Serving]:
    """Lineal's server with the door."""
    port = 20070 + os.getpid() % 1000
    with servers.lineal(folder, store, "--mlmd-port", str(port)) as server:
        yield Serving(port, server.pid)


class Client:
    """Calls with bytes made beforehand."""

    def __init__(self, port: int) -> None:
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{port}",
            options=[("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)],
        )

    def __call__(self, method: str, message: object) -> bytes:
        body = message if isinstance(message, bytes) else message.SerializeToString()  # type: ignore[attr-defined]
        found: bytes = self._channel.unary_unary(SERVICE + method)(body)
        return found


def types(client: Client) -> tuple[int, int, int]:
    put = [
        (
            "PutArtifactType",
            pb.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="Data", properties={"n": pb.INT})),
        ),
        ("PutExecutionType", pb.PutExecutionTypeRequest(execution_type=pb.ExecutionType(name="Train"))),
        ("PutContextType", pb.PutContextTypeRequest(context_type=pb.ContextType(name="Pipeline"))),
    ]
    ids = [
        getattr(pb, f"{method}Response").FromString(client(method, request)).type_id
        for method, request in put
    ]
    return ids[0], ids[1], ids[2]


# ---- writing ---------------------------------------------------------------------------------------------------------------


def artifact(type_id: int, name: str) -> pb.Artifact:
    return pb.Artifact(
        type_id=type_id,
        name=name,
        uri=f"s3://bucket/{name}",
        state=pb.Artifact.LIVE,
        properties={"n": pb.Value(int_value=7)},
        custom_properties={"split": pb.Value(string_value="train")},
    )


def request(
    what: str, ids: tuple[int, int, int], client: int, number: int
) -> tuple[str, pb.PutArtifactsRequest]:
    a, e, c = ids
    if what != "step":
        size = int(what)
        return "PutArtifacts", pb.PutArtifactsRequest(
            artifacts=[artifact(a, f"{what}-{client}-{number}-{n}") for n in range(size)]
        )
    pair = pb.PutExecutionRequest.ArtifactAndEvent
    return "PutExecution", pb.PutExecutionRequest(
        execution=pb.Execution(
            type_id=e,
            name=f"step-{client}-{number}",
            last_known_state=pb.Execution.COMPLETE,
            custom_properties={"epochs": pb.Value(int_value=number)},
        ),
        artifact_event_pairs=[
            pair(
                artifact=artifact(a, f"step-{client}-{number}-{n}"),
                event=pb.Event(type=pb.Event.INPUT if n < 2 else pb.Event.OUTPUT),
            )
            for n in range(4)
        ],
        contexts=[
            pb.Context(type_id=c, name="churn"),
            pb.Context(type_id=c, name=f"run-{client}-{number // 20}"),
        ],
        options=pb.PutExecutionRequest.Options(reuse_context_if_already_exist=True),
    )


def work(port: int, what: str, client: int, ids: tuple[int, int, int], seconds: float) -> None:
    """One client: prints how many calls were answered."""
    ask, done = Client(port), 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            ask(*request(what, ids, client, done))
        except grpc.RpcError as error:
            if (
                error.code() is not grpc.StatusCode.ABORTED
            ):  # theirs asks for another try where two made one context
                raise
            continue
        done += 1
    print(done)


def rate(serving: Serving, what: str, ids: tuple[int, int, int]) -> tuple[float, float]:
    """Calls answered per second by all clients, and the server's processor time per call (s)."""
    command = [sys.executable, "-m", "bench.bench_mlmd", "client", str(serving.port), what]
    before = cpu_s(serving.pid)
    processes = [
        subprocess.Popen([*command, str(n), str(SECONDS), *map(str, ids)], stdout=subprocess.PIPE)
        for n in range(CLIENTS)
    ]
    done = sum(int(process.communicate()[0]) for process in processes)
    return done / SECONDS, (cpu_s(serving.pid) - before) / max(done, 1)


WRITES = (
    ("1", 1, "PutArtifacts, 1 a call"),
    ("100", 100, "PutArtifacts, 100 a call"),
    ("step", 1, "PutExecution, 2 in, 2 out, 2 contexts"),
)


def writes(store: str = "") -> list[Figure]:
    figures = []
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as place:
        folder = Path(place)
        for what, size, words in WRITES:
            with peer(folder / f"{what}.db") as theirs:
                slow, slow_cpu = rate(theirs, what, types(Client(theirs.port)))
            with ours(folder / what, store) as mine:
                quick, cpu = rate(mine, what, types(Client(mine.port)))
            unit = "artifacts/s" if what != "step" else "steps/s"
            figures += [
                Figure(f"{words}: ml-metadata", slow * size, unit),
                Figure(f"{words}: Lineal", quick * size, unit),
                Figure(f"{words}: times ml-metadata's", quick / slow, "x", 5, higher=True),
                Figure(f"{words}: processor time, ml-metadata", slow_cpu / size * 1e6, "us"),
                Figure(f"{words}: processor time, Lineal", cpu / size * 1e6, "us"),
            ]
    return figures


def on_postgres() -> list[Figure]:
    if servers.postgres() is None:
        return []
    with servers.schema() as store:
        return writes(store)


# ---- lineage ---------------------------------------------------------------------------------------------------------------


def layered(nodes: int) -> Iterator[tuple[int, list[int], list[int]]]:
    """Executions of a training pipeline, 20 a layer: each reads 3 of the last 80 artifacts and writes 2. Numbers from 1."""
    chance = random.Random(7)
    made, execution = 80, 0
    while made + execution < nodes:
        begin = made
        for _ in range(20):
            execution += 1
            inputs = chance.sample(range(max(1, begin - 79), begin + 1), 3)
            made += 2
            yield execution, inputs, [made - 1, made]


def fill_theirs(file: Path, graph: list[tuple[int, list[int], list[int]]], ids: tuple[int, int, int]) -> None:
    """Rows straight into ml-metadata's own tables: through its calls it would take minutes."""
    artifacts = max(outputs[-1] for _, _, outputs in graph)
    with sqlite3.connect(file) as database:
        database.executemany(
            "INSERT INTO Artifact (id, type_id, uri, create_time_since_epoch, last_update_time_since_epoch) VALUES (?, ?, ?, 1, 1)",
            ((n, ids[0], f"a{n}") for n in range(1, artifacts + 1)),
        )
        database.executemany(
            "INSERT INTO Execution (id, type_id, create_time_since_epoch, last_update_time_since_epoch) VALUES (?, ?, 1, 1)",
            ((execution, ids[1]) for execution, _, _ in graph),
        )
        database.executemany(
            "INSERT INTO Event (artifact_id, execution_id, type, milliseconds_since_epoch) VALUES (?, ?, ?, 1)",
            (
                (artifact, execution, type)
                for execution, inputs, outputs in graph
                for some, type in ((inputs, 3), (outputs, 4))
                for artifact in some
            ),
        )


def fill_ours(place: str, graph: list[tuple[int, list[int], list[int]]], ids: tuple[int, int, int]) -> None:
    """The same through the service, 500 executions at a time."""
    store = open_store(place)
    known = 0
    for at in range(0, len(graph), 500):
        part = graph[at : at + 500]
        highest = part[-1][2][-1]
        first = known + 1
        message = pb.PutLineageSubgraphRequest(
            executions=[pb.Execution(type_id=ids[1]) for _ in part],
            artifacts=[pb.Artifact(type_id=ids[0], uri=f"a{n}") for n in range(first, highest + 1)],
        )
        for place_in_part, (_, inputs, outputs) in enumerate(part):
            for some, type in ((inputs, pb.Event.INPUT), (outputs, pb.Event.OUTPUT)):
                for artifact in some:
                    edge = message.event_edges.add(execution_index=place_in_part, event=pb.Event(type=type))
                    if artifact >= first:
                        edge.artifact_index = artifact - first
                    else:
                        edge.event.artifact_id = artifact
        put = PutSubgraph(
            executions=wire.nodes_in(Kind.EXECUTION, message.executions),
            artifacts=wire.nodes_in(Kind.ARTIFACT, message.artifacts),
            contexts=[],
            edges=[
                (
                    edge.execution_index,
                    wire.optional(edge, "artifact_index"),
                    wire.event_in(edge.event),
                )
                for edge in message.event_edges
            ],
        )
        with store.write() as tx:
            scope = Scope(tx, store, None, "bench", "bench", time.time_ns() // 1000)
            [answer] = take_in(scope, [Received("PutLineageSubgraph", b"", put)])
            assert not isinstance(answer, Exception), answer
        known = highest
    store.close()


def asked(client: Client, start: int, hops: int) -> tuple[float, int, int]:
    """Median milliseconds of an upstream walk, and how many nodes and events were answered."""
    message = pb.GetLineageSubgraphRequest(
        lineage_subgraph_query_options=Options(
            starting_artifacts=Options.StartingNodes(filter_query=f"id = {start}"),
            max_num_hops=hops,
            direction=Options.UPSTREAM,
        )
    )
    message.read_mask.paths.extend(["artifacts", "executions", "events"])
    body = message.SerializeToString()
    took = []
    for _ in range(15):
        begun = time.perf_counter()
        answer = client("GetLineageSubgraph", body)
        took.append((time.perf_counter() - begun) * 1000)
    graph = pb.GetLineageSubgraphResponse.FromString(answer).lineage_subgraph
    return statistics.median(took), len(graph.artifacts) + len(graph.executions), len(graph.events)


def lineage(store: str = "") -> list[Figure]:
    graph = list(layered(NODES))
    start = graph[-1][2][-1]
    figures = []
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as place:
        folder = Path(place)
        with peer(folder / "theirs.db") as theirs:
            fill_theirs(folder / "theirs.db", graph, types(Client(theirs.port)))
            slow = {hops: asked(Client(theirs.port), start, hops) for hops in (2, 20, 40, 100, 1000)}
        with ours(folder / "ours", store) as mine:
            ids = types(Client(mine.port))
        begun = time.monotonic()
        fill_ours(store or str(folder / "ours" / ".lineal" / "lineal.db"), graph, ids)
        figures.append(Figure("filling ours, with the graph", NODES / (time.monotonic() - begun), "nodes/s"))
        with ours(folder / "ours", store) as mine:
            quick = {hops: asked(Client(mine.port), start, hops) for hops in slow}
    for hops, (took, nodes, events) in quick.items():
        theirs_took, theirs_nodes, theirs_events = slow[hops]
        if hops <= 100 and (nodes, events) != (theirs_nodes, theirs_events):
            raise AssertionError(f"{hops} hops: {nodes}/{events} here, {theirs_nodes}/{theirs_events} there")
        figures.append(Figure(f"{hops} hops: ml-metadata ({theirs_nodes:,} nodes)", theirs_took, "ms"))
        figures.append(Figure(f"{hops} hops: Lineal ({nodes:,} nodes)", took, "ms", 3 if hops == 2 else None))
        if 20 <= hops <= 100:
            figures.append(
                Figure(f"{hops} hops: times ml-metadata's", theirs_took / took, "x", 3, higher=True)
            )
    return figures


def main() -> int:
    if sys.argv[1:2] == ["client"]:
        port, what, client, seconds, a, e, c = sys.argv[2:]
        work(int(port), what, int(client), (int(a), int(e), int(c)), float(seconds))
        return 0
    if not PEER.exists():
        print("SKIPPED PEERS: ml-metadata is not installed here (.venv-mlmd)")
        return 0
    parts: dict[str, tuple[str, Callable[[], list[Figure]]]] = {
        "writes": ("SQLite", writes),
        "postgres": ("PostgreSQL, beside ml-metadata on SQLite", on_postgres),
        "lineage": (f"lineage in {NODES:,} nodes", partial(lineage, "")),
    }
    wanted = sys.argv[1:] or list(parts)
    return report_parts("ML Metadata over gRPC, 8 clients", [parts[name] for name in wanted])


if __name__ == "__main__":
    sys.exit(main())
