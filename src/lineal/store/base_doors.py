"""What doors and imports ask of a store for themselves: what they were sent, kept beside the graph, and writes of many at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from lineal.core.events import Level
from lineal.core.mlmd import Event as MlmdEvent
from lineal.core.mlmd import Kind, Type
from lineal.core.mlmd import Node as MlmdNode
from lineal.core.model import (
    Attribute,
)

if TYPE_CHECKING:
    from lineal.store.arriving import Arrived, RunSaid, StateSaid
    from lineal.store.files import File
    from lineal.store.many import ManyRun, ManyState, ManyVersion
    from lineal.store.moments import DatasetWrite
    from lineal.store.records import Record
    from lineal.store.stories import KeptEvent, KeptRun

from lineal.store.tx import Asked, Tx


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


class ReplyStore(Protocol):
    def get_reply(
        self, tx: Tx, door: str, caller: str, key: str, *, at: int
    ) -> tuple[str, bytes] | None: ...  # digest of the request, body of the reply
    def add_reply(
        self, tx: Tx, door: str, caller: str, key: str, *, digest: str, body: bytes, at: int
    ) -> bool: ...  # False: another transaction was first, and this one must be undone
    def forget_replies(self, tx: Tx, *, at: int, limit: int = 10_000) -> int: ...


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
        without: Sequence[int] = (),
        as_of: int | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[LinkedName], int]: ...  # a page, and how many there are
    def last_read(self, tx: Tx, artifacts: Sequence[int], *, as_of: int | None = None) -> dict[int, int]: ...
    def list_linked_datasets(
        self,
        tx: Tx,
        *,
        namespace: str | None = None,
        name: str | None = None,
        without: Sequence[int] = (),
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
        self,
        tx: Tx,
        artifacts: Sequence[int],
        *,
        as_of: int | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> dict[int, tuple[list[int], int]]: ...


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


class ArrivingStore(Protocol):
    def add_runs(
        self, tx: Tx, said: Sequence[RunSaid | StateSaid], *, recorded_at: int
    ) -> Arrived: ...  # as if said one after the other
    def add_params(
        self, tx: Tx, params: Mapping[int, Sequence[Attribute]], *, fresh: Collection[int], at: int
    ) -> None: ...
    def set_tags(
        self, tx: Tx, tags: Mapping[int, Sequence[Attribute]], *, fresh: Collection[int], at: int, actor: str
    ) -> None: ...
    def first_touched(
        self, tx: Tx, versions: Sequence[int]
    ) -> dict[int, list[tuple[int | None, int]]]: ...  # run that wrote it (None: it was read), and when first


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
    def get_paths(self, tx: Tx, ids: Sequence[int]) -> dict[int, list[int | str]]: ...
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
