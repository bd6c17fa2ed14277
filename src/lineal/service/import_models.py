"""Imported logged models and registered versions: as the MLflow door keeps what is logged and registered there."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from lineal.connect import items as found
from lineal.core.errors import Conflict, Invalid, NotFound
from lineal.core.events import Level, Member, Reference
from lineal.core.ids import sha256
from lineal.core.model import EdgeKind
from lineal.resolve.content import manifest_digest
from lineal.service import mlflow_tags, registry
from lineal.service.facets import attach
from lineal.service.import_runs import (
    DOOR,
    Taking,
    body,
    edge,
    experiment_named,
    find,
    node_of,
    put,
    set_tags,
)
from lineal.service.ingest import relate_same_bytes
from lineal.service.operations import Scope

REASON = "imported"  # why an alias points where it does, when it was imported
_MOST_MISSING = 10_000  # numbers of deleted versions between two that stand
_IS_PROMPT, _PROMPT_TEXT = "mlflow.prompt.is_prompt", "mlflow.prompt.text"
_UNSEEN = "its files were not all there yet"


# ---- logged models -------------------------------------------------------------------------------------------------------


def model(taking: Taking, item: found.Model) -> None:
    """A logged model, known again by its id."""
    scope = taking.scope
    of = experiment_named(scope, item.experiment)
    known = find(scope, "logged_model", item.id)
    here = f"mlflow-artifacts:/{of.number or 0}/models/{item.id}/artifacts"
    before = msgspec.json.decode(known.body).get("artifact_uri", "") if known else ""
    ours = (
        taking.bytes or before == here or not item.location or item.location.startswith("mlflow-artifacts:")
    )
    address = here if ours else item.location[:2048]
    content = body(
        name=item.name or item.id,
        type=item.type,
        run=item.run,
        status=item.status,
        created=item.created,
        updated=item.updated,
        artifact_uri=address,
        deleted=item.deleted,
        tags=item.tags,
        params=item.params,
    )
    node = known.node if known else _vertex(taking, item, address)
    assert node is not None
    put(scope, "logged_model", item.id, content, parent=of.number, node=node)
    set_tags(scope, node, item.tags)
    for metric in item.metrics:
        _metric(scope, item.id, metric, of.number)
    if item.deleted and known is None:
        scope.store.corrections.add_tombstones(
            scope.tx, [node], actor=scope.actor, reason=f"deleted in {taking.system}", at=scope.at
        )


def _vertex(taking: Taking, item: found.Model, address: str) -> int:
    """The version that a model is: without a digest as long as its files are not here."""
    scope = taking.scope
    node, _ = scope.store.artifacts.add_version(
        scope.tx,
        namespace=DOOR,
        name=item.name or item.id,
        kind="model",
        digest=None,
        level=Level.NONE,
        reason=_UNSEEN,
        size=None,
        location=address,
        recorded_at=scope.at,
    )
    reference = Reference(scheme="mlflow-model", value=item.id, level=Level.NATIVE)
    scope.store.artifacts.add_references(scope.tx, node, [reference], at=scope.at)
    run = scope.store.runs.find_run(scope.tx, item.run) if item.run else None
    if run is not None:
        edge(taking, run, node, "model", EdgeKind.GENERATED)
    return node


def _metric(scope: Scope, id: str, metric: found.ModelMetric, parent: int | None) -> None:
    what = f"{metric.key}/{metric.dataset}/{metric.digest}/{metric.run}"
    key = f"{id}/{what if len(what) < 400 else sha256(what.encode())}"
    known = find(scope, "model_metric", key)
    if known is not None:
        before = msgspec.json.decode(known.body)
        if (metric.at, metric.step) < (before.get("at", 0), before.get("step", 0)):
            return
    told = {name: value for name, value in msgspec.structs.asdict(metric).items() if value != ""}
    put(scope, "model_metric", key, msgspec.json.encode({"run": "", **told}), parent=parent)


def link(taking: Taking, item: found.Link) -> None:
    """A run used a logged model or made it. Raises NotFound: the run was not taken."""
    scope = taking.scope
    run = node_of(scope, item.run)
    known = find(scope, "logged_model", item.model)
    kind = "model_output" if item.made else "model_input"
    key = f"{item.run}/{item.model[:256]}/{item.step}"
    if find(scope, kind, key) is not None:
        return
    node = known.node if known else None
    put(scope, kind, key, body(model_id=item.model, step=item.step or None), parent=run, node=node)
    if node is None:
        return
    if item.made:
        edge(taking, run, node, "model", EdgeKind.GENERATED)
    else:
        edge(taking, node, run, "model", EdgeKind.USED)


def file(taking: Taking, item: found.File) -> None:
    """A file of a run or logged model, whose bytes are kept. Raises NotFound: its owner was not taken; Invalid: no path."""
    parts = item.path.split("/")
    if any(part.strip() in {"", ".", ".."} for part in parts) or "\\" in item.path or item.size < 0:
        raise Invalid(f"{item.path[:200]!r} is no path inside a run or model", hint="")
    if not item.digest.startswith("sha256:") or len(item.digest) != 71:
        raise Invalid(f"{item.digest[:100]!r} is no digest", hint="")
    scope = taking.scope
    node = _model_node(scope, item.owner) if item.model else node_of(scope, item.owner)
    scope.store.files.put_file(scope.tx, node, item.path, digest=item.digest, size=item.size, at=scope.at)


def whole(taking: Taking, item: found.Whole) -> None:
    """All files of a model are here: its version gets the digest of their manifest, and what they say of it."""
    scope, store = taking.scope, taking.scope.store
    node = _model_node(scope, item.model)
    members = _members(scope, node, "")
    if not members:
        return
    digest = _manifest(members)
    size = sum(member.size for member in members)
    if store.artifacts.complete_version(
        scope.tx, node, digest=digest, level=Level.CONTENT, size=size, members=members
    ):
        relate_same_bytes(scope, digest, taking.message)
    else:
        reference = Reference(scheme="sha256", value=digest.removeprefix("sha256:"))
        store.artifacts.add_references(scope.tx, node, [reference], at=scope.at)
    attach(scope, [(node, name, told.encode()) for name, told in item.facets.items()], taking.message)


def _model_node(scope: Scope, id: str) -> int:
    record = find(scope, "logged_model", id) if id else None
    if record is None or record.node is None:
        raise NotFound(f"its model {id[:64]!r} was not taken", hint="see why among what was left")
    return record.node


def _members(scope: Scope, node: int, prefix: str) -> list[Member]:
    return [
        Member(path=file.path[len(prefix) :], digest=file.digest, size=file.size)
        for file in scope.store.files.list_files(scope.tx, node, prefix)
    ]


def _manifest(members: list[Member]) -> str:
    entries = [(member.path.encode(), member.digest.removeprefix("sha256:")) for member in members]
    return "sha256:" + manifest_digest(entries)


# ---- the registry --------------------------------------------------------------------------------------------------------


def registered(taking: Taking, item: found.Registered) -> None:
    """A registered name; one that is here already keeps what is said of it and gets the tags it lacks."""
    scope = taking.scope
    registry.check_name(item.name)
    said: dict[str, Any] = {
        "created": item.created,
        "updated": item.updated,
        "description": item.description,
        "user": item.user,
        "tags": item.tags,
    }
    known = find(scope, "registered_model", item.name)
    if known is not None:
        before = msgspec.json.decode(known.body)
        if item.updated > before.get("updated", 0):
            put(
                scope,
                "registered_model",
                item.name,
                body(**{**said, "tags": {**before.get("tags", {}), **item.tags}}),
            )
        return
    try:
        scope.store.registry.add_name(scope.tx, item.name, actor=item.user or scope.actor, at=scope.at)
    except Conflict:
        pass  # registered otherwise: its versions join those
    put(scope, "registered_model", item.name, body(**said))


def version(taking: Taking, item: found.Version) -> None:
    """A version of a name, under its own number where that is free, else under the next one.

    Raises NotFound: the name was not taken; Invalid: its number is none, or far from the one before.
    """
    scope = taking.scope
    if find(scope, "registered_model", item.name) is None:
        raise NotFound(f"its name {item.name[:200]!r} was not taken", hint="see why among what was left")
    records = scope.store.records.list_records(
        scope.tx, DOOR, "model_version", prefix=f"{item.name}/", limit=1_000_000
    )
    for record in records:
        before = msgspec.json.decode(record.body)
        if all(before.get(key, empty) == getattr(item, key) for key, empty in _SAME.items()):
            number = int(record.key.rpartition("/")[2])
            storage = _address(scope, item) or before.get("storage", "")
            newer = item.updated > before.get("updated", 0)
            content = _body(item, storage) if newer else body(**{**before, "storage": storage})
            put(scope, "model_version", record.key, content)
            if newer and record.node is not None:
                _tag(scope, record.node, item)
            break
    else:
        number = _register(taking, item)
    _point(scope, item, number)


# What tells that a version is the one that was imported before.
_SAME: dict[str, Any] = {"source": "", "created": 0, "run": "", "model": ""}


def _body(item: found.Version, storage: str) -> bytes:
    return body(
        source=item.source,
        storage=storage,
        run=item.run,
        run_link=item.run_link,
        model=item.model,
        stage="" if item.stage == "None" else item.stage,
        created=item.created,
        updated=item.updated,
        description=item.description,
        user=item.user,
        tags=item.tags,
    )


def _register(taking: Taking, item: found.Version) -> int:
    scope, store = taking.scope, taking.scope.store
    node, storage = _origin(taking, item)
    actor = item.user or scope.actor
    if not 1 <= item.number < 2**31:
        raise Invalid(f"its number {item.number} is none", hint="")
    skipped: list[int] = []
    while True:
        named = store.registry.register(scope.tx, item.name, node, actor=actor, at=scope.at, again=True)
        if not skipped and item.number - named.number > _MOST_MISSING:
            raise Invalid(f"its number {item.number} is far from the one before", hint="")
        if named.number >= item.number:
            break
        skipped.append(named.number)
    for number in skipped:
        store.registry.retract_named(
            scope.tx, item.name, number, actor=actor, reason=f"not in {taking.system}", at=scope.at
        )
    run = store.runs.find_run(scope.tx, item.run) if item.run else None
    put(scope, "model_version", f"{item.name}/{named.number}", _body(item, storage), parent=run, node=node)
    _tag(scope, node, item)
    return named.number


def _tag(scope: Scope, node: int, item: found.Version) -> None:
    """What a version of a model is tagged with, as where MLflow's clients tag it."""
    if item.tags.get(_IS_PROMPT, "").lower() != "true":
        set_tags(scope, node, item.tags)


