"""Runs of which nothing is heard: lost after a while, and running again as soon as something is.

A program whose machine went away cannot say that it ended. Whoever watches (a server) looks now and then, and settles what it saw.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from lineal.core.events import State
from lineal.service.operations import Scope, add_leaf
from lineal.store.pulses import get_pulses
from lineal.store.records import Record

_DOOR, _KIND = "lineal", "lost run"
_MOST = 10_000  # runs that are watched
_NOT_PROGRAMS = ("deployment", "stream")  # these are meant to go on in silence
_WAITS = "lineal.scheduled"  # a tag of a run that was not started yet


class Seen(NamedTuple):
    """running: by vertex, the pulse of every run that is to be heard of; returned: runs that were given up, and were heard or ended."""

    running: dict[int, str]
    returned: list[int]


def look(scope: Scope) -> Seen:
    """What is heard of runs now."""
    store, tx = scope.store, scope.tx
    nodes = store.runs.list_by_state(tx, State.RUNNING, _MOST)
    waiting = {
        node
        for node, tags in store.attributes.get_tags(tx, nodes).items()
        if any(t.key == _WAITS for t in tags)
    }
    runs = store.runs.get_runs(tx, nodes)
    watched = [node for node, run in runs.items() if run.kind not in _NOT_PROGRAMS and node not in waiting]
    pulses = {node: pulse for node, (pulse, _) in get_pulses(tx, watched).items()}
    given_up = {record.node: record.body.decode() for record in _given_up(scope) if record.node is not None}
    now = get_pulses(tx, list(given_up))
    states = store.runs.get_runs(tx, list(given_up))
    returned = [
        node
        for node, pulse in given_up.items()
        if now[node][0] != pulse or states[node].state is not State.LOST
    ]
    return Seen(pulses, returned)


def why_lost(scope: Scope, nodes: Iterable[int]) -> dict[int, str]:
    """By vertex of a lost run, how it is known to be lost."""
    silent = {record.node for record in _given_up(scope)}
    return {
        node: "nothing was heard of it any more" if node in silent else "its process vanished"
        for node in nodes
    }


def settle(scope: Scope, silent: dict[int, str], returned: list[int]) -> tuple[list[str], list[str]]:
    """Ids of runs that are lost now, and of those that run again.

    Args:
        silent: runs whose pulse was the same for too long; one of which something was heard since is left alone.
        returned: runs that were lost so, and of which something was heard since.
    """
    store, tx = scope.store, scope.tx
    runs = store.runs.get_runs(tx, [*silent, *returned])
    lost, back = [], []
    for node, (pulse, heard_at) in get_pulses(tx, list(silent)).items():
        run = runs[node]
        if run.state is not State.RUNNING or pulse != silent[node]:
            continue
        at = max(heard_at, min(run.started_at, scope.at))
        store.runs.set_state(tx, node, State.LOST, at=at, recorded_at=scope.at)
        store.records.add_record(tx, _DOOR, _KIND, run.run_id, pulse.encode(), node=node, at=scope.at)
        lost.append(run.run_id)
    for record in _given_up(scope):
        if record.node is None or record.node not in returned:
            continue
        store.records.retract_record(tx, record, at=scope.at)
        if runs[record.node].state is State.LOST:
            store.runs.set_state(tx, record.node, State.RUNNING, at=scope.at, recorded_at=scope.at)
            back.append(record.key)
    if lost or back:
        add_leaf(scope, "leases", msgspec.json.encode({"lost": lost, "returned": back}))
    return lost, back


def _given_up(scope: Scope) -> list[Record]:
    return scope.store.records.list_records(scope.tx, _DOOR, _KIND, limit=_MOST)
