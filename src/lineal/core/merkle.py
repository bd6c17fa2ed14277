"""Merkle trees as RFC 9162 section 2.1 defines them, with SHA-256. Pure: hashes in, hashes out.

A frontier is what a tree needs to grow: the heads of its perfect subtrees, the largest first, one per bit of its size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

Frontier = tuple[bytes, ...]

EMPTY: Frontier = ()


def leaf_hash(entry: bytes) -> bytes:
    """The 32 byte hash of a leaf (RFC 9162, section 2.1.1): SHA-256 of 0x00 and the entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The 32 byte hash of an inner node: SHA-256 of 0x01 and the hashes of its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def append(frontier: Frontier, size: int, leaf: bytes) -> Frontier:
    """The frontier of a tree of `size` leaves after one more leaf hash. O(log size)."""
    heads = list(frontier)
    while size & 1:
        leaf = node_hash(heads.pop(), leaf)
        size >>= 1
    return (*heads, leaf)


def head(frontier: Frontier) -> bytes:
    """The tree head (root hash, 32 bytes) of the tree with this frontier; of the empty tree, SHA-256 of nothing."""
    if not frontier:
        return hashlib.sha256(b"").digest()
    *rest, root = frontier
    for left in reversed(rest):
        root = node_hash(left, root)
    return root


def tree_head(leaves: Iterable[bytes]) -> bytes:
    """The tree head over leaf hashes in their order."""
    frontier = EMPTY
    for size, leaf in enumerate(leaves):
        frontier = append(frontier, size, leaf)
    return head(frontier)
