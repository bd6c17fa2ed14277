"""Query: runs, versions and registered models by what they are, and by what they were made from or went into."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from lineal.core import query as q
from lineal.core.errors import Invalid, LinealError
from lineal.core.events import State
from lineal.core.pattern import Pattern
from lineal.core.query_text import parse
from lineal.service import query_runs, references
from lineal.service.operations import Scope
from lineal.store.conditions import Among, Condition, Every, Joined, Order, Some, Term, Without
from lineal.store.version_terms import FIELDS as VERSION_FIELDS

RUNS, VERSIONS, MODELS = "runs", "versions", "models"
SUBJECTS = (RUNS, VERSIONS, MODELS)
_KEYED = {
    **dict.fromkeys(("metric", "metrics"), "metrics"),
    **dict.fromkeys(("param", "params", "parameter", "parameters"), "params"),
    **dict.fromkeys(("tag", "tags"), "tags"),
    **dict.fromkeys(("facet", "facets"), "facets"),
}
# Facets of the edges and of the job of a run are kept with the run; `facet.NAME` asks for them too.
_SIDES = {"input": "inputs.", "output": "outputs.", "job": "job."}
_EVERYWHERE = ("", *_SIDES.values())
_OWN = ("", "attr", "attribute", "attributes")
_VERSION_ALIASES = {
    "version": "number",
    "uri": "location",
    "created_at": "recorded_at",
    "source_path": "location",  # as MLflow calls it
}
_MODEL_ALIASES = {
    "name": "model",
    **dict.fromkeys(("version", "number", "version_number"), "model_number"),
    "artifact": "name",
}
_NUMERIC = frozenset({"=", "!=", "<", "<=", ">", ">="})
_TIMES = ("started_at", "ended_at", "recorded_at")
_SEEDS = 20_000  # things that an inner condition may mean
_SPREAD = 250_000  # vertices before or behind them
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])[a-z]*\s+ago", re.IGNORECASE)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Planned(msgspec.Struct, frozen=True):
    """A query in the store's terms. as_of: as recorded by then (microseconds UTC), None: now."""

    terms: list[Condition]
    as_of: int | None


def plan(scope: Scope, subject: str, text: str, *, as_of: int | None = None) -> Planned:
    """What a query means for runs, versions or models.

    Raises Invalid: it cannot be read (with the place marked), names what they do not have, or its lineage terms spread too far.
    """
    said = parse(text)
    if said.as_of:
        as_of = moment(said.as_of, scope.at, said, said.text.find(said.as_of))
    valid_at = moment(said.valid_at, scope.at, said, said.text.find(said.valid_at)) if said.valid_at else None
    meaning = _Meaning(scope, said, as_of, valid_at)
    terms = [] if said.condition is None else [meaning.condition(said.condition, subject)]
    if subject == MODELS:
        terms.append(Term("model", "IS NOT NULL"))
    if valid_at is not None:
        happened = Term("started_at", "<=", float(valid_at))
        terms.append(happened if subject == RUNS else Joined("generated", happened))
    return Planned(terms, as_of)


def search(
    scope: Scope, subject: str, text: str, *, order: str = "", limit: int, offset: int = 0
) -> tuple[list[int], int | None]:
    """(vertices that fulfil a query, in order; as of when it was asked). Raises as `plan` and `parse_order`."""
    orders = [parse_order(order, subject)] if order.strip() else []
    searching = scope.store.search.search_runs if subject == RUNS else scope.store.search.search_versions
    try:
        planned = plan(scope, subject, text)
        nodes = searching(
            scope.tx, planned.terms, order=orders, limit=limit, offset=offset, as_of=planned.as_of
        )
    except Invalid as error:
        if "said_at" not in error.subject:
            raise
        raise q.misread(text, int(error.subject["said_at"]), error.message, error.hint) from None
    return nodes, planned.as_of


