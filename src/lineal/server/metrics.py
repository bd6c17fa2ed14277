"""Figures of one server process in Prometheus' text format."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import MutableMapping
from typing import Any

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counts answers by route and status, and how long they took."""

    def __init__(self) -> None:
        self.routes: dict[int, str] = {}  # by the id of the function that answers
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self._took: dict[str, list[int]] = {}
        self._took_s: Counter[str] = Counter()

    def answered(self, scope: MutableMapping[str, Any], status: int, took_s: float) -> None:
        """Count one answer."""
        route = self.routes.get(id(scope.get("endpoint")), "other")
        self.requests[scope["method"], route, status] += 1
        buckets = self._took.setdefault(route, [0] * (len(_BOUNDS) + 1))
        buckets[bisect_left(_BOUNDS, took_s)] += 1
        self._took_s[route] += took_s  # type: ignore[assignment]
