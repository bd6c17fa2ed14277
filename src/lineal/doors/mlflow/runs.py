"""Runs: each is a run of the record, and beside it a record of this door with what only MLflow says of a run."""

from __future__ import annotations

import os
import posixpath
from typing import Any, NamedTuple

import msgspec

from lineal.core.errors import Conflict
from lineal.core.events import State
from lineal.core.ids import is_hex, uuid7
from lineal.core.model import Attribute, RunRecord
from lineal.doors.mlflow import code, experiments, limits
from lineal.doors.mlflow.errors import invalid, missing
from lineal.doors.mlflow.experiments import DOOR
from lineal.doors.mlflow.names import random_name
from lineal.doors.mlflow.wire import Message, integer, items, read, text
from lineal.service import meeting, mlflow_tags
from lineal.service.operations import Scope
from lineal.service.removal import living_dependants
from lineal.store.records import Record

KIND = "run"
NAME, PARENT, SOURCE, FORCE = (
    "mlflow.runName",
    "mlflow.parentRunId",
    "mlflow.source.name",
    "lineal.force_delete",
)
SCHEDULED = "lineal.scheduled"  # a tag: the record has no word for a run that waits to be started
STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")  # numbered from 1 on the wire
_STATES = {
    "RUNNING": State.RUNNING,
    "SCHEDULED": State.RUNNING,
    "FINISHED": State.FINISHED,
    "FAILED": State.FAILED,
    "KILLED": State.KILLED,
}
PAIR = {"key": text(required=True), "value": text()}


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What this door keeps of a run. Times in milliseconds as they were sent; artifact_uri: where its files are.

    within: a program under `lineal run` logs into its own run; that run's state and end are for `lineal run` to tell.
    """

    name: str = ""
    user: str = ""
    status: str = "RUNNING"
    start: int | None = None
    end: int | None = None
    artifact_uri: str = ""
    within: bool = False


class Known(NamedTuple):
    """A run that was found. record: None for one that no MLflow client has written yet."""

    node: int
    run_id: str
    experiment: int
    body: Body
    record: Record | None


_decode = msgspec.json.Decoder(Body).decode
_encode = msgspec.json.Encoder().encode


# ---- finding -------------------------------------------------------------------------------------------------------------


def find(scope: Scope, run_id: str) -> Known:
    """The run of that id. Raises MlflowError: there is none."""
    record = scope.store.records.get_record(scope.tx, DOOR, KIND, run_id)
    if record is not None:
        return of(record)
    node = scope.store.runs.find_run(scope.tx, run_id)
    if node is None:
        raise missing(f"Run with id={run_id} not found")
    return native(scope, [node])[node]


def of(record: Record) -> Known:
    """The run that a record is about."""
    return Known(record.node or 0, record.key, record.parent or 0, _decode(record.body), record)


def native(scope: Scope, nodes: list[int]) -> dict[int, Known]:
    """Runs that were recorded otherwise, as this door sees them: in the experiment of their group, else in the default one."""
    numbers: dict[int, int] = {}
    for node, group in scope.store.groups.list_groups_of(scope.tx, nodes):
        if node not in numbers and (found := experiments.find(scope, group)):
            numbers[node] = found.number
    places: dict[int, str] = {}
    known: dict[int, Known] = {}
    for node, run in scope.store.runs.get_runs(scope.tx, nodes).items():
        number = numbers.get(node, 0)
        if number not in places:
            places[number] = experiments.get(scope, number).body.artifact_location
        body = Body(name=run.name, user=run.actor, artifact_uri=f"{places[number]}/{run.run_id}/artifacts")
        known[node] = Known(node, run.run_id, number, body, None)
    return known


def writable(scope: Scope, run_id: str) -> Known:
    """The run of that id, to be changed. Raises MlflowError: there is none, or it is deleted."""
    known = find(scope, run_id)
    need_active(scope, known)
    return known


def need_active(scope: Scope, known: Known) -> None:
    """Raises MlflowError: the run is deleted."""
    if scope.store.corrections.deleted_among(scope.tx, [known.node]):
        raise invalid(f"The run {known.run_id} must be in the 'active' state. Current state is deleted.")


def adopted(scope: Scope, known: Known) -> Known:
    """The run with a record of this door, made now if it was recorded otherwise."""
    if known.record is not None:
        return known
    record = scope.store.records.add_record(
        scope.tx,
        DOOR,
        KIND,
        known.run_id,
        _encode(known.body),
        parent=known.experiment,
        node=known.node,
        at=scope.at,
    )
    experiment = experiments.used(scope, experiments.get(scope, known.experiment))
    scope.store.groups.add_member(scope.tx, experiment.body.group, known.node, at=scope.at)
    return known._replace(record=record)


# ---- writing -------------------------------------------------------------------------------------------------------------


def add(scope: Scope, message: Message, within: str = "") -> Known:
    """A new run. Raises MlflowError.

    within: the run that the client's program is recorded as. The first run that a client opens there without a parent
    is that run; later ones are its children.
    """
    experiment = experiments.get(scope, experiments.number_of(message.get("experiment_id", "")))
    experiments.need_active(experiment)
    experiment = experiments.used(scope, experiment)
    tags = dict(_pair(item, f"tags[{n}]", "tag") for n, item in enumerate(message.get("tags", [])))
    name = message.get("run_name", "")
    if name and tags.get(NAME) and name != tags[NAME]:
        raise invalid(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with "
            f"different values (run_name='{name}', mlflow.runName='{tags[NAME]}')."
        )
    name = name or tags.get(NAME) or random_name()
    tags[NAME] = name
    parent = _parent(scope, tags)
    same = within if parent is None and _is_free(scope, within) else ""
    run_id = same or uuid7(scope.at, os.urandom(10))
    if within and not same and parent is None:
        parent = scope.store.runs.find_run(scope.tx, within)
    start = limits.millis(message.get("start_time", 0), "start_time")
    body = Body(
        name=name,
        user=message.get("user_id", ""),
        start=start,
        artifact_uri=f"{experiment.body.artifact_location.rstrip('/')}/{run_id}/artifacts",
        within=bool(same),
    )
    node = scope.store.runs.add_run(
        scope.tx,
        run_id,
        namespace=scope.namespace,
        job="" if same else _job(tags, experiment.name),  # `lineal run` tells it
        name=name,
        kind="run",
        parent=parent,
        actor=body.user or scope.actor,
        started_at=start * 1000 or scope.at,
        recorded_at=scope.at,
    )
    scope.store.groups.add_member(scope.tx, experiment.body.group, node, at=scope.at)
    record = scope.store.records.add_record(
        scope.tx, DOOR, KIND, run_id, _encode(body), parent=experiment.number, node=node, at=scope.at
    )
    _put_tags(scope, node, tags)
    meeting.meet_awaited(scope, {run_id: node})
    code.govern(scope, node, tags)
    return Known(node, run_id, experiment.number, body, record)


def change(
    scope: Scope, known: Known, *, status: str | None = None, end: int | None = None, name: str | None = None
) -> Known:
    """Record a run's status, end or name, those that are given."""
    body = msgspec.structs.replace(
        known.body,
        status=status or known.body.status,
        end=known.body.end if end is None else end,
        name=name or known.body.name,
    )
    if name:
        scope.store.corrections.rename_run(scope.tx, known.node, name)
        _put_tags(scope, known.node, {NAME: name})
    if status and not known.body.within:
        state = _STATES[status]
        at = body.end * 1000 if body.end and state is not State.RUNNING else scope.at
        scope.store.runs.set_state(scope.tx, known.node, state, at=at, recorded_at=scope.at)
        if state is not State.RUNNING:
            scope.store.metrics.seal(scope.tx, known.node)
        if status == "SCHEDULED":
            _put_tags(scope, known.node, {SCHEDULED: "true"})
        elif known.body.status == "SCHEDULED":
            scope.store.corrections.retract_tag(scope.tx, known.node, SCHEDULED, at=scope.at)
    if body == known.body:
        return known
    record = adopted(scope, known).record
    assert record is not None
    record = scope.store.records.replace_record(scope.tx, record, body=_encode(body), at=scope.at)
    return known._replace(body=body, record=record)


