"""The terms of a search as conditions over key/value rows. Texts and numbers of the user are bound, never spliced in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from lineal.core.errors import Invalid
from lineal.core.events import State
from lineal.core.model import EdgeKind
from lineal.core.pattern import Pattern
from lineal.store.conditions import Term
from lineal.store.history import recorded_by
from lineal.store.lists import each
from lineal.store.text import glob_of, keep, number_of
from lineal.store.tx import Row, Tx
from lineal.store.words import Scope, find_field, find_word, get_words

FIELDS = (
    "run_id",
    "job",
    "namespace",
    "name",
    "state",
    "kind",
    "actor",
    "started_at",
    "ended_at",
    "group",
    "group_id",
    "tag",
)
LINKS = ("input.name", "input.digest", "input.role", "output.name", "output.digest", "output.role")
_COMPARE = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_LISTS = {"IN": "IN", "NOT IN": "NOT IN"}
NULLS = ("IS NULL", "IS NOT NULL")
_LIKES = ("LIKE", "ILIKE", "NOT LIKE", "NOT ILIKE")
PATTERNS = ("=~", "!~")
UNLIKE = {"!=": "=", "NOT IN": "IN", "NOT LIKE": "LIKE", "NOT ILIKE": "ILIKE", "!~": "=~"}
MOST_TEXTS = 200_000  # different texts that a pattern is tried on
_LONGEST_PATTERN = 10_000  # characters
_LONGEST_LIST = 50_000
_SCOPES: tuple[Scope, ...] = ("metrics", "params", "tags", "facets")


class Probe(NamedTuple):
    """One term as SQL: rows of `source` under the alias `{t}`, with a column `node`, that fulfil `where`.

    field: the key's number, when all rows are rows of one key. Only a probe that an index answers may drive a search.
    negated: the term is that there is no such row. among: `source` is a SELECT of vertices, which is better asked by IN.
    """

    source: str
    where: str
    values: dict[str, Any]
    field: int | None = None
    indexed: bool = True
    negated: bool = False
    among: bool = False


EVERYTHING = Probe("run {t}", "0 = 0", {}, None, False)  # what every run fulfils


def split(field: str) -> tuple[Scope | None, str]:
    """A field's scope and key; (None, field) for an attribute of the run itself. Raises Invalid: no such field."""
    scope, key = scoped(field)
    if scope is not None:
        return scope, key
    if field in FIELDS or field in LINKS:
        return None, field
    raise Invalid(
        f"runs have no field {field!r}",
        hint="fields are metrics.KEY, params.KEY, tags.KEY, facets.NAME.PATH, "
        + ", ".join((*FIELDS, *LINKS)),
    )


def scoped(field: str) -> tuple[Scope | None, str]:
    """A field's scope and key; (None, field) when it has no scope that we know."""
    scope, dot, key = field.partition(".")
    for known in _SCOPES:
        if dot and key and scope == known:
            return known, key
    return None, field


def compile_term(tx: Tx, term: Term, number: int, as_of: int | None = None) -> Probe | None:
    """The term as SQL, its values named with `number` (and `as_of`); None when nothing can fulfil it.

    Raises Invalid: no such field or operator, or a value that the field cannot be compared with.
    """
    refuse_unknown(term)
    scope, key = split(term.field)
    value = f"value{number}"
    if scope is not None:
        return keyed(tx, term, scope, key, number, as_of)
    if term.op in NULLS:
        return _null(term, as_of)
    if key in {"started_at", "ended_at"}:
        return _run_times(term, value, as_of)
    if key == "group_id":
        return _groups(tx, term, value, as_of)
    if key == "tag":
        return tagged(tx, term, value, as_of)
    return _link(tx, term, value, as_of) if key in LINKS else _attribute(tx, term, value, as_of)


def refuse_unknown(term: Term) -> None:
    """Raises Invalid: the term's operator is none."""
    known = (*_COMPARE, *_LIKES, *PATTERNS, *_LISTS, *NULLS)
    if term.op not in known:
        raise Invalid(f"{term.op!r} is no comparison", hint="comparisons are " + " ".join(known))


