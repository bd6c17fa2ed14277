"""Imported experiments and runs, with parameters, tags, points and datasets: as the MLflow door keeps what is logged there."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any

import msgspec

from lineal.connect import items as found
from lineal.core.errors import Invalid, NotFound
from lineal.core.events import Evidence, Level, Reference, State
from lineal.core.ids import is_hex, sha256
from lineal.core.model import Attribute, Edge, EdgeKind
from lineal.service import meeting, mlflow_tags
from lineal.service.facets import attach
from lineal.service.operations import Scope
from lineal.store.records import Record

DOOR = "mlflow"  # whose records these are: an imported run is seen through the same door as one logged there
STAMP = "run"
_PARENT, _NAME, _SOURCE = "mlflow.parentRunId", "mlflow.runName", "mlflow.source.name"
_CONTEXT = "mlflow.data.context"
_STATES = {
    "RUNNING": State.RUNNING,
    "SCHEDULED": State.RUNNING,
    "FINISHED": State.FINISHED,
    "FAILED": State.FAILED,
    "KILLED": State.KILLED,
}
_LATEST_MS = 2**63 // 1000 - 1
_sorted = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Taking:
    """One request being applied. message: the number of what was received; bytes: whether files come too."""

    scope: Scope
    system: str
    message: int
    bytes: bool


def body(**said: Any) -> bytes:
    """A record's JSON, without what is empty; a nought is not."""
    kept = {
        key: value
        for key, value in said.items()
        if value is not None and value is not False and value not in ("", {})
    }
    return msgspec.json.encode(kept)


def find(scope: Scope, kind: str, key: str) -> Record | None:
    """The record of that key, if it stands."""
    return scope.store.records.get_record(scope.tx, DOOR, kind, key)


def put(
    scope: Scope, kind: str, key: str, content: bytes, *, parent: int | None = None, node: int | None = None
) -> Record:
    """The record with this content: a new one, a further revision, or the one that stands."""
    known = find(scope, kind, key)
    if known is None:
        return scope.store.records.add_record(
            scope.tx, DOOR, kind, key, content, parent=parent, node=node, at=scope.at
        )
    if known.body == content:
        return known
    return scope.store.records.replace_record(scope.tx, known, body=content, at=scope.at)


def edge(taking: Taking, src: int, dst: int, role: str, kind: EdgeKind) -> None:
    """Record that something was used or made, as another system tells."""
    scope = taking.scope
    told = Edge(
        src=src,
        dst=dst,
        kind=kind,
        at=scope.at,
        role=role,
        evidence=Evidence.IMPORTED,
        via=taking.system,
        batch=taking.message,
    )
    scope.store.edges.add_edges(scope.tx, [told], recorded_at=scope.at)


def set_tags(scope: Scope, node: int, tags: dict[str, str]) -> None:
    """Set tags of a run or version."""
    given = [Attribute(key=key, value=value) for key, value in tags.items()]
    scope.store.attributes.set_tags(scope.tx, node, given, at=scope.at, actor=scope.actor)
    for key, value in tags.items():
        meeting.meet_in_tag(scope, node, key, value, 0)


# ---- experiments ---------------------------------------------------------------------------------------------------------


def experiment(taking: Taking, item: found.Experiment) -> None:
    """An experiment, known again by its name; one that is here keeps its own number and gets the tags it lacks."""
    scope = taking.scope
    known = find(scope, "experiment", item.name)
    if known is None:
        add_experiment(scope, item)
        return
    said = msgspec.json.decode(known.body)
    tags = {**item.tags, **said.get("tags", {})}
    if tags != said.get("tags", {}):
        put(scope, "experiment", item.name, body(**{**said, "tags": tags}))


def add_experiment(scope: Scope, item: found.Experiment) -> Record:
    """The record of a new experiment, and its group."""
    group = scope.store.groups.add_group(scope.tx, item.name, "experiment", parent=None, at=scope.at)
    default = (
        item.name == "Default" and scope.store.records.find_by_number(scope.tx, DOOR, "experiment", 0) is None
    )
    said = {
        "group": group,
        "artifact_location": "mlflow-artifacts:/0",
        "created": item.created or scope.at // 1000,
        "updated": item.updated or scope.at // 1000,
        "lifecycle": "deleted" if item.deleted else "",
        "tags": item.tags,
    }
    record = scope.store.records.add_record(
        scope.tx,
        DOOR,
        "experiment",
        item.name,
        body(**said),
        number=0 if default else None,
        numbered=not default,
        at=scope.at,
    )
    if record.number:
        said["artifact_location"] = f"mlflow-artifacts:/{record.number}"
        record = put(scope, "experiment", item.name, body(**said))
    return record


