"""What services may ask of a store, cut by noun.

Every method takes the transaction it runs in and never begins or commits one. Times come in as arguments (UTC
microseconds). Vertices (`node`) are dense integers shared by runs and versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from lineal.core.events import ErrorInfo, Level, Member, Reference, State, VersionState
from lineal.core.model import (
    AliasRecord,
    Attribute,
    Edge,
    FacetRecord,
    MetricSummary,
    NamedVersion,
    NodeKind,
    RunRecord,
    VersionRecord,
)
from lineal.store.conditions import Condition, Order
from lineal.store.tx import Asked, Tx

if TYPE_CHECKING:
    import numpy as np

    from lineal.store.audit import Leaf, MessageRecord
    from lineal.store.facet_schemas import FacetFault, FacetSchema
    from lineal.store.tokens import TokenRecord


class RunStore(Protocol):
    def add_run(
        self,
        tx: Tx,
        run_id: str,
        *,
        namespace: str,
        job: str,
        name: str,
        kind: str,
        parent: int | None,
        actor: str,
        started_at: int,
        recorded_at: int,
    ) -> (
        int
    ): ...  # the vertex; known already: fills in what was unknown (a run first heard of as somebody's parent)
    def find_run(self, tx: Tx, run_id: str) -> int | None: ...
    def list_runs_by_prefix(self, tx: Tx, prefix: str, limit: int) -> list[RunRecord]: ...
    def get_runs(self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None) -> dict[int, RunRecord]: ...
    def list_children(self, tx: Tx, node: int, limit: int) -> list[int]: ...
    def set_state(
        self,
        tx: Tx,
        node: int,
        state: State,
        *,
        at: int,
        recorded_at: int,
        exit_code: int | None = None,
        signal: int | None = None,
        error: ErrorInfo | None = None,
    ) -> bool: ...  # False when nothing changed
    def list_by_state(self, tx: Tx, state: State, limit: int) -> list[int]: ...
    def add_deleted(self, tx: Tx, node: int, *, actor: str, reason: str, at: int) -> None: ...


class AttributeStore(Protocol):
    def add_params(self, tx: Tx, node: int, params: Sequence[Attribute], *, at: int) -> None: ...
    def get_params(
        self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None
    ) -> dict[int, list[Attribute]]: ...
    def set_tags(self, tx: Tx, node: int, tags: Sequence[Attribute], *, at: int, actor: str = "") -> None: ...
    def get_tags(
        self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None
    ) -> dict[int, list[Attribute]]: ...
    def add_facet(self, tx: Tx, node: int, name: str, body: bytes, *, at: int, batch: int = 0) -> None: ...
    def add_facets(
        self, tx: Tx, facets: Sequence[tuple[int, str, bytes]], *, at: int, batch: int = 0
    ) -> None: ...  # vertex, name, body of each, in their order
    def get_facets(self, tx: Tx, node: int, *, as_of: int | None = None) -> list[FacetRecord]: ...
    def get_facet(
        self, tx: Tx, nodes: Sequence[int], name: str, *, as_of: int | None = None
    ) -> dict[int, bytes]: ...  # by vertex that has one of that name


class MetricStore(Protocol):
    def add_points(
        self, tx: Tx, node: int, keys: Sequence[str], key: bytes, step: bytes, at: bytes, value: bytes
    ) -> None: ...
    def add_new_points(
        self, tx: Tx, node: int, keys: Sequence[str], key: bytes, step: bytes, at: bytes, value: bytes
    ) -> int: ...  # how many were not there yet, bit by bit
    def seal(self, tx: Tx, node: int) -> None: ...  # tail blocks -> compressed chunks per key
    def seal_each(self, tx: Tx, nodes: Sequence[int]) -> None: ...
    def get_summaries(self, tx: Tx, nodes: Sequence[int]) -> dict[int, list[MetricSummary]]: ...
    def list_lasts(
        self, tx: Tx, nodes: Sequence[int], *, keys: int
    ) -> dict[str, list[tuple[int, float]]]: ...  # vertex and last value by metric
    def get_points(
        self, tx: Tx, node: int, key: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...  # step, at, value
    def get_chart(
        self, tx: Tx, node: int, key: str, points: int
    ) -> tuple[np.ndarray, np.ndarray]: ...  # step, value


class ArtifactStore(Protocol):
    def add_version(
        self,
        tx: Tx,
        *,
        namespace: str,
        name: str,
        kind: str,
        digest: str | None,
        level: Level,
        reason: str,
        size: int | None,
        location: str,
        recorded_at: int,
    ) -> tuple[int, bool]: ...  # (vertex, whether it existed). digest None: always a new version
    def add_versions(
        self, tx: Tx, states: Sequence[VersionState], *, recorded_at: int
    ) -> list[tuple[int, bool]]: ...  # with references and members, without facets
    def complete_version(
        self, tx: Tx, node: int, *, digest: str, level: Level, size: int, members: Sequence[Member]
    ) -> bool: ...  # of one that had no digest; False when it has one, or another of its artifact has this
    def get_versions(self, tx: Tx, nodes: Sequence[int]) -> dict[int, VersionRecord]: ...
    def list_versions(
        self, tx: Tx, namespace: str | None, name: str, *, limit: int = 1000
    ) -> list[VersionRecord]: ...
    def list_by_number(
        self, tx: Tx, namespace: str | None, name: str, number: int
    ) -> list[VersionRecord]: ...
    def list_by_digest(self, tx: Tx, prefix: str, limit: int) -> list[VersionRecord]: ...
    def list_shared(self, tx: Tx, digests: Sequence[str]) -> list[str]: ...  # held by more than one version
    def list_artifacts(
        self, tx: Tx, *, limit: int
    ) -> list[tuple[str, str, str]]: ...  # namespace, name, kind
    def list_by_reference(
        self, tx: Tx, scheme: str, value: str
    ) -> list[int]: ...  # the versions that carry it, in order of arrival
    def list_by_references(
        self, tx: Tx, references: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], list[int]]: ...
    def add_references(self, tx: Tx, node: int, references: Sequence[Reference], *, at: int) -> None: ...
    def get_references(
        self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None
    ) -> dict[int, list[Reference]]: ...
    def add_members(self, tx: Tx, node: int, members: Sequence[Member]) -> None: ...
    def get_members(self, tx: Tx, node: int) -> list[Member]: ...


class EdgeStore(Protocol):
    def add_edges(self, tx: Tx, edges: Sequence[Edge], *, recorded_at: int) -> int: ...  # how many were new
    def retract_edge(self, tx: Tx, src: int, dst: int, kind: int, rule: str, *, at: int) -> None: ...
    def retract_edges(self, tx: Tx, edges: Sequence[Edge], *, at: int) -> None: ...
    def get_in(self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None) -> list[Edge]: ...
    def get_out(self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None) -> list[Edge]: ...
    def upstream(
        self, tx: Tx, node: int, *, depth: int, budget: int, as_of: int | None = None
    ) -> tuple[list[Edge], bool]: ...  # edges of the closure, whether the node budget cut it
    def downstream(
        self, tx: Tx, node: int, *, depth: int, budget: int, as_of: int | None = None
    ) -> tuple[list[Edge], bool]: ...
    def kinds(self, tx: Tx, nodes: Sequence[int]) -> dict[int, NodeKind]: ...


class FacetSchemaStore(Protocol):
    def put_schema(
        self, tx: Tx, name: str, version: int, body: bytes, *, refused: bool, actor: str, at: int
    ) -> FacetSchema: ...  # in place of an earlier form of that version
    def list_schemas(self, tx: Tx, names: Sequence[str] | None = None) -> list[FacetSchema]: ...
    def set_faults(
        self, tx: Tx, node: int, name: str, said: str, *, refused: bool, batch: int, at: int
    ) -> None: ...  # empty: there is none any more
    def list_faults(
        self, tx: Tx, nodes: Sequence[int] | None = None, *, limit: int = 1000
    ) -> list[FacetFault]: ...
    def list_holders(
        self, tx: Tx, names: Sequence[str], patterns: Sequence[str], *, after: int, limit: int
    ) -> list[tuple[int, str, bytes]]: ...  # in order of the vertices, all of each
    def set_fields(
        self, tx: Tx, node: int, name: str, fields: Sequence[tuple[str, str]], *, at: int
    ) -> None: ...  # a path may have several values


class RegistryStore(Protocol):
    def add_name(self, tx: Tx, name: str, *, actor: str, at: int) -> None: ...  # without a version
    def register(
        self, tx: Tx, name: str, node: int, *, actor: str, at: int, again: bool = False
    ) -> NamedVersion: ...  # a second time: the same number, unless `again`
    def rename(self, tx: Tx, name: str, new: str, *, actor: str, at: int) -> None: ...
    def retract_named(
        self, tx: Tx, name: str, number: int | None, *, actor: str, reason: str, at: int
    ) -> None: ...  # one version; None: the name with all of them, which is free again
    def list_names(
        self, tx: Tx, *, prefix: str = "", after: str = "", limit: int = 1000
    ) -> list[str]: ...  # also those without versions
    def list_named(
        self, tx: Tx, name: str | None, *, limit: int = 1000, as_of: int | None = None
    ) -> list[NamedVersion]: ...
    def list_names_of(self, tx: Tx, nodes: Sequence[int]) -> list[NamedVersion]: ...
    def move_alias(
        self,
        tx: Tx,
        name: str,
        alias: str,
        number: int,
        *,
        expect: int | None,
        actor: str,
        reason: str,
        at: int,
    ) -> AliasRecord: ...
    def get_alias(self, tx: Tx, name: str, alias: str, *, as_of: int | None = None) -> AliasRecord | None: ...
    def list_aliases(self, tx: Tx, name: str | None, *, history: bool = False) -> list[AliasRecord]: ...
    def retract_alias(self, tx: Tx, name: str, alias: str, *, at: int, actor: str, reason: str) -> None: ...


class GroupStore(Protocol):
    def add_group(self, tx: Tx, name: str, kind: str, *, parent: int | None, at: int) -> int: ...
    def add_groups(
        self, tx: Tx, groups: Sequence[tuple[str, str]], *, at: int
    ) -> dict[tuple[str, str], int]: ...  # by name and kind, at the top
    def add_member(self, tx: Tx, group: int, node: int, *, at: int) -> None: ...
    def add_members(self, tx: Tx, members: Sequence[tuple[int, int]], *, at: int) -> None: ...
    def nest(self, tx: Tx, group: int, parent: int) -> None: ...
    def list_groups(self, tx: Tx, *, limit: int) -> list[tuple[int, str, str]]: ...
    def list_groups_of(self, tx: Tx, nodes: Sequence[int]) -> list[tuple[int, str]]: ...  # node, group name
    def list_members(self, tx: Tx, group: int, *, limit: int) -> list[int]: ...


class AuditStore(Protocol):
    def add_message(self, tx: Tx, *, door: str, source: str, body: bytes, digest: str, at: int) -> int: ...
    def ask_message(
        self, tx: Tx, *, door: str, source: str, body: bytes, digest: str, at: int
    ) -> Asked[int]: ...
    def get_message(
        self, tx: Tx, message: int
    ) -> bytes: ...  # the received bytes; edges name it as their `batch`
    def describe_message(self, tx: Tx, message: int) -> MessageRecord: ...
    def get_position(self, tx: Tx, door: str, source: str) -> int: ...  # 0: nothing yet
    def set_position(self, tx: Tx, door: str, source: str, position: int) -> None: ...
    def add_leaf(
        self, tx: Tx, *, door: str, actor: str, action: str, digest: str, body: bytes, at: int
    ) -> int: ...  # the leaf's sequence number, from 1; leaf hash per RFC 9162 section 2.1.1 over the canonical entry
    def add_leaves(self, tx: Tx, leaves: Sequence[Leaf]) -> int: ...  # the last one's sequence number
    def get_head(self, tx: Tx) -> tuple[int, bytes]: ...  # how many leaves, tree head
    def list_leaves(self, tx: Tx, *, after: int, limit: int) -> list[msgspec.Raw]: ...
    def verify(self, tx: Tx) -> list[str]: ...


class SearchStore(Protocol):
    def search_runs(
        self,
        tx: Tx,
        terms: Sequence[Condition],
        *,
        order: Order | Sequence[Order],
        limit: int,
        offset: int = 0,
        include_deleted: bool = False,
        only_deleted: bool = False,
        as_of: int | None = None,
    ) -> list[int]: ...
    def search_versions(
        self,
        tx: Tx,
        terms: Sequence[Condition],
        *,
        order: Sequence[Order],
        limit: int,
        offset: int = 0,
        include_deleted: bool = False,
        as_of: int | None = None,
    ) -> list[int]: ...


class JobRow(msgspec.Struct, frozen=True, kw_only=True):
    """A job and how its runs went. failed: also killed and lost ones; last_at: when the newest started."""

    id: int
    namespace: str
    name: str
    runs: int
    failed: int
    last_at: int


class ArtifactRow(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact with its newest version's vertex, kind and time."""

    namespace: str
    name: str
    kind: str
    versions: int
    newest: int
    recorded_at: int


