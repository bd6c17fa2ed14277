"""Experiments: a numbered record of this door, and beside it a group of the same name that its runs are members of."""

from __future__ import annotations

from typing import Any

import msgspec

from lineal.core.errors import Conflict
from lineal.doors.mlflow import limits
from lineal.doors.mlflow.errors import EXISTS, MlflowError, invalid, missing
from lineal.doors.mlflow.wire import Message, Verb, items, read, text
from lineal.service.operations import Scope
from lineal.store.records import Record

DOOR = "mlflow"
KIND = "experiment"
DEFAULT = "Default"
ACTIVE, DELETED = "active", "deleted"

_TAG = {"key": text(required=True), "value": text()}


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is kept of an experiment. group: its runs' group in the record; times in milliseconds."""

    group: int
    artifact_location: str
    created: int
    updated: int
    lifecycle: str = ACTIVE
    tags: dict[str, str] = {}


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment as it stands. record: None for the default one while nobody has used it."""

    number: int
    name: str
    body: Body
    record: Record | None


_decode = msgspec.json.Decoder(Body).decode
_encode = msgspec.json.Encoder().encode


# ---- for the other verbs -------------------------------------------------------------------------------------------------


def number_of(text: str) -> int:
    """An experiment's number. Raises MlflowError: the text is none."""
    try:
        number = int(text or "0")
    except ValueError:
        number = -1
    if not text.isascii() or number < 0 or number >= 2**63 or len(text) > 20:
        raise invalid(f"Invalid experiment ID '{text[:100]}'. Experiment ID must be a valid integer.")
    return number


def get(scope: Scope, number: int) -> Experiment:
    """The experiment of that number. Raises MlflowError: there is none."""
    record = scope.store.records.find_by_number(scope.tx, DOOR, KIND, number)
    if record is None:
        if number == 0:
            return _unused(scope)
        raise missing(f"No Experiment with id={number} exists")
    return of(record)


def find(scope: Scope, name: str) -> Experiment | None:
    """The experiment of that name, living or deleted."""
    record = scope.store.records.get_record(scope.tx, DOOR, KIND, name)
    if record is not None:
        return of(record)
    if name == DEFAULT and scope.store.records.find_by_number(scope.tx, DOOR, KIND, 0) is None:
        return _unused(scope)
    return None


def used(scope: Scope, experiment: Experiment) -> Experiment:
    """The experiment with a record, made now for the default one at its first use."""
    return experiment if experiment.record else _add(scope, experiment.name, number=0)


def every(scope: Scope) -> list[Experiment]:
    """Every experiment, living or deleted, in byte order of the names."""
    found = [of(record) for record in scope.store.records.list_records(scope.tx, DOOR, KIND, limit=1_000_000)]
    if all(experiment.number for experiment in found):
        found.append(_unused(scope))
    return found


def of(record: Record) -> Experiment:
    """The experiment that a record keeps."""
    return Experiment(number=record.number or 0, name=record.key, body=_decode(record.body), record=record)


def need_active(experiment: Experiment) -> None:
    """Raises MlflowError: it is deleted."""
    if experiment.body.lifecycle != ACTIVE:
        raise invalid(
            f"The experiment {experiment.number} must be in the 'active' state. "
            f"Current state is {experiment.body.lifecycle}."
        )


def shown(experiment: Experiment) -> Message:
    """The experiment as the protocol writes it."""
    body = experiment.body
    return {
        "experiment_id": str(experiment.number),
        "name": experiment.name,
        "artifact_location": body.artifact_location,
        "lifecycle_stage": body.lifecycle,
        "last_update_time": body.updated,
        "creation_time": body.created,
        "tags": [{"key": key, "value": value} for key, value in body.tags.items()],
    }


# ---- the verbs -----------------------------------------------------------------------------------------------------------


def create(scope: Scope, message: Message) -> Message:
    """A new experiment."""
    name = limits.experiment_name(message["name"])
    place = limits.location(message["artifact_location"]) if message.get("artifact_location") else ""
    tags = dict(_tag(item, f"tags[{n}]") for n, item in enumerate(message.get("tags", [])))
    if find(scope, name) is not None:
        raise MlflowError(EXISTS, f"Experiment(name={name}) already exists.")
    return {"experiment_id": str(_add(scope, name, place=place, tags=tags).number)}


def get_one(scope: Scope, message: Message) -> Message:
    """An experiment by its id."""
    return {"experiment": shown(get(scope, number_of(message["experiment_id"])))}