def _null(term: Term, as_of: int | None) -> Probe | None:
    """What a run may lack."""
    none = term.op == "IS NULL"
    if term.field == "ended_at":
        if as_of is not None:
            ended = f"{recorded_by(as_of, '{t}')} AND {{t}}.state <> 'running'"
            return Probe("run_state {t}", ended, {}, None, not none, none)
        return Probe("run {t}", f"{{t}}.ended_at {term.op}", {}, None, False)
    if term.field == "group":
        return Probe("collection_member {t}", recorded_by(as_of, "{t}"), {}, None, False, none)
    raise Invalid(
        f"{term.field} {term.op}: every run has it or it cannot be told",
        hint="ask it of metrics, params, tags, facets, group and ended_at",
    )


def like(tx: Tx, column: str, pattern: str, name: str, *, cased: bool = True) -> tuple[str, dict[str, str]]:
    """The condition that a column is LIKE a pattern: `%` any characters, `_` one, `\\` takes the next one as it is.

    cased: case counts; else that of ASCII letters does not. The same on both engines. Raises Invalid: the pattern is longer
    than 10,000 characters.
    """
    if len(pattern) > _LONGEST_PATTERN:
        raise Invalid(f"a pattern of {len(pattern)} characters", hint=f"at most {_LONGEST_PATTERN} are taken")
    stored = keep(pattern)
    if tx.engine == "sqlite" and cased:
        return f"{column} GLOB :{name}", {name: glob_of(stored)}
    dangling = (len(stored) - len(stored.rstrip("\\"))) % 2
    word = "LIKE" if cased or tx.engine == "sqlite" else "ILIKE"
    return f"{column} {word} :{name} ESCAPE '\\'", {name: stored + "\\" * dangling}


# ---- metrics, parameters, tags -------------------------------------------------------------------------------------------


def keyed(tx: Tx, term: Term, scope: Scope, key: str, number: int, as_of: int | None) -> Probe | None:
    """A term on a metric, parameter, tag or facet."""
    field = find_field(tx, scope, key)
    name, value = f"field{number}", f"value{number}"
    if term.op in NULLS:
        if field is None:
            return EVERYTHING if term.op == "IS NULL" else None
        living = "" if scope == "metrics" else f" AND {recorded_by(as_of, '{t}')}"
        table = "metric {t}" if scope == "metrics" else "attribute {t}"
        none = term.op == "IS NULL"
        return Probe(
            table, f"{{t}}.field = :{name}{living}", {name: field}, None if none else field, not none, none
        )
    if scope == "metrics":
        wanted = _number_wanted(term)  # an impossible value is refused whether the key is known or not
        return None if field is None else _metric(term, wanted, name, field, value)
    if field is None:
        return None
    living = f"{{t}}.field = :{name} AND {recorded_by(as_of, '{t}')}"
    if isinstance(term.value, str | tuple):
        return _text(tx, term, living, {name: field}, value)
    return _parameter_number(term, living, {name: field}, value)


def _metric(term: Term, number: float, name: str, field: int, value: str) -> Probe | None:
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
    named = word_named(tx, term, "{t}.text", value)
    if named is None and term.op in PATTERNS:
        texts = "SELECT DISTINCT a.text FROM attribute a WHERE a.field = :field"
        named = matching(tx, term, "{t}.text", value, tx.rows(f"{texts} LIMIT {MOST_TEXTS + 1}", field=field))
    if named is not None:
        test, more = named
        return Probe("attribute {t}", f"{living} AND {test}", {**values, **more}, field) if test else None
    test, more = word_test(tx, term, value)
    return Probe(
        "attribute {t} JOIN word w ON w.id = {t}.text",
        f"{living} AND {test}",
        {**values, **more},
        None,
        False,
    )


# ---- attributes of the run -----------------------------------------------------------------------------------------------


