"""Vertices: dense integers that runs and versions share."""

from __future__ import annotations

from lineal.core.model import NodeKind
from lineal.store.base import Tx


def add_node(tx: Tx, kind: NodeKind) -> int:
    """A new vertex."""
    return int(tx.value("INSERT INTO node (kind) VALUES (:kind) RETURNING id", kind=int(kind)))


def hold_node(tx: Tx, node: int) -> None:
    """Let nobody else change what hangs on a vertex until the commit, so that what is read now is true when written.

    SQLite has one writer at a time anyway.
    """
    if tx.engine == "postgres":
        tx.rows("SELECT id FROM node WHERE id = :node FOR NO KEY UPDATE", node=node)
