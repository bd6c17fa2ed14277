"""Runs: what was started when, by whom, and how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lineal.core.errors import NotFound
from lineal.core.events import ErrorInfo, State
from lineal.core.ids import is_hex
from lineal.core.model import NodeKind, RunRecord
from lineal.store.history import STANDS, recorded_by
from lineal.store.lists import each
from lineal.store.logical import relink
from lineal.store.nodes import add_node, hold_node
from lineal.store.text import keep
from lineal.store.tx import Row, Tx
from lineal.store.words import add_words, get_words

_RUNS = """
SELECT r.node, r.run_id, j.namespace, j.name, r.name, r.kind, r.parent, r.actor, r.started_at, r.recorded_at,
       s.state, s.at, s.exit_code, s.signal, s.error, d.recorded_at
FROM run r
JOIN job j ON j.id = r.job
LEFT JOIN run_state s ON s.node = r.node AND {state}
LEFT JOIN deletion d ON d.node = r.node AND {deletion}
"""

# What is said of a run again: of one that had no job everything counts, of any other what was empty.
_REPLACE = """
UPDATE run SET job = :job, name = CASE WHEN :name = :empty THEN name ELSE :name END, kind = :kind, actor = CASE WHEN :actor = :empty THEN actor ELSE :actor END,
    parent = COALESCE(:parent, parent), started_at = :started_at
WHERE node = :node
"""
_FILL = """
UPDATE run SET name = CASE WHEN name = :empty THEN :name ELSE name END,
    actor = CASE WHEN actor = :empty THEN :actor ELSE actor END, parent = COALESCE(parent, :parent)