def get_by_name(scope: Scope, message: Message) -> Message:
    """An experiment by its name."""
    name = limits.visible(message["experiment_name"], "experiment name")
    found = find(scope, name)
    if found is None:
        raise missing(f"Could not find experiment with name '{name}'")
    return {"experiment": shown(found)}


def update(scope: Scope, message: Message) -> Message:
    """Rename an experiment."""
    experiment = used(scope, get(scope, number_of(message["experiment_id"])))
    name = limits.experiment_name(message["new_name"])
    if experiment.body.lifecycle != ACTIVE:
        raise MlflowError("INVALID_STATE", "Cannot rename a non-active experiment.")
    if name == experiment.name:
        return {}
    taken = MlflowError(EXISTS, f"Experiment(name={name}) already exists.")
    if find(scope, name) is not None:
        raise taken
    try:
        scope.store.corrections.rename_group(scope.tx, experiment.body.group, name)
    except Conflict:
        raise taken from None
    _replace(scope, experiment, key=name)
    return {}


def set_tag(scope: Scope, message: Message) -> Message:
    """Set a tag of an experiment."""
    experiment = used(scope, get(scope, number_of(message["experiment_id"])))
    key, value = _tag(message, "")
    need_active(experiment)
    _replace(scope, experiment, tags={**experiment.body.tags, key: value}, touched=False)
    return {}


def delete_tag(scope: Scope, message: Message) -> Message:
    """Delete a tag of an experiment."""
    experiment = get(scope, number_of(message["experiment_id"]))
    need_active(experiment)
    key = message["key"]
    if key not in experiment.body.tags:
        raise missing(f"No tag with name: {key} in experiment with id {experiment.number}")
    tags = {name: value for name, value in experiment.body.tags.items() if name != key}
    _replace(scope, experiment, tags=tags, touched=False)
    return {}


def replace_lifecycle(scope: Scope, experiment: Experiment, lifecycle: str) -> None:
    """Record that an experiment is deleted or restored; its runs are the caller's matter."""
    _replace(scope, experiment, lifecycle=lifecycle)


def _tag(item: Message, path: str) -> tuple[str, str]:
    said = read(item, _TAG, path) if path else item
    key = limits.key(said["key"], "key", "key")
    return key, limits.within(said.get("value", ""), limits.EXPERIMENT_TAG, "value")


def _add(
    scope: Scope, name: str, *, place: str = "", tags: dict[str, str] | None = None, number: int | None = None
) -> Experiment:
    group = scope.store.groups.add_group(scope.tx, name, KIND, parent=None, at=scope.at)
    now = scope.at // 1000
    # The default one was there before all others.
    created = (
        min([now, *(known.body.created for known in every(scope) if known.record)]) if number == 0 else now
    )
    body = Body(group=group, artifact_location=place, created=created, updated=created, tags=tags or {})
    record = scope.store.records.add_record(
        scope.tx, DOOR, KIND, name, _encode(body), number=number, numbered=number is None, at=scope.at
    )
    if not place:
        body.artifact_location = _place(record.number or 0)
        record = scope.store.records.replace_record(scope.tx, record, body=_encode(body), at=scope.at)
    return of(record)


def _replace(
    scope: Scope, experiment: Experiment, *, key: str | None = None, touched: bool = True, **changes: Any
) -> None:
    assert experiment.record is not None
    if touched:
        changes["updated"] = scope.at // 1000
    body = msgspec.structs.replace(experiment.body, **changes)
    scope.store.records.replace_record(scope.tx, experiment.record, body=_encode(body), key=key, at=scope.at)


def _unused(scope: Scope) -> Experiment:
    """The default experiment, which is there from the beginning."""
    body = Body(group=0, artifact_location=_place(0), created=0, updated=0)
    return Experiment(number=0, name=DEFAULT, body=body, record=None)


def _place(number: int) -> str:
    return f"mlflow-artifacts:/{number}"


_ID = {"experiment_id": text(required=True)}
ROUTES = [
    Verb(
        "POST",
        "/experiments/create",
        create,
        {"name": text(required=True), "artifact_location": text(), "tags": items()},
        writes=True,
    ),
    Verb("GET", "/experiments/get", get_one, _ID),
    Verb("GET", "/experiments/get-by-name", get_by_name, {"experiment_name": text(required=True)}),
    Verb("POST", "/experiments/update", update, {**_ID, "new_name": text(required=True)}, writes=True),
    Verb("POST", "/experiments/set-experiment-tag", set_tag, {**_ID, **_TAG}, writes=True),
    Verb(
        "POST",
        "/experiments/delete-experiment-tag",
        delete_tag,
        {**_ID, "key": text(required=True)},
        writes=True,
    ),
]
