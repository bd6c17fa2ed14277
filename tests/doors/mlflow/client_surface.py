"""Checks that run beside the mlflow client: each operation that its protocol buffers define, asked once; what comes back is read by
the client's own classes, which refuse a field they do not know."""

from __future__ import annotations

import json
import os
import re
import uuid

import requests
from google.protobuf.json_format import ParseDict
from mlflow.protos import databricks_pb2
from mlflow.protos.mlflow_artifacts_pb2 import MlflowArtifactsService
from mlflow.protos.model_registry_pb2 import ModelRegistryService
from mlflow.protos.service_pb2 import MlflowService
from mlflow.protos.webhooks_pb2 import WebhookService

URL = os.environ["MLFLOW_TRACKING_URI"]
BYTES = URL + "/api/2.0/mlflow-artifacts"
# Only for applications of language models, for Databricks, or for several tenants.
LEFT_OUT = re.compile(
    r"/?mlflow/(gateway|scorers|label-schemas|review-queues|prompt-optimization|issues|workspaces|unified-traces"
    r"|get-online-trace-details|traces/metrics)\b"
)


def _operations():
    """Every operation that the client knows: its name, the class of its answer, method and path."""
    for service in (MlflowService, ModelRegistryService, MlflowArtifactsService, WebhookService):
        for method in service.DESCRIPTOR.methods:
            answer = method.input_type._concrete_class.Response
            for end in method.GetOptions().Extensions[databricks_pb2.rpc].endpoints:
                path = f"/api/{end.since.major}.0/{end.path.lstrip('/')}"
                yield (
                    method.input_type.full_name.removeprefix("mlflow."),  # two services list artifacts
                    answer,
                    end.method,
                    re.sub(r"<path:(\w+)>", r"{\1}", path),
                    end.path,
                )


TABLE = [(n, a, m, p) for n, a, m, p, plain in _operations() if not LEFT_OUT.match(plain)]
OTHERS = [(m, p) for _, _, m, p, plain in _operations() if LEFT_OUT.match(plain)]
asked = set()


def ask(name, /, **said):
    """What an operation answers, at each of its addresses; the last one counts."""
    found = None
    for known, answer, method, path in TABLE:
        if known != name:
            continue
        rest = dict(said)
        for part in re.findall(r"\{([\w.]+)\}", path):
            path = path.replace("{" + part + "}", str(rest.pop(part)))
        how = {"params": rest} if method == "GET" else {"json": rest}
        reply = requests.request(method, URL + path, timeout=60, **how)
        assert reply.status_code == 200, (name, reply.status_code, reply.text[:500])
        found = reply.json()
        ParseDict(found, answer())
        asked.add(name)
    assert found is not None, name
    return found


