"""Counts over time, and the search of Marquez' newer interface, from the graph of runs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from lineal.core.errors import Invalid
from lineal.core.openlineage import Name
from lineal.doors.openlineage import marquez, shapes
from lineal.service import openlineage_search as searching

Json = dict[str, Any]
_PERIODS = {"day": (24, timedelta(hours=1)), "week": (7, timedelta(days=1))}
_TYPES = {b"START": "start", b"COMPLETE": "complete", b"FAIL": "fail", b"ABORT": "abort"}
_TYPE = re.compile(rb'"eventType"\s*:\s*"([A-Z]+)"')
_AT_ONCE = 1000
_MOST_EVENTS = 200_000


def _intervals(asked: marquez.Asked) -> list[tuple[int, int]]:
    """The stretches of the period, the oldest first, up to the present one: [from, to) in microseconds UTC."""
    count, step = _PERIODS[asked.choice("period", "day", tuple(_PERIODS))]
    width = int(step.total_seconds()) * 1_000_000
    last = asked.scope.at // width * width
    return [(last - n * width, last - (n - 1) * width) for n in range(count - 1, -1, -1)]


def lineage_events(asked: marquez.Asked) -> list[Json]:
    """How many events of which type happened in each hour of a day, or day of a week."""
    counted = []
    for begin, end in _intervals(asked):
        counts = dict.fromkeys(("fail", "start", "complete", "abort"), 0)
        offset = total = 0
        while offset == 0 or offset < min(total, _MOST_EVENTS):
            raws, total = searching.events(
                asked.scope,
                after=begin,
                before=end,
                newest_first=False,
                limit=_AT_ONCE,
                offset=offset,
                as_of=asked.as_of,
            )
            for raw in raws:
                found = _TYPE.search(raw)
                if found and found[1] in _TYPES:
                    counts[_TYPES[found[1]]] += 1
            offset += _AT_ONCE
        counted.append({**_edges(begin, end), **counts})
    return counted


def _edges(begin: int, end: int) -> Json:
    return {"startInterval": shapes.time(begin), "endInterval": shapes.time(end)}


def named(asked: marquez.Asked) -> list[Json]:
    """How many jobs, datasets or sources there were at the end of each stretch."""
    what = asked.part("what")
    if what == "sources":
        firsts = [first for _, first, _ in searching.namespaces(asked.scope, as_of=asked.as_of, jobs=False)]
    elif what in ("jobs", "datasets"):
        firsts = [each.first_at for each in searching.every(asked.scope, what[:-1], asked.as_of)]
    else:
        raise Invalid(f"stats of {what[:40]!r}", hint="lineage-events, jobs, datasets or sources")
    return [
        {**_edges(begin, end), "count": sum(first < end for first in firsts)}
        for begin, end in _intervals(asked)
    ]


def beta_search(asked: marquez.Asked) -> Json:
    """Jobs or datasets whose names hold a text, in the shape of the newer search: the same hits, without highlights."""
    kind = asked.part("what")
    if kind not in ("jobs", "datasets"):
        raise Invalid(f"a search for {kind[:40]!r}", hint="jobs or datasets")
    found = searching.search(
        asked.scope,
        asked.need("q"),
        kind=kind[:-1],
        namespace=None,
        after=None,
        before=None,
        as_of=asked.as_of,
    )
    limit = asked.number("limit", 10, marquez.MOST)
    hits = [
        {
            "name": each.name,
            "namespace": each.namespace,
            "type": one.upper(),
            "nodeId": shapes.node_id(one, Name(each.namespace, each.name)),
            "updatedAt": shapes.time(each.last_at),
        }
        for one, each in found[:limit]
    ]
    return {"hits": hits, "highlights": [{} for _ in hits], "totalCount": len(found)}


_QUESTIONS: tuple[tuple[str, marquez.Question], ...] = (
    ("/stats/lineage-events", lineage_events),
    ("/stats/{what}", named),
)
ROUTES = tuple(("GET", path, marquez.answering(question)) for path, question in _QUESTIONS)
BETA = tuple(
    ("GET", path, marquez.answering(question)) for path, question in (("/search/{what}", beta_search),)
)
