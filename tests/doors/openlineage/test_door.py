"""The door over HTTP: answers, refusals, batches of which a part is bad, and hostile events."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from lineal.doors.openlineage.app import Door as Mounted
from tests.doors.openlineage.door import API, Door
from tests.doors.openlineage.making import data, event, facet, run_id, time_of

PATHS = [
    f"{API}/lineage?nodeId=job:a:b",
    f"{API}/column-lineage?nodeId=dataset:a:b",
    f"{API}/runlineage/upstream?runId={run_id('x')}",
    *(f"{API}/{path}" for path in ("namespaces", "sources", "jobs", "tags", "events/lineage", "search?q=a")),
    f"{API}/namespaces/n/jobs/j/runs",
    f"{API}/namespaces/n/datasets/d/versions/v",
    f"{API}/jobs/runs/{run_id('x')}/facets",
]


def test_a_single_event_is_answered_by_201_and_can_be_asked_for(door: Door) -> None:
    door.send(event("START", "single", 1, job="single.job", inputs=("single_in",)))
    assert door.get("jobs", "runs", run_id("single"))["state"] == "RUNNING"


def test_of_a_batch_the_good_events_are_kept_and_the_bad_ones_named(door: Door) -> None:
    bad: list[Any] = [
        {"eventType": "START"},
        17,
        None,
        {**event("START", "x", 1), "eventTime": "yesterday"},
        {**event("START", "x", 1), "run": {"runId": "no-uuid"}},
        {**event("START", "x", 1), "inputs": "all of them"},
        {**event("START", "x", 1), "eventType": "BEGIN"},
        {**event("START", "x", 1), "job": {"namespace": "n", "name": "x" * 1_000_000}},
        event("START", "x", 1, inputs=({"namespace": "n", "name": ""},)),
        {**event("START", "x", 1), "eventTime": "9999-12-31T23:59:59.999999-23:59"},
    ]
    good = [event("COMPLETE", f"batch{n}", n, job="batch.job") for n in range(3)]
    found = door.batch([good[0], *bad, good[1], good[2]])
    assert found.status == 200
    said = found.json
    assert said["status"] == "partial_success"
    assert said["summary"] == {
        "received": 13,
        "successful": 4,
        "failed": 9,
        "retriable": 0,
        "non_retriable": 9,
    }
    assert [failure["index"] for failure in said["failed_events"]] == list(range(1, 10))
    assert all(failure["reason"] for failure in said["failed_events"])
    assert door.get("namespaces", "jobs", "jobs", "batch.job", "runs")["totalCount"] == 3


def test_a_batch_without_a_good_event_is_refused(door: Door) -> None:
    assert door.batch([1, 2]).status == 400
    assert door.batch(b"{}").status == 400
    assert door.batch(b"[{]").status == 400
    empty = door.batch([])
    assert (empty.status, empty.json["status"]) == (200, "success")


def test_deep_facets_spoil_only_their_own_event(door: Door) -> None:
    deep = json.dumps(event("START", "deep", 1)).replace(
        '"facets": {}', '"facets": {"f": ' + "[" * 100_000 + "]" * 100_000 + "}", 1
    )
    good = json.dumps(event("COMPLETE", "beside", 1, job="beside.job"))
    found = door.batch(f"[{deep}, {good}]".encode())
    assert found.status == 200
    assert [failure["index"] for failure in found.json["failed_events"]] == [0]
    assert door.get("jobs", "runs", run_id("beside"))["state"] == "COMPLETED"
    assert door.refused("POST", f"{API}/lineage", deep.encode())[0] == 400


def test_numbers_that_json_does_not_know_are_kept_as_words(door: Door) -> None:
    raw = json.dumps(
        event("COMPLETE", "nan", 1, run_facets={"score": facet(value=float("nan"), most=float("inf"))})
    )
    assert "NaN" in raw
    door.send(raw.encode())
    score = door.get("jobs", "runs", run_id("nan"))["facets"]["score"]
    assert (score["value"], score["most"]) == ("NaN", "Infinity")


def test_facets_that_only_look_like_something_are_answered_for(door: Door) -> None:
    odd = {
        "openlineage.gaps": 5,
        "tags": ["_deleted"],
        "nominalTime": "now",
        "processing_engine": ["_deleted"],
    }
    columns = {
        "columnLineage": {"fields": {"a": {"inputFields": True}}},
        "schema": {"fields": {"a": 1}},
        "tags": {"tags": [7]},
    }
    said = event(
        "COMPLETE", "looks", 1, job="looks", run_facets=odd, job_facets={"sql": ["_deleted"], "tags": 3}
    )
    said["outputs"] = [{"namespace": "n", "name": "looks_out", "facets": columns}]
    door.send(said)
    assert door.get("jobs", "runs", run_id("looks"))["state"] == "COMPLETED"
    door.get("namespaces", "jobs", "jobs", "looks")
    assert door.get("lineage", nodeId="dataset:n:looks_out")["graph"]
    door.get("column-lineage", nodeId="dataset:n:looks_out", withDownstream="true")
    door.get("tags")


def test_a_facet_of_another_shape_is_kept_and_flagged(door: Door) -> None:
    odd = event(
        "COMPLETE", "odd", 1, run_facets={"parent": "my mother"}, inputs=(data("odd_in", symlinks=()),)
    )
    odd["inputs"][0]["facets"] = {"version": {"datasetVersion": 5}, "columnLineage": [1, 2]}
    door.send(odd)
    found = door.get("jobs", "runs", run_id("odd"))
    assert found["facets"]["parent"] == "my mother"
    assert sum("is not shaped as its schema says" in gap for gap in found["gaps"]) == 3


class _Trap(BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.path)

    do_HEAD = do_POST = do_GET  # noqa: N815


def test_no_url_in_an_event_is_ever_fetched(door: Door) -> None:
    trap = HTTPServer(("127.0.0.1", 0), _Trap)
    thread = threading.Thread(target=trap.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{trap.server_port}/schema.json"
    said = event("COMPLETE", "ssrf", 1, run_facets={"f": {"_producer": url, "_schemaURL": url}})
    said |= {"producer": url, "schemaURL": url}
    said["job"]["facets"] = {"sourceCodeLocation": facet(type="git", url=url), "jobType": {"_schemaURL": url}}
    door.send(said)
    door.get("namespaces", "jobs", "jobs", "job.ssrf")
    trap.shutdown()
    thread.join()
    trap.server_close()
    assert _Trap.asked == []


def test_times_at_the_ends_of_the_calendar_are_kept(door: Door) -> None:
    for name, at in (("early", "0001-01-01T00:00:00Z"), ("late", "9999-12-31T23:59:59.999999Z")):
        door.send({**event("COMPLETE", name, 1), "eventTime": at})
        assert door.get("jobs", "runs", run_id(name))["startedAt"].startswith(at[:19])


@pytest.mark.parametrize("path", PATHS)
def test_what_is_not_there_is_no_error_of_the_server(door: Door, path: str) -> None:
    found = door.serving.get(path)
    assert found.status in {200, 404}, found.body
    for query in (
        "as_of=never",
        "limit=-1",
        "offset=x",
        "as_of=2026-01-01",
        "depth=9999999",
        "limit=99999999999999999",
    ):
        glue = "&" if "?" in path else "?"
        assert door.serving.get(f"{path}{glue}{query}").status in {200, 400, 404}


def test_unknown_paths_and_methods_are_refused_in_this_doors_words(door: Door) -> None:
    assert door.refused("GET", f"{API}/nothing")[0] == 404
    assert door.refused("DELETE", f"{API}/lineage")[0] == 405
    assert door.refused("PUT", f"{API}/search", b"{}")[0] == 405
    assert door.refused("DELETE", f"{API}/namespaces/x/datasets/y")[0] == 404
    assert door.refused("GET", f"{API}/lineage")[0] == 400
    assert door.refused("GET", f"{API}/lineage?nodeId=nonsense")[0] == 400
    assert door.refused("GET", f"{API}/jobs/runs/zzz")[0] == 404


def test_every_route_is_known_to_the_application() -> None:
    class Nobody:
        pass

    mounted = Mounted(Nobody())  # type: ignore[arg-type]
    paths = {route.path for route in mounted.routes}
    assert {f"{API}/lineage", f"{API}/lineage/batch", f"{API}/column-lineage", f"{API}/search"} <= paths


def test_names_with_slashes_colons_and_percent_are_found_again(door: Door) -> None:
    namespace, name = "s3://bucket:9000/a b", "p/q%2Fr:s@t"
    output = {"namespace": namespace, "name": name}
    door.send(event("COMPLETE", "odd_names", 1, job="group/job:x", outputs=(output,)))
    assert door.get("namespaces", namespace, "datasets", name)["name"] == name
    assert door.get("namespaces", "jobs", "jobs", "group/job:x")["name"] == "group/job:x"
    graph = door.get("lineage", nodeId=f"dataset:{namespace}:{name}")["graph"]
    assert [node["id"] for node in graph] == [f"dataset:{namespace}:{name}", "job:jobs:group/job:x"]


def test_two_that_arrive_together_do_not_share_a_failure(door: Door) -> None:
    events = [event("COMPLETE", f"together{n}", n, job="together.job", outputs=(f"t{n}",)) for n in range(40)]
    answers: list[int] = []

    def send(part: list[dict[str, Any]]) -> None:
        answers.append(door.batch([*part, {"broken": True}]).status)

    threads = [threading.Thread(target=send, args=(events[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 4
    assert door.get("namespaces", "jobs", "jobs", "together.job", "runs")["totalCount"] == 40
    assert time_of(0)
