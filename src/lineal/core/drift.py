"""How the columns of a table changed between two of its profiles (facet `lineal.profile/1`).

Numbers are compared by the quantile bins of the first: the second's share of each of its bins is read off the second's own
bins, as if values lay evenly within one. Three measures are given, since each alone misleads:

- PSI, the population stability index: the symmetric Kullback-Leibler divergence (Jeffreys 1946) of the two shares;
- JS, the Jensen-Shannon distance (Lin 1991, its square root with logarithms of base 2): between 0 and 1;
- KS, the largest distance between the two distribution functions (Kolmogorov, Smirnov): between 0 and 1.

With no drift at all PSI is (bins - 1) x (1/n + 1/m) on average, so a fixed limit would cry wolf on small samples: a column
has drifted where PSI exceeds 0.1 and three times that, and KS exceeds 0.05 or JS exceeds 0.1.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

PSI, KS, JS = 0.1, 0.05, 0.1
_NULLS = 0.05  # a share of nulls that changed by more is drift too
_MOST_VALUES = 10

_IDENTIFIES = frozenset(
    "id ids uuid guid ssn nin iban bic email mail phone telephone tel mobile fax passport address street addr ip "
    "mac imei imsi msisdn dob birthdate birthday surname lastname firstname fullname username login nickname "
    "postcode zipcode zip vin licence license plate account card pan cvv patient mrn".split()
)
_OF_PEOPLE = frozenset(
    "first last full user middle given family maiden customer person patient employee client".split()
)


class ColumnDrift(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One column that changed. nulls: shares between 0 and 1; the bounds are as the profile has them.

    psi, js, ks: see the module; None where they cannot be told. basis: what they were worked out from, with the numbers
    of rows. new, gone: values that only the second, or only the first, has.
    """

    name: str
    type_a: str
    type_b: str
    nulls_a: float | None = None
    nulls_b: float | None = None
    bounds_a: list[Any] = []
    bounds_b: list[Any] = []
    psi: float | None = None
    js: float | None = None
    ks: float | None = None
    basis: str = ""
    drifted: bool = False
    new: list[Any] = []
    gone: list[Any] = []
    withheld: str = ""


