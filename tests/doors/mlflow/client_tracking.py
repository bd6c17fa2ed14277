"""What the unmodified mlflow client is promised of experiments, runs, metrics and search. Run by `checking.py`."""

from __future__ import annotations

import itertools
import json
import math
import os
import time
import urllib.request

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException, RestException

client = MlflowClient()
numbers = itertools.count(1)


def fresh(name: str = "experiment") -> str:
    return f"{name}-{os.getpid()}-{next(numbers)}"


def experiment() -> str:
    return client.create_experiment(fresh())


def refused(function, *words, **named) -> RestException:
    try:
        function(*words, **named)
    except MlflowException as error:
        return error
    raise AssertionError(f"{function.__name__} was not refused")


def check_the_default_experiment_is_there_from_the_beginning() -> None:
    found = client.get_experiment("0")
    assert (found.name, found.lifecycle_stage) == ("Default", "active")
    assert client.get_experiment_by_name("Default").experiment_id == "0"
    assert refused(client.create_experiment, "Default").error_code == "RESOURCE_ALREADY_EXISTS"


def check_experiments_are_made_renamed_deleted_and_restored() -> None:
    name = fresh()
    id = client.create_experiment(name, artifact_location="s3://bucket/here", tags={"a": "1", "b": ""})
    found = client.get_experiment(id)
    assert (found.name, found.artifact_location, found.tags) == (
        name,
        "s3://bucket/here",
        {"a": "1", "b": ""},
    )
    assert found.creation_time == found.last_update_time > 1_600_000_000_000
    assert refused(client.create_experiment, name).error_code == "RESOURCE_ALREADY_EXISTS"
    client.set_experiment_tag(id, "c", "3")
    client.delete_experiment_tag(id, "a")
    assert client.get_experiment(id).tags == {"b": "", "c": "3"}
    other = fresh()
    client.rename_experiment(id, other)
    assert client.get_experiment_by_name(name) is None
    assert client.get_experiment_by_name(other).experiment_id == id
    run = client.create_run(id).info.run_id
    client.delete_experiment(id)
    assert client.get_experiment(id).lifecycle_stage == "deleted"
    assert client.get_run(run).info.lifecycle_stage == "deleted"
    assert refused(client.create_run, id).error_code == "INVALID_PARAMETER_VALUE"
    assert refused(client.create_experiment, other).error_code == "RESOURCE_ALREADY_EXISTS"
    assert refused(client.rename_experiment, id, fresh()).error_code == "INVALID_STATE"
    client.restore_experiment(id)
    assert client.get_experiment(id).lifecycle_stage == "active"
    assert client.get_run(run).info.lifecycle_stage == "active"
    assert refused(client.get_experiment, "987654321").error_code == "RESOURCE_DOES_NOT_EXIST"


def check_experiments_are_searched_by_name_tag_and_time() -> None:
    mark = fresh("mark")
    ids = [client.create_experiment(f"{mark}-{letter}", tags={"mark": mark, "n": letter}) for letter in "abc"]

    def found(filter: str, **more) -> list[str]:
        whole = f"tags.mark = '{mark}'" + (f" AND {filter}" if filter else "")
        return [e.name[-1] for e in client.search_experiments(filter_string=whole, **more)]

    assert sorted(found("")) == ["a", "b", "c"]
    assert found("", order_by=["name DESC"]) == ["c", "b", "a"]
    assert found("name LIKE '%-b'") == ["b"]
    assert found("attribute.name ILIKE '%-B'") == ["b"]
    assert found("tags.n != 'a'", order_by=["name"]) == ["b", "c"]
    assert found("creation_time > 0", order_by=["experiment_id"]) == ["a", "b", "c"]
    assert found("(name LIKE '%-a' OR NOT tags.n = 'b')", order_by=["name"]) == ["a", "c"]
    client.delete_experiment(ids[0])
    assert found("", order_by=["name"]) == ["b", "c"]
    assert found("", view_type=ViewType.DELETED_ONLY) == ["a"]
    assert found("", view_type=ViewType.ALL, order_by=["name"]) == ["a", "b", "c"]
    page = client.search_experiments(filter_string=f"tags.mark = '{mark}'", max_results=1, order_by=["name"])
    assert [e.name[-1] for e in page] == ["b"]
    assert page.token
    last = client.search_experiments(
        filter_string=f"tags.mark = '{mark}'", max_results=1, order_by=["name"], page_token=page.token
    )
    assert [e.name[-1] for e in last] == ["c"]
    assert not last.token


