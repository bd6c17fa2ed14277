"""Preview: the first rows of a table whose bytes are kept.

CSV is read here. Parquet is a format of many layers, and its bytes come from anybody: Polars reads it in a process of its own,
which has little time, little memory and no store.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import msgspec

from lineal.core.errors import Invalid, NotFound, Unavailable
from lineal.service.operations import Scope, operation
from lineal.store.blobs import Blobs, key_of

WANTED = "pip install 'lineal[data]'"
_MOST_ROWS = 500
_MOST_COLUMNS = 200
_CELL = 300  # characters of a value
_HEAD = 2 << 20  # bytes of a CSV file that are looked at
_FETCHED = 256 << 20  # bytes that are brought from a bucket for a look
_PATIENCE_S = 10.0
_AT_ONCE = 2  # processes that read Parquet
_turn = threading.BoundedSemaphore(_AT_ONCE)


class PreviewRequest(msgspec.Struct, frozen=True, kw_only=True):
    """digest: of the kept bytes. format: `csv`, `tsv` or `parquet`. rows: 1 to 500."""

    digest: str
    format: str
    rows: int = 100


class PreviewReply(msgspec.Struct, frozen=True, kw_only=True):
    """columns: their names; types: as the file has them, empty for CSV. rows: each value as text, null where there is none.

    total: rows in the whole file, where it says so. cut: there are more rows or columns than these. reason: why there is nothing
    to see.
    """

    columns: list[str]
    types: list[str]
    rows: list[list[str | None]]
    total: int | None
    cut: bool
    reason: str = ""


@operation("preview", permission="record:read", path="/preview", summary="The first rows of a kept table")
def preview(scope: Scope, request: PreviewRequest) -> PreviewReply:
    """The first rows of a table. Raises NotFound: the bytes are not kept. Invalid: another format, or too many rows."""
    if request.format not in ("csv", "tsv", "parquet") or not 1 <= request.rows <= _MOST_ROWS:
        raise Invalid(
            f"a preview of {request.rows} rows as {request.format[:40]!r}",
            hint=f"1 to {_MOST_ROWS} rows of csv, tsv or parquet",
        )
    blobs = scope.blobs
    if blobs is None:
        raise Unavailable("this server keeps no bytes", hint="start it with --blobs")
    if not blobs.has(request.digest):
        raise NotFound(f"no bytes with digest {request.digest} are kept", hint="they may have been deleted")
    if request.format == "parquet":
        return _parquet(blobs, request)
    head = b"".join(blobs.stream(request.digest, start=0, end=_HEAD))
    return _separated(head, "\t" if request.format == "tsv" else ",", request.rows)


def _separated(head: bytes, separator: str, most: int) -> PreviewReply:
    text = head.decode("utf-8-sig", "replace").replace("\0", "\ufffd")
    whole = len(head) < _HEAD
    if not whole:
        text = text[: text.rfind("\n") + 1]
    found: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text), delimiter=separator):
            if len(found) > most + 1:
                break
            if row:
                found.append(row)
    except csv.Error as error:
        if not found:
            return _nothing(f"it cannot be read as a table: {error}")
    if not found:
        return _nothing("it holds no rows")
    columns, rows = found[0], found[1 : most + 1]
    return PreviewReply(
        columns=[_cell(name) or "" for name in columns[:_MOST_COLUMNS]],
        types=[],
        rows=[[_cell(value) for value in row[:_MOST_COLUMNS]] for row in rows],
        total=len(found) - 1 if whole and len(found) <= most + 1 else None,
        cut=not whole or len(found) > most + 1 or len(columns) > _MOST_COLUMNS,
    )


def _cell(value: str) -> str | None:
    return value if len(value) <= _CELL else value[:_CELL] + "…"


def _parquet(blobs: Blobs, request: PreviewRequest) -> PreviewReply:
    if find_spec("polars") is None:
        return _nothing(f"Parquet is read by Polars: {WANTED} where the server runs")
    if not _turn.acquire(timeout=_PATIENCE_S):
        raise Unavailable("other previews are being read", hint="ask again in a moment")
    try:
        with _at_hand(blobs, request.digest) as path:
            if path is None:
                return _nothing(f"it is larger than {_FETCHED >> 20} MiB and lies in a bucket")
            return _read_apart(path, request.rows)
    finally:
        _turn.release()


@contextmanager
def _at_hand(blobs: Blobs, digest: str) -> Iterator[str | None]:
    """A path at which kept bytes can be read; None when that would take too long."""
    if blobs.folder:
        yield os.path.join(blobs.folder, *key_of(digest).split("/"))
        return
    with tempfile.NamedTemporaryFile(prefix="lineal-preview-") as file:
        for piece in blobs.stream(digest):
            file.write(piece)
            if file.tell() > _FETCHED:
                yield None
                return
        file.flush()
        yield file.name


def _read_apart(path: str, rows: int) -> PreviewReply:
    """Read in a process of its own, which is ended when it takes too long."""
    words = [
        sys.executable,
        "-m",
        "lineal.service.first_rows",
        path,
        str(rows),
        str(_MOST_COLUMNS),
        str(_CELL),
    ]
    settings = {**os.environ, "POLARS_MAX_THREADS": "1"}
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            timeout=_PATIENCE_S,
            env=settings,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _nothing(f"reading it took longer than {_PATIENCE_S:.0f} seconds")
    except OSError as error:
        raise Unavailable("no process could be started to read it", hint="try again") from error
    try:
        told: dict[str, Any] = json.loads(done.stdout)
        return msgspec.convert(told, PreviewReply)
    except (ValueError, msgspec.ValidationError):
        return _nothing("it cannot be read as Parquet")


def _nothing(reason: str) -> PreviewReply:
    return PreviewReply(columns=[], types=[], rows=[], total=None, cut=False, reason=reason)
