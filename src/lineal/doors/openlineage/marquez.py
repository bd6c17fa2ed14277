"""The questions of Marquez' API, each a function of the request and the scope it is answered in.

Every question takes `as_of`: the answer as it was recorded by then (ISO 8601, or microseconds since 1970).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lineal.core.errors import Invalid, NotFound
from lineal.core.openlineage import Name
from lineal.doors.desk import Desk
from lineal.doors.openlineage import answers, shapes
from lineal.service import openlineage_catalog as catalog
from lineal.service import openlineage_hidden as deleted
from lineal.service import openlineage_search as searching
from lineal.service.openlineage_lineage import column_lineage, lineage
from lineal.service.operations import Caller, Scope
from lineal.store.base_doors import LinkedName

MOST = 1000  # things of one page
_FOREVER = 2**62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NODE = re.compile(r"(dataset|datasetField|job):(.*)", re.DOTALL)
_VERSION = re.compile(r"#[0-9a-fA-F-]{36}$")
Json = dict[str, Any]
Question = Callable[["Asked"], Any]
Handler = Callable[[Desk, Request, Caller], Awaitable[Response]]


class Asked:
    """A question: the parts of the path and the query, checked as they are used."""

    def __init__(self, scope: Scope, request: Request) -> None:
        self.scope = scope
        self._path = request.path_params
        self._query = request.query_params
        self.method = request.method
        self.as_of = self.moment("as_of", None)

    def part(self, name: str) -> str:
        """A part of the path."""
        return str(self._path[name])

    def path(self, name: str) -> str:
        """A part of the path that need not be there; then empty."""
        return str(self._path.get(name, ""))

    def text(self, name: str, default: str | None = "") -> str | None:
        """A text of the query."""
        return self._query.get(name, default)

    def need(self, name: str) -> str:
        """A text of the query that must be there. Raises Invalid."""
        found = self._query.get(name, "")
        if not found:
            raise Invalid(f"the parameter {name!r} is missing", hint=f"add ?{name}=...")
        return str(found)

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number of the query, at most so much. Raises Invalid."""
        text = self._query.get(name, "")
        if not text:
            return default
        if not re.fullmatch(r"[0-9]{1,12}", text):
            raise Invalid(f"{name} is {text[:40]!r}", hint="a whole number from 0 is wanted")
        return min(int(text), most)

    def choice(self, name: str, default: str, known: tuple[str, ...]) -> str:
        """One of the known words, in either case. Raises Invalid."""
        text = str(self._query.get(name, default) or default).lower()
        if text not in known:
            raise Invalid(f"{name} is {text[:40]!r}", hint=f"wanted is one of {', '.join(known)}")
        return text

    def moment(self, name: str, default: int | None) -> int | None:
        """A time of the query in microseconds UTC; a date is its first moment. Raises Invalid."""
        text = self._query.get(name, "")
        if not text:
            return default
        if text.isdecimal() and len(text) > 8:
            return min(int(text), _FOREVER)
        try:
            at = datetime.fromisoformat(text.replace(" ", "+"))
        except ValueError:
            raise Invalid(
                f"{name} is {text[:40]!r}", hint="a time as 2026-03-03T12:00:00Z is wanted"
            ) from None
        return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)

    def page(self) -> dict[str, int]:
        """limit and offset."""
        return {"limit": self.number("limit", 100, MOST), "offset": self.number("offset", 0, 2**40)}

    def dataset(self) -> LinkedName:
        """The dataset that the path names. Raises NotFound."""
        return catalog.find_dataset(
            self.scope, self.part("namespace"), self.part("dataset"), as_of=self.as_of
        )

    def job(self) -> LinkedName:
        """The job that the path names. Raises NotFound."""
        return catalog.find_job(self.scope, self.part("namespace"), self.part("job"), as_of=self.as_of)


# ---- lineage -------------------------------------------------------------------------------------------------------------


def get_lineage(asked: Asked) -> Json:
    """Jobs and datasets around one of them."""
    kind, named, _ = _node(asked)
    if kind == "datasetField":
        raise Invalid(
            "a column has its lineage at /api/v1/column-lineage", hint="name a dataset or a job here"
        )
    depth = asked.number("depth", 20, 1000)
    ends = {"job": named} if kind == "job" else {"dataset": named}
    return shapes.graph(lineage(asked.scope, depth=depth, as_of=asked.as_of, **ends))


def get_column_lineage(asked: Asked) -> Json:
    """Where columns of a dataset (or of what a job wrote) come from, and where they go to."""
    kind, named, field = _node(asked)
    datasets, fields = [named], ({field} if field else None)
    if kind == "job":
        found = lineage(asked.scope, job=named, depth=1, as_of=asked.as_of)
        written = {link.dataset for link in found.links if link.written}
        datasets = [found.datasets[name].named for name in sorted(written)]
    depth = asked.number("depth", 20, 1000)
    downstream = asked.choice("withDownstream", "false", ("true", "false")) == "true"
    return shapes.columns(
        column_lineage(asked.scope, datasets, fields, depth=depth, downstream=downstream, as_of=asked.as_of)
    )


