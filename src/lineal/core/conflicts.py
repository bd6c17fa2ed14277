"""Contradictions between sources, and versions that do not go together: values, no rules."""

from __future__ import annotations

import msgspec


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a contradiction: what is claimed, and by which report."""

    value: str
    by: str


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Things that do not go together.

    id: what `lineal resolve` takes. kind: `digest`, `inputs`, `parent` (sources contradict each other), `mixed-versions` (one run made
    from two states of one dataset), `live-component` (two live models on different versions of one thing), `serving-code` (features
    were built by other code than the live ones). choice, reason, actor, decided_at: of the decision, if one was made.
    """

    id: str
    kind: str
    subject: str
    said: str
    claims: list[Claim]
    choice: str = ""
    reason: str = ""
    actor: str = ""
    decided_at: int | None = None