def check_a_fluent_session_is_kept_as_it_was_told() -> None:
    mlflow.set_experiment(fresh())
    with mlflow.start_run(run_name="outer", tags={"team": "ads"}, description="why") as outer:
        mlflow.log_param("depth", 3)
        mlflow.log_params({"lr": 0.1, "opt": "adam"})
        mlflow.log_metric("loss", 0.5)
        for step in range(5):
            mlflow.log_metrics({"acc": step / 10, "f1": step / 20}, step=step)
        mlflow.set_tags({"a": 1, "b": None})
        with mlflow.start_run(run_name="inner", nested=True) as inner:
            mlflow.log_metric("loss", 1)
    found = client.get_run(outer.info.run_id)
    assert (found.info.run_name, found.info.status) == ("outer", "FINISHED")
    assert found.info.end_time >= found.info.start_time > 1_600_000_000_000
    assert found.data.params == {"depth": "3", "lr": "0.1", "opt": "adam"}
    assert found.data.metrics == {"loss": 0.5, "acc": 0.4, "f1": 0.2}
    assert found.data.tags["team"] == "ads"
    assert found.data.tags["mlflow.note.content"] == "why"
    assert found.data.tags["a"] == "1"
    assert found.data.tags["mlflow.runName"] == "outer"
    assert client.get_run(inner.info.run_id).data.tags["mlflow.parentRunId"] == outer.info.run_id
    assert [m.value for m in client.get_metric_history(outer.info.run_id, "acc")] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert found.info.artifact_uri == (
        f"mlflow-artifacts:/{found.info.experiment_id}/{found.info.run_id}/artifacts"
    )


def check_a_run_is_resumed_renamed_killed_and_fails() -> None:
    mlflow.set_experiment(fresh())
    with mlflow.start_run() as run:
        pass
    with mlflow.start_run(run_id=run.info.run_id):
        assert client.get_run(run.info.run_id).info.status == "RUNNING"
    try:
        with mlflow.start_run(run_id=run.info.run_id):
            raise KeyError("x")
    except KeyError:
        pass
    assert client.get_run(run.info.run_id).info.status == "FAILED"
    for status in ("KILLED", "SCHEDULED", "RUNNING", "FINISHED"):
        client.update_run(run.info.run_id, status=status, name=f"is {status}")
        found = client.get_run(run.info.run_id)
        assert (found.info.status, found.info.run_name) == (status, f"is {status}")
        assert found.data.tags["mlflow.runName"] == f"is {status}"
        assert [
            r.info.run_id for r in client.search_runs([run.info.experiment_id], f"status = '{status}'")
        ] == [run.info.run_id]
    client.set_tag(run.info.run_id, "mlflow.runName", "other")
    assert client.get_run(run.info.run_id).info.run_name == "other"
    client.set_terminated(run.info.run_id, end_time=7)
    assert client.get_run(run.info.run_id).info.end_time == 7


def check_metrics_come_back_to_the_last_bit() -> None:
    run = client.create_run(experiment()).info.run_id
    values = [math.nan, math.inf, -math.inf, 0.1 + 0.2, 1e-320, -1.7976931348623157e308, 2.0**53 + 2, -0.0, 3]
    for step, value in enumerate(values):
        client.log_metric(run, "one", value, timestamp=100 + step, step=step)
    client.log_batch(run, [Metric("batch", value, 100 + n, n) for n, value in enumerate(values)])
    for key in ("one", "batch"):
        points = client.get_metric_history(run, key)
        assert [(p.timestamp, p.step) for p in points] == [(100 + n, n) for n in range(len(values))]
        for point, value in zip(points, values, strict=True):
            assert np.float64(point.value).tobytes() == np.float64(value).tobytes() or (
                math.isnan(point.value) and math.isnan(value)
            ), (point, value)
    client.log_batch(
        run, [Metric("nan", math.nan, 1, 1), Metric("inf", math.inf, 1, 1), Metric("low", -math.inf, 1, 1)]
    )
    last = client.get_run(run).data.metrics
    assert math.isnan(last["nan"])
    assert last["inf"] == math.inf
    assert last["low"] == -math.inf
    assert last["one"] == 3
    extremes = [(0, 2**63 - 1), (9_000_000_000_000_000, -(2**63)), (253402300799000, 0)]
    for at, step in extremes:
        client.log_metric(run, "far", 1.0, timestamp=at, step=step)
    assert sorted((p.timestamp, p.step) for p in client.get_metric_history(run, "far")) == sorted(extremes)