def _node(asked: Asked) -> tuple[str, LinkedName, str]:
    """Kind, job or dataset, and column of a `nodeId`. A namespace may hold colons, so every way of reading it is tried."""
    text = asked.need("nodeId")
    found = _NODE.fullmatch(_VERSION.sub("", text))
    if found is None:
        raise Invalid(
            f"nodeId {text[:80]!r}",
            hint="dataset:NAMESPACE:NAME, datasetField:NAMESPACE:NAME:FIELD or job:NAMESPACE:NAME",
        )
    kind, rest = found.groups()
    field = ""
    if kind == "datasetField":
        rest, _, field = rest.rpartition(":")
    find = catalog.find_job if kind == "job" else catalog.find_dataset
    cuts = [match.start() for match in re.finditer(":", rest)]
    for cut in cuts[:50]:
        try:
            return kind, find(asked.scope, rest[:cut], rest[cut + 1 :], as_of=asked.as_of), field
        except NotFound:
            continue
    raise NotFound(f"there is no node {text[:200]!r}", hint="search for it: /api/v1/search?q=")


def get_upstream(asked: Asked) -> Json:
    """The runs that a run depends on, the nearest first."""
    depth = asked.number("depth", 20, 1000)
    first = catalog.find_run(asked.scope, asked.need("runId"), as_of=asked.as_of)
    return searching.upstream_runs(
        asked.scope, first.run.node, depth=depth, as_of=asked.as_of, shown=_upstream
    )


def _upstream(view: catalog.RunView, makers: dict[int, str]) -> Json:
    record = view.run
    return {
        "job": {"namespace": record.namespace, "name": record.job, "version": catalog.job_version_uuid(view)},
        "run": {
            "id": shapes.uuid(record),
            "start": shapes.time(record.started_at),
            "end": shapes.time(record.ended_at),
            "status": shapes.run(view)["state"],
        },
        "inputs": [
            {
                **shapes.name_id(part.version),
                "version": catalog.version_uuid(part.version),
                "producedByRunId": makers.get(part.version.node),
            }
            for part in view.reads
        ],
    }


# ---- namespaces, jobs, runs -----------------------------------------------------------------------------------------------


def list_namespaces(asked: Asked) -> Json:
    """Every namespace that a job or dataset is in."""
    found = searching.namespaces(asked.scope, as_of=asked.as_of)
    page = asked.page()
    cut = found[page["offset"] : page["offset"] + page["limit"]]
    return {"namespaces": [shapes.namespace(*each) for each in cut], "totalCount": len(found)}


def get_namespace(asked: Asked) -> Json:
    """One namespace."""
    wanted = asked.part("namespace")
    for each in searching.namespaces(asked.scope, as_of=asked.as_of):
        if each[0] == wanted:
            return shapes.namespace(*each)
    raise NotFound(f"no namespace {wanted[:200]!r}", hint="list them: /api/v1/namespaces")


def list_sources(asked: Asked) -> Json:
    """Where datasets are: their namespaces."""
    found = searching.namespaces(asked.scope, as_of=asked.as_of, jobs=False)
    page = asked.page()
    return {"sources": [source(*each) for each in found[page["offset"] : page["offset"] + page["limit"]]]}


def get_source(asked: Asked) -> Json:
    """One source."""
    for each in searching.namespaces(asked.scope, as_of=asked.as_of, jobs=False):
        if each[0] == asked.part("source"):
            return source(*each)
    raise NotFound(f"no source {asked.part('source')[:200]!r}", hint="list them: /api/v1/sources")


def source(name: str, first: int, last: int) -> Json:
    """A source as answers carry it."""
    kind = name.partition("://")[0].upper() if "://" in name else "DEFAULT"
    return {
        "type": kind,
        "name": name,
        "createdAt": shapes.time(first),
        "updatedAt": shapes.time(last),
        "connectionUrl": name,
        "description": None,
    }


def list_jobs(asked: Asked) -> Json:
    """Jobs, of one namespace or of all; with `lastRunStates`, those whose latest run stands so."""
    namespace = asked.path("namespace") or None
    if states := {
        word.strip().upper() for word in str(asked.text("lastRunStates")).split(",") if word.strip()
    }:
        return _standing(asked, namespace, states)
    named, count = asked.scope.store.linked.list_linked_jobs(
        asked.scope.tx,
        namespace=namespace,
        hidden=catalog.HIDDEN,
        without=deleted.hidden(asked.scope, deleted.JOB, as_of=asked.as_of),
        as_of=asked.as_of,
        **_page(asked),
    )
    return {"jobs": [_job(asked, each, runs=1) for each in named], "totalCount": count}


