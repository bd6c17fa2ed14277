"""The wire of experiments, runs, metrics and search: what is said of errors, numbers and odd requests."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from typing import Any

import pytest

from tests.doors.mlflow.asking import API, Asking, fresh
from tests.doors.mlflow.serving_doors import door as door

LOG = "/runs/log-metric"


def raw(door: Asking, path: str, body: str, **headers: str) -> tuple[int, Any]:
    headers.setdefault("Content_Type", "application/json")
    answer = door.serving.ask("POST", API + path, body.encode(), **headers)
    return answer.status, answer.json


def history(door: Asking, run: str, key: str) -> list[dict[str, Any]]:
    return door.get("/metrics/get-history", run_id=run, metric_key=key)["metrics"]  # type: ignore[no-any-return]


def test_numbers_that_are_none_are_kept_as_bare_tokens_and_as_text(door: Asking) -> None:
    run = door.run()["run_id"]
    for step, token in enumerate(
        ["NaN", "Infinity", "-Infinity", '"NaN"', '"Infinity"', '"-Infinity"', '"1.5"']
    ):
        told = f'{{"run_id":"{run}","key":"one","value":{token},"timestamp":{step},"step":{step}}}'
        assert raw(door, LOG, told) == (200, {})
        batch = f'{{"run_id":"{run}","metrics":[{{"key":"batch","value":{token},"timestamp":{step},"step":"{step}"}}]}}'
        assert raw(door, "/runs/log-batch", batch) == (200, {})
    wanted = ["NaN", "Infinity", "-Infinity", "NaN", "Infinity", "-Infinity", 1.5]
    for key in ("one", "batch"):
        found = history(door, run, key)
        assert [point["value"] for point in found] == wanted
        assert [point["step"] for point in found] == list(range(7))
        native = door.serving.get(f"/api/lineal/v1/metrics?run=run:{run}&key={key}").json
        assert native["value"] == wanted


def test_whole_numbers_of_64_bits_are_taken_as_numbers_or_text_and_given_as_numbers(door: Asking) -> None:
    run = door.run()["run_id"]
    for step in (2**63 - 1, str(-(2**63)), 5.0):
        door.post(LOG, run_id=run, key="m", value="1", timestamp="1700000000000", step=step)
    found = history(door, run, "m")
    assert [point["step"] for point in found] == [-(2**63), 5, 2**63 - 1]
    assert {point["timestamp"] for point in found} == {1700000000000}
    info = door.get("/runs/get", run_uuid=run)["run"]["info"]
    assert info["run_id"] == info["run_uuid"] == run
    assert isinstance(info["start_time"], int)
    for wrong in (2**63, "9" * 30, 1.5, "x", True, [1, 2], {"a": 1}):
        status, code, message = door.refused(
            "POST", LOG, {"run_id": run, "key": "m", "value": 1, "timestamp": wrong}
        )
        assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
        assert "for parameter 'timestamp' supplied" in message


@pytest.mark.parametrize(
    ("path", "document", "words"),
    [
        ("/experiments/create", {"name": 123}, "Invalid value 123 for parameter 'name' supplied"),
        ("/experiments/create", {}, "Missing value for required parameter 'name'"),
        ("/experiments/create", {"name": ""}, "Missing value for required parameter 'name'"),
        ("/experiments/create", {"name": "x", "artifact_location": 9.0}, "Invalid value 9.0 for parameter"),
        (
            "/experiments/create",
            {"name": "x", "tags": "5"},
            "Invalid value \"5\" for parameter 'tags' supplied",
        ),
        ("/experiments/create", {"name": "a\u202eb"}, "invisible character U+202E"),
        ("/experiments/create", {"name": "a\x00b"}, "invisible character U+0000"),
        (
            LOG,
            {"run_id": 31, "key": "m", "value": 1, "timestamp": 1},
            "Invalid value 31 for parameter 'run_id'",
        ),
        (
            LOG,
            {"run_id": None, "key": "m", "value": 1, "timestamp": 1},
            "Missing value for required parameter 'run_id'",
        ),
        (LOG, {"run_id": "r", "key": 31, "value": 1, "timestamp": 1}, "Invalid value 31 for parameter 'key'"),
        (LOG, {"run_id": "r", "key": "m", "timestamp": 1}, "Missing value for required parameter 'value'"),
        (LOG, {"run_id": "r", "key": "m", "value": "x", "timestamp": 1}, "for parameter 'value' supplied"),
        (LOG, {"run_id": "r", "key": "m", "value": True, "timestamp": 1}, "for parameter 'value' supplied"),
        (
            LOG,
            {"run_id": "r", "key": "m", "value": 1, "timestamp": 1, "step": "foo"},
            "for parameter 'step' supplied",
        ),
        (LOG, {"run_id": "r", "key": "../m", "value": 1, "timestamp": 1}, "must not resolve to other names"),
        (LOG, {"run_id": "r", "key": "m", "value": 1, "timestamp": -1}, "nonnegative"),
        ("/runs/log-batch", {"run_id": "/", "metrics": []}, "for parameter 'run_id' supplied"),
        ("/runs/log-batch", {"run_id": "r", "metrics": {}}, "for parameter 'metrics' supplied"),
        (
            "/runs/log-batch",
            {"run_id": "r", "metrics": [{"key": "m"}]},
            "Missing value for required parameter 'metrics[0].value'",
        ),
        (
            "/runs/log-batch",
            {"run_id": "r", "params": [{"key": "p", "value": 1}]},
            "Invalid value 1 for parameter 'params[0].value'",
        ),
        ("/runs/create", {"start_time": "x"}, "for parameter 'start_time' supplied"),
        ("/runs/create", {"start_time": 10**18}, "milliseconds since 1970"),
        ("/runs/search", {"experiment_ids": "0"}, "for parameter 'experiment_ids' supplied"),
        ("/runs/search", {"experiment_ids": ["0"], "max_results": 50_001}, "max_results"),
        ("/runs/search", {"experiment_ids": ["0"], "max_results": 0}, "max_results"),
        ("/runs/search", {"experiment_ids": ["0"], "order_by": [1]}, "for parameter 'order_by' supplied"),
        ("/runs/search", {"experiment_ids": ["0"], "run_view_type": "NONE"}, "ACTIVE_ONLY"),
        (
            "/runs/log-inputs",
            {"run_id": "r", "datasets": [{"tags": []}]},
            "Missing value for required parameter 'datasets[0].dataset'",
        ),
        ("/runs/log-model", {"run_id": "r"}, "model_json"),
        ("/experiments/search-datasets", {"experiment_ids": []}, "at least one experiment_id"),
    ],
)
def test_a_wrong_value_is_named(door: Asking, path: str, document: dict[str, Any], words: str) -> None:
    status, code, message = door.refused("POST", path, document)
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert words in message


@pytest.mark.parametrize(
    "body",
    ["[]", '"x"', "5", "{", "\x00", "[" * 100_000, '{"a":' * 50_000, "NaN", "Infinity}", '{"run_id": NaN'],
)
def test_a_body_that_is_no_object_is_a_bad_request(door: Asking, body: str) -> None:
    for path in (LOG, "/runs/log-batch", "/runs/create", "/experiments/create"):
        status, said = raw(door, path, body)
        assert status == 400
        assert said["error_code"] in {"BAD_REQUEST", "INVALID_PARAMETER_VALUE"}


def test_a_body_of_another_type_is_refused_and_one_encoded_twice_is_read(door: Asking) -> None:
    status, said = raw(door, "/experiments/create", '{"name": "x"}', Content_Type="text/plain")
    assert (status, said["error_code"]) == (400, "BAD_REQUEST")
    name = fresh("twice")
    assert raw(door, "/experiments/create", json.dumps(json.dumps({"name": name})))[0] == 200
    assert door.get("/experiments/get-by-name", experiment_name=name)["experiment"]["name"] == name


def test_what_is_not_served_is_told_as_the_client_expects(door: Asking) -> None:
    for method, path in (
        ("GET", "/nothing"),
        ("POST", "/gateway/endpoints/create"),
        ("GET", "/api/3.0/mlflow/scorers/list"),
        ("POST", "/ajax-api/2.0/mlflow/runs/nothing"),
        ("GET", "/api/2.0/"),
    ):
        assert door.refused(method, path, {} if method == "POST" else None)[:2] == (404, "ENDPOINT_NOT_FOUND")
    assert door.refused("GET", "/runs/create")[0] == 405


def test_every_prefix_answers_alike(door: Asking) -> None:
    id = door.experiment()
    for root in ("/api/2.0", "/api/3.0", "/ajax-api/2.0", "/ajax-api/3.0"):
        assert (
            door.ask("GET", f"{root}/mlflow/experiments/get?experiment_id={id}")["experiment"][
                "experiment_id"
            ]
            == id
        )
    told = door.ask("GET", "/api/3.0/mlflow/server-info")
    assert (told["store_type"], told["workspaces_enabled"]) == ("SqlStore", False)


def test_histories_of_several_runs_are_for_charts(door: Asking) -> None:
    runs = sorted(door.run()["run_id"] for _ in range(2))
    for run in runs:
        points = [{"key": "m", "value": n / 7, "timestamp": 10 + n, "step": n} for n in range(1000)]
        door.post("/runs/log-batch", run_id=run, metrics=points)
    bulk = door.get(
        "/ajax-api/2.0/mlflow/metrics/get-history-bulk", run_id=runs, metric_key="m", max_results=1500
    )
    assert [point["run_id"] for point in bulk["metrics"]] == [runs[0]] * 1000 + [runs[1]] * 500
    assert bulk["metrics"][5] == {"key": "m", "value": 5 / 7, "timestamp": 15, "step": 5, "run_id": runs[0]}
    path = "/metrics/get-history-bulk-interval"
    chart = door.get(path, run_ids=runs, metric_key="m", max_results=7)["metrics"]
    assert [point["step"] for point in chart] == [0, 143, 286, 429, 572, 715, 999] * 2
    part = door.get(path, run_ids=runs[:1], metric_key="m", start_step=5, end_step=7)["metrics"]
    assert [point["step"] for point in part] == [5, 6, 7]
    assert door.get(path, run_ids=[runs[0], "nobody"], metric_key="other")["metrics"] == []
    assert history(door, "nobody", "m") == []
    for wrong in (
        {"max_results": 0},
        {"max_results": 2501},
        {"start_step": 5},
        {"start_step": 5, "end_step": 4},
        {"run_ids": ["r"] * 101},
    ):
        asked = {"run_ids": runs, "metric_key": "m", **wrong}
        query = "&".join(
            f"{k}={v}" for k, vs in asked.items() for v in (vs if isinstance(vs, list) else [vs])
        )
        assert door.refused("GET", f"{path}?{query}")[0] in {400, 404}


def test_equal_creations_are_many_runs_unless_they_carry_one_key(door: Asking) -> None:
    id = door.experiment()
    document = {"experiment_id": id, "start_time": 5}
    made = {door.post("/runs/create", **document)["run"]["info"]["run_id"] for _ in range(4)}
    assert len(made) == 4
    key = fresh("key")
    keyed = [door.answer("POST", "/runs/create", document, Idempotency_Key=key).json for _ in range(3)]
    assert len({said["run"]["info"]["run_id"] for said in keyed}) == 1
    assert door.answer("POST", "/runs/create", {"experiment_id": "0"}, Idempotency_Key=key).status == 409
    assert len(door.post("/runs/search", experiment_ids=[id])["runs"]) == 5


def test_points_that_come_at_once_are_all_kept_and_each_is_told_its_own_end(door: Asking) -> None:
    runs = [door.run()["run_id"] for _ in range(4)]
    gone = door.run()["run_id"]
    door.post("/runs/delete", run_id=gone)
    told: list[tuple[str, int]] = []

    def work(worker: int) -> None:
        connection = door.serving.connection()
        for step in range(60):
            run = [*runs, gone, "nobody"][(worker + step) % 6]
            point = {
                "run_id": run,
                "key": f"k{worker % 3}",
                "value": worker,
                "timestamp": step,
                "step": worker * 100 + step,
            }
            headers = {"Content-Type": "application/json"}
            connection.request("POST", API + LOG, json.dumps(point).encode(), headers)
            answer = connection.getresponse()
            answer.read()
            told.append((run, answer.status))
        connection.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for run, status in told if run in runs} == {200}
    assert {status for run, status in told if run == gone} == {400}
    assert {status for run, status in told if run == "nobody"} == {404}
    for run in runs:
        kept = sum(len(history(door, run, f"k{n}")) for n in range(3))
        assert kept == sum(1 for named, _ in told if named == run)


def test_a_point_with_a_key_is_answered_once(door: Asking) -> None:
    run, key = door.run()["run_id"], fresh("key")
    point = {"run_id": run, "key": "m", "value": 1, "timestamp": 1}
    assert [door.answer("POST", LOG, point, Idempotency_Key=key).status for _ in range(2)] == [200, 200]
    assert door.answer("POST", LOG, {**point, "value": 2}, Idempotency_Key=key).status == 409
    assert len(history(door, run, "m")) == 1


def test_a_run_whose_maker_went_away_is_marked_and_hidden(door: Asking) -> None:
    id = door.experiment()
    document = json.dumps({"experiment_id": id, "run_name": "orphan"}).encode()
    head = (
        f"POST {API}/runs/create HTTP/1.1\r\nHost: 127.0.0.1:{door.serving.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(document)}\r\n\r\n"
    ).encode()
    for _ in range(
        20
    ):  # where the answer was out before the end of the connection was seen, the run was claimed
        with socket.create_connection(("127.0.0.1", door.serving.port)) as wire:
            wire.sendall(head + document)
    door.post("/runs/create", experiment_id=id, run_name="claimed")

    def found(filter: str = "") -> set[str]:
        runs = door.post("/runs/search", experiment_ids=[id], filter=filter)["runs"]
        return {run["info"]["run_name"] + run["info"]["run_id"] for run in runs}

    deadline = time.monotonic() + 20
    while not (hidden := found("tags.`lineal.unclaimed` = 'true'")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert hidden
    assert any(name.startswith("claimed") for name in found())
    assert not hidden & found()


def test_runs_datasets_and_code_are_in_the_graph(door: Asking) -> None:
    parent = door.run(door.experiment())["run_id"]
    tags = {
        "mlflow.parentRunId": parent,
        "mlflow.source.name": "/srv/me/train.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": "ab" * 20,
        "mlflow.source.git.repoURL": "https://ada:secret@example.org/shop.git",
        "mlflow.source.git.dirty": "true",
        "mlflow.source.git.diff": "diff --git a/x b/x\n+password = 'hunter2hunter2'\n",
    }
    run = door.run(door.experiment(), **tags)["run_id"]
    name = fresh("flights")
    dataset = {"name": name, "digest": "9010d92e", "source_type": "s3", "source": '{"uri": "s3://b/k"}'}
    context = [{"key": "mlflow.data.context", "value": "training"}]
    door.post("/runs/log-inputs", run_id=run, datasets=[{"dataset": dataset, "tags": context}])
    found = door.serving.get(f"/api/lineal/v1/show?ref=run:{run}").json
    assert found["job"] == "train.py"
    assert found["summary"]["parent"] == parent
    (used,) = found["inputs"]
    assert (used["role"], used["uri"], used["digest"], used["level"]) == (
        "training",
        "s3://b/k",
        None,
        "declared",
    )
    assert {"scheme": "mlflow-digest", "value": "9010d92e", "level": "sampled"} in used["references"]
    assert found["code"]["commit"] == "ab" * 20
    assert found["code"]["remote"] == "https://example.org/shop.git"
    assert found["code"]["dirty"] is True
    kept = door.serving.get(f"/api/lineal/v1/blobs/{found['code']['diff']}").body
    assert b"diff --git" in kept
    assert door.serving.get(f"/api/lineal/v1/show?ref=run:{parent}").json["children"][0]["run_id"] == run


def test_a_run_recorded_otherwise_is_seen_and_taken_on(door: Asking) -> None:
    """A program under `lineal run` that uses MLflow logs into the run that is recorded already."""
    run = fresh("").replace("-", "").rjust(32, "0")
    event = {
        "type": "run_started", "run": run, "namespace": "shop", "job": "train.py", "at": 1_700_000_000_000_000, "name": "x",
    }  # fmt: skip
    batch = {
        "door": "journal", "source": run, "start": 0, "position": 10, "digest": "sha256:0", "actor": "ada", "events": [event],
    }  # fmt: skip
    assert door.serving.post("/api/lineal/v1/ingest", {"batches": [batch]}).status == 200
    info = door.get("/runs/get", run_id=run)["run"]["info"]
    assert (info["experiment_id"], info["status"], info["start_time"]) == ("0", "RUNNING", 1_700_000_000_000)
    door.post(LOG, run_id=run, key="m", value=1, timestamp=1)
    door.post("/runs/update", run_id=run, status="FINISHED", end_time=1_700_000_001_000)
    assert run in {r["info"]["run_id"] for r in door.post("/runs/search", experiment_ids=["0"])["runs"]}
    assert door.serving.get(f"/api/lineal/v1/show?ref=run:{run}").json["state"] == "finished"


def test_lineage_terms_find_runs_by_what_they_descend_from(door: Asking) -> None:
    id = door.experiment()
    first, second, third = (door.run(id)["run_id"] for _ in range(3))
    model = door.model(id, source_run_id=first)["model_id"]
    door.post("/runs/outputs", run_id=first, models=[{"model_id": model, "step": 3}])
    door.post("/runs/log-inputs", run_id=second, models=[{"model_id": model}])

    def found(filter: str) -> set[str]:
        return {
            r["info"]["run_id"] for r in door.post("/runs/search", experiment_ids=[id], filter=filter)["runs"]
        }

    assert found(f"lineage.downstream = 'run:{first}'") == {second}
    assert found(f"lineage.upstream = 'run:{second}'") == {first}
    assert found(f"NOT lineage.upstream = 'run:{second}'") == {second, third}
    got = door.get("/runs/get", run_id=first)["run"]
    assert got["outputs"]["model_outputs"] == [{"model_id": model, "step": 3}]
    assert door.get("/runs/get", run_id=second)["run"]["inputs"]["model_inputs"] == [{"model_id": model}]
    assert (
        door.refused(
            "POST", "/runs/search", {"experiment_ids": [id], "filter": "lineage.upstream = 'nobody'"}
        )[0]
        == 400
    )


def test_a_run_behind_a_registered_model_is_not_deleted_unless_forced(door: Asking) -> None:
    id = door.experiment()
    run = door.run(id)["run_id"]
    model = door.ready_model(id, source_run_id=run)
    name = door.registered(model)
    for path, document in (("/runs/delete", {"run_id": run}), ("/experiments/delete", {"experiment_id": id})):
        status, code, message = door.refused("POST", path, document)
        assert (status, code) == (409, "RESOURCE_CONFLICT")
        assert name in message
    door.post("/runs/set-tag", run_id=run, key="lineal.force_delete", value="true")
    door.post("/runs/delete", run_id=run)
    assert door.get("/runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "deleted"


def test_a_legacy_model_is_added_to_the_tag_that_lists_them(door: Asking) -> None:
    run = door.run()["run_id"]
    said = {"artifact_path": "m", "flavors": {}, "utc_time_created": "now", "run_id": run}
    for _ in range(2):
        door.post("/runs/log-model", run_id=run, model_json=json.dumps(said))
    tags = {t["key"]: t["value"] for t in door.get("/runs/get", run_id=run)["run"]["data"]["tags"]}
    assert json.loads(tags["mlflow.log-model.history"]) == [said, said]
    assert door.refused("POST", "/runs/log-model", {"run_id": run, "model_json": "{}"})[0] == 400


def test_a_metric_of_a_model_is_told_with_the_model(door: Asking) -> None:
    run = door.run()["run_id"]
    model = door.model(source_run_id=run)["model_id"]
    for value, step in ((0.5, 1), (0.7, 2), (math.pi, 0)):
        door.post(LOG, run_id=run, key="acc", value=value, timestamp=step, step=step, model_id=model)
    metrics = door.get(f"/logged-models/{model}")["model"]["data"]["metrics"]
    assert [(m["key"], m["value"], m["run_id"]) for m in metrics] == [("acc", 0.7, run)]
    assert len(history(door, run, "acc")) == 3
