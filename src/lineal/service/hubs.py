"""The impact of a hub: everything downstream counted over a snapshot of the graph, which is mapped into memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lineal.service.asked import Asked, wanted
from lineal.service.operations import Scope
from lineal.store.csr import newer_edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AT_ONCE = 200_000  # vertices that are narrowed to kinds or a namespace in one go


class OverSnapshot:
    """What was reached, as arrays. It is all that lies downstream."""

    exact = True

    def __init__(
        self,
        nodes: NDArray[np.int64],
        away: NDArray[np.int32],
        kept: NDArray[np.bool_] | None,
        counts: Counter[str],
    ) -> None:
        self._nodes, self._away, self.counts = nodes, away, counts
        self._listed = (nodes, away) if kept is None else (nodes[kept], away[kept])

    @property
    def total(self) -> int:
        """How much of it was asked for."""
        return len(self._listed[0])

    def page(self, offset: int, limit: int) -> list[tuple[int, int]]:
        """A part of it: vertices and distances, nearest first."""
        nodes, away = (side[offset : offset + limit].tolist() for side in self._listed)
        return list(zip(nodes, away, strict=True))

    def away_of(self, nodes: Sequence[int]) -> dict[int, int]:
        """The distances of those of the vertices that lie downstream at all."""
        at = np.isin(self._nodes, np.array(list(nodes), dtype=np.int64))
        return dict(zip(self._nodes[at].tolist(), self._away[at].tolist(), strict=True))


def over_snapshot(scope: Scope, root: int, asked: Asked) -> OverSnapshot | None:
    """Everything downstream, over a snapshot and the edges since; None when there is none that serves."""
    snapshots = scope.store.snapshots
    snapshot = snapshots.mapped()
    if snapshot is None:
        return None
    newer = newer_edges(scope.tx, snapshot)
    if newer is None:
        snapshots.build_soon()
        return None
    _, nodes, away = snapshot.reach(root, up=False, newer=newer)
    kept: NDArray[np.bool_] | None = None
    if asked.kinds or asked.namespace or asked.tag:
        parts = [nodes[at : at + _AT_ONCE].tolist() for at in range(0, len(nodes), _AT_ONCE)]
        listed = [node for part in parts for node in wanted(scope, part, asked)]
        kept = np.isin(nodes, np.array(listed, dtype=np.int64))
    mine = nodes if kept is None else nodes[kept]
    known = mine[mine < snapshot.head.nodes]
    numbers = np.bincount(snapshot.kinds[known], minlength=len(snapshot.head.kinds)).tolist()
    counts = Counter({kind: n for kind, n in zip(snapshot.head.kinds, numbers, strict=True) if n})
    counts += Counter(
        scope.store.neighbours.count_kinds(scope.tx, mine[mine >= snapshot.head.nodes].tolist())
    )
    return OverSnapshot(nodes, away, kept, counts)
