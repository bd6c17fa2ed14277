"""Taking events in: repeats dropped by position, one transaction, the received bytes kept, one audit leaf per call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    message = scope.store.audit.add_message(
        scope.tx,
        door=batch.door,
        source=batch.source,
        body=body,
        digest=batch.digest or sha256(body),
        at=scope.at,
    )
    _Applier(scope, message, batch.actor or scope.actor).apply(batch.events)
    entry = {
        "source": batch.source,
        "start": batch.start,
        "position": batch.position,
        "events": len(batch.events),
        "message": message,
        "body": sha256(body),
    }
    scope.store.audit.add_leaf(
        scope.tx,
        door=batch.door,
        actor=batch.actor or scope.actor,
        action="ingest",
        digest=batch.digest,
        body=msgspec.json.encode(entry, order="sorted"),
        at=scope.at,
    )


class _Applier:
    """Applies one batch: what changes is decided here, the store only keeps it."""

    def __init__(self, scope: Scope, message: int, actor: str) -> None:
        self._scope = scope
        self._message = message
        self._actor = actor
        self._runs: dict[str, int] = {}
        self._touched: dict[str, None] = {}
        self._located: dict[int, ev.VersionState] = {}
        self._versions: Iterator[tuple[int, bool]] = iter(())
        self._facets: list[tuple[int, str, bytes]] = []
        self._params: dict[int, list[Attribute]] = {}
        self._tags: dict[int, list[Attribute]] = {}
        self._edges: list[Edge] = []
        self._native: list[int] = []
        self._begun: dict[str, int] = {}
        self._said: list[tuple[int, str, bytes]] = []

    def apply(self, events: list[ev.Event]) -> None:
        handlers: dict[type, Callable[[Any], None]] = {
            ev.RunStarted: self._started,
            ev.RunEnded: self._ended,
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
        self._versions = iter(scope.store.artifacts.add_versions(scope.tx, states, recorded_at=scope.at))
        for event in events:
            handlers[type(event)](event)
        attributes = scope.store.attributes
        for node, params in self._params.items():
            attributes.add_params(scope.tx, node, params, at=scope.at)
        for node, tags in self._tags.items():
            attributes.set_tags(scope.tx, node, tags, at=scope.at, actor=self._actor)
        admitted = facets.admit(scope, self._facets, self._message)
        attributes.add_facets(scope.tx, admitted, at=scope.at, batch=self._message)
        if self._edges:
            scope.store.edges.add_edges(scope.tx, self._edges, recorded_at=scope.at)
        for digest in scope.store.artifacts.list_shared(scope.tx, list(self._touched)):
            relate_same_bytes(scope, digest, self._message)
        relate_folders(scope, self._located, self._message)
        self._meet()

    def _meet(self) -> None:
        """Let what this batch reports meet what other sources reported of the same things."""
        scope = self._scope
        if self._native:
            meeting.meet_versions(scope, self._native, self._message)
        for node, name, body in self._said:
            meeting.meet_in_facet(scope, node, name, body, self._message)
        for node, tags in self._tags.items():
            for tag in tags:
                meeting.meet_in_tag(scope, node, tag.key, tag.value, self._message)
        if self._begun:
            meeting.meet_awaited(scope, self._begun)

    def _run(self, run_id: str, at: int) -> int:
        """The run's vertex; a run not heard of yet gets one, to be filled in when its start arrives."""
        node = self._runs.get(run_id)
        if node is None:
            scope = self._scope
            node = scope.store.runs.find_run(scope.tx, run_id)
            if node is None:
                node = self._add_run(ev.RunStarted(run=run_id, namespace=scope.namespace, job="", at=at))
            self._runs[run_id] = node
        return node

    def _add_run(self, event: ev.RunStarted) -> int:
        scope = self._scope
        parent = self._run(event.parent, event.at) if event.parent else None
        node = scope.store.runs.add_run(
            scope.tx,
            event.run,
            namespace=event.namespace,
            job=event.job,
            name=event.name,
            kind=event.kind,
            parent=parent,
            actor=event.actor,
            started_at=event.at,
            recorded_at=scope.at,
        )
        if parent is not None:
            self._keep_claim(node, parent, event.parent or "")
        return node

    def _keep_claim(self, node: int, parent: int, run_id: str) -> None:
        """The first parent stands; another that is claimed later is kept beside it, as a contradiction."""
        scope = self._scope
        if scope.store.runs.get_runs(scope.tx, [node])[node].parent == parent:
            return
        known = [f for f in scope.store.attributes.get_facets(scope.tx, node) if f.name == CLAIMS]
        claims = msgspec.json.decode(known[0].body)["parents"] if known else []
        if run_id not in [claim["run"] for claim in claims]:
            claims.append({"run": run_id, "message": self._message})
            self._facets.append((node, CLAIMS, msgspec.json.encode({"parents": claims})))

    def _started(self, event: ev.RunStarted) -> None:
        node = self._runs[event.run] = self._begun[event.run] = self._add_run(event)
        if event.group:
            groups = self._scope.store.groups
            group = groups.add_group(
                self._scope.tx, event.group, "experiment", parent=None, at=self._scope.at
            )
            groups.add_member(self._scope.tx, group, node, at=self._scope.at)

    def _ended(self, event: ev.RunEnded) -> None:
        scope, node = self._scope, self._run(event.run, event.at)
        if event.state == ev.State.LOST and self._has_ended(node):
            return  # whoever found no process any more did not know of the end that was told
        scope.store.runs.set_state(
            scope.tx,
            node,
            event.state,
            at=event.at,
            recorded_at=scope.at,
            exit_code=event.exit_code,
            signal=event.signal,
            error=event.error,
        )
        if event.state != ev.State.RUNNING:
            scope.store.metrics.seal(scope.tx, node)

    def _has_ended(self, node: int) -> bool:
        return self._scope.store.runs.get_runs(self._scope.tx, [node])[node].state is not ev.State.RUNNING

    def _param(self, event: ev.ParamSet) -> None:
        self._params.setdefault(self._run(event.run, event.at), []).append(
            Attribute(key=event.key, value=event.value, source=event.source)
        )

    def _tag(self, event: ev.TagSet) -> None:
        self._tags.setdefault(self._run(event.run, event.at), []).append(
            Attribute(key=event.key, value=event.value)
        )

    def _points(self, event: ev.MetricPoints) -> None:
        node = self._run(event.run, int.from_bytes(event.at[:8], "little", signed=True))
        self._scope.store.metrics.add_points(
            self._scope.tx, node, event.keys, event.key, event.step, event.at, event.value
        )

    def _facet(self, event: ev.FacetSet) -> None:
        said = (self._run(event.run, event.at), event.name, bytes(event.body))
        self._facets.append(said)
        self._said.append(said)

    def _used(self, event: ev.VersionUsed) -> None:
        run = self._run(event.run, event.at)
        version, _ = self._version(event.version)
        self._edges.append(self._edge(version, run, EdgeKind.USED, event))

    def _generated(self, event: ev.VersionGenerated) -> None:
        run = self._run(event.run, event.at)
        version, existed = self._version(event.version)
        again = existed and self._was_there(version, run, event.at)
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

    def _was_there(self, version: int, run: int, at: int) -> bool:
        """Whether the version was written or read by anybody before this run completed it."""
        store, tx = self._scope.store.edges, self._scope.tx
        stored = [*store.get_in(tx, [version]), *store.get_out(tx, [version])]
        near = [edge for edge in [*stored, *self._edges] if version in (edge.src, edge.dst)]
        return any(edge.at < at and edge.src != run for edge in near if edge.kind != EdgeKind.DERIVED)

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
    if isinstance(event, ev.VersionDerived):
        return [event.source, event.version]
    return [event.version] if isinstance(event, ev.VersionUsed | ev.VersionGenerated) else []


