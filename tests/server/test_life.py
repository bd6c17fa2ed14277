"""How a server starts, is found, ends, and what becomes of what it acknowledged."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lineal.core.errors import Conflict, LinealError, Unavailable
from lineal.service.registry import TagRequest
from lineal.service.runs import RunsRequest
from tests.e2e.cli import LINEAL, document, environment, lineal
from tests.server.making import API, client, ingest, started
from tests.server.serving import Serving
from tests.server.writers import Writers

SOAK = bool(os.environ.get("LINEAL_SOAK"))


def start_refused(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINEAL, "server", "--port", "0", *words],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_server_tells_where_it_is_while_it_runs_and_only_its_owner(serving: Serving) -> None:
    told = serving.folder / ".lineal" / "server.json"
    assert json.loads(told.read_text())["url"] == serving.url
    assert told.stat().st_mode & 0o777 == 0o600
    assert serving.stop() == 0
    assert not told.exists()


def test_what_a_killed_server_left_leads_nobody_astray(serving: Serving) -> None:
    with client(serving) as remote:
        remote.call("ingest", ingest(started(1)))
    serving.kill()
    assert (serving.folder / ".lineal" / "server.json").exists()
    assert len(document(serving.folder, "runs")) == 1
    serving.start()
    assert len(document(serving.folder, "runs")) == 1


def test_one_store_has_one_server(serving: Serving) -> None:
    second = start_refused(serving.folder)
    assert second.returncode == 1
    assert f"runs already at {serving.url}" in second.stderr


def test_several_processes_on_one_file_are_refused_with_the_way_out(project: Path) -> None:
    refused = start_refused(project, "--workers", "4")
    assert refused.returncode == 2
    assert "lineal server --store postgresql://USER@HOST/DATABASE --workers 4" in refused.stderr


def test_a_port_in_use_is_told(serving: Serving, tmp_path: Path) -> None:
    refused = start_refused(tmp_path, "--port", str(serving.port), "--store", str(tmp_path / "x.db"))
    assert refused.returncode == 4
    assert "Address already in use" in refused.stderr


def test_a_store_that_cannot_be_reached_is_told_at_the_start(project: Path) -> None:
    refused = start_refused(project, "--store", "postgresql://nobody@127.0.0.1:1/none")
    assert refused.returncode == 4
    assert "cannot talk to postgresql://nobody@127.0.0.1:1/none" in refused.stderr


def test_a_stopping_server_finishes_what_it_took_and_takes_nothing_new(serving: Serving) -> None:
    acknowledged: list[int] = []
    refused: list[LinealError] = []

    def write(first: int) -> None:
        with client(serving, patience_s=0) as remote:
            for number in range(first, first + 10_000):
                try:
                    remote.call("ingest", ingest(started(number)))
                except LinealError as error:
                    refused.append(error)
                    return
                acknowledged.append(number)

    writers = [threading.Thread(target=write, args=(n * 100_000,)) for n in range(1, 5)]
    for writer in writers:
        writer.start()
    while len(acknowledged) < 200:
        time.sleep(0.005)
    assert serving.stop() == 0
    for writer in writers:
        writer.join()
    assert len(refused) == 4
    assert all(isinstance(error, Unavailable) for error in refused)
    serving.start()
    with client(serving) as remote:
        kept = {int(run.run_id, 16) for run in remote.call("runs", RunsRequest(limit=100_000)).runs}
    assert set(acknowledged) <= kept


def test_a_server_that_is_ready_says_so_and_counts(anywhere: Serving) -> None:
    assert anywhere.get("/ready").json == {"status": "ready"}
    with client(anywhere) as remote:
        remote.call("ingest", ingest(started(1)))
    text = anywhere.get("/metrics").body.decode()
    assert 'lineal_requests_total{method="POST",route="/api/lineal/v1/ingest",status="200"} 1' in text
    assert "lineal_changes_total 1" in text


def test_each_request_is_one_line_of_json_with_the_id_of_its_answer(serving: Serving) -> None:
    answer = serving.get(f"{API}/show?ref=secret-name")
    serving.stop()
    lines = [json.loads(line) for line in serving.log.splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line.get("id") == answer.headers["x-request-id"]]
    assert (line["method"], line["path"], line["status"]) == ("GET", f"{API}/show", 404)
    assert "secret-name" not in serving.log
    assert answer.json["error"]["request_id"] == line["id"]


def test_many_clients_at_once_wait_and_are_all_answered(serving: Serving) -> None:
    with contextlib.ExitStack() as stack:
        half_open = [
            stack.enter_context(socket.create_connection(("127.0.0.1", serving.port))) for _ in range(60)
        ]
        for each in half_open:
            each.sendall(b"POST /api/lineal/v1/ingest HTTP/1.1\r\nHost: loc")
        asking = [
            stack.enter_context(socket.create_connection(("127.0.0.1", serving.port))) for _ in range(400)
        ]
        for each in asking:
            each.sendall(f"GET {API}/runs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        for each in asking:
            with each.makefile("rb") as answer:
                assert b" 200 " in answer.readline()


# ---- repeated requests ---------------------------------------------------------------------------------------------------


def test_a_repeated_key_has_one_effect_and_one_answer(anywhere: Serving) -> None:
    with client(anywhere) as remote:
        remote.call("ingest", ingest(started(1)))
    body = {"ref": f"run:{1:032x}", "key": "stage", "value": "first"}
    first = anywhere.post(f"{API}/tag", body, Idempotency_Key="k1")
    again = anywhere.post(f"{API}/tag", body, Idempotency_Key="k1")
    assert (first.status, again.body) == (200, first.body)
    other = anywhere.post(f"{API}/tag", {**body, "value": "second"}, Idempotency_Key="k1")
    assert (other.status, other.code) == (409, "conflict")
    assert anywhere.get(f"{API}/runs").json["runs"][0]["tags"] == {"stage": "first"}


def test_a_refused_request_keeps_its_key_free(serving: Serving) -> None:
    body = {"ref": f"run:{1:032x}", "key": "a", "value": "b"}
    assert serving.post(f"{API}/tag", body, Idempotency_Key="k").status == 404
    with client(serving) as remote:
        remote.call("ingest", ingest(started(1)))
    assert serving.post(f"{API}/tag", body, Idempotency_Key="k").status == 200


def test_equal_requests_at_once_are_each_done_and_one_refusal_harms_no_neighbour(anywhere: Serving) -> None:
    outcomes: list[str] = []

    def write(number: int) -> None:
        with client(anywhere) as remote:
            try:
                remote.call("ingest", ingest(started(number)))
                remote.call("tag", TagRequest(ref="run:ffff", key="a", value="b"))
                outcomes.append("tagged")
            except LinealError as error:
                outcomes.append(error.code)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ["not_found"] * 32
    with client(anywhere) as remote:
        assert len(remote.call("runs", RunsRequest()).runs) == 32


# ---- killed --------------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(7200 if SOAK else 600)
def test_nothing_acknowledged_is_lost_and_nothing_is_there_twice_when_the_server_is_killed(
    project: Path, place: str
) -> None:
    rounds = 200 if SOAK else 20
    server = Serving(project, store=place).start()
    writers = Writers(server)
    try:
        for turn in range(rounds):
            if turn % 10 == 0:
                print(
                    f"killed {turn} of {rounds} times, {writers.acknowledged} changes acknowledged",
                    flush=True,
                )
            before, deadline = writers.acknowledged, time.monotonic() + 60
            while writers.acknowledged == before and time.monotonic() < deadline and not writers.broken:
                time.sleep(0.002)
            time.sleep(0.1 * ((turn * 7919) % 13) / 13)  # the moment of the kill moves among the writes
            server.kill()
            server.start(server.port)
    finally:
        writers.end()
    assert writers.broken == []
    assert writers.acknowledged >= rounds
    writers.verify()
    server.stop()
    checked = lineal(project, "fsck", "--json", **({"LINEAL_STORE": place} if place else {}))
    assert (checked.returncode, json.loads(checked.stdout)["problems"]) == (0, [])


# ---- several processes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_several_servers_and_processes_share_one_database(project: Path, tmp_path: Path, place: str) -> None:
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    one = Serving(project, "--workers", "2", store=place)
    two = Serving(other_folder, store=place)
    beginning = [threading.Thread(target=server.start) for server in (one, two)]  # both make the tables
    for thread in beginning:
        thread.start()
    for thread in beginning:
        thread.join()
    failures: list[BaseException] = []

    def write(server: Serving, number: int) -> None:
        try:
            with client(server) as remote:
                for turn in range(20):
                    remote.call("ingest", ingest(started(number * 1000 + turn, job=f"job-{turn}")))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=((one, two)[n % 2], n)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert failures == []
        with client(two) as remote:
            assert len(remote.call("runs", RunsRequest(limit=1000)).runs) == 320
        assert one.stop() == 0
        assert two.stop() == 0
    finally:
        one.close()
        two.close()
    assert json.loads(lineal(project, "fsck", "--json", LINEAL_STORE=place).stdout)["problems"] == []


def test_a_changed_request_with_the_same_position_is_known_by_its_stream(serving: Serving) -> None:
    with client(serving) as remote:
        assert remote.call("ingest", ingest(started(1), source="s", start=0, position=10)).events == 1
        assert remote.call("ingest", ingest(started(1), source="s", start=0, position=10)).events == 0
        with pytest.raises(Conflict, match="recorded up to 10"):
            remote.call("ingest", ingest(started(2), source="s", start=20, position=30))
