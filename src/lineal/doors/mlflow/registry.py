"""Registered models: names of the registry, and beside each a record of this door with what only MLflow says of it.

A name that was registered otherwise is shown as well, and gets its record at the first change.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from lineal.core.errors import Conflict
from lineal.doors.mlflow import limits, paths, versions
from lineal.doors.mlflow.errors import EXISTS, MlflowError, invalid, missing
from lineal.doors.mlflow.experiments import DOOR
from lineal.doors.mlflow.sources import IS_PROMPT
from lineal.doors.mlflow.wire import Message, read, text
from lineal.service import registry as service
from lineal.service.operations import Scope
from lineal.store.records import Record

KIND = "registered_model"
LATEST = "latest"
NAME, ALIAS, TAG_VALUE = 256, 255, 100_000
PAIR = {"key": text(required=True), "value": text()}

_ALIAS = re.compile(r"[\w\-]+")
_NUMBERED = re.compile(r"[vV]\d+")


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What this door keeps of a registered model. Times in milliseconds."""

    created: int = 0
    updated: int = 0
    description: str = ""
    user: str = ""
    tags: dict[str, str] = {}


class Known(NamedTuple):
    """A registered model that was found. record: None for one that no MLflow client has written yet."""

    name: str
    body: Body
    record: Record | None


_decode = msgspec.json.Decoder(Body).decode
_encode = msgspec.json.Encoder().encode


# ---- finding -------------------------------------------------------------------------------------------------------------


def find(scope: Scope, name: str) -> Known:
    """The registered model of that name. Raises MlflowError: there is none."""
    known = look(scope, named(name))
    if known is None:
        raise missing(f"Registered Model with name={name} not found")
    return known


def look(scope: Scope, name: str) -> Known | None:
    """The registered model of that name, if there is one."""
    record = scope.store.records.get_record(scope.tx, DOOR, KIND, name)
    if record is not None:
        return Known(name, _decode(record.body), record)
    if scope.store.registry.list_names(scope.tx, prefix=name, limit=1) != [name]:
        return None
    return Known(name, _native(scope, name), None)


def every(scope: Scope) -> list[Known]:
    """Every registered model, in byte order of the names."""
    records = {
        record.key: record
        for record in scope.store.records.list_records(scope.tx, DOOR, KIND, limit=1_000_000)
    }
    return [
        Known(name, _decode(records[name].body), records[name])
        if name in records
        else Known(name, _native(scope, name), None)
        for name in scope.store.registry.list_names(scope.tx, limit=1_000_000)
    ]