def check_a_repeated_point_is_kept_once_and_another_value_beside_it() -> None:
    run = client.create_run(experiment()).info.run_id
    for value in (1.0, 1.0, 2.0, math.nan, math.nan, 1.0):
        client.log_metric(run, "m", value, timestamp=5, step=3)
    batch = [Metric("b", float(n % 3), 7, 1) for n in range(9)]
    for _ in range(2):
        client.log_batch(run, batch)
    assert sorted(str(p.value) for p in client.get_metric_history(run, "m")) == ["1.0", "2.0", "nan"]
    assert [p.value for p in client.get_metric_history(run, "b")] == [0.0, 1.0, 2.0]
    assert client.get_run(run).data.metrics == {"m": 2.0, "b": 2.0}


def check_the_latest_metric_is_that_of_the_greatest_step_then_time_then_value() -> None:
    run = client.create_run(experiment()).info.run_id
    for value, at, step in ((1, 10, 5), (2, 99, 4), (3, 11, 5), (4, 11, 5), (3.5, 11, 5), (9, 1, -7)):
        client.log_metric(run, "m", value, timestamp=at, step=step)
    assert client.get_run(run).data.metrics["m"] == 4
    assert [p.value for p in client.get_metric_history(run, "m")] == [9, 1, 3, 3.5, 4, 2]


def check_a_history_comes_in_pages() -> None:
    run = client.create_run(experiment()).info.run_id
    for start in range(0, 2500, 500):
        client.log_batch(run, [Metric("m", float(n), n, n) for n in range(start, start + 500)])
    store = client._tracking_client.store
    page = store.get_metric_history(run, "m", max_results=1000)
    assert [p.step for p in page] == list(range(1000))
    assert page.token
    rest = store.get_metric_history(run, "m", max_results=2000, page_token=page.token)
    assert [p.step for p in rest] == list(range(1000, 2500))
    assert not rest.token
    assert len(client.get_metric_history(run, "m")) == 2500
    chart = store.get_metric_history_bulk_interval([run], "m", 100, None, None)
    assert chart[0].step == 0
    assert chart[-1].step == 2499
    assert len(chart) <= 101
    part = store.get_metric_history_bulk_interval([run], "m", 10, 200, 209)
    assert [p.step for p in part] == list(range(200, 210))
    assert refused(store.get_metric_history, run, "m", max_results=0).error_code == "INVALID_PARAMETER_VALUE"


def check_parameters_are_written_once() -> None:
    run = client.create_run(experiment()).info.run_id
    client.log_param(run, "p", "1")
    client.log_param(run, "p", "1")
    assert "Changing param values is not allowed" in str(refused(client.log_param, run, "p", "2"))
    client.log_batch(run, params=[Param("p", "1"), Param("q", "")])
    error = refused(
        client.log_batch, run, metrics=[Metric("m", 1, 1, 1)], params=[Param("p", "3"), Param("r", "1")]
    )
    assert error.error_code == "INVALID_PARAMETER_VALUE"
    found = client.get_run(run).data
    assert found.params == {"p": "1", "q": ""}
    assert found.metrics == {}


def check_long_values_are_kept_whole_and_shown_cut() -> None:
    run = client.create_run(experiment()).info.run_id
    long = "".join(chr(33 + n % 90) for n in range(20_000))
    client.log_param(run, "p", long)
    client.set_tag(run, "t", long)
    client.log_batch(run, params=[Param("p", long)])  # the same value again, all of it
    found = client.get_run(run).data
    assert found.params["p"] == long[:6000]
    assert found.tags["t"] == long[:8000]
    assert found.tags["lineal.truncated"] == "params.p, tags.t"
    url = os.environ["MLFLOW_TRACKING_URI"] + f"/api/lineal/v1/show?ref=run:{run}"
    with urllib.request.urlopen(url) as answer:
        whole = json.load(answer)
    assert next(p["value"] for p in whole["params"] if p["key"] == "p") == long
    assert whole["tags"]["t"] == long


