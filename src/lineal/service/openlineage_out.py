"""Our own runs as OpenLineage events: for an export, page by page, and for a forwarder, which remembers how far it came.

Runs that OpenLineage told us of are left out: who told us can tell others, and so nothing ever goes back where it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lineal.core.errors import Invalid
from lineal.core.events import State
from lineal.core.model import EdgeKind
from lineal.export.openlineage import Part, Run, to_openlineage
from lineal.service.operations import Scope, operation
from lineal.store.records import Record

FORWARDER = "openlineage-forwarder"
_SENT = "sent"
_DONE = b'{"done":true}'  # of a run that was told to its end, beyond the position up to which all are settled
_GOVERNS = ("environment", "code")
_DEPLOYMENT = "deployment"
_MOST = 1000
_SETTLED_US = 60_000_000  # by then, what another server had begun to record when this was read is recorded
_encode = msgspec.json.encode


class OpenLineageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """after: where the page before ended, 0 for the first. limit: runs, 1 to 1,000."""

    after: int = 0
    limit: int = 200


class OpenLineageReply(msgspec.Struct, frozen=True, kw_only=True):
    """events: of OpenLineage, run by run. next: where this page ends, None for the last one."""

    events: list[dict[str, Any]]
    next: int | None


class Outgoing(msgspec.Struct, frozen=True):
    """What is to be told of a run. open: it runs still, and is to be looked at again."""

    node: int
    run_id: str
    events: list[bytes]
    open: bool


class Due(msgspec.Struct, frozen=True):
    """What a target was not told yet.

    position: up to which vertex everything is then told or noted as open; moved: it is new. more: there may be more runs.
    """

    runs: list[Outgoing]
    position: int
    moved: bool
    more: bool


@operation(
    "openlineage",
    permission="record:read",
    path="/openlineage",
    summary="Give runs as OpenLineage events",
)
def openlineage(scope: Scope, request: OpenLineageRequest) -> OpenLineageReply:
    """A page of our own runs as events of OpenLineage, in order of their arrival.

    Raises Invalid: limit is out of range.
    """
    if not 1 <= request.limit <= _MOST:
        raise Invalid(f"limit {request.limit}", hint=f"from 1 to {_MOST}")
    nodes = scope.store.linked.list_nodes(scope.tx, after=request.after, limit=request.limit)
    events = [event for run in _own_runs(scope, nodes).values() for event in to_openlineage(run)]
    return OpenLineageReply(events=events, next=nodes[-1] if len(nodes) == request.limit else None)


def due(scope: Scope, target: str, *, limit: int = 200) -> Due:
    """What a target was not told yet, at most so many runs of those that are new, and all that were running."""
    store, tx = scope.store, scope.tx
    position = store.audit.get_position(tx, FORWARDER, target)
    told = {record.node: record for record in _sent(scope, target) if record.node is not None}
    done = {node for node, record in told.items() if record.body == _DONE}
    nodes = store.linked.list_nodes(tx, after=position, limit=limit + len(done))
    settled = nodes
    if tx.engine == "postgres":  # with several servers a vertex with a lesser number may be committed later
        settled = store.linked.list_nodes(
            tx, after=position, limit=limit + len(done), recorded_by=scope.at - _SETTLED_US
        )
    found = _own_runs(scope, [node for node in {*nodes, *told} if node not in done])
    outgoing = []
    for node, run in found.items():
        events = [_encode(event) for event in to_openlineage(run)]
        fresh = events[1:] if node in told else events
        still = run.run.state is State.RUNNING
        if fresh or (node in told and not still):
            outgoing.append(Outgoing(node, run.run.run_id, fresh, still))
    reached = max([position, *settled])
    return Due(outgoing, reached, reached > position, len(nodes) == limit + len(done))


def note(scope: Scope, target: str, told: Sequence[Outgoing], position: int) -> None:
    """Remember what a target was told, and how far everything is told or noted."""
    records = scope.store.records
    known = {record.node: record for record in _sent(scope, target)}
    for run in told:
        noted = known.pop(run.node, None)
        keep = run.open or run.node > position
        body = b"{}" if run.open else _DONE
        if keep and noted is None:
            records.add_record(
                scope.tx, FORWARDER, _SENT, f"{target} {run.run_id}", body, node=run.node, at=scope.at
            )
        elif keep and noted is not None and noted.body != body:
            records.replace_record(scope.tx, noted, body=body, at=scope.at)
        elif not keep and noted is not None:
            records.retract_record(scope.tx, noted, at=scope.at)
    for record in known.values():
        if record.body == _DONE and record.node is not None and record.node <= position:
            records.retract_record(scope.tx, record, at=scope.at)
    scope.store.audit.set_position(scope.tx, FORWARDER, target, position)


def claim(scope: Scope, target: str, sender: str, lease_us: int) -> bool:
    """Whether it is this sender's to tell the target for so long; no other one may meanwhile."""
    name = f"{FORWARDER} {target}"
    return scope.store.leases.take_lease(scope.tx, name, sender, at=scope.at, until=scope.at + lease_us)


