"""Profile: how the values of a table's columns are spread, and how that changed from another version."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from lineal.core.drift import JS, KS, PSI, ColumnDrift, drifts
from lineal.core.model import VersionRecord
from lineal.service import references
from lineal.service.operations import Scope, operation
from lineal.service.show import facet_of

PROFILE = "lineal.profile/1"
_MOST_COLUMNS = 500
_MOST_BINS = 100
_LOOK_BACK = 50  # earlier versions among which the last one with a profile is looked for


class ProfileRequest(msgspec.Struct, frozen=True, kw_only=True):
    """ref: a version, or an artifact's name for its newest. against: the version to compare with; empty: the last one before it
    that has a profile."""

    ref: str
    against: str = ""


class Frequent(msgspec.Struct, frozen=True, kw_only=True):
    """A value and how often it occurs."""

    value: Any
    count: int


class ColumnProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One column. n: values that bins and top values were counted in. edges, counts: quantile bins, one edge more than counts;
    edges_unit: the type of times, whose edges are integers. top: the most frequent values; other: all the rest.
    withheld: why no values are kept."""

    name: str
    type: str
    nullable: bool | None = None
    nulls: int | None = None
    distinct: int | None = None
    min: Any = None
    max: Any = None
    mean: float | None = None
    std: float | None = None
    edges: list[float] = []
    counts: list[int] = []
    edges_unit: str = ""
    top: list[Frequent] = []
    other: int = 0
    n: int = 0
    withheld: str = ""


class TableProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A version's profile. rows_read: how many of its rows were looked at; reason: why no more is known; by: what read it."""

    ref: str
    rows: int | None
    rows_read: int | None
    sample: int | None
    by: str
    reason: str
    columns: list[ColumnProfile]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """From which values on a column counts as drifted; core/drift.py says how they work together."""

    psi: float = PSI
    js: float = JS
    ks: float = KS


class ProfileReply(msgspec.Struct, frozen=True, kw_only=True):
    """profile: None where the version has none. before: what it is compared with; drift: the columns that changed, in its order."""

    ref: str
    profile: TableProfile | None
    before: TableProfile | None
    drift: list[ColumnDrift]
    limits: Limits


@operation(
    "profile",
    permission="record:read",
    path="/profile",
    summary="How a table's values are spread, and drifted",
)
def profile(scope: Scope, request: ProfileRequest) -> ProfileReply:
    """The profile of a version and the drift from another one. Raises NotFound: there is no such version."""
    here = references.find_version(scope, request.ref)
    body = facet_of(scope, here.node, PROFILE)
    if request.against:
        there: VersionRecord | None = references.find_version(scope, request.against)
        other = facet_of(scope, there.node, PROFILE) if there else None
    else:
        there, other = _before(scope, here) if body else (None, None)
    return ProfileReply(
        ref=references.artifact_ref(here),
        profile=_table(references.artifact_ref(here), body) if body else None,
        before=_table(references.artifact_ref(there), other) if there and other else None,
        drift=drifts(other, body) if body and other else [],
        limits=Limits(),
    )


def _before(scope: Scope, here: VersionRecord) -> tuple[VersionRecord | None, dict[str, Any] | None]:
    """The last version before this one that has a profile, and that profile."""
    versions = scope.store.artifacts.list_versions(scope.tx, here.namespace, here.name)
    earlier = sorted(
        (v for v in versions if v.number < here.number and v.deleted_at is None), key=lambda v: -v.number
    )
    for version in earlier[:_LOOK_BACK]:
        if found := facet_of(scope, version.node, PROFILE):
            return version, found
    return None, None


def _table(ref: str, body: dict[str, Any]) -> TableProfile:
    columns = body.get("columns")
    listed = columns if isinstance(columns, list) else []
    made = [_column(column) for column in listed[:_MOST_COLUMNS] if isinstance(column, dict)]
    return TableProfile(
        ref=ref,
        rows=_whole(body.get("rows")),
        rows_read=_whole(body.get("rows_read")),
        sample=_whole(body.get("sample")),
        by=_text(body.get("by")),
        reason=_text(body.get("reason")),
        columns=made,
    )


def _column(column: dict[str, Any]) -> ColumnProfile:
    """A column of a profile that anybody may have sent: what is not as a profile has it is left out."""
    counts = _numbers(column.get("counts"), whole=True)
    edges = _numbers(column.get("edges"))
    if len(edges) != len(counts) + 1 or sorted(edges) != edges or not counts or min(counts) < 0:
        edges, counts = [], []
    pairs = column.get("top")
    top = [
        Frequent(value=_plain(pair[0]), count=pair[1])
        for pair in (pairs if isinstance(pairs, list) else [])[:_MOST_BINS]
        if isinstance(pair, list) and len(pair) == 2 and _whole(pair[1]) is not None
    ]
    other = _whole(column.get("other")) or 0
    return ColumnProfile(
        name=_text(column.get("name")),
        type=_text(column.get("type")),
        nullable=column.get("nullable") if isinstance(column.get("nullable"), bool) else None,
        nulls=_whole(column.get("nulls")),
        distinct=_whole(column.get("distinct")),
        min=_plain(column.get("min")),
        max=_plain(column.get("max")),
        mean=_number(column.get("mean")),
        std=_number(column.get("std")),
        edges=edges,
        counts=[int(count) for count in counts],
        edges_unit=_text(column.get("edges_unit")),
        top=top,
        other=other,
        n=int(sum(counts)) or sum(one.count for one in top) + other,
        withheld=_text(column.get("withheld")),
    )


def _numbers(value: Any, *, whole: bool = False) -> list[float]:
    """The list of finite numbers, or nothing."""
    if not isinstance(value, list) or len(value) > _MOST_BINS + 1:
        return []
    made = [_whole(item) if whole else _number(item) for item in value]
    return [] if None in made else [float(item) for item in made if item is not None]


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else None


def _plain(value: Any) -> Any:
    """A single value; a float that JSON cannot carry as its text."""
    if value is None or isinstance(value, bool | str):
        return value[:1000] if isinstance(value, str) else value
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else str(value)
    return _number(value) if isinstance(value, float) and math.isfinite(value) else str(value)[:1000]


def _text(value: Any) -> str:
    return value[:1000] if isinstance(value, str) else ""
