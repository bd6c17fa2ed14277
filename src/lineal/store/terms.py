"""The terms of a search as conditions over key/value rows. Texts and numbers of the user are bound, never spliced in."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from lineal.core.errors import Invalid
from lineal.store.base import Term, Tx
from lineal.store.text import glob_of, keep, number_of
from lineal.store.words import Scope, find_field, find_word

FIELDS = ("job", "name", "state", "kind", "actor", "started_at", "ended_at", "group")
_COMPARE = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_LONGEST_PATTERN = 10_000  # characters
_SCOPES: tuple[Scope, ...] = ("metrics", "params", "tags")


class Probe(NamedTuple):
    """One term as SQL: rows of `source` under the alias `{t}`, with a column `node`, that fulfil `where`.

    field: the key's number, when all rows are rows of one key. Only a probe that an index answers may drive a search.
    """

    source: str
    where: str
    values: dict[str, Any]
    field: int | None = None
    indexed: bool = True
    negated: bool = False


def split(field: str) -> tuple[Scope | None, str]:
    """A field's scope and key; (None, field) for an attribute of the run itself. Raises Invalid: no such field."""
    scope, dot, key = field.partition(".")
    for known in _SCOPES:
        if dot and key and scope == known:
            return known, key
    if field in FIELDS:
        return None, field
    raise Invalid(
        f"runs have no field {field!r}",
        hint="fields are metrics.KEY, params.KEY, tags.KEY, " + ", ".join(FIELDS),
    )


def compile_term(tx: Tx, term: Term, number: int) -> Probe | None:
    """The term as SQL, its values named with `number`; None when nothing can fulfil it.

    Raises Invalid: no such field or operator, or a value that the field cannot be compared with.
    """
    if term.op not in {*_COMPARE, "LIKE"}:
        raise Invalid(
            f"{term.op!r} is no comparison", hint="comparisons are " + " ".join([*_COMPARE, "LIKE"])
        )
    scope, key = split(term.field)
    value = f"value{number}"
    if scope is None:
        return _times(term, value) if key in {"started_at", "ended_at"} else _attribute(tx, term, value)
    field = find_field(tx, scope, key)
    if field is None:
        _number_wanted(
            term
        ) if scope == "metrics" else None  # an impossible value is refused whether the key is known or not
        return None
    name = f"field{number}"
    if scope == "metrics":
        return _metric(term, name, field, value)
    living = f"{{t}}.field = :{name} AND {{t}}.retracted_at IS NULL"
    if isinstance(term.value, str):
        return _text(tx, term, living, {name: field}, value)
    return _parameter_number(term, living, {name: field}, value)


def like(tx: Tx, column: str, pattern: str, name: str) -> tuple[str, dict[str, str]]:
    """The condition that a column is LIKE a pattern: `%` any characters, `_` one, `\\` takes the next one as it is.

    Case counts, on both engines. Raises Invalid: the pattern is longer than 10,000 characters.
    """
    if len(pattern) > _LONGEST_PATTERN:
        raise Invalid(f"a pattern of {len(pattern)} characters", hint=f"at most {_LONGEST_PATTERN} are taken")
    stored = keep(pattern)
    if tx.engine == "sqlite":
        return f"{column} GLOB :{name}", {name: glob_of(stored)}
    dangling = (len(stored) - len(stored.rstrip("\\"))) % 2
    return f"{column} LIKE :{name} ESCAPE '\\'", {name: stored + "\\" * dangling}


def _metric(term: Term, name: str, field: int, value: str) -> Probe | None:
    number = _number_wanted(term)
    where = f"{{t}}.field = :{name}"
    if math.isnan(number):  # NaN differs from everything, itself included
        return Probe("metric {t}", where, {name: field}, field) if term.op == "!=" else None
    test = f"{{t}}.last {_COMPARE[term.op]} :{value}"
    if term.op == "!=":
        test = f"({test} OR {{t}}.last IS NULL)"
    return Probe("metric {t}", f"{where} AND {test}", {name: field, value: number}, field)


def _parameter_number(term: Term, living: str, values: dict[str, Any], value: str) -> Probe | None:
    number = _number_wanted(term)
    field = next(iter(values.values()))
    if math.isnan(number):
        return Probe("attribute {t}", living, values, field) if term.op == "!=" else None
    test = f"{{t}}.number {_COMPARE[term.op]} :{value}"
    whole = f"({{t}}.number IS NULL OR {test})" if term.op == "!=" else f"{{t}}.number IS NOT NULL AND {test}"
    return Probe("attribute {t}", f"{living} AND {whole}", {**values, value: number}, field)