def check_tags_are_replaced_and_deleted() -> None:
    run = client.create_run(experiment(), tags={"a": "1"}).info.run_id
    client.set_tag(run, "a", "2")
    client.log_batch(run, tags=[RunTag("b", "x"), RunTag("c", "ö\n")])
    client.delete_tag(run, "b")
    tags = client.get_run(run).data.tags
    assert tags["a"] == "2"
    assert tags["c"] == "ö\n"
    assert "b" not in tags
    assert refused(client.delete_tag, run, "b").error_code == "RESOURCE_DOES_NOT_EXIST"
    client.set_tag(run, "b", "again")
    assert client.get_run(run).data.tags["b"] == "again"


def check_a_deleted_run_takes_nothing_and_is_restored() -> None:
    id = experiment()
    run = client.create_run(id).info.run_id
    client.delete_run(run)
    client.delete_run(run)
    for refusal in (
        refused(client.log_metric, run, "m", 1),
        refused(client.log_param, run, "p", 1),
        refused(client.set_tag, run, "t", 1),
        refused(client.set_terminated, run),
        refused(client.log_batch, run, [Metric("m", 1, 1, 1)]),
    ):
        assert refusal.error_code == "INVALID_PARAMETER_VALUE"
        assert "must be in the 'active' state" in str(refusal)
    assert client.search_runs([id]) == []
    assert [r.info.run_id for r in client.search_runs([id], run_view_type=ViewType.DELETED_ONLY)] == [run]
    client.restore_run(run)
    client.log_metric(run, "m", 1)
    assert [r.info.run_id for r in client.search_runs([id])] == [run]
    assert refused(client.get_run, "0" * 32).error_code == "RESOURCE_DOES_NOT_EXIST"


def check_limits_are_told_not_stumbled_over() -> None:
    run = client.create_run(experiment()).info.run_id
    store = client._tracking_client.store
    for metrics, params, tags in (
        ([Metric(f"m{n}", 1, 1, 1) for n in range(1001)], [], []),
        ([], [Param(f"p{n}", "1") for n in range(101)], []),
        ([], [], [RunTag(f"t{n}", "1") for n in range(101)]),
        ([Metric(f"m{n}", 1, 1, 1) for n in range(950)], [Param(f"p{n}", "1") for n in range(51)], []),
        ([], [Param("p", "1"), Param("p", "1")], []),
        ([Metric("x" * 251, 1, 1, 1)], [], []),
        ([Metric("../x", 1, 1, 1)], [], []),
        ([Metric("a$b", 1, 1, 1)], [], []),
        ([Metric("m", 1, -1, 1)], [], []),
    ):
        assert refused(store.log_batch, run, metrics, params, tags).error_code == "INVALID_PARAMETER_VALUE"
    assert refused(client.create_experiment, "x" * 501).error_code == "INVALID_PARAMETER_VALUE"
    assert refused(client.create_experiment, "a\u202eb").error_code == "INVALID_PARAMETER_VALUE"
    assert (
        refused(client.create_experiment, fresh(), artifact_location="/etc").error_code
        == "INVALID_PARAMETER_VALUE"
    )
    assert client.get_run(run).data.metrics == {}


def runs_for_searching() -> str:
    id = experiment()
    said = [  # start, acc, lr, tag k, status
        (1000, 0.1, "0.1", "v", "FINISHED"),
        (1000, 0.2, "10", "W", None),
        (1001, math.nan, "9", "v", None),
        (1001, 0.4, "a", "W", "FAILED"),
        (1002, math.inf, "B", "v", None),
        (1002, -math.inf, "0.1", "W", None),
        (1003, 0.2, None, None, "KILLED"),
    ]
    for number, (start, acc, lr, tag, status) in enumerate(said):
        tags = {"k": tag, "a b": "x"} if tag else {}
        run = client.create_run(id, start_time=start, run_name=f"r{number}", tags=tags).info.run_id
        client.log_metric(run, "acc", acc)
        client.log_metric(run, "my metric", number)
        if lr:
            client.log_param(run, "lr", lr)
        if status:
            client.set_terminated(run, status, end_time=5000 + number)
    return id


