"""A graph shaped like lineage, for measuring walks: vertices are numbered as they arise, and every edge leads to a later one.

Projects of about 2,000 runs in ten stages each (raw data to deployment, about 20 hops); a run makes one or two versions and
reads one to three, recent ones of the stage before, now and then one of another project. One version is read by up to
100,000 runs (a hub), and two projects in a hundred keep training what they trained before (chains of hundreds of runs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

STAGES = 10
RUNS_PER_PROJECT = 2000


def generate(edges: int, *, seed: int = 7, hub_readers: int = 100_000) -> tuple[Ints, Ints, Ints, int]:
    """Sources and destinations of about `edges` edges, which vertices are runs, and how many vertices there are."""
    dice = np.random.default_rng(seed)
    runs = max(10, int(edges / 3.55))
    projects = max(
        3, runs // RUNS_PER_PROJECT
    )  # the raw data of project p is vertex p; vertex 0 is the hub as well
    outputs = dice.integers(1, 3, runs)
    run = projects + np.arange(runs) + np.concatenate(([0], np.cumsum(outputs)[:-1]))
    vertices = int(run[-1] + outputs[-1] + 1)
    project = np.minimum((projects * dice.random(runs) ** 1.5).astype(np.int64), projects - 1)
    stage = dice.integers(0, STAGES, runs)

    made_by = np.repeat(run, outputs)
    made = made_by + 1 + (np.arange(outputs.sum()) - np.repeat(np.cumsum(outputs) - outputs, outputs))
    # Versions by project and stage, then by age, so that "a recent one of the stage before" is one binary search.
    place = np.repeat(project, outputs) * (STAGES + 1) + np.repeat(stage, outputs) + 1
    key = place * (vertices + 1) + made
    by_key = np.argsort(key)
    key, version = key[by_key], made[by_key]

    def range_of(where: Ints, before: Ints) -> tuple[Ints, Ints]:
        return np.searchsorted(key, where * (vertices + 1)), np.searchsorted(
            key, where * (vertices + 1) + before
        )

    src, dst = [made_by], [made]
    for nth, chance in enumerate((1.0, 0.7, 0.25)):
        reader = np.flatnonzero(dice.random(runs) < chance)
        elsewhere = (nth > 0) & (dice.random(len(reader)) < 0.08)
        of = np.where(elsewhere, dice.integers(0, projects, len(reader)), project[reader])
        low, high = range_of(of * (STAGES + 1) + stage[reader], run[reader])
        position = np.maximum(high - 1 - dice.exponential(15, len(reader)).astype(int), low)
        known = (high > low) & (stage[reader] > 0)
        src.append(np.where(known, version[np.minimum(position, len(version) - 1)], of))
        dst.append(run[reader])
    again = np.flatnonzero((project % 50 == 1) & (stage == STAGES - 1))
    low, high = range_of(project[again] * (STAGES + 1) + STAGES, run[again])
    src.append(version[high[high > low] - 1])
    dst.append(run[again[high > low]])
    readers = dice.choice(runs, min(hub_readers, runs // 3), replace=False)
    src.append(np.zeros(len(readers), np.int64))
    dst.append(run[readers])
    both = np.unique(np.concatenate(dst).astype(np.int64) * vertices + np.concatenate(src).astype(np.int64))
    return both % vertices, both // vertices, run, vertices
