"""Jobs, runs, datasets and their versions as OpenLineage's users ask for them, out of the graph of runs.

Everything takes `as_of` (microseconds UTC): what was recorded by then; None is now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from lineal.core import openlineage as ol
from lineal.core import openlineage_story as tales
from lineal.core.errors import NotFound
from lineal.core.model import Edge, EdgeKind, RunRecord, VersionRecord
from lineal.service.openlineage_hidden import DATASET, JOB, hidden
from lineal.service.openlineage_parents import left_out
from lineal.service.operations import Scope
from lineal.store.base_doors import LinkedName

HIDDEN = (tales.STATEMENT,)
_GOVERNS = ("environment", "code")
_SHAPE = frozenset({"schema", "columnLineage"})
_LOOKED_BACK = 20  # versions that are asked for the shape of a dataset, when the newest does not tell
_decode = msgspec.json.decode
Facets = dict[str, msgspec.Raw]


class Part(msgspec.Struct, frozen=True):
    """A version that a run read or wrote, and the edge that says so."""

    version: VersionRecord
    edge: Edge


class RunView(msgspec.Struct, frozen=True):
    """A run with what it read and wrote. facets: its own; job_facets: what it said of its job; gaps: what is doubtful."""

    run: RunRecord
    reads: list[Part]
    writes: list[Part]
    facets: Facets
    job_facets: Facets
    part_facets: dict[str, Facets]  # by `inputs.NAMESPACE/NAME` or `outputs.NAMESPACE/NAME`
    gaps: list[str]
    parent: RunRecord | None


class DatasetView(msgspec.Struct, frozen=True):
    """A dataset: its newest version and what is said of it. written_at: by the run that wrote it (event time)."""

    named: LinkedName
    version: VersionRecord | None
    facets: Facets
    written_at: int | None
    writer: int | None


def run_views(scope: Scope, nodes: Sequence[int], *, as_of: int | None = None) -> dict[int, RunView]:
    """Runs by vertex with what they read and wrote."""
    store, tx = scope.store, scope.tx
    runs = store.runs.get_runs(tx, nodes, as_of=as_of)
    parents = store.runs.get_runs(tx, sorted({r.parent for r in runs.values() if r.parent}))
    known = list(runs)
    into = [edge for edge in store.edges.get_in(tx, known, as_of=as_of) if edge.kind == EdgeKind.USED]
    out = [edge for edge in store.edges.get_out(tx, known, as_of=as_of) if edge.kind == EdgeKind.GENERATED]
    versions = store.artifacts.get_versions(tx, sorted({e.src for e in into} | {e.dst for e in out}))
    views: dict[int, RunView] = {}
    for node, run in runs.items():
        own, job, parts, gaps = _sorted_facets(scope, node, as_of)
        if circle := left_out(run, own.get("parent")):
            gaps = [*gaps, circle]
        views[node] = RunView(
            run,
            [Part(versions[e.src], e) for e in into if e.dst == node and e.role not in _GOVERNS],
            [Part(versions[e.dst], e) for e in out if e.src == node and e.role not in _GOVERNS],
            own,
            job,
            parts,
            gaps,
            parents.get(run.parent or 0),
        )
    return views


def _sorted_facets(
    scope: Scope, node: int, as_of: int | None
) -> tuple[Facets, Facets, dict[str, Facets], list[str]]:
    own: Facets = {}
    job: Facets = {}
    parts: dict[str, Facets] = {}
    gaps: list[str] = []
    for facet in scope.store.attributes.get_facets(scope.tx, node, as_of=as_of):
        side, _, rest = facet.name.partition(".")
        if facet.name == tales.GAPS:
            gaps = _gaps(facet.body)
        elif side == "job" and rest:
            if not _deleted(facet.body):
                job[rest] = facet.body
        elif side in ("inputs", "outputs") and rest:
            where, _, name = facet.name.rpartition(".")
            parts.setdefault(where, {})[name] = facet.body
        else:
            own[facet.name] = facet.body
    return own, job, parts, gaps


def _deleted(body: msgspec.Raw) -> bool:
    if b'"_deleted"' not in bytes(body):
        return False
    said = _decode(body)
    return isinstance(said, dict) and said.get("_deleted") is True


def _gaps(body: msgspec.Raw) -> list[str]:
    """What our own facet says; a client may have sent something else under its name."""
    said = _decode(body)
    gaps = said.get("gaps") if isinstance(said, dict) else None
    return [str(gap) for gap in gaps] if isinstance(gaps, list) else []


def find_job(scope: Scope, namespace: str, name: str, *, as_of: int | None = None) -> LinkedName:
    """A job. Raises NotFound."""
    found, _ = scope.store.linked.list_linked_jobs(
        scope.tx, namespace=namespace, name=name, without=hidden(scope, JOB, as_of=as_of), as_of=as_of
    )
    if not found:
        raise NotFound(f"no job {name[:200]!r} in {namespace[:200]!r}", hint="list them: /api/v1/jobs")
    return found[0]


def find_dataset(scope: Scope, namespace: str, name: str, *, as_of: int | None = None) -> LinkedName:
    """A dataset. Raises NotFound."""
    found, _ = scope.store.linked.list_linked_datasets(
        scope.tx, namespace=namespace, name=name, without=hidden(scope, DATASET, as_of=as_of), as_of=as_of
    )
    if not found:
        raise NotFound(
            f"no dataset {name[:200]!r} in {namespace[:200]!r}", hint="search for it: /api/v1/search?q="
        )
    return found[0]


def find_run(scope: Scope, run_id: str, *, as_of: int | None = None) -> RunView:
    """A run by its UUID. Raises NotFound."""
    node = scope.store.runs.find_run(scope.tx, run_id.replace("-", "").lower())
    views = run_views(scope, [node], as_of=as_of) if node is not None else {}
    if node not in views:
        raise NotFound(f"no run {run_id[:80]!r}", hint="a run is named by its UUID")
    return views[node]


def dataset_views(
    scope: Scope, named: Iterable[LinkedName], *, as_of: int | None = None
) -> list[DatasetView]:
    """Datasets with their newest versions."""
    datasets = list(named)
    tx, linked = scope.tx, scope.store.linked
    listed = linked.list_linked_versions(tx, [each.id for each in datasets], as_of=as_of, limit=_LOOKED_BACK)
    as_such = {ol.state_unknown(ol.Name(each.namespace, each.name)) for each in datasets}
    told = scope.store.many.find_versions(tx, as_such)
    said = {artifact: node for (artifact, _), node in told.items()}
    newest: dict[int, int] = {}
    for each in datasets:
        nodes, _ = listed.get(each.id, ([], 0))
        if nodes or each.id in said:
            newest[each.id] = nodes[0] if nodes else said[each.id]
    versions = scope.store.artifacts.get_versions(tx, sorted(set(newest.values())))
    written = _writers(scope, sorted(versions), as_of)
    views = []
    for each in datasets:
        node = newest.get(each.id)
        facets = _dataset_facets(scope, said.get(each.id), listed.get(each.id, ([], 0))[0], as_of)
        last = written.get(node, [])[-1:] if node is not None else []
        writer = last[0] if last else None
        views.append(
            DatasetView(
                each,
                None if node is None else versions.get(node),
                facets,
                writer.at if writer else None,
                writer.src if writer else None,
            )
        )
    return views


def _dataset_facets(scope: Scope, said: int | None, nodes: Sequence[int], as_of: int | None) -> Facets:
    """What is said of a dataset as such (vertex `said`) and of its newest version."""
    facets: Facets = {}
    for node in (*([] if said is None else [said]), *nodes[:1]):
        facets |= version_facets(scope, node, as_of=as_of)
    for node in nodes[1:]:
        # Not every way of running a job tells them: dbt's two modes tell one of them each.
        if facets.keys() >= _SHAPE:
            break
        older = version_facets(scope, node, as_of=as_of)
        facets |= {name: older[name] for name in _SHAPE & older.keys() - facets.keys()}
    return facets


def version_facets(scope: Scope, node: int, *, as_of: int | None = None) -> Facets:
    """What is said of a version, without what was taken back."""
    found = scope.store.attributes.get_facets(scope.tx, node, as_of=as_of)
    return {facet.name: facet.body for facet in found if not _deleted(facet.body)}


def _writers(scope: Scope, nodes: Sequence[int], as_of: int | None) -> dict[int, list[Edge]]:
    """By version, the edges from those that wrote it."""
    found: dict[int, list[Edge]] = {}
    for edge in scope.store.edges.get_in(scope.tx, nodes, as_of=as_of):
        if edge.kind == EdgeKind.GENERATED:
            found.setdefault(edge.dst, []).append(edge)
    return found


class VersionView(msgspec.Struct, frozen=True):
    """A version of a dataset, and the run that wrote it, if one is known."""

    version: VersionRecord
    facets: Facets
    writer: RunView | None
    written_at: int | None


def version_views(
    scope: Scope, named: LinkedName, *, as_of: int | None = None, limit: int = 100, offset: int = 0
) -> tuple[list[VersionView], int]:
    """A dataset's versions, those written last first, and how many there are."""
    listed = scope.store.linked.list_linked_versions(
        scope.tx, [named.id], as_of=as_of, limit=limit, offset=offset
    )
    nodes, count = listed.get(named.id, ([], 0))
    versions = scope.store.artifacts.get_versions(scope.tx, nodes)
    writers_of = _writers(scope, nodes, as_of)
    found = []
    for node in nodes:
        written = writers_of.get(node, [])
        writers = run_views(scope, [written[-1].src], as_of=as_of) if written else {}
        found.append(
            VersionView(
                versions[node],
                version_facets(scope, node, as_of=as_of),
                next(iter(writers.values()), None),
                written[-1].at if written else None,
            )
        )
    return found, count


def version_uuid(version: VersionRecord) -> str:
    """A version's UUID, the same wherever it is recorded."""
    name = f"{version.namespace}\0{version.name}\0{version.digest or version.number}"
    return uuid_of(name)


def job_version_uuid(view: RunView) -> str:
    """The UUID of a job's version: of what it is called, reads, writes, and its source code's location."""
    parts: list[Any] = [view.run.namespace, view.run.job]
    parts += [
        sorted({(part.version.namespace, part.version.name) for part in side})
        for side in (view.reads, view.writes)
    ]
    location = view.job_facets.get("sourceCodeLocation")
    parts.append(bytes(location).decode(errors="replace") if location else "")
    return uuid_of(repr(parts))


def uuid_of(text: str) -> str:
    """A UUID (version 8 of RFC 9562) made of a text's digest."""
    digits = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


def dashed(run_id: str) -> str:
    """A run's 32 hex digits as a UUID is written."""
    return f"{run_id[:8]}-{run_id[8:12]}-{run_id[12:16]}-{run_id[16:20]}-{run_id[20:]}"
