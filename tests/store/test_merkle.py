"""The heads are those of the reference implementations of Certificate Transparency for the same eight leaves."""

from __future__ import annotations

import pytest

from lineal.core import merkle

LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
HEADS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(9))
def test_a_tree_head_is_the_one_of_rfc_9162(size: int) -> None:
    assert merkle.tree_head(merkle.leaf_hash(leaf) for leaf in LEAVES[:size]).hex() == HEADS[size]


def test_a_tree_grown_leaf_by_leaf_has_the_same_head_and_a_short_frontier() -> None:
    frontier = merkle.EMPTY
    hashes = [merkle.leaf_hash(b"%d" % i) for i in range(100)]
    for size, leaf in enumerate(hashes):
        frontier = merkle.append(frontier, size, leaf)
        assert merkle.head(frontier) == _defined(hashes[: size + 1])
        assert len(frontier) == (size + 1).bit_count()


def _defined(hashes: list[bytes]) -> bytes:
    """MTH as RFC 9162, section 2.1.1 writes it."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return merkle.node_hash(_defined(hashes[:split]), _defined(hashes[split:]))
