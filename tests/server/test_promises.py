"""What failed at other trackers in public, as promises of Lineal, numbered as they were collected.

Where a promise is kept by a part that has tests of its own, the short form here goes through a whole server and the longer one is
named. Not here, because the product has no such operation yet: collecting bytes that nothing needs any more (case 9; what there is
of it, that a missing object stops nobody and is named, is tested), making a backup by itself before a migration (case 8), and
promoting as one operation with a gate (case 18; moving an alias is one transaction with its reason and actor). Times and figures at
a million runs (case 17) are benchmarks, in bench/.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineal.core.errors import Conflict
from lineal.store.migrations import MIGRATIONS
from lineal.store.open import connect, open_store
from lineal.store.schema import get_version, migrate
from tests.doors.mlflow.asking import Asking, fresh
from tests.doors.mlflow.serving_doors import door as door
from tests.e2e.cli import LINEAL, document, environment, lineal
from tests.server.making import API
from tests.server.serving import Serving

SOAK = bool(os.environ.get("LINEAL_SOAK"))
MLFLOW = "/api/2.0/mlflow"
# A client of few words: logs from its own process and says how often it was refused. Standard library only, to begin at once.
CLIENT = """
import http.client, json, sys
port, count, run = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
wire = http.client.HTTPConnection("127.0.0.1", port, timeout=100)
def post(path, document):
    wire.request("POST", "/api/2.0/mlflow" + path, json.dumps(document), {"Content-Type": "application/json"})
    answer = wire.getresponse()
    body = answer.read()
    assert answer.status == 200, (answer.status, body)
    return json.loads(body)
run = run or post("/runs/create", {"experiment_id": "0", "start_time": 1})["run"]["info"]["run_id"]
for step in range(count):
    post("/runs/log-metric", {"run_id": run, "key": "loss", "value": step, "timestamp": step, "step": step})
    post("/runs/log-batch", {"run_id": run, "params": [{"key": "p%d" % step, "value": "same"}], "tags": [{"key": "t", "value": str(step)}]})
print(run)
"""


def clients(port: int, count: int, steps: int, run: str = "") -> list[str]:
    """Runs of that many processes at once; each must have been answered with 200 always."""
    command = [sys.executable, "-S", "-c", CLIENT, str(port), str(steps), run]
    working = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    said = [process.communicate(timeout=100) for process in working]
    assert [error for _, error in said if error] == []
    return [out.strip() for out, _ in said]


def points(door: Asking, run: str, key: str = "loss") -> list[Any]:
    return door.get("/metrics/get-history", run_id=run, metric_key=key)["metrics"]  # type: ignore[no-any-return]


def until(found: Callable[[], Any], seconds: float = 30) -> Any:
    """What is there once it is; fails when it does not come."""
    deadline = time.monotonic() + seconds
    while not (there := found()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return there


@pytest.fixture
def own(project: Path) -> Iterator[Asking]:
    """A server of its own, on SQLite."""
    server = Serving(project).start()
    yield Asking(server)
    server.close()


# ---- 1 to 3: many at once ------------------------------------------------------------------------------------------------


def test_01_thirty_two_processes_write_one_sqlite_store_without_an_error_or_a_loss(own: Asking) -> None:
    """tensorflow/tfx#199, iterative/dvc#8176, gradio-app/trackio#448. Without a server: tests/deliver/test_ends.py."""
    runs = clients(own.serving.port, 32, 5)
    assert len(set(runs)) == 32
    assert [len(points(own, run)) for run in runs] == [5] * 32
    assert own.serving.get(f"{API}/fsck").json["problems"] == []


