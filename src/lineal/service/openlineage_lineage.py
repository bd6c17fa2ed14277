"""The graph of jobs and datasets, without versions, worked out from the graph of runs; and the lineage of columns.

A job's links are those of its newest run that has any. Jobs that dbt names by the same node in its two modes are one. An
answer that was cut says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from lineal.core.openlineage import Name
from lineal.service import openlineage_catalog as catalog
from lineal.service.openlineage_catalog import DatasetView, RunView
from lineal.service.openlineage_hidden import DATASET, JOB, hidden
from lineal.service.operations import Scope
from lineal.store.base_doors import LinkedName

MOST = 2000  # jobs and datasets of one answer
_decode = msgspec.json.decode


class Link(msgspec.Struct, frozen=True, order=True):
    """An edge between a dataset (namespace, name) and a job, and how it is known."""

    dataset: Name
    job: Name
    written: bool
    evidence: str
    rule: str


@dataclass
class Graph:
    """Jobs by name with the run that speaks for each, datasets by name, and the links among them."""

    jobs: dict[Name, RunView] = field(default_factory=dict)
    also: dict[Name, set[Name]] = field(default_factory=dict)
    datasets: dict[Name, DatasetView] = field(default_factory=dict)
    links: set[Link] = field(default_factory=set)
    cut: bool = False


def lineage(
    scope: Scope,
    *,
    job: LinkedName | None = None,
    dataset: LinkedName | None = None,
    depth: int = 20,
    as_of: int | None = None,
) -> Graph:
    """Everything that is linked with a job or dataset within so many hops, in both directions."""
    walk = _Walk(scope, as_of)
    gone = set(hidden(scope, DATASET, as_of=as_of)), set(hidden(scope, JOB, as_of=as_of))
    jobs, datasets = ({job.id} if job else set()), ({dataset.id: dataset} if dataset else {})
    for hop in range(max(0, depth) + 1):
        found_datasets = {id: named for id, named in walk.open_jobs(jobs).items() if id not in gone[0]}
        found_jobs = walk.open_datasets(datasets) - gone[1]
        if hop == depth or walk.full():
            walk.graph.cut |= bool((found_jobs - walk.opened) or (set(found_datasets) - walk.seen))
            break
        jobs = set(sorted(found_jobs - walk.opened)[: walk.room()])
        new = [named for id, named in found_datasets.items() if id not in walk.seen]
        new.sort(key=lambda named: (named.namespace, named.name))
        datasets = {named.id: named for named in new[: walk.room()]}
        walk.graph.cut |= len(datasets) < len(new) or len(jobs) < len(found_jobs - walk.opened)
        if not jobs and not datasets:
            break
    return walk.done()


class _Walk:
    def __init__(self, scope: Scope, as_of: int | None) -> None:
        self._scope, self._as_of = scope, as_of
        self.graph = Graph()
        self.opened: set[int] = set()
        self.seen: set[int] = set()
        self._nodes: dict[str, Name] = {}  # what dbt calls a job -> the name it stands under here
        self._written: dict[int, LinkedName] = {}

    def full(self) -> bool:
        return self.room() == 0

    def room(self) -> int:
        """How many more this answer takes."""
        return max(0, MOST - len(self.graph.jobs) - len(self.graph.datasets))

    def open_jobs(self, jobs: set[int]) -> dict[int, LinkedName]:
        """Take jobs in; the datasets that they read or wrote."""
        self.opened |= jobs
        speaking = self._scope.store.linked.get_speaking_runs(self._scope.tx, sorted(jobs), as_of=self._as_of)
        views = catalog.run_views(self._scope, sorted(speaking.values()), as_of=self._as_of)
        found: dict[int, LinkedName] = {}
        for view in sorted(views.values(), key=lambda view: -view.run.started_at):
            name = self._stand(view)
            for side, written in ((view.reads, False), (view.writes, True)):
                for part in side:
                    version, edge = part.version, part.edge
                    dataset = Name(version.namespace, version.name)
                    self.graph.links.add(Link(dataset, name, written, str(edge.evidence), edge.rule))
                    found[version.artifact] = LinkedName(
                        version.artifact, *dataset_of(dataset), version.recorded_at, version.recorded_at
                    )
        return found

    def _stand(self, view: RunView) -> Name:
        """The name under which a run's job stands in this answer."""
        name = Name(view.run.namespace, view.run.job)
        unique = loaded_facet(view.job_facets, "dbt_node").get("unique_id")
        if unique:
            kind = loaded_facet(view.job_facets, "jobType").get("jobType")
            node = f"{view.run.namespace}\0{unique}\0{kind}"
            known = self._nodes.setdefault(node, name)
            if known != name:
                self.graph.also.setdefault(known, set()).add(name)
                return known
        self.graph.jobs[name] = view
        return name

    def open_datasets(self, datasets: dict[int, LinkedName]) -> set[int]:
        """Take datasets in; the jobs that read or write them now."""
        self.seen |= set(datasets)
        for view in catalog.dataset_views(self._scope, datasets.values(), as_of=self._as_of):
            self.graph.datasets[Name(view.named.namespace, view.named.name)] = view
        touching = self._scope.store.linked.get_touching_jobs(
            self._scope.tx, sorted(datasets), as_of=self._as_of
        )
        candidates = {job for jobs in touching.values() for job in jobs}
        speaking = self._scope.store.linked.get_speaking_runs(
            self._scope.tx, sorted(candidates), as_of=self._as_of
        )
        store, tx = self._scope.store, self._scope.tx
        nodes = sorted(speaking.values())
        ends = [(edge.dst, edge.src) for edge in store.edges.get_in(tx, nodes, as_of=self._as_of)]
        ends += [(edge.src, edge.dst) for edge in store.edges.get_out(tx, nodes, as_of=self._as_of)]
        versions = store.artifacts.get_versions(tx, sorted({version for _, version in ends}))
        current = {
            run for run, version in ends if version in versions and versions[version].artifact in datasets
        }
        return {job for job, run in speaking.items() if run in current}

    def done(self) -> Graph:
        """The graph with only those links whose both ends are in it."""
        graph = self.graph
        outside = {
            link for link in graph.links if link.dataset not in graph.datasets or link.job not in graph.jobs
        }
        graph.cut |= bool(outside)
        graph.links -= outside
        return graph