class CatalogStore(Protocol):
    def list_jobs(self, tx: Tx, *, limit: int) -> list[JobRow]: ...
    def list_last_runs(
        self, tx: Tx, jobs: Sequence[int], *, each_job: int
    ) -> dict[int, list[int]]: ...  # vertices by job
    def list_newest(
        self, tx: Tx, *, kinds: Sequence[str], text: str, limit: int, offset: int = 0
    ) -> list[ArtifactRow]: ...
    def list_keys(self, tx: Tx, scope: Literal["params", "tags", "metrics"], *, limit: int) -> list[str]: ...
    def count_states(self, tx: Tx) -> dict[tuple[str, str], int]: ...  # runs by (kind, state)
    def count_jobs(self, tx: Tx) -> int: ...
    def count_artifacts(self, tx: Tx) -> dict[str, int]: ...
    def count_by_day(self, tx: Tx, *, since: int) -> dict[int, int]: ...


class CorrectionStore(Protocol):
    def add_tombstones(
        self, tx: Tx, nodes: Sequence[int], *, actor: str, reason: str, at: int
    ) -> int: ...  # how many had none
    def lift_tombstones(self, tx: Tx, nodes: Sequence[int], *, at: int) -> int: ...
    def deleted_among(self, tx: Tx, nodes: Sequence[int]) -> set[int]: ...
    def retract_tag(self, tx: Tx, node: int, key: str, *, at: int) -> bool: ...  # whether it stood
    def rename_run(self, tx: Tx, node: int, name: str) -> None: ...
    def rename_group(self, tx: Tx, group: int, name: str) -> None: ...


