"""Columns: from which columns a column was made, and into which it went, where that is known."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from lineal.core.errors import Invalid, NotFound
from lineal.core.model import Edge, EdgeKind
from lineal.service import references
from lineal.service.operations import Scope, operation
from lineal.service.show import facet_of

LINEAGE, SCHEMA = "columnLineage", "lineal.schema/1"
SAME_VALUES = "same-values"
_BUDGET = 2000  # columns of an answer


class ColumnsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """ref: a version. column: one of its columns, empty for all. direction: `up` or `down`. as_of: as recorded by then; valid_at: only
    what had happened by then (microseconds UTC).

    depth: versions to go through at most.
    """

    ref: str
    column: str = ""
    direction: str = "up"
    depth: int = 100
    as_of: int | None = None
    valid_at: int | None = None


class ColumnNode(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a version. known: false when the version is not known of
    which it is a column; then ref is the name of the artifact."""

    id: int
    ref: str
    column: str
    known: bool


class ColumnEdge(msgspec.Struct, frozen=True, kw_only=True):
    """One column went into another. how: transformations in words. evidence, rule: `declared` by a facet, or `inferred` by the rule
    `same-values`: both hold the very same values."""

    src: int
    dst: int
    how: list[str]
    evidence: str
    rule: str


class ColumnsReply(msgspec.Struct, frozen=True, kw_only=True):
    """The columns around those that were asked for (`roots`). cut: there are more than 2,000, or it goes on beyond the depth."""

    ref: str
    direction: str
    roots: list[int]
    nodes: list[ColumnNode]
    edges: list[ColumnEdge]
    cut: bool
    as_of: int | None


@operation(
    "columns", permission="record:read", path="/columns", summary="From which columns a column was made"
)
def columns(scope: Scope, request: ColumnsRequest) -> ColumnsReply:
    """The lineage of columns, upwards or downwards. Raises Invalid: a run was named, or an unknown direction; NotFound: no such
    column is known."""
    if request.direction not in ("up", "down") or request.depth < 1:
        raise Invalid(
            f"direction {request.direction!r}, depth {request.depth}", hint="`up` or `down`, 1 or more"
        )
    found = references.find(scope, request.ref, as_of=request.as_of)
    if found.version is None:
        raise Invalid(f"{request.ref!r} is a run, and columns are of versions", hint="name what it wrote")
    return _Walk(scope, request).reply(found.node)


_Column = tuple[
    int | str, str
]  # a vertex, or the name of an artifact of which no version is known; and the column


