"""Runs grouped by a field, and views of the page that have a name."""

from __future__ import annotations

import re

import msgspec

from lineal.core.errors import Invalid, NotFound
from lineal.core.openlineage_story import STATEMENT
from lineal.service.operations import Scope, operation
from lineal.service.overview import Nothing
from lineal.service.query import RUNS, search

_MOST_RUNS = 1_000_000
_MOST_GROUPS = 1000
_MOST_VIEWS = 500
_LONGEST_NAME, _LONGEST_ADDRESS = 120, 8000
_ADDRESS = re.compile(r"/[a-z]*(\?[^\s#]*)?")


class GroupsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """by: job, name, state, kind, actor, group, `params.KEY`, `tags.KEY` or `metrics.KEY`. where: only runs that fulfil this query. metric: whose
    last values are summed up. limit: groups, 1 to 1000."""

    by: str
    where: str = ""
    metric: str = ""
    limit: int = 200


class RunGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Runs with one value of the field; value: None where they have none. low, high: by a metric, of which a group is a stretch: from low
    on, below high, or the one value that both are. failed: also killed and lost ones. numbers: how many
    have the metric as a number, of which mean, minimum and maximum are told."""

    value: str | None
    runs: int
    running: int
    failed: int
    last_at: int
    numbers: int
    mean: float | None
    minimum: float | None
    maximum: float | None
    low: float | None = None
    high: float | None = None


class GroupList(msgspec.Struct, frozen=True, kw_only=True):
    """Groups, the largest first. runs: how many runs there are in all; cut: there are more groups."""

    by: str
    metric: str
    runs: int
    groups: list[RunGroup]
    cut: bool


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A named view. address: what stands behind `#` in the page's address."""

    name: str
    address: str
    actor: str
    recorded_at: int


class ViewList(msgspec.Struct, frozen=True, kw_only=True):
    """The views of the workspace, the last kept first."""

    views: list[View]


class ViewSaveRequest(msgspec.Struct, frozen=True, kw_only=True):
    """name: 1 to 120 characters; what it led to before is replaced. address: `/runs?where=...`."""

    name: str
    address: str


class ViewDropRequest(msgspec.Struct, frozen=True, kw_only=True):
    """name: of a view."""

    name: str


@operation("run-groups", permission="record:read", path="/run-groups", summary="Count runs by a field")
def run_groups(scope: Scope, request: GroupsRequest) -> GroupList:
    """Runs grouped by a field with their states and what a metric did. Raises Invalid: no such field, or the query cannot be read."""
    if not 1 <= request.limit <= _MOST_GROUPS:
        raise Invalid(f"a limit of {request.limit}", hint=f"between 1 and {_MOST_GROUPS}")
    where = request.where if request.where.strip() else f"kind != '{STATEMENT}'"
    nodes, _ = search(scope, RUNS, where, limit=_MOST_RUNS)
    rows = scope.store.grouping.count_runs(
        scope.tx, nodes, by=request.by, metric=request.metric, limit=request.limit + 1
    )
    return GroupList(
        by=request.by,
        metric=request.metric,
        runs=len(nodes),
        groups=[msgspec.convert(row, RunGroup, from_attributes=True) for row in rows[: request.limit]],
        cut=len(rows) > request.limit,
    )


@operation("views", permission="record:read", path="/views", summary="List the named views of the page")
def views(scope: Scope, request: Nothing) -> ViewList:
    """Every named view of the workspace."""
    found = scope.store.views.list_views(scope.tx, scope.namespace, limit=_MOST_VIEWS)
    return ViewList(views=[msgspec.convert(view, View, from_attributes=True) for view in found])


@operation(
    "view-save",
    permission="record:write",
    path="/view-save",
    summary="Give a view of the page a name",
    write=True,
)
def save_view(scope: Scope, request: ViewSaveRequest) -> ViewList:
    """Keep where a name leads. Raises Invalid: the name is empty or too long, the address is none of the page, or there are 500."""
    name = request.name.strip()
    if not name or len(name) > _LONGEST_NAME:
        raise Invalid(f"a name of {len(name)} characters", hint=f"1 to {_LONGEST_NAME} are wanted")
    if len(request.address) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(request.address):
        raise Invalid(
            f"{request.address[:100]!r} is no address of the page",
            hint="give what stands behind #, as /runs?where=...",
        )
    known = scope.store.views.list_views(scope.tx, scope.namespace, limit=_MOST_VIEWS)
    if len(known) >= _MOST_VIEWS and all(view.name != name for view in known):
        raise Invalid(f"there are {_MOST_VIEWS} views already", hint="take some away first")
    scope.store.views.set_view(
        scope.tx, scope.namespace, name, request.address, actor=scope.actor, at=scope.at
    )
    return views(scope, Nothing())


@operation(
    "view-drop", permission="record:write", path="/view-drop", summary="Take a named view away", write=True
)
def drop_view(scope: Scope, request: ViewDropRequest) -> ViewList:
    """Forget where a name leads. Raises NotFound: there is no such view."""
    if not scope.store.views.drop_view(scope.tx, scope.namespace, request.name, at=scope.at):
        raise NotFound(f"there is no view {request.name[:100]!r}", hint="`views` lists them")
    return views(scope, Nothing())
