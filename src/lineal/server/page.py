"""The web page: the files that were built into `lineal.ui`, read once when the server starts, or how to build them.

The page itself tells nothing of the record, so it is open to all; what it shows it asks for with the viewer's token.
"""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from lineal.ui import STATIC

FOLDER = "/ui/"  # below it lie the parts of the page, each named after its content
_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PACKED = (("br", ".br"), ("gzip", ".gz"))
_UNBUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Lineal</title></head>
<body><h1>Lineal</h1>
<p>This is a Lineal server, version {version}. Its page was not built in this checkout: run <code>make ui</code>, which needs
Node 20 or newer, and start the server again. Everything else works without it.</p>
<p>Its API is described at <a href="api/lineal/v1/openapi.json">api/lineal/v1/openapi.json</a>.</p>
</body></html>
"""


@dataclass(frozen=True)
class _File:
    """One built file. packed: its compressed forms by their encoding."""

    body: bytes
    kind: str
    tag: str
    packed: dict[str, bytes] = field(default_factory=dict)


def routes(folder: Path = STATIC) -> list[BaseRoute]:
    """`/` and the parts below `/ui/`. folder: where the page was built."""
    files = _read(folder)

    async def page(request: Request) -> Response:
        found = files.get("index.html")
        if found is None:
            return HTMLResponse(_UNBUILT.format(version=version("lineal")))
        return _answer(request, found, "no-cache")

    async def part(request: Request) -> Response:
        found = files.get("ui/" + request.path_params["name"])
        if found is None:
            return Response(status_code=404)
        return _answer(request, found, "public, max-age=31536000, immutable")

    return [Route("/", page, methods=["GET"]), Route(FOLDER + "{name}", part, methods=["GET"])]


def _read(folder: Path) -> dict[str, _File]:
    """Every built file by its path. Names in requests are looked up here and never reach the file system."""
    found: dict[str, _File] = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if not path.is_file() or path.suffix in (".br", ".gz"):
            continue
        body = path.read_bytes()
        kind = "font/woff2" if path.suffix == ".woff2" else mimetypes.guess_type(path.name)[0]
        packed = {
            encoding: path.with_name(path.name + end).read_bytes()
            for encoding, end in _PACKED
            if path.with_name(path.name + end).is_file()
        }
        found[path.relative_to(folder).as_posix()] = _File(
            body, kind or "application/octet-stream", hashlib.sha256(body).hexdigest()[:20], packed
        )
    return found


def _answer(request: Request, found: _File, keep: str) -> Response:
    accepted = {
        word.partition(";")[0].strip() for word in request.headers.get("accept-encoding", "").split(",")
    }
    encoding = next((name for name in found.packed if name in accepted), "")
    tag = f'"{found.tag}{encoding}"'
    headers = {"Cache-Control": keep, "ETag": tag, "Vary": "Accept-Encoding"}
    if found.kind == "text/html":
        headers["Content-Security-Policy"] = _POLICY  # also with a 304, whose headers replace the kept ones
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    if encoding:
        headers["Content-Encoding"] = encoding
    headers["Content-Type"] = found.kind + (
        "; charset=utf-8" if found.kind.startswith("text/") or "javascript" in found.kind else ""
    )
    return Response(found.packed.get(encoding, found.body), headers=headers)
