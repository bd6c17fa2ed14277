"""Large files around the server: parts that a client sends to the bucket itself, and files that it fetches from there.

Only where bytes are kept in a bucket. Elsewhere files go through the server, as MLflow's client does when this is refused.
"""

from __future__ import annotations

import os
import posixpath

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lineal.doors.desk import Desk
from lineal.doors.mlflow import files, paths
from lineal.doors.mlflow.bytes import blobs_of, in_thread
from lineal.doors.mlflow.errors import MlflowError, invalid, missing
from lineal.doors.mlflow.experiments import DOOR
from lineal.doors.mlflow.paths import Place
from lineal.doors.mlflow.wire import Message, Verb, checked, encode, integer, items, received, replied, text
from lineal.service.operations import Scope
from lineal.store import signing
from lineal.store.blobs import Blobs
from lineal.store.records import Record

KIND = "upload"
_MOST_PARTS = 10_000
_PART_S, _FETCH_S, _LONGEST_S = 6 * 3600, 900, 604_800


class _Upload(msgspec.Struct, kw_only=True):
    """An upload under way. path: where its file will stand; parts: how many it has."""

    path: str
    parts: int


_decode = msgspec.json.Decoder(_Upload).decode


async def _create(desk: Desk, request: Request) -> Response:
    """Where to send the parts of a file."""
    place, message = await _said(request, {"num_parts": integer()})
    blobs = _bucket(request, "Multipart upload")
    count = message.get("num_parts", 1)
    if not 1 <= count <= _MOST_PARTS:
        raise invalid(f"Invalid value {count} for parameter 'num_parts': it must be from 1 to {_MOST_PARTS}")
    upload = os.urandom(16).hex()
    addresses = await in_thread(_addresses, blobs, upload, count)

    def begun(scope: Scope) -> None:
        files.need_writable(scope, paths.place_of(place))
        body = encode(_Upload(path=place, parts=count))
        scope.store.records.add_record(scope.tx, DOOR, KIND, upload, body, at=scope.at)

    await desk.write(
        begun,
        request.state.caller,
        action="mlflow mpu/create",
        body=encode({"path": place, "upload_id": upload}),
    )
    headers = signing.part_headers(blobs)
    credentials = [
        {"url": url, "part_number": number, "headers": headers} for number, url in enumerate(addresses, 1)
    ]
    return replied({"upload_id": upload, "credentials": credentials})


def _addresses(blobs: Blobs, upload: str, count: int) -> list[str]:
    return signing.part_addresses(blobs, upload, count, expires_s=_PART_S)


async def _complete(desk: Desk, request: Request) -> Response:
    """Let the parts be a file."""
    place, message = await _said(request, {"upload_id": text(required=True), "parts": items()})
    blobs, caller = _bucket(request, "Multipart upload"), request.state.caller
    _, upload = await desk.read(lambda scope: _find(scope, message["upload_id"], place), caller)
    digest, size = await in_thread(signing.assemble, blobs, message["upload_id"], upload.parts)

    def completed(scope: Scope) -> None:
        record, _ = _find(scope, message["upload_id"], place)
        files.put(scope, paths.place_of(place), digest, size)
        scope.store.records.retract_record(scope.tx, record, at=scope.at)

    body = {"path": place, "upload_id": message["upload_id"], "digest": digest, "size": size}
    await desk.write(completed, caller, action="mlflow mpu/complete", body=encode(body))
    return replied({})


async def _abort(desk: Desk, request: Request) -> Response:
    """Forget an upload and its parts."""
    place, message = await _said(request, {"upload_id": text(required=True)})
    blobs, caller = _bucket(request, "Multipart upload"), request.state.caller

    def aborted(scope: Scope) -> int:
        record, upload = _find(scope, message["upload_id"], place)
        scope.store.records.retract_record(scope.tx, record, at=scope.at)
        return upload.parts

    body = encode({"path": place, "upload_id": message["upload_id"]})
    count = await desk.write(aborted, caller, action="mlflow mpu/abort", body=body)
    await in_thread(signing.forget, blobs, message["upload_id"], count)
    return replied({})


async def _said(request: Request, fields: Message) -> tuple[str, Message]:
    """The path of the file, which is checked before anything else, and the message."""
    folder = paths.checked(request.path_params["folder"])
    said = await received(request)
    message = checked(said, {"path": text(required=True), **fields})
    name = message["path"].replace("\\", "/").rsplit("/", 1)[-1]  # clients tell their own path of the file
    return paths.checked(posixpath.join(folder, name)), message


def _bucket(request: Request, what: str) -> Blobs:
    blobs = blobs_of(request)
    if not signing.signs(blobs):
        raise MlflowError(
            "NOT_IMPLEMENTED",
            f"{what} is not supported for the current artifact repository",
            status=404 if "download" in what else 400,
        )
    return blobs


def _find(scope: Scope, id: str, path: str) -> tuple[Record, _Upload]:
    record = scope.store.records.get_record(scope.tx, DOOR, KIND, id)
    if record is None or (upload := _decode(record.body)).path != path:
        raise missing(f"There is no upload {id[:100]!r} of '{path}'")
    return record, upload


# ---- fetching ------------------------------------------------------------------------------------------------------------


async def _presigned(desk: Desk, request: Request) -> Response:
    """Where to fetch a file."""
    place = paths.place_of(paths.checked(request.path_params["path"]))
    blobs = _bucket(request, "Presigned download")
    kept = await desk.read(lambda scope: files.find(scope, place), request.state.caller)
    url = await in_thread(_address, blobs, kept.digest, _FETCH_S)
    return replied({"url": url, "headers": {}, "file_size": kept.size})


def _address(blobs: Blobs, digest: str, expires_s: int) -> str:
    return signing.address(blobs, digest, expires_s=expires_s)


async def _download_url(desk: Desk, request: Request) -> Response:
    """Where to fetch a file of a run."""
    fields = {"run_id": text(required=True), "path": text(required=True), "expiration": integer()}
    message = checked(await received(request), fields)
    expires = message.get("expiration", _FETCH_S)
    path = paths.checked(message["path"])
    if not 1 <= expires <= _LONGEST_S:
        raise invalid(f"expiration must be between 1 and {_LONGEST_S} seconds (got {expires}).")
    blobs = _bucket(request, "Presigned download")
    place = Place(paths.RUN, message["run_id"], path)
    kept = await desk.read(lambda scope: files.find(scope, place), request.state.caller)
    url = await in_thread(_address, blobs, kept.digest, expires)
    return replied({"presigned_url": url, "headers": {}, "file_size": kept.size})


def upload_url(scope: Scope, message: Message) -> Message:
    """Never: a file that did not pass the server has no digest."""
    paths.checked(message["path"])
    raise invalid(
        "Presigned upload is not supported for proxied artifact storage (artifact URI scheme: mlflow-artifacts). "
        "Send the file through the server, or in parts."
    )


_BASE = "mlflow-artifacts"
ROUTES = [
    Verb("POST", "/mpu/create/{folder:path}", handler=_create, base=_BASE, writes=True),
    Verb("POST", "/mpu/complete/{folder:path}", handler=_complete, base=_BASE, writes=True),
    Verb("POST", "/mpu/abort/{folder:path}", handler=_abort, base=_BASE, writes=True),
    Verb("GET", "/presigned/{path:path}", handler=_presigned, base=_BASE),
    Verb("POST", "/artifacts/presigned-download-url", handler=_download_url),
    Verb(
        "POST",
        "/artifacts/presigned-upload-url",
        upload_url,
        {"run_id": text(), "model_id": text(), "path": text(required=True), "expiration": integer()},
    ),
]
