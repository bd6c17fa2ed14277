"""The verbs of runs: create, get, update, delete, restore; tags and parameters. What they do stands in `runs`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from lineal.doors.desk import Desk
from lineal.doors.mlflow import experiments, limits, runs, shown
from lineal.doors.mlflow.errors import missing
from lineal.doors.mlflow.wire import (
    ANY,
    Field,
    Message,
    Verb,
    checked,
    encode,
    integer,
    received,
    replied,
    text,
)
from lineal.service.operations import Scope

UNCLAIMED = "lineal.unclaimed"  # a tag: whoever made this run never heard of it
WITHIN = "lineal-run"  # a header: the run that the client's program is recorded as
_RUN = {"run_id": text(required=True)}


def create(scope: Scope, message: Message, within: str = "") -> Message:
    """A new run. within: the run that the client's program is recorded as."""
    return {"run": shown.shown(scope, [runs.add(scope, message, within).node])[0]}


def get(scope: Scope, message: Message) -> Message:
    """A run with its data, deleted ones too."""
    return {"run": shown.shown(scope, [runs.find(scope, message["run_id"]).node])[0]}


def update(scope: Scope, message: Message) -> Message:
    """Change a run's status, end time or name."""
    known = runs.writable(scope, message["run_id"])
    status = None if message.get("status") is None else runs.status_named(message["status"])
    end = message.get("end_time")
    known = runs.change(
        scope,
        known,
        status=status,
        end=None if end is None else limits.millis(end, "end_time"),
        name=message.get("run_name") or None,
    )
    return {"run_info": shown.info(scope, known)}


def delete(scope: Scope, message: Message) -> Message:
    """Delete a run; it can be restored."""
    runs.delete(scope, runs.find(scope, message["run_id"]))
    return {}


def restore(scope: Scope, message: Message) -> Message:
    """Let a deleted run stand again."""
    scope.store.corrections.lift_tombstones(scope.tx, [runs.find(scope, message["run_id"]).node], at=scope.at)
    return {}


def log_parameter(scope: Scope, message: Message) -> Message:
    """Set a parameter, once."""
    key, value = runs.pair(message, "key", "param")
    runs.put_params(scope, runs.writable(scope, message["run_id"]), {key: value})
    return {}


def set_tag(scope: Scope, message: Message) -> Message:
    """Set a tag."""
    key, value = runs.pair(message, "key", "tag")
    runs.put_tags(scope, runs.writable(scope, message["run_id"]), {key: value})
    return {}


def delete_tag(scope: Scope, message: Message) -> Message:
    """Delete a tag."""
    known = runs.writable(scope, message["run_id"])
    if not scope.store.corrections.retract_tag(scope.tx, known.node, message["key"], at=scope.at):
        raise missing(f"No tag with name: {message['key']} in run with id {known.run_id}")
    return {}


def delete_experiment(scope: Scope, message: Message) -> Message:
    """Delete an experiment and the runs in it. Raises Conflict: a run in it is needed by something living."""
    experiment = experiments.used(scope, _experiment(scope, message, experiments.ACTIVE))
    nodes = _members(scope, experiment)
    records = scope.store.records.find_by_nodes(scope.tx, experiments.DOOR, runs.KIND, nodes)
    runs.refuse_needed(scope, [runs.of(record) for record in records.values()])
    scope.store.corrections.add_tombstones(
        scope.tx, nodes, actor=scope.actor, reason="deleted with its experiment", at=scope.at
    )
    experiments.replace_lifecycle(scope, experiment, experiments.DELETED)
    return {}


def restore_experiment(scope: Scope, message: Message) -> Message:
    """Let a deleted experiment and the runs in it stand again."""
    experiment = _experiment(scope, message, experiments.DELETED)
    scope.store.corrections.lift_tombstones(scope.tx, _members(scope, experiment), at=scope.at)
    experiments.replace_lifecycle(scope, experiment, experiments.ACTIVE)
    return {}


def _experiment(scope: Scope, message: Message, lifecycle: str) -> experiments.Experiment:
    experiment = experiments.get(scope, experiments.number_of(message["experiment_id"]))
    if experiment.body.lifecycle != lifecycle:
        raise missing(f"No Experiment with id={experiment.number} exists")
    return experiment


def _members(scope: Scope, experiment: experiments.Experiment) -> list[int]:
    return scope.store.groups.list_members(scope.tx, experiment.body.group, limit=10_000_000)


async def _create(desk: Desk, request: Request) -> Response:
    """Create a run; one whose creator went away before it could hear of it is marked so."""
    caller, key = request.state.caller, request.headers.get("idempotency-key", "")
    message = checked(await received(request), runs.CREATE)
    if within := request.headers.get(WITHIN, ""):
        runs.need_id(within)
    reply = await desk.write(
        lambda scope: create(scope, message, within),
        caller,
        action="mlflow runs/create",
        body=encode(message),
        key=key,
    )
    if not key and await request.is_disconnected():
        run_id = reply["run"]["info"]["run_id"]
        await desk.write(
            lambda scope: set_tag(scope, {"run_id": run_id, "key": UNCLAIMED, "value": "true"}),
            caller,
            action="mlflow runs/unclaimed",
            body=encode({"run_id": run_id}),
        )
    return replied(reply)


_PAIR = {**_RUN, **runs.PAIR}
_EXPERIMENT = {"experiment_id": text(required=True)}
ROUTES = [
    Verb("POST", "/runs/create", handler=_create, writes=True),
    Verb("GET", "/runs/get", get, _RUN),
    Verb(
        "POST",
        "/runs/update",
        update,
        {**_RUN, "status": Field(ANY), "end_time": integer(), "run_name": text()},
        writes=True,
    ),
    Verb("POST", "/runs/delete", delete, _RUN, writes=True, permission="record:delete"),
    Verb("POST", "/runs/restore", restore, _RUN, writes=True, permission="record:delete"),
    Verb("POST", "/runs/log-parameter", log_parameter, _PAIR, writes=True),
    Verb("POST", "/runs/set-tag", set_tag, _PAIR, writes=True),
    Verb("POST", "/runs/delete-tag", delete_tag, {**_RUN, "key": text(required=True)}, writes=True),
    Verb(
        "POST", "/experiments/delete", delete_experiment, _EXPERIMENT, writes=True, permission="record:delete"
    ),
    Verb(
        "POST",
        "/experiments/restore",
        restore_experiment,
        _EXPERIMENT,
        writes=True,
        permission="record:delete",
    ),
]