def _text(tx: Tx, term: Term, living: str, values: dict[str, Any], value: str) -> Probe | None:
    field = next(iter(values.values()))
    if term.op in {"=", "!="}:
        word = find_word(tx, str(term.value))
        if word is None:
            return None if term.op == "=" else Probe("attribute {t}", living, values, field)
        test = f"{{t}}.text {_COMPARE[term.op]} :{value}"
        return Probe("attribute {t}", f"{living} AND {test}", {**values, value: word}, field)
    test, more = _word_test(tx, term, value)
    return Probe(
        "attribute {t} JOIN word w ON w.id = {t}.text",
        f"{living} AND {test}",
        {**values, **more},
        None,
        False,
    )


def _attribute(tx: Tx, term: Term, value: str) -> Probe | None:
    if not isinstance(term.value, str):
        raise Invalid(
            f"{term.field} is text, {term.value!r} a number", hint=f"write it as text: '{term.value}'"
        )
    if term.field == "state":
        test, values = _column_test(tx, term, "{t}.state", value)
        return Probe("run {t}", test, values)
    if term.field == "group" and term.op == "!=":  # in no group of that name
        inside = _attribute(tx, Term("group", "=", term.value), value)
        return (
            Probe("run {t}", "0 = 0", {}, None, False)
            if inside is None
            else inside._replace(negated=True, indexed=False)
        )
    source, column = {
        "job": ("run {t} JOIN job j ON j.id = {t}.job", "j.name"),
        "group": ("collection_member {t} JOIN collection c ON c.id = {t}.collection", "c.name"),
    }.get(term.field, ("run {t}", "{t}." + term.field))
    living = "{t}.retracted_at IS NULL AND " if term.field == "group" else ""
    if term.op in {"=", "!="}:
        word = find_word(tx, term.value)
        if word is None and term.op == "=":
            return None
        test = f"{column} {_COMPARE[term.op]} :{value}" if word is not None else "0 = 0"
        return Probe(source, living + test, {} if word is None else {value: word}, None, term.op == "=")
    test, values = _word_test(tx, term, value)
    return Probe(f"{source} JOIN word w ON w.id = {column}", living + test, values, None, False)


def _word_test(tx: Tx, term: Term, name: str) -> tuple[str, dict[str, Any]]:
    return _column_test(tx, term, "COALESCE(w.body, w.name)", name)


def _column_test(tx: Tx, term: Term, column: str, name: str) -> tuple[str, dict[str, Any]]:
    if term.op == "LIKE":
        test, values = like(tx, column, str(term.value), name)
        return test, dict(values)
    return f"{column} {_COMPARE[term.op]} :{name}", {name: keep(str(term.value))}


def _times(term: Term, value: str) -> Probe | None:
    """Times are whole microseconds: a fraction or an infinity is brought to the whole number that decides alike."""
    number = _number_wanted(term)
    known = f"{{t}}.{term.field} IS NOT NULL"
    if math.isnan(number) or (term.op in {"=", "!="} and not number.is_integer()):
        return Probe("run {t}", known, {}) if term.op == "!=" else None
    if math.isinf(number):
        return Probe("run {t}", known, {}) if (number > 0) == (term.op in {"<", "<="}) else None
    whole = math.floor(number) if term.op in {"<=", ">"} else math.ceil(number)
    bound = max(-(2**63), min(2**63 - 1, whole))
    return Probe("run {t}", f"{known} AND {{t}}.{term.field} {_COMPARE[term.op]} :{value}", {value: bound})


def _number_wanted(term: Term) -> float:
    if term.op == "LIKE":
        raise Invalid(
            f"{term.field} LIKE {term.value!r}: a number is not LIKE anything", hint="compare it with = < >"
        )
    if not isinstance(term.value, str):
        return float(term.value)
    number = number_of(term.value.strip())
    if number is not None:
        return number
    if term.value.strip().lower().lstrip("+-") in {"nan", "inf", "infinity"}:
        return float(term.value)
    raise Invalid(f"{term.field} is a number, {term.value!r} is none", hint="write a number, as 0.9 or 1e-3")