def check_runs_are_searched_in_mlflows_language_and_beyond() -> None:
    id = runs_for_searching()

    def found(filter: str, *order: str) -> str:
        return "".join(
            r.info.run_name[1] for r in client.search_runs([id], filter, order_by=[*order, "run_name"])
        )

    for filter, wanted in {
        "": "0123456",
        "metrics.acc > 0.1": "1346",
        "metric.acc >= 0.1 and metrics.acc < 1": "0136",
        "metrics.acc != 0.2": "02345",
        "metrics.`my metric` <= 1": "01",
        'metrics."my metric" = 3': "3",
        "params.lr = '0.1'": "05",
        "parameter.lr != '0.1'": "1234",
        "param.lr LIKE '%0%'": "015",
        "params.lr ILIKE 'b'": "4",
        "params.lr IS NULL": "6",
        "params.lr IS NOT NULL AND tags.k = 'v'": "024",
        "tags.k ILIKE 'w'": "135",
        "tag.k LIKE 'w'": "",
        "tags.`a b` = 'x'": "012345",
        "tags.nothing = 'x'": "",
        "tags.nothing != 'x'": "",
        "attributes.status = 'RUNNING'": "1245",
        "status != 'RUNNING'": "036",
        "attr.status IN ('KILLED', 'FAILED')": "36",
        "run.status NOT IN ('KILLED', 'FAILED')": "01245",
        "status LIKE 'F%'": "03",
        "attributes.run_name = 'r3'": "3",
        "`Run Name` LIKE 'r%' AND run_name != 'r3'": "012456",
        "attributes.start_time > 1001": "456",
        "start_time = 1001": "23",
        "start_time != 1001": "01456",
        "created <= 1000": "01",
        "end_time >= 5003": "36",
        "user_id = 'unknown'": "0123456",
        "params.lr = '0.1' OR metrics.acc = 0.4": "035",
        "NOT params.lr = '0.1'": "12346",
        "(params.lr = '0.1' OR params.lr = '10') AND NOT (tags.k = 'v')": "15",
    }.items():
        assert found(filter) == wanted, (filter, found(filter), wanted)
    ids = {r.info.run_name: r.info.run_id for r in client.search_runs([id])}
    assert found(f"attributes.run_id IN ('{ids['r1']}', '{ids['r4']}')") == "14"
    assert found(f"run_id NOT IN ('{ids['r1']}')") == "023456"
    assert found(f"run_id = '{ids['r1']}'") == "1"
    assert found(f"artifact_uri = 'mlflow-artifacts:/{id}/{ids['r5']}/artifacts'") == "5"


def check_runs_come_in_the_wanted_order_and_in_pages() -> None:
    id = runs_for_searching()
    ids = {r.info.run_name: r.info.run_id for r in client.search_runs([id])}

    def found(*order: str) -> str:
        return "".join(r.info.run_name[1] for r in client.search_runs([id], order_by=list(order)))

    pair = {
        first + second: "".join(sorted(first + second, key=lambda n: ids[f"r{n}"]))
        for first, second in ["45", "23", "01"]
    }
    natural = "6" + pair["45"] + pair["23"] + pair["01"]
    for order, wanted in {
        (): natural,
        ("metrics.acc",): "5061342",
        ("metrics.acc DESC",): "4361052",
        ("metrics.nothing",): natural,
        ("params.lr ASC", "run_name"): "0512436",
        ("params.lr DESC", "run_name DESC"): "3421506",
        ("tags.k", "metrics.acc DESC"): "3154026",
        ("attributes.status", "run_name DESC"): "3065421",
        ("start_time ASC", "run_name ASC"): "0123456",
        ("end_time DESC", "run_name"): "6301245",
        ("`Run Name` DESC",): "6543210",
        ("attributes.run_id DESC",): "".join(sorted("0123456", key=lambda n: ids[f"r{n}"], reverse=True)),
    }.items():
        assert found(*order) == wanted, (order, found(*order), wanted)
    seen, token = [], None
    while True:
        page = client.search_runs([id], order_by=["metrics.acc"], max_results=3, page_token=token)
        seen += [r.info.run_name[1] for r in page]
        token = page.token
        if not token:
            break
    assert "".join(seen) == "5061342"


