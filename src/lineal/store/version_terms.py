"""The terms of a search of versions: what they are, what they are called, and what made them.

Attributes: `name namespace kind number digest level size location recorded_at`; `model` (registered name), `model_number`,
`alias`, `reference`, `tag`; `tags.KEY`, `facets.NAME.PATH`; `metrics.KEY`, `params.KEY` of a run that generated it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lineal.core.errors import Invalid
from lineal.core.model import EdgeKind
from lineal.store.conditions import Order, Term
from lineal.store.history import recorded_by
from lineal.store.terms import (
    EVERYTHING,
    MOST_TEXTS,
    NULLS,
    PATTERNS,
    UNLIKE,
    Probe,
    column_test,
    keyed,
    matching,
    need_text,
    refuse_unknown,
    scoped,
    tagged,
    whole_number,
    word_named,
    word_test,
)
from lineal.store.tx import Tx
from lineal.store.words import find_field

_NUMBERS = ("number", "size", "recorded_at")
_TEXTS = ("digest", "level", "location")
_WORDS = ("name", "namespace", "kind")
_CALLED = ("model", "model_number", "alias", "reference")
FIELDS = (*_WORDS, *_NUMBERS, *_TEXTS, *_CALLED, "tag")
_MADE = f"JOIN edge_type y ON y.id = e.type AND y.kind = {int(EdgeKind.GENERATED)}"


def compile_term(tx: Tx, term: Term, number: int, as_of: int | None = None) -> Probe | None:
    """The term as SQL, as `terms.compile_term`.

    Raises Invalid: no such field or operator, or a value that the field cannot be compared with.
    """
    found = _compiled(tx, term, number, as_of)
    return Probe("version {t}", "0 = 0", {}, None, False) if found is EVERYTHING else found


def _compiled(tx: Tx, term: Term, number: int, as_of: int | None) -> Probe | None:
    refuse_unknown(term)
    value = f"value{number}"
    scope, key = scoped(term.field)
    if scope in ("metrics", "params"):
        return _made_by(keyed(tx, term, scope, key, number, as_of), as_of)
    if scope is not None:
        return keyed(tx, term, scope, key, number, as_of)
    if term.field not in FIELDS:
        raise Invalid(
            f"versions have no field {term.field!r}",
            hint="fields are metrics.KEY, params.KEY, tags.KEY, facets.NAME.PATH, " + ", ".join(FIELDS),
        )
    if term.field == "tag":
        return tagged(tx, term, value, as_of)
    if term.op in NULLS:
        return _null(term, as_of)
    if term.field in _NUMBERS:
        return whole_number(term, "version {t}", f"{{t}}.{term.field}", value)
    if term.field in _CALLED:
        return _called(tx, term, value, as_of)
    need_text(term)
    if term.field in _TEXTS:
        if term.op in PATTERNS:
            raise Invalid(
                f"{term.field} is not searched by patterns", hint=f"write {term.field} LIKE 'ab12%'"
            )
        test, values = column_test(tx, term, f"{{t}}.{term.field}", value)
        known = "{t}.digest IS NOT NULL AND " if term.field == "digest" else ""
        return Probe(
            "version {t}", known + test, values, None, term.field == "digest" and term.op in {"=", "IN"}
        )
    return _word(tx, term, value)


def _made_by(inner: Probe | None, as_of: int | None) -> Probe | None:
    """What holds for a run that generated the version."""
    if inner is None or inner is EVERYTHING:
        return inner
    source, where = inner.source.format(t="q"), inner.where.format(t="q")
    made = (
        f"(SELECT e.dst AS node FROM {source} JOIN edge e ON e.src = q.node AND {recorded_by(as_of, 'e')} {_MADE} "
        f"WHERE {where}) {{t}}"
    )
    return Probe(made, "0 = 0", inner.values, None, inner.indexed and not inner.negated, inner.negated)


def _null(term: Term, as_of: int | None) -> Probe | None:
    none = term.op == "IS NULL"
    if term.field in ("digest", "size"):
        return Probe("version {t}", f"{{t}}.{term.field} {term.op}", {}, None, False)
    if term.field in _CALLED:
        source, living, _ = _naming(term.field, as_of)
        return Probe(source, living, {}, None, False, none)
    raise Invalid(
        f"{term.field} {term.op}: every version has it", hint="ask it of digest, size, model, alias, tags"
    )


def _naming(field: str, as_of: int | None) -> tuple[str, str, str]:
    """(source, what of it stands, the column asked for) of a way to call a version."""
    stands = recorded_by(as_of, "{t}")
    if field == "reference":
        return "reference {t}", stands, "{t}.value"
    if field == "alias":
        source = (
            f"(SELECT v.node, a.alias AS said FROM alias a JOIN named_version v ON v.registered = a.registered "
            f"AND v.number = a.number WHERE {recorded_by(as_of, 'a')}) {{t}}"
        )
        return source, "0 = 0", "{t}.said"
    if field == "model_number":
        return "named_version {t}", stands, "{t}.number"
    source = f"named_version {{t}} JOIN registered_name g ON g.registered = {{t}}.registered AND {recorded_by(as_of, 'g')}"
    return source, stands, "g.name"


def _called(tx: Tx, term: Term, value: str, as_of: int | None) -> Probe | None:
    source, living, column = _naming(term.field, as_of)
    if term.field == "model_number":
        found = whole_number(term, source, column, value)
        return None if found is None else found._replace(where=f"{living} AND {found.where}", indexed=False)
    need_text(term)
    if term.op in UNLIKE:  # called nothing of the kind
        inside = _called(tx, Term(term.field, UNLIKE[term.op], term.value), value, as_of)
        if inside is None:
            return Probe("version {t}", "0 = 0", {}, None, False)
        return inside._replace(negated=True, indexed=False)
    named = word_named(tx, term, column, value)
    if named is None and term.op in PATTERNS:
        table, said = {"model": ("registered_name", "name"), "alias": ("alias", "alias")}.get(
            term.field, ("reference", "value")
        )
        texts = tx.rows(f"SELECT DISTINCT {said} FROM {table} LIMIT {MOST_TEXTS + 1}")
        named = matching(tx, term, column, value, texts)
    if named is not None:
        test, values = named
        return Probe(source, f"{living} AND {test}", values) if test else None
    test, values = word_test(tx, term, value)
    return Probe(f"{source} JOIN word w ON w.id = {column}", f"{living} AND {test}", values, None, False)


def _word(tx: Tx, term: Term, value: str) -> Probe | None:
    source, column = "version {t} JOIN artifact a ON a.id = {t}.artifact", f"a.{term.field}"
    if term.field == "kind":
        source, column = "version {t}", "{t}.kind"
    named = word_named(tx, term, column, value)
    if named is None and term.op in PATTERNS:
        table = "version" if term.field == "kind" else "artifact"
        texts = tx.rows(f"SELECT DISTINCT {term.field} FROM {table} LIMIT {MOST_TEXTS + 1}")
        named = matching(tx, term, column, value, texts)
    if named is not None:
        test, values = named
        indexed = term.op in {"=", "IN"} and term.field == "name"
        return Probe(source, test, values, None, indexed) if test else None
    test, values = word_test(tx, term, value)
    return Probe(f"{source} JOIN word w ON w.id = {column}", test, values, None, False)


_WORD = "(SELECT COALESCE(w.body, w.name) FROM word w WHERE w.id = {})"


def order_keys(tx: Tx, orders: Sequence[Order], *, as_of: int | None = None) -> tuple[str, dict[str, Any]]:
    """(what to order by, its values): the given keys, then the latest arrival. Versions without a key come last. as_of: by the
    parameters and edges recorded by then; it is bound by whoever asks.

    Raises Invalid: it cannot be ordered by.
    """
    keys: list[str] = []
    values: dict[str, Any] = {}
    for number, order in enumerate(orders):
        column = _order_column(tx, order, number, values, as_of)
        way = "DESC" if order.descending else "ASC"
        if column:
            keys += [f"CASE WHEN {column} IS NULL THEN 1 ELSE 0 END", f"{column} {way}"]
    return ", ".join([*keys, "r.recorded_at DESC", "r.node DESC"]), values


def _order_column(tx: Tx, order: Order, number: int, values: dict[str, Any], as_of: int | None) -> str:
    scope, key = scoped(order.field)
    if scope in ("metrics", "params"):
        field = find_field(tx, scope, key)
        if field is None:
            return ""
        values[f"order{number}"] = field
        table, best = ("metric q", "q.last") if scope == "metrics" else ("attribute q", "q.number")
        living = "" if scope == "metrics" else f" AND {recorded_by(as_of, 'q')}"
        return (
            f"(SELECT max({best}) FROM edge e {_MADE} JOIN {table} ON q.node = e.src AND q.field = :order{number}"
            f"{living} WHERE e.dst = r.node AND {recorded_by(as_of, 'e')})"
        )
    if scope is None and order.field in _NUMBERS:
        return f"r.{order.field}"
    if scope is None and order.field == "name":
        return _WORD.format("(SELECT a.name FROM artifact a WHERE a.id = r.artifact)")
    if scope is None and order.field == "kind":
        return _WORD.format("r.kind")
    raise Invalid(
        f"versions cannot be ordered by {order.field!r}",
        hint="by recorded_at, size, number, name, kind, metrics.KEY or params.KEY",
    )