class _Walk:
    def __init__(self, scope: Scope, request: ColumnsRequest) -> None:
        self.scope, self.request = scope, request
        self.ids: dict[_Column, int] = {}
        self.edges: dict[tuple[int, int], ColumnEdge] = {}
        self.facets: dict[tuple[int, str], dict[str, Any]] = {}
        self.cut = False

    def reply(self, node: int) -> ColumnsReply:
        names = [self.request.column] if self.request.column else self._names(node)
        if not names:
            raise NotFound(
                f"no column of {self.request.ref!r} is known",
                hint="columns are known of tables and data frames",
            )
        roots = [self._id((node, name)) for name in names]
        queue: deque[tuple[int, str, int]] = deque((node, name, 0) for name in names)
        seen = {(node, name) for name in names}
        while queue:
            version, column, depth = queue.popleft()
            if depth >= self.request.depth:
                self.cut = True
                continue
            for other, name, how, rule in self._beside(version, column):
                if len(self.ids) >= _BUDGET and (other, name) not in self.ids:
                    self.cut = True
                    continue
                near, far = self._id((version, column)), self._id((other, name))
                src, dst = (far, near) if self.request.direction == "up" else (near, far)
                self.edges.setdefault(
                    (src, dst),
                    ColumnEdge(
                        src=src, dst=dst, how=how, evidence="inferred" if rule else "declared", rule=rule
                    ),
                )
                if isinstance(other, int) and (other, name) not in seen:
                    seen.add((other, name))
                    queue.append((other, name, depth + 1))
        return ColumnsReply(
            ref=self.request.ref,
            direction=self.request.direction,
            roots=roots,
            nodes=self._nodes(),
            edges=list(self.edges.values()),
            cut=self.cut,
            as_of=self.request.as_of,
        )

    def _id(self, column: _Column) -> int:
        return self.ids.setdefault(column, len(self.ids) + 1)

    def _nodes(self) -> list[ColumnNode]:
        versions = self.scope.store.artifacts.get_versions(
            self.scope.tx, sorted({key for key, _ in self.ids if isinstance(key, int)})
        )
        return [
            ColumnNode(
                id=id,
                ref=references.artifact_ref(versions[key])
                if isinstance(key, int) and key in versions
                else str(key),
                column=column,
                known=isinstance(key, int),
            )
            for (key, column), id in self.ids.items()
        ]

    def _names(self, node: int) -> list[str]:
        told = list(_mapping(self._facet(node, LINEAGE).get("fields")))
        schema = [str(column.get("name")) for column in _items(self._facet(node, SCHEMA).get("columns"))]
        return list(dict.fromkeys([*schema, *told]))

    def _facet(self, node: int, name: str) -> dict[str, Any]:
        if (node, name) not in self.facets:
            found: dict[str, Any] = {}
            for member in self.scope.store.joins.expand(self.scope.tx, [node]):
                found = found or facet_of(self.scope, member, name) or {}
            self.facets[node, name] = found
        return self.facets[node, name]

    def _beside(self, node: int, column: str) -> list[tuple[int | str, str, list[str], str]]:
        """(version or artifact, column, how, rule) of the columns one step away."""
        return self._sources(node, column) if self.request.direction == "up" else self._targets(node, column)

    def _sources(self, node: int, column: str) -> list[tuple[int | str, str, list[str], str]]:
        told = _told(self._facet(node, LINEAGE), column)
        inputs = self._inputs(node)
        if told:
            return [
                (inputs.get((space, name), f"{space}/{name}" if "://" in space else name), field, how, "")
                for space, name, field, how in told
            ]
        digest = _digests(self._facet(node, SCHEMA)).get(column)
        if not digest:
            return []
        return [
            (version, name, [], SAME_VALUES)
            for version in sorted(set(inputs.values()))
            for name, other in _digests(self._facet(version, SCHEMA)).items()
            if other == digest
        ]

    def _targets(self, node: int, column: str) -> list[tuple[int | str, str, list[str], str]]:
        version = self.scope.store.artifacts.get_versions(self.scope.tx, [node])[node]
        found: list[tuple[int | str, str, list[str], str]] = []
        for output in self._outputs(node):
            lineage = self._facet(output, LINEAGE)
            fields = _mapping(lineage.get("fields"))
            for name in fields:
                for space, artifact, field, how in _told(lineage, name):
                    if (space, artifact, field) == (version.namespace, version.name, column):
                        found.append((output, name, how, ""))
            digest = _digests(self._facet(node, SCHEMA)).get(column)
            if not fields and digest:
                own = _digests(self._facet(output, SCHEMA))
                found += [(output, name, [], SAME_VALUES) for name, other in own.items() if other == digest]
        return found

    def _inputs(self, node: int) -> dict[tuple[str, str], int]:
        """By namespace and name, the versions that went into what produced this one."""
        store, tx, then = self.scope.store, self.scope.tx, self.request.as_of
        into = self._edges([node], up=True)
        makers = [edge.src for edge in into if edge.kind == EdgeKind.GENERATED]
        used = [e.src for e in self._edges(makers, up=True) if e.kind == EdgeKind.USED]
        used += [edge.src for edge in into if edge.kind == EdgeKind.DERIVED]
        every = store.joins.expand(tx, sorted(set(used)), as_of=then)
        stands = store.joins.canonical(tx, every, as_of=then)
        versions = store.artifacts.get_versions(tx, every)
        return {(v.namespace, v.name): stands.get(node, node) for node, v in versions.items()}

    def _outputs(self, node: int) -> list[int]:
        out = self._edges([node], up=False)
        runs = sorted({edge.dst for edge in out if edge.kind == EdgeKind.USED})
        made = [e.dst for e in self._edges(runs, up=False) if e.kind == EdgeKind.GENERATED]
        return sorted({*made, *(edge.dst for edge in out if edge.kind == EdgeKind.DERIVED)})

    def _edges(self, nodes: Sequence[int], *, up: bool) -> list[Edge]:
        """The edges into (`up`) or out of vertices that count at the time asked for."""
        ask = self.scope.store.edges.get_in if up else self.scope.store.edges.get_out
        at = self.request.valid_at
        found = ask(self.scope.tx, nodes, as_of=self.request.as_of)
        return [edge for edge in found if at is None or edge.at <= at]


def _told(facet: dict[str, Any], column: str) -> list[tuple[str, str, str, list[str]]]:
    """(namespace, name, column, how) of what a facet says a column was made from; of whole rows what decides over all."""
    entry = _mapping(_mapping(facet.get("fields")).get(column))
    items = [*_items(entry.get("inputFields")), *(_items(facet.get("dataset")) if entry else [])]
    found = [
        (str(item.get("namespace", "")), str(item.get("name", "")), str(item.get("field", "")), _how(item))
        for item in items
    ]
    return [row for row in found if row[1] and row[2]]


def _how(item: dict[str, Any]) -> list[str]:
    said = []
    for step in _items(item.get("transformations")):
        words = [str(step.get(word)) for word in ("type", "subtype", "description") if step.get(word)]
        said.append(" ".join(words) + (" masking" if step.get("masking") is True else ""))
    return [text for text in said if text]


def _digests(schema: dict[str, Any]) -> dict[str, str]:
    return {
        str(column.get("name")): str(column["digest"])
        for column in _items(schema.get("columns"))
        if column.get("digest")
    }


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
