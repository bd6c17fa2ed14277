"""A run of the record as OpenLineage events (specification 2-0-2): one for its start, one for its end if it ended.

What OpenLineage has no facet for (parameters, metrics, tags) goes into the facet `lineal_run`; a version's digest and level into
`lineal_version`. An event says the same in every export, byte for byte, as long as the record of its run stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from lineal.core.events import State
from lineal.core.model import Edge, RunRecord, VersionRecord

PRODUCER = "urn:lineal"
_SPEC = "https://openlineage.io/spec"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENDS = {State.FINISHED: "COMPLETE", State.FAILED: "FAIL", State.KILLED: "ABORT", State.LOST: "ABORT"}
_FACETS = {
    "parent": ("1-1-0", "ParentRunFacet"),
    "errorMessage": ("1-0-1", "ErrorMessageRunFacet"),
    "jobType": ("2-0-3", "JobTypeJobFacet"),
    "sourceCodeLocation": ("1-0-1", "SourceCodeLocationJobFacet"),
    "version": ("1-0-1", "DatasetVersionDatasetFacet"),
    "schema": ("1-1-1", "SchemaDatasetFacet"),
}
Json = dict[str, Any]


class Part(msgspec.Struct, frozen=True):
    """A version that the run read or wrote; columns: its names and types, where they are known."""

    version: VersionRecord
    edge: Edge
    columns: Sequence[tuple[str, str]] = ()


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of a run that its events tell. code: remote, commit and path of its source, if known."""

    run: RunRecord
    parent: RunRecord | None
    reads: Sequence[Part]
    writes: Sequence[Part]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    code: tuple[str, str, str] = ("", "", "")


def to_openlineage(run: Run) -> list[Json]:
    """The events of a run, in the order of time."""
    record = run.run
    events = [_event(run, "START", record.started_at, inputs=run.reads, outputs=())]
    if record.state in _ENDS:
        ended = record.ended_at if record.ended_at is not None else record.started_at
        events.append(_event(run, _ENDS[record.state], ended, inputs=run.reads, outputs=run.writes))
    return events


def _event(run: Run, type: str, at: int, *, inputs: Sequence[Part], outputs: Sequence[Part]) -> Json:
    record = run.run
    return {
        "eventType": type,
        "eventTime": _time(at),
        "producer": PRODUCER,
        "schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": _uuid(record), "facets": _run_facets(run, ended=type != "START")},
        "job": {**_job_name(record), "facets": _job_facets(run)},
        "inputs": [_dataset(part) for part in inputs],
        "outputs": [_dataset(part) for part in outputs],
    }


def _run_facets(run: Run, *, ended: bool) -> Json:
    record = run.run
    said: Json = {
        "kind": record.kind,
        "name": record.name,
        "params": dict(run.params),
        "tags": dict(run.tags),
    }
    if ended:
        said["metrics"] = {key: _number(value) for key, value in run.metrics.items()}
        said["state"] = str(record.state)
    facets = {"lineal_run": _own("lineal_run", said)}
    if run.parent is not None:
        facets["parent"] = _known(
            "parent", {"run": {"runId": _uuid(run.parent)}, "job": _job_name(run.parent)}
        )
    if ended and record.error is not None:
        error = {
            "message": f"{record.error.type}: {record.error.message}",
            "programmingLanguage": "python",
            "stackTrace": record.error.traceback,
        }
        facets["errorMessage"] = _known("errorMessage", error)
    return facets


def _job_facets(run: Run) -> Json:
    kind = {"processingType": "BATCH", "integration": "LINEAL", "jobType": run.run.kind.upper() or "RUN"}
    facets = {"jobType": _known("jobType", kind)}
    remote, commit, path = run.code
    if remote:
        said = {"type": "git", "url": remote, "repoUrl": remote, "version": commit, "path": path}
        facets["sourceCodeLocation"] = _known("sourceCodeLocation", {k: v for k, v in said.items() if v})
    return facets


def _job_name(record: RunRecord) -> Json:
    return {"namespace": record.namespace or "lineal", "name": record.job or record.name or record.run_id}


def _dataset(part: Part) -> Json:
    version = part.version
    known = version.digest if version.digest is not None else str(version.number)
    said = {
        "kind": version.kind,
        "number": version.number,
        "digest": version.digest,
        "level": str(version.level),
        "size_bytes": version.size,
        "evidence": str(part.edge.evidence),
        "role": part.edge.role,
    }
    facets = {
        "version": _known("version", {"datasetVersion": known}),
        "lineal_version": _own("lineal_version", said),
    }
    if part.columns:
        fields = [{"name": name, "type": type} for name, type in part.columns]
        facets["schema"] = _known("schema", {"fields": fields})
    return {"namespace": version.namespace or "lineal", "name": version.name, "facets": facets}


def _known(name: str, said: Json) -> Json:
    version, type = _FACETS[name]
    file = type if name != "parent" else "ParentRunFacet"
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"{_SPEC}/facets/{version}/{file}.json#/$defs/{type}",
        **said,
    }


def _own(name: str, said: Json) -> Json:
    return {"_producer": PRODUCER, "_schemaURL": f"{PRODUCER}:facet:{name}:1", **said}


def _uuid(record: RunRecord) -> str:
    digits = record.run_id
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _time(at: int) -> str:
    try:
        moment = _EPOCH + timedelta(microseconds=at)
    except OverflowError:  # what no calendar holds is told as the nearest time that one does
        moment = datetime.max.replace(tzinfo=UTC) if at > 0 else datetime.min.replace(tzinfo=UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _number(value: float) -> float | str:
    if value != value:
        return "NaN"
    return value if abs(value) != float("inf") else "Infinity" if value > 0 else "-Infinity"
