"""Facets from Python: say what they look like, attach them by hand, list those that do not fit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lineal.sdk.query import reading, writing

if TYPE_CHECKING:
    from lineal.service.facet_set import FacetWritten
    from lineal.service.facets import FacetDefined, FacetFaultOut

__all__ = ["attach", "define_facet", "facet_faults", "facets"]


def facets(name: str = "", *, project: str | None = None) -> list[FacetDefined]:
    """The schemas that stand, or those of that name. Raises NotFound: none has it."""
    from lineal.service.facets import FacetsRequest

    with reading(project) as client:
        found: list[FacetDefined] = client.call("facets", FacetsRequest(name=name)).facets
        return found


def define_facet(
    name: str, schema: Any, *, refuse: bool = False, new_version: bool = False, project: str | None = None
) -> FacetDefined:
    """Say by a JSON Schema (as Python values) what facets of that name look like; how many that are there break it.

    Args:
        refuse: what breaks it is not attached, else it is kept and flagged.
        new_version: what fitted before need not fit.
    Raises Invalid: no name or no schema. Conflict: what fitted may not fit any more, and it is no new version.
    """
    import msgspec

    from lineal.service.facets import FacetDefineRequest

    body = msgspec.Raw(json.dumps(schema).encode())
    with writing(project) as client:
        request = FacetDefineRequest(name=name, schema=body, refuse=refuse, new_version=new_version)
        defined: FacetDefined = client.call("facet-define", request)
        return defined


def attach(ref: str, name: str, body: Any, *, run: str = "", project: str | None = None) -> FacetWritten:
    """Attach a document (as Python values) to a run, a version or `job:NAME`; with `run`, to the edge between that run and the version.

    Raises Invalid: it breaks its schema and such are refused, or the run neither read nor wrote the version. NotFound: nothing is
    called so.
    """
    import msgspec

    from lineal.sdk.session import reference
    from lineal.service.facet_set import FacetSetRequest

    raw = msgspec.Raw(json.dumps(body).encode())
    with writing(project) as client:
        named = ref if ref.startswith("job:") else reference(client, ref)
        of = reference(client, run) if run else ""
        written: FacetWritten = client.call(
            "facet-set", FacetSetRequest(ref=named, name=name, body=raw, run=of)
        )
        return written


def facet_faults(ref: str = "", *, limit: int = 1000, project: str | None = None) -> list[FacetFaultOut]:
    """Facets that break their schemas, of everything or of one run or version, the newest first."""
    from lineal.sdk.session import reference
    from lineal.service.facets import FacetFaultsRequest

    with reading(project) as client:
        request = FacetFaultsRequest(ref=reference(client, ref) if ref else "", limit=limit)
        found: list[FacetFaultOut] = client.call("facet-faults", request).faults
        return found
