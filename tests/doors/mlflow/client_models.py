"""Checks that run under the unmodified mlflow client: models, the registry, artifacts, traces, webhooks."""

from __future__ import annotations

import os
import tempfile
import uuid
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

client = MlflowClient()
X, y = load_iris(return_X_y=True, as_frame=True)
mlflow.set_experiment("iris")


def fresh(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


def refused(code, function, *words, **more):
    try:
        function(*words, **more)
    except MlflowException as error:
        if error.error_code != code:
            raise
        return str(error)
    raise AssertionError(f"{function} was not refused")


# MLflow finds what a model needs by loading it in another process, every time. One check lets it.
NEEDS = ["scikit-learn"]


def logged(name="model", **more):
    with mlflow.start_run() as run:
        fitted = LogisticRegression(max_iter=500).fit(X, y)
        return run, fitted, mlflow.sklearn.log_model(fitted, name=name, pip_requirements=NEEDS, **more)


def check_an_autologged_model_comes_back_and_predicts_the_same():
    mlflow.sklearn.autolog(log_input_examples=True)
    try:
        with mlflow.start_run() as run:
            fitted = LogisticRegression(max_iter=500).fit(X, y)
    finally:
        mlflow.sklearn.autolog(disable=True)
    model = mlflow.last_logged_model()
    assert model.source_run_id == run.info.run_id
    assert client.get_logged_model(model.model_id).status == "READY"
    back = mlflow.pyfunc.load_model(f"models:/{model.model_id}")
    assert np.array_equal(back.predict(X), fitted.predict(X))
    outputs = client.get_run(run.info.run_id).outputs.model_outputs
    assert [output.model_id for output in outputs] == [model.model_id]


def check_a_registered_model_is_loaded_by_alias_number_and_stage():
    name = fresh("churn")
    _, fitted, info = logged(registered_model_name=name)
    version = mlflow.register_model(info.model_uri, name)
    assert version.version == "2"
    client.set_registered_model_alias(name, "champion", 1)
    client.transition_model_version_stage(name, 2, "Production")
    for uri in (
        f"models:/{name}@champion",
        f"models:/{name}/1",
        f"models:/{name}/Production",
        f"models:/{name}/latest",
    ):
        assert np.array_equal(mlflow.pyfunc.load_model(uri).predict(X), fitted.predict(X)), uri
    assert mlflow.sklearn.load_model(f"models:/{name}@champion").coef_.shape == fitted.coef_.shape
    assert client.get_model_version_by_alias(name, "champion").version == "1"
    client.delete_registered_model_alias(name, "champion")
    refused("INVALID_PARAMETER_VALUE", client.get_model_version_by_alias, name, "champion")


def check_a_model_below_a_runs_files_is_registered_and_loaded():
    name = fresh("below")
    run, fitted, _info = logged()
    with tempfile.TemporaryDirectory() as folder:
        mlflow.sklearn.save_model(fitted, folder + "/m", pip_requirements=NEEDS)
        client.log_artifacts(run.info.run_id, folder + "/m", "old-style")
    version = mlflow.register_model(f"runs:/{run.info.run_id}/old-style", name)
    assert version.run_id == run.info.run_id
    back = mlflow.pyfunc.load_model(f"models:/{name}/1")
    assert np.array_equal(back.predict(X), fitted.predict(X))


def check_the_registry_lists_searches_renames_and_deletes():
    name, other = fresh("registry"), fresh("renamed")
    client.create_registered_model(name, {"team": "growth"}, "about")
    for n in range(3):
        client.create_model_version(name, f"s3://bucket/{n}", tags={"n": str(n)})
    found = client.search_model_versions(f"name='{name}' and tags.n = '1'")
    assert [version.version for version in found] == ["2"]
    assert [m.name for m in client.search_registered_models("tags.team = 'growth'") if m.name == name] == [
        name
    ]
    client.rename_registered_model(name, other)
    assert client.get_registered_model(other).description == "about"
    assert client.get_model_version(other, 3).source == "s3://bucket/2"
    copied = client.copy_model_version(f"models:/{other}/1", other)
    assert copied.version == "4"
    assert copied.source == f"models:/{other}/1"
    client.delete_model_version(other, "2")
    refused("RESOURCE_DOES_NOT_EXIST", client.get_model_version, other, "2")
    client.delete_registered_model(other)
    refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, other)
    client.create_registered_model(other)
    assert client.create_model_version(other, "s3://bucket/x").version == "1"


