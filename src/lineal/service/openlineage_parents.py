"""Which run is whose parent, when what the events say goes round in a circle."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from lineal.core.model import RunRecord
from lineal.service.operations import Scope

_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")


def left_out(run: RunRecord, facet: bytes | msgspec.Raw | None) -> str:
    """That a run named a parent which the record leaves out, for the circle that it would close; empty where it did not. facet: what
    it said of its parent."""
    if run.parent is not None or facet is None:
        return ""
    said: Any = msgspec.json.decode(facet)
    named = said.get("run") if isinstance(said, dict) else None
    parent = named.get("runId") if isinstance(named, dict) else None
    if not isinstance(parent, str) or parent.replace("-", "").lower() == run.run_id:
        return ""
    if not _UUID.fullmatch(parent):
        return ""
    return f"its parent {parent} is left out: runs name each other as parents in a circle"


def open_circles(
    scope: Scope, links: dict[str, str | None], changed: set[str], nodes: dict[str, int]
) -> dict[str, str | None]:
    """The links from runs to their parents, with each circle opened at its greatest run id.

    So the same link is left out in whatever order the events came. A link of the record that has to give way is taken out.

    Args:
        links: what the runs of this pass say of their parents; changed: those of them that were known and say it anew.
        nodes: the vertices of known runs.
    """
    kept = dict(links)
    # A run that is new has no descendants but those of this very pass.
    starts = [nodes[parent] for run in changed if (parent := links[run]) and parent in nodes]
    recorded = scope.store.many.get_parents(scope.tx, starts)
    every: dict[str, str | None] = {**recorded, **kept}
    for run in links:
        while circle := _circle(every, run):
            last = max(circle)
            every[last] = None
            if last in kept:
                kept[last] = None
            cut = scope.store.many.find_runs(scope.tx, [last])
            scope.store.many.clear_parents(scope.tx, list(cut.values()))
    return kept


def _circle(links: dict[str, str | None], start: str) -> list[str]:
    """The runs of the circle that the way up from a run comes into; empty when it ends."""
    way: dict[str, None] = {}
    at: str | None = start
    while at is not None:
        if at in way:
            passed = list(way)
            return passed[passed.index(at) :]
        way[at] = None
        at = links.get(at)
    return []
