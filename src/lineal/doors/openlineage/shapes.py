"""Words out: jobs, runs, datasets and graphs in the shapes that Marquez' clients read (its spec/openapi.yml)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lineal.core.events import State
from lineal.core.model import RunRecord, VersionRecord
from lineal.core.openlineage import Name
from lineal.service import openlineage_catalog as catalog
from lineal.service.openlineage_catalog import DatasetView, Part, RunView, VersionView
from lineal.service.openlineage_lineage import Column, Columns, Graph, loaded_facet
from lineal.store.base_doors import LinkedName

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATES = {
    State.RUNNING: "RUNNING",
    State.FINISHED: "COMPLETED",
    State.FAILED: "FAILED",
    State.KILLED: "ABORTED",
    State.LOST: "FAILED",
}
STATES = frozenset(_STATES.values())
_TYPES = {"STREAMING": "STREAM", "STREAM": "STREAM", "SERVICE": "SERVICE"}
Json = dict[str, Any]


def time(at: int | None) -> str | None:
    """A time in ISO 8601; None stays None, and one that no calendar holds becomes its microseconds."""
    if at is None:
        return None
    try:
        text = (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="microseconds")
    except OverflowError:
        return str(at)
    return text.replace("+00:00", "Z")


def state(state: State) -> str:
    """How a run stands, in Marquez' word."""
    return _STATES[state]


def uuid(run: RunRecord) -> str:
    """A run's id as a UUID is written."""
    return catalog.dashed(run.run_id)


def name_id(name: Name | LinkedName | VersionRecord) -> Json:
    """Namespace and name."""
    return {"namespace": name.namespace, "name": name.name}


def node_id(kind: str, name: Name) -> str:
    """The id of a node of a lineage graph."""
    return f"{kind}:{name.namespace}:{name.name}"


def namespace(name: str, first: int, last: int) -> Json:
    """A namespace."""
    return {
        "name": name,
        "createdAt": time(first),
        "updatedAt": time(last),
        "ownerName": "anonymous",
        "description": None,
        "isHidden": False,
    }


def run(view: RunView) -> Json:
    """A run."""
    record = view.run
    nominal = loaded_facet(view.facets, "nominalTime")
    duration = None if record.ended_at is None else max(0, record.ended_at - record.started_at) // 1000
    return {
        "id": uuid(record),
        "createdAt": time(record.started_at),
        "updatedAt": time(record.ended_at if record.ended_at is not None else record.started_at),
        "nominalStartTime": nominal.get("nominalStartTime"),
        "nominalEndTime": nominal.get("nominalEndTime"),
        "state": _STATES[record.state],
        "startedAt": time(record.started_at),
        "endedAt": time(record.ended_at),
        "durationMs": duration,
        "args": {key: said for key, said in loaded_facet(view.facets, "args").items() if key[:1] != "_"},
        "jobVersion": {
            "namespace": record.namespace,
            "name": record.job,
            "version": catalog.job_version_uuid(view),
        },
        "inputDatasetVersions": [_part(view, "inputs", part) for part in view.reads],
        "outputDatasetVersions": [_part(view, "outputs", part) for part in view.writes],
        "context": _context(view),
        "facets": view.facets,
        "gaps": view.gaps,
    }


def _part(view: RunView, side: str, part: Part) -> Json:
    version = part.version
    return {
        "datasetVersionId": {**name_id(version), "version": catalog.version_uuid(version)},
        "facets": view.part_facets.get(f"{side}.{version.namespace}/{version.name}", {}),
        "evidence": str(part.edge.evidence),
        "rule": part.edge.rule,
    }


def _context(view: RunView) -> Json:
    query = loaded_facet(view.job_facets, "sql").get("query")
    return {"sql": query} if isinstance(query, str) else {}


def _job_parts(view: RunView | None, first: int, last: int) -> Json:
    facets = view.job_facets if view else {}
    kind = str(loaded_facet(facets, "jobType").get("processingType") or "").upper()
    parent = view.parent.job if view and view.parent else None
    return {
        "type": _TYPES.get(kind, "BATCH"),
        "createdAt": time(first),
        "updatedAt": time(last),
        "parentJobName": parent or None,
        "inputs": _names(view.reads if view else []),
        "outputs": _names(view.writes if view else []),
        "location": loaded_facet(facets, "sourceCodeLocation").get("url"),
        "context": _context(view) if view else {},
        "description": loaded_facet(facets, "documentation").get("description"),
        "facets": facets,
        "currentVersion": catalog.job_version_uuid(view) if view else None,
        "tags": [str(tag.get("key")) for tag in _tags(facets)],
    }


def _names(parts: list[Part]) -> list[Json]:
    return [name_id(Name(*key)) for key in sorted({(p.version.namespace, p.version.name) for p in parts})]


def job(named: LinkedName, speaking: RunView | None, latest: list[RunView]) -> Json:
    """A job, with the run that speaks for it and its latest runs."""
    name = {"namespace": named.namespace, "name": named.name}
    return {
        "id": name,
        **name,
        "simpleName": named.name.rpartition(".")[2] or named.name,
        **_job_parts(speaking, named.first_at, named.last_at),
        "latestRun": run(latest[0]) if latest else None,
        "latestRuns": [run(view) for view in latest],
    }


