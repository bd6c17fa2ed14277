"""Searching runs and versions. The planner is ours: the rarest term drives when it is rare, else the ordering key; all others
are EXISTS."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lineal.core.errors import Invalid
from lineal.core.model import EdgeKind
from lineal.store import version_terms
from lineal.store.conditions import Among, Condition, Every, Joined, Order, Term, Without
from lineal.store.history import recorded_by, values_of
from lineal.store.lists import each
from lineal.store.orders import Phase, phases, then
from lineal.store.terms import Probe, compile_term
from lineal.store.tx import Tx

_MOST = 1_000_000  # things in one answer
_MOST_TERMS = 500
_COLUMN = re.compile(r"[ro]\.\w+")  # an ordering key that an index holds
_DEEPEST = 50  # conditions within conditions
_MOST_NODES = 300_000  # of one Among


class Subject(NamedTuple):
    """What is searched. table: its rows have a vertex `node`; compile: a term on it; ends: by kind of edge, the column where it
    stands, the column and the kind of what is at the other end."""

    table: str
    compile: Callable[[Tx, Term, int, int | None], Probe | None]
    ends: Mapping[str, tuple[str, str, EdgeKind]]


RUN = Subject(
    "run",
    compile_term,
    {"used": ("dst", "src", EdgeKind.USED), "generated": ("src", "dst", EdgeKind.GENERATED)},
)
VERSION = Subject(
    "version",
    version_terms.compile_term,
    {"used": ("src", "dst", EdgeKind.USED), "generated": ("dst", "src", EdgeKind.GENERATED)},
)


class _Wanted(NamedTuple):
    """What is searched for. probes: hold together; conditions: further ones, as SQL over `r`, with their values."""

    probes: list[Probe]
    conditions: list[str]
    values: dict[str, Any]


class Search:
    """SearchStore."""

    def __init__(self, *, patience: int = 4) -> None:
        """patience: how much more a walk along the ordering key may cost than a look at every run of the rarest term,
        before the latter is preferred; 0: never preferred."""
        self._patience = patience

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
    ) -> list[int]:
        """Runs that fulfil all terms, in order; ties by latest start, then by latest arrival. The first `offset` are left out.

        A run that lacks a term's key does not fulfil it, not even with `!=`; `group != X` is fulfilled outside of X.
        Numbers are compared as numbers, texts byte by byte. In an order, numbers come before NaN or text, and runs
        without the key last, in both directions. as_of: as it was recorded by then, except that metrics and names
        are those of now, and so is an order by them.

        Raises Invalid: an unknown field or operator, a value that cannot be compared with the field, or too many terms.
        """
        if not 0 <= limit <= _MOST or not offset >= 0:
            raise Invalid(f"a limit of {limit} runs was given", hint=f"between 0 and {_MOST} are wanted")
        orders = [order] if isinstance(order, Order) else list(order) or [Order()]
        stretches = phases(tx, orders[0], as_of=as_of)
        ties = then(tx, orders, as_of=as_of)
        wanted = _compiled(tx, terms, RUN, as_of)
        if wanted is None:
            return []
        wanted.conditions.extend(_standing(include_deleted, only_deleted, as_of))
        driver, count = _rarest(tx, wanted, limit + offset, self._patience)
        found: list[int] = []
        for phase in stretches:
            left = limit + offset - len(found)
            if left <= 0 or any(probe.field == phase.lacking is not None for probe in wanted.probes):
                continue
            part: list[int] = []
            if driver is not None and (near := _nearest(tx, phase, orders[0], left, count)):
                part = _run_phase(tx, near, ties, wanted, None, orders[0], left)
            if len(part) < left:
                part = _run_phase(tx, phase, ties, wanted, driver, orders[0], left)
            found += part
        return found[offset:]

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
    ) -> list[int]:
        """Versions that fulfil all terms, in order; ties by latest arrival. Otherwise as `search_runs`; the fields are those of
        `version_terms`, and `metrics.KEY` and `params.KEY` those of a run that generated it."""
        if not 0 <= limit <= _MOST or not offset >= 0:
            raise Invalid(f"a limit of {limit} versions was given", hint=f"between 0 and {_MOST} are wanted")
        wanted = _compiled(tx, terms, VERSION, as_of)
        if wanted is None:
            return []
        wanted.conditions.extend(_standing(include_deleted, False, as_of))
        driver, _ = _rarest(tx, wanted, limit + offset, self._patience)
        keys, values = version_terms.order_keys(tx, order, as_of=as_of)
        where, tables = list(wanted.conditions), "version r"
        for number, probe in enumerate(wanted.probes):
            values |= probe.values
            if probe is not driver:
                where.append(_exists(probe, f"p{number}"))
        if driver is not None:
            driving = f"SELECT DISTINCT {{t}}.node FROM {driver.source} WHERE {driver.where}".format(t="t")
            tables = f"({driving}) k CROSS JOIN version r"
            where.append("r.node = k.node")
        rows = tx.rows(
            f"SELECT r.node FROM {tables}{' WHERE ' + ' AND '.join(where) if where else ''} "
            f"ORDER BY {keys} LIMIT :limit OFFSET :offset",
            limit=limit,
            offset=offset,
            **values,
            **wanted.values,
        )
        return [node for (node,) in rows]


def _standing(include_deleted: bool, only_deleted: bool, as_of: int | None) -> list[str]:
    """Conditions on the thing itself: whether it was recorded by then, and whether it was deleted."""
    there = [] if as_of is None else ["r.recorded_at <= :as_of"]
    tombstone = f"EXISTS (SELECT 1 FROM deletion d WHERE d.node = r.node AND {recorded_by(as_of, 'd')})"
    if only_deleted:
        return [*there, tombstone]
    return there if include_deleted else [*there, f"NOT {tombstone}"]


def _compiled(tx: Tx, terms: Sequence[Condition], subject: Subject, as_of: int | None) -> _Wanted | None:
    """The terms as SQL; None when nothing can fulfil them all."""
    wanted = _Wanted([], [], dict(values_of(as_of)))
    compiler = _Compiler(tx, wanted.values, as_of)
    impossible = False
    for term in _flat(terms):
        if isinstance(term, Term | Among | Joined):
            probe = compiler.probe(term, subject)
            impossible |= probe is None
            if probe is not None:
                wanted.probes.append(probe)
        else:
            wanted.conditions.append(compiler.condition(term, subject, "r", 0))
    return None if impossible else wanted


def _flat(terms: Sequence[Condition]) -> list[Condition]:
    """The terms with those of a conjunction in its place."""
    found: list[Condition] = []
    for term in terms:
        found += _flat(term.parts) if isinstance(term, Every) and len(term.parts) <= _MOST_TERMS else [term]
    return found


class _Compiler:
    """Turns conditions into SQL; counts terms, so that their values have names of their own."""

    def __init__(self, tx: Tx, values: dict[str, Any], as_of: int | None) -> None:
        self._tx, self._values, self._as_of = tx, values, as_of
        self._count = 0

    def _next(self) -> int:
        self._count += 1
        if self._count > _MOST_TERMS:
            raise Invalid(
                f"more than {_MOST_TERMS} comparisons", hint="ask in several searches, or with IN (...)"
            )
        return self._count

    def condition(self, condition: Condition, subject: Subject, alias: str, depth: int) -> str:
        """A condition over the subject's rows under that alias; its values are added to those of the query."""
        if depth > _DEEPEST:
            raise Invalid(f"conditions more than {_DEEPEST} deep", hint="write them flatter")
        if isinstance(condition, Term | Among | Joined):
            probe = self.probe(condition, subject, depth)
            if probe is None:
                return "0 = 1"
            self._values |= probe.values
            return _exists(probe, f"t{self._count}", alias)
        if isinstance(condition, Without):
            return f"NOT {self.condition(condition.part, subject, alias, depth + 1)}"
        if not condition.parts:
            return "0 = 0" if isinstance(condition, Every) else "0 = 1"
        joint = " AND " if isinstance(condition, Every) else " OR "
        parts = [self.condition(part, subject, alias, depth + 1) for part in condition.parts]
        return f"({joint.join(parts)})"

    def probe(self, term: Term | Among | Joined, subject: Subject, depth: int = 0) -> Probe | None:
        """One term as SQL; None when nothing can fulfil it."""
        number = self._next()
        if isinstance(term, Term):
            try:
                return subject.compile(self._tx, term, number, self._as_of)
            except Invalid as error:
                if term.said_at >= 0:
                    error.subject["said_at"] = str(term.said_at)
                raise
        if isinstance(term, Among):
            return self._among(term, number)
        if term.kind == "job" and subject is RUN:
            row = f"o{number}"
            inner = self.condition(term.part, RUN, row, depth + 1)
            source = f"(SELECT n.node FROM run {row} JOIN run n ON n.job = {row}.job WHERE {inner}) {{t}}"
            return Probe(source, "0 = 0", {}, None, _selective(term.part))
        near, far, kind = subject.ends[term.kind]
        other = VERSION if subject is RUN else RUN
        row = f"o{number}"
        inner = self.condition(term.part, other, row, depth + 1)
        source = (
            f"(SELECT e.{near} AS node FROM {other.table} {row} JOIN edge e ON e.{far} = {row}.node "
            f"AND {recorded_by(self._as_of, 'e')} JOIN edge_type y ON y.id = e.type AND y.kind = {int(kind)} "
            f"WHERE {inner}) {{t}}"
        )
        return Probe(source, "0 = 0", {}, None, _selective(term.part))

    def _among(self, term: Among, number: int) -> Probe | None:
        if len(term.nodes) > _MOST_NODES:
            raise Invalid(
                f"{len(term.nodes):,} vertices to look among, at most {_MOST_NODES:,} are taken",
                hint="ask for less at once",
            )
        if not term.nodes:
            return None
        source = f"SELECT k.item AS node FROM ({each(self._tx, f'nodes{number}')}) k"
        return Probe(
            f"({source}) {{t}}", "0 = 0", {f"nodes{number}": list(term.nodes)}, None, True, False, True
        )