WHERE node = :node AND (name = :empty OR actor = :empty OR parent IS NULL)
"""


class Runs:
    """RunStore."""

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
    ) -> int:
        """The vertex of a run, made now if it is new.

        A run without a job is one of which only the id was known (somebody's parent): everything said now replaces what
        was assumed. Of any other run only what was empty is filled in.
        """
        word = add_words(tx, (namespace, job, name, kind, actor, ""))
        said = {
            "job": _job(tx, word[namespace], word[job]),
            "name": word[name],
            "kind": word[kind],
            "actor": word[actor],
            "parent": parent,
            "started_at": started_at,
        }
        if _known(tx, run_id) is None and (node := _insert(tx, run_id, said, recorded_at)):
            return node
        known, known_job = _known(tx, run_id) or (0, 0)
        replaced = bool(job) and known_job == word[""]
        tx.run(_REPLACE if replaced else _FILL, node=known, empty=word[""], **said)
        if replaced:
            relink(tx, int(known), recorded_at=recorded_at)
        return int(known)

    def find_run(self, tx: Tx, run_id: str) -> int | None:
        """The vertex of a run by its 32 hex digits."""
        if not is_hex(run_id):
            return None
        node = tx.value("SELECT node FROM run WHERE run_id = :run_id", run_id=run_id)
        return None if node is None else int(node)

    def list_runs_by_prefix(self, tx: Tx, prefix: str, limit: int) -> list[RunRecord]:
        """Runs whose id begins with these hex digits, in the order of the ids; none when it is not lower-case hex."""
        if not is_hex(prefix) or len(prefix) > 32:
            return []
        rows = tx.rows(
            "SELECT node FROM run WHERE run_id >= :low AND run_id <= :high ORDER BY run_id LIMIT :limit",
            low=prefix,
            high=prefix.ljust(32, "f"),
            limit=limit,
        )
        found = self.get_runs(tx, [node for (node,) in rows])
        return [found[node] for (node,) in rows]

    def get_runs(self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None) -> dict[int, RunRecord]:
        """Runs by vertex, as they stand now or as the store knew them at `as_of` (a run recorded later is left out)."""
        if not nodes:
            return {}
        sql = _RUNS.format(state=recorded_by(as_of, "s"), deletion=recorded_by(as_of, "d"))
        known = "" if as_of is None else " AND r.recorded_at <= :as_of"
        values = {} if as_of is None else {"as_of": as_of}
        rows = tx.rows(f"{sql} WHERE r.node IN ({each(tx, 'nodes')}){known}", nodes=list(nodes), **values)
        words = get_words(tx, {id for row in rows for id in (*row[2:6], row[7])})
        return {row[0]: _record(row, words) for row in rows}

    def list_children(self, tx: Tx, node: int, limit: int) -> list[int]:
        """The runs whose parent this is, in order of their start."""
        rows = tx.rows(
            "SELECT node FROM run WHERE parent = :node ORDER BY started_at, node LIMIT :limit",
            node=node,
            limit=limit,
        )
        return [child for (child,) in rows]

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
    ) -> bool:
        """Record how a run stands since `at`; what was recorded before remains as history. False when nothing changed."""
        body = None if error is None else msgspec.json.encode(error)
        hold_node(tx, node)
        now = tx.row(
            "SELECT revision, state, at, exit_code, signal, error FROM run_state WHERE node = :node "
            "ORDER BY revision DESC LIMIT 1",
            node=node,
        )
        told = (str(state), at, exit_code, signal, body)
        if now is None and state is State.RUNNING and (exit_code, signal, body) == (None, None, None):
            return False  # a run runs from its start; saying so adds nothing
        if now is not None and tuple(now[1:]) == told:
            return False
        tx.run(
            f"UPDATE run_state SET retracted_at = :at WHERE node = :node AND {STANDS}",
            node=node,
            at=recorded_at,
        )
        tx.run(
            "INSERT INTO run_state (node, revision, state, at, exit_code, signal, error, recorded_at) "
            "VALUES (:node, :revision, :state, :at, :exit_code, :signal, :error, :recorded_at)",
            node=node,
            revision=1 if now is None else now[0] + 1,
            state=str(state),
            at=at,
            exit_code=exit_code,
            signal=signal,
            error=body,
            recorded_at=recorded_at,
        )
        tx.run(
            "UPDATE run SET state = :state, ended_at = :ended_at WHERE node = :node",
            node=node,
            state=str(state),
            ended_at=None if state is State.RUNNING else at,
        )
        return True

    def list_by_state(self, tx: Tx, state: State, limit: int) -> list[int]:
        """Runs that stand so now, oldest start first."""
        rows = tx.rows(
            "SELECT node FROM run WHERE state = :state ORDER BY started_at, node LIMIT :limit",
            state=str(state),
            limit=limit,
        )
        return [node for (node,) in rows]

    def add_deleted(self, tx: Tx, node: int, *, actor: str, reason: str, at: int) -> None:
        """Put a tombstone on a run or version. One that has it already keeps its first. Raises NotFound: no such vertex."""
        if tx.value("SELECT id FROM node WHERE id = :node", node=node) is None:
            raise NotFound(f"there is no vertex {node}", hint="look it up again")
        hold_node(tx, node)
        if tx.value(f"SELECT revision FROM deletion WHERE node = :node AND {STANDS}", node=node) is not None:
            return
        tx.run(
            "INSERT INTO deletion (node, revision, actor, reason, recorded_at) "
            "SELECT CAST(:node AS bigint), count(*) + 1, :actor, :reason, :at FROM deletion WHERE node = :node",
            node=node,
            actor=add_words(tx, (actor,))[actor],
            reason=keep(reason),
            at=at,
        )


def _known(tx: Tx, run_id: str) -> Row | None:
    """The vertex of a run and its job's name."""
    return tx.row(
        "SELECT r.node, j.name FROM run r JOIN job j ON j.id = r.job WHERE r.run_id = :run_id", run_id=run_id
    )


def _insert(tx: Tx, run_id: str, said: dict[str, Any], recorded_at: int) -> int | None:
    """The new run's vertex, or None when another writer made the run meanwhile."""
    node = add_node(tx, NodeKind.RUN)
    found = tx.value(
        "INSERT INTO run (node, run_id, job, name, kind, actor, parent, started_at, recorded_at, state) "
        "VALUES (:node, :run_id, :job, :name, :kind, :actor, :parent, :started_at, :recorded_at, 'running') "
        "ON CONFLICT (run_id) DO NOTHING RETURNING node",
        node=node,
        run_id=run_id,
        recorded_at=recorded_at,
        **said,
    )
    if found is None:
        tx.run("DELETE FROM node WHERE id = :node", node=node)
    return None if found is None else node


def _job(tx: Tx, namespace: int, name: int) -> int:
    find = "SELECT id FROM job WHERE name = :name AND namespace = :namespace"
    found = tx.value(find, namespace=namespace, name=name)
    if found is None:
        tx.run(
            "INSERT INTO job (namespace, name) VALUES (:namespace, :name) ON CONFLICT DO NOTHING",
            namespace=namespace,
            name=name,
        )
        found = tx.value(find, namespace=namespace, name=name)
    return int(found)


def _record(row: Row, words: dict[int, str]) -> RunRecord:
    state = State.RUNNING if row[10] is None else State(row[10])
    return RunRecord(
        node=row[0],
        run_id=row[1],
        namespace=words[row[2]],
        job=words[row[3]],
        name=words[row[4]],
        kind=words[row[5]],
        parent=row[6],
        actor=words[row[7]],
        started_at=row[8],
        state=state,
        ended_at=None if state is State.RUNNING else row[11],
        exit_code=row[12],
        signal=row[13],
        error=None if row[14] is None else msgspec.json.decode(bytes(row[14]), type=ErrorInfo),
        deleted_at=row[15],
    )