def check_what_a_living_version_needs_is_kept_until_it_is_let_go():
    name = fresh("kept")
    run, _, info = logged(registered_model_name=name)
    for function, id in ((client.delete_run, run.info.run_id), (client.delete_logged_model, info.model_id)):
        assert f"registered {name}@1" in refused("RESOURCE_CONFLICT", function, id)
    client.delete_registered_model(name)
    client.delete_run(run.info.run_id)
    client.restore_run(run.info.run_id)
    client.delete_logged_model(info.model_id)
    refused("RESOURCE_DOES_NOT_EXIST", client.get_logged_model, info.model_id)


def check_logged_models_are_found_by_metrics_on_a_dataset():
    experiment = client.create_experiment(fresh("search"))
    data = mlflow.data.from_pandas(pd.DataFrame({"a": [1, 2]}), name="eval")
    ids = []
    for accuracy in (0.6, 0.9):
        with mlflow.start_run(experiment_id=experiment):
            model = mlflow.initialize_logged_model(name="m", params={"p": str(accuracy)})
            mlflow.log_metric("acc", accuracy, dataset=data, model_id=model.model_id)
            mlflow.finalize_logged_model(model.model_id, "READY")
            ids.append(model.model_id)
    search = {"experiment_ids": [experiment], "output_format": "list"}
    found = mlflow.search_logged_models(
        filter_string="metrics.acc > 0.5",
        order_by=[{"field_name": "metrics.acc", "ascending": False, "dataset_name": "eval"}],
        **search,
    )
    assert [model.model_id for model in found] == ids[::-1]
    assert found[0].metrics[0].value == 0.9
    assert found[0].metrics[0].dataset_name == "eval"
    found = mlflow.search_logged_models(filter_string="params.p = '0.6'", **search)
    assert [model.model_id for model in found] == ids[:1]
    client.set_logged_model_tags(ids[0], {"k": "v"})
    client.delete_logged_model_tag(ids[0], "k")
    assert "k" not in client.get_logged_model(ids[0]).tags


def check_artifacts_go_up_and_come_down():
    with mlflow.start_run() as run, tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "up")
        (tree / "deep").mkdir(parents=True)
        (tree / "a.txt").write_text("ä")
        (tree / "deep" / "b.bin").write_bytes(os.urandom(5000))
        mlflow.log_artifacts(str(tree), "tree")
        mlflow.log_text("hello", "hello.txt")
        mlflow.log_dict({"a": 1}, "deep/dict.json")
        mlflow.log_table({"x": [1, 2]}, "table.json")
        listed = [item.path for item in client.list_artifacts(run.info.run_id)]
        assert listed == ["deep", "hello.txt", "table.json", "tree"], listed
        assert mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/deep/dict.json") == {"a": 1}
        down = mlflow.artifacts.download_artifacts(
            run_id=run.info.run_id, artifact_path="tree", dst_path=folder + "/down"
        )
        for path in ("a.txt", "deep/b.bin"):
            assert Path(down, path).read_bytes() == (tree / path).read_bytes()
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        get_artifact_repository(run.info.artifact_uri).delete_artifacts("tree")
        assert "tree" not in [item.path for item in client.list_artifacts(run.info.run_id)]


def check_a_hundred_megabytes_go_up_and_come_down():
    with mlflow.start_run() as run, tempfile.TemporaryDirectory() as folder:
        large = Path(folder, "large.bin")
        piece = os.urandom(1 << 20)
        with large.open("wb") as file:
            for _ in range(100):
                file.write(piece)
        mlflow.log_artifact(str(large))
        down = mlflow.artifacts.download_artifacts(
            run_id=run.info.run_id, artifact_path="large.bin", dst_path=folder + "/d"
        )
        assert Path(down).stat().st_size == 100 << 20
        assert Path(down).read_bytes() == large.read_bytes()