def put_tags(scope: Scope, known: Known, tags: dict[str, str]) -> None:
    """Set tags of a run; its name is one of them."""
    adopted(scope, known)
    if name := tags.get(NAME):
        change(scope, known, name=name)
    _put_tags(scope, known.node, {key: value for key, value in tags.items() if key != NAME})
    if any(key.startswith(mlflow_tags.GIT) for key in tags):
        standing = scope.store.attributes.get_tags(scope.tx, [known.node])[known.node]
        code.govern(scope, known.node, {tag.key: tag.value for tag in standing})
    if PARENT in tags and (parent := _parent(scope, tags)):
        run = scope.store.runs.get_runs(scope.tx, [known.node])[known.node]
        _fill_parent(scope, run, parent)


def put_params(scope: Scope, known: Known, params: dict[str, str]) -> None:
    """Set parameters, each once. Raises MlflowError: one has another value already."""
    if not params:
        return
    adopted(scope, known)
    had = {p.key: p for p in scope.store.attributes.get_params(scope.tx, [known.node]).get(known.node, [])}
    other = [
        {"key": key, "old_value": had[key].value[:500], "new_value": value[:500]}
        for key, value in params.items()
        if key in had and had[key].value != value and (had[key].source == DOOR or not known.body.within)
    ]
    if len(params) == 1 and other:
        (only,) = other
        raise invalid(
            f"Changing param values is not allowed. Param with key='{only['key']}' was already logged with "
            f"value='{only['old_value']}' for run ID='{known.run_id}'. Attempted logging new value '{only['new_value']}'."
        )
    if other:
        raise invalid(
            f"Changing param values is not allowed. Params were already logged='{other}' for run ID='{known.run_id}'."
        )
    new = [
        Attribute(key=k, value=v, source=DOOR)
        for k, v in params.items()
        if k not in had
        or had[k].value != v  # what was seen otherwise of the recorded program remains as history
    ]
    scope.store.attributes.add_params(scope.tx, known.node, new, at=scope.at)


