"""The orders of a search: stretches of the answer for the first key, sort keys for those behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from lineal.core.errors import Invalid
from lineal.store.conditions import Order
from lineal.store.history import recorded_by, values_of
from lineal.store.terms import LINKS, split
from lineal.store.tx import Tx
from lineal.store.words import Scope, find_field

_MOST = 16  # keys of one order
_WORD = "(SELECT COALESCE(w.body, w.name) FROM word w WHERE w.id = {})"


class Phase(NamedTuple):
    """A stretch of the answer: runs that have the ordering key, then those where it is no number, then those without."""

    source: str  # joined to run r; empty when the run itself has the key
    where: str
    order: str  # what they are ordered by before all else; empty: nothing
    values: dict[str, Any]
    field: int | None = None
    lacking: int | None = None  # the key that no run of this stretch has


def phases(tx: Tx, order: Order, *, as_of: int | None = None) -> list[Phase]:
    """The stretches in which runs come in this order, by the states, parameters, tags and facets that were recorded by then. Raises
    Invalid."""
    scope, key = split(order.field)
    if scope is None:
        column, values = _attribute(key, as_of), values_of(as_of)
        if key == "ended_at":
            return [
                Phase("", f"{column} IS NOT NULL", column, values),
                Phase("", f"{column} IS NULL", "", values),
            ]
        return [Phase("", "", column, values)]
    field = find_field(tx, scope, key)
    if field is None:
        return [Phase("", "", "", {})]
    values = {"order_field": field, **values_of(as_of)}
    table = "metric" if scope == "metrics" else "attribute"
    own = f"o.field = :order_field{_living(scope, as_of)}"
    missing = Phase(
        "", f"NOT EXISTS (SELECT 1 FROM {table} o WHERE o.node = r.node AND {own})", "", values, lacking=field
    )
    if scope == "metrics":
        return [
            Phase("metric o", f"{own} AND o.last IS NOT NULL", "o.last", values, field),
            Phase("metric o", f"{own} AND o.last IS NULL", "", values, field),
            missing,
        ]
    texts, text = "attribute o CROSS JOIN word ow", "COALESCE(ow.body, ow.name)"
    if order.as_text:
        return [Phase(texts, f"{own} AND ow.id = o.text", text, values, field), missing]
    return [
        Phase("attribute o", f"{own} AND o.number IS NOT NULL", "o.number", values, field),
        Phase(texts, f"{own} AND o.number IS NULL AND ow.id = o.text", text, values, field),
        missing,
    ]


def then(tx: Tx, orders: Sequence[Order], *, as_of: int | None = None) -> Phase:
    """What decides where the first key does not: the other keys, then the latest start, then the latest arrival.

    Raises Invalid: a field cannot be ordered by, or there are too many.
    """
    if len(orders) > _MOST:
        raise Invalid(f"an order of {len(orders)} keys", hint=f"at most {_MOST} are taken")
    keys: list[str] = []
    values: dict[str, Any] = dict(values_of(as_of))
    for number, order in enumerate(orders[1:]):
        direction = "DESC" if order.descending else "ASC"
        keys += [f"{key} {way or direction}" for key, way in _keys(tx, order, number, values, as_of)]
    named = [order.field for order in orders]
    if "started_at" not in named:
        keys.append("r.started_at DESC")
    if "run_id" not in named:
        keys.append("r.node DESC")
    return Phase("", "", ", ".join(keys) or "r.node DESC", values)


def _keys(
    tx: Tx, order: Order, number: int, values: dict[str, Any], as_of: int | None
) -> list[tuple[str, str]]:
    """Sort keys for one order, each with its direction where that is not the order's own."""
    scope, key = split(order.field)
    if scope is None:
        column = _attribute(key, as_of)
        return [(f"CASE WHEN {column} IS NULL THEN 1 ELSE 0 END", "ASC"), (column, "")]
    field = find_field(tx, scope, key)
    if field is None:
        return []
    name = f"then_field{number}"
    values[name] = field

    def of(what: str) -> str:
        return f"(SELECT {what} FROM {_table(scope)} o WHERE o.node = r.node AND o.field = :{name}{_living(scope, as_of)})"

    if scope == "metrics":
        rank = of("CASE WHEN o.last IS NULL THEN 1 ELSE 0 END")
        return [(f"COALESCE({rank}, 2)", "ASC"), (of("o.last"), "")]
    text = of(_WORD.format("o.text"))
    if order.as_text:
        return [(f"COALESCE({of('0')}, 1)", "ASC"), (text, "")]
    rank = of("CASE WHEN o.number IS NULL THEN 1 ELSE 0 END")
    spelled = of(f"CASE WHEN o.number IS NULL THEN {_WORD.format('o.text')} END")
    return [(f"COALESCE({rank}, 2)", "ASC"), (of("o.number"), ""), (spelled, "")]


def _table(scope: Scope) -> str:
    return "metric" if scope == "metrics" else "attribute"


def _living(scope: Scope, as_of: int | None) -> str:
    """That a row stands, or stood then; of a facet's field with several values, as of a list, that it is the first of them."""
    if scope == "metrics":
        return ""
    living = f" AND {recorded_by(as_of, 'o')}"
    if scope != "facets":
        return living
    return (
        f"{living} AND NOT EXISTS (SELECT 1 FROM attribute x WHERE x.node = o.node AND x.field = o.field "
        f"AND {recorded_by(as_of, 'x')} AND x.revision < o.revision)"
    )


def _attribute(key: str, as_of: int | None) -> str:
    """The column of a run to order by. Raises Invalid: a run may have several values."""
    if key in {"state", "ended_at"} and as_of is not None:  # a run without a row of its own was running
        ended = f"FROM run_state s WHERE s.node = r.node AND {recorded_by(as_of, 's')}"
        return (
            f"COALESCE((SELECT s.state {ended}), 'running')"
            if key == "state"
            else f"(SELECT s.at {ended} AND s.state <> 'running')"
        )
    if key in {"group", "group_id"} or key in LINKS:
        raise Invalid(
            f"runs cannot be ordered by {key}: a run may have several", hint="order by another field"
        )
    if key in {"started_at", "ended_at", "state", "run_id"}:
        return f"r.{key}"
    return _WORD.format("(SELECT j.name FROM job j WHERE j.id = r.job)" if key == "job" else f"r.{key}")
