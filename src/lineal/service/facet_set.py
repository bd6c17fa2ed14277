"""Attach a facet by hand: to a run, a version, a job, or to the edge between a run and what it read or wrote."""

from __future__ import annotations

import re

import msgspec

from lineal.core.errors import Invalid, NotFound
from lineal.core.model import EdgeKind
from lineal.service import references
from lineal.service.facets import PARTS, admit
from lineal.service.operations import Scope, operation
from lineal.store.conditions import Order, Term

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,79}(/\d{1,5})?")
_LARGEST = 1_000_000  # bytes of a facet
_JOB = "job:"


class FacetSetRequest(msgspec.Struct, frozen=True, kw_only=True):
    """ref: a run, a version, or `job:NAME`; run: for an edge, the run that read or wrote that version. name: of the facet, with or
    without `/VERSION`. body: a JSON document, which takes the place of what stood under that name; it remains as history."""

    ref: str
    name: str
    body: msgspec.Raw
    run: str = ""


class FacetWritten(msgspec.Struct, frozen=True, kw_only=True):
    """The run or version that keeps the facet, and the name it stands under there. said: how it breaks its schema; empty: it does
    not, or none is defined."""

    ref: str
    name: str
    said: str
    recorded_at: int


@operation(
    "facet-set",
    permission="record:write",
    path="/facets/set",
    summary="Attach a facet to a run, a version, a job or an edge",
    write=True,
)
def set_facet(scope: Scope, request: FacetSetRequest) -> FacetWritten:
    """Attach a facet, held against its schema: one that breaks it is kept and flagged.

    Raises Invalid: no name or no JSON, the run neither read nor wrote the version, or the facet breaks its schema and such are
    refused. NotFound: nothing is called so.
    """
    if not _NAME.fullmatch(request.name) or request.name.startswith(PARTS):
        raise Invalid(
            f"{request.name!r:.100} is no name of a facet",
            hint="a letter, then up to 79 letters, digits, _ . and -, and perhaps /VERSION",
        )
    body = bytes(request.body)
    if len(body) > _LARGEST:
        raise Invalid(f"a facet of {len(body):,} bytes", hint=f"at most {_LARGEST:,} are taken")
    node, lead = _place(scope, request)
    name = lead + request.name
    if not admit(scope, [(node, name, body)], 0):
        faults = scope.store.facet_schemas.list_faults(scope.tx, [node])
        said = next((fault.said for fault in faults if fault.name == name), "it breaks its schema")
        raise Invalid(
            f"{request.name} is refused: {said}",
            hint=f"`lineal facet list {request.name}` shows what is wanted",
        )
    scope.store.attributes.add_facets(scope.tx, [(node, name, body)], at=scope.at)
    faults = scope.store.facet_schemas.list_faults(scope.tx, [node])
    return FacetWritten(
        ref=_ref(scope, node),
        name=name,
        said=next((fault.said for fault in faults if fault.name == name), ""),
        recorded_at=scope.at,
    )


def _place(scope: Scope, request: FacetSetRequest) -> tuple[int, str]:
    """The vertex that keeps the facet, and what its name begins with there."""
    if request.run:
        return _edge(scope, request)
    if not request.ref.startswith(_JOB):
        return references.find(scope, request.ref).node, ""
    job = request.ref.removeprefix(_JOB)
    newest = scope.store.search.search_runs(scope.tx, [Term("job", "=", job)], order=[Order()], limit=1)
    if not newest:
        raise NotFound(f"no job is called {job!r}", hint="`lineal runs` lists what ran")
    return newest[0], "job."


def _edge(scope: Scope, request: FacetSetRequest) -> tuple[int, str]:
    run, version = references.find(scope, request.run), references.find(scope, request.ref)
    if run.version is not None or version.version is None:
        raise Invalid(
            f"{request.run!r} is to be a run, {request.ref!r} a version that it read or wrote",
            hint="give the version, and its run by `run` (--run)",
        )
    kinds = {
        edge.kind
        for edge in scope.store.edges.get_in(scope.tx, [run.node, version.node])
        if {edge.src, edge.dst} == {run.node, version.node}
    }
    if not kinds:
        raise Invalid(
            f"{request.run!r} neither read nor wrote {request.ref!r}",
            hint="`lineal show run:ID` lists what it did",
        )
    side = "outputs" if EdgeKind.GENERATED in kinds else "inputs"
    return run.node, f"{side}.{version.version.namespace}/{version.version.name}."


def _ref(scope: Scope, node: int) -> str:
    run = scope.store.runs.get_runs(scope.tx, [node]).get(node)
    if run is not None:
        return f"run:{run.run_id}"
    return references.artifact_ref(scope.store.artifacts.get_versions(scope.tx, [node])[node])
