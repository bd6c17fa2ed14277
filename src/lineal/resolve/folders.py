"""Kinds of versions that are told by the folder around a file: Oxen repositories, Croissant descriptions, Pachyderm's workers."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .found import CONTENT, DECLARED, Found, Name

_OXEN_COMMIT = re.compile(r"[0-9a-f]{16,64}")
_CROISSANT = (b"croissant.json", b"metadata.json", b"croissant.jsonld")
_LARGEST = 16 << 20
_LEVELS = 4  # folders above a file in which a description of it is looked for


class Oxen:
    """Repositories of Oxen, by the folder `.oxen` in them."""

    def __init__(self) -> None:
        self._roots: Dict[bytes, Optional[bytes]] = {}

    def forget(self) -> None:
        """Look again."""
        self._roots.clear()

    def of(self, path: bytes) -> Optional[Found]:
        """What HEAD says of the file's repository; that the file is as it was committed cannot be told from outside."""
        root = self._root(os.path.dirname(path))
        if root is None:
            return None
        try:
            with open(os.path.join(root, b".oxen", b"HEAD"), "rb") as file:
                head = file.read(4096).decode("utf-8", "replace").strip()
        except OSError as error:
            return Found("oxen", gap=f"its HEAD cannot be read: {error.strerror}")
        relative = os.fsdecode(os.path.relpath(path, root))
        facts = {"path": relative, "head": head}
        names = (Name("oxen", f"{relative}@{head}", DECLARED),)
        if _OXEN_COMMIT.fullmatch(head):
            return Found("oxen", names, {**facts, "commit": head})
        gap = f"{head!r} is a branch, which moves: its commit is kept where only Oxen reads it"
        return Found("oxen", names, facts, gap)

    def _root(self, folder: bytes) -> Optional[bytes]:
        if folder not in self._roots:
            above = os.path.dirname(folder)
            if os.path.isdir(os.path.join(folder, b".oxen")):
                self._roots[folder] = folder
            else:
                self._roots[folder] = self._root(above) if above != folder else None
        return self._roots[folder]


class Croissants:
    """Descriptions of data sets (MLCommons Croissant, JSON-LD) that list files with their hashes."""

    def __init__(self) -> None:
        self._read: Dict[bytes, Tuple[Any, Optional[Dict[str, Any]]]] = {}

    def of(self, path: bytes, sha256: str) -> Optional[Found]:
        """What a description beside or above the file says of it; None when none lists it. sha256: of its bytes, or ""."""
        folder = os.path.dirname(path)
        for _ in range(_LEVELS):
            for name in _CROISSANT:
                file = os.path.join(folder, name)
                said = None if file == path else self._description(file)
                if said is not None and (found := _listed(said, os.path.relpath(path, folder), sha256)):
                    return found
            above = os.path.dirname(folder)
            if above == folder:
                break
            folder = above
        return None

    def _description(self, file: bytes) -> Optional[Dict[str, Any]]:
        try:
            stat = os.stat(file)
        except OSError:
            return None
        state = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        known = self._read.get(file)
        if known is None or known[0] != state:
            known = self._read[file] = (state, _croissant(file))
        return known[1]


def _croissant(file: bytes) -> Optional[Dict[str, Any]]:
    try:
        with open(file, "rb") as opened:
            data = opened.read(_LARGEST)
        if b"distribution" not in data or b"roissant" not in data:
            return None
        said = json.loads(data)
    except (OSError, ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and isinstance(said.get("distribution"), list) else None


def _listed(said: Dict[str, Any], relative: bytes, sha256: str) -> Optional[Found]:
    name = os.fsdecode(relative)
    for entry in said["distribution"]:
        if not isinstance(entry, dict):
            continue
        url = str(entry.get("contentUrl") or "")
        if name not in (url, str(entry.get("name") or "")) and not (
            "://" in url and url.rpartition("/")[2] == os.path.basename(name)
        ):
            continue
        declared = str(entry.get("sha256") or "").lower()
        facts = {
            "dataset": str(said.get("name") or ""),
            "version": str(said.get("version") or ""),
            "file": str(entry.get("@id") or entry.get("name") or name),
            "live": bool(said.get("isLiveDataset")),
        }
        value = f"{facts['dataset']}/{facts['file']}@{facts['version'] or 'unversioned'}"
        if declared and sha256 and declared != sha256:
            return Found(
                "croissant", (), {**facts, "matches": False}, "the file is not what its description lists"
            )
        names: List[Name] = [Name("croissant", value, CONTENT if declared and sha256 else DECLARED)]
        if md5 := str(entry.get("md5") or ""):
            names.append(Name("md5", md5, DECLARED))
        return Found(
            "croissant", tuple(names), facts, "" if declared else "its description gives no SHA-256 for it"
        )
    return None


def pachyderm(path: bytes, variables: Mapping[str, str]) -> Optional[Found]:
    """What a worker of Pachyderm says of a file below `/pfs`; None elsewhere. variables: the program's environment."""
    parts = os.fsdecode(path).split("/", 3)
    if len(parts) < 4 or parts[1] != "pfs" or "PACH_JOB_ID" not in variables:
        return None
    place, inside, job = parts[2], parts[3], variables["PACH_JOB_ID"]
    facts = {"job": job, "path": inside}
    if place == "out":
        commit = variables.get("PACH_OUTPUT_COMMIT_ID") or job
        pipeline = variables.get("PPS_PIPELINE_NAME") or "out"
        return Found("pachyderm", (Name("pach", f"{pipeline}:/{inside}@{commit}", DECLARED),), facts)
    commit = variables.get(f"{place}_COMMIT", "")
    if not commit:
        return Found(
            "pachyderm",
            (),
            facts,
            f"{place}_COMMIT is not set, so the commit of input {place!r} is not known",
        )
    return Found(
        "pachyderm", (Name("pach", f"{place}:/{inside}@{commit}", DECLARED),), {**facts, "commit": commit}
    )
