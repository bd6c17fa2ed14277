"""What runs read and made: datasets and models as versions of the record, with edges to the run."""

from __future__ import annotations

from typing import Any

import msgspec

from lineal.core.events import Evidence, Level, Reference
from lineal.core.ids import sha256
from lineal.core.model import Edge, EdgeKind
from lineal.doors.mlflow import experiments, limits, runs, shown
from lineal.doors.mlflow.errors import invalid
from lineal.doors.mlflow.experiments import DOOR
from lineal.doors.mlflow.shown import DATASET, INPUT, MODEL_INPUT, MODEL_OUTPUT
from lineal.doors.mlflow.wire import ITEMS, OBJECT, Field, Message, Verb, integer, items, read, text
from lineal.service import meeting
from lineal.service.operations import Scope

DIGEST = "mlflow-digest"  # the scheme under which MLflow's own sampled digest is kept, as a label
CONTEXT = "mlflow.data.context"
HISTORY = "mlflow.log-model.history"
_MOST_SUMMARIES, _MOST_EXPERIMENTS = 1000, 20

_INPUT = {"dataset": Field(OBJECT, required=True), "tags": items()}
_DATASET = {
    "name": text(required=True),
    "digest": text(required=True),
    "source_type": text(required=True),
    "source": text(required=True),
    "schema": text(),
    "profile": text(),
}
_MODEL = {"model_id": text(required=True), "step": integer()}
_TAG = {"key": text(required=True), "value": text()}
_encode = msgspec.json.Encoder(order="sorted").encode


# ---- the verbs -----------------------------------------------------------------------------------------------------------


def log_inputs(scope: Scope, message: Message) -> Message:
    """Record datasets and models that a run reads."""
    limits.run_id(message["run_id"])
    given = message.get("datasets", [])
    if len(given) > limits.DATASETS_PER_BATCH:
        raise invalid(
            f"A request can contain at most {limits.DATASETS_PER_BATCH} datasets. Got {len(given)}."
        )
    datasets = [_checked(item, f"datasets[{n}]") for n, item in enumerate(given)]
    known = runs.adopted(scope, runs.writable(scope, message["run_id"]))
    there = {_same(item["dataset"]) for item in shown.datasets(scope, [known.node]).get(known.node, [])}
    for dataset, tags in datasets:
        if _same(dataset) not in there:
            there.add(_same(dataset))
            _use(scope, known, dataset, tags)
    for n, item in enumerate(message.get("models", [])):
        _link(scope, known, read(item, _MODEL, f"models[{n}]"), MODEL_INPUT)
    return {}


def log_outputs(scope: Scope, message: Message) -> Message:
    """Record models that a run made."""
    known = runs.adopted(scope, runs.writable(scope, message["run_id"]))
    for n, item in enumerate(message["models"]):
        _link(scope, known, read(item, _MODEL, f"models[{n}]"), MODEL_OUTPUT)
    return {}


def log_model(scope: Scope, message: Message) -> Message:
    """Add a model, as clients before MLflow 3 describe it, to those that a run's tag lists."""
    known = runs.writable(scope, message["run_id"])
    said = _json(message["model_json"])
    needed = ("artifact_path", "flavors", "utc_time_created", "run_id")
    if not isinstance(said, dict) or any(name not in said for name in needed):
        raise invalid(
            f"Malformed model info. \n {message['model_json']:.1000} is not a valid JSON of a model."
        )
    tags = scope.store.attributes.get_tags(scope.tx, [known.node]).get(known.node, [])
    before = _json(next((tag.value for tag in tags if tag.key == HISTORY), "[]"))
    listed = [
        *(before if isinstance(before, list) else []),
        {k: v for k, v in said.items() if k != "signature"},
    ]
    runs.put_tags(scope, known, {HISTORY: msgspec.json.encode(listed).decode()})
    return {}


def search_datasets(scope: Scope, message: Message) -> Message:
    """Which datasets the runs of experiments read, and as what."""
    wanted = message.get("experiment_ids", [])
    if not wanted:
        raise invalid("SearchDatasets request must specify at least one experiment_id.")
    if len(wanted) > _MOST_EXPERIMENTS:
        raise invalid(
            f"SearchDatasets request cannot specify more than {_MOST_EXPERIMENTS} experiment_ids. "
            f"Received {len(wanted)} experiment_ids."
        )
    found: dict[tuple[str, str, str, str | None], None] = {}
    for number in dict.fromkeys(experiments.number_of(id) for id in wanted):
        experiment = experiments.get(scope, number)
        members = scope.store.groups.list_members(scope.tx, experiment.body.group, limit=10_000_000)
        for inputs in shown.datasets(scope, members).values():
            for item in inputs:
                context = next((tag["value"] for tag in item["tags"] if tag["key"] == CONTEXT), None)
                found[str(number), item["dataset"]["name"], item["dataset"]["digest"], context] = None
    return {
        "dataset_summaries": [
            {"experiment_id": id, "name": name, "digest": digest} | ({"context": context} if context else {})
            for id, name, digest, context in list(found)[:_MOST_SUMMARIES]
        ]
    }


# ---- what they do --------------------------------------------------------------------------------------------------------


def _checked(item: Message, path: str) -> tuple[Message, dict[str, str]]:
    said = read(item, _INPUT, path)
    dataset = read(said["dataset"], _DATASET, f"{path}.dataset")
    for name, most in limits.DATASET.items():
        limits.within(dataset.get(name, ""), most, name)
    limits.visible(dataset["name"], "dataset name")
    tags: dict[str, str] = {}
    for n, given in enumerate(said.get("tags", [])):
        tag = read(given, _TAG, f"{path}.tags[{n}]")
        key = limits.within(tag["key"], limits.INPUT_TAG_KEY, "key")
        tags[key] = limits.within(tag.get("value", ""), limits.INPUT_TAG_VALUE, "value")
    return dataset, tags