def _point(scope: Scope, item: found.Version, number: int) -> None:
    """Let the aliases point there, but for those that somebody has moved since."""
    for alias in item.aliases:
        now = scope.store.registry.get_alias(scope.tx, item.name, alias)
        if now is not None and (now.number == number or now.reason != REASON):
            continue
        scope.store.registry.move_alias(
            scope.tx,
            item.name,
            alias,
            number,
            expect=None,
            actor=item.user or scope.actor,
            reason=REASON,
            at=scope.at,
        )


def _origin(taking: Taking, item: found.Version) -> tuple[int, str]:
    """The vertex that a version is, and where a client loads it from."""
    scope = taking.scope
    if item.tags.get(_IS_PROMPT, "").lower() == "true":
        return mlflow_tags.prompt_version(scope, item.name, item.tags.get(_PROMPT_TEXT, "")), item.source
    model = find(scope, "logged_model", item.model) if item.model else None
    if model is not None and model.node is not None:
        return model.node, _address(scope, item)
    source = urlsplit(item.source)
    if source.scheme == "runs":
        run, _, path = source.path.strip("/").partition("/")
        return _of_run(taking, run, path, item), item.source
    owner = find(scope, "run", item.run) if item.run else None
    _, mark, below = item.source.partition(f"/{item.run}/artifacts/") if item.run else ("", "", "")
    if owner is not None and mark:
        return _of_run(taking, item.run, below, item), f"runs:/{item.run}/{below}"
    return _elsewhere(taking, item), item.storage or item.source


