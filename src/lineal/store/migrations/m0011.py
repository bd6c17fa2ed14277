"""What is put off, and who does what only one server may do at a time."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    # Runs whose reads are to be looked up again, because a write came to light behind them.
    "CREATE TABLE lineage_due (node {key} REFERENCES node (id))",
    """CREATE TABLE lease (
        name {text} PRIMARY KEY,
        holder {text} NOT NULL,
        until bigint NOT NULL)  -- microseconds UTC; from then on anybody may have it""",
)
