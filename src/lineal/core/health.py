"""How complete a record is: the share of facts about a model's ancestry that are known."""

from __future__ import annotations

import msgspec


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of fact. known of total things have it; missing: one line per thing that lacks it."""

    name: str
    means: str
    known: int
    total: int
    missing: list[str]


def percent(checks: list[Check]) -> float:
    """Known facts among all facts asked for, 0 to 100; 0 when nothing could be asked. Every fact weighs the same."""
    total = sum(check.total for check in checks)
    return 100.0 * sum(check.known for check in checks) / total if total else 0.0