def withheld(column: Mapping[str, Any]) -> str:
    """Why a column's values are kept out of its profile: its name says that they name somebody, or nearly each is different."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", str(column.get("name", "")))
    lower = [word.lower() for word in words]
    pairs = pairwise(lower)
    if _IDENTIFIES & {*lower, "".join(lower)} or any(a in _OF_PEOPLE and b == "name" for a, b in pairs):
        return "identifier"
    counts, lengths = column.get("top"), column.get("length_max")
    if counts and lengths and column.get("other", 0) and counts[0][1] <= 2:
        return "identifier"
    return ""


def drifts(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[ColumnDrift]:
    """What changed in the columns that both profiles have, in the order of the first; empty where nothing did.

    A profile may come from anybody: one that is not made as a profile is says nothing.
    """
    try:
        return _drifts(a, b)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, ZeroDivisionError):
        return []


def _drifts(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[ColumnDrift]:
    others = {column["name"]: column for column in b.get("columns") or []}
    found = [
        _drift(column, others[column["name"]], a, b)
        for column in a.get("columns") or []
        if column["name"] in others
    ]
    return [drift for drift in found if drift is not None]


_FACTS = ("type", "nulls", "min", "max", "mean", "std", "edges", "counts", "top", "other", "distinct")


def _drift(
    left: Mapping[str, Any], right: Mapping[str, Any], a: Mapping[str, Any], b: Mapping[str, Any]
) -> ColumnDrift | None:
    if all(left.get(fact) == right.get(fact) for fact in _FACTS):
        return None
    nulls = [_share(side.get("nulls"), whole) for side, whole in ((left, a), (right, b))]
    psi = js = ks = None
    basis, bins = "", 0
    new: list[Any] = []
    gone: list[Any] = []
    sizes = (_size(left), _size(right))
    if left.get("edges") and right.get("edges"):
        shares, ks = _binned(left, right)
        basis, bins = f"{len(shares[0])} quantile bins of the first", len(shares[0])
    elif left.get("top") and right.get("top"):
        shares, new, gone = _counted(left, right)
        basis, bins = f"the {len(shares[0]) - 1} most frequent values and all others", len(shares[0])
    else:
        shares = ([], [])
    if bins > 1 and all(sizes):
        psi, js = _psi(shares, sizes), _js(shares)
        basis += f", {sizes[0]:,} and {sizes[1]:,} rows"
    drifted = _moved(psi, js, ks, bins, sizes)
    if None not in nulls and abs(nulls[0] - nulls[1]) > _NULLS:  # type: ignore[operator]
        drifted = True
    return ColumnDrift(
        name=left["name"],
        type_a=str(left.get("type", "")),
        type_b=str(right.get("type", "")),
        nulls_a=nulls[0],
        nulls_b=nulls[1],
        bounds_a=_bounds(left),
        bounds_b=_bounds(right),
        psi=psi,
        js=js,
        ks=ks,
        basis=basis if psi is not None else "",
        drifted=drifted,
        new=new[:_MOST_VALUES],
        gone=gone[:_MOST_VALUES],
        withheld=str(left.get("withheld") or right.get("withheld") or ""),
    )


def _moved(psi: float | None, js: float | None, ks: float | None, bins: int, sizes: tuple[int, int]) -> bool:
    """Whether the measures exceed their limits and what chance gives; see the module."""
    if psi is None or js is None:
        return False
    noise = (bins - 1) * (1 / sizes[0] + 1 / sizes[1])
    return psi > max(PSI, 3 * noise) and ((ks or 0) > KS or js > JS)


def _share(count: Any, whole: Mapping[str, Any]) -> float | None:
    rows = whole.get("rows_read") or whole.get("rows")
    return count / rows if isinstance(count, int) and rows else None


def _bounds(column: Mapping[str, Any]) -> list[Any]:
    return [column["min"], column["max"]] if "min" in column and "max" in column else []


def _size(column: Mapping[str, Any]) -> int:
    counts = column.get("counts")
    if counts:
        return int(sum(counts))
    return int(sum(number for _, number in column.get("top") or []) + column.get("other", 0))


def _binned(
    left: Mapping[str, Any], right: Mapping[str, Any]
) -> tuple[tuple[list[float], list[float]], float]:
    """(shares of the first's bins on both sides, KS)."""
    edges = left["edges"]
    total = sum(left["counts"])
    p = [count / total for count in left["counts"]]
    below = [_below(right, edge) for edge in edges[1:-1]]
    reached = [0.0, *below, 1.0]
    q = [after - before for before, after in pairwise(reached)]
    ks = max(abs(_below(left, edge) - _below(right, edge)) for edge in [*edges, *right["edges"]])
    return (p, q), ks


def _below(column: Mapping[str, Any], value: float) -> float:
    """The share of a column's values that are at most `value`."""
    edges, counts = column["edges"], column["counts"]
    if value < edges[0]:
        return 0.0
    if value >= edges[-1]:
        return 1.0
    place = bisect_right(edges, value) - 1
    within = (value - edges[place]) / (edges[place + 1] - edges[place])
    return float((sum(counts[:place]) + counts[place] * within) / sum(counts))


def _counted(
    left: Mapping[str, Any], right: Mapping[str, Any]
) -> tuple[tuple[list[float], list[float]], list[Any], list[Any]]:
    """(shares of each value and of all others on both sides, values only in the second, values only in the first)."""
    sides = [{str(value): number for value, number in side["top"]} for side in (left, right)]
    rests = [int(side.get("other") or 0) for side in (left, right)]
    named = {str(value): value for side in (left, right) for value, _ in side["top"]}
    # A value that one side does not list may be among its others, where it has any.
    known = [k for k in named if (k in sides[0] or not rests[0]) and (k in sides[1] or not rests[1])]
    shares = []
    for side, rest in zip(sides, rests, strict=True):
        total = sum(side.values()) + rest or 1
        listed = [side.get(key, 0) / total for key in known]
        shares.append([*listed, max(0.0, 1 - sum(listed))])
    new = [named[key] for key in sides[1] if key not in sides[0]] if not rests[0] else []
    gone = [named[key] for key in sides[0] if key not in sides[1]] if not rests[1] else []
    return (shares[0], shares[1]), new, gone


def _psi(shares: tuple[Sequence[float], Sequence[float]], sizes: tuple[int, int]) -> float:
    """Half a row is added to every bin, so that an empty one does not make it infinite."""
    smooth = [
        [(share * size + 0.5) / (size + 0.5 * len(side)) for share in side]
        for side, size in zip(shares, sizes, strict=True)
    ]
    return math.fsum((p - q) * math.log(p / q) for p, q in zip(*smooth, strict=True))


def _js(shares: tuple[Sequence[float], Sequence[float]]) -> float:
    def divergence(side: Sequence[float], middle: Sequence[float]) -> float:
        return sum(p * math.log2(p / m) for p, m in zip(side, middle, strict=True) if p > 0)

    middle = [(p + q) / 2 for p, q in zip(*shares, strict=True)]
    return math.sqrt(max(0.0, (divergence(shares[0], middle) + divergence(shares[1], middle)) / 2))
