"""What a resolver gives back: the names by which a store of versions knows some data, and how firmly each identifies it."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Tuple

NATIVE, CONTENT, DECLARED = "native", "content", "declared"
_NOTHING: Dict[str, Any] = {}


class Name(NamedTuple):
    """One name of some data, written `scheme:value`. level: `native`, `content` or `declared`.

    `native`: the store's own version of this very data, which two reports may share only when they mean the same; `content`: a
    hash of its bytes, verified; `declared`: somebody says so, and it may have moved or changed since.
    """

    scheme: str
    value: str
    level: str = NATIVE


class Found(NamedTuple):
    """What one kind of store knows of some data.

    kind: `git`, `dvc`, `delta` ...; facts: what else it says, as JSON values; gap: what could not be told, as a sentence
    without its full stop, empty when nothing is missing.
    """

    kind: str
    names: Tuple[Name, ...] = ()
    facts: Dict[str, Any] = _NOTHING
    gap: str = ""


class TableState(NamedTuple):
    """One version of a table that is a folder.

    kind: `delta` or `iceberg`; root: its folder or URI; version: as its format counts; state: what identifies the data in it,
    the same for versions that hold the same data, empty when that cannot be told and `gap` says why.
    """

    kind: str
    root: bytes
    version: str
    state: str
    names: Tuple[Name, ...] = ()
    facts: Dict[str, Any] = _NOTHING
    gap: str = ""