def _same(dataset: Message) -> tuple[str, str]:
    return dataset["name"], dataset["digest"]


def _use(scope: Scope, known: runs.Known, dataset: Message, tags: dict[str, str]) -> None:
    """Let the run use the version that a dataset is."""
    body = _encode(dataset)
    batch = scope.store.audit.add_message(
        scope.tx, door=DOOR, source=known.run_id, body=body, digest=sha256(body), at=scope.at
    )
    node = _version(scope, dataset, body)
    scope.store.records.add_record(
        scope.tx,
        DOOR,
        INPUT,
        f"{known.run_id}/{node}",
        msgspec.json.encode(shown.Input(tags=tags)),
        parent=known.node,
        node=node,
        at=scope.at,
    )
    _edge(scope, node, known.node, tags.get(CONTEXT) or "input", EdgeKind.USED, batch)


def _version(scope: Scope, dataset: Message, body: bytes) -> int:
    """The version of a dataset: known by what its client says of it, since its bytes were not seen."""
    identity = _encode(
        {name: dataset.get(name, "") for name in ("name", "digest", "source_type", "source", "schema")}
    )
    node, existed = scope.store.artifacts.add_version(
        scope.tx,
        namespace=DOOR,
        name=dataset["name"],
        kind="dataset",
        digest=f"mlflow:{sha256(identity)[7:]}",
        level=Level.DECLARED,
        reason="a client of MLflow told of it; its digest covers a sample",
        size=None,
        location=_location(dataset["source"]),
        recorded_at=scope.at,
    )
    reference = Reference(scheme=DIGEST, value=dataset["digest"], level=Level.SAMPLED)
    named = _named_by_source(dataset)
    scope.store.artifacts.add_references(scope.tx, node, [reference, *named], at=scope.at)
    if named:
        meeting.meet_versions(scope, [node], 0)
    if not existed or not scope.store.records.find_by_nodes(scope.tx, DOOR, DATASET, [node]):
        scope.store.records.add_record(scope.tx, DOOR, DATASET, str(node), body, node=node, at=scope.at)
    return node


def _named_by_source(dataset: Message) -> list[Reference]:
    """The version of a Delta table that a dataset was loaded from, where its source says which."""
    said = _json(dataset["source"]) if dataset["source_type"] == "delta_table" else None
    if not isinstance(said, dict) or not isinstance(said.get("path"), str):
        return []
    version = said.get("delta_table_version")
    path = said["path"].removeprefix("file://").rstrip("/")
    if isinstance(version, bool) or not isinstance(version, int | str) or not str(version) or not path:
        return []
    place = path if "://" in path else f"file/{path}"
    return [Reference(scheme="ol", value=f"{place}@{version}"[:2048], level=Level.NATIVE)]


def _link(scope: Scope, known: runs.Known, said: Message, kind: str) -> None:
    """Let the run use or have made a logged model."""
    model_id = said["model_id"]
    model = scope.store.records.get_record(scope.tx, DOOR, "logged_model", model_id)
    key = f"{known.run_id}/{limits.within(model_id, 256, 'model_id')}/{said.get('step', 0)}"
    if scope.store.records.get_record(scope.tx, DOOR, kind, key) is not None:
        return
    body = _encode(shown.Output(model_id=model_id, step=said.get("step", 0)))
    node = model.node if model else None
    scope.store.records.add_record(scope.tx, DOOR, kind, key, body, parent=known.node, node=node, at=scope.at)
    if node is None:
        return
    batch = scope.store.audit.add_message(
        scope.tx, door=DOOR, source=known.run_id, body=body, digest=sha256(body), at=scope.at
    )
    if kind == MODEL_INPUT:
        _edge(scope, node, known.node, "model", EdgeKind.USED, batch)
    else:
        _edge(scope, known.node, node, "model", EdgeKind.GENERATED, batch)


def _edge(scope: Scope, src: int, dst: int, role: str, kind: EdgeKind, batch: int) -> None:
    edge = Edge(
        src=src,
        dst=dst,
        kind=kind,
        at=scope.at,
        role=role,
        evidence=Evidence.DECLARED,
        via="mlflow",
        batch=batch,
    )
    scope.store.edges.add_edges(scope.tx, [edge], recorded_at=scope.at)


def _location(source: str) -> str:
    """Where a dataset says that it lies, as text; nothing is ever read there."""
    said = _json(source)
    if not isinstance(said, dict):
        return source[:2048] if "://" in source[:64] else ""
    found = next(
        (said[name] for name in ("uri", "url", "path", "table_name") if isinstance(said.get(name), str)), ""
    )
    return str(found)[:2048]


def _json(body: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


_RUN = {"run_id": text(required=True)}
ROUTES = [
    Verb(
        "POST", "/runs/log-inputs", log_inputs, {**_RUN, "datasets": items(), "models": items()}, writes=True
    ),
    Verb("POST", "/runs/outputs", log_outputs, {**_RUN, "models": Field(ITEMS, required=True)}, writes=True),
    Verb("POST", "/runs/log-model", log_model, {**_RUN, "model_json": text(required=True)}, writes=True),
    Verb(
        "POST",
        "/experiments/search-datasets",
        search_datasets,
        {"experiment_ids": Field("texts")},
        also=(
            "/api/2.0mlflow/experiments/search-datasets",
            "/ajax-api/2.0mlflow/experiments/search-datasets",
        ),
    ),
]
