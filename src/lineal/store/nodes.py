"""Vertices: dense integers that runs and versions share."""

from __future__ import annotations

from collections.abc import Sequence

from lineal.core.model import NodeKind
from lineal.store.lists import each
from lineal.store.tx import Tx


def add_node(tx: Tx, kind: NodeKind) -> int:
    """A new vertex."""
    return int(tx.value("INSERT INTO node (kind) VALUES (:kind) RETURNING id", kind=int(kind)))


def add_nodes(tx: Tx, kind: NodeKind, count: int) -> list[int]:
    """So many new vertices, in ascending order."""
    if count == 1:
        return [add_node(tx, kind)]
    rows = tx.rows(
        f"INSERT INTO node (kind) SELECT CAST(:kind AS smallint) FROM ({each(tx, 'numbers')}) n RETURNING id",
        kind=int(kind),
        numbers=list(range(count)),
    )
    return sorted(id for (id,) in rows)


def hold_node(tx: Tx, node: int) -> None:
    """Let nobody else change what hangs on a vertex until the commit, so that what is read now is true when written.

    SQLite has one writer at a time anyway.
    """
    if tx.engine == "postgres":
        tx.rows("SELECT id FROM node WHERE id = :node FOR NO KEY UPDATE", node=node)


def hold_nodes(tx: Tx, nodes: Sequence[int]) -> None:
    """As `hold_node`, of several, in ascending order: two writers never wait for each other in a ring."""
    if tx.engine == "postgres" and nodes:
        tx.rows(
            f"SELECT id FROM node WHERE id IN ({each(tx, 'nodes')}) ORDER BY id FOR NO KEY UPDATE",
            nodes=list(nodes),
        )
