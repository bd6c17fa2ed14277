"""What a batch of events says of many runs at once, recorded as if it had been said one after the other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lineal.core.events import ErrorInfo, State
from lineal.core.model import Attribute, EdgeKind, NodeKind
from lineal.store.attributes import set_attributes
from lineal.store.bulk import insert, update
from lineal.store.history import STANDS
from lineal.store.lists import each
from lineal.store.many import RUN_COLUMNS, add_jobs
from lineal.store.nodes import add_nodes, hold_nodes
from lineal.store.runs import Runs
from lineal.store.tx import Row, Tx
from lineal.store.words import add_words

_STATE = (
    ("node", "bigint"),
    ("revision", "integer"),
    ("state", "text"),
    ("at", "bigint"),
    ("exit_code", "integer"),
    ("signal", "integer"),
    ("error", "bytea"),
    ("recorded_at", "bigint"),
    ("retracted_at", "bigint"),
)


class RunSaid(msgspec.Struct, frozen=True, gc=False):
    """That there is a run. job: empty where only its id is known; parent: the id of one said before, in the batch or earlier."""

    run_id: str
    namespace: str
    job: str
    started_at: int
    name: str = ""
    kind: str = "run"
    parent: str | None = None
    actor: str = ""


class StateSaid(msgspec.Struct, frozen=True, gc=False):
    """How a run that was said before stands since `at`. unless_ended: it says nothing of a run that has ended."""

    run_id: str
    state: State
    at: int
    exit_code: int | None = None
    signal: int | None = None
    error: ErrorInfo | None = None
    unless_ended: bool = False


class Arrived(msgspec.Struct, frozen=True):
    """nodes: the vertices of all runs by id; fresh: those made just now; claims: of runs of which another parent stands, that
    run's vertex and the id of the parent that was said."""

    nodes: dict[str, int]
    fresh: set[int]
    claims: list[tuple[int, str]]


@dataclass(slots=True)
class _Run:
    node: int
    fresh: bool
    job: tuple[str, str] = ("", "")
    name: str = ""
    kind: str = ""
    actor: str = ""
    parent: int | None = None
    started_at: int = 0
    state: State = State.RUNNING
    ended_at: int | None = None
    revision: int = 0
    told: tuple[Any, ...] | None = None  # how it stands, as kept
    moved: bool = False  # since the batch began
    parents: list[tuple[int, str]] = field(default_factory=list)  # that were said
    said: bool = False  # of a new one: whether more than its id is known

    def take_over(self, said: RunSaid) -> None:
        """What is said of a run again: of one that had no job everything counts, of any other what was empty."""
        parent = self.parents[-1][0] if said.parent else None
        if not self.said or (said.job and not self.job[1]):
            self.said = True
            self.job, self.kind, self.started_at = (said.namespace, said.job), said.kind, said.started_at
            self.name, self.actor = said.name or self.name, said.actor or self.actor
            self.parent = self.parent if parent is None else parent
            return
        self.name, self.actor = self.name or said.name, self.actor or said.actor
        self.parent = parent if self.parent is None else self.parent


class Arriving:
    """ArrivingStore."""

    def add_runs(self, tx: Tx, said: Sequence[RunSaid | StateSaid], *, recorded_at: int) -> Arrived:
        """Record runs and how they stand, in the order in which it was said.

        When another server records one of the new runs at this very moment, the transaction ends with Unavailable.
        """
        if not said:
            return Arrived({}, set(), [])
        runs = _found(tx, list(dict.fromkeys(item.run_id for item in said)))
        _know_states(tx, {runs[item.run_id].node: runs[item.run_id] for item in said if _is_state(item)})
        again: list[RunSaid] = []
        states: dict[tuple[int, int], list[Any]] = {}
        retracted: list[int] = []
        for item in said:
            run = runs[item.run_id]
            if isinstance(item, StateSaid):
                _stand(run, item, states, retracted, recorded_at)
                continue
            if item.parent:
                run.parents.append((runs[item.parent].node, item.parent))
            if run.fresh:
                run.take_over(item)
            elif item.name or item.actor or item.parent or item.job:
                again.append(item)
        fresh = {run_id: run for run_id, run in runs.items() if run.fresh}
        _insert(tx, fresh, recorded_at)
        for item in again:
            _say_again(tx, item, runs, recorded_at)
        _keep_states(tx, [run for run in runs.values() if run.moved], states, retracted, recorded_at)
        return Arrived(
            {run_id: run.node for run_id, run in runs.items()},
            {run.node for run in fresh.values()},
            _claims(tx, list(runs.values())),
        )

    def add_params(
        self, tx: Tx, params: Mapping[int, Sequence[Attribute]], *, fresh: Collection[int], at: int
    ) -> None:
        """Set parameters of many vertices; fresh: those that had none."""
        set_attributes(tx, "params", params, at, "", fresh)

    def set_tags(
        self, tx: Tx, tags: Mapping[int, Sequence[Attribute]], *, fresh: Collection[int], at: int, actor: str
    ) -> None:
        """Likewise tags."""
        set_attributes(tx, "tags", tags, at, actor, fresh)

    def first_touched(self, tx: Tx, versions: Sequence[int]) -> dict[int, list[tuple[int | None, int]]]:
        """By version: who wrote it and when first (the run), and when it was read first (None)."""
        found: dict[int, list[tuple[int | None, int]]] = {}
        if not versions:
            return found
        for near, far, kind in (("dst", "e.src", EdgeKind.GENERATED), ("src", "NULL", EdgeKind.USED)):
            rows = tx.rows(
                f"SELECT e.{near}, CAST({far} AS bigint) AS run, min(e.at) FROM edge e JOIN edge_type t ON t.id = e.type "
                f"WHERE e.{near} IN ({each(tx, 'nodes')}) AND t.kind = :kind AND e.{STANDS} GROUP BY 1, 2",
                nodes=list(versions),
                kind=int(kind),
            )
            for version, run, at in rows:
                found.setdefault(version, []).append((run, at))
        return found