def relate_same_bytes(scope: Scope, digest: str, message: int) -> None:
    """Bring the inferred `derived` edges among the versions with one digest up to date with what is known of them.

    Several artifacts with equal bytes that a run was seen writing leave a reader's origin open: then nothing is linked,
    and `show` and `trace` list the candidates.
    """
    tx, edges = scope.tx, scope.store.edges
    versions = scope.store.artifacts.list_by_digest(tx, digest, _DERIVING)
    if len(versions) < 2:
        return
    links, _ = same_bytes(holders(scope, [version.node for version in versions]))
    wanted = set(links)
    nodes = [version.node for version in versions]
    standing = {(edge.src, edge.dst) for edge in edges.get_in(tx, nodes) if edge.rule == SAME_BYTES}
    for src, dst in standing - wanted:
        edges.retract_edge(tx, src, dst, EdgeKind.DERIVED, SAME_BYTES, at=scope.at)
    reads = (
        {holder.node: holder.read_at or 0 for holder in holders(scope, nodes)} if wanted - standing else {}
    )
    edges.add_edges(
        tx,
        [
            Edge(
                src=src,
                dst=dst,
                kind=EdgeKind.DERIVED,
                at=reads[dst],
                role="copy",
                evidence=ev.Evidence.INFERRED,
                rule=SAME_BYTES,
                batch=message,
            )
            for src, dst in sorted(wanted - standing)
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
