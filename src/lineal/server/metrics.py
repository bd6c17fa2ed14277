"""Figures of one server process in Prometheus' text format."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import MutableMapping
from typing import Any

from lineal.server.writer import Desk

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """Counts answers by route and status, and how long they took."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._began = time.time()
        self.routes: dict[int, str] = {}  # by the id of the function that answers
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self._took: dict[str, list[int]] = {}
        self._took_s: dict[str, float] = {}

    def answered(self, scope: MutableMapping[str, Any], status: int, took_s: float) -> None:
        """Count one answer."""
        route = self.routes.get(id(scope.get("endpoint")), "other")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self.requests[method, route, status] += 1
        buckets = self._took.setdefault(route, [0] * (len(_BOUNDS) + 1))
        buckets[bisect_left(_BOUNDS, took_s)] += 1
        self._took_s[route] = self._took_s.get(route, 0.0) + took_s

    def text(self) -> str:
        """Every figure, in the text format 0.0.4 of Prometheus."""
        lines = _head("lineal_requests_total", "counter", "Answers by route, method and status.")
        for (method, route, status), count in sorted(self.requests.items()):
            labels = f'method="{_quoted(method)}",route="{_quoted(route)}",status="{status}"'
            lines.append(f"lineal_requests_total{{{labels}}} {count}")
        lines += _head("lineal_request_seconds", "histogram", "Time to answer by route.")
        for route, buckets in sorted(self._took.items()):
            lines += self._histogram(route, buckets)
        counts, desk = self._desk.counts, self._desk
        for name, kind, said, value in (
            ("lineal_changes_total", "counter", "Changes written.", counts.changes),
            ("lineal_commits_total", "counter", "Transactions that wrote them.", counts.commits),
            ("lineal_retries_total", "counter", "Changes tried again.", counts.retries),
            ("lineal_writer_busy_seconds_total", "counter", "Time the writer worked.", counts.busy_s),
            ("lineal_largest_group", "gauge", "Most changes in one transaction.", counts.largest),
            ("lineal_waiting_changes", "gauge", "Changes that wait.", desk.waiting),
            ("process_resident_memory_bytes", "gauge", "Memory in use.", _resident()),
            ("process_start_time_seconds", "gauge", "When this process began.", self._began),
        ):
            lines += [*_head(name, kind, said), f"{name} {value}"]
        return "\n".join(lines) + "\n"

    def _histogram(self, route: str, buckets: list[int]) -> list[str]:
        label, total, lines = f'route="{_quoted(route)}"', 0, []
        for bound, count in zip([*_BOUNDS, "+Inf"], buckets, strict=True):
            total += count
            lines.append(f'lineal_request_seconds_bucket{{{label},le="{bound}"}} {total}')
        lines.append(f"lineal_request_seconds_sum{{{label}}} {self._took_s[route]:.6f}")
        lines.append(f"lineal_request_seconds_count{{{label}}} {total}")
        return lines


def _head(name: str, kind: str, said: str) -> list[str]:
    return [f"# HELP {name} {said}", f"# TYPE {name} {kind}"]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _resident() -> int:
    """Bytes of memory that this process has in use; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