def experiment_named(scope: Scope, name: str) -> Record:
    """The record of an experiment. Raises NotFound: it was not taken."""
    known = find(scope, "experiment", name)
    if known is None:
        raise NotFound(f"its experiment {name[:200]!r} was not taken", hint="see why among what was left")
    return known


# ---- runs ----------------------------------------------------------------------------------------------------------------


def run(taking: Taking, item: found.Run) -> None:
    """A run but for its points, known again by its id. Raises Invalid: its id is not 128 bits, or its status unknown."""
    scope, tx, store = taking.scope, taking.scope.tx, taking.scope.store
    if len(item.id) != 32 or not is_hex(item.id):
        raise Invalid("its id is not 32 hex digits", hint="such a run cannot be referred to here")
    if item.status not in _STATES or abs(item.start) > _LATEST_MS or abs(item.end or 0) > _LATEST_MS:
        raise Invalid(f"its status {item.status!r:.50} or its times are not MLflow's", hint="")
    of = experiment_named(scope, item.experiment)
    known = find(scope, "run", item.id)
    tags = item.tags if item.name == "" else {**item.tags, _NAME: item.name}
    node = _vertex(scope, item, tags)
    content = body(
        name=item.name,
        user=item.user,
        status=item.status,
        start=item.start,
        end=item.end,
        artifact_uri=_address(taking, item, of.number or 0, known),
    )
    if known is None:
        store.groups.add_member(tx, msgspec.json.decode(of.body)["group"], node, at=scope.at)
        put(scope, "run", item.id, content, parent=of.number, node=node)
    else:
        put(scope, "run", item.id, content)
    had = {param.key for param in store.attributes.get_params(tx, [node]).get(node, [])}
    new = [Attribute(key=k, value=v, source=taking.system) for k, v in item.params.items() if k not in had]
    store.attributes.add_params(tx, node, new, at=scope.at)
    set_tags(scope, node, tags)
    _code(taking, node, tags)
    _use(taking, item, node)
    _stand(scope, item, node)
    if item.deleted and known is None:
        store.corrections.add_tombstones(
            tx, [node], actor=scope.actor, reason=f"deleted in {taking.system}", at=scope.at
        )


def _vertex(scope: Scope, item: found.Run, tags: dict[str, str]) -> int:
    source = posixpath.basename(tags.get(_SOURCE, "").replace("\\", "/").rstrip("/"))
    node = scope.store.runs.add_run(
        scope.tx,
        item.id,
        namespace=scope.namespace,
        job=source or item.experiment,
        name=item.name,
        kind="run",
        parent=_parent(scope, item, tags),
        actor=item.user or scope.actor,
        started_at=item.start * 1000 or scope.at,
        recorded_at=scope.at,
    )
    meeting.meet_awaited(scope, {item.id: node})
    return node


def _parent(scope: Scope, item: found.Run, tags: dict[str, str]) -> int | None:
    """The vertex of the run's parent, which may be known by its id only so far."""
    parent = tags.get(_PARENT, "")
    if len(parent) != 32 or not is_hex(parent) or parent == item.id:
        return None
    return scope.store.runs.find_run(scope.tx, parent) or scope.store.runs.add_run(
        scope.tx,
        parent,
        namespace="",
        job="",
        name="",
        kind="run",
        parent=None,
        actor="",
        started_at=item.start * 1000 or scope.at,
        recorded_at=scope.at,
    )


def _address(taking: Taking, item: found.Run, number: int, known: Record | None) -> str:
    """Where a client finds the run's files: here, when they are taken too or come through a server, else where they were."""
    here = f"mlflow-artifacts:/{number}/{item.id}/artifacts"
    before = msgspec.json.decode(known.body).get("artifact_uri", "") if known else ""
    ours = (
        taking.bytes or before == here or not item.location or item.location.startswith("mlflow-artifacts:")
    )
    return here if ours else item.location[:2048]


