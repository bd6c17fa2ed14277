"""The verbs of model versions; what a version is stands in `versions`."""

from __future__ import annotations

import json
from typing import NamedTuple
from urllib.parse import urlsplit

from lineal.core.events import Level, Member
from lineal.doors.mlflow import limits, models, paths, registry, runs, sources, versions
from lineal.doors.mlflow.errors import MlflowError, invalid, missing
from lineal.doors.mlflow.experiments import DOOR
from lineal.doors.mlflow.sources import Source
from lineal.doors.mlflow.wire import Message, encode
from lineal.resolve.content import manifest_digest
from lineal.service import mlflow_tags
from lineal.service.operations import Scope

PROMPT_TEXT = "mlflow.prompt.text"
_DESCRIPTION, _LINK = 100_000, 2000


class _Origin(NamedTuple):
    """Where a new version comes from. node: the vertex that it is; run, model: ids as MLflow names them."""

    node: int
    source: str
    storage: str
    run: str
    model: str


def create(scope: Scope, message: Message) -> Message:
    """Register a new version of a name."""
    known = registry.find(scope, message["name"])
    tags = registry.tags_of(message.get("tags", []))
    prompt = tags.get(sources.IS_PROMPT, "false").lower() == "true"
    source = sources.parse(message["source"], prompt=prompt)
    origin = _origin(scope, known.name, source, message, tags)
    now = scope.at // 1000
    body = versions.Body(
        source=origin.source,
        storage=origin.storage,
        run=origin.run,
        run_link=limits.within(message.get("run_link", ""), _LINK, "run_link"),
        model=origin.model,
        created=now,
        updated=now,
        description=limits.within(message.get("description", ""), _DESCRIPTION, "description"),
        tags=tags,
    )
    named = scope.store.registry.register(
        scope.tx, known.name, origin.node, actor=scope.actor, at=scope.at, again=True
    )
    run = scope.store.runs.find_run(scope.tx, origin.run) if origin.run else None
    record = versions.add(scope, known.name, named.number, origin.node, body, run)
    registry.replace(scope, known)
    if not prompt:
        models.mirror(scope, origin.node, tags)
    if origin.model and not prompt:
        _tell_model(scope, origin.model, known.name, named.number)
    return {"model_version": versions.shown(scope, versions.of(record))}


def _origin(scope: Scope, name: str, source: Source, message: Message, tags: dict[str, str]) -> _Origin:
    run, model = message.get("run_id", ""), message.get("model_id", "")
    limits.within(run, 256, "run_id")
    if source.kind == sources.PROMPT:
        return _Origin(
            mlflow_tags.prompt_version(scope, name, tags.get(PROMPT_TEXT, "")),
            source.uri,
            source.uri,
            run,
            model,
        )
    if source.kind == sources.VERSION:
        return _copied(scope, source, message)
    if source.kind == sources.MODEL:
        if model != source.id:
            raise sources.refused(source.uri, "model_id")
        logged = _logged(scope, source)
        storage = logged.body.artifact_uri + (f"/{source.path}" if source.path else "")
        return _Origin(logged.node, source.uri, storage, run or logged.body.run, model)
    if source.kind == sources.RUN:
        if model or run != source.id:
            raise sources.refused(source.uri, "model_id" if model else "run_id")
        if source.uri.partition(":")[0].lower() != "runs":
            _need_run(scope, source)
        return _Origin(_files(scope, source, message), source.uri, source.uri, run, "")
    of = models.find(scope, model) if model else None
    node = of.node if of else _elsewhere(scope, source, run, message)
    return _Origin(node, source.uri, source.uri, run or (of.body.run if of else ""), model)


def _copied(scope: Scope, source: Source, message: Message) -> _Origin:
    """From another registered version, which it then is."""
    of = registry.find(scope, source.id)
    if registry.is_prompt(of):
        raise invalid(
            f"Invalid model version source: '{source.uri}'. Prompt versions cannot be used as model version sources."
        )
    version = _selected(scope, of.name, source.path)
    for name, had in (("run_id", version.body.run), ("model_id", version.body.model)):
        if name in message and message[name] != had:
            raise invalid(
                f"Invalid model version source: '{source.uri}'. The run_id and model_id request parameters must match the "
                "referenced model version."
            )
    body = version.body
    uri = f"models:/{version.name}/{version.number}"
    return _Origin(version.node, uri, body.storage or body.source, body.run, body.model)


def _selected(scope: Scope, name: str, selector: str) -> versions.Known:
    if selector.startswith("@"):
        return registry.by_alias(scope, name, selector[1:])
    if selector.lower() == registry.LATEST:
        return registry.by_alias(scope, name, registry.LATEST)
    if selector.isascii() and selector.isdecimal():
        return versions.find(scope, name, selector)
    stage = versions.stage_named(selector)
    for version in versions.latest(versions.of_name(scope, name)):
        if version.body.stage == stage:
            return version
    raise missing(f"No versions of model with name '{name}' and stage '{stage}' found")


def _logged(scope: Scope, source: Source) -> models.Known:
    try:
        return models.find(scope, source.id)
    except MlflowError:
        raise sources.refused(source.uri, "model_id") from None


def _need_run(scope: Scope, source: Source) -> None:
    try:
        runs.find(scope, source.id)
    except MlflowError:
        raise sources.refused(source.uri, "run_id") from None


