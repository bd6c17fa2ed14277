"""The artifact proxy: files are listed, sent, received and deleted by path. A file is seen only when it is whole."""

from __future__ import annotations

import mimetypes
import posixpath
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from lineal.doors.desk import Desk
from lineal.doors.mlflow import files, paths, ranges, runs, versions
from lineal.doors.mlflow.bytes import blobs_of, in_thread, receive, sent
from lineal.doors.mlflow.errors import invalid
from lineal.doors.mlflow.paths import Place
from lineal.doors.mlflow.wire import Message, Verb, encode, replied, text
from lineal.service.operations import Scope

_WHOLE = 1 << 20  # bytes; a smaller file is sent in one piece
_PLAIN = (
    ".log",
    ".yaml",
    ".yml",
    ".cfg",
    ".ini",
    ".toml",
    ".md",
    ".csv",
    ".tsv",
    "MLmodel",
    "MLproject",
    "mlproject",
)
_SAFE = {"Content-Security-Policy": "sandbox; default-src 'none'"}  # the guard says nosniff with every answer


# ---- by path -------------------------------------------------------------------------------------------------------------


async def _get(desk: Desk, request: Request) -> Response:
    """Send a file."""
    place = paths.place_of(paths.checked(request.path_params["path"]))
    return await send(desk, request, place)


async def _put(desk: Desk, request: Request) -> Response:
    """Receive a file. It is looked up first, so that what would be refused is not received."""
    place = paths.place_of(paths.checked(request.path_params["path"]))
    return await take(desk, request, place)


async def _delete(desk: Desk, request: Request) -> Response:
    """Delete a file or all files below a folder."""
    path = paths.checked(request.path_params["path"])
    place = paths.place_of(path)
    await desk.write(
        lambda scope: files.remove(scope, place),
        request.state.caller,
        action="mlflow artifacts/delete",
        body=encode({"path": path}),
    )
    return replied({})


async def send(desk: Desk, request: Request, place: Place) -> Response:
    """The file at a place, or the part of it that is asked for."""
    kept = await desk.read(lambda scope: files.find(scope, place), request.state.caller)
    blobs = blobs_of(request)
    headers = {
        **_SAFE,
        "Content-Type": _kind(kept.path),  # as it is: no charset is known
        "Content-Disposition": _attachment(posixpath.basename(kept.path)),
        "Accept-Ranges": "bytes",
        "ETag": f'"{kept.digest}"',
    }
    try:
        part = ranges.wanted(request.headers.get("range"), kept.size)
    except ValueError:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{kept.size}"})
    if request.headers.get("if-range", headers["ETag"]) != headers["ETag"]:
        part = None
    start, end = part or (0, kept.size)
    if part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{kept.size}"
    headers["Content-Length"] = str(end - start)
    status = 206 if part else 200
    if request.method == "HEAD" or start == end:
        return Response(status_code=status, headers=headers)
    pieces = blobs.stream(kept.digest, start=start, end=end) if part else blobs.stream(kept.digest)
    if end - start <= _WHOLE:
        content = await in_thread(b"".join, pieces)
        return Response(content, status, headers)
    return StreamingResponse(await sent(pieces), status, headers)


async def take(desk: Desk, request: Request, place: Place) -> Response:
    """Receive the body of a request as the file at a place."""
    caller = request.state.caller
    await desk.read(lambda scope: files.need_writable(scope, place), caller)
    digest, size = await receive(request, blobs_of(request))
    await desk.write(
        lambda scope: files.put(scope, place, digest, size),
        caller,
        action="mlflow artifacts/put",
        body=encode({"owner": place.owner, "path": place.path, "digest": digest, "size": size}),
    )
    return replied({})


def list_by_path(scope: Scope, message: Message) -> Message:
    """Files and folders in a folder, by name."""
    path = message.get("path", "")
    place = paths.place_of(paths.checked(path, empty=True))
    found = files.entries(files.below(scope, place), place.path)
    return {"files": [{**entry, "path": posixpath.basename(entry["path"])} for entry in found]}


# ---- by run and by model -------------------------------------------------------------------------------------------------


def list_of_run(scope: Scope, message: Message) -> Message:
    """Files and folders in a folder of a run, by their path inside the run."""
    path = paths.checked(message.get("path", ""), empty=True)
    known = runs.find(scope, message["run_id"])
    place = Place(paths.RUN, known.run_id, path)
    return {
        "root_uri": known.body.artifact_uri,
        "files": files.entries(files.below(scope, place), path),
    }


async def _of_run(desk: Desk, request: Request) -> Response:
    run_id = _said(request, "run_uuid", "run_id")
    return await send(desk, request, Place(paths.RUN, run_id, paths.checked(_said(request, "path"))))


async def _of_model(desk: Desk, request: Request) -> Response:
    path = paths.checked(_said(request, "artifact_file_path"))
    return await send(desk, request, Place(paths.MODEL, request.path_params["model_id"], path))


async def _of_version(desk: Desk, request: Request) -> Response:
    path = paths.checked(_said(request, "path"))
    name, version = _said(request, "name"), _said(request, "version")
    place = await desk.read(lambda scope: versions.place(scope, name, version, path), request.state.caller)
    return await send(desk, request, place)


async def _to_run(desk: Desk, request: Request) -> Response:
    run_id, path = request.query_params.get("run_uuid", ""), request.query_params.get("path", "")
    if not run_id:
        raise invalid("Request must specify run_uuid.")
    if not path:
        raise invalid("Request must specify path.")
    place = Place(paths.RUN, run_id, paths.checked(path))
    if request.headers.get("content-length") == "0":
        raise invalid("Request must specify data.")
    return await take(desk, request, place)


def _said(request: Request, *names: str) -> str:
    for name in names:
        if value := request.query_params.get(name):
            return value
    raise invalid(f'Request must specify {names[0]} parameter, as in "?{names[0]}=..."')


# ---- headers -------------------------------------------------------------------------------------------------------------


def _kind(path: str) -> str:
    if path.endswith(_PLAIN):
        return "text/plain"
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


def _attachment(name: str) -> str:
    plain = "".join(
        char if char.isascii() and char.isprintable() and char not in '"\\' else "_" for char in name
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


_BASE = "mlflow-artifacts"
_AJAX = "/ajax-api/2.0/mlflow"
ROUTES = [
    Verb("GET", "/artifacts/list", list_of_run, {"run_id": text(required=True), "path": text()}),
    Verb("GET", "/artifacts", list_by_path, {"path": text()}, base=_BASE),
    Verb("GET", "/artifacts/{path:path}", handler=_get, base=_BASE),
    Verb("PUT", "/artifacts/{path:path}", handler=_put, base=_BASE, writes=True),
    Verb(
        "DELETE",
        "/artifacts/{path:path}",
        handler=_delete,
        base=_BASE,
        writes=True,
        permission="record:delete",
    ),
    Verb("GET", "/get-artifact", handler=_of_run, versions=(), also=("/get-artifact",)),
    Verb(
        "GET", "/get-model-artifact", handler=_of_version, versions=(), also=("/model-versions/get-artifact",)
    ),
    Verb(
        "GET",
        "/get-logged-model-artifact",
        handler=_of_model,
        versions=(),
        also=(_AJAX + "/logged-models/{model_id}/artifacts/files",),
    ),
    Verb(
        "POST",
        "/upload-artifact",
        handler=_to_run,
        writes=True,
        versions=(),
        also=(_AJAX + "/upload-artifact",),
    ),
]
