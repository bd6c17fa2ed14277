"""What services may ask of a store, cut by noun.

Every method takes the transaction it runs in and never begins or commits one. Times come in as arguments (UTC
microseconds). Vertices (`node`) are dense integers shared by runs and versions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import msgspec

from lineal.core.events import ErrorInfo, Level, Member, Reference, State, VersionState
from lineal.core.mlmd import Event as MlmdEvent
from lineal.core.mlmd import Kind, Type
from lineal.core.mlmd import Node as MlmdNode
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

if TYPE_CHECKING:
    import numpy as np

    from lineal.store.audit import Leaf
    from lineal.store.facet_schemas import FacetFault, FacetSchema
    from lineal.store.files import File
    from lineal.store.many import ManyRun, ManyState, ManyVersion
    from lineal.store.moments import DatasetWrite
    from lineal.store.numbers import Numbers
    from lineal.store.records import Record
    from lineal.store.stories import KeptEvent, KeptRun
    from lineal.store.tokens import TokenRecord

Row = tuple[Any, ...]


_T = TypeVar("_T")
Asked = Callable[
    [], _T
]  # gives the answer when it is needed; what is asked until then goes to the database together


class Tx(Protocol):
    """An open transaction on one connection. Parameters are named `:name` on both engines.

    numbers: what is remembered of the dictionary.
    """

    numbers: Numbers

    @property
    def engine(self) -> Literal["sqlite", "postgres"]: ...

    def run(self, sql: str, **values: Any) -> None: ...
    def run_each(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None: ...  # once with each
    def many(self, sql: str, rows: Sequence[Mapping[str, Any] | Row]) -> int: ...  # rows changed in all
    def rows(self, sql: str, **values: Any) -> list[Row]: ...
    def ask(
        self, sql: str, **values: Any
    ) -> Callable[[], list[Row]]: ...  # what gives the rows when they are needed
    def rows_each(self, sql: str, rows: Sequence[Row]) -> list[Row]: ...  # SQLite only: `?`, once with each
    def row(self, sql: str, **values: Any) -> Row | None: ...
    def value(self, sql: str, **values: Any) -> Any: ...
    def settle(self) -> None: ...  # what `run` said is executed by then; raises what is wrong with it
    def forget(self) -> None: ...  # what it said and nobody executed yet is left out


class Engine(Protocol):
    """A database. `write()` serialises writers (SQLite: BEGIN IMMEDIATE; durable on exit); both roll back on an error."""

    url: str
    query_s: float | None  # how long a question may take; beyond it Invalid is raised

    def read(self) -> AbstractContextManager[Tx]: ...
    def write(self) -> AbstractContextManager[Tx]: ...
    def check(self) -> list[str]: ...  # one sentence per thing found broken
    def close(self) -> None: ...


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


class MessageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Whence and when a message came. digest: `sha256:...` of its bytes as received."""

    number: int
    door: str
    source: str
    digest: str
    recorded_at: int


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


class RecordStore(Protocol):
    def add_record(
        self,
        tx: Tx,
        door: str,
        kind: str,
        key: str,
        body: bytes,
        *,
        number: int | None = None,
        numbered: bool = False,
        parent: int | None = None,
        node: int | None = None,
        at: int,
    ) -> Record: ...  # numbered: takes the next number of its kind
    def get_record(self, tx: Tx, door: str, kind: str, key: str) -> Record | None: ...
    def find_by_number(self, tx: Tx, door: str, kind: str, number: int) -> Record | None: ...
    def find_by_nodes(self, tx: Tx, door: str, kind: str, nodes: Sequence[int]) -> dict[int, Record]: ...
    def list_records(
        self,
        tx: Tx,
        door: str,
        kind: str,
        *,
        parents: Sequence[int] | None = None,
        prefix: str = "",
        after: str = "",
        limit: int = 1000,
    ) -> list[Record]: ...  # in byte order of the keys
    def replace_record(
        self,
        tx: Tx,
        record: Record,
        *,
        body: bytes | None = None,
        key: str | None = None,
        parent: int | None = None,
        node: int | None = None,
        at: int,
    ) -> Record: ...  # None: as it was
    def retract_record(self, tx: Tx, record: Record, *, at: int) -> None: ...
    def list_history(
        self, tx: Tx, door: str, kind: str, key: str, *, limit: int = 1000
    ) -> list[Record]: ...  # every revision, oldest first


