"""Hashes that other tools name data by, as they take them: DVC's MD5 (of text with line ends made alike, before DVC 3), git's."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Callable, Iterable, Tuple

from .content import CHUNK

_TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"
MD5, MD5_DOS2UNIX, GIT_BLOB = "md5", "md5-dos2unix", "git-blob"


def hash_of(path: bytes, algorithm: str) -> str:
    """The hash of a file's bytes as hex digits; algorithm: `md5`, `md5-dos2unix` or `git-blob`. Raises OSError."""
    return _ALGORITHMS[algorithm](path)


def _md5(path: bytes) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _md5_dos2unix(path: bytes) -> str:
    """As DVC 2 and earlier hash: of a text, each MiB with CRLF replaced by LF."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        first = file.read(512)
        text = b"\0" not in first and len(first.translate(None, _TEXT)) <= 0.3 * len(first)
        file.seek(0)
        while chunk := file.read(CHUNK):
            digest.update(chunk.replace(b"\r\n", b"\n") if text else chunk)
    return digest.hexdigest()


def _git_blob(path: bytes) -> str:
    with open(path, "rb") as file:
        digest = hashlib.sha1(b"blob %d\0" % os.fstat(file.fileno()).st_size, usedforsecurity=False)
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


_ALGORITHMS: "dict[str, Callable[[bytes], str]]" = {
    MD5: _md5,
    MD5_DOS2UNIX: _md5_dos2unix,
    GIT_BLOB: _git_blob,
}


def dvc_directory(members: Iterable[Tuple[str, str]]) -> str:
    """How DVC names a directory: the MD5 of the list of its members (path relative to it, MD5), with `.dir`."""
    listed = [
        {"md5": md5, "relpath": path} for path, md5 in sorted(members, key=lambda m: tuple(m[0].split("/")))
    ]
    return (
        hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"
    )
