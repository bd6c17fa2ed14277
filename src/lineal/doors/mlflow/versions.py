"""Model versions: numbers of a registered name. A version made from a logged model is that model's version itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from lineal.core.model import AliasRecord, NamedVersion
from lineal.doors.mlflow import models, paths
from lineal.doors.mlflow.errors import invalid, missing
from lineal.doors.mlflow.experiments import DOOR
from lineal.doors.mlflow.paths import Place
from lineal.doors.mlflow.wire import Message
from lineal.service.operations import Scope
from lineal.store.records import Record

KIND = "model_version"
STAGES = ("None", "Staging", "Production", "Archived")
ACTIVE_STAGES = ("Staging", "Production")
_CANONICAL = {stage.lower(): stage for stage in STAGES}


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What this door keeps of a model version. source: as it was sent; storage: where a client loads it from; times in
    milliseconds."""

    source: str = ""
    storage: str = ""
    run: str = ""
    run_link: str = ""
    model: str = ""
    stage: str = "None"
    created: int = 0
    updated: int = 0
    description: str = ""
    user: str = ""
    tags: dict[str, str] = {}


class Known(NamedTuple):
    """A model version that was found. record: None for one that no MLflow client has written yet."""

    name: str
    number: int
    node: int
    body: Body
    record: Record | None


_decode = msgspec.json.Decoder(Body).decode
encode = msgspec.json.Encoder().encode


# ---- finding -------------------------------------------------------------------------------------------------------------


def find(scope: Scope, name: str, version: str) -> Known:
    """The version of that number. Raises MlflowError: there is none, or it is no number."""
    number = number_of(version)
    record = scope.store.records.get_record(scope.tx, DOOR, KIND, f"{name}/{number}")
    if record is not None:
        return of(record)
    for entry in scope.store.registry.list_named(scope.tx, name):
        if entry.number == number:
            return _native(scope, [entry])[0]
    raise missing(f"Model Version (name={name[:300]}, version={number}) not found")


def number_of(version: str) -> int:
    """A version's number. Raises MlflowError: the text is none."""
    text = version.strip()
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise invalid(f"Parameter 'version' must be an integer, got '{version[:100]}'.")
    return int(text)


def of(record: Record) -> Known:
    """The version that a record is about."""
    name, _, number = record.key.rpartition("/")
    return Known(name, int(number), record.node or 0, _decode(record.body), record)


def of_name(scope: Scope, name: str) -> list[Known]:
    """The versions of a name, by number."""
    return _known(scope, scope.store.registry.list_named(scope.tx, name, limit=1_000_000))


def every(scope: Scope) -> list[Known]:
    """The versions of all names, by name and number."""
    return _known(scope, scope.store.registry.list_named(scope.tx, None, limit=10_000_000))


def of_run(scope: Scope, node: int) -> list[Known]:
    """The versions that were registered as made by this run."""
    return [
        of(r) for r in scope.store.records.list_records(scope.tx, DOOR, KIND, parents=[node], limit=1_000_000)
    ]


def _known(scope: Scope, named: list[NamedVersion]) -> list[Known]:
    prefix = f"{named[0].name}/" if named and all(entry.name == named[0].name for entry in named) else ""
    records = {
        record.key: record
        for record in scope.store.records.list_records(scope.tx, DOOR, KIND, prefix=prefix, limit=10_000_000)
    }
    native = {
        (version.name, version.number): version
        for version in _native(
            scope, [entry for entry in named if f"{entry.name}/{entry.number}" not in records]
        )
    }
    return [
        native.get((entry.name, entry.number)) or of(records[f"{entry.name}/{entry.number}"])
        for entry in named
    ]


def _native(scope: Scope, named: Sequence[NamedVersion]) -> list[Known]:
    """Versions that were registered otherwise, as this door sees them."""
    nodes = [entry.node for entry in named]
    standing = scope.store.artifacts.get_versions(scope.tx, nodes)
    logged = scope.store.records.find_by_nodes(scope.tx, DOOR, models.KIND, nodes)
    found: list[Known] = []
    for entry in named:
        at = entry.recorded_at // 1000
        body = Body(source=standing[entry.node].location, created=at, updated=at, user=entry.actor)
        if (record := logged.get(entry.node)) is not None:
            model = models.of(record)
            body.source, body.model, body.run = f"models:/{model.id}", model.id, model.body.run
            body.storage = model.body.artifact_uri
        found.append(Known(entry.name, entry.number, entry.node, body, None))
    return found


