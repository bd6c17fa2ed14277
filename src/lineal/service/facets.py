"""Facets: what a workspace says they look like. What breaks its schema is kept and flagged, or not attached where it says so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from lineal.core.errors import Conflict, Invalid, NotFound
from lineal.core.schema import Schema, fields, narrowed
from lineal.service import references
from lineal.service.operations import Scope, operation
from lineal.store.facet_schemas import FacetSchema

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,79}")
_LARGEST = 1_000_000  # bytes of a schema
_AT_ONCE = 1000
INPUTS, OUTPUTS = "inputs.", "outputs."
PARTS = (
    INPUTS,
    OUTPUTS,
    "job.",
)  # facets of edges, datasets and jobs that a run keeps end in their own name
_MOST_TOGETHER = 2000  # values of the facets of one name on all inputs of a run


class FacetDefineRequest(msgspec.Struct, frozen=True, kw_only=True):
    """name: of the facet, without a version; schema: a JSON Schema. refuse: what breaks it is not attached.

    new_version: make the next version, whatever the difference; else a schema that some facet of before may break is refused.
    """

    name: str
    schema: msgspec.Raw
    refuse: bool = False
    new_version: bool = False


class FacetDefined(msgspec.Struct, frozen=True, kw_only=True):
    """version: facets called `NAME/VERSION` fit it, and those called NAME are held against the newest. revision: how often this
    version was written. checked, broken: facets that were there before, and how many of them break it."""

    name: str
    version: int
    revision: int
    refuse: bool
    actor: str
    recorded_at: int
    schema: Any
    checked: int = 0
    broken: int = 0


class FacetsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """name: only schemas of that name."""

    name: str = ""


class FacetList(msgspec.Struct, frozen=True, kw_only=True):
    """The schemas that stand, by name and version."""

    facets: list[FacetDefined]


class FacetFaultsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """ref: only of this run or version. limit: 1 to 10,000."""

    ref: str = ""
    limit: int = 1000


class FacetFaultOut(msgspec.Struct, frozen=True, kw_only=True):
    """A facet that breaks its schema. refused: it was not attached. message: number of the message that brought it."""

    ref: str
    name: str
    said: str
    refused: bool
    message: int
    recorded_at: int


class FacetFaultList(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    faults: list[FacetFaultOut]


@operation(
    "facet-define",
    permission="record:write",
    path="/facets/define",
    summary="Say what a facet looks like",
    write=True,
)
def define(scope: Scope, request: FacetDefineRequest) -> FacetDefined:
    """Define or widen a schema; facets that are there already are held against it and can be searched by their fields.

    Raises Invalid: no name, or no schema that can be checked. Conflict: a facet that fitted may not fit any more.
    """
    if not _NAME.fullmatch(request.name):
        raise Invalid(
            f"{request.name!r:.100} is no name of a facet",
            hint="a letter, then up to 79 letters, digits, _ . and -; the version is counted for you",
        )
    body = bytes(request.schema)
    if len(body) > _LARGEST:
        raise Invalid(f"a schema of {len(body):,} bytes", hint=f"at most {_LARGEST:,} are taken")
    document = msgspec.json.decode(body)
    schema = Schema(document)
    standing = scope.store.facet_schemas.list_schemas(scope.tx, [request.name])
    version = standing[-1].version if standing else 1
    if standing and request.new_version:
        version += 1
    elif standing and (lost := narrowed(msgspec.json.decode(standing[-1].body), document)):
        raise Conflict(
            f"facets that fit {request.name}/{version} may not fit this: " + "; ".join(lost[:5]),
            hint=f"make it a version of its own: lineal facet define {request.name} SCHEMA.json --new-version",
        )
    made = scope.store.facet_schemas.put_schema(
        scope.tx, request.name, version, body, refused=request.refuse, actor=scope.actor, at=scope.at
    )
    checked, broken = _check_known(scope, made, schema, newest=True)
    return msgspec.structs.replace(_described(made), checked=checked, broken=broken)


@operation("facets", permission="record:read", path="/facets", summary="List what facets look like")
def list_facets(scope: Scope, request: FacetsRequest) -> FacetList:
    """The schemas that stand. Raises NotFound: none has that name."""
    names = [request.name] if request.name else None
    found = scope.store.facet_schemas.list_schemas(scope.tx, names)
    if request.name and not found:
        raise NotFound(f"no schema is called {request.name!r}", hint="`lineal facet list` lists them")
    return FacetList(facets=[_described(schema) for schema in found])


@operation(
    "facet-faults",
    permission="record:read",
    path="/facets/faults",
    summary="List facets that break their schemas",
)
def list_faults(scope: Scope, request: FacetFaultsRequest) -> FacetFaultList:
    """Facets that were kept or refused although they break their schema, the newest first."""
    if not 1 <= request.limit <= 10_000:
        raise Invalid(f"a limit of {request.limit}", hint="1 to 10000")
    nodes = None
    if request.ref:
        nodes = scope.store.joins.expand(scope.tx, [references.find(scope, request.ref).node])
    faults = scope.store.facet_schemas.list_faults(scope.tx, nodes, limit=request.limit)
    ids = sorted({fault.node for fault in faults})
    runs = scope.store.runs.get_runs(scope.tx, ids)
    versions = scope.store.artifacts.get_versions(scope.tx, [node for node in ids if node not in runs])
    names = {
        **{node: f"run:{run.run_id}" for node, run in runs.items()},
        **{node: references.artifact_ref(version) for node, version in versions.items()},
    }
    return FacetFaultList(
        faults=[
            FacetFaultOut(
                ref=names.get(fault.node, ""),
                name=fault.name,
                said=fault.said,
                refused=fault.refused,
                message=fault.batch,
                recorded_at=fault.recorded_at,
            )
            for fault in faults
        ]
    )


_Row = TypeVar("_Row", tuple[int, str, bytes], tuple[int, str, bytes | None])


def attach(scope: Scope, facets: Sequence[tuple[int, str, bytes]], message: int) -> None:
    """Attach facets (vertex, name, body), each held against its schema; one that is refused is left out, and flagged."""
    admitted = admit(scope, facets, message)
    scope.store.attributes.add_facets(scope.tx, admitted, at=scope.at, batch=message)


def admit(scope: Scope, facets: Sequence[_Row], message: int) -> list[_Row]:
    """Those of the facets (vertex, name, body) that may be attached; each of a defined name is held against its schema, flagged
    where it breaks it, and made to be found by its fields. A body of None takes the facet away."""
    known = _known(scope) if facets else {}
    if not known:
        return list(facets)
    admitting = _Admitting(scope, message)
    admitted: list[_Row] = []
    for row in facets:
        node, name, body = row
        part, own, version = _own(name)
        found = known.get((own, version))
        if found is None or admitting.hold(node, name, part, own, body, found):
            admitted.append(row)
    return admitted


_Found = tuple[Schema, bool]


class _Admitting:
    """Facets held against their schemas one after the other, with what is found by their fields."""

    def __init__(self, scope: Scope, message: int) -> None:
        self._scope, self._message = scope, message
        self._beside: dict[tuple[int, str, str], dict[str, list[tuple[str, str]]]] = {}

    def hold(self, node: int, name: str, part: str, own: str, body: bytes | None, found: _Found) -> bool:
        """Hold a facet against its schema; whether it may be attached."""
        schema, refuse = found
        faults, told = ([], []) if body is None else _judged(body, schema)
        refused = bool(faults) and refuse
        scope, store = self._scope, self._scope.store.facet_schemas
        store.set_faults(
            scope.tx, node, name, "; ".join(faults), refused=refused, batch=self._message, at=scope.at
        )
        if refused:
            return False
        if part:  # several datasets may have one of that name: each of their values stands
            together = self._siblings(node, part, own)
            together[name] = told
            told = [item for fields in together.values() for item in fields][:_MOST_TOGETHER]
        store.set_fields(scope.tx, node, f"{part}{own}", told, at=scope.at)
        return True

    def _siblings(self, node: int, part: str, own: str) -> dict[str, list[tuple[str, str]]]:
        key = (node, part, own)
        if key not in self._beside:
            standing = self._scope.store.attributes.get_facets(self._scope.tx, node)
            self._beside[key] = {
                facet.name: _told(bytes(facet.body))
                for facet in standing
                if _own(facet.name)[:2] == (part, own)
            }
        return self._beside[key]


def _judged(body: bytes, schema: Schema) -> tuple[list[str], list[tuple[str, str]]]:
    """How a facet breaks its schema, and its fields."""
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return ["the facet: it is no JSON that can be read"], []
    return schema.faults(value), fields(value)


def _told(body: bytes) -> list[tuple[str, str]]:
    try:
        return fields(msgspec.json.decode(body))
    except (msgspec.DecodeError, RecursionError):
        return []


@lru_cache(maxsize=256)
def _read(body: bytes) -> Schema:
    return Schema(msgspec.json.decode(body))


def _known(scope: Scope) -> dict[tuple[str, int], _Found]:
    """By name and version (0: the newest), the schemas that stand."""
    known: dict[tuple[str, int], _Found] = {}
    for entry in scope.store.facet_schemas.list_schemas(scope.tx):
        found = (_read(entry.body), entry.refused)
        known[entry.name, entry.version] = known[entry.name, 0] = found
    return known


def _own(name: str) -> tuple[str, str, int]:
    """Of which part of a run a facet is (`inputs.`, `outputs.`, `job.`, empty for the run itself), its own name, and its version; 0 when
    it names none."""
    part = next((lead for lead in PARTS if name.startswith(lead)), "")
    if part:
        name = name.rsplit(".", 1)[-1]
    own, _, version = name.rpartition("/")
    return (part, own, int(version)) if own and version.isdecimal() and len(version) < 6 else (part, name, 0)


def _check_known(scope: Scope, made: FacetSchema, schema: Schema, *, newest: bool) -> tuple[int, int]:
    """Hold the facets that are there already against a schema: how many, and how many break it. None is taken away."""
    names = [f"{made.name}/{made.version}", *([made.name] if newest else [])]
    escaped = [re.sub(r"([%_\\])", r"\\\1", name) for name in names]
    patterns = [f"{part}%.{name}" if part != "job." else f"job.{name}" for part in PARTS for name in escaped]
    admitting = _Admitting(scope, 0)
    checked = broken = after = 0
    while rows := scope.store.facet_schemas.list_holders(
        scope.tx, names, patterns, after=after, limit=_AT_ONCE
    ):
        for node, name, body in rows:
            part, own, version = _own(name)
            if own != made.name or version not in (made.version, 0):
                continue
            admitting.hold(node, name, part, own, body, (schema, False))
            checked += 1
            broken += bool(_judged(body, schema)[0])
        after = rows[-1][0]
    return checked, broken


def _described(schema: FacetSchema) -> FacetDefined:
    document: Mapping[str, Any] = msgspec.json.decode(schema.body)
    return FacetDefined(
        name=schema.name,
        version=schema.version,
        revision=schema.revision,
        refuse=schema.refused,
        actor=schema.actor,
        recorded_at=schema.recorded_at,
        schema=document,
    )