def _is_state(item: RunSaid | StateSaid) -> bool:
    return isinstance(item, StateSaid)


def _found(tx: Tx, run_ids: list[str]) -> dict[str, _Run]:
    """The runs of these ids, each with its vertex, which new ones get now."""
    nodes: dict[str, int] = dict(
        tx.rows(f"SELECT run_id, node FROM run WHERE run_id IN ({each(tx, 'ids', 'text')})", ids=run_ids)
    )
    runs = {run_id: _Run(node, fresh=False) for run_id, node in nodes.items()}
    new = [run_id for run_id in run_ids if run_id not in runs]
    made = add_nodes(tx, NodeKind.RUN, len(new)) if new else []
    runs |= {run_id: _Run(node, fresh=True) for run_id, node in zip(new, made, strict=True)}
    return runs


def _know_states(tx: Tx, runs: dict[int, _Run]) -> None:
    """How runs that are known stand."""
    known = sorted(node for node, run in runs.items() if not run.fresh)
    if not known:
        return
    hold_nodes(tx, known)
    for node, revision, *told in tx.rows(
        "SELECT node, revision, state, at, exit_code, signal, error FROM run_state "
        f"WHERE node IN ({each(tx, 'nodes')}) ORDER BY node, revision",
        nodes=known,
    ):
        run = runs[node]
        error = None if told[-1] is None else bytes(told[-1])
        run.revision, run.told = revision, (*told[:-1], error)
        run.state = State(told[0])


def _stand(
    run: _Run,
    said: StateSaid,
    states: dict[tuple[int, int], list[Any]],
    retracted: list[int],
    recorded_at: int,
) -> None:
    if said.unless_ended and run.state is not State.RUNNING:
        return
    body = None if said.error is None else msgspec.json.encode(said.error)
    told = (str(said.state), said.at, said.exit_code, said.signal, body)
    if run.told is None and said.state is State.RUNNING and told[2:] == (None, None, None):
        return  # a run runs from its start; saying so adds nothing
    if run.told == told:
        return
    if (
        run.node,
        run.revision,
    ) in states:  # replaced within this very call: recorded, and never seen to stand
        states[run.node, run.revision][-1] = recorded_at
    elif run.told is not None:
        retracted.append(run.node)
    run.revision, run.told, run.state, run.moved = run.revision + 1, told, said.state, True
    run.ended_at = None if said.state is State.RUNNING else said.at
    states[run.node, run.revision] = [run.node, run.revision, *told, recorded_at, None]


def _insert(tx: Tx, runs: dict[str, _Run], recorded_at: int) -> None:
    if not runs:
        return
    word = add_words(tx, {text for run in runs.values() for text in (run.name, run.kind, run.actor)})
    jobs = add_jobs(tx, {run.job for run in runs.values()})
    rows: list[Row] = [
        (
            run.node,
            run_id,
            jobs[run.job],
            word[run.name],
            word[run.kind],
            word[run.actor],
            run.parent,
            run.started_at,
            recorded_at,
            str(run.state),
            run.ended_at,
        )
        for run_id, run in runs.items()
    ]
    if tx.engine == "postgres":  # in one order, so that two writers never wait for each other in a ring
        rows.sort(key=lambda row: row[1])
    insert(tx, "run", RUN_COLUMNS, rows, conflict="")


def _say_again(tx: Tx, said: RunSaid, runs: dict[str, _Run], recorded_at: int) -> None:
    Runs().add_run(
        tx,
        said.run_id,
        namespace=said.namespace,
        job=said.job,
        name=said.name,
        kind=said.kind,
        parent=runs[said.parent].node if said.parent else None,
        actor=said.actor,
        started_at=said.started_at,
        recorded_at=recorded_at,
    )


def _keep_states(
    tx: Tx,
    moved: list[_Run],
    states: dict[tuple[int, int], list[Any]],
    retracted: list[int],
    recorded_at: int,
) -> None:
    tx.run_each(
        f"UPDATE run_state SET retracted_at = :at WHERE node = :node AND {STANDS}",
        [{"node": node, "at": recorded_at} for node in retracted],
    )
    insert(tx, "run_state", _STATE, [tuple(row) for row in states.values()], conflict="")
    update(
        tx,
        "run",
        ("node", "bigint"),
        (("state", "text"), ("ended_at", "bigint")),
        sorted((run.node, str(run.state), run.ended_at) for run in moved if not run.fresh),
    )


def _claims(tx: Tx, runs: list[_Run]) -> list[tuple[int, str]]:
    told = [run for run in runs if run.parents]
    known = [run.node for run in told if not run.fresh]
    standing: dict[int, int | None] = {run.node: run.parent for run in told}
    if known:
        standing |= dict(
            tx.rows(f"SELECT node, parent FROM run WHERE node IN ({each(tx, 'nodes')})", nodes=known)
        )
    return [
        (run.node, run_id)
        for run in told
        for parent, run_id in dict.fromkeys(run.parents)
        if parent != standing[run.node]
    ]