@pytest.mark.parametrize("place", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_02_sixty_four_writers_of_one_run_on_postgresql_see_no_deadlock(project: Path, place: str) -> None:
    """mlflow/mlflow#4353, kubeflow/pipelines#5467."""
    server = Serving(project, "--workers", "2", store=place).start()
    door = Asking(server)
    try:
        run = door.run()["run_id"]
        assert set(clients(server.port, 64, 3, run)) == {run}
        assert len(points(door, run)) == 3, "the same point of 64 writers is one point"
        params = door.get("/runs/get", run_id=run)["run"]["data"]["params"]
        assert sorted(param["key"] for param in params) == ["p0", "p1", "p2"]
        assert server.get(f"{API}/fsck").json["problems"] == []
    finally:
        server.close()


@pytest.mark.parametrize("place", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_03_five_hundred_clients_share_ten_connections_and_none_is_refused(project: Path, place: str) -> None:
    """mlflow/mlflow#1565, #3203, #4489."""
    import psycopg

    server = Serving(project, store=place).start()
    asked = json.dumps({"experiment_ids": ["0"]}).encode()
    head = f"POST {MLFLOW}/runs/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    try:
        with contextlib.ExitStack() as stack, psycopg.connect(place, autocommit=True) as other:
            wires = [
                stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(500)
            ]
            for wire in wires:
                wire.settimeout(60)
                wire.sendall(f"{head}Content-Length: {len(asked)}\r\n\r\n".encode() + asked)
            used = other.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ).fetchone()
            lines = []
            for wire in wires:
                with wire.makefile("rb") as answer:
                    lines.append(answer.readline())
        assert {line.split(b" ")[1] for line in lines} == {b"200"}
        assert used is not None
        assert used[0] <= 10
    finally:
        server.close()


# ---- 4: a server that is away --------------------------------------------------------------------------------------------

TRAINS = """
import lineal, sys, time
with lineal.run("train") as run:
    for step in range(200):
        run.log(step=step, loss=float(step))
open("trained", "w").write("x")
"""


class Faulty(http.server.BaseHTTPRequestHandler):
    """Answers every request with a 500."""

    def do_POST(self) -> None:
        self.send_error(500)

    do_GET = do_PUT = do_HEAD = do_POST  # noqa: N815 - the names the library calls

    def log_message(self, *words: Any) -> None:
        pass


@contextlib.contextmanager
def faulty(kind: str, port: int) -> Iterator[None]:
    """A server that is down, hangs, answers 500, or sends a byte now and then, at a port."""
    if kind == "down":
        yield
        return
    if kind == "500":
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Faulty)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        server.server_close()
        thread.join()
        return
    stop, taken = threading.Event(), []

    def hold() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                taken.append(listening.accept()[0])
                if kind == "slow":
                    threading.Thread(target=drip, args=(taken[-1],), daemon=True).start()

    def drip(wire: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 100_000:
                wire.sendall(bytes([byte]))
                if stop.wait(0.2):
                    return

    with socket.create_server(("127.0.0.1", port), reuse_port=False) as listening:
        listening.settimeout(0.1)
        thread = threading.Thread(target=hold)
        thread.start()
        yield
        stop.set()
        thread.join()
    for wire in taken:
        wire.close()


@pytest.mark.parametrize("kind", ["down", "hung", "500", "slow"])
def test_04_training_neither_waits_for_nor_fails_with_the_server_and_all_of_it_arrives_later(
    project: Path, kind: str
) -> None:
    """mlflow/mlflow#2776, #1760. The program ends while the server is still faulty; the cost of a step is in bench/bench_sdk.py."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (project / "train.py").write_text(TRAINS)
    more = environment(LINEAL_URL=f"http://127.0.0.1:{port}")
    with faulty(kind, port):
        program = subprocess.Popen([sys.executable, "train.py"], cwd=project, env=more)
        until((project / "trained").exists)
        assert program.wait(60) == 0
        assert list((project / ".lineal" / "journal").glob("*.lj"))
    server = Serving(project).start(port)
    try:
        assert lineal(project, "--server", server.url, "sync").returncode == 0
        runs = until(
            lambda: [run for run in server.get(f"{API}/runs").json["runs"] if run["state"] == "finished"]
        )
        assert len(runs) == 1
        kept = server.get(f"{API}/metrics?run=run:{runs[0]['run_id']}&key=loss").json
        assert kept["value"] == [float(step) for step in range(200)]
    finally:
        server.close()


# ---- 5 and 6: killed programs --------------------------------------------------------------------------------------------


def test_05_a_client_that_vanished_is_lost_within_two_leases_and_runs_again_when_it_returns(
    project: Path, place: str
) -> None:
    """NovaSky-AI/SkyRL#1516, Netflix/metaflow#1112, aimhubio/aim#2436."""
    server = Serving(project, "--lost-after", "0.4", store=place).start()
    door = Asking(server)

    def state(run: str) -> str:
        return {r["run_id"]: str(r["state"]) for r in server.get(f"{API}/runs").json["runs"]}[run]

    try:
        run, ended = door.run()["run_id"], door.run()["run_id"]
        door.post("/runs/log-metric", run_id=run, key="loss", value=1, timestamp=1, step=0)
        door.post("/runs/update", run_id=ended, status="FINISHED", end_time=5)
        until(lambda: state(run) == "lost")
        assert door.get("/runs/get", run_id=run)["run"]["info"]["status"] == "FAILED"
        assert state(ended) == "finished"
        door.post("/runs/log-metric", run_id=run, key="loss", value=2, timestamp=2, step=1)
        until(lambda: server.log.count("run returned") == 1)
        until(lambda: state(run) == "lost")
        server.stop()
        server.start()
        door.post("/runs/set-tag", run_id=run, key="back", value="again")  # another server knows it too
        until(lambda: server.log.count("run returned") == 2)
        door.post("/runs/update", run_id=run, status="FINISHED", end_time=9)
        assert state(run) == "finished"
        assert len(points(door, run)) == 2
    finally:
        server.close()


def test_05_a_program_ended_by_a_signal_is_killed_and_one_that_vanished_is_lost(own: Asking) -> None:
    project = own.serving.folder
    (project / "wait.py").write_text(
        "import lineal, os, time\nrun = lineal.run('inner')\nrun.__enter__()\n"
        "open('new', 'w').write(str(os.getpid()))\nos.rename('new', 'pid')\ntime.sleep(60)\n"
    )
    states = {}
    for number in (signal.SIGTERM, signal.SIGKILL):
        wrapper = subprocess.Popen([LINEAL, "run", sys.executable, "wait.py"], cwd=project, env=environment())
        until((project / "pid").exists)
        pid = int((project / "pid").read_text())
        (project / "pid").unlink()
        if number == signal.SIGKILL:
            wrapper.kill()
        os.kill(pid, number)
        wrapper.wait(30)

        def ended() -> list[tuple[str, str]]:
            lineal(project, "sync")
            found = [(str(r["job"]), str(r["state"])) for r in own.serving.get(f"{API}/runs").json["runs"]][
                :2
            ]
            return [] if any(state == "running" for _, state in found) or len(found) < 2 else found

        states[number] = dict(until(ended))
    assert states == {
        signal.SIGTERM: {"wait.py": "killed", "inner": "lost"},
        signal.SIGKILL: {"wait.py": "lost", "inner": "lost"},
    }


def test_06_programs_killed_while_the_page_is_open_leave_the_store_whole(own: Asking) -> None:
    """aimhubio/aim#2869, #2950, #2573."""
    project, server = own.serving.folder, own.serving
    (project / "loop.py").write_text(
        "import lineal\nwith lineal.run('loop') as run:\n"
        "    for step in range(10**9):\n        run.log(step=step, loss=float(step))\n"
        "        if step == 50: open(f'going-{run.id}', 'w').write('x')\n"
    )
    chance = random.Random(6)
    killed = 0
    while killed < (200 if SOAK else 6):
        programs = [
            subprocess.Popen(
                [sys.executable, "loop.py"], cwd=project, env=environment(), start_new_session=True
            )
            for _ in range(3)
        ]
        until(lambda wanted=killed + 3: len(list(project.glob("going-*"))) >= wanted)
        for program in programs:
            assert server.get("/", Accept="text/html").status == 200
            assert server.get(f"{API}/runs").status == 200
            time.sleep(chance.random() / 20)
            program.kill()
            program.wait(10)
            killed += 1
    lineal(project, "sync")
    assert server.get(f"{API}/fsck").json["problems"] == []
    assert server.stop() == 0
    assert document(project, "fsck")["problems"] == []
    assert len(document(project, "runs", "--limit", "1000")) == killed


# ---- 7 to 9: disks, schemas, missing bytes -------------------------------------------------------------------------------


def test_07_a_full_disk_is_told_at_each_write_and_nothing_acknowledged_is_lost(own: Asking) -> None:
    """iterative/dvc#4326. A limit of the size of files stands for the full disk; it moves forward page by page."""
    server = own.serving
    assert server.process is not None
    run = own.run()["run_id"]
    files = list((server.folder / ".lineal").glob("lineal.db*"))
    size = max(file.stat().st_size for file in files)
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    acknowledged, refused = [], []
    for step in range(60):
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size + step // 2 * 4096, hard))
        point = {"run_id": run, "key": "loss", "value": step, "timestamp": step, "step": step}
        answer = own.answer("POST", "/runs/log-metric", point)
        if answer.status == 200:
            acknowledged.append(step)
        else:
            assert answer.status == 503, answer
            assert "retry-after" in answer.headers
            assert answer.json["message"]
            refused.append(step)
    assert refused
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, hard))
    at = own.get("/runs/get", run_id=run)["run"]["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    target = f"/api/2.0/mlflow-artifacts/artifacts/{at}/half"
    full = server.ask("PUT", target, b"x" * 3_000_000)
    assert (full.status, "retry-after" in full.headers) == (503, True)
    assert server.get(f"{API}/runs").status == 200, "reading goes on"
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    assert server.get(target).status == 404
    assert server.ask("PUT", target, b"x" * 3_000_000).status == 200
    own.post("/runs/log-metric", run_id=run, key="loss", value=99, timestamp=99, step=99)
    assert [point["step"] for point in points(own, run)] == [*acknowledged, 99]
    assert server.get(f"{API}/fsck").json["problems"] == []


def test_08_a_migration_that_breaks_at_any_statement_can_be_run_again(tmp_path: Path) -> None:
    """mlflow/mlflow#6166, #12627, #19943. Killed processes and two at once: tests/store/test_migrations.py."""
    for number, step in enumerate(MIGRATIONS):
        path = str(tmp_path / f"step-{number}.db")
        engine = connect(path)
        migrate(engine, MIGRATIONS[:number])
        for place in range(0, len(step) + 1, 1 if SOAK else 5):
            broken = (*step[:place], "INSERT INTO nowhere VALUES (1)", *step[place:])
            with pytest.raises(Exception, match="nowhere"):
                migrate(engine, [*MIGRATIONS[:number], broken])
            with engine.read() as tx:
                assert get_version(tx) == number
        assert migrate(engine) == len(MIGRATIONS) - number
        engine.close()
        open_store(path).close()


def test_08_two_servers_that_start_at_once_are_one_server_and_one_clear_refusal(project: Path) -> None:
    """marquezproject/marquez#2461, kubeflow/metadata#228. On PostgreSQL both serve: tests/server/test_life.py."""
    command = [LINEAL, "server", "--port", "0"]
    both = [
        subprocess.Popen(command, cwd=project, env=environment(), stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        assert until(lambda: [process for process in both if process.poll() is not None], 60)
        (refused,) = [process for process in both if process.poll() is not None]
        (serving,) = [process for process in both if process.poll() is None]
        assert refused.returncode in (1, 4)
        _, said = refused.communicate(timeout=10)
        assert "runs already at http://127.0.0.1:" in said or "another process" in said
        url = json.loads((project / ".lineal" / "server.json").read_text())["url"]
        assert until(lambda: answers(url), 60)
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(30) == 0
    finally:
        for process in both:
            process.kill()
            process.communicate()


def answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5) as reply:
        return bool(reply.status == 200)
    return False


def test_08_an_older_client_refuses_a_newer_store_in_plain_words(project: Path, place: str) -> None:
    """mlflow/mlflow#16517."""
    document(project, "runs")
    url = place or str(project / ".lineal" / "lineal.db")
    store = open_store(url)
    with store.write() as tx:
        tx.run("INSERT INTO lineal_schema (version) VALUES (:v)", v=len(MIGRATIONS) + 1)
    store.close()
    with pytest.raises(Conflict, match="this store has schema"):
        open_store(url)
    for words in (["runs"], ["server", "--port", "0"], ["server", "check"]):
        done = lineal(project, *words, **({"LINEAL_STORE": place} if place else {}))
        assert done.returncode == 1
        said = " ".join((done.stdout + done.stderr).split())
        assert (
            f"this store has schema {len(MIGRATIONS) + 1}, this lineal knows up to {len(MIGRATIONS)}" in said
        )
        assert "pip install -U lineal" in said


def test_09_one_missing_object_is_named_and_stops_nobody(own: Asking) -> None:
    """mlflow/mlflow#19467, #3595."""
    run = own.run()
    for name in ("gone", "here"):
        own.put(run["artifact_uri"], name, name.encode() * 50)
    (lost,) = [
        p
        for p in (own.serving.folder / ".lineal" / "blobs" / "sha256").rglob("*")
        if p.is_file() and p.read_bytes() == b"gone" * 50
    ]
    lost.unlink()
    named = own.serving.get(f"{API}/fsck?bytes=true").json["problems"]
    assert any(f"{lost.parent.name}{lost.name}" in problem for problem in named), named
    assert own.fetch(run["artifact_uri"], "gone").status == 404
    assert own.fetch(run["artifact_uri"], "here").body == b"here" * 50
    assert own.serving.get(f"{API}/runs").status == 200
    own.put(run["artifact_uri"], "gone", b"gone" * 50)
    assert own.fetch(run["artifact_uri"], "gone").body == b"gone" * 50


# ---- 10 to 19: on both engines -------------------------------------------------------------------------------------------


def test_10_deleting_behind_a_promoted_model_is_a_409_with_the_list_and_force_leaves_a_tombstone(
    door: Asking,
) -> None:
    run = door.run()["run_id"]
    model = door.ready_model(name=fresh("needed"), source_run_id=run)
    name = door.registered(model)
    door.post("/registered-models/alias", name=name, alias="champion", version="1")
    status, code, message = door.refused("POST", "/runs/delete", {"run_id": run})
    assert (status, code) == (409, "RESOURCE_CONFLICT")
    assert f"{name}@1" in message
    native = door.serving.post(f"{API}/delete", {"ref": f"run:{run}"})
    assert (native.status, native.code) == (409, "conflict")
    assert name in native.body.decode()
    assert (
        door.serving.post(f"{API}/delete", {"ref": f"run:{run}", "force": True, "reason": "law"}).status
        == 200
    )
    assert door.get("/runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "deleted"
    traced = door.serving.get(f"{API}/trace?ref={name}@champion").body.decode()
    assert run in traced, "its place in the lineage stays"


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity"])
def test_11_a_bare_token_for_no_number_is_kept_exactly(door: Asking, token: str) -> None:
    run = door.run()["run_id"]
    told = f'{{"run_id":"{run}","key":"loss","value":{token},"timestamp":1,"step":1}}'.encode()
    answer = door.serving.ask("POST", f"{MLFLOW}/runs/log-metric", told, Content_Type="application/json")
    assert answer.status == 200
    assert [point["value"] for point in points(door, run)] == [token]
    latest = door.get("/runs/get", run_id=run)["run"]["data"]["metrics"]
    assert [metric["value"] for metric in latest] == [token]


def test_12_a_retried_creation_is_one_run_with_a_key_and_two_without(door: Asking) -> None:
    """A run whose creator was gone before the answer is unclaimed: tests/doors/mlflow/test_tracking.py."""
    experiment = door.experiment()
    said = {"experiment_id": experiment, "start_time": 1}
    key = fresh("key")
    made: list[str] = []

    def create(headers: dict[str, str]) -> None:
        made.append(door.answer("POST", "/runs/create", said, **headers).json["run"]["info"]["run_id"])

    for headers, count in (({"Idempotency_Key": key}, 1), ({}, 32)):
        made.clear()
        threads = [threading.Thread(target=create, args=(headers,)) for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(made), len(set(made))) == (32, count)


def test_13_a_point_delivered_three_times_is_one_and_another_value_there_is_a_second(door: Asking) -> None:
    run = door.run()["run_id"]
    point = {"run_id": run, "key": "loss", "value": 0.5, "timestamp": 7, "step": 3}
    for _ in range(3):
        door.post("/runs/log-metric", **point)
    door.post(
        "/runs/log-batch",
        run_id=run,
        metrics=[{k: point[k] for k in ("key", "value", "timestamp", "step")}] * 2,
    )
    door.post("/runs/log-metric", **{**point, "value": 0.25})
    assert sorted(p["value"] for p in points(door, run)) == [0.25, 0.5]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (1_700_000_000, 1_700_000_100),  # seconds taken for milliseconds
        (253_402_300_799_000, 253_402_300_799_999),  # the end of year 9999
        (1_700_000_000_000, 1_600_000_000_000),  # an end before the start
        (0, 0),
        (1_700_000_000_000, 1_700_000_000_000),
    ],
)
def test_14_odd_times_are_kept_as_given(door: Asking, start: int, end: int) -> None:
    """mlflow/mlflow#1002, #1798, #10978, #11982."""
    run = door.post("/runs/create", experiment_id="0", start_time=start)["run"]["info"]["run_id"]
    door.post("/runs/update", run_id=run, status="FINISHED", end_time=end)
    door.post("/runs/log-metric", run_id=run, key="loss", value=1, timestamp=end, step=-5)
    info = door.get("/runs/get", run_id=run)["run"]["info"]
    assert (info["start_time"], info.get("end_time", 0), info["status"]) == (start, end, "FINISHED")
    assert [(point["timestamp"], point["step"]) for point in points(door, run)] == [(end, -5)]
    door.post("/runs/update", run_id=run, status="RUNNING")
    assert door.get("/runs/get", run_id=run)["run"]["info"]["status"] == "RUNNING"
    assert door.serving.get(f"{API}/show?ref=run:{run}").status == 200
    assert run in {found["run_id"] for found in door.serving.get(f"{API}/runs?limit=1000").json["runs"]}


def test_15_a_parameter_has_one_value_and_saying_it_again_is_no_mistake(door: Asking) -> None:
    run = door.run()["run_id"]
    for _ in range(2):
        door.post("/runs/log-parameter", run_id=run, key="lr", value="0.1")
    assert door.refused("POST", "/runs/log-parameter", {"run_id": run, "key": "lr", "value": "0.2"})[:2] == (
        400,
        "INVALID_PARAMETER_VALUE",
    )
    assert door.get("/runs/get", run_id=run)["run"]["data"]["params"] == [{"key": "lr", "value": "0.1"}]


def test_16_thousands_of_metrics_of_one_step_arrive(project: Path) -> None:
    """mlflow/mlflow#20715. MLflow's own client splits them: tests/doors/mlflow/client_tracking.py."""
    (project / "many.py").write_text(
        "import lineal\nwith lineal.run('many') as run:\n    run.log(step=1, **{f'm{n}': n for n in range(3000)})\n"
    )
    server = Serving(project).start()
    try:
        assert subprocess.run([sys.executable, "many.py"], cwd=project, env=environment()).returncode == 0
        runs = until(lambda: [r for r in server.get(f"{API}/runs").json["runs"] if r["state"] == "finished"])
        assert server.get(f"{API}/metrics?run=run:{runs[0]['run_id']}&key=m2999").json["value"] == [2999.0]
        door = Asking(server)
        assert len(door.get("/runs/get", run_id=runs[0]["run_id"])["run"]["data"]["metrics"]) == 3000
    finally:
        server.close()


def test_17_pages_of_a_growing_list_hold_each_run_once(door: Asking) -> None:
    """MarquezProject/marquez#2686. Times at 100,000 runs and more: bench/."""
    experiment = door.experiment()
    first = {door.run(experiment)["run_id"] for _ in range(60)}
    seen: list[str] = []
    token = ""
    while True:
        asked = {"experiment_ids": [experiment], "max_results": 7, "order_by": ["attributes.start_time ASC"]}
        page = door.post("/runs/search", **asked, **({"page_token": token} if token else {}))
        seen += [run["info"]["run_id"] for run in page.get("runs", [])]
        token = page.get("next_page_token", "")
        if not token:
            break
        if len(seen) < 60:
            door.run(experiment)
    assert len(seen) == len(set(seen))
    assert first <= set(seen)


def test_18_what_was_in_production_at_a_time_is_known_with_who_and_why(door: Asking) -> None:
    """mlflow/mlflow#2169, #3016."""
    name = door.registered(door.ready_model(name=fresh("prod"), content=b"one"))
    door.registered(door.ready_model(name=fresh("prod"), content=b"two"), name)
    times = []
    for version in ("1", "2"):
        said = {"name": name, "alias": "prod", "version": version, "reason": f"because {version}"}
        assert door.serving.post(f"{API}/alias", said, Lineal_Actor="ana").status == 200
        times.append(time.time_ns() // 1000)
    roots = [door.serving.get(f"{API}/trace?ref={name}@prod&as_of={at}").json for at in times]
    assert f"{name}@1" in json.dumps(roots[0])
    assert f"{name}@2" in json.dumps(roots[1])
    history = door.serving.get(f"{API}/aliases?name={name}&history=true").json["aliases"]
    assert {(move["reason"], move["actor"]) for move in history} == {
        ("because 1", "ana"),
        ("because 2", "ana"),
    }
    lost = door.serving.post(f"{API}/alias", {"name": name, "alias": "prod", "version": "1", "expect": 1})
    assert (lost.status, lost.code) == (409, "conflict")


def test_19_odd_requests_to_every_route_are_refusals_and_never_failures(door: Asking) -> None:
    """With invented values: tests/server/test_fuzz.py, tests/server/test_openapi.py, tests/doors/mlflow/test_fuzz.py."""
    from lineal.server.app import create_app, every_route
    from lineal.server.config import Config

    app = create_app(Config(store=":memory:", blobs="memory:", namespace="n"))
    wire = door.serving.connection()
    for route in every_route(app.routes):
        if route.path.endswith("/live"):
            continue  # a stream, which ends with whoever listens; tests/server/test_live.py
        path = re.sub(r"\{\w+(:path)?\}", "%00x", route.path)
        for method in sorted(route.methods or ()):
            for body in (None, b"", b"[]", b"{", b'{"a":' * 200, b"\xff\x00"):
                wire.request(method, path, body, {"Content-Type": "application/json"})
                answer = wire.getresponse()
                said = answer.read()
                assert answer.status < 500, (method, path, body, said)
    wire.close()
    assert door.serving.get("/health").status == 200