def _selective(part: Condition) -> bool:
    """Whether what is asked of the other end can be found by an index, so that it may drive a search."""
    if isinstance(part, Every):
        return any(_selective(inner) for inner in part.parts)
    return (isinstance(part, Term) and part.op in {"=", "IN"}) or isinstance(part, Among)


def _rarest(tx: Tx, wanted: _Wanted, limit: int, patience: int) -> tuple[Probe | None, int]:
    """The term that fewest vertices fulfil, and how many those are, when they are so few that looking at each is cheaper than
    walking along the ordering key until `limit` runs are found, should it lead past all that are wanted; else None."""
    if not patience or not any(probe.indexed for probe in wanted.probes):
        return None, 0
    most = 1000 + patience * math.isqrt(limit * _vertices(tx))
    rarest: Probe | None = None
    for probe in wanted.probes:
        if probe.indexed and not probe.negated:
            rows = f"SELECT 1 FROM {probe.source} WHERE {probe.where} LIMIT :most".format(t="t")
            values = {**wanted.values, **probe.values}
            count = tx.value(f"SELECT count(*) FROM ({rows}) counted", most=most + 1, **values)
            if count <= most:
                rarest, most = probe, count
    return rarest, most


def _nearest(tx: Tx, phase: Phase, order: Order, limit: int, count: int) -> Phase | None:
    """The beginning of a stretch, where a walk along the ordering key will find `limit` of `count` vertices if they are
    spread evenly, at half the cost of looking at each of them; None where it will not, or no column is the key."""
    if 2 * limit * _vertices(tx) > count * count or not _COLUMN.fullmatch(phase.order):
        return None
    bound = tx.value(
        f"SELECT {phase.order} FROM {phase.source or 'run r'}{' WHERE ' + phase.where if phase.where else ''} "
        f"ORDER BY {phase.order} {'DESC' if order.descending else 'ASC'} LIMIT 1 OFFSET :within",
        within=count // 2,
        **phase.values,
    )
    if bound is None:
        return None
    test = f"{phase.order} {'>=' if order.descending else '<='} :bound"
    where = f"{phase.where} AND {test}" if phase.where else test
    return phase._replace(where=where, values={**phase.values, "bound": bound})