def _stand(scope: Scope, item: found.Run, node: int) -> None:
    state = _STATES[item.status]
    at = item.end * 1000 if item.end and state is not State.RUNNING else scope.at
    if scope.store.runs.get_runs(scope.tx, [node])[node].state is not state:
        scope.store.runs.set_state(scope.tx, node, state, at=at, recorded_at=scope.at)


def points(taking: Taking, item: found.Points) -> None:
    """Points of a run; those that are there already are not kept twice. Raises NotFound: the run was not taken."""
    scope = taking.scope
    scope.store.metrics.add_new_points(
        scope.tx, node_of(scope, item.run), item.keys, item.key, item.step, item.at, item.value
    )


def taken(taking: Taking, item: found.Taken) -> None:
    """All of a run is here. Raises NotFound: the run was not taken."""
    scope, records = taking.scope, taking.scope.store.records
    node = node_of(scope, item.run)
    scope.store.metrics.seal(scope.tx, node)
    known = records.get_record(scope.tx, "import", STAMP, item.run)
    stamp = item.stamp.encode()
    if known is None:
        records.add_record(scope.tx, "import", STAMP, item.run, stamp, node=node, at=scope.at)
    elif known.body != stamp:
        records.replace_record(scope.tx, known, body=stamp, at=scope.at)


def node_of(scope: Scope, run_id: str) -> int:
    """The vertex of a run that was taken. Raises NotFound."""
    record = find(scope, "run", run_id) if run_id else None
    if record is None or record.node is None:
        raise NotFound(f"its run {run_id[:64]!r} was not taken", hint="see why among what was left")
    return record.node


# ---- what a run read -----------------------------------------------------------------------------------------------------


def _use(taking: Taking, item: found.Run, node: int) -> None:
    scope = taking.scope
    links = scope.store.records.list_records(scope.tx, DOOR, "input", parents=[node], limit=1_000_000)
    used = {link.node for link in links}
    for dataset in item.datasets:
        version = _dataset(scope, dataset)
        if version in used:
            continue
        used.add(version)
        put(
            scope,
            "input",
            f"{item.id}/{version}",
            body(tags=dataset.use),
            parent=node,
            node=version,
        )
        edge(taking, version, node, dataset.use.get(_CONTEXT) or "input", EdgeKind.USED)


def _dataset(scope: Scope, item: found.Dataset) -> int:
    """The version of a dataset: known by what was said of it, as one that a client tells of."""
    said = {"name": item.name, "digest": item.digest, "source_type": item.source_type, "source": item.source}
    identity = _sorted({**said, "schema": item.schema or ""})
    node, _ = scope.store.artifacts.add_version(
        scope.tx,
        namespace=DOOR,
        name=item.name,
        kind="dataset",
        digest=f"mlflow:{sha256(identity)[7:]}",
        level=Level.DECLARED,
        reason="a client of MLflow told of it; its digest covers a sample",
        size=None,
        location=_location(item.source),
        recorded_at=scope.at,
    )
    reference = Reference(scheme="mlflow-digest", value=item.digest, level=Level.SAMPLED)
    scope.store.artifacts.add_references(scope.tx, node, [reference], at=scope.at)
    if not scope.store.records.find_by_nodes(scope.tx, DOOR, "dataset", [node]):
        more = {
            key: text
            for key, text in (("schema", item.schema), ("profile", item.profile))
            if text is not None
        }
        put(scope, "dataset", str(node), _sorted({**said, **more}), node=node)
    return node


def _location(source: str) -> str:
    """Where a dataset says that it lies, as text; nothing is ever read there."""
    try:
        said = msgspec.json.decode(source)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return source[:2048] if "://" in source[:64] else ""
    names = ("uri", "url", "path", "table_name")
    return str(next((said[name] for name in names if isinstance(said.get(name), str)), ""))[:2048]


def _code(taking: Taking, node: int, tags: dict[str, str]) -> None:
    """The code behind a run, when its tags tell of a git checkout."""
    scope, facts = taking.scope, mlflow_tags.code_facts(tags)
    if not facts:
        return
    told = _sorted(facts)
    version, existed = mlflow_tags.code_version(scope, told)
    if not existed:
        attach(scope, [(version, "lineal.code/1", told)], taking.message)
    edge(taking, version, node, "code", EdgeKind.USED)
