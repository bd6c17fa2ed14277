"""The code behind a run, from the tags in which MLflow tells of a git checkout: a version that governs the run."""

from __future__ import annotations

import msgspec

from lineal.capture import redact
from lineal.core.events import Evidence
from lineal.core.ids import sha256
from lineal.core.model import Edge, EdgeKind
from lineal.service import mlflow_tags
from lineal.service.facets import attach
from lineal.service.operations import Scope

_LARGEST_DIFF = 1_000_000  # characters


def govern(scope: Scope, node: int, tags: dict[str, str]) -> None:
    """Record the code that a run's tags tell of, if they tell of any."""
    facts = mlflow_tags.code_facts(tags)
    if not facts:
        return
    diff = tags.get(mlflow_tags.GIT + "diff", "")
    if diff and scope.blobs is not None and len(diff) <= _LARGEST_DIFF:
        clean, _ = redact.text(diff)
        facts["diff"] = scope.blobs.put(clean.encode("utf-8", "surrogateescape"))
    body = msgspec.json.encode(facts, order="sorted")
    version, existed = mlflow_tags.code_version(scope, body)
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
