"""Run by a Python that has mlflow: all that its client sees at an address, as JSON, without what differs between places."""

from __future__ import annotations

import json
import sys
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import ViewType

client = MlflowClient(sys.argv[1], sys.argv[1])


def run_of(run: Any, experiment: str) -> dict[str, Any]:
    info = run.info
    history = {
        key: [
            (point.timestamp, point.step, repr(point.value))
            for point in client.get_metric_history(info.run_id, key)
        ]
        for key in run.data.metrics
    }
    return {
        "info": [
            experiment,
            info.run_name,
            info.user_id,
            info.status,
            info.start_time,
            info.end_time,
            info.lifecycle_stage,
        ],
        "params": run.data.params,
        "tags": run.data.tags,
        "latest": {key: repr(value) for key, value in run.data.metrics.items()},
        "history": {key: sorted(points) for key, points in history.items()},
        "datasets": [
            [vars(item.dataset), {tag.key: tag.value for tag in item.tags}]
            for item in run.inputs.dataset_inputs
        ],
        "outputs": [model.model_id for model in run.outputs.model_outputs] if run.outputs else [],
    }


def version_of(version: Any) -> list[Any]:
    return [
        str(version.version),
        version.current_stage,
        version.source,
        version.run_id,
        version.description or "",
        version.tags,
        sorted(client.get_model_version(version.name, version.version).aliases),  # a search leaves them out
        version.creation_timestamp,
    ]


told: dict[str, Any] = {"experiments": {}, "runs": {}, "models": {}, "registered": {}}
for experiment in client.search_experiments(view_type=ViewType.ALL):
    told["experiments"][experiment.name] = [experiment.lifecycle_stage, experiment.tags]
    for run in client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL):
        told["runs"][run.info.run_id] = run_of(run, experiment.name)
    for model in client.search_logged_models([experiment.experiment_id]):
        told["models"][model.model_id] = [
            model.name,
            model.source_run_id,
            str(model.status),
            model.tags,
            model.params,
            [(metric.key, metric.value, metric.run_id) for metric in model.metrics or []],
            model.creation_timestamp,
        ]
for model in client.search_registered_models():
    told["registered"][model.name] = [
        model.description,
        model.tags,
        {alias: str(version) for alias, version in model.aliases.items()},
        sorted(version_of(version) for version in client.search_model_versions(f"name='{model.name}'")),
    ]
print("TOLD " + json.dumps(told, default=vars))
