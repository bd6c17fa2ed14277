"""Lists of vertices and texts bound as one value, so that a statement is the same text for any number of them."""

from __future__ import annotations

from typing import Literal

from lineal.store.base import Tx

_SOURCES = {
    ("sqlite", "bigint"): "SELECT value AS item FROM carray(:{})",
    ("sqlite", "text"): "SELECT value AS item FROM carray(:{})",
    ("postgres", "bigint"): "SELECT unnest(CAST(:{} AS bigint[])) AS item",
    ("postgres", "text"): "SELECT unnest(CAST(:{} AS text[])) AS item",
}


def each(tx: Tx, name: str, type: Literal["bigint", "text"] = "bigint") -> str:
    """A SELECT that gives the values of the list bound as `:name`, in a column `item`."""
    return _SOURCES[tx.engine, type].format(name)
