"""The Hugging Face cache: files in it lie under the commit they belong to, as links to blobs that are named by their hash."""

from __future__ import annotations

import os
import re
from typing import Any, Callable, Dict, Optional

from .found import CONTENT, DECLARED, NATIVE, Found, Name
from .hashes import GIT_BLOB

_PLACE = re.compile(r"/(datasets|models|spaces)--([^/]+)/snapshots/([0-9a-f]{40})(?:/(.*))?$")
_LARGEST_HASHED = 64 << 20
_LFS, _GIT = 64, 40  # hex digits: the SHA-256 of large files, else the blob of git

Hash = Callable[[bytes, str], Optional[str]]


def of(path: bytes, sha256: str, hash_of: Hash) -> Optional[Found]:
    """What the place of a file in the cache says of it; None when it does not lie in one. sha256: of its bytes, or ""."""
    place = _PLACE.search(os.fsdecode(path))
    if place is None:
        return None
    kind, repository, commit, file = place[1], place[2].replace("--", "/"), place[3], place[4] or ""
    # As in `hf://` addresses, where models need no word before them.
    whole = repository if kind == "models" else f"{kind}/{repository}"
    facts: Dict[str, Any] = {"repository": whole, "commit": commit, "file": file}
    names = [Name("hf", f"{whole}/{file}@{commit}", NATIVE)] if file else []
    names.append(Name("hf", f"{whole}@{commit}", DECLARED if file else NATIVE))
    gap = ""
    try:
        blob = os.path.basename(os.fsdecode(os.readlink(path)))
    except OSError:
        blob = ""  # a copy, as where links are not to be had
    if blob:
        facts["blob"] = blob
        now = _hash(path, sha256, blob, hash_of)
        if now is not None and now != blob:
            names = [name for name in names if name.level != NATIVE]
            gap = "the cached file is not what its name says: it was changed"
        elif len(blob) == _GIT:
            names.append(Name("git", blob, CONTENT if now else DECLARED))
    return Found("hf", tuple(names), facts, gap)


def _hash(path: bytes, sha256: str, blob: str, hash_of: Hash) -> Optional[str]:
    if len(blob) == _LFS:
        return sha256 or None
    if len(blob) == _GIT:
        try:
            small = os.stat(path).st_size <= _LARGEST_HASHED
        except OSError:
            return None
        return hash_of(path, GIT_BLOB) if small else None
    return None