def check_prompts_are_registered_and_loaded():
    name = fresh("prompt")
    mlflow.genai.register_prompt(name, "Say {{word}}", tags={"a": "b"})
    mlflow.genai.register_prompt(name, "Tell me {{word}}")
    assert mlflow.genai.load_prompt(f"prompts:/{name}/1").format(word="hi") == "Say hi"
    mlflow.genai.set_prompt_alias(name, "best", 2)
    assert mlflow.genai.load_prompt(f"prompts:/{name}@best").version == 2
    assert name in [prompt.name for prompt in mlflow.genai.search_prompts(f"name = '{name}'")]
    assert client.search_registered_models(f"name = '{name}'") == []


def check_traces_are_kept_with_their_spans_and_name_the_model_that_answered():
    model = mlflow.initialize_logged_model(name="agent")
    mlflow.set_active_model(model_id=model.model_id)

    @mlflow.trace(span_type="CHAIN", attributes={"k": [1, 2.5, "x", {"deep": None}]})
    def answer(question):
        with mlflow.start_span("inner") as span:
            span.set_inputs({"q": question})
            span.set_outputs({"a": float("nan")})
        return question.upper()

    with mlflow.start_run() as run:
        assert answer("why?") == "WHY?"
    id = mlflow.get_last_active_trace_id()
    mlflow.flush_trace_async_logging()
    trace = client.get_trace(id)
    assert [span.name for span in trace.data.spans] == ["answer", "inner"]
    assert trace.data.spans[0].outputs == "WHY?"
    assert trace.info.state == "OK"
    assert trace.data.spans[0].attributes["k"] == [1, 2.5, "x", {"deep": None}]
    assert trace.info.trace_metadata["mlflow.modelId"] == model.model_id
    assert trace.info.trace_metadata["mlflow.sourceRun"] == run.info.run_id
    experiment = trace.info.experiment_id
    found = mlflow.search_traces(
        locations=[experiment],
        filter_string=f"metadata.`mlflow.modelId` = '{model.model_id}'",
        return_type="list",
    )
    assert [one.info.trace_id for one in found] == [id]
    assert [len(one.data.spans) for one in found] == [2]
    client.set_trace_tag(id, "mark", "x")
    found = mlflow.search_traces(
        locations=[experiment], filter_string="tags.mark = 'x' AND status = 'OK'", return_type="list"
    )
    assert [one.info.trace_id for one in found] == [id]
    client.delete_trace_tag(id, "mark")
    feedback = mlflow.log_feedback(trace_id=id, name="good", value=True, rationale="because")
    assert [one.name for one in client.get_trace(id).info.assessments] == ["good"]
    mlflow.override_feedback(trace_id=id, assessment_id=feedback.assessment_id, value=False)
    assert mlflow.get_assessment(id, feedback.assessment_id) is not None
    mlflow.delete_assessment(id, feedback.assessment_id)
    assert client.delete_traces(experiment, trace_ids=[id]) == 1
    refused("RESOURCE_DOES_NOT_EXIST", client._tracing_client.get_trace_info, id)


def check_webhooks_are_made_listed_changed_and_deleted():
    name = fresh("hook")
    made = client.create_webhook(
        name=name,
        url="https://example.com/hook",
        events=["registered_model.created", "model_version_alias.created"],
        secret="s3cret",
    )
    assert [str(event) for event in made.events] == [
        "registered_model.created",
        "model_version_alias.created",
    ]
    assert made.webhook_id in [hook.webhook_id for hook in client.list_webhooks()]
    changed = client.update_webhook(made.webhook_id, description="d", status="DISABLED")
    assert (changed.description, str(changed.status), changed.url) == (
        "d",
        "DISABLED",
        "https://example.com/hook",
    )
    assert client.test_webhook(made.webhook_id).success is False
    client.delete_webhook(made.webhook_id)
    refused("RESOURCE_DOES_NOT_EXIST", client.get_webhook, made.webhook_id)
