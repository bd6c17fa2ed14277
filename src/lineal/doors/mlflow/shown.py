"""Runs as the protocol writes them, many at a time."""

from __future__ import annotations

from typing import Any

import msgspec

from lineal.core.model import Attribute, MetricSummary
from lineal.doors.mlflow import limits, runs
from lineal.doors.mlflow.experiments import ACTIVE, DELETED, DOOR
from lineal.doors.mlflow.wire import Message, number_out
from lineal.service.operations import Scope

INPUT, MODEL_INPUT, MODEL_OUTPUT, DATASET = "input", "model_input", "model_output", "dataset"
TRUNCATED = "lineal.truncated"  # a tag that names what is longer than this protocol carries
_OURS = frozenset({TRUNCATED, runs.SCHEDULED})


class Input(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is kept of a dataset's use by a run: the tags of the use."""

    tags: dict[str, str] = {}


class Output(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is kept of a model made by a run."""

    model_id: str = ""
    step: int = 0


_input = msgspec.json.Decoder(Input).decode
_output = msgspec.json.Decoder(Output).decode


def shown(scope: Scope, nodes: list[int], *, inputs: bool = True) -> list[Message]:
    """The runs of these vertices with data, inputs and outputs, in their order."""
    store, tx = scope.store, scope.tx
    records = store.records.find_by_nodes(tx, DOOR, runs.KIND, nodes)
    known = {node: runs.of(record) for node, record in records.items()}
    if len(known) < len(nodes):
        known |= runs.native(scope, [node for node in nodes if node not in known])
    standing = store.runs.get_runs(tx, nodes)
    params, tags = store.attributes.get_params(tx, nodes), store.attributes.get_tags(tx, nodes)
    metrics = store.metrics.get_summaries(tx, nodes)
    used = datasets(scope, nodes) if inputs else {}
    consumed = _models(scope, MODEL_INPUT, nodes) if inputs else {}
    made = _models(scope, MODEL_OUTPUT, nodes) if inputs else {}
    return [
        {
            "info": _info(known[node], standing[node]),
            "data": data(
                metrics.get(node, []), params.get(node, []), tags.get(node, []), known[node].body.name
            ),
            "inputs": {
                "dataset_inputs": used.get(node, []),
                "model_inputs": [{"model_id": model.model_id} for model in consumed.get(node, [])],
            },
            "outputs": {
                "model_outputs": [
                    {"model_id": model.model_id, "step": model.step} for model in made.get(node, [])
                ]
            },
        }
        for node in nodes
        if node in known and node in standing
    ]


def info(scope: Scope, known: runs.Known) -> Message:
    """What a run is, without its data."""
    return _info(known, scope.store.runs.get_runs(scope.tx, [known.node])[known.node])


def _info(known: runs.Known, run: Any) -> Message:
    body = known.body
    said: Message = {
        "run_id": known.run_id,
        "run_uuid": known.run_id,
        "run_name": body.name,
        "experiment_id": str(known.experiment),
        "user_id": body.user,
        "status": runs.status_of(run, body),
        "start_time": run.started_at // 1000 if body.start is None else body.start,
        "artifact_uri": body.artifact_uri,
        "lifecycle_stage": ACTIVE if run.deleted_at is None else DELETED,
    }
    end = (
        body.end
        if body.end is not None or known.record is not None
        else run.ended_at and run.ended_at // 1000
    )
    if end:
        said["end_time"] = end
    return said


def data(
    metrics: list[MetricSummary], params: list[Attribute], tags: list[Attribute], name: str = ""
) -> Message:
    """A run's latest metrics, parameters and tags; what is longer than the protocol carries is cut and named in a tag."""
    cut: list[str] = []
    said_params = _cut(params, limits.PARAM_SHOWN, "params", cut)
    said_tags = _cut([t for t in tags if t.key not in _OURS], limits.TAG_SHOWN, "tags", cut)
    if name and not any(tag["key"] == runs.NAME for tag in said_tags):
        said_tags.append({"key": runs.NAME, "value": name})
    if cut:
        said_tags.append({"key": TRUNCATED, "value": ", ".join(cut)[: limits.TAG_SHOWN]})
    return {
        "metrics": [
            {"key": m.key, "value": number_out(m.last), "timestamp": m.last_at // 1000, "step": m.last_step}
            for m in metrics
        ],
        "params": said_params,
        "tags": said_tags,
    }


def _cut(items: list[Attribute], most: int, scope: str, cut: list[str]) -> list[dict[str, str]]:
    cut += [f"{scope}.{item.key}" for item in items if len(item.value) > most]
    return [{"key": item.key, "value": item.value[:most]} for item in items]


def datasets(scope: Scope, nodes: list[int]) -> dict[int, list[Message]]:
    """The datasets that runs used, with the tags of the use."""
    links = scope.store.records.list_records(scope.tx, DOOR, INPUT, parents=nodes, limit=1_000_000)
    versions = sorted({link.node for link in links if link.node is not None})
    datasets = scope.store.records.find_by_nodes(scope.tx, DOOR, DATASET, versions)
    found: dict[int, list[Message]] = {}
    for link in links:
        dataset = datasets.get(link.node or 0)
        if dataset is not None:
            tags = [{"key": key, "value": value} for key, value in _input(link.body).tags.items()]
            item = {"tags": tags, "dataset": msgspec.json.decode(dataset.body)}
            found.setdefault(link.parent or 0, []).append(item)
    return found


def _models(scope: Scope, kind: str, nodes: list[int]) -> dict[int, list[Output]]:
    """The models that runs used or made, in order of their ids."""
    found: dict[int, list[Output]] = {}
    for link in scope.store.records.list_records(scope.tx, DOOR, kind, parents=nodes, limit=1_000_000):
        found.setdefault(link.parent or 0, []).append(_output(link.body))
    return found
