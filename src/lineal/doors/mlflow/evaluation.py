"""Evaluation datasets: questions with the answers that are expected. A record of this door each, and one for each row, which
is found by its inputs."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import msgspec

from lineal.core.ids import sha256
from lineal.doors.mlflow import experiments, grammar, limits
from lineal.doors.mlflow.errors import invalid, missing
from lineal.doors.mlflow.experiments import DOOR
from lineal.doors.mlflow.grammar import NUMERIC, TEXTUAL, Kind, Rules
from lineal.doors.mlflow.wire import (
    Message,
    Verb,
    encode,
    integer,
    offset_of,
    page_size,
    text,
    texts,
    token_of,
)
from lineal.service.operations import Scope
from lineal.store.records import Record

KIND, ROW = "evaluation", "evaluation row"
USER = "mlflow.user"

_USUAL, _MOST = 1000, 50_000
_MOST_ROWS, _MOST_KEPT = 10_000, 1_000_000  # of one request, of one dataset
_NAME, _KEY, _VALUE = 255, 255, 5000
_PARTS = ("inputs", "outputs", "expectations")
_TEXT, _NUMBER = Kind(False, TEXTUAL), Kind(True, NUMERIC)
_NUMBERS = {"created_time": "created", "last_update_time": "updated"}
_WORDS = {"name": "name", "created_by": "created_by", "last_updated_by": "updated_by"}
_ENTITIES = {"attribute": "attribute", "attributes": "attribute", "tag": "tag", "tags": "tag"}
_RULES = Rules(
    {**dict.fromkeys(_WORDS, _TEXT), **dict.fromkeys(_NUMBERS, _NUMBER)}, _ENTITIES, {"tag": _TEXT}
)


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is kept of an evaluation dataset. rows: how many it has; taken: how many it ever had; schema: kinds of the values of its rows by part and name."""

    name: str
    created: int
    updated: int
    created_by: str = ""
    updated_by: str = ""
    tags: dict[str, str] = {}
    experiments: list[int] = []
    schema: dict[str, Any] = {}
    rows: int = 0
    taken: int = 0


