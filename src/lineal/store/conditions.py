"""How a search is said to a store: comparisons of fields, joined."""

from __future__ import annotations

import msgspec


class Term(msgspec.Struct, frozen=True):
    """One comparison.

    field: of runs `metrics.KEY`, `params.KEY`, `tags.KEY`, `facets.NAME.PATH`; `input.name`, `input.digest`, `input.role` of
    what the run read, `output.` likewise of what it wrote; or an attribute `run_id job name namespace state kind actor
    started_at ended_at group group_id tag`. Of versions: see `store.version_terms`.
    op: `= != < <= > >=`, `LIKE`, `ILIKE` (% and _; the latter without regard to the case of ASCII letters), `NOT LIKE`,
    `NOT ILIKE`, `=~`, `!~` (a pattern of `core.pattern`), `IN`, `NOT IN` (a tuple of texts, of numbers for `group_id`),
    `IS NULL`, `IS NOT NULL` (of a key; no value).
    said_at: where it stands in a query (characters, from 0), which an error about it then names; below 0: nowhere.
    """

    field: str
    op: str
    value: str | float | tuple[str, ...] | tuple[int, ...] = ""
    said_at: int = -1


class Every(msgspec.Struct, frozen=True):
    """All of the parts hold."""

    parts: tuple[Condition, ...]


class Some(msgspec.Struct, frozen=True):
    """At least one of the parts holds."""

    parts: tuple[Condition, ...]


class Without(msgspec.Struct, frozen=True):
    """The part does not hold."""

    part: Condition


class Among(msgspec.Struct, frozen=True):
    """The vertex is one of these."""

    nodes: tuple[int, ...]


class Joined(msgspec.Struct, frozen=True):
    """An edge of that kind (`used`, `generated`) joins it to another vertex that fulfils the part; `job`: a run of the same job, itself
    included, fulfils it."""

    kind: str
    part: Condition


Condition = Term | Every | Some | Without | Among | Joined


class Order(msgspec.Struct, frozen=True):
    """field as in Term; newest first by default. as_text: parameters and tags by their bytes, not numbers first."""

    field: str = "started_at"
    descending: bool = True
    as_text: bool = False