class FileStore(Protocol):
    def put_file(self, tx: Tx, node: int, path: str, *, digest: str, size: int, at: int) -> File: ...
    def get_file(self, tx: Tx, node: int, path: str) -> File | None: ...
    def list_files(
        self, tx: Tx, node: int, prefix: str = "", *, after: str = "", limit: int = 100_000
    ) -> list[File]: ...
    def remove_file(self, tx: Tx, node: int, path: str, *, at: int) -> bool: ...  # whether there was one
    def list_kept(self, tx: Tx, digests: Sequence[str]) -> set[str]: ...  # those that a living file names
    def list_named(
        self, tx: Tx
    ) -> dict[str, str]: ...  # every digest that a living file names, and such a file's path


class TokenStore(Protocol):
    def add_token(self, tx: Tx, token: TokenRecord) -> bool: ...  # whether its id was free
    def get_token(self, tx: Tx, id: str) -> TokenRecord | None: ...  # revoked and expired ones too
    def list_tokens(self, tx: Tx, *, limit: int = 1000) -> list[TokenRecord]: ...  # the oldest first
    def has_tokens(self, tx: Tx) -> bool: ...  # whether one was ever made
    def revoke_token(self, tx: Tx, id: str, *, at: int) -> None: ...
    def set_used(self, tx: Tx, id: str, *, at: int) -> None: ...


class ReplyStore(Protocol):
    def get_reply(
        self, tx: Tx, door: str, caller: str, key: str, *, at: int
    ) -> tuple[str, bytes] | None: ...  # digest of the request, body of the reply
    def add_reply(
        self, tx: Tx, door: str, caller: str, key: str, *, digest: str, body: bytes, at: int
    ) -> bool: ...  # False: another transaction was first, and this one must be undone
    def forget_replies(self, tx: Tx, *, at: int, limit: int = 10_000) -> int: ...


class RunGroupRow(msgspec.Struct, frozen=True):
    """Runs that have one value of a field (None: they lack it), and what a metric's last values do among them."""

    value: str | None
    runs: int
    running: int
    failed: int
    last_at: int
    numbers: int
    mean: float | None
    minimum: float | None
    maximum: float | None


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


class LinkedName(msgspec.Struct, frozen=True):
    """A job or artifact with the times at which the first and the last of it was recorded."""

    id: int
    namespace: str
    name: str
    first_at: int
    last_at: int


class LinkedStore(Protocol):
    def list_linked_jobs(
        self,
        tx: Tx,
        *,
        namespace: str | None = None,
        name: str | None = None,
        hidden: Sequence[str] = (),
        as_of: int | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[LinkedName], int]: ...  # a page, and how many there are
    def list_linked_datasets(
        self,
        tx: Tx,
        *,
        namespace: str | None = None,
        name: str | None = None,
        as_of: int | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[LinkedName], int]: ...
    def list_job_runs(
        self, tx: Tx, job: int, *, as_of: int | None = None, limit: int = 100, offset: int = 0
    ) -> tuple[list[int], int]: ...
    def get_speaking_runs(
        self, tx: Tx, jobs: Sequence[int], *, as_of: int | None = None
    ) -> dict[int, int]: ...  # by job: the newest run that has an edge
    def get_touching_jobs(
        self, tx: Tx, artifacts: Sequence[int], *, as_of: int | None = None
    ) -> dict[int, list[int]]: ...
    def list_nodes(
        self, tx: Tx, *, after: int, limit: int, recorded_by: int | None = None
    ) -> list[int]: ...  # of runs, in their order
    def list_facets(
        self, tx: Tx, name: str, *, as_of: int | None = None, limit: int = 100_000
    ) -> list[bytes]: ...  # the documents that stand under a name
    def list_linked_versions(
        self, tx: Tx, artifact: int, *, as_of: int | None = None, limit: int = 100, offset: int = 0
    ) -> tuple[list[int], int]: ...


