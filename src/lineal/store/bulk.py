"""Many rows in one go: SQLite is fastest with one prepared statement per row, PostgreSQL with one statement over arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from lineal.store.tx import Row, Tx

Columns = tuple[tuple[str, str], ...]  # name and SQL type of each


def insert(
    tx: Tx,
    table: str,
    columns: Columns,
    rows: Sequence[Row],
    conflict: str = "ON CONFLICT DO NOTHING",
) -> None:
    """Insert rows, each with a value for every column in their order.

    Args:
        conflict: what happens to a row whose key exists, as an ON CONFLICT clause.
    """
    if not rows:
        return
    if tx.engine == "sqlite":
        tx.many(_one_by_one(table, columns, conflict), rows)
    else:
        tx.run(_at_once(table, columns, conflict), **_arrays(columns, rows))


def insert_counted(tx: Tx, table: str, columns: Columns, rows: Sequence[Row]) -> int:
    """Insert those rows whose keys are new; how many that were. PostgreSQL is waited for, which `insert` does not need."""
    if not rows:
        return 0
    conflict = "ON CONFLICT DO NOTHING"
    if tx.engine == "sqlite":
        return tx.many(_one_by_one(table, columns, conflict), rows)
    return len(tx.rows(_at_once(table, columns, conflict) + " RETURNING 1", **_arrays(columns, rows)))


def insert_returning(
    tx: Tx, table: str, columns: Columns, rows: Sequence[Row], given: tuple[str, ...]
) -> list[Row]:
    """Insert those rows whose keys are new; of each of them the columns `given`, in no order."""
    if not rows:
        return []
    returning = f" RETURNING {', '.join(given)}"
    conflict = "ON CONFLICT DO NOTHING"
    if tx.engine == "sqlite":
        return tx.rows_each(_one_by_one(table, columns, conflict) + returning, rows)
    return tx.rows(_at_once(table, columns, conflict) + returning, **_arrays(columns, rows))


def update(tx: Tx, table: str, key: tuple[str, str], columns: Columns, rows: Sequence[Row]) -> None:
    """Set columns of rows that are found by their key; each of `rows` is the key, then the values in their order."""
    if not rows:
        return
    name = key[0]
    if tx.engine == "sqlite":
        sets = ", ".join(f"{column} = :{column}" for column, _ in columns)
        names = (name, *(column for column, _ in columns))
        tx.run_each(
            f"UPDATE {table} SET {sets} WHERE {name} = :{name}",
            [dict(zip(names, row, strict=True)) for row in rows],
        )
        return
    sets = ", ".join(f"{column} = given.{column}" for column, _ in columns)
    every = (key, *columns)
    arrays = ", ".join(f"CAST(:{column} AS {type}[])" for column, type in every)
    tx.run(
        f"UPDATE {table} SET {sets} FROM unnest({arrays}) AS given ({', '.join(column for column, _ in every)}) "
        f"WHERE {table}.{name} = given.{name}",
        **{column: list(values) for (column, _), values in zip(every, zip(*rows, strict=True), strict=True)},
    )


def _arrays(columns: Columns, rows: Sequence[Row]) -> dict[str, list[Any]]:
    return {name: list(values) for (name, _), values in zip(columns, zip(*rows, strict=True), strict=True)}


@lru_cache(maxsize=64)
def _one_by_one(table: str, columns: Columns, conflict: str) -> str:
    names = ", ".join(name for name, _ in columns)
    values = ", ".join("?" for _ in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({values}) {conflict}"


@lru_cache(maxsize=64)
def _at_once(table: str, columns: Columns, conflict: str) -> str:
    names = ", ".join(name for name, _ in columns)
    arrays = ", ".join(f"CAST(:{name} AS {type}[])" for name, type in columns)
    return f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) {conflict}"