def _native(scope: Scope, name: str) -> Body:
    times = [entry.recorded_at // 1000 for entry in scope.store.registry.list_named(scope.tx, name)]
    return Body(created=min(times, default=0), updated=max(times, default=0))


def named(name: str) -> str:
    """A name as it is kept. Raises MlflowError: it cannot be one."""
    if not name.strip():
        raise invalid("Missing value for required parameter 'name'. Registered model name cannot be empty.")
    name = limits.within(limits.visible(name, "model name"), NAME, "name")
    for spelling in paths.spellings(name):
        if "/" in spelling or ":" in spelling or "\\" in spelling:
            raise invalid(f"Invalid model name '{name}'. Names cannot contain '/' or ':'.")
        if spelling.strip() in {".", ".."}:
            raise invalid(f"Invalid model name '{name}'. It must not be a relative path.")
    service.check_name(name)
    return name


def adopted(scope: Scope, known: Known) -> Known:
    """The model with a record of this door, made now if it was registered otherwise."""
    if known.record is not None:
        return known
    record = scope.store.records.add_record(
        scope.tx, DOOR, KIND, known.name, _encode(known.body), at=scope.at
    )
    return known._replace(record=record)


def replace(
    scope: Scope, known: Known, *, key: str | None = None, touched: bool = True, **changes: Any
) -> Known:
    """The model with changes recorded."""
    record = adopted(scope, known).record
    assert record is not None
    if touched:
        changes["updated"] = scope.at // 1000
    body = msgspec.structs.replace(known.body, **changes)
    record = scope.store.records.replace_record(scope.tx, record, body=_encode(body), key=key, at=scope.at)
    return Known(record.key, body, record)


def shown(scope: Scope, known: Known) -> Message:
    """The model as the protocol writes it, with the newest version of each stage."""
    body = known.body
    aliases = scope.store.registry.list_aliases(scope.tx, known.name)
    latest = versions.latest(versions.of_name(scope, known.name))
    return {
        "name": known.name,
        "creation_timestamp": body.created,
        "last_updated_timestamp": body.updated,
        "user_id": body.user,
        "description": body.description,
        "latest_versions": [versions.shown(scope, version, aliases=aliases) for version in latest],
        "tags": [{"key": key, "value": value} for key, value in body.tags.items()],
        "aliases": [{"alias": alias.alias, "version": str(alias.number)} for alias in aliases],
    }


def is_prompt(known: Known) -> bool:
    """Whether it is a prompt, which MLflow keeps among registered models."""
    return known.body.tags.get(IS_PROMPT, "false").lower() == "true"


def tags_of(given: list[Message]) -> dict[str, str]:
    """Keys and values of tags, the last one of a key. Raises MlflowError."""
    return dict(tag(read(item, PAIR, f"tags[{number}]")) for number, item in enumerate(given))


def tag(said: Message) -> tuple[str, str]:
    """Key and value of a tag. Raises MlflowError."""
    key = limits.key(said["key"], "key", "key")
    return key, limits.within(said.get("value", ""), TAG_VALUE, "value")


# ---- the verbs -----------------------------------------------------------------------------------------------------------


def create(scope: Scope, message: Message) -> Message:
    """A new registered model."""
    name = named(message["name"])
    tags = tags_of(message.get("tags", []))
    try:
        scope.store.registry.add_name(scope.tx, name, actor=scope.actor, at=scope.at)
    except Conflict:
        raise _exists(name) from None
    now = scope.at // 1000
    body = Body(created=now, updated=now, description=message.get("description", ""), tags=tags)
    record = scope.store.records.add_record(scope.tx, DOOR, KIND, name, _encode(body), at=scope.at)
    return {"registered_model": shown(scope, Known(name, body, record))}


def _exists(name: str) -> MlflowError:
    return MlflowError(EXISTS, f"Registered Model (name={name}) already exists.")


def get_one(scope: Scope, message: Message) -> Message:
    """A registered model by its name."""
    return {"registered_model": shown(scope, find(scope, message["name"]))}


def update(scope: Scope, message: Message) -> Message:
    """Change a registered model's description."""
    known = find(scope, message["name"])
    return {
        "registered_model": shown(scope, replace(scope, known, description=message.get("description", "")))
    }


def rename(scope: Scope, message: Message) -> Message:
    """Give a registered model another name; its versions and aliases go with it."""
    known = find(scope, message["name"])
    new = named(message["new_name"])
    if new == known.name:
        return {"registered_model": shown(scope, known)}
    try:
        scope.store.registry.rename(scope.tx, known.name, new, actor=scope.actor, at=scope.at)
    except Conflict:
        raise _exists(new) from None
    versions.rename_all(scope, known.name, new)
    return {"registered_model": shown(scope, replace(scope, known, key=new))}


def delete(scope: Scope, message: Message) -> Message:
    """Delete a registered model with its versions; the name is free again."""
    known = find(scope, message["name"])
    scope.store.registry.retract_named(
        scope.tx, known.name, None, actor=scope.actor, reason="deleted through MLflow", at=scope.at
    )
    versions.retract_all(scope, known.name)
    if known.record is not None:
        scope.store.records.retract_record(scope.tx, known.record, at=scope.at)
    return {}


def set_tag(scope: Scope, message: Message) -> Message:
    """Set a tag of a registered model."""
    known = find(scope, message["name"])
    key, value = tag(message)
    replace(scope, known, touched=False, tags={**known.body.tags, key: value})
    return {}


def delete_tag(scope: Scope, message: Message) -> Message:
    """Delete a tag of a registered model, if it has it."""
    known = find(scope, message["name"])
    if message["key"] in known.body.tags:
        tags = {key: value for key, value in known.body.tags.items() if key != message["key"]}
        replace(scope, known, touched=False, tags=tags)
    return {}


def get_latest(scope: Scope, message: Message) -> Message:
    """The newest version of each stage, or of the stages that are named."""
    known = find(scope, message["name"])
    stages = {versions.stage_named(stage) for stage in message.get("stages", [])} or set(versions.STAGES)
    latest = versions.latest(versions.of_name(scope, known.name))
    return {"model_versions": [versions.shown(scope, one) for one in latest if one.body.stage in stages]}


# ---- aliases -------------------------------------------------------------------------------------------------------------


def set_alias(scope: Scope, message: Message) -> Message:
    """Point an alias at a version."""
    alias = message["alias"]
    _check_alias(alias)
    if alias.lower() == LATEST:
        raise invalid("'latest' alias name (case insensitive) is reserved.")
    if _NUMBERED.fullmatch(alias):
        raise invalid(f"Version alias name '{alias}' is reserved.")
    version = versions.find(scope, message["name"], message["version"])
    service.move_alias(
        scope,
        service.AliasRequest(
            name=version.name, alias=alias, version=str(version.number), reason="set through MLflow"
        ),
    )
    return {}


def delete_alias(scope: Scope, message: Message) -> Message:
    """Let an alias point nowhere."""
    alias = message["alias"]
    _check_alias(alias)
    known = find(scope, message["name"])
    if scope.store.registry.get_alias(scope.tx, known.name, alias) is not None:
        service.move_alias(
            scope,
            service.AliasRequest(name=known.name, alias=alias, version="", reason="deleted through MLflow"),
        )
    return {}


def get_by_alias(scope: Scope, message: Message) -> Message:
    """The version that an alias points at."""
    _check_alias(message["alias"])
    return {"model_version": versions.shown(scope, by_alias(scope, message["name"], message["alias"]))}


def by_alias(scope: Scope, name: str, alias: str) -> versions.Known:
    """The version that an alias points at; `latest` always is the newest. Raises MlflowError: it points nowhere."""
    known = find(scope, name)
    if alias.lower() == LATEST:
        found = versions.of_name(scope, known.name)
        if not found:
            raise missing(f"Latest version not found for model {name}.")
        return max(found, key=lambda version: version.number)
    pointing = scope.store.registry.get_alias(scope.tx, known.name, alias)
    if pointing is None:
        raise invalid(f"Registered model alias {alias} not found.")
    return versions.find(scope, known.name, str(pointing.number))


def _check_alias(alias: str) -> None:
    if not _ALIAS.fullmatch(alias):
        raise invalid(
            f"Invalid alias name: '{alias[:300]}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )
    limits.within(alias, ALIAS, "Registered model alias name")
