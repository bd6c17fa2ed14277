"""Our own runs go out as OpenLineage: exported, and forwarded while a server runs."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lineal.doors.openlineage.read import read
from tests.doors.openlineage.door import Door
from tests.doors.openlineage.making import event, run_id
from tests.e2e.cli import LINEAL, environment
from tests.server.serving import Serving, begun
from tests.store import postgres_server

_TRAIN = """
import sys
rows = open("data.csv").read()
open("model.bin", "w").write(rows * 2)
if len(sys.argv) > 1: raise ValueError("too bad")
"""


class Receiver(ThreadingHTTPServer):
    """Another OpenLineage system, which can be told to fail."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Receiving)
        self.events: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.answers: list[int] = []
        self.heard = threading.Condition()

    def wait(self, count: int) -> list[dict[str, Any]]:
        with self.heard:
            assert self.heard.wait_for(lambda: len(self.events) >= count, timeout=60), self.events
            return list(self.events)


class _Receiving(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.heard:
            status = self.server.answers.pop(0) if self.server.answers else 201
            if status == 201:
                self.server.events.append(json.loads(body))
                self.server.keys.append(self.headers.get("Authorization", ""))
            self.server.heard.notify_all()
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: Any) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def lineal(folder: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run([LINEAL, *words], cwd=folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    begun(tmp_path)
    (tmp_path / "data.csv").write_text("a,b\n" + "1,2\n" * 40)
    (tmp_path / "train.py").write_text(_TRAIN)
    return tmp_path


def test_what_was_recorded_is_exported_as_events_that_openlineage_reads(shop: Path) -> None:
    lineal(shop, "run", "python", "train.py")
    lineal(shop, "run", "python", "train.py", "badly", code=1)
    lineal(shop, "export", "openlineage", "-o", "events.jsonl")
    lines = (shop / "events.jsonl").read_bytes().splitlines()
    told = [read(line) for line in lines]
    assert [each.type for each in told] == ["START", "COMPLETE", "START", "FAIL"]
    assert not [flag for each in told for flag in each.flags]
    end = json.loads(lines[1])
    assert [part["name"] for part in end["inputs"]] == ["data.csv"]
    assert [part["name"] for part in end["outputs"]] == ["model.bin"]
    assert end["outputs"][0]["facets"]["version"]["datasetVersion"].startswith("sha256:")
    assert json.loads(lines[3])["run"]["facets"]["errorMessage"]["message"] == "ValueError: too bad"
    assert lineal(shop, "export", "openlineage").encode().splitlines() == lines


def test_an_export_sent_to_another_server_makes_the_same_graph_there(
    shop: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lineal(shop, "run", "python", "train.py")
    events = lineal(shop, "export", "openlineage").splitlines()
    with_server = Serving(begun(tmp_path_factory.mktemp("other"))).start()
    try:
        door = Door(with_server)
        door.send(*(line.encode() for line in events))
        namespace = json.loads(events[1])["outputs"][0]["namespace"]
        graph = door.get("lineage", nodeId=f"dataset:{namespace}:model.bin")["graph"]
        assert [node["id"].rpartition(":")[2] for node in graph] == ["data.csv", "model.bin", "train.py"]
    finally:
        with_server.close()


def test_a_forwarder_tells_of_every_own_run_and_of_none_that_it_was_told_of(
    shop: Path, receiver: Receiver
) -> None:
    lineal(shop, "run", "python", "train.py")
    address = f"http://127.0.0.1:{receiver.server_port}"
    receiver.answers = [503, 503]
    serving = Serving(shop, "--forward-openlineage", address, LINEAL_FORWARD="sesame").start()
    try:
        Door(serving).send(event("COMPLETE", "foreign", 1))
        told = receiver.wait(2)
        assert [each["eventType"] for each in told] == ["START", "COMPLETE"]
        assert set(receiver.keys) == {"Bearer sesame"}
        lineal(shop, "run", "python", "train.py", "again", code=1)
        kinds = [each["eventType"] for each in receiver.wait(4)]
        assert kinds[-1] == "FAIL"
        assert run_id("foreign") not in {each["run"]["runId"] for each in receiver.events}
    finally:
        serving.close()


def test_a_forwarder_goes_on_where_it_stopped(shop: Path, receiver: Receiver) -> None:
    address = f"http://127.0.0.1:{receiver.server_port}"
    words = ("--forward-openlineage", address)
    serving = Serving(shop, *words).start()
    body = {"experiment_id": "0", "start_time": 1}
    created = serving.post("/api/2.0/mlflow/runs/create", body).json["run"]["info"]["run_id"]
    assert [each["eventType"] for each in receiver.wait(1)] == ["START"]
    deadline = time.monotonic() + 30
    while not _noted(serving):
        assert time.monotonic() < deadline
    serving.kill()
    serving = Serving(shop).start()  # nobody forwards while the run ends
    serving.post("/api/2.0/mlflow/runs/update", {"run_id": created, "status": "FINISHED", "end_time": 5})
    serving.stop()
    serving = Serving(shop, *words).start()
    try:
        told = receiver.wait(2)
        assert [each["eventType"] for each in told] == ["START", "COMPLETE"]
        assert {each["run"]["runId"].replace("-", "") for each in told} == {created}
    finally:
        serving.close()


def test_of_two_servers_on_one_store_one_sends_and_the_other_goes_on_when_it_ends(
    shop: Path, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if reason := postgres_server.absent():
        pytest.skip(f"PostgreSQL is not installed: {reason}")
    store = postgres_server.server().schema()
    words = ("--forward-openlineage", f"http://127.0.0.1:{receiver.server_port}")
    folders = [begun(tmp_path_factory.mktemp("server")) for _ in range(2)]
    servers = [Serving(folder, *words, store=store).start() for folder in folders]

    def finished(serving: Serving) -> None:
        body = {"experiment_id": "0", "start_time": 1}
        run = serving.post("/api/2.0/mlflow/runs/create", body).json["run"]["info"]["run_id"]
        serving.post("/api/2.0/mlflow/runs/update", {"run_id": run, "status": "FINISHED", "end_time": 5})

    try:
        begun_at = time.monotonic()
        for number in range(10):
            finished(servers[number % 2])
        receiver.wait(20)
        assert time.monotonic() - begun_at < 40  # not only once everything is a minute old
        servers.pop().stop()
        finished(servers[0])
        told = receiver.wait(22)
        keys = [(each["run"]["runId"], each["eventType"]) for each in told]
        assert len(set(keys)) == len(keys) == 22
    finally:
        for server in servers:
            server.close()
        postgres_server.server().drop(store)


def _noted(serving: Serving) -> bool:
    """Whether the server has noted what it told; asked by a second reader of its store."""
    from lineal.store.open import open_store

    store = open_store(str(serving.folder / ".lineal" / "lineal.db"), create=False)
    try:
        with store.read() as tx:
            return bool(store.records.list_records(tx, "openlineage-forwarder", "sent"))
    finally:
        store.close()


@pytest.mark.parametrize("url", ["ftp://x", "http://user:secret@host", "not-an-address", "http://h/?q=1"])
def test_an_address_that_cannot_be_right_is_refused_before_the_server_starts(shop: Path, url: str) -> None:
    done = subprocess.run(
        [LINEAL, "server", "--port", "0", "--forward-openlineage", url],
        cwd=shop,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert "secret" not in done.stdout + done.stderr