def _address(scope: Scope, item: found.Version) -> str:
    """Where the files of the logged model that a version is can be found, empty when it is none."""
    model = find(scope, "logged_model", item.model) if item.model else None
    return "" if model is None else str(msgspec.json.decode(model.body).get("artifact_uri", ""))


def _of_run(taking: Taking, run_id: str, path: str, item: found.Version) -> int:
    """The version that the files below a path of a run are; one without a digest when they are not here."""
    scope, store = taking.scope, taking.scope.store
    run = store.runs.find_run(scope.tx, run_id)
    path = path.strip("/")
    members = _members(scope, run, f"{path}/" if path else "") if run is not None else []
    node, existed = store.artifacts.add_version(
        scope.tx,
        namespace=DOOR,
        name=path or "model",
        kind="model",
        digest=_manifest(members) if members else None,
        level=Level.CONTENT if members else Level.NONE,
        reason="" if members else "no files are kept below its source",
        size=sum(member.size for member in members) if members else None,
        location=item.source,
        recorded_at=scope.at,
    )
    if members and not existed:
        store.artifacts.add_members(scope.tx, node, members)
    if run is not None:
        edge(taking, run, node, "model", EdgeKind.GENERATED)
    return node


def _elsewhere(taking: Taking, item: found.Version) -> int:
    """A version whose bytes are somewhere else."""
    scope = taking.scope
    parts = urlsplit(item.source)
    host = parts.netloc.rpartition("@")[2]
    node, _ = scope.store.artifacts.add_version(
        scope.tx,
        namespace=f"{parts.scheme}://{host}" if parts.scheme else DOOR,
        name=parts.path.strip("/") or item.name,
        kind="model",
        digest=None,
        level=Level.NONE,
        reason="its bytes are kept elsewhere",
        size=None,
        location=parts._replace(netloc=host).geturl(),
        recorded_at=scope.at,
    )
    run = scope.store.runs.find_run(scope.tx, item.run) if item.run else None
    if run is not None:
        edge(taking, run, node, "model", EdgeKind.GENERATED)
    return node