class StoryStore(Protocol):
    def hold_stories(self, tx: Tx) -> None: ...
    def ask_known(self, tx: Tx, digests: Sequence[str]) -> Asked[set[str]]: ...
    def add_events(self, tx: Tx, events: Sequence[KeptEvent]) -> None: ...
    def list_events(
        self,
        tx: Tx,
        *,
        after: int,
        before: int,
        as_of: int | None = None,
        newest_first: bool = True,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[KeptEvent], int]: ...  # a page, and how many there are in all
    def ask_runs(self, tx: Tx, run_ids: Iterable[str]) -> Asked[dict[str, KeptRun]]: ...
    def get_stories(self, tx: Tx, nodes: Sequence[int]) -> dict[int, bytes]: ...
    def put_stories(self, tx: Tx, stories: dict[int, bytes]) -> None: ...
    def ask_due(self, tx: Tx, limit: int) -> Asked[list[int]]: ...  # runs that were put off
    def put_off(self, tx: Tx, nodes: Sequence[int]) -> None: ...
    def done_with(self, tx: Tx, nodes: Sequence[int]) -> None: ...


class LeaseStore(Protocol):
    def take_lease(self, tx: Tx, name: str, holder: str, *, at: int, until: int) -> bool: ...
    def leave_lease(self, tx: Tx, name: str, holder: str) -> None: ...


class MomentStore(Protocol):
    def ask_series(
        self, tx: Tx, artifacts: Sequence[int]
    ) -> Asked[dict[int, int]]: ...  # only of those that share one
    def get_members(self, tx: Tx, series: int) -> list[int]: ...
    def join_series(self, tx: Tx, one: int, other: int) -> list[int]: ...  # the runs that read either
    def clear_series(self, tx: Tx, series: Sequence[int]) -> set[int]: ...  # the runs that wrote or read
    def put_series(self, tx: Tx, series: Mapping[int, int]) -> None: ...
    def add_writes(self, tx: Tx, writes: Sequence[DatasetWrite]) -> None: ...
    def remove_writes(self, tx: Tx, writes: Sequence[DatasetWrite]) -> None: ...
    def add_reads(self, tx: Tx, reads: Sequence[tuple[int, int, int]]) -> None: ...  # series, time, run
    def remove_reads(self, tx: Tx, reads: Sequence[tuple[int, int, int]]) -> None: ...
    def ask_touched(self, tx: Tx, writes: Sequence[tuple[int, int]]) -> Asked[set[int]]: ...  # the runs
    def ask_newest(
        self, tx: Tx, reads: Sequence[tuple[int, int, int]]
    ) -> Asked[dict[tuple[int, int, int], int]]: ...  # the version that each read found


class ManyStore(Protocol):
    def find_runs(self, tx: Tx, run_ids: Iterable[str]) -> dict[str, int]: ...
    def add_runs(
        self, tx: Tx, runs: Sequence[ManyRun], *, known: dict[str, int], actor: str, at: int
    ) -> dict[str, int]: ...  # their vertices
    def update_runs(self, tx: Tx, runs: dict[int, ManyRun], *, known: dict[str, int]) -> None: ...
    def clear_parents(self, tx: Tx, nodes: Sequence[int]) -> None: ...
    def get_parents(self, tx: Tx, nodes: Sequence[int]) -> dict[str, str]: ...  # with all their ancestors
    def set_states(
        self, tx: Tx, states: Sequence[ManyState], *, fresh: Collection[int] = (), at: int
    ) -> None: ...
    def add_artifacts(
        self, tx: Tx, names: Iterable[tuple[str, str]], *, kind: str, at: int
    ) -> dict[tuple[str, str], int]: ...  # the artifacts' numbers
    def find_versions(self, tx: Tx, digests: Iterable[str]) -> dict[tuple[int, str], int]: ...
    def ask_versions(self, tx: Tx, digests: Iterable[str]) -> Asked[dict[tuple[int, str], int]]: ...
    def add_versions(
        self, tx: Tx, versions: Sequence[ManyVersion], *, kind: str, at: int
    ) -> dict[tuple[int, str], int]: ...  # by artifact and digest
    def add_references(
        self, tx: Tx, references: dict[int, str], *, scheme: str, level: Level, at: int
    ) -> None: ...
    def add_facets(
        self, tx: Tx, facets: Sequence[tuple[int, str, bytes | None]], *, fresh: set[int], batch: int, at: int
    ) -> None: ...
    def add_first_params(
        self, tx: Tx, params: Sequence[tuple[int, Sequence[Attribute]]], *, at: int
    ) -> None: ...