def _attribute(tx: Tx, term: Term, value: str, as_of: int | None) -> Probe | None:
    need_text(term)
    if term.field in {"state", "run_id"}:
        return _plain(tx, term, value, as_of)
    if term.field == "group" and term.op in UNLIKE:  # in no group of that name
        inside = _attribute(tx, Term("group", UNLIKE[term.op], term.value), value, as_of)
        return EVERYTHING if inside is None else inside._replace(negated=True, indexed=False)
    source, column = {
        "job": ("run {t} JOIN job j ON j.id = {t}.job", "j.name"),
        "namespace": ("run {t} JOIN job j ON j.id = {t}.job", "j.namespace"),
        "group": ("collection_member {t} JOIN collection c ON c.id = {t}.collection", "c.name"),
    }.get(term.field, ("run {t}", "{t}." + term.field))
    living = f"{recorded_by(as_of, '{t}')} AND " if term.field == "group" else ""
    named = word_named(tx, term, column, value)
    if named is None and term.op in PATTERNS:
        table = {"job": "job", "namespace": "job", "group": "collection"}.get(term.field, "run")
        texts = f"SELECT DISTINCT {'name' if table == 'collection' or term.field == 'job' else term.field} FROM {table}"
        named = matching(tx, term, column, value, tx.rows(f"{texts} LIMIT {MOST_TEXTS + 1}"))
    if named is not None:
        test, values = named
        return Probe(source, living + test, values, None, term.op in {"=", "IN"}) if test else None
    test, values = word_test(tx, term, value)
    return Probe(f"{source} JOIN word w ON w.id = {column}", living + test, values, None, False)


def _plain(tx: Tx, term: Term, value: str, as_of: int | None) -> Probe | None:
    """A term on a run's state or id, which are kept as they are."""
    if term.op in PATTERNS:
        if term.field == "run_id":
            raise Invalid("run ids are not searched by patterns", hint="write run_id LIKE 'ab12%'")
        found = Pattern(str(term.value)).search
        states = tuple(str(state) for state in State if found(state) == (term.op == "=~"))
        if not states:
            return None
        term = Term("state", "IN", states)
    if term.field == "state" and as_of is not None:  # a run without a row of its own was running
        test, values = column_test(tx, term, "{t}.state", value)
        then = (
            "(SELECT n.node, COALESCE(s.state, 'running') AS state FROM run n "
            f"LEFT JOIN run_state s ON s.node = n.node AND {recorded_by(as_of, 's')}) {{t}}"
        )
        return Probe(then, test, values, None, False)
    test, values = column_test(tx, term, "{t}." + term.field, value)
    return Probe("run {t}", test, values, None, term.op in {"=", "IN"} or term.field == "state")


def tagged(tx: Tx, term: Term, value: str, as_of: int | None) -> Probe | None:
    """Whether there is a tag of that key, or with `KEY=VALUE` or `KEY:VALUE` one of that key and value."""
    need_text(term)
    if term.op in UNLIKE:
        inside = tagged(tx, Term("tag", UNLIKE[term.op], term.value), value, as_of)
        return EVERYTHING if inside is None else inside._replace(negated=True, indexed=False)
    wanted = _listed(term) if term.op == "IN" else (term.value,)
    if term.op not in {"=", "IN"}:
        raise Invalid(
            f"tag {term.op}: a tag is there or not", hint="write tag = 'pii', or tags.KEY LIKE 'a%'"
        )
    fields: list[int] = []
    pairs: list[tuple[int, int]] = []
    for text in wanted:
        field = find_field(tx, "tags", str(text))
        if field is not None:
            fields.append(field)
        for sign in "=:":
            key, found, said = str(text).partition(sign)
            if found and key and (field := find_field(tx, "tags", key)) and (word := find_word(tx, said)):
                pairs.append((field, word))
    if not fields and not pairs:
        return None
    tests = [f"{{t}}.field IN ({each(tx, value)})"] if fields else []
    tests += [f"({{t}}.field = {field} AND {{t}}.text = {word})" for field, word in pairs]  # our own numbers
    values: dict[str, Any] = {value: fields} if fields else {}
    return Probe("attribute {t}", f"{recorded_by(as_of, '{t}')} AND ({' OR '.join(tests)})", values)