class Row(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is kept of a row. place: how many had come before it."""

    id: str
    place: int
    inputs: Any
    created: int
    updated: int
    outputs: Any = None
    expectations: dict[str, Any] | None = None
    tags: dict[str, str] | None = None
    source: dict[str, Any] | None = None
    created_by: str = ""
    updated_by: str = ""


class Known(NamedTuple):
    """A dataset that was found."""

    id: str
    body: Body
    record: Record


_decode = msgspec.json.Decoder(Body).decode
_decode_row = msgspec.json.Decoder(Row).decode


# ---- datasets ------------------------------------------------------------------------------------------------------------


def create(scope: Scope, message: Message) -> Message:
    """A new dataset."""
    name = limits.within(limits.visible(message["name"], "name"), _NAME, "name")
    tags = _tags(message.get("tags", ""))
    numbers = _experiments(scope, message)
    now, user = scope.at // 1000, tags.get(USER, "")
    body = Body(
        name=name,
        created=now,
        updated=now,
        created_by=user,
        updated_by=user,
        tags=tags,
        experiments=numbers,
    )
    id = f"d-{os.urandom(16).hex()}"
    record = scope.store.records.add_record(scope.tx, DOOR, KIND, id, encode(body), at=scope.at)
    return {"dataset": shown(Known(id, body, record))}


def get_one(scope: Scope, message: Message) -> Message:
    """A dataset without its rows."""
    return {"dataset": shown(_find(scope, message))}


def delete(scope: Scope, message: Message) -> Message:
    """Delete a dataset with its rows, if there is one."""
    record = scope.store.records.get_record(scope.tx, DOOR, KIND, message["dataset_id"])
    if record is not None:
        for row in _rows(scope, record.key):
            scope.store.records.retract_record(scope.tx, row, at=scope.at)
        scope.store.records.retract_record(scope.tx, record, at=scope.at)
    return {}


def search(scope: Scope, message: Message) -> Message:
    """Datasets that match, newest first, a page of them."""
    if not message.get("max_results"):
        message = {**message, "max_results": _USUAL}
    size, start = page_size(message, _USUAL, _MOST), offset_of(message.get("page_token"))
    match, _ = grammar.parse(message.get("filter_string", ""), _RULES)
    wanted = {experiments.number_of(id) for id in message.get("experiment_ids", [])}
    found = [
        known
        for known in map(_of, scope.store.records.list_records(scope.tx, DOOR, KIND, limit=_MOST_KEPT))
        if (not wanted or wanted & set(known.body.experiments)) and match(_looked(known.body))
    ]
    found.sort(key=lambda known: (-known.body.created, known.id))
    for clause in reversed(message.get("order_by", [])):
        key, upward = grammar.order_of(clause, {**_WORDS, **_NUMBERS})
        found.sort(key=lambda known, key=key: getattr(known.body, key), reverse=not upward)  # type: ignore[misc]
    more = {"next_page_token": token_of(start + size)} if start + size < len(found) else {}
    return {"datasets": [shown(known) for known in found[start : start + size]], **more}


def set_tags(scope: Scope, message: Message) -> Message:
    """Set tags of a dataset."""
    known = _find(scope, message)
    tags = _tags(message["tags"])
    _replace(scope, known, tags={**known.body.tags, **tags})
    return {}


def delete_tag(scope: Scope, message: Message) -> Message:
    """Delete a tag of a dataset, if it has it."""
    known = _find(scope, message)
    if message["key"] in known.body.tags:
        _replace(
            scope, known, tags={key: value for key, value in known.body.tags.items() if key != message["key"]}
        )
    return {}


def experiment_ids(scope: Scope, message: Message) -> Message:
    """The experiments that a dataset is for."""
    return {"experiment_ids": [str(number) for number in _find(scope, message).body.experiments]}


def add_experiments(scope: Scope, message: Message) -> Message:
    """Let a dataset be for further experiments."""
    known = _find(scope, message)
    numbers = list(dict.fromkeys([*known.body.experiments, *_experiments(scope, message)]))
    return {"dataset": shown(_replace(scope, known, experiments=numbers))}


def remove_experiments(scope: Scope, message: Message) -> Message:
    """Let a dataset no longer be for some experiments."""
    known = _find(scope, message)
    gone = {experiments.number_of(id) for id in message.get("experiment_ids", [])}
    numbers = [number for number in known.body.experiments if number not in gone]
    return {"dataset": shown(_replace(scope, known, experiments=numbers))}


def shown(known: Known) -> Message:
    """The dataset as the protocol writes it: what is free in form is text that is JSON."""
    body = known.body
    said: Message = {
        "dataset_id": known.id,
        "name": body.name,
        "tags": encode(body.tags).decode(),
        "digest": sha256(f"{body.name}:{body.updated}".encode()).removeprefix("sha256:")[:8],
        "created_time": body.created,
        "last_update_time": body.updated,
        "experiment_ids": [str(number) for number in body.experiments],
    }
    if body.schema:
        said["schema"] = encode(body.schema).decode()
    if body.rows:
        said["profile"] = encode({"num_records": body.rows}).decode()
    for name, value in (("created_by", body.created_by), ("last_updated_by", body.updated_by)):
        if value:
            said[name] = value
    return said


# ---- rows ----------------------------------------------------------------------------------------------------------------


def put_rows(scope: Scope, message: Message) -> Message:
    """Keep rows; one with the inputs of another is that one, changed. How many were new, and how many were not."""
    known = _find(scope, message)
    given = _json(message["records"], list, "records")
    if len(given) > _MOST_ROWS:
        raise invalid(f"{len(given)} records were sent, at most {_MOST_ROWS} are taken at once")
    schema = known.body.schema or {**{part: {} for part in _PARTS}, "version": "1.0"}
    inserted, user = 0, known.body.updated_by
    for number, said in enumerate(given):
        row = _row(said, f"records[{number}]", known.body.taken + inserted, scope.at // 1000)
        inserted += _put_row(scope, known.id, row)
        user = row.updated_by or user
        for part in _PARTS:
            value = getattr(row, part)
            if isinstance(value, dict):
                for name, one in value.items():
                    schema[part].setdefault(name, _type_of(one))
    counts = {"rows": known.body.rows + inserted, "taken": known.body.taken + inserted}
    _replace(scope, known, schema=schema, updated_by=user, **counts)
    return {"inserted_count": inserted, "updated_count": len(given) - inserted}


def list_rows(scope: Scope, message: Message) -> Message:
    """The rows of a dataset in order of their coming, a page of them, as text that is JSON."""
    known = _find(scope, message)
    if not message.get("max_results"):
        message = {**message, "max_results": _USUAL}
    size, start = page_size(message, _USUAL, _MOST), offset_of(message.get("page_token"))
    found = [_decode_row(record.body) for record in _rows(scope, known.id)]
    found.sort(key=lambda row: row.place)
    page = [_shown_row(known.id, row) for row in found[start : start + size]]
    more = {"next_page_token": token_of(start + size)} if start + size < len(found) else {}
    return {"records": encode(page).decode(), **more}


def delete_rows(scope: Scope, message: Message) -> Message:
    """Delete rows by their ids; how many there were."""
    known = _find(scope, message)
    gone = set(message.get("dataset_record_ids", []))
    found = [record for record in _rows(scope, known.id) if _decode_row(record.body).id in gone]
    for record in found:
        scope.store.records.retract_record(scope.tx, record, at=scope.at)
    if found:
        _replace(scope, known, rows=max(0, known.body.rows - len(found)))
    return {"deleted_count": len(found)}


def _put_row(scope: Scope, dataset: str, row: Row) -> bool:
    """Whether the row is new."""
    records, key = scope.store.records, f"{dataset}/{_digest(row.inputs)}"
    before = records.get_record(scope.tx, DOOR, ROW, key)
    if before is None:
        records.add_record(scope.tx, DOOR, ROW, key, encode(row), at=scope.at)
        return True
    old = _decode_row(before.body)
    merged = msgspec.structs.replace(
        old,
        updated=row.updated,
        updated_by=row.updated_by or old.updated_by,
        outputs=old.outputs if row.outputs is None else row.outputs,
        expectations={**(old.expectations or {}), **(row.expectations or {})} or old.expectations,
        tags={**(old.tags or {}), **(row.tags or {})} or old.tags,
        source=row.source or old.source,
    )
    records.replace_record(scope.tx, before, body=encode(merged), at=scope.at)
    return False


def _row(said: Any, path: str, place: int, now: int) -> Row:
    if not isinstance(said, dict) or not isinstance(said.get("inputs", {}), dict):
        raise invalid(
            f"Invalid value for parameter '{path}' supplied: an object with an object 'inputs' is wanted"
        )
    tags = _checked_tags(said["tags"], f"{path}.tags") if said.get("tags") else None
    user = (tags or {}).get(USER, "")
    for part in ("expectations", "source"):
        if said.get(part) is not None and not isinstance(said[part], dict):
            raise invalid(f"Invalid value for parameter '{path}.{part}' supplied: it is no object")
    return Row(
        id=f"edr-{os.urandom(16).hex()}",
        place=place,
        inputs=said.get("inputs", {}),
        outputs=said.get("outputs"),
        expectations=said.get("expectations"),
        tags=tags,
        source=said.get("source"),
        created=now,
        updated=now,
        created_by=user,
        updated_by=user,
    )


def _shown_row(dataset: str, row: Row) -> Message:
    said: Message = {
        "dataset_record_id": row.id,
        "dataset_id": dataset,
        "inputs": row.inputs,
        "created_time": row.created,
        "last_update_time": row.updated,
    }
    source = row.source or {}
    data = source.get("source_data")
    for name, value in (
        ("outputs", row.outputs),
        ("expectations", row.expectations),
        ("tags", row.tags),
        ("source", row.source),
        ("source_type", source.get("source_type")),
        ("source_id", data.get("trace_id") if isinstance(data, dict) else None),
        ("created_by", row.created_by or None),
        ("last_updated_by", row.updated_by or None),
    ):
        if value is not None:
            said[name] = value
    return said


def _rows(scope: Scope, dataset: str) -> list[Record]:
    return scope.store.records.list_records(scope.tx, DOOR, ROW, prefix=f"{dataset}/", limit=_MOST_KEPT)


def _digest(inputs: Any) -> str:
    return sha256(msgspec.json.encode(inputs, order="deterministic")).removeprefix("sha256:")


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "boolean", int: "integer", float: "float", str: "string", list: "array"}
    return kinds.get(type(value), "object")


# ---- what they need ------------------------------------------------------------------------------------------------------


def _find(scope: Scope, message: Message) -> Known:
    id = message["dataset_id"]
    record = scope.store.records.get_record(scope.tx, DOOR, KIND, id)
    if record is None:
        raise missing(f"Evaluation dataset with id '{id[:100]}' not found")
    return _of(record)


def _of(record: Record) -> Known:
    return Known(record.key, _decode(record.body), record)


def _replace(scope: Scope, known: Known, **changes: Any) -> Known:
    body = msgspec.structs.replace(known.body, updated=scope.at // 1000, **changes)
    record = scope.store.records.replace_record(scope.tx, known.record, body=encode(body), at=scope.at)
    return Known(known.id, body, record)


def _experiments(scope: Scope, message: Message) -> list[int]:
    """The numbers of experiments that there are."""
    found = (
        experiments.get(scope, experiments.number_of(id)).number for id in message.get("experiment_ids", [])
    )
    return list(dict.fromkeys(found))


def _looked(body: Body) -> grammar.Look:
    def look(entity: str, key: str) -> str | float | None:
        if entity == "tag":
            return body.tags.get(key)
        found: str | float = getattr(body, {**_WORDS, **_NUMBERS}[key])
        return found

    return look


def _tags(said: str) -> dict[str, str]:
    return _checked_tags(_json(said, dict, "tags"), "tags") if said else {}


def _checked_tags(said: Any, path: str) -> dict[str, str]:
    if not isinstance(said, dict) or any(not isinstance(value, str) for value in said.values()):
        raise invalid(f"Invalid value for parameter '{path}' supplied: it is no object of texts")
    return {
        limits.within(limits.visible(key, "key"), _KEY, "key"): limits.within(value, _VALUE, "value")
        for key, value in said.items()
    }


def _json(said: str, kind: type, name: str) -> Any:
    try:
        found = msgspec.json.decode(said)
    except (msgspec.DecodeError, RecursionError) as error:
        raise invalid(f"Invalid value for parameter '{name}' supplied: {error}") from None
    if not isinstance(found, kind):
        raise invalid(f"Invalid value for parameter '{name}' supplied: it is no {kind.__name__}")
    return found


_ID = {"dataset_id": text(required=True)}
_IN = {**_ID, "experiment_ids": texts()}
_PAGE = {"max_results": integer(), "page_token": text()}
_SEARCH = {**_PAGE, "experiment_ids": texts(), "filter_string": text(), "order_by": texts()}
_NEW = {"name": text(required=True), "experiment_ids": texts(), "tags": text()}
_ONE = "/datasets/{dataset_id}"


def _verb(method: str, path: str, function: Any, fields: Any, **more: Any) -> Verb:
    return Verb(method, path, function, fields, versions=("3.0",), **more)


ROUTES = [
    _verb("POST", "/datasets/create", create, _NEW, writes=True),
    _verb("POST", "/datasets/search", search, _SEARCH),
    _verb("GET", "/datasets/search", search, _SEARCH),
    _verb("GET", _ONE, get_one, _ID),
    _verb("DELETE", _ONE, delete, _ID, writes=True, permission="record:delete"),
    _verb("PATCH", _ONE + "/tags", set_tags, {**_ID, "tags": text(required=True)}, writes=True),
    _verb("DELETE", _ONE + "/tags/{key}", delete_tag, {**_ID, "key": text(required=True)}, writes=True),
    _verb("POST", _ONE + "/records", put_rows, {**_ID, "records": text(required=True)}, writes=True),
    _verb("GET", _ONE + "/records", list_rows, {**_ID, **_PAGE}),
    _verb(
        "DELETE",
        _ONE + "/records",
        delete_rows,
        {**_ID, "dataset_record_ids": texts()},
        writes=True,
        permission="record:delete",
    ),
    _verb("GET", _ONE + "/experiment-ids", experiment_ids, _ID),
    _verb("POST", _ONE + "/add-experiments", add_experiments, _IN, writes=True),
    _verb("POST", _ONE + "/remove-experiments", remove_experiments, _IN, writes=True),
]
