"""fsck: is what was recorded still whole?"""

from __future__ import annotations

import msgspec

from lineal.core.errors import Unavailable
from lineal.service.operations import Scope, operation


class FsckRequest(msgspec.Struct, frozen=True, kw_only=True):
    """bytes: also read every kept object again and compare it with its digest."""

    bytes: bool = True


class FsckReply(msgspec.Struct, frozen=True, kw_only=True):
    """problems: one sentence each, naming what is broken; empty when everything is whole. checked: counts by kind."""

    problems: list[str]
    checked: dict[str, int]


@operation("fsck", permission="record:read", path="/fsck", summary="Check store, bytes and audit log")
def fsck(scope: Scope, request: FsckRequest) -> FsckReply:
    """What is broken in the store, its audit log and its kept bytes."""
    problems = [f"store: {line}" for line in scope.store.check()]
    counts: dict[str, int] = {}
    try:
        for kind, table in (("runs", "run"), ("versions", "version"), ("edges", "edge")):
            counts[kind] = scope.tx.value(f"SELECT count(*) FROM {table}") or 0
        counts["audit leaves"] = len(scope.store.audit.list_leaves(scope.tx, after=0, limit=10_000_000))
        problems += [f"audit: {line}" for line in scope.store.audit.verify(scope.tx)]
    except Unavailable as error:  # a damaged page, of which the store's own check has told more
        problems = problems or [f"store: {error.message}"]
    if request.bytes and scope.blobs is not None:
        broken, count = scope.blobs.check()
        problems += [f"bytes: {line}" for line in [*broken, *_missing(scope)]]
        counts["kept objects"] = count
    return FsckReply(problems=problems, checked=counts)


def _missing(scope: Scope) -> list[str]:
    """One sentence for each file whose bytes should be kept and are not."""
    assert scope.blobs is not None
    try:
        named = scope.store.files.list_named(scope.tx)
    except Unavailable:  # the store's own check has told
        return []
    kept = {digest for digest, _ in scope.blobs.list()} if named else set()
    return [
        f"{digest} is not kept, which the file {path!r} needs: fetch it from a copy, or write the file again"
        for digest, path in sorted(named.items())
        if digest not in kept
    ]