def delete(scope: Scope, known: Known) -> None:
    """Put a tombstone on a run. Raises Conflict: living things descend from it, and no tag says to delete it anyway."""
    refuse_needed(scope, [known])
    scope.store.corrections.add_tombstones(
        scope.tx, [known.node], actor=scope.actor, reason="deleted through MLflow", at=scope.at
    )


def refuse_needed(scope: Scope, runs: list[Known]) -> None:
    """Raises Conflict: living registered or deployed versions descend from one of the runs, with the list."""
    nodes = [run.node for run in runs]
    leading = {edge.src for edge in scope.store.edges.get_out(scope.tx, nodes)}
    tags = scope.store.attributes.get_tags(scope.tx, sorted(leading))
    for run in runs:
        if run.node not in leading or any(tag.key == FORCE for tag in tags.get(run.node, [])):
            continue
        if dependants := living_dependants(scope, run.node):
            raise Conflict(
                f"the run {run.run_id} cannot be deleted: {len(dependants)} living things depend on it: "
                + ", ".join(dependants[:12]),
                hint=f"move or retract those first, or set the tag {FORCE} of the run, then delete it",
            )


def pairs(given: list[Message], what: str) -> dict[str, str]:
    """Keys and values of parameters or tags, the last one of a key. Raises MlflowError."""
    return dict(_pair(item, f"{what}s[{n}]", what) for n, item in enumerate(given))


def _pair(item: Message, path: str, what: str) -> tuple[str, str]:
    said = read(item, PAIR, path)
    return pair(said, f"{path}.key", what)


def pair(said: Message, path: str, what: str) -> tuple[str, str]:
    """Key and value of a parameter or tag. Raises MlflowError."""
    named = "Param key" if what == "param" else path
    value = limits.within(said.get("value", ""), limits.LONGEST_VALUE, f"{what} value")
    return limits.key(said["key"], path, named), value


def _put_tags(scope: Scope, node: int, tags: dict[str, str]) -> None:
    given = [Attribute(key=key, value=value) for key, value in tags.items()]
    scope.store.attributes.set_tags(scope.tx, node, given, at=scope.at, actor=scope.actor)
    for key, value in tags.items():
        meeting.meet_in_tag(scope, node, key, value, 0)


def _job(tags: dict[str, str], experiment: str) -> str:
    """What ran: the program that MLflow saw, else the experiment."""
    return posixpath.basename(tags.get(SOURCE, "").replace("\\", "/").rstrip("/")) or experiment


def need_id(text: str) -> None:
    """Raises MlflowError: that is no id of a recorded run, which has 32 hex digits."""
    if len(text) != 32 or not is_hex(text):
        raise invalid(f"the header Lineal-Run is {text[:100]!r}: 32 lower-case hex digits were expected")


def _is_free(scope: Scope, run_id: str) -> bool:
    """Whether no client of MLflow has opened that run yet."""
    return bool(run_id) and scope.store.records.get_record(scope.tx, DOOR, KIND, run_id) is None


def _parent(scope: Scope, tags: dict[str, str]) -> int | None:
    parent = tags.get(PARENT, "")
    return scope.store.runs.find_run(scope.tx, parent) if parent else None


def _fill_parent(scope: Scope, run: RunRecord, parent: int) -> None:
    if run.parent is not None or run.node == parent:
        return
    scope.store.runs.add_run(
        scope.tx,
        run.run_id,
        namespace=run.namespace,
        job=run.job,
        name=run.name,
        kind=run.kind,
        parent=parent,
        actor=run.actor,
        started_at=run.started_at,
        recorded_at=scope.at,
    )


def status_of(run: RunRecord, body: Body) -> str:
    """A run's status: what was sent, while the record agrees; a run that was lost failed."""
    if _STATES.get(body.status) is run.state or (body.within and body.status not in {"RUNNING", "SCHEDULED"}):
        return body.status
    if run.state is State.LOST:
        return "FAILED"
    return next(status for status, state in _STATES.items() if state is run.state)


def status_named(value: Any) -> str:
    """A status from its name or number. Raises MlflowError."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= len(STATUSES):
        return STATUSES[value - 1]
    if isinstance(value, str) and value in STATUSES:
        return value
    raise invalid(
        f"Invalid value {value!r:.100} for parameter 'status' supplied: it is one of {', '.join(STATUSES)}"
    )


CREATE = {
    "experiment_id": text(),
    "user_id": text(),
    "run_name": text(),
    "start_time": integer(),
    "tags": items(),
}