def _placed(condition: Condition, at: int) -> Condition:
    """A condition that knows where in the query it was said, all of it but what has been placed."""
    if isinstance(condition, Term):
        return condition if condition.said_at >= 0 else msgspec.structs.replace(condition, said_at=at)
    if isinstance(condition, Every | Some):
        parts = tuple(_placed(part, at) for part in condition.parts)
        return msgspec.structs.replace(condition, parts=parts)
    if isinstance(condition, Without | Joined):
        return msgspec.structs.replace(condition, part=_placed(condition.part, at))
    return condition


def parse_order(text: str, subject: str = RUNS) -> Order:
    """The order that `text` asks for: `FIELD`, `FIELD asc` or `FIELD desc`.

    Raises Invalid: runs, versions or models have no such field.
    """
    field, _, direction = text.strip().rpartition(" ")
    if not field or direction.lower() not in ("asc", "desc"):
        field, direction = text.strip(), ""
    entity, dot, key = field.partition(".")
    if dot and entity in _KEYED:
        field = f"{_KEYED[entity]}.{key.strip(chr(34) + '`')}"
    elif subject != RUNS:
        field = _VERSION_ALIASES.get(field, field)
    elif field not in query_runs.ATTRIBUTES:
        raise Invalid(
            f"runs cannot be ordered by {field!r}",
            hint=f"by metrics.KEY, params.KEY, tags.KEY, {', '.join(sorted(query_runs.ATTRIBUTES))}",
        )
    return Order(field, direction.lower() != "asc")


def moment(text: str, now: int, said: q.Query, at: int) -> int:
    """A time in a query as UTC microseconds: a number of them, `now`, `2h ago`, or ISO 8601, where one without a zone is UTC."""
    plain = text.strip()
    if plain.lower() == "now":
        return now
    if found := _AGO.fullmatch(plain):
        return now - round(float(found[1]) * _UNITS[found[2].lower()] * 1_000_000)
    if re.fullmatch(r"[+-]?\d{5,19}(\.\d*)?", plain):
        return int(float(plain))
    try:
        then = datetime.fromisoformat(plain)
    except ValueError:
        raise q.misread(
            said.text,
            max(at, 0),
            f"{text!r} is no time",
            "write '2025-11-23', '2025-11-23T14:30' (UTC), '2h ago', or UTC microseconds",
        ) from None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return (then - _EPOCH) // timedelta(microseconds=1)


