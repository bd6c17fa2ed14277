"""The impact of a hub: everything downstream counted over a snapshot of the graph, which is mapped into memory."""

from __future__ import annotations

from collections import Counter

import numpy as np

from lineal.service.operations import Scope
from lineal.service.questions import ImpactReply, ImpactRequest, affected, counts, cut_reason
from lineal.service.registry import DEPLOYMENT
from lineal.store.csr import newer_edges


def from_snapshot(scope: Scope, root: int, request: ImpactRequest) -> ImpactReply | None:
    """The whole impact, counted over a snapshot and the edges since; None when there is none that serves."""
    snapshots = scope.store.snapshots
    snapshot = snapshots.mapped()
    if snapshot is None:
        return None
    newer = newer_edges(scope.tx, snapshot)
    if newer is None:
        snapshots.build_soon()
        return None
    total, nodes, away = snapshot.reach(root, up=False, newer=newer)
    known = nodes[nodes < snapshot.head.nodes]
    numbers = np.bincount(snapshot.kinds[known], minlength=len(snapshot.head.kinds)).tolist()
    tally = Counter({kind: n for kind, n in zip(snapshot.head.kinds, numbers, strict=True) if n})
    tally += counts(scope, nodes[nodes >= snapshot.head.nodes].tolist())
    page = nodes[request.offset : request.offset + request.limit].tolist()
    deployment = snapshot.head.kinds.index(DEPLOYMENT) if DEPLOYMENT in snapshot.head.kinds else -1
    deployed = [
        *known[snapshot.kinds[known] == deployment].tolist(),
        *nodes[nodes >= snapshot.head.nodes].tolist(),
    ]
    live = [
        run.node
        for run in scope.store.runs.get_runs(scope.tx, deployed).values()
        if run.kind == DEPLOYMENT and str(run.state) == "running"
    ]
    wanted = np.array(sorted({*page, *live}), dtype=np.int64)
    at = dict(zip(page, away[request.offset : request.offset + request.limit].tolist(), strict=True))
    at |= {
        int(n): int(d) for n, d in zip(nodes[np.isin(nodes, live)], away[np.isin(nodes, live)], strict=True)
    }
    described = affected(scope, wanted.tolist(), at)
    shown = [described[node] for node in page if node in described]
    return ImpactReply(
        ref=request.ref,
        total=total,
        exact=True,
        counts=dict(sorted(tally.items())),
        live=[described[node] for node in sorted(live, key=lambda node: (at[node], node))],
        owners=dict(Counter(item.owner for item in shown if item.owner).most_common()),
        affected=shown,
        cut=total > len(shown),
        cut_reason=cut_reason(False, total, len(shown)),
        as_of=None,
    )
