"""Run by a Python that has mlflow: fills a tracking store. Arguments: the tracking address, a folder for local files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.data.http_dataset_source import HTTPDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Metric

uri, folder = sys.argv[1], Path(sys.argv[2])
mlflow.set_tracking_uri(uri)
mlflow.set_registry_uri(uri)
client = MlflowClient()
told: dict[str, str] = {}

experiment = client.create_experiment("churn", tags={"team": "growth"})
told["experiment"] = experiment
mlflow.set_experiment("churn")
with mlflow.start_run(run_name="parent") as parent:
    mlflow.log_param("lr", 0.1)
    mlflow.log_params({"text": "a" * 5000, "empty": "", "unicode": "déjà vu"})
    mlflow.set_tag("mlflow.source.git.commit", "c" * 40)
    source = HTTPDatasetSource(url="https://example.com/customers.csv")
    mlflow.log_input(MetaDataset(source, name="customers", digest="9010d92e"), context="training")
    points = [Metric("loss", 1.0 / (n + 1), 1_700_000_000_000 + n, n) for n in range(950)]
    client.log_batch(parent.info.run_id, points)
    client.log_batch(
        parent.info.run_id,
        [
            Metric("odd", float("nan"), 1_700_000_000_000, 0),
            Metric("odd", float("inf"), 1_700_000_000_001, 1),
            Metric("odd", float("-inf"), 1_700_000_000_002, 2),
            Metric("odd", -0.1 - 0.2, 1_700_000_000_003, -3),
            Metric("valid/auc", 0.91, 1_700_000_000_004, 0),
        ],
    )
    file = folder / "note.txt"
    file.write_text("hello")
    mlflow.log_artifact(str(file), "notes")
    with mlflow.start_run(run_name="child", nested=True) as child:
        mlflow.log_metric("loss", 0.5)
told["parent"], told["child"] = parent.info.run_id, child.info.run_id


class Constant(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [1] * len(model_input)


with mlflow.start_run(run_name="fit") as fit:
    said = mlflow.pyfunc.log_model(
        name="constant", python_model=Constant(), pip_requirements=["mlflow==3.17.2"]
    )
    mlflow.log_metric("auc", 0.8, model_id=said.model_id)
told["fit"], told["model"] = fit.info.run_id, said.model_id
with mlflow.start_run(run_name="broken") as broken:
    pass
client.set_terminated(broken.info.run_id, "FAILED")
client.delete_run(broken.info.run_id)
told["broken"] = broken.info.run_id

client.create_registered_model("churn-model", tags={"owner": "ana"}, description="who leaves")
first = client.create_model_version(
    "churn-model",
    f"models:/{said.model_id}",
    run_id=fit.info.run_id,
    model_id=said.model_id,
    description="one",
)
second = client.create_model_version(
    "churn-model", f"models:/{said.model_id}", run_id=fit.info.run_id, model_id=said.model_id
)
third = client.create_model_version(
    "churn-model",
    f"models:/{said.model_id}",
    run_id=fit.info.run_id,
    model_id=said.model_id,
    tags={"ok": "yes"},
)
client.delete_model_version("churn-model", second.version)
client.transition_model_version_stage("churn-model", first.version, "Archived")
client.transition_model_version_stage("churn-model", third.version, "Production")
client.set_registered_model_alias("churn-model", "champion", third.version)
print(json.dumps(told))
