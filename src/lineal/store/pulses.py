"""When something was last heard of a run."""

from __future__ import annotations

from collections.abc import Sequence

from lineal.store.lists import each
from lineal.store.tx import Tx

# What changes with everything that is recorded of a run. Of metrics only the count tells; their times are the sender's.
_PARTS = (
    "SELECT node, sum(count), 0 FROM metric WHERE node IN ({nodes}) GROUP BY node",
    "SELECT node, count(*), max(recorded_at) FROM attribute WHERE node IN ({nodes}) GROUP BY node",
    "SELECT node, count(*), max(recorded_at) FROM facet WHERE node IN ({nodes}) GROUP BY node",
    "SELECT node, count(*), max(recorded_at) FROM file WHERE node IN ({nodes}) GROUP BY node",
    "SELECT src, count(*), max(recorded_at) FROM edge WHERE src IN ({nodes}) GROUP BY src",
    "SELECT dst, count(*), max(recorded_at) FROM edge WHERE dst IN ({nodes}) GROUP BY dst",
)


def get_pulses(tx: Tx, nodes: Sequence[int]) -> dict[int, tuple[str, int]]:
    """By vertex of a run: a text that changes whenever something is recorded of it, and when that last was, as far as known
    (0: never)."""
    counts: dict[int, list[int]] = {node: [0] * len(_PARTS) for node in nodes}
    heard = dict.fromkeys(nodes, 0)
    if not nodes:
        return {}
    for place, sql in enumerate(_PARTS):
        for node, count, at in tx.rows(sql.format(nodes=each(tx, "nodes")), nodes=list(nodes)):
            counts[node][place] = int(count)
            heard[node] = max(heard[node], int(at))
    return {node: (" ".join(map(str, counts[node])), heard[node]) for node in nodes}