def _groups(tx: Tx, term: Term, value: str, as_of: int | None) -> Probe | None:
    """Membership in groups by their numbers."""
    if (
        term.op not in _LISTS
        or not isinstance(term.value, tuple)
        or any(isinstance(g, str) for g in term.value)
    ):
        raise Invalid("groups are given by their numbers", hint="ask for group_id IN (numbers)")
    if not term.value:
        return None if term.op == "IN" else EVERYTHING
    test = (
        f"{{t}}.collection IN ({each(tx, value)})" if len(term.value) > 1 else f"{{t}}.collection = :{value}"
    )
    bound: Any = list(term.value) if len(term.value) > 1 else term.value[0]
    inside = Probe("collection_member {t}", f"{test} AND {recorded_by(as_of, '{t}')}", {value: bound})
    return inside if term.op == "IN" else inside._replace(negated=True, indexed=False)


def _link(tx: Tx, term: Term, value: str, as_of: int | None) -> Probe | None:
    """What a run read or wrote: by the artifact's name, a digest or reference of the version, or the role of the edge."""
    need_text(term)
    end, _, what = term.field.partition(".")
    run, version, kind = (
        ("dst", "src", EdgeKind.USED) if end == "input" else ("src", "dst", EdgeKind.GENERATED)
    )
    joined = {
        "name": f"JOIN version v ON v.node = e.{version} JOIN artifact a ON a.id = v.artifact",
        "digest": f"JOIN reference f ON f.node = e.{version} AND {recorded_by(as_of, 'f')}",
        "role": "",
    }[what]
    column = {"name": "a.name", "digest": "f.value", "role": "y.role"}[what]
    source = (
        f"(SELECT e.{run} AS node, {column} AS said FROM edge e JOIN edge_type y ON y.id = e.type "
        f"AND y.kind = {int(kind)} {joined} WHERE {recorded_by(as_of, 'e')}) {{t}}"
    )
    named = word_named(tx, term, "{t}.said", value)
    if named is None and term.op in PATTERNS:
        table, said = {
            "name": ("artifact", "name"),
            "digest": ("reference", "value"),
            "role": ("edge_type", "role"),
        }[what]
        texts = tx.rows(f"SELECT DISTINCT {said} FROM {table} LIMIT {MOST_TEXTS + 1}")
        named = matching(tx, term, "{t}.said", value, texts)
    if named is not None:
        test, values = named
        return Probe(source, test, values, None, term.op in {"=", "IN"} and what != "role") if test else None
    test, values = word_test(tx, term, value)
    return Probe(f"{source} JOIN word w ON w.id = {{t}}.said", test, values, None, False)


# ---- texts ---------------------------------------------------------------------------------------------------------------


def need_text(term: Term) -> None:
    """Raises Invalid: the value is a number, where the field is text."""
    if isinstance(term.value, tuple):
        good = all(isinstance(item, str) for item in term.value)
    else:
        good = isinstance(term.value, str)
    if not good:
        raise Invalid(
            f"{term.field} is text, {term.value!r} a number", hint=f"write it as text: '{term.value}'"
        )


def word_named(tx: Tx, term: Term, column: str, value: str) -> tuple[str, dict[str, Any]] | None:
    """The test of a column of numbers of words for whole texts; an empty one when nothing can fulfil it, None when the term
    is of another kind."""
    if term.op in _LISTS:
        ids = [id for id in (find_word(tx, str(text)) for text in _listed(term)) if id is not None]
        if not ids:
            return ("", {}) if term.op == "IN" else ("0 = 0", {})
        return f"{column} {_LISTS[term.op]} ({each(tx, value)})", {value: ids}
    if term.op not in {"=", "!="}:
        return None
    word = find_word(tx, str(term.value))
    if word is None:
        return ("", {}) if term.op == "=" else ("0 = 0", {})
    return f"{column} {_COMPARE[term.op]} :{value}", {value: word}