def latest(found: Sequence[Known]) -> list[Known]:
    """The newest version of each stage."""
    newest: dict[str, Known] = {}
    for version in sorted(found, key=lambda one: one.number):
        newest[version.body.stage] = version
    return list(newest.values())


def stage_named(stage: str) -> str:
    """A stage as it is kept. Raises MlflowError: there is no such stage."""
    if stage.lower() not in _CANONICAL:
        raise invalid(
            f"Invalid Model Version stage: {stage[:100]}. Value must be one of {', '.join(STAGES)}."
        )
    return _CANONICAL[stage.lower()]


def shown(scope: Scope, known: Known, *, aliases: Sequence[AliasRecord] | None = None) -> Message:
    """The version as the protocol writes it."""
    body = known.body
    if aliases is None:
        aliases = scope.store.registry.list_aliases(scope.tx, known.name)
    said: Message = {
        "name": known.name,
        "version": str(known.number),
        "creation_timestamp": body.created,
        "last_updated_timestamp": body.updated,
        "user_id": body.user,
        "current_stage": body.stage,
        "description": body.description,
        "source": body.source,
        "run_id": body.run,
        "status": "READY",
        "run_link": body.run_link,
        "tags": [{"key": key, "value": value} for key, value in body.tags.items()],
        "aliases": [alias.alias for alias in aliases if alias.number == known.number],
    }
    return said | ({"model_id": body.model} if body.model else {})


def place(scope: Scope, name: str, version: str, path: str) -> Place:
    """Where a file of a version is. Raises MlflowError: its files are not kept here."""
    known = find(scope, name, version)
    uri = known.body.storage or known.body.source
    if uri.startswith("runs:/"):
        run, _, below = uri.removeprefix("runs:/").strip("/").partition("/")
        return Place(paths.RUN, run, f"{below}/{path}" if below else path)
    root = paths.root_of(uri)
    if root is None:
        raise missing(f"The files of {known.name} version {known.number} are not kept by this server")
    return paths.place_of(f"{root}/{path}" if root else path)


# ---- writing -------------------------------------------------------------------------------------------------------------


def replace(scope: Scope, known: Known, *, touched: bool = True, **changes: Any) -> Known:
    """The version with changes recorded; one that was registered otherwise gets its record now."""
    if touched:
        changes["updated"] = scope.at // 1000
    body = msgspec.structs.replace(known.body, **changes)
    if known.record is None:
        record = add(scope, known.name, known.number, known.node, body, None)
    else:
        record = scope.store.records.replace_record(scope.tx, known.record, body=encode(body), at=scope.at)
    return known._replace(body=body, record=record)


def add(scope: Scope, name: str, number: int, node: int, body: Body, run: int | None) -> Record:
    """The record of a new version. run: the vertex of the run that made it."""
    return scope.store.records.add_record(
        scope.tx, DOOR, KIND, f"{name}/{number}", encode(body), parent=run, node=node, at=scope.at
    )


def rename_all(scope: Scope, name: str, new: str) -> None:
    """Let the versions of a name follow it."""
    now = scope.at // 1000
    for known in _recorded(scope, name):
        assert known.record is not None
        body = msgspec.structs.replace(known.body, updated=now)
        scope.store.records.replace_record(
            scope.tx, known.record, key=f"{new}/{known.number}", body=encode(body), at=scope.at
        )


def retract_all(scope: Scope, name: str) -> None:
    """Let the versions of a name cease to be."""
    for known in _recorded(scope, name):
        assert known.record is not None
        scope.store.records.retract_record(scope.tx, known.record, at=scope.at)


def _recorded(scope: Scope, name: str) -> list[Known]:
    records = scope.store.records.list_records(scope.tx, DOOR, KIND, prefix=f"{name}/", limit=1_000_000)
    return [of(record) for record in records]
