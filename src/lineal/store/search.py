"""Searching runs. The planner is ours: the rarest term drives when it is rare, else the ordering key; all others are EXISTS."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from lineal.core.errors import Invalid
from lineal.store.base import Condition, Every, Order, Term, Tx, Without
from lineal.store.orders import Phase, phases, then
from lineal.store.terms import Probe, compile_term

_TOMBSTONE = "EXISTS (SELECT 1 FROM deletion d WHERE d.node = r.node AND d.retracted_at IS NULL)"
_MOST = 1_000_000  # runs of one answer
_MOST_TERMS = 500
_DEEPEST = 50  # conditions within conditions


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
    ) -> list[int]:
        """Runs that fulfil all terms, in order; ties by latest start, then by latest arrival. The first `offset` are left out.

        A run that lacks a term's key does not fulfil it, not even with `!=`; `group != X` is fulfilled outside of X.
        Numbers are compared as numbers, texts byte by byte. In an order, numbers come before NaN or text, and runs
        without the key last, in both directions.

        Raises Invalid: an unknown field or operator, a value that cannot be compared with the field, or too many terms.
        """
        if not 0 <= limit <= _MOST or not offset >= 0:
            raise Invalid(f"a limit of {limit} runs was given", hint=f"between 0 and {_MOST} are wanted")
        orders = [order] if isinstance(order, Order) else list(order) or [Order()]
        stretches = phases(tx, orders[0])
        ties = then(tx, orders)
        wanted = _compiled(tx, terms)
        if wanted is None:
            return []
        wanted.conditions.extend(_standing(include_deleted, only_deleted))
        driver = _rarest(tx, wanted.probes, limit + offset, self._patience)
        found: list[int] = []
        for phase in stretches:
            lacking = any(probe.field == phase.lacking is not None for probe in wanted.probes)
            if len(found) < limit + offset and not lacking:
                found += _run_phase(tx, phase, ties, wanted, driver, orders[0], limit + offset - len(found))
        return found[offset:]


def _standing(include_deleted: bool, only_deleted: bool) -> list[str]:
    if only_deleted:
        return [_TOMBSTONE]
    return [] if include_deleted else [f"NOT {_TOMBSTONE}"]


def _compiled(tx: Tx, terms: Sequence[Condition]) -> _Wanted | None:
    """The terms as SQL; None when nothing can fulfil them all."""
    wanted = _Wanted([], [], {})
    names = _Names()
    impossible = False
    for term in _flat(terms):
        if isinstance(term, Term):
            probe = compile_term(tx, term, names.next())
            impossible |= probe is None
            if probe is not None:
                wanted.probes.append(probe)
        else:
            wanted.conditions.append(_condition(tx, term, names, wanted.values, 0))
    return None if impossible else wanted


def _flat(terms: Sequence[Condition]) -> list[Condition]:
    """The terms with those of a conjunction in its place."""
    found: list[Condition] = []
    for term in terms:
        found += _flat(term.parts) if isinstance(term, Every) and len(term.parts) <= _MOST_TERMS else [term]
    return found


class _Names:
    """Counts terms, so that their values have names of their own."""

    def __init__(self) -> None:
        self._count = 0

    def next(self) -> int:
        self._count += 1
        if self._count > _MOST_TERMS:
            raise Invalid(
                f"more than {_MOST_TERMS} comparisons", hint="ask in several searches, or with IN (...)"
            )
        return self._count


def _condition(tx: Tx, condition: Condition, names: _Names, values: dict[str, Any], depth: int) -> str:
    """A condition over `r` as SQL; its values are added to `values`."""
    if depth > _DEEPEST:
        raise Invalid(f"conditions more than {_DEEPEST} deep", hint="write them flatter")
    if isinstance(condition, Term):
        number = names.next()
        probe = compile_term(tx, condition, number)
        if probe is None:
            return "0 = 1"
        values |= probe.values
        return _exists(probe, f"t{number}")
    if isinstance(condition, Without):
        return f"NOT {_condition(tx, condition.part, names, values, depth + 1)}"
    if not condition.parts:
        return "0 = 0" if isinstance(condition, Every) else "0 = 1"
    joint = " AND " if isinstance(condition, Every) else " OR "
    parts = [_condition(tx, part, names, values, depth + 1) for part in condition.parts]
    return f"({joint.join(parts)})"


def _rarest(tx: Tx, probes: list[Probe], limit: int, patience: int) -> Probe | None:
    """The term that fewest vertices fulfil, when they are so few that looking at each is cheaper than walking along the
    ordering key until `limit` runs are found; else None."""
    if not patience or not any(probe.indexed for probe in probes):
        return None
    vertices = tx.value("SELECT max(id) FROM node") or 0
    most = 1000 + patience * math.isqrt(limit * vertices)
    rarest: Probe | None = None
    for probe in probes:
        if probe.indexed:
            rows = f"SELECT 1 FROM {probe.source} WHERE {probe.where} LIMIT :most".format(t="t")
            count = tx.value(f"SELECT count(*) FROM ({rows}) counted", most=most + 1, **probe.values)
            if count <= most:
                rarest, most = probe, count
    return rarest


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


def _exists(probe: Probe, alias: str) -> str:
    test = f"EXISTS (SELECT 1 FROM {probe.source} WHERE {{t}}.node = r.node AND {probe.where})".format(
        t=alias
    )
    return f"NOT {test}" if probe.negated else test