def matching(tx: Tx, term: Term, column: str, value: str, texts: Sequence[Row]) -> tuple[str, dict[str, Any]]:
    """The test of a column of numbers of words for a pattern: it is tried on every text that the column may hold.

    Raises Invalid: the pattern cannot be read, or there are too many texts.
    """
    if len(texts) > MOST_TEXTS:
        raise Invalid(
            f"{term.field} has more than {MOST_TEXTS:,} different values, too many for a pattern",
            hint="use LIKE, or = and IN",
        )
    found = Pattern(str(term.value)).search
    ids = [id for id, text in get_words(tx, [word for (word,) in texts]).items() if found(text)]
    if not ids:
        return ("", {}) if term.op == "=~" else ("0 = 0", {})
    return f"{column} {'IN' if term.op == '=~' else 'NOT IN'} ({each(tx, value)})", {value: ids}


def word_test(tx: Tx, term: Term, name: str) -> tuple[str, dict[str, Any]]:
    """The test of a joined word `w`."""
    return column_test(tx, term, "COALESCE(w.body, w.name)", name)


def column_test(tx: Tx, term: Term, column: str, name: str) -> tuple[str, dict[str, Any]]:
    """The test of a column of text."""
    if term.op in _LIKES:
        test, values = like(tx, column, str(term.value), name, cased="ILIKE" not in term.op)
        return f"NOT ({test})" if term.op.startswith("NOT") else test, dict(values)
    if term.op in _LISTS:
        listed = [keep(str(text)) for text in _listed(term)]
        return f"{column} {_LISTS[term.op]} ({each(tx, name, 'text')})", {name: listed}
    return f"{column} {_COMPARE[term.op]} :{name}", {name: keep(str(term.value))}


def _listed(term: Term) -> tuple[Any, ...]:
    if not isinstance(term.value, tuple) or not 1 <= len(term.value) <= _LONGEST_LIST:
        raise Invalid(
            f"{term.field} {term.op} needs a list", hint=f"of 1 to {_LONGEST_LIST} texts, as IN ('a', 'b')"
        )
    return term.value


# ---- numbers -------------------------------------------------------------------------------------------------------------


def _run_times(term: Term, value: str, as_of: int | None) -> Probe | None:
    if term.field == "ended_at" and as_of is not None:
        ended = whole_number(term, "run_state {t}", "{t}.at", value)
        living = f"{recorded_by(as_of, '{t}')} AND {{t}}.state <> 'running' AND "
        return None if ended is None else ended._replace(where=living + ended.where, indexed=False)
    return whole_number(term, "run {t}", f"{{t}}.{term.field}", value)


def whole_number(term: Term, source: str, column: str, value: str) -> Probe | None:
    """A term on a column of whole numbers (times are microseconds): a fraction or an infinity is brought to the whole number
    that decides alike."""
    number = _number_wanted(term)
    known = f"{column} IS NOT NULL"
    if math.isnan(number) or (term.op in {"=", "!="} and not number.is_integer()):
        return Probe(source, known, {}) if term.op == "!=" else None
    if math.isinf(number):
        return Probe(source, known, {}) if (number > 0) == (term.op in {"<", "<="}) else None
    whole = math.floor(number) if term.op in {"<=", ">"} else math.ceil(number)
    bound = max(-(2**63), min(2**63 - 1, whole))
    return Probe(source, f"{known} AND {column} {_COMPARE[term.op]} :{value}", {value: bound})


def _number_wanted(term: Term) -> float:
    if term.op not in _COMPARE or isinstance(term.value, tuple):
        raise Invalid(
            f"{term.field} {term.op} {term.value!r}: a number is not {term.op} anything",
            hint="compare it with = < >",
        )
    if not isinstance(term.value, str):
        return float(term.value)
    number = number_of(term.value.strip())
    if number is not None:
        return number
    if term.value.strip().lower().lstrip("+-") in {"nan", "inf", "infinity"}:
        return float(term.value)
    raise Invalid(f"{term.field} is a number, {term.value!r} is none", hint="write a number, as 0.9 or 1e-3")