class MlmdStore(Protocol):
    def hold_numbers(self, tx: Tx) -> None: ...
    def last_numbers(self, tx: Tx) -> dict[str, int]: ...
    def get_types(self, tx: Tx, ids: Iterable[int]) -> dict[int, Type]: ...
    def list_types(self, tx: Tx, kind: Kind) -> list[Type]: ...
    def find_types(self, tx: Tx, kind: Kind, names: Iterable[str]) -> list[Type]: ...
    def find_external_types(self, tx: Tx, kind: Kind, external_ids: Iterable[str]) -> list[Type]: ...
    def put_types(self, tx: Tx, types: Sequence[Type]) -> None: ...
    def get_nodes(self, tx: Tx, kind: Kind, ids: Iterable[int]) -> dict[int, MlmdNode]: ...
    def find_named(
        self, tx: Tx, names: Sequence[tuple[int, str]]
    ) -> dict[tuple[int, str], MlmdNode]: ...  # by number of the type and name
    def find_external(self, tx: Tx, kind: Kind, external_ids: Iterable[str]) -> dict[str, MlmdNode]: ...
    def find_by_uri(self, tx: Tx, uris: Iterable[str]) -> list[MlmdNode]: ...
    def put_nodes(
        self, tx: Tx, nodes: Sequence[MlmdNode], before: dict[tuple[Kind, int], MlmdNode]
    ) -> None: ...
    def list_events(
        self, tx: Tx, side: str, ids: Sequence[int], types: Collection[int] | None = None
    ) -> list[MlmdEvent]: ...
    def known_events(self, tx: Tx, ends: Sequence[tuple[int, int]]) -> set[tuple[int, int, int]]: ...
    def add_events(self, tx: Tx, events: Sequence[MlmdEvent]) -> None: ...
    def list_members(self, tx: Tx, context: int, kind: Kind) -> list[int]: ...
    def list_contexts(self, tx: Tx, kind: Kind, ids: Sequence[int]) -> list[tuple[int, int]]: ...
    def known_members(
        self, tx: Tx, contexts: Sequence[int], members: Sequence[int]
    ) -> set[tuple[int, int, int]]: ...
    def add_members(self, tx: Tx, members: Sequence[tuple[int, int, int]]) -> None: ...
    def list_parents(self, tx: Tx, side: str, ids: Sequence[int]) -> list[tuple[int, int]]: ...
    def add_parents(self, tx: Tx, links: Sequence[tuple[int, int]]) -> None: ...
    def get_imported(
        self, tx: Tx, source: str, kind: int, theirs: Iterable[int]
    ) -> dict[int, tuple[int, int]]: ...  # number here, time of update there
    def put_imported(self, tx: Tx, source: str, rows: Sequence[tuple[int, int, int, int]]) -> None: ...


class Term(msgspec.Struct, frozen=True):
    """One comparison.

    field: of runs `metrics.KEY`, `params.KEY`, `tags.KEY`, `facets.NAME.PATH`; `input.name`, `input.digest`, `input.role` of
    what the run read, `output.` likewise of what it wrote; or an attribute `run_id job name namespace state kind actor
    started_at ended_at group group_id tag`. Of versions: see `store.version_terms`.
    op: `= != < <= > >=`, `LIKE`, `ILIKE` (% and _; the latter without regard to the case of ASCII letters), `NOT LIKE`,
    `NOT ILIKE`, `=~`, `!~` (a pattern of `core.pattern`), `IN`, `NOT IN` (a tuple of texts, of numbers for `group_id`),
    `IS NULL`, `IS NOT NULL` (of a key; no value).
    """

    field: str
    op: str
    value: str | float | tuple[str, ...] | tuple[int, ...] = ""


class Every(msgspec.Struct, frozen=True):
    """All of the parts hold."""

    parts: tuple[Condition, ...]


class Some(msgspec.Struct, frozen=True):
    """At least one of the parts holds."""

    parts: tuple[Condition, ...]


class Without(msgspec.Struct, frozen=True):
    """The part does not hold."""

    part: Condition


class Among(msgspec.Struct, frozen=True):
    """The vertex is one of these."""

    nodes: tuple[int, ...]


class Joined(msgspec.Struct, frozen=True):
    """An edge of that kind (`used`, `generated`) joins it to another vertex that fulfils the part; `job`: a run of the same job, itself
    included, fulfils it."""

    kind: str
    part: Condition


Condition = Term | Every | Some | Without | Among | Joined


class Order(msgspec.Struct, frozen=True):
    """field as in Term; newest first by default. as_text: parameters and tags by their bytes, not numbers first."""

    field: str = "started_at"
    descending: bool = True
    as_text: bool = False
