"""How the runs behind the cards of a scene came out, and under which code they ran."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from lineal.core.scene import Picture
from lineal.service.operations import Scope
from lineal.service.scene_reply import SceneMetric

KEYS = 4  # metrics of one card
_MOST = 2000  # runs of one scene whose metrics are looked at


class _Known(Protocol):
    def ref(self, node: int) -> str: ...
    @property
    def runs(self) -> Mapping[int, object]: ...


def metrics_of(
    scope: Scope, picture: Picture, facts: _Known, makers: Mapping[int, Sequence[int]]
) -> dict[str, list[SceneMetric]]:
    """By card, the metrics that most of its runs have; of a model those of the run that made it.

    makers: the runs that made models, by model.
    """
    measured: dict[str, dict[int, int]] = {}
    for card in picture.cards:
        runs = {
            run: node
            for node in card.members
            for run in ((node,) if node in facts.runs else makers.get(node, ()))
            if run in facts.runs
        }
        if runs:
            measured[card.id] = runs
    wanted = list(dict.fromkeys(run for runs in measured.values() for run in runs))[:_MOST]
    lasts = scope.store.metrics.list_lasts(scope.tx, wanted, keys=3 * KEYS)
    found: dict[str, list[SceneMetric]] = {}
    for card_id, runs in measured.items():
        told = []
        for key, values in lasts.items():
            mine = sorted((value, run) for run, value in values if run in runs)
            if mine:
                told.append(
                    SceneMetric(
                        key=key,
                        count=len(mine),
                        minimum=mine[0][0],
                        median=statistics.median(value for value, _ in mine),
                        maximum=mine[-1][0],
                        least=facts.ref(runs[mine[0][1]]),
                        greatest=facts.ref(runs[mine[-1][1]]),
                    )
                )
        if told:
            found[card_id] = sorted(told, key=lambda item: (-item.count, item.key))[:KEYS]
    return found


def commits_of(scope: Scope, runs: Sequence[int], *, as_of: int | None) -> dict[int, str]:
    """By run, the commit of its code; where none is known, what identifies the code."""
    code = scope.store.neighbours.list_governing(scope.tx, runs, "code", as_of=as_of)
    if not code:
        return {}
    versions = sorted(set(code.values()))
    bodies = scope.store.attributes.get_facet(scope.tx, versions, "lineal.code/1", as_of=as_of)
    names = {
        node: version.digest or ""
        for node, version in scope.store.artifacts.get_versions(scope.tx, versions).items()
    }
    for node, body in bodies.items():
        said = msgspec.json.decode(body)
        if isinstance(said, dict) and isinstance(said.get("commit"), str):
            names[node] = said["commit"]
    return {run: names[version].removeprefix("git:") for run, version in code.items() if version in names}