class _Meaning:
    """Turns the tree of one query into the store's terms."""

    def __init__(self, scope: Scope, said: q.Query, as_of: int | None, valid_at: int | None) -> None:
        self._scope, self._said, self._as_of, self._valid_at = scope, said, as_of, valid_at

    def condition(self, node: q.Node, subject: str) -> Condition:
        """The node in the store's terms for a subject. Raises Invalid: it cannot be asked of it."""
        if isinstance(node, q.Compare):
            return self._compare(node, subject)
        if isinstance(node, q.Related):
            return self._related(node, subject)
        if isinstance(node, q.Not):
            return Without(self.condition(node.part, subject))
        parts = tuple(self.condition(part, subject) for part in node.parts)
        return Every(parts) if isinstance(node, q.All) else Some(parts)

    # ---- comparisons

    def _compare(self, said: q.Compare, subject: str) -> Condition:
        if said.op in ("=~", "!~"):
            try:
                Pattern(str(self._texts(said)))
            except Invalid as error:
                raise q.misread(self._said.text, said.value_start, error.message, error.hint) from None
        return _placed(self._meant_by(said, subject), said.start)

    def _meant_by(self, said: q.Compare, subject: str) -> Condition:
        if said.entity in _KEYED:
            scope = _KEYED[said.entity]
            return self._facet(said, said.key, _EVERYWHERE) if scope == "facets" else self._keyed(said, scope)
        if said.entity in _SIDES and said.key.partition(".")[0] in ("facet", "facets"):
            found = self._facet(said, said.key.partition(".")[2], (_SIDES[said.entity],))
            found = Joined("job", found) if said.entity == "job" else found
            return found if subject == RUNS else Joined("generated", found)
        if said.entity in query_runs.LINKS:
            return self._link(said, subject)
        if said.entity == "run" or (said.entity in _OWN and subject == RUNS):
            found = self._of_run(said)
            return found if subject == RUNS else Joined("generated", found)
        if said.entity not in (*_OWN, "version", "model"):
            raise self._wrong(
                said,
                f"there is no {said.entity!r}: fields are metrics.KEY, params.KEY, tags.KEY, facet.NAME.PATH, input.name "
                "and the attributes",
            )
        if subject == RUNS:
            raise self._wrong(
                said, f"runs have no {said.name}; ask generated({said.key} ...) of what they made"
            )
        return self._of_version(said, subject)

    def _of_run(self, said: q.Compare) -> Condition:
        key = said.key
        if key in query_runs.ATTRIBUTES:
            if key == "ended_at" and said.op in q.NULLS and self._valid_at is not None:
                return self._ended() if said.op == "IS NOT NULL" else Without(self._ended())
            if said.op in q.NULLS:
                return Term(key, said.op)
            if key in _TIMES:
                found = self._time(said, key)
                return (
                    Every((found, self._ended()))
                    if key == "ended_at" and self._valid_at is not None
                    else found
                )
            if key == "group_id":
                if said.op in {"=", "IN"}:
                    numbers = said.value if isinstance(said.value, tuple) else (said.value,)
                    return Term("group_id", "IN", tuple(int(str(n)) for n in numbers if str(n).isdecimal()))
                raise self._wrong(said, "group_id is compared by = and IN")
            if key == "state":
                self._refuse_state(said)
                return self._happened(Term(key, said.op, self._texts(said)), said, "running")
            return Term(key, said.op, self._texts(said))
        if key in query_runs.MLFLOW or key in query_runs.ALIASES:
            found = query_runs.mlflow(said, self._wrong)
            if key == "end_time" and self._valid_at is not None:
                return Every((found, self._ended()))
            return self._happened(found, said, "RUNNING") if key == "status" else found
        raise self._wrong(
            said,
            f"runs have no field {said.name!r}; they have metrics.KEY, params.KEY, tags.KEY, facet.NAME.PATH, "
            + ", ".join(sorted(query_runs.ATTRIBUTES)),
        )

    def _ended(self) -> Condition:
        """That a run had ended by the time at which what is asked is to be valid."""
        assert self._valid_at is not None
        return Term("ended_at", "<=", float(self._valid_at))

    def _happened(self, found: Condition, said: q.Compare, running: str) -> Condition:
        """A comparison of states as they were at that time: what ended later was running."""
        if self._valid_at is None:
            return found
        still = query_runs.holds(running, said, self._wrong)
        parts: list[Condition] = [Every((self._ended(), found))]
        return Some((*parts, Without(self._ended())) if still else tuple(parts))

    def _refuse_state(self, said: q.Compare) -> None:
        wanted = said.value if isinstance(said.value, tuple) else (said.value,)
        if said.op in {"=", "!=", "IN", "NOT IN"} and not set(wanted) <= set(State):
            raise self._wrong(said, f"a state is one of {', '.join(State)}", value=True)

    def _of_version(self, said: q.Compare, subject: str) -> Condition:
        key = said.key
        if subject == MODELS or said.entity == "model":
            key = _MODEL_ALIASES.get(key, key)
        key = _VERSION_ALIASES.get(key, key)
        if key in ("run_id", "job"):
            return Joined("generated", self._of_run(msgspec.structs.replace(said, key=key)))
        if key not in VERSION_FIELDS:
            raise self._wrong(
                said,
                f"versions have no field {said.name!r}; they have metrics.KEY and params.KEY (of the run that made them), "
                f"tags.KEY, facet.NAME.PATH, run.FIELD, {', '.join(sorted(VERSION_FIELDS))}",
            )
        if said.op in q.NULLS:
            return Term(key, said.op)
        if key == "recorded_at":
            return self._time(said, key)
        if key in ("number", "model_number", "size"):
            return self._numbers(said, key)
        return Term(key, said.op, self._texts(said))

    def _keyed(self, said: q.Compare, entity: str) -> Condition:
        field = f"{entity}.{said.key}"
        if said.op in q.NULLS:
            return Term(field, said.op)
        if entity == "metrics":
            return self._numbers(said, field)
        if isinstance(said.value, tuple):
            texts = tuple(value for value in said.value if isinstance(value, str))
            parts: list[Condition] = [Term(field, "IN", texts)] if texts else []
            parts += [Term(field, "=", value) for value in said.value if not isinstance(value, str)]
            found = parts[0] if len(parts) == 1 else Some(tuple(parts))
            if said.op == "IN":
                return found
            return (
                Term(field, "NOT IN", texts)
                if len(parts) == 1 and texts
                else Every((Term(field, "IS NOT NULL"), Without(found)))
            )
        if isinstance(said.value, int | float) and said.op in _NUMERIC:
            return Term(field, said.op, float(said.value))
        if isinstance(said.value, str) and not said.quoted and said.op in _NUMERIC and _spells(said.value):
            return Term(field, said.op, float(said.value))
        return Term(field, said.op, self._texts(said))

    def _facet(self, said: q.Compare, key: str, parts: Sequence[str]) -> Condition:
        """A comparison of a field of a facet, of which a list has several values: any of them, in any of these parts of a run."""
        found = [self._keyed(msgspec.structs.replace(said, key=f"{part}{key}"), "facets") for part in parts]
        if len(found) == 1:
            return found[0]
        return Every(tuple(found)) if said.op == "IS NULL" else Some(tuple(found))

    def _numbers(self, said: q.Compare, field: str) -> Condition:
        """A comparison with numbers, where a list is any of them."""
        if said.op in {"IN", "NOT IN"} and isinstance(said.value, tuple):
            found = Some(tuple(Term(field, "=", self._number(said, value)) for value in said.value))
            return found if said.op == "IN" else Every((Term(field, "IS NOT NULL"), Without(found)))
        if said.op not in _NUMERIC:
            raise self._wrong(said, f"{said.name} is a number, and {said.op} is asked of text")
        return Term(field, said.op, self._number(said, said.value))

    def _number(self, said: q.Compare, value: object) -> float:
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                raise self._wrong(
                    said,
                    f"{said.name} is compared with a number, not {value!r:.60}; for example {said.name} > 0.5",
                    value=True,
                ) from None
        assert isinstance(value, int | float)
        return float(value)

    def _time(self, said: q.Compare, field: str) -> Condition:
        if said.op not in _NUMERIC or isinstance(said.value, tuple):
            raise self._wrong(said, f"{field} is a time, and compared by = != < <= > >=")
        if isinstance(said.value, str) and not _spells(said.value):
            return Term(
                field, said.op, float(moment(said.value, self._scope.at, self._said, said.value_start))
            )
        return Term(field, said.op, float(said.value or 0))

    def _link(self, said: q.Compare, subject: str) -> Condition:
        if said.entity == "lineage" and said.key in ("upstream", "downstream"):
            if said.op not in {"=", "!="} or not isinstance(said.value, str):
                raise self._wrong(
                    said, f"lineage.{said.key} is compared by = or != with a run, a version or name@alias"
                )
            start = self._find(q.Reference(said.value, "", said.value_start), any_version=False)
            inside = self._among(start, up=said.key == "upstream", at=said.start)
            return inside if said.op == "=" else Without(inside)
        known = query_runs.LINKS[said.entity]
        if said.key not in known:
            raise self._wrong(said, f"{said.entity} has no {said.key!r}; it has {', '.join(known)}")
        found = Term(known[said.key], said.op, self._texts(said))
        return found if subject == RUNS else Joined("generated", found)

    def _texts(self, said: q.Compare) -> str | tuple[str, ...]:
        if isinstance(said.value, tuple):
            return tuple(str(value) for value in said.value)
        if isinstance(said.value, str):
            return said.value
        written = re.compile(r"[^\s)]+").match(self._said.text, said.value_start)
        return written[0] if written else str(said.value)

    # ---- lineage

    def _related(self, said: q.Related, subject: str) -> Condition:
        if said.relation in ("used", "generated"):
            if isinstance(said.to, q.Reference):
                return Joined(said.relation, Among(tuple(self._find(said.to))))
            return Joined(said.relation, self.condition(said.to, VERSIONS if subject == RUNS else RUNS))
        if isinstance(said.to, q.Reference):
            seeds: Sequence[int] = self._find(said.to)
        else:
            seeds = self._meant(said.to, said.start)
        # What has such a thing upstream lies downstream of it.
        return self._among(seeds, up=said.relation == "downstream", at=said.start)

    def _among(self, seeds: Sequence[int], *, up: bool, at: int) -> Condition:
        stand = self._scope.store.joins.canonical(self._scope.tx, seeds, as_of=self._as_of)
        seeds = [stand.get(node, node) for node in seeds]
        nodes, more = self._scope.store.neighbours.reach(
            self._scope.tx, seeds, up=up, limit=_SPREAD, as_of=self._as_of, valid_at=self._valid_at
        )
        if more:
            raise q.misread(
                self._said.text,
                at,
                f"more than {_SPREAD:,} runs and versions lie there",
                "make the condition inside narrower, or ask `lineal impact` for a single thing",
            )
        return Among(tuple(self._scope.store.joins.expand(self._scope.tx, nodes, as_of=self._as_of)))

    def _meant(self, inner: q.Node, at: int) -> list[int]:
        """The runs and versions that an inner condition means; a field need only be one of either."""
        found: list[int] = []
        refused: list[Invalid] = []
        for subject in (RUNS, VERSIONS):
            try:
                terms = [self.condition(inner, subject)]
            except Invalid as error:
                refused.append(error)
                continue
            if subject == RUNS:
                found += self._scope.store.search.search_runs(
                    self._scope.tx, terms, order=[], limit=_SEEDS + 1, as_of=self._as_of
                )
            else:
                found += self._scope.store.search.search_versions(
                    self._scope.tx, terms, order=[], limit=_SEEDS + 1, as_of=self._as_of
                )
        if len(refused) == 2:
            raise refused[1]
        if len(found) > _SEEDS:
            raise q.misread(
                self._said.text,
                at,
                f"the condition inside means more than {_SEEDS:,} things",
                "make it narrower",
            )
        return found

    def _find(self, ref: q.Reference, *, any_version: bool = True) -> list[int]:
        """The vertices that a reference means: without `@NUMBER` or `@ALIAS`, every version of what is called so."""
        try:
            return named(self._scope, ref.text, ref.kind, as_of=self._as_of, any_version=any_version)
        except LinealError as error:
            raise q.misread(self._said.text, ref.start, error.message, error.hint) from None

    def _wrong(self, said: q.Compare, why: str, *, value: bool = False) -> Invalid:
        return q.misread(self._said.text, said.value_start if value else said.start, why)