def check_a_filter_that_cannot_be_read_is_refused_with_its_place() -> None:
    id = experiment()
    for filter in (
        "metrics.x",
        "metrics.x >",
        "metrics.x = 'a'",
        "params.x = 1",
        "params.x > 'a'",
        "foo.x = 1",
        "attributes.nothing = 'x'",
        "datasets.schema = 'x'",
        "start_time = 'x'",
        "status IS NULL",
        "params.x = 'a' params.y = 'b'",
        "(params.x = 'a'",
        "params.x = 'a",
        "params.x IN ('a', 1)",
        "and",
        "'a' = 'a'",
        "params.x = 'a'; DROP TABLE run",
        "(" * 500 + "params.x = 'a'" + ")" * 500,
        " and ".join(["metrics.x > 1"] * 2000),
    ):
        assert refused(client.search_runs, [id], filter).error_code == "INVALID_PARAMETER_VALUE", filter
    for order in ("metrics.x sideways", "nothing", "datasets.name", "metrics.x, metrics.y"):
        assert refused(client.search_runs, [id], order_by=[order]).error_code == "INVALID_PARAMETER_VALUE", (
            order
        )
    assert refused(client.search_runs, [id], order_by=["metrics.x", "metrics.x DESC"])
    assert refused(client.search_runs, [id], page_token="nonsense").error_code == "INVALID_PARAMETER_VALUE"
    assert refused(client.search_runs, ["x"]).error_code == "INVALID_PARAMETER_VALUE"
    assert refused(client.search_runs, [id], max_results=50_001)
    began = time.monotonic()
    assert client.search_runs([id], "params.x LIKE '" + "%a" * 20 + "'") == []
    assert time.monotonic() - began < 1


def check_datasets_are_inputs_that_can_be_searched() -> None:
    mlflow.set_experiment(fresh())
    name = fresh("numbers")
    data = mlflow.data.from_numpy(np.arange(10.0), source="s3://bucket/key.npy", name=name)
    with mlflow.start_run() as run:
        mlflow.log_input(data, context="training", tags={"fold": "1"})
        mlflow.log_input(data, context="validation")
    found = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert len(found) == 1
    assert (found[0].dataset.name, found[0].dataset.digest, found[0].dataset.source_type) == (
        name,
        data.digest,
        "s3",
    )
    assert json.loads(found[0].dataset.source)["uri"] == "s3://bucket/key.npy"
    assert json.loads(found[0].dataset.profile)["features_size"] == 10
    assert {t.key: t.value for t in found[0].tags} == {"mlflow.data.context": "training", "fold": "1"}
    id = run.info.experiment_id
    for filter, count in {
        f"datasets.name = '{name}'": 1,
        f"dataset.digest = '{data.digest}' AND datasets.context = 'training'": 1,
        "dataset.context = 'validation'": 0,
        f"dataset.name LIKE '{name[:-1]}%'": 1,
        f"dataset.name IN ('{name}', 'x')": 1,
        f"lineage.input = '{name}'": 1,
    }.items():
        assert len(client.search_runs([id], filter)) == count, filter
    many = [
        DatasetInput(Dataset(f"d{n}", f"{n}", "code", "{}", profile="p"), [InputTag("k", "v")])
        for n in range(300)
    ]
    client._tracking_client.store.log_inputs(run.info.run_id, many)
    assert len(client.get_run(run.info.run_id).inputs.dataset_inputs) == 301


def check_a_frame_of_searched_runs_has_every_column() -> None:
    id = runs_for_searching()
    frame = mlflow.search_runs([id], order_by=["attributes.start_time", "run_name"])
    assert list(frame["tags.mlflow.runName"]) == [f"r{n}" for n in range(7)]
    assert list(frame["params.lr"][:2]) == ["0.1", "10"]
    assert frame["metrics.acc"][4] == math.inf
    assert frame["status"][3] == "FAILED"


def check_asynchronous_logging_loses_nothing() -> None:
    mlflow.set_experiment(fresh())
    with mlflow.start_run() as run:
        for step in range(200):
            mlflow.log_metric("m", step, step=step, synchronous=False)
            mlflow.log_param(f"p{step}", step, synchronous=False)
    mlflow.flush_async_logging()
    assert len(client.get_metric_history(run.info.run_id, "m")) == 200
    assert len(client.get_run(run.info.run_id).data.params) == 200