def _vertices(tx: Tx) -> int:
    return int(tx.value("SELECT max(id) FROM node") or 0)


def _run_phase(
    tx: Tx, phase: Phase, ties: Phase, wanted: _Wanted, driver: Probe | None, order: Order, limit: int
) -> list[int]:
    where = [*([phase.where] if phase.where else []), *wanted.conditions]
    values: dict[str, Any] = {"limit": limit, **phase.values, **ties.values, **wanted.values}
    for number, probe in enumerate(wanted.probes):
        values |= probe.values
        if phase.field == probe.field is not None and " JOIN " not in probe.source:
            where.append(probe.where.format(t="o"))  # bounds the range that is walked
        elif probe is not driver:
            where.append(_exists(probe, f"p{number}"))
    # CROSS JOIN keeps SQLite to this order; PostgreSQL plans by its statistics.
    tables = [f"{phase.source} CROSS JOIN run r" if phase.source else "run r"]
    if phase.source:
        where.append("r.node = o.node")
    if driver is not None:
        driving = f"SELECT DISTINCT {{t}}.node FROM {driver.source} WHERE {driver.where}".format(t="t")
        tables = [f"({driving}) k", "run r", *([phase.source] if phase.source else [])]
        where.append("r.node = k.node")
    first = f"{phase.order} {'DESC' if order.descending else 'ASC'}, " if phase.order else ""
    rows = tx.rows(
        f"SELECT r.node FROM {' CROSS JOIN '.join(tables)}{' WHERE ' + ' AND '.join(where) if where else ''} "
        f"ORDER BY {first}{ties.order} LIMIT :limit",
        **values,
    )
    return [node for (node,) in rows]


def _exists(probe: Probe, alias: str, outer: str = "r") -> str:
    if probe.among:
        test = f"{outer}.node IN (SELECT {{t}}.node FROM {probe.source})".format(t=alias)
    else:
        test = (
            f"EXISTS (SELECT 1 FROM {probe.source} WHERE {{t}}.node = {outer}.node AND {probe.where})".format(
                t=alias
            )
        )
    return f"NOT {test}" if probe.negated else test