def named(
    scope: Scope, text: str, kind: str = "", *, as_of: int | None = None, any_version: bool = True
) -> list[int]:
    """The vertices that a reference means. kind: empty, or the kind of artifact, `run` or `job`.

    Raises NotFound, Conflict, Invalid as `references.find`.
    """
    if kind == "job":
        return scope.store.search.search_runs(
            scope.tx, [Term("job", "=", text)], order=[], limit=_SEEDS, as_of=as_of
        )
    if any_version and not text.startswith(("run:", "sha256:")):
        several = [v.node for v in scope.store.registry.list_named(scope.tx, text, as_of=as_of)]
        several = several or [v.node for v in references.versions_of(scope, text)]
        several = several or _by_stem(scope, text, kind)
        if several:
            return sorted(set(several))
    return [references.find(scope, text, as_of=as_of).node]


def _by_stem(scope: Scope, text: str, kind: str) -> list[int]:
    """Versions of the artifacts of that kind whose file name without its ending is `text`, where a kind was written."""
    if not kind:
        return []
    kinds = () if kind in ("artifact", "version") else (kind,)
    found = [
        row
        for row in scope.store.catalog.list_newest(scope.tx, kinds=kinds, text=text, limit=1000)
        if row.name.rsplit("/", 1)[-1].partition(".")[0] == text
    ]
    spaces = {(row.namespace, row.name) for row in found}
    if len(spaces) != 1:
        return []
    ((namespace, name),) = spaces
    return [version.node for version in scope.store.artifacts.list_versions(scope.tx, namespace, name)]


def _spells(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
