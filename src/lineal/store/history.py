"""History is rows: what stands now, and what the store had recorded by a time."""

from __future__ import annotations

STANDS = "retracted_at IS NULL"


def recorded_by(as_of: int | None, table: str) -> str:
    """The condition that a row of `table` stands now, or stood at the time bound as `:as_of`."""
    if as_of is None:
        return f"{table}.retracted_at IS NULL"
    return (
        f"{table}.recorded_at <= :as_of AND ({table}.retracted_at IS NULL OR {table}.retracted_at > :as_of)"
    )


def values_of(as_of: int | None) -> dict[str, int]:
    """What `recorded_by` needs to be bound."""
    return {} if as_of is None else {"as_of": as_of}
