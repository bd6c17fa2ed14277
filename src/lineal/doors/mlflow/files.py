"""Files of runs and logged models behind the paths of the artifact proxy, and files that belong to neither."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from lineal.core.errors import Conflict
from lineal.doors.mlflow import models, paths, runs
from lineal.doors.mlflow.errors import invalid, missing
from lineal.doors.mlflow.experiments import DOOR
from lineal.doors.mlflow.paths import Place
from lineal.doors.mlflow.wire import Message
from lineal.service.operations import Scope
from lineal.service.removal import living_dependants

LOOSE = "file"
ALTERED = "lineal.altered"  # a tag: a file was written after the model was said to be whole


class Kept(NamedTuple):
    """The bytes behind a path."""

    path: str
    digest: str
    size: int


class _Loose(msgspec.Struct, kw_only=True):
    digest: str
    size: int


_decode = msgspec.json.Decoder(_Loose).decode
_encode = msgspec.json.Encoder().encode


def find(scope: Scope, place: Place) -> Kept:
    """The file at a place. Raises MlflowError: there is none."""
    if place.kind == paths.LOOSE:
        record = scope.store.records.get_record(scope.tx, DOOR, LOOSE, place.path)
        if record is not None:
            loose = _decode(record.body)
            return Kept(place.path, loose.digest, loose.size)
    else:
        found = scope.store.files.get_file(scope.tx, node_of(scope, place), place.path)
        if found is not None:
            return Kept(found.path, found.digest, found.size)
    if not place.path or below(scope, place):
        raise invalid(f"Artifact path refers to a directory, not a file: '{place.path}'")
    raise missing(f"No such artifact: '{place.path}'")


def node_of(scope: Scope, place: Place) -> int:
    """The vertex that the files of a place hang on. Raises MlflowError: there is no such run or model."""
    if place.kind == paths.RUN:
        return runs.find(scope, place.owner).node
    return models.find(scope, place.owner).node


def below(scope: Scope, place: Place) -> list[Kept]:
    """The files below a place, in byte order of their paths."""
    prefix = f"{place.path}/" if place.path else ""
    if place.kind == paths.LOOSE:
        records = scope.store.records.list_records(scope.tx, DOOR, LOOSE, prefix=prefix, limit=100_000)
        return [Kept(r.key, (loose := _decode(r.body)).digest, loose.size) for r in records]
    found = scope.store.files.list_files(scope.tx, node_of(scope, place), prefix)
    return [Kept(file.path, file.digest, file.size) for file in found]


def entries(files: Iterable[Kept], folder: str) -> list[Message]:
    """Files and folders directly in a folder, with their whole paths, of the files below it."""
    start = len(folder) + 1 if folder else 0
    found: dict[str, Message] = {}
    for file in files:
        name, slash, _ = file.path[start:].partition("/")
        path = file.path[:start] + name
        if slash:
            found.setdefault(path, {"path": path, "is_dir": True})
        else:
            found[path] = {"path": path, "is_dir": False, "file_size": file.size}
    return list(found.values())


# ---- writing -------------------------------------------------------------------------------------------------------------


def need_writable(scope: Scope, place: Place) -> None:
    """Raises MlflowError: a file cannot be written there."""
    if not place.path:
        raise invalid("Invalid path: it names a directory, and a file is wanted")
    if place.kind == paths.RUN:
        runs.writable(scope, place.owner)
    elif place.kind == paths.MODEL:
        models.find(scope, place.owner)


def put(scope: Scope, place: Place, digest: str, size: int) -> None:
    """Let a place name these bytes. Raises Conflict: it names others, and something living depends on them."""
    need_writable(scope, place)
    if place.kind == paths.LOOSE:
        _put_loose(scope, place.path, digest, size)
        return
    node = node_of(scope, place)
    before = scope.store.files.get_file(scope.tx, node, place.path)
    if before is not None and before.digest == digest:
        return
    if before is not None:
        _refuse_needed(scope, place, node, "changed")
    scope.store.files.put_file(scope.tx, node, place.path, digest=digest, size=size, at=scope.at)
    if place.kind == paths.MODEL:
        _mark_altered(scope, place)


def remove(scope: Scope, place: Place) -> None:
    """Let a file, or all files below a folder, cease to be.

    Raises Conflict: something living depends on them; MlflowError: there is nothing.
    """
    if place.kind == paths.LOOSE:
        _remove_loose(scope, place)
        return
    node = node_of(scope, place)
    found = [file.path for file in below(scope, place)]
    if place.path and scope.store.files.get_file(scope.tx, node, place.path):
        found.append(place.path)
    if not found:
        raise missing(f"No such artifact: '{place.path}'")
    _refuse_needed(scope, place, node, "deleted")
    for path in found:
        scope.store.files.remove_file(scope.tx, node, path, at=scope.at)
    if place.kind == paths.MODEL:
        _mark_altered(scope, place)


def _refuse_needed(scope: Scope, place: Place, node: int, what: str) -> None:
    if place.kind == paths.MODEL:
        models.refuse_needed(scope, models.find(scope, place.owner), what)
        return
    tags = scope.store.attributes.get_tags(scope.tx, [node]).get(node, [])
    if any(tag.key == runs.FORCE for tag in tags):
        return
    if dependants := living_dependants(scope, node):
        raise Conflict(
            f"the file {place.path!r} of run {place.owner} cannot be {what}: {len(dependants)} living things depend on "
            f"that run: {', '.join(dependants[:12])}",
            hint=f"move or delete those first, or set the tag {runs.FORCE} of the run, then do it again",
        )


def _mark_altered(scope: Scope, place: Place) -> None:
    known = models.find(scope, place.owner)
    if known.body.status == models.READY and not known.body.altered:
        models.replace(scope, known, altered=True)
        models.mirror(scope, known.node, {ALTERED: "true"})


def _put_loose(scope: Scope, path: str, digest: str, size: int) -> None:
    body = _encode(_Loose(digest=digest, size=size))
    known = scope.store.records.get_record(scope.tx, DOOR, LOOSE, path)
    if known is None:
        scope.store.records.add_record(scope.tx, DOOR, LOOSE, path, body, at=scope.at)
    elif known.body != body:
        scope.store.records.replace_record(scope.tx, known, body=body, at=scope.at)


def _remove_loose(scope: Scope, place: Place) -> None:
    if not place.path:
        raise invalid("Invalid path: everything at once cannot be deleted")
    paths_found = [file.path for file in below(scope, place)] + [place.path]
    known = [scope.store.records.get_record(scope.tx, DOOR, LOOSE, path) for path in paths_found]
    if not any(known):
        raise missing(f"No such artifact: '{place.path}'")
    for record in known:
        if record is not None:
            scope.store.records.retract_record(scope.tx, record, at=scope.at)
