"""Whether data can still be had: asked on the machine where the command runs, of tables that keep their old versions for a while.

The server opens nothing that a client named, so this is no part of its answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from lineal.core.errors import LinealError
from lineal.core.health import Check, percent
from lineal.resolve import delta, iceberg
from lineal.resolve.location import file_path
from lineal.service.health import HealthReply
from lineal.service.lineage import TraceRequest
from lineal.service.show import ReferenceOut, RunDetail, ShowRequest, VersionDetail

if TYPE_CHECKING:
    from lineal.service.client import AnyClient

_MOST = 200  # versions of one ancestry that are looked for
_MEANS = "every version of a table here can still be read: its files were not cleaned away"


def gone(uri: str, references: list[ReferenceOut]) -> str | None:
    """Why a version of a table on this machine can no longer be read, as a sentence; empty when it can; None when it is no
    such version, or it cannot be told."""
    if not uri.startswith("file:"):
        return None
    told: str | None = None
    for item in references:
        table, _, version = item.value.rpartition("@")
        if item.level != "native" or item.scheme not in {"delta", "iceberg"}:
            continue
        try:
            told = _gone(item.scheme, file_path(uri), table, version)
        except (ValueError, OSError, delta.Unreadable, iceberg.Unreadable):
            continue
        if not told:
            return told  # by one of the numbers that name the same data it can be read
    return told


def _gone(scheme: str, root: bytes, table: str, version: str) -> str:
    if scheme == "delta":
        return delta.missing(root, table, int(version))
    snapshot = version.partition("+")[0]
    return "" if snapshot == "none" else iceberg.missing(root, table, int(snapshot))


def lost(reply: RunDetail | VersionDetail) -> list[str]:
    """A sentence for each version of a table in it that can no longer be read."""
    if isinstance(reply, VersionDetail):
        asked = [(reply.ref, reply.uri, reply.references)]
    else:
        asked = [(file.version, file.uri, file.references) for file in reply.inputs[:_MOST]]
    return [
        f"{ref} is no longer retrievable: {why}" for ref, uri, names in asked if (why := gone(uri, names))
    ]


def with_check(reply: HealthReply, check: Check | None) -> HealthReply:
    """The answer with one check more."""
    if check is None:
        return reply
    checks = [*reply.checks, check]
    return msgspec.structs.replace(reply, checks=checks, percent=percent(checks))


def still_there(client: AnyClient, ref: str) -> Check | None:
    """How many of the tables' versions behind something can still be read; None when there is none that could be asked for."""
    known, missing = 0, []
    for detail in _versions(client, ref):
        why = gone(detail.uri, detail.references)
        if why == "":
            known += 1
        elif why is not None:
            missing.append(f"{detail.ref}: no longer retrievable: {why}")
    total = known + len(missing)
    return (
        Check(name="still retrievable", means=_MEANS, known=known, total=total, missing=missing)
        if total
        else None
    )


def _versions(client: AnyClient, ref: str) -> Iterator[VersionDetail]:
    reply = client.call("trace", TraceRequest(ref=ref))
    tables = [node for node in reply.nodes if node.type == "version" and node.level == "native"]
    for node in tables[:_MOST]:
        try:
            detail = client.call("show", ShowRequest(ref=node.ref))
        except LinealError:
            continue
        if isinstance(detail, VersionDetail):
            yield detail
