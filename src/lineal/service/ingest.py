"""Taking events in: repeats dropped by position, one transaction, the received bytes kept, one audit leaf per call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import msgspec

from lineal.core import events as ev
from lineal.core.errors import Conflict
from lineal.core.ids import sha256
from lineal.core.lineage import Holder, same_bytes
from lineal.core.meeting import identifying, joining
from lineal.core.model import Attribute, Edge, EdgeKind
from lineal.service import facets, meeting
from lineal.service.folders import relate_folders
from lineal.service.operations import Scope, operation
from lineal.store.arriving import Arrived, RunSaid, StateSaid

SAME_BYTES = "same-bytes"
CLAIMS = "lineal.claims/1"
_DERIVING = 1000  # most holders of one digest that are compared; more are a hub that explains nothing


class IngestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Batches to take in together."""

    batches: list[ev.Batch]


class IngestReply(msgspec.Struct, frozen=True, kw_only=True):
    """positions: by source, how far its stream is now recorded (bytes); events: how many were applied."""

    positions: dict[str, int]
    events: int


class PositionsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Sources whose recorded positions are wanted."""

    door: str
    sources: list[str]


@operation(
    "positions", permission="record:write", path="/ingest/positions", summary="How far streams are recorded"
)
def positions(scope: Scope, request: PositionsRequest) -> IngestReply:
    """By source, how many bytes of its stream are recorded; 0 for one never seen."""
    audit = scope.store.audit
    return IngestReply(
        positions={source: audit.get_position(scope.tx, request.door, source) for source in request.sources},
        events=0,
    )


@operation(
    "ingest",
    permission="record:write",
    path="/ingest",
    summary="Take in events; a repeat has no second effect",
    write=True,
    audited=False,
)
def ingest(scope: Scope, request: IngestRequest) -> IngestReply:
    """Apply batches in one transaction.

    Raises Conflict: a batch starts beyond what is recorded of its stream (something between is missing) or overlaps it.
    """
    reached: dict[str, int] = {}
    applied = 0
    for batch in request.batches:
        known = scope.store.audit.get_position(scope.tx, batch.door, batch.source) if batch.position else 0
        reached[batch.source] = max(known, batch.position)
        if batch.position and batch.position <= known:
            continue
        if batch.start != known and batch.position:
            raise Conflict(
                f"stream {batch.source!r} is recorded up to {known}, and a batch came for {batch.start}",
                hint=f"send what follows {known}",
                source=batch.source,
            )
        _apply(scope, batch)
        applied += len(batch.events)
        if batch.position:
            scope.store.audit.set_position(scope.tx, batch.door, batch.source, batch.position)
    return IngestReply(positions=reached, events=applied)


def _apply(scope: Scope, batch: ev.Batch) -> None:
    kept = [event for event in batch.events if not isinstance(event, ev.MetricPoints)]
    body = msgspec.json.encode(kept)
    hashed = sha256(body)
    message = scope.store.audit.add_message(
        scope.tx,
        door=batch.door,
        source=batch.source,
        body=body,
        digest=batch.digest or hashed,
        at=scope.at,
    )
    _Applier(scope, message, batch.actor or scope.actor).apply(batch.events)
    entry = {
        "source": batch.source,
        "start": batch.start,
        "position": batch.position,
        "events": len(batch.events),
        "message": message,
        "body": hashed,
    }
    scope.store.audit.add_leaf(
        scope.tx,
        door=batch.door,
        actor=batch.actor or scope.actor,
        action="ingest",
        digest=batch.digest or hashed,
        body=msgspec.json.encode(entry, order="sorted"),
        at=scope.at,
    )


class _Applier:
    """Applies one batch: what changes is decided here, the store only keeps it.

    All that the events say of runs, versions and attributes is gathered, and each kind is kept at once.
    """

    def __init__(self, scope: Scope, message: int, actor: str) -> None:
        self._scope = scope
        self._message = message
        self._actor = actor
        self._runs = Arrived({}, set(), [])
        self._touched: dict[str, None] = {}
        self._located: dict[int, ev.VersionState] = {}
        self._versions: Iterator[tuple[int, bool]] = iter(())
        self._facets: list[tuple[int, str, bytes]] = []
        self._params: dict[int, list[Attribute]] = {}
        self._tags: dict[int, list[Attribute]] = {}
        self._edges: list[Edge] = []
        self._near: dict[int, list[tuple[int | None, int]]] = {}
        self._native: list[int] = []
        self._said: list[tuple[int, str, bytes]] = []

    def apply(self, events: list[ev.Event]) -> None:
        handlers: dict[type, Callable[[Any], None]] = {
            ev.ParamSet: self._param,
            ev.TagSet: self._tag,
            ev.MetricPoints: self._points,
            ev.FacetSet: self._facet,
            ev.VersionUsed: self._used,
            ev.VersionGenerated: self._generated,
            ev.VersionDerived: self._derived,
        }
        scope = self._scope
        states = [state for event in events for state in _states(event)]
        made = scope.store.artifacts.add_versions(scope.tx, states, recorded_at=scope.at)
        self._versions = iter(made)
        self._know_runs(events)
        self._know_near(events, iter(made))
        for event in events:
            if (handler := handlers.get(type(event))) is not None:
                handler(event)
        arriving, fresh = scope.store.arriving, self._runs.fresh
        arriving.add_params(scope.tx, self._params, fresh=fresh, at=scope.at)
        arriving.set_tags(scope.tx, self._tags, fresh=fresh, at=scope.at, actor=self._actor)
        admitted = facets.admit(scope, self._facets, self._message)
        scope.store.attributes.add_facets(scope.tx, admitted, at=scope.at, batch=self._message)
        if self._edges:
            scope.store.edges.add_edges(scope.tx, self._edges, recorded_at=scope.at)
        relate_folders(scope, self._located, self._message)
        ended = {e.run for e in events if type(e) is ev.RunEnded and e.state != ev.State.RUNNING}
        scope.store.metrics.seal_each(scope.tx, [self._runs.nodes[run] for run in ended])
        self._meet([e.run for e in events if type(e) is ev.RunStarted])
        for digest in scope.store.artifacts.list_shared(scope.tx, list(self._touched)):
            relate_same_bytes(scope, digest, self._message)

    def _meet(self, begun: list[str]) -> None:
        """Let what this batch reports meet what other sources reported of the same things."""
        scope = self._scope
        if self._native:
            meeting.meet_versions(scope, self._native, self._message)
        for node, name, body in self._said:
            meeting.meet_in_facet(scope, node, name, body, self._message)
        for node, tags in self._tags.items():
            for tag in tags:
                meeting.meet_in_tag(scope, node, tag.key, tag.value, self._message)
        if begun:
            meeting.meet_awaited(scope, {run: self._runs.nodes[run] for run in begun})

    # ---- runs ----------------------------------------------------------------------------------------------------------

    def _know_runs(self, events: list[ev.Event]) -> None:
        """Record all runs that are named, how they stand and what they belong to."""
        scope = self._scope
        self._runs = scope.store.arriving.add_runs(
            scope.tx, list(_said_of_runs(events, scope.namespace)), recorded_at=scope.at
        )
        self._keep_claims(self._runs.claims)
        members: dict[str, list[int]] = {}
        for event in events:
            if type(event) is ev.RunStarted and event.group:
                members.setdefault(event.group, []).append(self._runs.nodes[event.run])
        groups = scope.store.groups
        for name, nodes in members.items():
            group = groups.add_group(scope.tx, name, "experiment", parent=None, at=scope.at)
            new = [node for node in nodes if node in self._runs.fresh]
            groups.add_members(scope.tx, [(group, node) for node in new], at=scope.at)
            for node in nodes:
                if node not in self._runs.fresh:
                    groups.add_member(scope.tx, group, node, at=scope.at)

    def _keep_claims(self, told: list[tuple[int, str]]) -> None:
        """The first parent stands; another that is claimed later is kept beside it, as a contradiction."""
        scope = self._scope
        standing: dict[int, list[dict[str, Any]]] = {}
        for node, run_id in told:
            if node not in standing:
                known = [f for f in scope.store.attributes.get_facets(scope.tx, node) if f.name == CLAIMS]
                standing[node] = msgspec.json.decode(known[0].body)["parents"] if known else []
            if run_id not in [claim["run"] for claim in standing[node]]:
                standing[node].append({"run": run_id, "message": self._message})
        self._facets += [
            (node, CLAIMS, msgspec.json.encode({"parents": claims})) for node, claims in standing.items()
        ]

    def _run(self, run_id: str) -> int:
        return self._runs.nodes[run_id]

    # ---- what is said of a run -------------------------------------------------------------------------------------------

    def _param(self, event: ev.ParamSet) -> None:
        said = Attribute(key=event.key, value=event.value, source=event.source)
        self._params.setdefault(self._run(event.run), []).append(said)

    def _tag(self, event: ev.TagSet) -> None:
        said = Attribute(key=event.key, value=event.value)
        self._tags.setdefault(self._run(event.run), []).append(said)

    def _points(self, event: ev.MetricPoints) -> None:
        self._scope.store.metrics.add_points(
            self._scope.tx, self._run(event.run), event.keys, event.key, event.step, event.at, event.value
        )

    def _facet(self, event: ev.FacetSet) -> None:
        said = (self._run(event.run), event.name, bytes(event.body))
        self._facets.append(said)
        self._said.append(said)

    def _used(self, event: ev.VersionUsed) -> None:
        run = self._run(event.run)
        version, _ = self._version(event.version)
        self._near.setdefault(version, []).append((None, event.at))
        self._edges.append(self._edge(version, run, EdgeKind.USED, event))

    def _generated(self, event: ev.VersionGenerated) -> None:
        run = self._run(event.run)
        version, existed = self._version(event.version)
        again = existed and self._was_there(version, run, event.at)
        self._near.setdefault(version, []).append((run, event.at))
        self._edges.append(self._edge(run, version, EdgeKind.GENERATED, event, again=again))
        if event.name:
            self._scope.store.registry.register(
                self._scope.tx, event.name, version, actor=self._actor, at=self._scope.at
            )

    def _derived(self, event: ev.VersionDerived) -> None:
        source, _ = self._version(event.source)
        version, _ = self._version(event.version)
        if source != version:
            self._edges.append(self._edge(source, version, EdgeKind.DERIVED, event))

    def _edge(
        self,
        src: int,
        dst: int,
        kind: EdgeKind,
        event: ev.VersionUsed | ev.VersionGenerated | ev.VersionDerived,
        *,
        again: bool = False,
    ) -> Edge:
        return Edge(
            src=src,
            dst=dst,
            kind=kind,
            at=event.at,
            role=event.role,
            evidence=event.evidence,
            via=" ".join(event.via),
            again=again,
            batch=self._message,
        )

    def _know_near(self, events: list[ev.Event], versions: Iterator[tuple[int, bool]]) -> None:
        """Look up who wrote and read versions before that are now said to have been written."""
        made: set[int] = set()
        written: set[int] = set()
        for event in events:
            for _ in _states(event):
                node, existed = next(versions)
                if not existed:
                    made.add(node)
                elif type(event) is ev.VersionGenerated:
                    written.add(node)
        self._near = self._scope.store.arriving.first_touched(self._scope.tx, sorted(written - made))

    def _was_there(self, version: int, run: int, at: int) -> bool:
        """Whether the version was written or read by anybody before this run completed it."""
        return any(then < at and who != run for who, then in self._near.get(version, ()))

    def _version(self, state: ev.VersionState) -> tuple[int, bool]:
        node, existed = next(self._versions)
        if any(joining(reference) or identifying(reference) for reference in state.references):
            self._native.append(node)
        if not existed:
            self._facets += [(node, name, bytes(body)) for name, body in state.facets.items()]
        if (
            state.digest
            and state.level in (ev.Level.CONTENT, ev.Level.NATIVE)
            and state.kind not in ("environment", "code")
        ):
            self._touched[state.digest] = None
            if state.level == ev.Level.CONTENT:
                self._located[node] = state
        return node, existed


def _states(event: ev.Event) -> list[ev.VersionState]:
    """The versions that an event names, in the order in which they are taken up."""
    if isinstance(event, (ev.VersionUsed, ev.VersionGenerated)):
        return [event.version]
    return [event.source, event.version] if isinstance(event, ev.VersionDerived) else []


def _said_of_runs(events: list[ev.Event], namespace: str) -> Iterator[RunSaid | StateSaid]:
    """What events say of runs and how they stand. A run not heard of yet is one of which only the id is known."""
    heard: set[str] = set()
    for event in events:
        if isinstance(event, ev.VersionDerived):  # whatever run it names says nothing of the two versions
            continue
        started = event if isinstance(event, ev.RunStarted) else None
        for run in (started.parent,) if started else (event.run,):
            if run and run not in heard:
                at = _at(event)
                heard.add(run)
                yield RunSaid(run, namespace, "", at)
        if started:
            heard.add(started.run)
            yield RunSaid(
                started.run,
                started.namespace,
                started.job,
                started.at,
                started.name,
                started.kind,
                started.parent or None,
                started.actor,
            )
        elif isinstance(event, ev.RunEnded):
            # Whoever found no process any more did not know of the end that was told.
            lost = event.state == ev.State.LOST
            yield StateSaid(
                event.run,
                event.state,
                event.at,
                event.exit_code,
                event.signal,
                event.error,
                unless_ended=lost,
            )


def _at(event: ev.Event) -> int:
    if isinstance(event, ev.MetricPoints):
        return int.from_bytes(event.at[:8], "little", signed=True)
    return event.at


def relate_same_bytes(scope: Scope, digest: str, message: int) -> None:
    """Bring the inferred `derived` edges among the versions with one digest up to date with what is known of them.

    Several artifacts with equal bytes that a run was seen writing leave a reader's origin open: then nothing is linked,
    and `show` and `trace` list the candidates.
    """
    tx, edges = scope.tx, scope.store.edges
    versions = [version.node for version in scope.store.artifacts.list_by_digest(tx, digest, _DERIVING)]
    if len(versions) < 2:
        return
    stands_for = scope.store.joins.canonical(tx, versions)
    joined: dict[int, list[int]] = {}  # what was found to be one is one holder of these bytes
    for node in versions:
        joined.setdefault(stands_for.get(node, node), []).append(node)
    held = holders(scope, sorted(joined))
    links, _ = same_bytes(held)
    read = {holder.node: holder.read_at or 0 for holder in held}
    wanted = {
        (src, dst, read[dst]) for src, dst in links
    }  # a read before the one that is known was told late
    standing = {
        (edge.src, edge.dst, edge.at) for edge in edges.get_in(tx, list(joined)) if edge.rule == SAME_BYTES
    }
    for src, dst, _ in standing - wanted:
        for given_src, given_dst in product(joined.get(src, [src]), joined[dst]):
            edges.retract_edge(tx, given_src, given_dst, EdgeKind.DERIVED, SAME_BYTES, at=scope.at)
    edges.add_edges(
        tx,
        [
            Edge(
                src=src,
                dst=dst,
                kind=EdgeKind.DERIVED,
                at=at,
                role="copy",
                evidence=ev.Evidence.INFERRED,
                rule=SAME_BYTES,
                batch=message,
            )
            for src, dst, at in sorted(wanted - standing)
        ],
        recorded_at=scope.at,
    )


def holders(scope: Scope, nodes: list[int]) -> list[Holder]:
    """The versions as the same-bytes rule sees them."""
    written: dict[int, int] = {}
    read: dict[int, int] = {}
    for edge in scope.store.edges.get_in(scope.tx, nodes):
        if edge.kind == EdgeKind.GENERATED:
            written[edge.dst] = min(edge.at, written.get(edge.dst, edge.at))
    for edge in scope.store.edges.get_out(scope.tx, nodes):
        if edge.kind == EdgeKind.USED:
            read[edge.src] = min(edge.at, read.get(edge.src, edge.at))
    versions = scope.store.artifacts.get_versions(scope.tx, nodes)
    return [
        Holder(node, versions[node].artifact, versions[node].size, written.get(node), read.get(node))
        for node in nodes
    ]
