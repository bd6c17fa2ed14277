"""Searching runs. The planner is ours: the rarest term drives when it is rare, else the ordering key; all others are EXISTS."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from lineal.core.errors import Invalid
from lineal.store.base import Order, Term, Tx
from lineal.store.terms import Probe, compile_term, split
from lineal.store.words import find_field

_NOT_DELETED = "NOT EXISTS (SELECT 1 FROM deletion d WHERE d.node = r.node AND d.retracted_at IS NULL)"
_NUMBER = "o.number IS NOT NULL"
_MOST = 1_000_000  # runs of one answer


class _Phase(NamedTuple):
    """A stretch of the answer: runs that have the ordering key, then those where it is no number, then those without."""

    source: str  # joined to run r; empty when the run itself has the key
    where: str
    order: str  # what they are ordered by before start and vertex; empty: nothing
    values: dict[str, Any]
    field: int | None = None
    lacking: int | None = None  # the key that no run of this stretch has


class Search:
    """SearchStore."""

    def __init__(self, *, patience: int = 4) -> None:
        """patience: how much more a walk along the ordering key may cost than a look at every run of the rarest term,
        before the latter is preferred; 0: never preferred."""
        self._patience = patience

    def search_runs(
        self, tx: Tx, terms: Sequence[Term], *, order: Order, limit: int, include_deleted: bool = False
    ) -> list[int]:
        """Runs that fulfil all terms, in order; ties by latest start, then by latest arrival.

        A run that lacks a term's key does not fulfil it, not even with `!=`; `group != X` is fulfilled outside of X.
        Numbers are compared as numbers, texts byte by byte. In an order, numbers come before NaN or text, and runs
        without the key last, in both directions.

        Raises Invalid: an unknown field or operator, or a value that cannot be compared with the field.
        """
        if not 0 <= limit <= _MOST:
            raise Invalid(f"a limit of {limit} runs was given", hint=f"between 0 and {_MOST} are wanted")
        compiled = [compile_term(tx, term, number) for number, term in enumerate(terms)]
        phases = _phases(tx, order)
        probes = [probe for probe in compiled if probe is not None]
        if len(probes) < len(compiled):
            return []
        driver = _rarest(tx, probes, limit, self._patience)
        found: list[int] = []
        for phase in phases:
            if len(found) < limit and not any(probe.field == phase.lacking is not None for probe in probes):
                found += _run_phase(
                    tx,
                    phase,
                    probes,
                    driver,
                    descending=order.descending,
                    limit=limit - len(found),
                    include_deleted=include_deleted,
                )
        return found


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
    tx: Tx,
    phase: _Phase,
    probes: list[Probe],
    driver: Probe | None,
    *,
    descending: bool,
    limit: int,
    include_deleted: bool,
) -> list[int]:
    where = [phase.where] if phase.where else []
    values: dict[str, Any] = {"limit": limit, **phase.values}
    for number, probe in enumerate(probes):
        values |= probe.values
        if phase.field == probe.field is not None and " JOIN " not in probe.source:
            where.append(probe.where.format(t="o"))  # bounds the range that is walked
        elif probe is not driver:
            where.append(_exists(probe, f"t{number}"))
    if not include_deleted:
        where.append(_NOT_DELETED)
    # CROSS JOIN keeps SQLite to this order; PostgreSQL plans by its statistics.
    tables = [f"{phase.source} CROSS JOIN run r" if phase.source else "run r"]
    if phase.source:
        where.append("r.node = o.node")
    if driver is not None:
        driving = f"SELECT DISTINCT {{t}}.node FROM {driver.source} WHERE {driver.where}".format(t="t")
        tables = [f"({driving}) k", "run r", *([phase.source] if phase.source else [])]
        # The plus keeps SQLite from walking all numbers of the key for each run, where one look-up by the run does.
        where = ["r.node = k.node", *(test.replace(_NUMBER, f"+{_NUMBER}") for test in where)]
    direction = "DESC" if descending else "ASC"
    first = f"{phase.order} {direction}, " if phase.order else ""
    start = "" if phase.order == "r.started_at" else "r.started_at DESC, "
    rows = tx.rows(
        f"SELECT r.node FROM {' CROSS JOIN '.join(tables)}{' WHERE ' + ' AND '.join(where) if where else ''} "
        f"ORDER BY {first}{start}r.node DESC LIMIT :limit",
        **values,
    )
    return [node for (node,) in rows]


def _exists(probe: Probe, alias: str) -> str:
    test = f"EXISTS (SELECT 1 FROM {probe.source} WHERE {{t}}.node = r.node AND {probe.where})".format(
        t=alias
    )
    return f"NOT {test}" if probe.negated else test


def _phases(tx: Tx, order: Order) -> list[_Phase]:
    """The stretches in which runs come in this order. Raises Invalid."""
    scope, key = split(order.field)
    if scope is None:
        return _attribute_phases(key)
    field = find_field(tx, scope, key)
    if field is None:
        return [_Phase("", "", "", {})]
    values = {"order_field": field}
    table = "metric" if scope == "metrics" else "attribute"
    living = "" if scope == "metrics" else " AND o.retracted_at IS NULL"
    own = f"o.field = :order_field{living}"
    missing = _Phase(
        "", f"NOT EXISTS (SELECT 1 FROM {table} o WHERE o.node = r.node AND {own})", "", values, lacking=field
    )
    if scope == "metrics":
        return [
            _Phase("metric o", f"{own} AND o.last IS NOT NULL", "o.last", values, field),
            _Phase("metric o", f"{own} AND o.last IS NULL", "", values, field),
            missing,
        ]
    return [
        _Phase("attribute o", f"{own} AND {_NUMBER}", "o.number", values, field),
        _Phase(
            "attribute o CROSS JOIN word ow",
            f"{own} AND o.number IS NULL AND ow.id = o.text",
            "COALESCE(ow.body, ow.name)",
            values,
            field,
        ),
        missing,
    ]


def _attribute_phases(key: str) -> list[_Phase]:
    if key == "started_at":
        return [_Phase("", "", "r.started_at", {})]
    if key == "ended_at":
        return [
            _Phase("", "r.ended_at IS NOT NULL", "r.ended_at", {}),
            _Phase("", "r.ended_at IS NULL", "", {}),
        ]
    if key == "state":
        return [_Phase("", "", "r.state", {})]
    if key == "group":
        raise Invalid(
            "runs cannot be ordered by group: a run may be in several", hint="order by another field"
        )
    word = "(SELECT COALESCE(w.body, w.name) FROM word w WHERE w.id = {})"
    return [
        _Phase(
            "",
            "",
            word.format("(SELECT j.name FROM job j WHERE j.id = r.job)" if key == "job" else f"r.{key}"),
            {},
        )
    ]