def fresh(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


def _experiments():
    name = fresh("surface")
    id = ask("CreateExperiment", name=name, tags=[{"key": "a", "value": "b"}])["experiment_id"]
    ask("SetExperimentTag", experiment_id=id, key="k", value="v")
    ask("DeleteExperimentTag", experiment_id=id, key="k")
    assert ask("GetExperiment", experiment_id=id)["experiment"]["tags"] == [{"key": "a", "value": "b"}]
    ask("GetExperimentByName", experiment_name=name)
    ask("UpdateExperiment", experiment_id=id, new_name=name + "-b")
    ask("DeleteExperiment", experiment_id=id)
    ask("RestoreExperiment", experiment_id=id)
    ask("SearchExperiments", max_results=5)
    return id


def _runs(experiment):
    id = ask("CreateRun", experiment_id=experiment, start_time=1, tags=[{"key": "t", "value": "1"}])["run"][
        "info"
    ]["run_id"]
    point = {"key": "m", "value": 0.5, "timestamp": 1, "step": 0}
    ask("LogMetric", run_id=id, **point)
    ask("LogParam", run_id=id, key="p", value="1")
    ask("SetTag", run_id=id, key="x", value="y")
    ask("DeleteTag", run_id=id, key="x")
    ask("LogBatch", run_id=id, metrics=[{**point, "step": 1}], params=[{"key": "q", "value": "2"}], tags=[])
    data = {
        "name": "d",
        "digest": "0",
        "source_type": "local",
        "source": "{}",
        "schema": "{}",
        "profile": "{}",
    }
    ask(
        "LogInputs",
        run_id=id,
        datasets=[{"dataset": data, "tags": [{"key": "mlflow.data.context", "value": "train"}]}],
    )
    flavors = {"python_function": {}}
    made = {"run_id": id, "artifact_path": "m", "utc_time_created": "2026-01-01", "flavors": flavors}
    ask("LogModel", run_id=id, model_json=json.dumps(made))
    assert ask("SearchDatasets", experiment_ids=[experiment])["dataset_summaries"][0]["context"] == "train"
    ask("UpdateRun", run_id=id, status="FINISHED", end_time=2, run_name="named")
    ask("DeleteRun", run_id=id)
    ask("RestoreRun", run_id=id)
    told = ask("GetRun", run_id=id)["run"]
    assert {"key": "q", "value": "2"} in told["data"]["params"]
    assert len(told["inputs"]["dataset_inputs"]) == 1
    assert len(ask("SearchRuns", experiment_ids=[experiment])["runs"]) == 1
    assert len(ask("GetMetricHistory", run_id=id, metric_key="m")["metrics"]) == 2
    charted = ask("GetMetricHistoryBulkInterval", run_ids=[id], metric_key="m", max_results=10)
    assert [point["step"] for point in charted["metrics"]] == [0, 1]
    return id


def _models(experiment, run):
    id = ask(
        "CreateLoggedModel",
        experiment_id=experiment,
        name="m",
        source_run_id=run,
        params=[{"key": "a", "value": "1"}],
    )["model"]["info"]["model_id"]
    ask("LogLoggedModelParamsRequest", model_id=id, params=[{"key": "b", "value": "2"}])
    ask("SetLoggedModelTags", model_id=id, tags=[{"key": "k", "value": "v"}])
    ask("DeleteLoggedModelTag", model_id=id, tag_key="k")
    ask("FinalizeLoggedModel", model_id=id, status="LOGGED_MODEL_READY")
    ask("LogOutputs", run_id=run, models=[{"model_id": id, "step": 0}])
    told = ask("GetLoggedModel", model_id=id)["model"]
    assert [pair["key"] for pair in told["data"]["params"]] == ["a", "b"]
    ask("ListLoggedModelArtifacts", model_id=id)
    assert len(ask("SearchLoggedModels", experiment_ids=[experiment])["models"]) == 1
    return id


def _registry(model, run):
    name = fresh("registered")
    ask("CreateRegisteredModel", name=name, tags=[{"key": "a", "value": "b"}], description="d")
    made = ask("CreateModelVersion", name=name, source=f"models:/{model}", run_id=run, model_id=model)
    version = {"name": name, "version": made["model_version"]["version"]}
    ask("SetRegisteredModelTag", name=name, key="k", value="v")
    ask("DeleteRegisteredModelTag", name=name, key="k")
    ask("SetModelVersionTag", **version, key="k", value="v")
    ask("DeleteModelVersionTag", **version, key="k")
    ask("UpdateRegisteredModel", name=name, description="e")
    ask("UpdateModelVersion", **version, description="f")
    ask("TransitionModelVersionStage", **version, stage="Production", archive_existing_versions=True)
    ask("SetRegisteredModelAlias", **version, alias="best")
    assert (
        ask("GetModelVersionByAlias", name=name, alias="best")["model_version"]["current_stage"]
        == "Production"
    )
    ask("DeleteRegisteredModelAlias", name=name, alias="best")
    assert len(ask("GetLatestVersions", name=name)["model_versions"]) == 1
    ask("GetModelVersion", **version)
    ask("GetModelVersionDownloadUri", **version)
    assert len(ask("SearchModelVersions", filter=f"name='{name}'")["model_versions"]) == 1
    assert len(ask("SearchRegisteredModels", filter=f"name='{name}'")["registered_models"]) == 1
    ask("GetRegisteredModel", name=name)
    ask("RenameRegisteredModel", name=name, new_name=name + "-b")
    ask("DeleteModelVersion", name=name + "-b", version=version["version"])
    ask("DeleteRegisteredModel", name=name + "-b")


def _traces(experiment, run):
    old = ask("StartTrace", experiment_id=experiment, timestamp_ms=1, request_metadata=[], tags=[])
    id = old["trace_info"]["request_id"]
    ask("EndTrace", request_id=id, timestamp_ms=2, status="OK", request_metadata=[], tags=[])
    ask("GetTraceInfo", request_id=id)
    ask("SearchTraces", experiment_ids=[experiment])
    ask("SetTraceTag", request_id=id, key="k", value="v")
    ask("DeleteTraceTag", request_id=id, key="k")
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    info = {
        "trace_id": fresh("tr"),
        "trace_location": place,
        "request_time": "2026-01-01T00:00:00Z",
        "state": "OK",
    }
    ask("StartTraceV3", trace={"trace_info": info})
    new = info["trace_id"]
    ask("GetTraceInfoV3", trace_id=new)
    ask("GetTrace", trace_id=new)
    ask("BatchGetTraces", trace_ids=[new])
    ask("BatchGetTraceInfos", trace_ids=[new])
    assert len(ask("SearchTracesV3", locations=[place])["traces"]) == 2
    ask("SetTraceTagV3", trace_id=new, key="k", value="v")
    ask("DeleteTraceTagV3", trace_id=new, key="k")
    ask("LinkTracesToRun", trace_ids=[new], run_id=run)
    ask("LinkPromptsToTrace", trace_id=new, prompt_versions=[{"name": "p", "version": "1"}])
    ask(
        "CalculateTraceFilterCorrelation",
        experiment_ids=[experiment],
        filter_string1="status = 'OK'",
        filter_string2="run_id = 'x'",
    )
    said = {
        "assessment_name": "good",
        "trace_id": new,
        "feedback": {"value": True},
        "source": {"source_type": "HUMAN", "source_id": "me"},
    }
    one = {"trace_id": new, "assessment_id": _assess(new, said)}
    ask("UpdateAssessment", **one, assessment={"rationale": "why"}, update_mask="rationale")
    assert ask("GetAssessmentRequest", **one)["assessment"]["rationale"] == "why"
    ask("DeleteAssessment", **one)
    assert ask("DeleteTraces", experiment_id=experiment, request_ids=[id])["traces_deleted"] == 1
    assert ask("DeleteTracesV3", experiment_id=experiment, request_ids=[new])["traces_deleted"] == 1


def _assess(trace, said):
    made = ask("CreateAssessment", **{"assessment.trace_id": trace}, assessment=said)
    return made["assessment"]["assessment_id"]


def _evaluation(experiment):
    id = ask("CreateDataset", name=fresh("questions"), experiment_ids=[experiment], tags='{"a": "b"}')[
        "dataset"
    ]["dataset_id"]
    ask("UpsertDatasetRecords", dataset_id=id, records=json.dumps([{"inputs": {"q": 1}}]))
    rows = json.loads(ask("GetDatasetRecords", dataset_id=id)["records"])
    ask("SetDatasetTags", dataset_id=id, tags='{"c": "d"}')
    ask("DeleteDatasetTag", dataset_id=id, key="c")
    ask("GetDatasetExperimentIds", dataset_id=id)
    ask("RemoveDatasetFromExperiments", dataset_id=id, experiment_ids=[experiment])
    ask("AddDatasetToExperiments", dataset_id=id, experiment_ids=[experiment])
    ask("GetDataset", dataset_id=id)
    assert len(ask("SearchEvaluationDatasets", experiment_ids=[experiment])["datasets"]) == 1
    ask("DeleteDatasetRecords", dataset_id=id, dataset_record_ids=[rows[0]["dataset_record_id"]])
    ask("DeleteDataset", dataset_id=id)


def _webhooks():
    event = {"entity": "PROMPT", "action": "CREATED"}
    made = ask("CreateWebhook", name=fresh("hook"), url="https://hooks.invalid/", events=[event])
    id = made["webhook"]["webhook_id"]
    ask("ListWebhooks", max_results=10)
    ask("GetWebhook", webhook_id=id)
    ask("UpdateWebhook", webhook_id=id, description="d")
    ask("TestWebhook", webhook_id=id)
    ask("DeleteWebhook", webhook_id=id)


def _files(run):
    root = ask("ListArtifacts", run_id=run)["root_uri"].removeprefix("mlflow-artifacts:/")
    path = f"{root}/a/b.txt"
    assert requests.put(f"{BYTES}/artifacts/{path}", data=b"x", timeout=60).json() == {}
    got = requests.get(f"{BYTES}/artifacts/{path}", timeout=60)
    assert (got.content, got.headers["X-Content-Type-Options"]) == (b"x", "nosniff")
    assert got.headers["Content-Disposition"].startswith("attachment")
    listed = requests.get(f"{BYTES}/artifacts", params={"path": f"{root}/a"}, timeout=60).json()
    assert listed == {"files": [{"path": "b.txt", "is_dir": False, "file_size": 1}]}
    # Bytes are kept in a folder here: what leads around the server is refused as MLflow's own does, and the client goes through it.
    for path_of, body in (
        (f"{BYTES}/mpu/create/{path}", {"path": path, "num_parts": 1}),
        (f"{BYTES}/mpu/complete/{path}", {"path": path, "upload_id": "u", "parts": []}),
        (f"{BYTES}/mpu/abort/{path}", {"path": path, "upload_id": "u"}),
        (f"{URL}/api/2.0/mlflow/artifacts/presigned-upload-url", {"run_id": run, "path": "a/b.txt"}),
        (f"{URL}/api/2.0/mlflow/artifacts/presigned-download-url", {"run_id": run, "path": "a/b.txt"}),
    ):
        refused = requests.post(path_of, json=body, timeout=60)
        assert 400 <= refused.status_code < 500 or refused.status_code == 501, (path_of, refused.text)
        assert set(refused.json()) >= {"error_code", "message"}, refused.text
    signed = requests.get(f"{BYTES}/presigned/{path}", timeout=60)
    assert signed.json()["error_code"], signed.text
    assert requests.delete(f"{BYTES}/artifacts/{path}", timeout=60).json() == {}
    asked.update(("CreatePresignedUploadUrl", "CreatePresignedDownloadUrl"))
    asked.update(name for name, *_ in TABLE if name.startswith("artifacts."))


def check_every_operation_answers_what_the_clients_own_classes_read():
    experiment = _experiments()
    run = _runs(experiment)
    model = _models(experiment, run)
    _registry(model, run)
    _traces(experiment, run)
    _evaluation(experiment)
    _webhooks()
    _files(run)
    ask("DeleteLoggedModel", model_id=model)
    assert {name for name, *_ in TABLE} - asked == set()


def check_what_is_left_out_is_told_as_an_endpoint_that_is_not_there():
    assert len(OTHERS) > 50
    for method, path in [
        *OTHERS,
        ("GET", "/api/2.0/mlflow/nothing"),
        ("POST", "/ajax-api/2.0/mlflow/gateway-proxy"),
    ]:
        reply = requests.request(method, URL + re.sub(r"\{[\w.]+\}", "x", path), json={}, timeout=60)
        told = reply.json()
        assert (reply.status_code, told["error_code"]) == (404, "ENDPOINT_NOT_FOUND"), (
            method,
            path,
            reply.text,
        )
        assert set(told) == {"error_code", "message"}


def check_the_server_says_what_it_can_do():
    told = requests.get(f"{URL}/api/3.0/mlflow/server-info", timeout=60).json()
    assert told["store_type"] == "SqlStore"
    assert told["workspaces_enabled"] is False
    assert told["features_enabled"] == {"gateway": False}
    assert requests.get(f"{URL}/health", timeout=60).status_code == 200
    assert (
        requests.get(f"{URL}/version", headers={"User-Agent": "mlflow-python-client/3.17.2"}, timeout=60).text
        == "3.17.2"
    )
