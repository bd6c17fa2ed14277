"""Apache Iceberg: which snapshot a table folder is at, told from its metadata files.

The catalog is the authority on which metadata file is current. Where no library told it, `version-hint.text` of a Hadoop catalog
does; else the file with the highest number is taken, which is a guess and said to be one. A change of the schema makes no
snapshot, so the schema is part of what identifies a state (Iceberg table spec, "Table Metadata").
"""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from typing import Any, Dict, List, Optional, Tuple

from .found import DECLARED, NATIVE, Name, TableState

FOLDER = b"metadata"
_FILE = re.compile(rb"(?:v(\d+)|(\d+)-[^/]*)(\.gz)?\.metadata\.json(\.gz)?")
_LARGEST = 256 << 20


class Unreadable(Exception):
    """A table whose metadata does not say what is asked; the text says why."""


def has_metadata(root: bytes) -> bool:
    """Whether a folder is an Iceberg table: there are metadata files in it."""
    try:
        return any(_FILE.fullmatch(name) for name in os.listdir(os.path.join(root, FOLDER)))
    except OSError:
        return False


def state(
    root: bytes,
    *,
    snapshot: Optional[int] = None,
    schema: Optional[int] = None,
    table: str = "",
    metadata: Optional[bytes] = None,
    by: Optional[int] = None,
) -> TableState:
    """What the table holds.

    table, snapshot, schema: as a library was told by the catalog; then no file is read. Else metadata: the current file, where
    it is known; by: the time (UTC microseconds) it is asked for, by the times of the metadata files.
    """
    if table and schema is not None:
        return _told(root, table, snapshot, schema, NATIVE, {"authority": "catalog"}, "")
    try:
        file, authority = (metadata, "catalog") if metadata else _current(root, by)
        said = _read(file)
        table, schema = str(said["table-uuid"]), int(said.get("current-schema-id") or 0)
        now = said.get("current-snapshot-id")
        snapshot = snapshot if snapshot is not None else None if now in (None, -1) else int(now)
    except (Unreadable, OSError) as error:
        gap = f"its metadata cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        return TableState("iceberg", root, "", "", (), {}, gap)
    except (KeyError, TypeError, ValueError, OverflowError):
        return TableState("iceberg", root, "", "", (), {}, "its metadata says no table-uuid or snapshot")
    facts = {"authority": authority, "metadata": os.fsdecode(os.path.basename(file))}
    guessed = authority == "newest file"
    gap = "the newest metadata file was taken to be current; only the catalog knows" if guessed else ""
    return _told(root, table, snapshot, schema, DECLARED if guessed else NATIVE, facts, gap)


def missing(root: bytes, table: str, snapshot: int) -> str:
    """Why a snapshot can no longer be read, as a sentence; empty when it is there. Raises Unreadable: it cannot be told."""
    try:
        said = _read(_current(root, None)[0])
    except OSError:
        return "its metadata is no longer there"
    if str(said.get("table-uuid")) != table:
        return "another table stands there now (its uuid is another one)"
    snapshots = said.get("snapshots") or []
    if not isinstance(snapshots, list):
        raise Unreadable("its metadata lists no snapshots")
    for entry in snapshots:
        if isinstance(entry, dict) and entry.get("snapshot-id") == snapshot:
            listed = str(entry.get("manifest-list") or "")
            path = listed[7:] if listed.startswith("file://") else listed
            if path.startswith("/") and not os.path.exists(path):
                return f"the manifest list of snapshot {snapshot} is gone"
            return ""
    return f"snapshot {snapshot} has expired"


def columns(root: bytes, schema: int) -> List[Dict[str, str]]:
    """The columns of a schema, each with `name` and `type`; none when the metadata does not say them."""
    try:
        said = _read(_current(root, None)[0])
        for entry in said["schemas"]:
            if entry["schema-id"] == schema:
                return [
                    {"name": str(field["name"]), "type": _type(field["type"])} for field in entry["fields"]
                ]
    except (OSError, Unreadable, KeyError, TypeError):
        pass
    return []


def _type(said: Any) -> str:
    return str(said.get("type")) if isinstance(said, dict) else str(said)


def _told(
    root: bytes, table: str, snapshot: Optional[int], schema: int, level: str, more: Dict[str, Any], gap: str
) -> TableState:
    named = f"{table}@{'none' if snapshot is None else snapshot}+{schema}"
    facts: Dict[str, Any] = {"table": table, "snapshot": snapshot, "schema": schema, **more}
    return TableState(
        "iceberg",
        root,
        named.partition("@")[2],
        f"iceberg:{named}",
        (Name("iceberg", named, level),),
        facts,
        gap,
    )


def _current(root: bytes, by: Optional[int]) -> Tuple[bytes, str]:
    """The current metadata file, and how that is known."""
    folder = os.path.join(root, FOLDER)
    files: Dict[int, bytes] = {}
    for name in sorted(os.listdir(folder)):
        if entry := _FILE.fullmatch(name):
            files[int(entry[1] or entry[2])] = name
    if not files:
        raise Unreadable("it has no metadata file")
    try:
        with open(os.path.join(folder, b"version-hint.text"), "rb") as hint:
            said = hint.read(64).strip()
        if said.isdigit() and int(said) in files:
            return os.path.join(folder, files[int(said)]), "version-hint.text"
    except OSError:
        pass
    for number in sorted(files, reverse=True):
        path = os.path.join(folder, files[number])
        if by is None or os.stat(path).st_mtime_ns // 1000 <= by:
            return path, "newest file"
    return os.path.join(folder, files[max(files)]), "newest file"


def _read(path: bytes) -> Dict[str, Any]:
    name = os.fsdecode(os.path.basename(path))
    with open(path, "rb") as file:
        data = file.read(_LARGEST + 1)
    try:
        if data[:2] == b"\x1f\x8b":
            data = zlib.decompressobj(31).decompress(data, _LARGEST + 1)
        if len(data) > _LARGEST:
            raise Unreadable(f"{name} is larger than {_LARGEST >> 20} MiB")
        said = json.loads(data)
    except (ValueError, RecursionError, zlib.error, gzip.BadGzipFile):
        raise Unreadable(f"{name} is cut short or no JSON") from None
    if not isinstance(said, dict):
        raise Unreadable(f"{name} is no metadata of a table")
    return said
