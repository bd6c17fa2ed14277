"""Finding jobs, datasets, tags, events and runs for the users of the OpenLineage door."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from lineal.core.model import EdgeKind
from lineal.service import openlineage_catalog as catalog
from lineal.service.openlineage_catalog import RunView
from lineal.service.openlineage_hidden import hidden
from lineal.service.operations import Scope
from lineal.store.base_doors import LinkedName

_ALL = 1_000_000
_MOST_RUNS = 2000
_decode = msgspec.json.decode


def namespaces(scope: Scope, *, as_of: int | None = None, jobs: bool = True) -> list[tuple[str, int, int]]:
    """Every namespace of jobs (unless left out) and datasets with the first and last time something of it was recorded."""
    found: dict[str, tuple[int, int]] = {}
    for named in every(scope, "dataset", as_of) + (every(scope, "job", as_of) if jobs else []):
        first, last = found.get(named.namespace, (named.first_at, named.last_at))
        found[named.namespace] = (min(first, named.first_at), max(last, named.last_at))
    return [(name, *found[name]) for name in sorted(found)]


def every(scope: Scope, kind: str, as_of: int | None, namespace: str | None = None) -> list[LinkedName]:
    """Every dataset or job (`kind`), in order of their names."""
    linked, gone = scope.store.linked, hidden(scope, kind, as_of=as_of)
    if kind == "dataset":
        return linked.list_linked_datasets(
            scope.tx, namespace=namespace, without=gone, as_of=as_of, limit=_ALL
        )[0]
    return linked.list_linked_jobs(
        scope.tx, namespace=namespace, hidden=catalog.HIDDEN, without=gone, as_of=as_of, limit=_ALL
    )[0]


def search(
    scope: Scope,
    text: str,
    *,
    kind: str = "",
    namespace: str | None = None,
    after: int | None = None,
    before: int | None = None,
    as_of: int | None = None,
) -> list[tuple[str, LinkedName]]:
    """Jobs and datasets whose names hold a text, without regard to case; `%` and `_` are wildcards.

    Args:
        kind: `job`, `dataset`, or empty for both. after, before: when something of it was recorded last.
    """
    parts = ["." if char == "_" else ".*" if char == "%" else re.escape(char) for char in text]
    wanted = re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
    return [
        (each, named)
        for each in ("dataset", "job")
        if kind in ("", each)
        for named in every(scope, each, as_of, namespace)
        if wanted.search(named.name)
        and (after is None or named.last_at >= after)
        and (before is None or named.last_at < before)
    ]


def tags(scope: Scope, *, as_of: int | None = None) -> dict[str, str]:
    """Every tag in a `tags` facet, with a description: its value where it has one that says more than `true`."""
    found: dict[str, str] = {}
    for name in ("tags", "job.tags"):
        for body in scope.store.linked.list_facets(scope.tx, name, as_of=as_of):
            try:
                loaded = _decode(body)
            except msgspec.DecodeError:
                continue
            given = loaded.get("tags") if isinstance(loaded, dict) else None
            for tag in given if isinstance(given, list) else []:
                if isinstance(tag, dict) and isinstance(tag.get("key"), str):
                    value = str(tag.get("value") or "")
                    found.setdefault(tag["key"], "" if value.lower() == "true" else value)
    return found


def events(
    scope: Scope,
    *,
    after: int,
    before: int,
    newest_first: bool,
    limit: int,
    offset: int,
    as_of: int | None = None,
) -> tuple[list[bytes], int]:
    """Events that happened in [after, before) as they were received, and how many there are."""
    kept, count = scope.store.stories.list_events(
        scope.tx,
        after=after,
        before=before,
        as_of=as_of,
        newest_first=newest_first,
        limit=limit,
        offset=offset,
    )
    bodies: dict[int, bytes] = {}
    for event in kept:
        if event.message not in bodies:
            bodies[event.message] = scope.store.audit.get_message(scope.tx, event.message)
    return [bodies[event.message][event.start : event.start + event.length] for event in kept], count


def upstream_runs(
    scope: Scope,
    run: int,
    *,
    depth: int,
    shown: Callable[[RunView, dict[int, str]], Any],
    as_of: int | None = None,
) -> dict[str, Any]:
    """The runs that a run depends on within so many generations, itself first; `cut` when there are more than are shown."""
    seen, layer, found, cut = {run}, [run], [], False
    for generation in range(depth + 1):
        views = catalog.run_views(scope, layer, as_of=as_of)
        versions = sorted({part.version.node for view in views.values() for part in view.reads})
        makers = {
            edge.dst: edge.src
            for edge in scope.store.edges.get_in(scope.tx, versions, as_of=as_of)
            if edge.kind == EdgeKind.GENERATED
        }
        ids = {
            node: record.run_id
            for node, record in scope.store.runs.get_runs(scope.tx, sorted(set(makers.values()))).items()
        }
        named = {version: catalog.dashed(ids[maker]) for version, maker in makers.items() if maker in ids}
        found += [shown(views[node], named) for node in layer if node in views]
        layer = sorted(set(ids) - seen)
        seen |= set(layer)
        cut = bool(layer) and (generation == depth or len(found) + len(layer) > _MOST_RUNS)
        if not layer or cut:
            break
    return {"runs": found, "cut": cut}
