"""Several processes that deliver from the same journals do not get in each other's way."""

from __future__ import annotations

import os

from lineal.deliver import sync
from lineal.deliver.delivery import Drain
from lineal.deliver.lock import only_one, store_lock
from lineal.journal.append import Journal
from lineal.resolve.project import Project, ensure
from lineal.service.client import Client
from lineal.service.runs import MetricsRequest, RunsRequest

from .conftest import Workshop

RUN = "01" * 16


def values(project: Project) -> list[float | str]:
    with Client(project) as client:
        return list(client.call("metrics", MetricsRequest(run=f"run:{RUN}", key="loss")).value)


def test_two_drains_in_turn_deliver_every_point_once(workshop: Workshop) -> None:
    project = ensure(str(workshop.root))
    journal = Journal(project.journal_dir, RUN)
    journal.json("run", run=RUN, job="train", wrapper=False)
    drains = [Drain(project), Drain(project)]
    for step in range(10):
        journal.metric("loss", step, float(step))
        with store_lock(project):
            drains[step % 2].step()
    for drain in drains:
        drain.close()
    assert values(project) == [float(step) for step in range(10)]


def test_a_journal_that_another_process_finished_and_removed_is_let_go(workshop: Workshop) -> None:
    project = ensure(str(workshop.root))
    journal = Journal(project.journal_dir, RUN)
    journal.json("run", run=RUN, job="train", wrapper=False)
    slow = Drain(project)
    slow.step()
    journal.metric("loss", 0, 1.0)
    journal.json("end", run=RUN, state="finished", exit_code=0)
    sync(project)
    assert not os.path.exists(journal.path)
    slow.step(final=True)
    slow.close()
    assert values(project) == [1.0]
    with Client(project) as client:
        assert [run.state for run in client.call("runs", RunsRequest()).runs] == ["finished"]


def test_a_lock_nobody_waits_for_is_held_once(workshop: Workshop) -> None:
    path = str(workshop.root / "some.lock")
    with only_one(path) as first, only_one(path) as second:
        assert (first, second) == (True, False)
