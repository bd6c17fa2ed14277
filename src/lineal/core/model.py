"""Records: what the store gives back and services pass on. Plain values, no behaviour that reads or writes."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from lineal.core.events import ErrorInfo, Evidence, Level, State


class NodeKind(IntEnum):
    """A vertex of the graph is a run or a version."""

    RUN = 1
    VERSION = 2


class EdgeKind(IntEnum):
    """used: version -> run; generated: run -> version; derived: version -> version."""

    USED = 1
    GENERATED = 2
    DERIVED = 3


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One run as it stands now (or stood at the time asked for). `node` is its vertex; times in microseconds UTC."""

    node: int
    run_id: str
    namespace: str
    job: str
    name: str
    kind: str
    parent: int | None
    actor: str
    started_at: int
    state: State
    ended_at: int | None = None
    exit_code: int | None = None
    signal: int | None = None
    error: ErrorInfo | None = None
    deleted_at: int | None = None


class VersionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One version. number: counted from 1 per artifact in order of arrival; size in bytes."""

    node: int
    artifact: int
    namespace: str
    name: str
    kind: str
    number: int
    digest: str | None
    level: Level
    reason: str
    size: int | None
    location: str
    recorded_at: int
    deleted_at: int | None = None


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """One edge with its evidence. src/dst are vertices; `at` is when it happened, `recorded_at` when we learnt of it.

    again: the version already existed when this run generated it. rule: for inferred edges, the rule's name. batch: the
    message that brought it.
    """

    src: int
    dst: int
    kind: EdgeKind
    at: int
    role: str = ""
    evidence: Evidence = Evidence.OBSERVED
    via: str = ""
    rule: str = ""
    again: bool = False
    batch: int = 0
    recorded_at: int = 0


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter or tag of a run (or a tag of a version)."""

    key: str
    value: str
    source: str = ""
    recorded_at: int = 0


class MetricSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a metric did: `last` by greatest step (ties: latest time, then greatest value, NaN least); extremes ignore NaN
    (NaN when nothing else came)."""

    key: str
    count: int
    last: float
    last_step: int
    last_at: int
    minimum: float
    maximum: float


class FacetRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A typed attachment as received."""

    name: str
    body: msgspec.Raw
    recorded_at: int = 0


class NamedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A registered name's version: `name@number` stands for the vertex `node`."""

    name: str
    number: int
    node: int
    recorded_at: int
    actor: str = ""


class AliasRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Where an alias points (or pointed, when `retracted_at` is set); revision counts its moves from 1."""

    name: str
    alias: str
    number: int
    node: int
    revision: int
    recorded_at: int
    retracted_at: int | None = None
    actor: str = ""
    reason: str = ""