def dataset_of(name: Name) -> tuple[str, str]:
    """Namespace and name."""
    return name.namespace, name.name


class Column(msgspec.Struct, frozen=True, order=True):
    """A column of a dataset."""

    dataset: Name
    field: str


class Source(msgspec.Struct, frozen=True):
    """A column that another comes from, with the facet's own words about how."""

    column: Column
    transformations: list[dict[str, object]] = []


@dataclass
class Columns:
    """Columns with their sources. types: as their datasets' schemas say; how: description and type of the transformation."""

    sources: dict[Column, list[Source]] = field(default_factory=dict)
    types: dict[Column, str] = field(default_factory=dict)
    how: dict[Column, tuple[str, str]] = field(default_factory=dict)
    cut: bool = False


def column_lineage(
    scope: Scope,
    datasets: list[LinkedName],
    columns: set[str] | None,
    *,
    depth: int = 20,
    downstream: bool = False,
    as_of: int | None = None,
) -> Columns:
    """Where columns come from (and, if asked, go to) within so many hops. columns: only these of the datasets named."""
    found = Columns()
    starts = {Name(named.namespace, named.name) for named in datasets}
    loaded: dict[Name, dict[str, tuple[list[Source], str, str]]] = {}
    waiting = {(name, 0) for name in starts}
    if downstream:
        for named in datasets:
            graph = lineage(scope, dataset=named, depth=2 * depth, as_of=as_of)
            found.cut |= graph.cut
            waiting |= {(name, 0) for name in graph.datasets}
    while waiting:
        name, hop = waiting.pop()
        if name in loaded:
            continue
        if len(loaded) >= MOST:
            found.cut = True
            break
        loaded[name] = _columns_of(scope, name, found, as_of)
        for sources, _, _ in loaded[name].values():
            for source in sources:
                if hop < depth:
                    waiting.add((source.column.dataset, hop + 1))
                else:
                    found.cut = True
    edges = {Column(name, field): entry for name, fields in loaded.items() for field, entry in fields.items()}
    _keep_reached(found, edges, starts, columns, downstream=downstream)
    return found


def _keep_reached(
    found: Columns,
    edges: dict[Column, tuple[list[Source], str, str]],
    starts: set[Name],
    columns: set[str] | None,
    *,
    downstream: bool,
) -> None:
    every = (
        set(edges)
        | {source.column for sources, _, _ in edges.values() for source in sources}
        | set(found.types)
    )
    begin = [c for c in every if c.dataset in starts and (columns is None or c.field in columns)]
    up = {column: [source.column for source in sources] for column, (sources, _, _) in edges.items()}
    down: dict[Column, list[Column]] = {}
    for column, origins in up.items():
        for origin in origins:
            down.setdefault(origin, []).append(column)
    reached: set[Column] = set()
    for ways in (up, down) if downstream else (up,):
        stack, seen = list(begin), set(begin)
        while stack:
            for further in ways.get(stack.pop(), ()):
                if further not in seen:
                    seen.add(further)
                    stack.append(further)
        reached |= seen
    for column in reached:
        sources, description, kind = edges.get(column, ([], "", ""))
        found.sources[column] = [source for source in sources if source.column in reached]
        found.how[column] = (description, kind)


def _columns_of(
    scope: Scope, name: Name, found: Columns, as_of: int | None
) -> dict[str, tuple[list[Source], str, str]]:
    named, _ = scope.store.linked.list_linked_datasets(
        scope.tx, namespace=name.namespace, name=name.name, as_of=as_of
    )
    if not named:
        return {}
    facets = catalog.dataset_views(scope, named, as_of=as_of)[0].facets
    schema = loaded_facet(facets, "schema")
    listed = schema.get("fields")
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            found.types[Column(name, item["name"])] = str(item.get("type") or "")
    fields = loaded_facet(facets, "columnLineage").get("fields")
    entries: dict[str, tuple[list[Source], str, str]] = {}
    for field_name, entry in fields.items() if isinstance(fields, dict) else []:
        if isinstance(entry, dict):
            given = entry.get("inputFields")
            listed = given if isinstance(given, list) else []
            sources = [source for item in listed if (source := _source(item)) is not None]
            description = str(entry.get("transformationDescription") or "")
            entries[field_name] = (sources, description, str(entry.get("transformationType") or ""))
    return entries


def _source(item: object) -> Source | None:
    if not isinstance(item, dict):
        return None
    parts = [item.get(key) for key in ("namespace", "name", "field")]
    if not all(isinstance(part, str) for part in parts):
        return None
    how = item.get("transformations")
    given = [step for step in how if isinstance(step, dict)] if isinstance(how, list) else []
    return Source(Column(Name(str(parts[0]), str(parts[1])), str(parts[2])), given)


def loaded_facet(facets: catalog.Facets, name: str) -> dict[str, object]:
    """A facet's object; empty when there is none, or when it is something else."""
    raw = facets.get(name)
    if raw is None:
        return {}
    try:
        loaded = _decode(raw)
    except msgspec.DecodeError:
        return {}
    return loaded if isinstance(loaded, dict) else {}