def _standing(asked: Asked, namespace: str | None, states: set[str]) -> Json:
    if unknown := sorted(states - shapes.STATES):
        raise Invalid(f"lastRunStates {unknown[0][:40]!r}", hint=", ".join(sorted(shapes.STATES)))
    found = []
    for named in searching.every(asked.scope, "job", asked.as_of, namespace):
        nodes, _ = asked.scope.store.linked.list_job_runs(
            asked.scope.tx, named.id, as_of=asked.as_of, limit=1
        )
        runs = asked.scope.store.runs.get_runs(asked.scope.tx, nodes, as_of=asked.as_of)
        if any(shapes.state(run.state) in states for run in runs.values()):
            found.append(named)
    page = asked.page()
    cut = found[page["offset"] : page["offset"] + page["limit"]]
    return {"jobs": [_job(asked, each, runs=1) for each in cut], "totalCount": len(found)}


def get_job(asked: Asked) -> Json:
    """One job with its latest runs."""
    return _job(asked, asked.job(), runs=10)


def _job(asked: Asked, named: LinkedName, *, runs: int) -> Json:
    linked, tx = asked.scope.store.linked, asked.scope.tx
    nodes, _ = linked.list_job_runs(tx, named.id, as_of=asked.as_of, limit=runs)
    speaking = linked.get_speaking_runs(tx, [named.id], as_of=asked.as_of).get(named.id)
    wanted = list(dict.fromkeys([*nodes, *([speaking] if speaking is not None else [])]))
    views = catalog.run_views(asked.scope, wanted, as_of=asked.as_of)
    latest = [views[node] for node in nodes if node in views]
    return shapes.job(named, views.get(speaking) if speaking is not None else None, latest)


def list_job_versions(asked: Asked) -> Json:
    """What a job read and wrote over time: its newest runs, those of one kind counted once."""
    return {"versions": list(_job_versions(asked).values())}


def get_job_version(asked: Asked) -> Json:
    """One version of a job."""
    found = _job_versions(asked).get(asked.part("version").lower())
    if found is None:
        raise NotFound(
            f"the job has no version {asked.part('version')[:80]!r}", hint="list them: .../versions"
        )
    return found


def _job_versions(asked: Asked) -> dict[str, Json]:
    nodes, _ = asked.scope.store.linked.list_job_runs(
        asked.scope.tx, asked.job().id, as_of=asked.as_of, limit=MOST
    )
    views = catalog.run_views(asked.scope, nodes, as_of=asked.as_of)
    found: dict[str, Json] = {}
    for node in nodes:
        if node in views:
            found.setdefault(catalog.job_version_uuid(views[node]), shapes.job_version(views[node]))
    return found


def list_runs(asked: Asked) -> Json:
    """A job's runs, the newest first."""
    nodes, count = asked.scope.store.linked.list_job_runs(
        asked.scope.tx, asked.job().id, as_of=asked.as_of, **asked.page()
    )
    views = catalog.run_views(asked.scope, nodes, as_of=asked.as_of)
    return {"runs": [shapes.run(views[node]) for node in nodes if node in views], "totalCount": count}


def get_run(asked: Asked) -> Json:
    """One run."""
    return shapes.run(catalog.find_run(asked.scope, asked.part("id"), as_of=asked.as_of))


def get_run_facets(asked: Asked) -> Json:
    """What a run says of itself, or of its job."""
    kind = asked.choice("type", "run", ("run", "job"))
    view = catalog.find_run(asked.scope, asked.part("id"), as_of=asked.as_of)
    return {"runId": shapes.uuid(view.run), "facets": view.facets if kind == "run" else view.job_facets}


# ---- datasets ------------------------------------------------------------------------------------------------------------


def list_datasets(asked: Asked) -> Json:
    """The datasets of a namespace."""
    named, count = asked.scope.store.linked.list_linked_datasets(
        asked.scope.tx,
        namespace=asked.part("namespace"),
        without=deleted.hidden(asked.scope, deleted.DATASET, as_of=asked.as_of),
        as_of=asked.as_of,
        **_page(asked),
    )
    views = catalog.dataset_views(asked.scope, named, as_of=asked.as_of)
    return {"datasets": [shapes.dataset(view) for view in views], "totalCount": count}


def get_dataset(asked: Asked) -> Json:
    """One dataset."""
    return shapes.dataset(catalog.dataset_views(asked.scope, [asked.dataset()], as_of=asked.as_of)[0])


def list_versions(asked: Asked) -> Json:
    """A dataset's versions, those written last first."""
    views, count = catalog.version_views(asked.scope, asked.dataset(), as_of=asked.as_of, **asked.page())
    return {"versions": [shapes.dataset_version(view) for view in views], "totalCount": count}


