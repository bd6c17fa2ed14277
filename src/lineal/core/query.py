"""The query language: what a query says, as a tree. One language for runs, versions and registered models.

    metrics.auc > 0.9 and (params.lr = 0.1 or tags.stage like 'prod%') and not state in ('failed', 'lost')
    from dataset:raw_flights and upstream(tag = 'pii') as of '2026-03-03'

`core.query_text` reads it, `service.query` decides what the names mean for whom. docs/reference/query.md is its reference.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lineal.core.errors import Invalid

LONGEST = 1_000_000  # characters
MOST = 500  # comparisons
DEEPEST = 50  # conditions within conditions

COMPARISONS = (
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "LIKE",
    "ILIKE",
    "NOT LIKE",
    "NOT ILIKE",
    "=~",
    "!~",
    "IN",
    "NOT IN",
)
NULLS = ("IS NULL", "IS NOT NULL")
RELATIONS = ("used", "generated", "upstream", "downstream")

Value = str | int | float | tuple[str | int | float, ...] | None


class Compare(msgspec.Struct, frozen=True):
    """One comparison. entity: what stands before the first dot (`metrics`), empty for an attribute; key: the rest.

    quoted: the value was written in quotes. start, value_start: where name and value begin (characters, from 0).
    """

    entity: str
    key: str
    op: str
    value: Value
    quoted: bool = False
    start: int = 0
    value_start: int = 0

    @property
    def name(self) -> str:
        """The field as it was written."""
        return f"{self.entity}.{self.key}" if self.entity else self.key


class Reference(msgspec.Struct, frozen=True):
    """Something named: `kind` is empty, or what stood before the colon (`dataset`, `model` ...)."""

    text: str
    kind: str = ""
    start: int = 0


class Related(msgspec.Struct, frozen=True):
    """An edge or a way to something else. relation: `used`, `generated` (one edge), `upstream`, `downstream` (any number).

    to: what that other thing is: a reference, or what it must fulfil.
    """

    relation: str
    to: Reference | Node
    start: int = 0


class All(msgspec.Struct, frozen=True):
    """All parts hold."""

    parts: tuple[Node, ...]


class Any(msgspec.Struct, frozen=True):
    """At least one of the parts holds."""

    parts: tuple[Node, ...]


class Not(msgspec.Struct, frozen=True):
    """The part does not hold."""

    part: Node


Node = Compare | Related | All | Any | Not


class Query(msgspec.Struct, frozen=True):
    """A whole query. condition: None when everything is wanted. as_of: as recorded by then, as it was written; valid_at: what
    had happened by then."""

    condition: Node | None = None
    as_of: str = ""
    valid_at: str = ""
    text: str = ""


def comparisons(node: Node | None) -> Iterator[Compare]:
    """Every comparison that is about the thing itself, not about what it is related to."""
    if isinstance(node, Compare):
        yield node
    elif isinstance(node, Not):
        yield from comparisons(node.part)
    elif isinstance(node, All | Any):
        for part in node.parts:
            yield from comparisons(part)


def misread(text: str, at: int, why: str, hint: str = "") -> Invalid:
    """The error that points at a character of a query (counted from 1 in words, marked below the text)."""
    at = min(at, len(text))
    begin, end = max(0, at - 50), at + 40
    shown = "".join(char if char.isprintable() else " " for char in text[begin:end])
    lead = "..." if begin else ""
    mark = " " * (len(lead) + at - begin) + "^"
    return Invalid(
        f"at character {at + 1} of the query: {why}\n  {lead}{shown}{'...' if end < len(text) else ''}\n  {mark}",
        hint=hint or "docs/reference/query.md tells what can be asked",
        position=str(at + 1),
    )