def job_version(view: RunView) -> Json:
    """A version of a job, as the run that shows it has it."""
    record, version = view.run, catalog.job_version_uuid(view)
    name = {"namespace": record.namespace, "name": record.job}
    parts = _job_parts(view, record.started_at, record.started_at)
    kept = {key: parts[key] for key in ("createdAt", "inputs", "outputs", "location", "context", "facets")}
    return {"id": {**name, "version": version}, **name, "version": version, **kept, "latestRun": run(view)}


def _tags(facets: catalog.Facets) -> list[Json]:
    found = loaded_facet(facets, "tags").get("tags")
    return [tag for tag in found if isinstance(tag, dict)] if isinstance(found, list) else []


def _dataset_parts(named: LinkedName | VersionRecord, facets: catalog.Facets) -> Json:
    schema = loaded_facet(facets, "schema").get("fields")
    tags = _tags(facets)
    by_field: dict[str, list[str]] = {}
    for tag in tags:
        by_field.setdefault(str(tag.get("field") or ""), []).append(str(tag.get("key")))
    source = loaded_facet(facets, "dataSource")
    return {
        "type": "DB_TABLE",
        **name_id(named),
        "physicalName": named.name,
        "sourceName": source.get("name") or named.namespace,
        "fields": [
            {
                "name": item.get("name"),
                "type": item.get("type"),
                "tags": by_field.get(str(item.get("name")), []),
                "description": item.get("description"),
            }
            for item in (schema if isinstance(schema, list) else [])
            if isinstance(item, dict)
        ],
        "tags": by_field.get("", []),
        "description": loaded_facet(facets, "documentation").get("description"),
        "lastLifecycleState": loaded_facet(facets, "lifecycleStateChange").get("lifecycleStateChange"),
        "facets": facets,
    }


def dataset(view: DatasetView) -> Json:
    """A dataset."""
    return {
        "id": name_id(view.named),
        **_dataset_parts(view.named, view.facets),
        "createdAt": time(view.named.first_at),
        "updatedAt": time(view.named.last_at),
        "lastModifiedAt": time(view.written_at),
        "currentVersion": catalog.version_uuid(view.version) if view.version else None,
        "columnLineage": None,
        "deleted": False,
    }


def dataset_version(view: VersionView) -> Json:
    """A version of a dataset."""
    version = catalog.version_uuid(view.version)
    return {
        "id": {**name_id(view.version), "version": version},
        **_dataset_parts(view.version, view.facets),
        "createdAt": time(view.written_at if view.written_at is not None else view.version.recorded_at),
        "version": version,
        "createdByRun": run(view.writer) if view.writer else None,
        "reference": view.version.digest,
        "reason": view.version.reason,
    }


def graph(found: Graph) -> Json:
    """A lineage graph, its nodes in the order of their ids."""
    edges = []
    for link in sorted(found.links):
        ends = [node_id("dataset", link.dataset), node_id("job", link.job)]
        origin, destination = ends[::-1] if link.written else ends
        edges.append(
            {"origin": origin, "destination": destination, "evidence": link.evidence, "rule": link.rule}
        )
    nodes: list[tuple[str, str, Json]] = []
    for name, view in found.jobs.items():
        data = job(
            LinkedName(0, name.namespace, name.name, view.run.started_at, view.run.started_at), view, [view]
        )
        data["alsoKnownAs"] = [name_id(other) for other in sorted(found.also.get(name, ()))]
        nodes.append((node_id("job", name), "JOB", data))
    for name, seen in found.datasets.items():
        nodes.append((node_id("dataset", name), "DATASET", dataset(seen)))
    return {"graph": _with_edges(nodes, edges), "cut": found.cut}


def _with_edges(nodes: list[tuple[str, str, Json]], edges: list[Json]) -> list[Json]:
    into: dict[str, list[Json]] = {}
    out: dict[str, list[Json]] = {}
    for edge in edges:
        out.setdefault(edge["origin"], []).append(edge)
        into.setdefault(edge["destination"], []).append(edge)
    return [
        {"id": id, "type": kind, "data": data, "inEdges": into.get(id, []), "outEdges": out.get(id, [])}
        for id, kind, data in sorted(nodes, key=lambda node: node[0])
    ]


def columns(found: Columns) -> Json:
    """The lineage of columns."""

    def id_of(column: Column) -> str:
        return f"{node_id('datasetField', column.dataset)}:{column.field}"

    nodes: list[tuple[str, str, Json]] = []
    edges: list[Json] = []
    for column, sources in found.sources.items():
        description, kind = found.how.get(column, ("", ""))
        data = {
            "namespace": column.dataset.namespace,
            "dataset": column.dataset.name,
            "datasetVersion": None,
            "field": column.field,
            "fieldType": found.types.get(column),
            "transformationDescription": description or None,
            "transformationType": kind or None,
            "inputFields": [
                {
                    "namespace": source.column.dataset.namespace,
                    "dataset": source.column.dataset.name,
                    "datasetVersion": None,
                    "field": source.column.field,
                    "transformations": source.transformations,
                }
                for source in sources
            ],
        }
        nodes.append((id_of(column), "DATASET_FIELD", data))
        # An edge leads from a column to what it comes from, as these clients expect.
        edges += [{"origin": id_of(column), "destination": id_of(source.column)} for source in sources]
    return {"graph": _with_edges(nodes, edges), "cut": found.cut}