def get_version(asked: Asked) -> Json:
    """One version of a dataset, by its UUID or by the version its writer gave it."""
    wanted = asked.part("version")
    named, offset = asked.dataset(), 0
    while True:
        views, count = catalog.version_views(asked.scope, named, as_of=asked.as_of, limit=MOST, offset=offset)
        for view in views:
            if wanted.lower() == catalog.version_uuid(view.version) or (view.version.digest or "").endswith(
                f"@{wanted}"
            ):
                return shapes.dataset_version(view)
        offset += MOST
        if offset >= count:
            raise NotFound(f"the dataset has no version {wanted[:80]!r}", hint="list them: .../versions")


# ---- search, tags, events ------------------------------------------------------------------------------------------------


def search(asked: Asked) -> Json:
    """Jobs and datasets whose names hold a text; `%` and `_` stand for any characters and any one."""
    kind = asked.choice("filter", "", ("", "dataset", "job"))
    sort = asked.choice("sort", "name", ("name", "updated_at", "update_at"))
    found = searching.search(
        asked.scope,
        asked.need("q"),
        kind=kind,
        namespace=asked.text("namespace", None),
        after=asked.moment("after", None),
        before=asked.moment("before", None),
        as_of=asked.as_of,
    )
    found.sort(
        key=lambda hit: (
            (hit[1].name, hit[1].namespace) if sort == "name" else (str(-hit[1].last_at).rjust(24), "")
        )
    )
    limit = asked.number("limit", 10, MOST)
    return {"totalCount": len(found), "results": [_hit(kind, named) for kind, named in found[:limit]]}


def _hit(kind: str, named: LinkedName) -> Json:
    return {
        "type": kind.upper(),
        "name": named.name,
        "updatedAt": shapes.time(named.last_at),
        "namespace": named.namespace,
        "nodeId": shapes.node_id(kind, Name(named.namespace, named.name)),
    }


def list_tags(asked: Asked) -> Json:
    """Every tag that a dataset, a column, a job or a run carries."""
    found = searching.tags(asked.scope, as_of=asked.as_of)
    page = asked.page()
    names = sorted(found)[page["offset"] : page["offset"] + page["limit"]]
    return {"tags": [{"name": name, "description": found[name] or None} for name in names]}


def list_events(asked: Asked) -> Json:
    """Events as they were received, those that happened last first."""
    order = asked.choice("sortDirection", "desc", ("desc", "asc"))
    events, count = searching.events(
        asked.scope,
        after=asked.moment("after", -_FOREVER) or 0,
        before=asked.moment("before", _FOREVER) or 0,
        newest_first=order == "desc",
        as_of=asked.as_of,
        **asked.page(),
    )
    return {"events": [msgspec.Raw(event) for event in events], "totalCount": count}


def _page(asked: Asked) -> Any:
    """limit and offset, for calls that take other things by name too."""
    return asked.page()


def answering(question: Question) -> Handler:
    """Who answers requests with this question."""

    async def answered(desk: Desk, request: Request, caller: Caller) -> Response:
        # A long answer is written in the reader's thread, so that the others need not wait.
        reply: Response = await desk.read(
            lambda scope: answers.answer(question(Asked(scope, request))), caller
        )
        return reply

    answered.__name__ = question.__name__
    return answered


_N = "/namespaces/{namespace}"
_QUESTIONS: tuple[tuple[str, Question], ...] = (
    ("/lineage", get_lineage),
    ("/column-lineage", get_column_lineage),
    ("/runlineage/upstream", get_upstream),
    ("/events/lineage", list_events),
    ("/namespaces", list_namespaces),
    (_N, get_namespace),
    ("/sources", list_sources),
    ("/sources/{source}", get_source),
    ("/jobs", list_jobs),
    (f"{_N}/jobs", list_jobs),
    (f"{_N}/jobs/{{job}}", get_job),
    (f"{_N}/jobs/{{job}}/versions", list_job_versions),
    (f"{_N}/jobs/{{job}}/versions/{{version}}", get_job_version),
    (f"{_N}/jobs/{{job}}/runs", list_runs),
    ("/jobs/runs/{id}", get_run),
    ("/jobs/runs/{id}/facets", get_run_facets),
    (f"{_N}/datasets", list_datasets),
    (f"{_N}/datasets/{{dataset}}", get_dataset),
    (f"{_N}/datasets/{{dataset}}/versions", list_versions),
    (f"{_N}/datasets/{{dataset}}/versions/{{version}}", get_version),
    ("/search", search),
    ("/tags", list_tags),
)
ROUTES: tuple[tuple[str, str, Handler], ...] = tuple(
    ("GET", path, answering(question)) for path, question in _QUESTIONS
)
