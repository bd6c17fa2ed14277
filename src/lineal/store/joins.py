"""Joins: which vertices stand for one and the same thing, by which rule, and the edges brought to the vertex that stands for all.

The least vertex of those that joins connect stands for them. A join or a split rewrites the canonical ends of the edges that
touch them in the caller's transaction: the rows that stood are retracted and others take their place, so that a walk of the
past finds the ends of the past.
"""

from __future__ import annotations

from collections.abc import Sequence

from lineal.core.errors import Conflict
from lineal.core.events import Evidence
from lineal.store.edges import JOIN_LOCK
from lineal.store.history import STANDS, recorded_by, values_of
from lineal.store.join_rows import Meeting, add_row, list_rows, retract_rows
from lineal.store.lists import each
from lineal.store.logical import keep_part
from lineal.store.text import give, keep
from lineal.store.tx import Tx
from lineal.store.words import add_words, get_words

_MOST = 10_000  # vertices that stand for one thing
_KEPT = "type, given_src, given_dst, at, evidence, via, again, batch"


class Joins:
    """JoinStore."""

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
    ) -> bool:
        """Let two vertices be one from now on, or (`apart`) two; False when that stands already by this rule.

        A join of vertices that somebody holds apart is left out too. Raises Conflict: they are of two kinds, or more than 10,000
        vertices would be one.
        """
        a, b = sorted((one, other))
        if a == b:
            return False
        _lock(tx)
        kinds = tx.rows("SELECT DISTINCT kind FROM node WHERE id IN (:a, :b)", a=a, b=b)
        if len(kinds) != 1:
            raise Conflict("a run and a version cannot be the same", hint="name two runs or two versions")
        held = tx.value(f"SELECT 1 FROM meeting WHERE a = :a AND b = :b AND apart = 1 AND {STANDS}", a=a, b=b)
        if held and not apart:
            return False
        added = add_row(
            tx,
            "meeting",
            (a, b),
            rule=rule,
            evidence=evidence,
            said=said,
            actor=actor,
            batch=batch,
            at=at,
            apart=apart,
        )
        if added and not apart:
            self._settle(tx, [a, b], at)
        return added

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
    ) -> int:
        """Let the joins between two vertices (of one rule, where given; or the decision to hold them apart) cease to stand; how many
        there were."""
        pair = min(one, other), max(one, other)
        _lock(tx)
        ended = retract_rows(tx, "meeting", pair, apart=apart, actor=actor, reason=reason, at=at, rule=rule)
        if ended and not apart:
            self._settle(tx, list(pair), at)
        return ended

    def list_meetings(
        self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None, history: bool = False
    ) -> list[Meeting]:
        """What joins these vertices to others or holds them apart, in order of arrival; with what was retracted, when asked."""
        return list_rows(tx, "meeting", nodes, as_of=as_of, history=history)

    def members(self, tx: Tx, node: int, *, as_of: int | None = None) -> list[int]:
        """All vertices that are one with this one, itself included, in order of their numbers."""
        found, ask = {node}, [node]
        while ask:
            rows = tx.rows(
                f"SELECT m.a, m.b FROM meeting m WHERE (m.a IN ({each(tx, 'ask')}) OR m.b IN ({each(tx, 'ask')})) "
                f"AND m.apart = 0 AND {recorded_by(as_of, 'm')}",
                ask=ask,
                **values_of(as_of),
            )
            ask = sorted({end for row in rows for end in row} - found)
            found.update(ask)
            if len(found) > _MOST:
                raise Conflict(
                    f"more than {_MOST:,} runs or versions would be one and the same",
                    hint="`lineal joins` lists why; `lineal split` takes one out",
                )
        return sorted(found)

    def canonical(self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None) -> dict[int, int]:
        """By vertex, the one that stands for it; those that were never joined are left out."""
        if not nodes:
            return {}
        if as_of is not None:
            first = self._together(tx, nodes, as_of)
            return {node: first[node] for node in nodes if first.get(node, node) != node}
        return dict(
            tx.rows(
                f"SELECT node, stands_for FROM canonical WHERE node IN ({each(tx, 'nodes')})",
                nodes=list(nodes),
            )
        )

    def expand(self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None) -> list[int]:
        """The vertices and all that they stand for, each once."""
        if not nodes:
            return []
        if as_of is not None:
            first = self._together(tx, nodes, as_of)
            wanted = set(nodes)
            return list(dict.fromkeys([*nodes, *sorted(n for n, one in first.items() if one in wanted)]))
        rows = tx.rows(
            f"SELECT node FROM canonical WHERE stands_for IN ({each(tx, 'nodes')})", nodes=list(nodes)
        )
        return list(dict.fromkeys([*nodes, *(node for (node,) in rows)]))

    def _together(self, tx: Tx, nodes: Sequence[int], as_of: int) -> dict[int, int]:
        """By vertex that was joined by then, the least of those that it was one with; of `nodes` and all of those."""
        if not tx.value("SELECT 1 FROM meeting LIMIT 1"):
            return {}
        stands: dict[int, int] = {}

        def first(node: int) -> int:
            while stands.setdefault(node, node) != node:
                stands[node] = node = stands[stands[node]]
            return node

        known, ask = set(nodes), list(nodes)
        while ask:
            rows = tx.rows(
                f"SELECT m.a, m.b FROM meeting m WHERE (m.a IN ({each(tx, 'ask')}) OR m.b IN ({each(tx, 'ask')})) "
                f"AND m.apart = 0 AND {recorded_by(as_of, 'm')}",
                ask=ask,
                **values_of(as_of),
            )
            for a, b in rows:
                low, high = sorted((first(a), first(b)))
                stands[high] = low
            ask = sorted({end for row in rows for end in row} - known)
            known.update(ask)
        return {node: first(node) for node in list(stands)}

    def list_given(self, tx: Tx, runs: Sequence[int]) -> dict[int, list[tuple[int, int]]]:
        """By run that stands for several, (version, run) of each input as it was reported."""
        rows = tx.rows(
            "SELECT e.dst, e.given_src, e.given_dst FROM edge e JOIN edge_type t ON t.id = e.type AND t.kind = 1 "
            f"WHERE e.dst IN ({each(tx, 'runs')}) AND e.{STANDS} ORDER BY e.dst, e.given_dst, e.given_src",
            runs=list(runs),
        )
        found: dict[int, list[tuple[int, int]]] = {}
        for run, version, report in rows:
            found.setdefault(run, []).append((version, report))
        return found

    def _settle(self, tx: Tx, nodes: Sequence[int], at: int) -> None:
        """Bring `canonical` and the edges up to date with the joins that stand around these vertices."""
        wanted: dict[int, int] = {}
        for node in nodes:
            if node not in wanted:
                together = self.members(tx, node)
                wanted |= dict.fromkeys(together, together[0])
        # What one of them stood for before, and no longer does, is in `wanted` too: a retracted join had both its ends there.
        before = self.canonical(tx, list(wanted))
        for node, first in sorted(wanted.items()):
            old = before.get(node, node)
            if old == first:
                continue
            tx.run("DELETE FROM canonical WHERE node = :node", node=node)
            if first != node:
                tx.run(
                    "INSERT INTO canonical (node, stands_for) VALUES (:node, :first)", node=node, first=first
                )
            for end, given, other in (("src", "given_src", "dst"), ("dst", "given_dst", "src")):
                _move(tx, end, given, other, node, old, first, at)

    # ---- what is awaited, and what was decided

    def add_awaited(
        self, tx: Tx, run_id: str, node: int, *, rule: str, said: str, batch: int, at: int
    ) -> None:
        """Keep that a run is one with another, of which only the id is known."""
        tx.run(
            "INSERT INTO awaited (run_id, node, rule, said, batch, recorded_at) "
            "VALUES (:run_id, :node, :rule, :said, :batch, :at) ON CONFLICT DO NOTHING",
            run_id=run_id,
            node=node,
            rule=add_words(tx, (rule,))[rule],
            said=keep(said),
            batch=batch,
            at=at,
        )

    def list_awaited(self, tx: Tx, run_ids: Sequence[str]) -> list[tuple[str, int, str, str, int]]:
        """(run id, vertex that mentions it, rule, what was said, message) of those of the ids that are awaited."""
        if not run_ids:
            return []
        rows = tx.rows(
            "SELECT run_id, node, rule, said, batch FROM awaited "
            f"WHERE run_id IN ({each(tx, 'ids', 'text')}) ORDER BY run_id, node",
            ids=list(run_ids),
        )
        words = get_words(tx, {row[2] for row in rows})
        return [(run, node, words[rule], give(said), batch) for run, node, rule, said, batch in rows]

    def decide(self, tx: Tx, subject: str, choice: str, *, actor: str, reason: str, at: int) -> None:
        """Record a decision about a contradiction; an earlier one remains as history. An empty choice takes it back."""
        tx.run(
            f"UPDATE decision SET retracted_at = :at WHERE subject = :subject AND {STANDS}",
            at=at,
            subject=keep(subject),
        )
        if choice:
            tx.run(
                "INSERT INTO decision (subject, choice, actor, reason, recorded_at) "
                "VALUES (:subject, :choice, :actor, :reason, :at)",
                subject=keep(subject),
                choice=keep(choice),
                actor=add_words(tx, (actor,))[actor],
                reason=keep(reason),
                at=at,
            )

    def get_decisions(
        self, tx: Tx, subjects: Sequence[str], *, as_of: int | None = None
    ) -> dict[str, tuple[str, str, str, int]]:
        """(choice, actor, reason, when) of the contradictions that were decided, by subject."""
        if not subjects:
            return {}
        rows = tx.rows(
            "SELECT d.subject, d.choice, d.actor, d.reason, d.recorded_at FROM decision d "
            f"WHERE d.subject IN ({each(tx, 'subjects', 'text')}) AND {recorded_by(as_of, 'd')}",
            subjects=[keep(subject) for subject in subjects],
            **values_of(as_of),
        )
        words = get_words(tx, {row[2] for row in rows})
        return {
            give(s): (give(choice), words[actor], give(reason), at) for s, choice, actor, reason, at in rows
        }


