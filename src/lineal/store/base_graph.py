"""Protocols of the store's nouns around the graph: neighbours, what is one and the same, and the graph without versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from lineal.core.events import Evidence
from lineal.core.model import Edge
from lineal.store.tx import Tx

if TYPE_CHECKING:
    from lineal.store.join_rows import Meeting
    from lineal.store.logical import LogicalEdge, LogicalNode


class NeighbourStore(Protocol):
    def list_neighbours(
        self,
        tx: Tx,
        nodes: Sequence[int],
        *,
        up: bool,
        limit: int,
        as_of: int | None = None,
        valid_at: int | None = None,
        skip: Sequence[str] = (),
    ) -> dict[int, list[int]]: ...  # at most `limit` of each; skip: roles of `used` edges
    def list_between(
        self,
        tx: Tx,
        pairs: Iterable[tuple[int, int]],
        *,
        as_of: int | None = None,
        valid_at: int | None = None,
        skip: Sequence[str] = (),
    ) -> list[Edge]: ...  # from the first to the second of each pair
    def list_governing(
        self, tx: Tx, runs: Sequence[int], role: str, *, as_of: int | None = None
    ) -> dict[int, int]: ...  # by run, the version of its code or environment
    def reach(
        self,
        tx: Tx,
        nodes: Sequence[int],
        *,
        up: bool,
        limit: int,
        as_of: int | None = None,
        valid_at: int | None = None,
        skip: Sequence[str] = (),
    ) -> tuple[list[int], bool]: ...  # everything before or behind them, and whether there is more
    def spread(
        self,
        tx: Tx,
        start: int,
        *,
        up: bool,
        limit: int,
        as_of: int | None = None,
        valid_at: int | None = None,
        since: int | None = None,
        evidence: Sequence[str] = (),
        skip: Sequence[str] = (),
    ) -> tuple[dict[int, int], bool]: ...  # distances, nearest first; whether there is more
    def count_kinds(self, tx: Tx, nodes: Sequence[int]) -> dict[str, int]: ...
    def list_kinds(self, tx: Tx) -> set[str]: ...
    def narrow(self, tx: Tx, nodes: Sequence[int], *, kinds: Sequence[str], namespace: str) -> list[int]: ...


class JoinStore(Protocol):
    def add_meeting(
        self,
        tx: Tx,
        one: int,
        other: int,
        *,
        rule: str,
        evidence: Evidence,
        said: str,
        actor: str,
        at: int,
        batch: int = 0,
        apart: bool = False,
    ) -> bool: ...  # whether it is new
    def retract_meetings(
        self,
        tx: Tx,
        one: int,
        other: int,
        *,
        apart: bool,
        actor: str,
        reason: str,
        at: int,
        rule: str | None = None,
    ) -> int: ...  # how many stood
    def list_meetings(
        self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None, history: bool = False
    ) -> list[Meeting]: ...
    def members(self, tx: Tx, node: int, *, as_of: int | None = None) -> list[int]: ...  # all that are one
    def canonical(
        self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None
    ) -> dict[int, int]: ...  # only of those that were joined
    def expand(
        self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None
    ) -> list[int]: ...  # with all that they stand for
    def list_given(
        self, tx: Tx, runs: Sequence[int]
    ) -> dict[int, list[tuple[int, int]]]: ...  # inputs as they were reported
    def add_awaited(
        self, tx: Tx, run_id: str, node: int, *, rule: str, said: str, batch: int, at: int
    ) -> None: ...
    def list_awaited(self, tx: Tx, run_ids: Sequence[str]) -> list[tuple[str, int, str, str, int]]: ...
    def decide(self, tx: Tx, subject: str, choice: str, *, actor: str, reason: str, at: int) -> None: ...
    def get_decisions(
        self, tx: Tx, subjects: Sequence[str], *, as_of: int | None = None
    ) -> dict[str, tuple[str, str, str, int]]: ...  # choice, actor, reason, when


class NameJoinStore(Protocol):
    def add_name_join(
        self,
        tx: Tx,
        one: int,
        other: int,
        *,
        rule: str,
        evidence: Evidence,
        said: str,
        actor: str,
        at: int,
        batch: int = 0,
        apart: bool = False,
    ) -> bool: ...  # whether it is new
    def retract_name_joins(
        self, tx: Tx, one: int, other: int, *, apart: bool, actor: str, reason: str, at: int
    ) -> int: ...  # how many stood
    def list_name_joins(
        self, tx: Tx, artifacts: Sequence[int], *, as_of: int | None = None, history: bool = False
    ) -> list[Meeting]: ...
    def has_name_joins(self, tx: Tx) -> bool: ...  # whether there ever were any
    def find_artifacts(self, tx: Tx, namespace: str | None, name: str) -> list[int]: ...
    def get_names(self, tx: Tx, artifacts: Sequence[int]) -> dict[int, tuple[str, str]]: ...
    def list_states(
        self, tx: Tx, artifacts: Sequence[int], nodes: Sequence[int] | None = None
    ) -> list[tuple[int, int, str]]: ...  # artifact, vertex, digest
    def list_of_digests(self, tx: Tx, artifacts: Sequence[int], digests: Sequence[str]) -> list[int]: ...


class LogicalStore(Protocol):
    def series_of(self, tx: Tx, nodes: Sequence[int]) -> dict[int, int]: ...  # vertex -> logical vertex
    def list_neighbours(
        self,
        tx: Tx,
        keys: Sequence[int],
        *,
        up: bool,
        limit: int,
        as_of: int | None = None,
        valid_at: int | None = None,
    ) -> dict[int, list[int]]: ...
    def list_between(self, tx: Tx, pairs: Iterable[tuple[int, int]]) -> list[LogicalEdge]: ...
    def list_greatest(
        self, tx: Tx, *, limit: int, as_of: int | None = None, valid_at: int | None = None
    ) -> list[int]: ...
    def list_newer(
        self, tx: Tx, versions: Mapping[int, int], *, as_of: int | None = None
    ) -> dict[int, int]: ...  # by version that is not the newest of its artifact, the newest
    def describe(self, tx: Tx, keys: Sequence[int]) -> dict[int, LogicalNode]: ...
