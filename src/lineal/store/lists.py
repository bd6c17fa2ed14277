"""Lists of vertices and texts bound as one value, so that a statement is the same text for any number of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from lineal.store.tx import Tx

_SOURCES = {
    ("sqlite", "bigint"): "SELECT value AS item FROM carray(:{})",
    ("sqlite", "text"): "SELECT value AS item FROM carray(:{})",
    ("postgres", "bigint"): "SELECT unnest(CAST(:{} AS bigint[])) AS item",
    ("postgres", "text"): "SELECT unnest(CAST(:{} AS text[])) AS item",
}


def each(tx: Tx, name: str, type: Literal["bigint", "text"] = "bigint") -> str:
    """A SELECT that gives the values of the list bound as `:name`, in a column `item`."""
    return _SOURCES[tx.engine, type].format(name)


def each_pair(tx: Tx, name: str, one: str, other: str) -> str:
    """A SELECT that gives the pairs bound by `pairs(tx, name, ...)`, of these SQL types, in columns `one` and `other`."""
    if tx.engine == "sqlite":
        return f"SELECT value ->> 0 AS one, value ->> 1 AS other FROM json_each(:{name})"
    return f"SELECT * FROM unnest(CAST(:{name}_one AS {one}[]), CAST(:{name}_other AS {other}[])) AS p (one, other)"


def pairs(tx: Tx, name: str, items: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    """What `each_pair` needs to be bound."""
    if tx.engine == "sqlite":
        return {name: msgspec.json.encode(items).decode()}
    return {f"{name}_one": [one for one, _ in items], f"{name}_other": [other for _, other in items]}
