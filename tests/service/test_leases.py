"""Which runs are given up when nothing is heard of them, and what brings them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lineal.core import events as ev
from lineal.service import leases
from lineal.service.operations import ALL_PERMISSIONS, Scope

from .conftest import Desk, ended, made, run_id, started

T = TypeVar("T")


def within(desk: Desk, function: Callable[[Scope], T]) -> T:
    desk.at += 1_000_000
    with desk.store.write() as tx:
        return function(
            Scope(
                tx=tx,
                store=desk.store,
                blobs=None,
                namespace="project",
                actor="server",
                at=desk.at,
                grants=ALL_PERMISSIONS,
                door="",
            )
        )


def states(desk: Desk) -> dict[str, str]:
    return {run.job: str(run.state) for run in desk.call("runs").runs}


def give_up(desk: Desk, silent: dict[int, str] | None = None) -> tuple[list[str], list[str]]:
    """As a server does that heard nothing since it looked (`silent`), or since just now."""
    seen = within(desk, leases.look)
    wanted = seen.running if silent is None else silent
    return within(desk, lambda scope: leases.settle(scope, wanted, seen.returned))


def test_a_silent_run_is_lost_once_and_returns_with_the_first_thing_heard_of_it(desk: Desk) -> None:
    desk.ingest(started(1, "train", 10), started(2, "done", 10), ended(2, 20))
    assert give_up(desk) == ([run_id(1)], [])
    assert states(desk) == {"train": "lost", "done": "finished"}
    assert give_up(desk) == ([], [])
    desk.ingest(ev.ParamSet(run=run_id(1), key="lr", value="0.1", at=30))
    assert give_up(desk, {}) == ([], [run_id(1)])
    assert states(desk)["train"] == "running"
    assert give_up(desk) == ([run_id(1)], [])


def test_health_says_how_a_run_is_known_to_be_lost(desk: Desk) -> None:
    lost = ev.RunEnded(run=run_id(1), at=20, state=ev.State.LOST)
    desk.ingest(started(1, "train", 10), lost, started(2, "quiet", 10))
    give_up(desk)

    def said(number: int) -> list[str]:
        checks = desk.call("health", ref=f"run:{run_id(number)}").checks
        return [
            line.rpartition(": ")[2]
            for check in checks
            if check.name == "run ended"
            for line in check.missing
        ]

    assert said(1) == ["its process vanished"]
    assert said(2) == ["nothing was heard of it any more"]


def test_a_run_that_was_heard_since_it_was_looked_at_is_not_given_up(desk: Desk) -> None:
    desk.ingest(started(1, "train", 10))
    seen = within(desk, leases.look).running
    desk.ingest(made(1, "a.csv", "a", 20))
    assert give_up(desk, seen) == ([], [])
    assert states(desk) == {"train": "running"}


def test_the_end_of_a_lost_run_stands_and_is_not_undone(desk: Desk) -> None:
    desk.ingest(started(1, "train", 10))
    give_up(desk)
    desk.ingest(ended(1, 40))
    assert states(desk) == {"train": "finished"}
    assert give_up(desk) == ([], [])
    assert states(desk) == {"train": "finished"}


def test_deployments_and_runs_that_wait_may_be_silent_for_ever(desk: Desk) -> None:
    desk.ingest(started(1, "train", 10), made(1, "m.pkl", "m", 20, kind="model"), ended(1, 30))
    desk.call("deploy", ref="m.pkl", target="prod")
    desk.ingest(
        started(2, "waits", 10), ev.TagSet(run=run_id(2), key="lineal.scheduled", value="true", at=10)
    )
    assert give_up(desk) == ([], [])


def test_every_change_leaves_an_audit_leaf(desk: Desk) -> None:
    desk.ingest(started(1, "train", 10))
    with desk.store.read() as tx:
        before = desk.store.audit.get_head(tx)[0]
    give_up(desk)
    give_up(desk)
    with desk.store.read() as tx:
        assert desk.store.audit.get_head(tx)[0] == before + 1