def _files(scope: Scope, source: Source, message: Message) -> int:
    """The version that the files below a path of a run are; one without a digest when there are none here."""
    store, tx = scope.store, scope.tx
    run = store.runs.find_run(tx, source.id)
    path = paths.checked(source.path, empty=True)
    prefix = f"{path}/" if path else ""
    found = store.files.list_files(tx, run, prefix) if run is not None else []
    members = [Member(path=file.path[len(prefix) :], digest=file.digest, size=file.size) for file in found]
    digest = None
    if members:
        entries = [(member.path.encode(), member.digest.removeprefix("sha256:")) for member in members]
        digest = "sha256:" + manifest_digest(entries)
    node, existed = store.artifacts.add_version(
        tx,
        namespace=DOOR,
        name=path or "model",
        kind="model",
        digest=digest,
        level=Level.CONTENT if digest else Level.NONE,
        reason="" if digest else "no files are kept below its source",
        size=sum(member.size for member in members) if members else None,
        location=source.uri,
        recorded_at=scope.at,
    )
    if members and not existed:
        store.artifacts.add_members(tx, node, members)
    if run is not None:
        models.generated(scope, run, node, encode(message), via="mlflow.register_model")
    return node


def _elsewhere(scope: Scope, source: Source, run_id: str, message: Message) -> int:
    """A version whose bytes are somewhere that this server never looks at."""
    parts = urlsplit(source.uri)
    host = parts.netloc.rpartition("@")[2]
    node, _ = scope.store.artifacts.add_version(
        scope.tx,
        namespace=f"{parts.scheme}://{host}",
        name=parts.path.strip("/") or "model",
        kind="model",
        digest=None,
        level=Level.NONE,
        reason="its bytes are kept elsewhere",
        size=None,
        location=parts._replace(netloc=host).geturl(),
        recorded_at=scope.at,
    )
    run = scope.store.runs.find_run(scope.tx, run_id) if run_id else None
    if run is not None:
        models.generated(scope, run, node, encode(message), via="mlflow.register_model")
    return node


def _tell_model(scope: Scope, id: str, name: str, number: int) -> None:
    """Let a logged model's tag name the version that it became, as MLflow's own server does."""
    try:
        known = models.find(scope, id)
    except MlflowError:
        return
    before = [(item["name"], item["version"]) for item in models.registrations(known.body)]
    told = [*before, (name, str(number))]
    # Written as MLflow writes it, which programs compare as text.
    tag = json.dumps([{"name": name, "version": int(v) if v.isdecimal() else v} for name, v in told])
    models.replace(scope, known, tags={**known.body.tags, models.REGISTERED: tag})


# ---- the other verbs -----------------------------------------------------------------------------------------------------


def _find(scope: Scope, message: Message) -> versions.Known:
    return versions.find(scope, registry.named(message["name"]), message["version"])


def get_one(scope: Scope, message: Message) -> Message:
    """A model version by name and number."""
    return {"model_version": versions.shown(scope, _find(scope, message))}


def update(scope: Scope, message: Message) -> Message:
    """Change a version's description."""
    said = limits.within(message.get("description", ""), _DESCRIPTION, "description")
    return {
        "model_version": versions.shown(
            scope, versions.replace(scope, _find(scope, message), description=said)
        )
    }


def transition(scope: Scope, message: Message) -> Message:
    """Move a version to another stage, and those that are there to the archive when asked."""
    stage = versions.stage_named(message["stage"])
    archive = message.get("archive_existing_versions", False)
    if archive and stage not in versions.ACTIVE_STAGES:
        raise invalid(
            f"Model version transition cannot archive existing model versions because '{message['stage']}' is not an "
            f"Active stage. Valid stages are {list(versions.ACTIVE_STAGES)}"
        )
    known = _find(scope, message)
    for other in versions.of_name(scope, known.name) if archive else []:
        if other.number != known.number and other.body.stage == stage:
            versions.replace(scope, other, stage="Archived")
    moved = versions.replace(scope, known, stage=stage)
    registry.replace(scope, registry.find(scope, known.name))
    return {"model_version": versions.shown(scope, moved)}


def delete(scope: Scope, message: Message) -> Message:
    """Delete a version, with the aliases that point at it; its number is not given again."""
    known = _find(scope, message)
    scope.store.registry.retract_named(
        scope.tx, known.name, known.number, actor=scope.actor, reason="deleted through MLflow", at=scope.at
    )
    if known.record is not None:
        scope.store.records.retract_record(scope.tx, known.record, at=scope.at)
    registry.replace(scope, registry.find(scope, known.name))
    return {}


def download_uri(scope: Scope, message: Message) -> Message:
    """Where a client loads a version from."""
    body = _find(scope, message).body
    return {"artifact_uri": body.storage or body.source}


def set_tag(scope: Scope, message: Message) -> Message:
    """Set a tag of a version."""
    known = _find(scope, message)
    key, value = registry.tag(message)
    versions.replace(scope, known, touched=False, tags={**known.body.tags, key: value})
    if sources.IS_PROMPT not in known.body.tags:
        models.mirror(scope, known.node, {key: value})
    return {}


def delete_tag(scope: Scope, message: Message) -> Message:
    """Delete a tag of a version, if it has it."""
    known = _find(scope, message)
    if message["key"] in known.body.tags:
        tags = {key: value for key, value in known.body.tags.items() if key != message["key"]}
        versions.replace(scope, known, touched=False, tags=tags)
        logged = scope.store.records.find_by_nodes(scope.tx, DOOR, models.KIND, [known.node]).get(known.node)
        if logged is not None and (kept := models.of(logged).body.tags.get(message["key"])) is not None:
            models.mirror(scope, known.node, {message["key"]: kept})  # the logged model has one of its own
        else:
            scope.store.corrections.retract_tag(scope.tx, known.node, message["key"], at=scope.at)
    return {}
