"""The steps by which a store of any age comes to the newest schema, in order. A step is never edited once released."""

from __future__ import annotations

from lineal.store.migrations import (
    m0001,
    m0002,
    m0003,
    m0004,
    m0005,
    m0006,
    m0007,
    m0008,
    m0009,
    m0010,
    m0011,
    m0012,
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    m0001.STATEMENTS,
    m0002.STATEMENTS,
    m0003.STATEMENTS,
    m0004.STATEMENTS,
    m0005.STATEMENTS,
    m0006.STATEMENTS,
    m0007.STATEMENTS,
    m0008.STATEMENTS,
    m0009.STATEMENTS,
    m0010.STATEMENTS,
    m0011.STATEMENTS,
    m0012.STATEMENTS,
)
