"""The verbs of logged models; what a model is stands in `models`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from lineal.core.events import Level, Member, Reference
from lineal.core.ids import sha256
from lineal.doors.desk import Desk
from lineal.doors.mlflow import describing, files, model_search, models, paths
from lineal.doors.mlflow.bytes import blobs_of, in_thread
from lineal.doors.mlflow.experiments import DOOR
from lineal.doors.mlflow.paths import Place
from lineal.doors.mlflow.wire import (
    BOOL,
    Field,
    Message,
    Verb,
    encode,
    integer,
    items,
    received,
    replied,
    text,
    texts,
)
from lineal.resolve.content import manifest_digest
from lineal.service.facets import attach
from lineal.service.ingest import relate_same_bytes
from lineal.service.operations import Scope
from lineal.store.blobs import Blobs


async def _finalize(desk: Desk, request: Request) -> Response:
    """Record that a model is whole, or that it will never be. What its files say of it is read before."""
    caller = request.state.caller
    said = await received(request)
    status = models.status_named(said.get("status"))
    id = str(said.get("model_id", ""))
    found: dict[str, str] = {}
    if status == models.READY:
        telling = await desk.read(lambda scope: _telling(scope, id), caller)
        if telling:
            found = await in_thread(_texts, blobs_of(request), telling)
    reply = await desk.write(
        lambda scope: finalize(scope, id, status, found),
        caller,
        action="mlflow logged-models/finalize",
        body=encode({"model_id": id, "status": status}),
        key=request.headers.get("idempotency-key", ""),
    )
    return replied(reply)


def _telling(scope: Scope, id: str) -> dict[str, str]:
    """Digests, by path, of those files of a model that tell something of it."""
    node = models.find(scope, id).node
    wanted = (scope.store.files.get_file(scope.tx, node, path) for path in describing.TOLD_BY)
    return {file.path: file.digest for file in wanted if file and file.size <= describing.LARGEST}


def _texts(blobs: Blobs, digests: dict[str, str]) -> dict[str, str]:
    return {path: blobs.get(digest).decode("utf-8", "replace") for path, digest in digests.items()}


def finalize(scope: Scope, id: str, status: str, texts: dict[str, str]) -> Message:
    """Record a model's status; a whole one gets the digest of its files, and its version what they say of it."""
    known = models.replace(scope, models.find(scope, id), status=status)
    if status == models.READY:
        complete(scope, known.node, encode({"model_id": id, "status": status}), texts)
    return {"model": models.shown(scope, known)}


def complete(scope: Scope, node: int, said: bytes, texts: dict[str, str]) -> None:
    """Give a version the digest of its files' manifest, as a folder with these files has it, and its facets."""
    store, tx = scope.store, scope.tx
    members = [
        Member(path=file.path, digest=file.digest, size=file.size)
        for file in store.files.list_files(tx, node)
    ]
    if not members:
        return
    entries = [(member.path.encode(), member.digest.removeprefix("sha256:")) for member in members]
    digest = "sha256:" + manifest_digest(entries)
    size = sum(member.size for member in members)
    message = store.audit.add_message(
        tx, door=DOOR, source="mlflow.log_model", body=said, digest=sha256(said), at=scope.at
    )
    if store.artifacts.complete_version(
        tx, node, digest=digest, level=Level.CONTENT, size=size, members=members
    ):
        relate_same_bytes(scope, digest, message)
    else:
        reference = Reference(scheme="sha256", value=digest.removeprefix("sha256:"))
        store.artifacts.add_references(tx, node, [reference], at=scope.at)
    attach(scope, [(node, name, body) for name, body in describing.facets(texts).items()], message)


def list_files(scope: Scope, message: Message) -> Message:
    """The files and folders in a folder of a model."""
    known = models.find(scope, message["model_id"])
    path = paths.checked(message.get("artifact_directory_path", ""), empty=True)
    found = files.below(scope, Place(paths.MODEL, known.id, path))
    return {"root_uri": known.body.artifact_uri, "files": files.entries(found, path)}


_ID = {"model_id": text(required=True)}
ROUTES = [
    Verb(
        "POST",
        "/logged-models",
        models.create,
        {
            "experiment_id": text(required=True),
            "name": text(),
            "model_type": text(),
            "source_run_id": text(),
            "params": items(),
            "tags": items(),
        },
        writes=True,
    ),
    Verb(
        "POST",
        "/logged-models/search",
        model_search.search,
        {
            "experiment_ids": texts(),
            "filter": text(),
            "datasets": items(),
            "max_results": integer(),
            "order_by": items(),
            "page_token": text(),
        },
    ),
    Verb("GET", "/logged-models/{model_id}", models.get_one, {**_ID, "allow_deleted": Field(BOOL)}),
    Verb("PATCH", "/logged-models/{model_id}", handler=_finalize, writes=True),
    Verb("DELETE", "/logged-models/{model_id}", models.delete, _ID, writes=True, permission="record:delete"),
    Verb("PATCH", "/logged-models/{model_id}/tags", models.set_tags, {**_ID, "tags": items()}, writes=True),
    Verb(
        "DELETE",
        "/logged-models/{model_id}/tags/{tag_key:path}",
        models.delete_tag,
        {**_ID, "tag_key": text(required=True)},
        writes=True,
    ),
    Verb(
        "POST", "/logged-models/{model_id}/params", models.log_params, {**_ID, "params": items()}, writes=True
    ),
    Verb(
        "GET",
        "/logged-models/{model_id}/artifacts/directories",
        list_files,
        {**_ID, "artifact_directory_path": text()},
    ),
]
