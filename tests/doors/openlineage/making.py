"""Events of our own making, and the record as one value that can be compared."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

from lineal.doors.openlineage.arrive import received
from lineal.service.openlineage import are_due, take_in, take_up_due
from lineal.service.operations import ALL_PERMISSIONS, Scope
from lineal.store.open import Store

RECORDED = Path(__file__).parent / "recorded"
MODES = ("dbt_duckdb_build_file.jsonl", "dbt_duckdb_build_structured_logs.jsonl")
PRODUCER = "https://example.org/lineal/tests"


def recorded(name: str) -> list[bytes]:
    """The events of a recorded file, as they were sent."""
    return [line.strip().encode() for line in (RECORDED / name).read_text().splitlines()]


def facet(**fields: Any) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": "https://example.org/facet.json", **fields}


def run_id(name: str) -> str:
    digits = hashlib.sha256(name.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


def time_of(second: float) -> str:
    return f"2026-03-03T12:{int(second) // 60:02d}:{second % 60:09.6f}Z"


def data(name: str, *, version: str = "", symlinks: tuple[str, ...] = (), **facets: Any) -> dict[str, Any]:
    """A dataset of the namespace `pg://db:1`."""
    said = dict(facets)
    if version:
        said["version"] = facet(datasetVersion=version)
    if symlinks:
        said["symlinks"] = facet(
            identifiers=[{"namespace": "pg://db:1", "name": other, "type": "TABLE"} for other in symlinks]
        )
    return {"namespace": "pg://db:1", "name": name, **({"facets": said} if said else {})}


def event(
    type: str,
    run: str,
    second: float,
    *,
    job: str = "",
    inputs: tuple[Any, ...] = (),
    outputs: tuple[Any, ...] = (),
    parent: str = "",
    streaming: bool = False,
    job_type: str = "",
    run_facets: dict[str, Any] | None = None,
    job_facets: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A RunEvent; datasets are given as names or as `data(...)`."""
    ours, theirs = dict(run_facets or {}), dict(job_facets or {})
    if parent:
        ours["parent"] = facet(
            run={"runId": run_id(parent)}, job={"namespace": "jobs", "name": f"job.{parent}"}
        )
    if streaming or job_type:
        processing = "STREAMING" if streaming else "BATCH"
        theirs["jobType"] = facet(processingType=processing, integration="TEST", jobType=job_type or "JOB")
    return {
        "eventType": type,
        "eventTime": time_of(second),
        "producer": PRODUCER,
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run_id(run), "facets": ours},
        "job": {"namespace": "jobs", "name": job or f"job.{run}", "facets": theirs},
        "inputs": [data(item) if isinstance(item, str) else item for item in inputs],
        "outputs": [data(item) if isinstance(item, str) else item for item in outputs],
    }


def packed(event: Any) -> bytes:
    return json.dumps(event).encode()


def take(store: Store, events: list[bytes], *, at: int = 1, actor: str = "tester") -> int:
    """Take events in, all in one transaction; how many were new."""
    with store.write() as tx:
        scope = Scope(
            tx=tx,
            store=store,
            blobs=None,
            namespace="project",
            actor=actor,
            at=at,
            grants=ALL_PERMISSIONS,
            door="openlineage",
        )
        return take_in(scope, [received(raw) for raw in events])


def settle_all(store: Store, *, at: int = 1) -> int:
    """Take up what was put off, portion by portion; how many portions there were."""
    for portion in itertools.count():
        with store.write() as tx:
            scope = Scope(
                tx=tx, store=store, blobs=None, namespace="project", actor="server", at=at, door="openlineage"
            )
            if not are_due(scope):
                return portion
            take_up_due(scope)
    raise AssertionError


def record(store: Store) -> dict[str, Any]:
    """Everything that stands in the record, named by what does not depend on the order of arrival."""
    with store.read() as tx:
        nodes = [node for (node,) in tx.rows("SELECT id FROM node ORDER BY id")]
        runs = store.runs.get_runs(tx, nodes)
        versions = store.artifacts.get_versions(tx, nodes)
        names = {node: run.run_id for node, run in runs.items()}
        names |= {node: f"{v.namespace} {v.name} {v.digest}" for node, v in versions.items()}
        meetings = [entry for entry in store.joins.list_meetings(tx, nodes) if not entry.apart]
        own = dict(names)
        for node in nodes:  # which of several stands for all depends on the order
            together = store.joins.members(tx, node) if meetings else [node]
            if len(together) > 1 and node in names:
                names[node] = " = ".join(sorted(own[member] for member in together))
        artifacts = sorted({version.artifact for version in versions.values()})
        one = [entry for entry in store.name_joins.list_name_joins(tx, artifacts) if not entry.apart]
        edges = store.edges.get_in(tx, nodes)
        linked = set(store.joins.expand(tx, sorted({end for edge in edges for end in (edge.src, edge.dst)})))
        references = store.artifacts.get_references(tx, nodes)
        return {
            "runs": {
                run.run_id: (
                    run.namespace,
                    run.job,
                    run.kind,
                    names.get(run.parent or 0),
                    run.started_at,
                    str(run.state),
                    run.ended_at,
                    run.error,
                )
                for run in runs.values()
            },
            "edges": sorted(
                (names[e.src], names[e.dst], e.kind.name, e.role, e.rule, str(e.evidence), e.at)
                for e in edges
            ),
            "joins": sorted(
                (*sorted((own[e.a], own[e.b])), e.rule, str(e.evidence), e.said) for e in meetings
            ),
            "names": sorted(
                (e.rule, e.said) for e in one
            ),  # what is said names both; one may have no version yet
            "facets": {
                own[node]: {f.name: bytes(f.body) for f in store.attributes.get_facets(tx, node)}
                for node in nodes
                if node in runs or node in linked
            },
            "tags": {
                own[node]: {tag.key: tag.value for tag in tags}
                for node, tags in store.attributes.get_tags(tx, nodes).items()
                if node in runs or node in linked
            },
            "references": {
                own[node]: [r.value for r in found] for node, found in references.items() if node in linked
            },
        }