class TokenStore(Protocol):
    def add_token(self, tx: Tx, token: TokenRecord) -> bool: ...  # whether its id was free
    def get_token(self, tx: Tx, id: str) -> TokenRecord | None: ...  # revoked and expired ones too
    def list_tokens(self, tx: Tx, *, limit: int = 1000) -> list[TokenRecord]: ...  # the oldest first
    def has_tokens(self, tx: Tx) -> bool: ...  # whether one was ever made
    def revoke_token(self, tx: Tx, id: str, *, at: int) -> None: ...
    def set_used(self, tx: Tx, id: str, *, at: int) -> None: ...


class RunGroupRow(msgspec.Struct, frozen=True):
    """Runs that have one value of a field (None: they lack it), and what a metric's last values do among them. low, high: of a
    metric's values, which are grouped by stretches: from low on, below high; both the same where it is one value."""

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


class GroupingStore(Protocol):
    def count_runs(
        self, tx: Tx, nodes: Sequence[int], *, by: str, metric: str, limit: int
    ) -> list[RunGroupRow]: ...  # the largest first


class SavedView(msgspec.Struct, frozen=True):
    """A view of the page that has a name."""

    name: str
    address: str
    actor: str
    recorded_at: int


class ViewStore(Protocol):
    def set_view(self, tx: Tx, namespace: str, name: str, address: str, *, actor: str, at: int) -> None: ...
    def drop_view(self, tx: Tx, namespace: str, name: str, *, at: int) -> bool: ...  # whether it was there
    def list_views(self, tx: Tx, namespace: str, *, limit: int) -> list[SavedView]: ...
