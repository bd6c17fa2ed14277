"""The code behind a run, from the tags in which MLflow tells of a git checkout: a version that governs the run."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from lineal.capture import redact
from lineal.core.events import Evidence, Level
from lineal.core.ids import sha256
from lineal.core.model import Edge, EdgeKind
from lineal.service.facets import attach
from lineal.service.operations import Scope

GIT = "mlflow.source.git."
_SCRIPT, _KIND = "mlflow.source.name", "mlflow.source.type"
_LARGEST_DIFF = 1_000_000  # characters


def govern(scope: Scope, node: int, tags: dict[str, str]) -> None:
    """Record the code that a run's tags tell of, if they tell of any."""
    commit = tags.get(GIT + "commit", "")
    if not commit:
        return
    body = msgspec.json.encode(_facts(scope, commit, tags), order="sorted")
    version, existed = scope.store.artifacts.add_version(
        scope.tx,
        namespace=scope.namespace,
        name="code",
        kind="code",
        digest=sha256(body),
        level=Level.CONTENT,
        reason="",
        size=len(body),
        location="",
        recorded_at=scope.at,
    )
    message = scope.store.audit.add_message(
        scope.tx, door="mlflow", source="tags", body=body, digest=sha256(body), at=scope.at
    )
    if not existed:
        attach(scope, [(version, "lineal.code/1", body)], message)
    edge = Edge(
        src=version,
        dst=node,
        kind=EdgeKind.USED,
        at=scope.at,
        role="code",
        evidence=Evidence.DECLARED,
        via="mlflow",
        batch=message,
    )
    scope.store.edges.add_edges(scope.tx, [edge], recorded_at=scope.at)


def _facts(scope: Scope, commit: str, tags: dict[str, str]) -> dict[str, Any]:
    """The facts in the words of the facet `lineal.code/1`; the difference to the commit is kept as bytes, redacted."""
    facts: dict[str, Any] = {"vcs": "git", "commit": commit}
    if branch := tags.get(GIT + "branch"):
        facts["branch"] = branch
    if remote := tags.get(GIT + "repoURL"):
        facts["remote"] = _public(remote)
    if GIT + "dirty" in tags:
        facts["dirty"] = tags[GIT + "dirty"].lower() == "true"
    diff = tags.get(GIT + "diff", "")
    if diff and scope.blobs is not None and len(diff) <= _LARGEST_DIFF:
        clean, _ = redact.text(diff)
        facts["diff"] = scope.blobs.put(clean.encode("utf-8", "surrogateescape"))
    if tags.get(_KIND) == "LOCAL" and tags.get(_SCRIPT):
        facts["script"] = {"path": tags[_SCRIPT]}
    return facts


def _public(remote: str) -> str:
    """The address without a user or password in it."""
    try:
        parts = urlsplit(remote)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if parts.scheme else remote
    except ValueError:
        return ""
