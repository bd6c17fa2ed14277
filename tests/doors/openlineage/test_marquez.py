"""What users of Marquez ask, answered from the graph of runs, now and as of a time."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.doors.openlineage.door import Door
from tests.doors.openlineage.making import MODES, data, event, facet, recorded, run_id

SPACE = "pg://db:1"
SCHEMA = facet(fields=[{"name": "a", "type": "INTEGER", "description": "the a"}])


def columns(*sources: tuple[str, str]) -> dict[str, Any]:
    inputs = [{"namespace": SPACE, "name": name, "field": field} for name, field in sources]
    return facet(fields={"a": {"inputFields": inputs}})


@pytest.fixture(scope="module")
def shop(door: Door) -> Door:
    """raw -> load -> clean -> build -> features, and two modes of dbt."""
    door.send(
        event(
            "COMPLETE",
            "load1",
            10,
            job="load",
            inputs=("raw",),
            outputs=(data("clean", schema=SCHEMA, columnLineage=columns(("raw", "a"))),),
            parent="dag",
        ),
        event("START", "build1", 20, job="build", inputs=("clean",)),
        event(
            "COMPLETE",
            "build1",
            25,
            job="build",
            outputs=(
                data(
                    "features",
                    schema=SCHEMA,
                    columnLineage=columns(("clean", "a")),
                    tags=facet(tags=[{"key": "pii", "value": "true", "source": "USER"}]),
                ),
            ),
            job_facets={
                "sql": facet(query="select a from clean"),
                "documentation": facet(description="builds"),
            },
        ),
    )
    assert door.batch([json.loads(line) for mode in MODES for line in recorded(mode)]).status == 200
    return door


def edges(graph: Any) -> set[tuple[str, str]]:
    return {(edge["origin"], edge["destination"]) for node in graph["graph"] for edge in node["outEdges"]}


def test_the_lineage_of_a_dataset_reaches_both_ways(shop: Door) -> None:
    found = shop.get("lineage", nodeId=f"dataset:{SPACE}:clean")
    assert edges(found) == {
        (f"dataset:{SPACE}:raw", "job:jobs:load"),
        ("job:jobs:load", f"dataset:{SPACE}:clean"),
        (f"dataset:{SPACE}:clean", "job:jobs:build"),
        ("job:jobs:build", f"dataset:{SPACE}:features"),
    }
    assert found["cut"] is False
    assert {node["type"] for node in found["graph"]} == {"JOB", "DATASET"}


def test_an_answer_that_depth_cut_says_so(shop: Door) -> None:
    found = shop.get("lineage", nodeId=f"dataset:{SPACE}:raw", depth=1)
    assert edges(found) == {(f"dataset:{SPACE}:raw", "job:jobs:load")}
    assert found["cut"] is True


def test_both_modes_of_dbt_show_one_job_for_a_model(shop: Door) -> None:
    found = shop.get("lineage", nodeId="dataset:duckdb://shop.duckdb:shop.main.stg_orders")
    jobs = {node["id"]: node["data"]["alsoKnownAs"] for node in found["graph"] if node["type"] == "JOB"}
    assert jobs["job:shop-ns:model.shop.stg_orders"] == [
        {"namespace": "shop-ns", "name": "shop.main.shop.stg_orders.build.run"}
    ]
    assert not [job for job in jobs if ".sql." in job]


def test_column_lineage_leads_up_and_down(shop: Door) -> None:
    up = shop.get("column-lineage", nodeId=f"datasetField:{SPACE}:features:a")
    ids = [node["id"] for node in up["graph"]]
    assert ids == [f"datasetField:{SPACE}:{name}:a" for name in ("clean", "features", "raw")]
    assert up["graph"][1]["data"]["inputFields"][0]["dataset"] == "clean"
    down = shop.get("column-lineage", nodeId=f"dataset:{SPACE}:raw", withDownstream="true")
    assert f"datasetField:{SPACE}:features:a" in [node["id"] for node in down["graph"]]


def test_jobs_runs_and_their_versions(shop: Door) -> None:
    job = shop.get("namespaces", "jobs", "jobs", "build")
    assert job["inputs"] == [{"namespace": SPACE, "name": "clean"}]
    assert job["outputs"] == [{"namespace": SPACE, "name": "features"}]
    assert job["description"] == "builds"
    assert job["latestRun"]["id"] == run_id("build1")
    run = shop.get("jobs", "runs", run_id("build1"))
    assert (run["state"], run["durationMs"]) == ("COMPLETED", 5000)
    assert run["inputDatasetVersions"][0]["evidence"] == "inferred"
    assert shop.get("jobs", "runs", run_id("build1"), "facets", type="job")["facets"]["sql"]["query"]
    version = shop.get("namespaces", "jobs", "jobs", "build", "versions")["versions"][0]
    assert shop.get("namespaces", "jobs", "jobs", "build", "versions", version["version"]) == version
    assert shop.get("namespaces", "jobs", "jobs", "load")["parentJobName"] == "job.dag"


def test_datasets_and_their_versions(shop: Door) -> None:
    dataset = shop.get("namespaces", SPACE, "datasets", "features")
    assert dataset["fields"] == [{"name": "a", "type": "INTEGER", "tags": [], "description": "the a"}]
    assert dataset["tags"] == ["pii"]
    versions = shop.get("namespaces", SPACE, "datasets", "features", "versions")
    assert versions["totalCount"] == 1
    (version,) = versions["versions"]
    assert version["createdByRun"]["id"] == run_id("build1")
    assert dataset["currentVersion"] == version["version"]
    assert shop.get("namespaces", SPACE, "datasets", "features", "versions", version["version"]) == version


def test_namespaces_sources_search_tags(shop: Door) -> None:
    names = [each["name"] for each in shop.get("namespaces")["namespaces"]]
    assert {"jobs", "shop-ns", SPACE, "duckdb://shop.duckdb"} <= set(names)
    assert shop.get("namespaces", "jobs")["name"] == "jobs"
    assert SPACE in [each["name"] for each in shop.get("sources")["sources"]]
    hits = shop.get("search", q="FEAT%", filter="dataset")
    assert {hit["name"] for hit in hits["results"]} == {"features", "shop.main.features_customer"}
    assert "pii" in [tag["name"] for tag in shop.get("tags")["tags"]]
    listed = [job["name"] for job in shop.get("jobs", limit=1000)["jobs"]]
    assert "build" in listed
    assert not [name for name in listed if ".sql." in name]


def test_events_come_back_as_they_were_sent_in_order(shop: Door) -> None:
    found = shop.get("events", "lineage", limit=2, sortDirection="asc", after="2026-03-03T12:00:00Z")
    assert [each["eventType"] for each in found["events"]] == ["COMPLETE", "START"]
    before = shop.get("events", "lineage", before="2026-03-03T12:00:30Z")
    assert before["totalCount"] == 3


def test_upstream_runs_name_who_made_their_inputs(shop: Door) -> None:
    found = shop.get("runlineage", "upstream", runId=run_id("build1"))["runs"]
    assert [each["run"]["id"] for each in found] == [run_id("build1"), run_id("load1")]
    assert found[0]["inputs"][0]["producedByRunId"] == run_id("load1")


def test_every_answer_can_be_had_as_of_a_time(shop: Door) -> None:
    shop.send(event("COMPLETE", "asof1", 50, job="asof", inputs=("one",), outputs=("out",)))
    then = time.time_ns() // 1000
    shop.send(event("COMPLETE", "asof2", 60, job="asof", inputs=("two",), outputs=("out",)))
    now = shop.get("lineage", nodeId="job:jobs:asof")
    past = shop.get("lineage", nodeId="job:jobs:asof", as_of=then)
    assert (f"dataset:{SPACE}:two", "job:jobs:asof") in edges(now)
    assert (f"dataset:{SPACE}:one", "job:jobs:asof") in edges(past)
    assert (f"dataset:{SPACE}:two", "job:jobs:asof") not in edges(past)
    assert shop.get("namespaces", "jobs", "jobs", "asof", "runs", as_of=then)["totalCount"] == 1
    assert shop.get("namespaces", SPACE, "datasets", "out", "versions", as_of=then)["totalCount"] == 1
    assert shop.get("namespaces", SPACE, "datasets", "out", "versions")["totalCount"] == 2


def test_what_marquez_clients_write_is_in_the_graph(door: Door) -> None:
    space = "/namespaces/mq"
    assert door.put(space, {"ownerName": "me"})["name"] == "mq"
    door.put("/sources/pg", {"type": "POSTGRESQL", "connectionUrl": "pg://x"})
    fields = [
        {"name": "id", "type": "INT", "tags": ["KEY"]},
        {"name": "mail", "type": "TEXT", "description": "of a person"},
    ]
    made = door.put(
        f"{space}/datasets/people", {"type": "DB_TABLE", "physicalName": "people", "sourceName": "pg",
         "fields": fields, "tags": ["RAW"], "description": "all of them"},
    )  # fmt: skip
    assert (made["description"], made["tags"], [f["name"] for f in made["fields"]]) == (
        "all of them", ["RAW"], ["id", "mail"],
    )  # fmt: skip
    pair = [{"namespace": "mq", "name": "people"}]
    job = door.put(
        f"{space}/jobs/clean",
        {
            "type": "BATCH",
            "inputs": pair,
            "outputs": [{"namespace": "mq", "name": "clean"}],
            "location": "https://git/x",
        },
    )
    assert (job["inputs"], job["location"]) == (pair, "https://git/x")
    run = door.write("POST", f"{space}/jobs/clean/runs", {"args": {"n": "1"}}, status=201)
    assert run["args"] == {"n": "1"}
    for word, state in (("start", "RUNNING"), ("complete", "COMPLETED")):
        assert door.write("POST", f"/jobs/runs/{run['id']}/{word}", {})["state"] == state
    door.put(
        f"{space}/datasets/clean",
        {"type": "DB_TABLE", "physicalName": "c", "sourceName": "pg", "runId": run["id"]},
    )
    assert edges(door.get("lineage", nodeId="dataset:mq:clean")) >= {("job:mq:clean", "dataset:mq:clean")}
    (written,) = door.get("jobs", "runs", run["id"])["outputDatasetVersions"]
    assert written["datasetVersionId"]["name"] == "clean"


def test_tags_are_put_on_datasets_columns_and_jobs_and_taken_off(door: Door) -> None:
    door.put("/namespaces/mq/datasets/tagged", {"fields": [{"name": "a", "type": "INT"}], "tags": ["ONE"]})
    door.put("/namespaces/mq/jobs/tagged", {})
    at = "/namespaces/mq/datasets/tagged"
    assert door.write("POST", f"{at}/tags/PII", {})["tags"] == ["ONE", "PII"]
    assert door.write("POST", f"{at}/fields/a/tags/KEY", {})["fields"][0]["tags"] == ["KEY"]
    assert door.write("DELETE", f"{at}/tags/ONE", {})["tags"] == ["PII"]
    assert door.write("DELETE", f"{at}/fields/a/tags/KEY", {})["fields"][0]["tags"] == []
    assert door.write("POST", "/namespaces/mq/jobs/tagged/tags/NIGHTLY", {})["tags"] == ["NIGHTLY"]
    assert door.write("DELETE", "/namespaces/mq/jobs/tagged/tags/NIGHTLY", {})["tags"] == []


def test_what_cannot_be_written_is_refused_in_words(door: Door) -> None:
    for method, path, body, status in (
        ("PUT", "/namespaces/mq/jobs/x", [1], 400),
        ("PUT", "/namespaces/mq/jobs/x", {"inputs": ["people"]}, 400),
        ("PUT", "/namespaces/mq/datasets/x", {"fields": "a"}, 400),
        ("POST", f"/jobs/runs/{run_id('nobody')}/start", {}, 404),
        ("POST", "/namespaces/mq/jobs/x/runs", {"id": "seven"}, 400),
        ("POST", "/namespaces/mq/datasets/nothing/tags/PII", {}, 404),
        ("DELETE", "/namespaces/nothing", {}, 404),
        ("DELETE", "/namespaces/mq/datasets/nothing", {}, 404),
        ("DELETE", "/sources/mq", {}, 405),
    ):
        assert door.write(method, path, body, status=status)["message"], (method, path)


def test_what_is_deleted_is_hidden_until_it_is_told_of_again_and_the_past_still_has_it(door: Door) -> None:
    space = "/namespaces/gone"
    for run in ("gone1", "gone2"):
        written = {**data("table"), "namespace": "gone"}
        door.send(event("COMPLETE", run, 3000, job="writes", inputs=("kept",), outputs=(written,)))
        assert door.get("lineage", nodeId="dataset:gone:table")["graph"]  # the second run brings it back
        assert door.get("namespaces", "gone", "datasets")["totalCount"] == 1
        before = time.time_ns() // 1000
        assert door.write("DELETE", f"{space}/datasets/table", {})["deleted"] is True
        assert door.get("namespaces", "gone", "datasets")["datasets"] == []
        assert door.serving.get(f"/api/v1{space}/datasets/table").status == 404
        assert door.serving.get(f"/api/v1{space}/datasets/table?as_of={before}").status == 200
        graph = door.get("lineage", nodeId="job:jobs:writes")["graph"]
        assert {node["id"] for node in graph} == {"job:jobs:writes", f"dataset:{SPACE}:kept"}
    door.send(event("START", "gone3", 3100, job="reads", inputs=(written,)))
    assert door.get("namespaces", "gone", "datasets")["totalCount"] == 1
    door.write("DELETE", f"{space}/datasets/table", {})
    assert door.get("namespaces", "gone", "datasets")["datasets"] == []
    door.put(f"{space}/datasets/table", {"fields": [{"name": "a", "type": "INT"}]})
    assert door.get("namespaces", "gone", "datasets")["totalCount"] == 1
    assert door.write("DELETE", space, {})["isHidden"] is True
    assert "gone" not in {each["name"] for each in door.get("namespaces", limit=1000)["namespaces"]}
    door.put(f"{space}/datasets/table", {})
    assert door.get("namespaces", "gone", "datasets", "table")["name"] == "table"
    assert door.write("DELETE", "/namespaces/jobs/jobs/writes", {})["deleted"] is True
    assert "writes" not in {job["name"] for job in door.get("jobs", limit=1000)["jobs"]}


def test_stats_the_newer_search_and_jobs_by_how_they_stand(shop: Door) -> None:
    jobs = shop.get("stats", "jobs", period="DAY")
    assert len(jobs) == 24
    assert jobs[-1]["count"] >= 2
    assert len(shop.get("stats", "datasets", period="WEEK")) == 7
    assert set(shop.get("stats", "lineage-events")[-1]) == {
        "startInterval", "endInterval", "fail", "start", "complete", "abort",
    }  # fmt: skip
    assert {job["name"] for job in shop.get("jobs", lastRunStates="COMPLETED", limit=1000)["jobs"]} >= {
        "load",
        "build",
    }
    assert "load" not in {
        job["name"] for job in shop.get("jobs", lastRunStates="failed,running", limit=1000)["jobs"]
    }
    hits = shop.serving.get("/api/v2beta/search/datasets?q=feature").json["hits"]
    assert "features" in {hit["name"] for hit in hits}