def _move(tx: Tx, end: str, given: str, other: str, node: int, old: int, new: int, at: int) -> None:
    """Bring the edges that were reported of `node` from the vertex that stood for it to the one that does now."""
    rows = tx.rows(
        f"UPDATE edge SET retracted_at = :at WHERE {end} = :old AND {given} = :node AND {STANDS} "
        f"RETURNING {other}, {_KEPT}",
        old=old,
        node=node,
        at=at,
    )
    if rows:
        keep_part(tx, [(node, first) for first in (old, new)], gone=True)
    names = [other, *_KEPT.split(", ")]
    for row in rows:
        values = dict(zip(names, row, strict=True))
        key = f"k.{end} = :new AND k.{other} = :{other} AND k.type = :type AND k.given_src = :given_src AND k.given_dst = :given_dst"
        tx.run(
            f"INSERT INTO edge ({end}, {other}, {_KEPT}, revision, recorded_at) SELECT CAST(:new AS bigint), "
            f"CAST(:{other} AS bigint), CAST(:type AS bigint), CAST(:given_src AS bigint), CAST(:given_dst AS bigint), "
            "CAST(:at AS bigint), CAST(:evidence AS smallint), CAST(:via AS bigint), CAST(:again AS smallint), "
            "CAST(:batch AS bigint), COALESCE((SELECT max(k.revision) FROM edge k WHERE "
            f"{key}), 0) + 1, CAST(:moved AS bigint)",
            new=new,
            moved=at,
            **values,
        )


def _lock(tx: Tx) -> None:
    if tx.engine == "postgres":
        tx.rows("SELECT pg_advisory_xact_lock(:lock)", lock=JOIN_LOCK)