def release(scope: Scope, target: str, sender: str) -> None:
    """Let any other sender tell the target."""
    scope.store.leases.leave_lease(scope.tx, f"{FORWARDER} {target}", sender)


def _sent(scope: Scope, target: str) -> list[Record]:
    return scope.store.records.list_records(scope.tx, FORWARDER, _SENT, prefix=f"{target} ", limit=10_000)


def _own_runs(scope: Scope, nodes: Sequence[int]) -> dict[int, Run]:
    """Those of the runs that no OpenLineage event told of, with everything that their events say."""
    store, tx = scope.store, scope.tx
    told = store.stories.get_stories(tx, nodes)
    every = store.runs.get_runs(tx, [node for node in nodes if node not in told])
    runs = {
        node: run
        for node, run in sorted(every.items())
        if run.kind != _DEPLOYMENT and run.deleted_at is None and run.job
    }
    known = list(runs)
    parents = store.runs.get_runs(tx, sorted({run.parent for run in runs.values() if run.parent}))
    reads = [e for e in store.edges.get_in(tx, known) if e.kind == EdgeKind.USED]
    writes = [e for e in store.edges.get_out(tx, known) if e.kind == EdgeKind.GENERATED]
    versions = store.artifacts.get_versions(tx, sorted({e.src for e in reads} | {e.dst for e in writes}))
    params, tags = store.attributes.get_params(tx, known), store.attributes.get_tags(tx, known)
    metrics = store.metrics.get_summaries(tx, known)
    columns = {
        node: _columns(scope, node) for node, version in versions.items() if version.kind not in _GOVERNS
    }
    return {
        node: Run(
            run=run,
            parent=parents.get(run.parent or 0),
            reads=[
                Part(versions[e.src], e, columns[e.src]) for e in reads if e.dst == node and e.src in columns
            ],
            writes=[
                Part(versions[e.dst], e, columns[e.dst]) for e in writes if e.src == node and e.dst in columns
            ],
            params={item.key: item.value for item in params.get(node, [])},
            tags={item.key: item.value for item in tags.get(node, [])},
            metrics={item.key: item.last for item in metrics.get(node, [])},
            code=_code(scope, [e.src for e in reads if e.dst == node and e.role == "code"]),
        )
        for node, run in runs.items()
    }


def _columns(scope: Scope, node: int) -> list[tuple[str, str]]:
    for facet in scope.store.attributes.get_facets(scope.tx, node):
        if facet.name == "lineal.schema/1":
            listed = msgspec.json.decode(facet.body).get("columns", [])
            return [
                (str(item.get("name")), str(item.get("type", "")))
                for item in listed
                if isinstance(item, dict)
            ]
    return []


def _code(scope: Scope, versions: list[int]) -> tuple[str, str, str]:
    for node in versions:
        for facet in scope.store.attributes.get_facets(scope.tx, node):
            if facet.name == "lineal.code/1":
                said = msgspec.json.decode(facet.body)
                return str(said.get("remote") or ""), str(said.get("commit") or ""), ""
    return "", "", ""
