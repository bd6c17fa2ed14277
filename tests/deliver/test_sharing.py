"""Several processes that deliver from the same journals do not get in each other's way."""

from __future__ import annotations

import os

from lineal.deliver import sync
from lineal.deliver.drain import Drain
from lineal.deliver.lock import store_lock
from lineal.journal.append import Journal
from lineal.resolve.project import Project, ensure
from lineal.sdk import deliverer
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
    journal.json("over", last=True)
    sync(project)
    assert not os.path.exists(journal.path)
    slow.step(final=True)
    slow.close()
    assert values(project) == [1.0]
    with Client(project) as client:
        assert [run.state for run in client.call("runs", RunsRequest()).runs] == ["finished"]


def test_the_lock_of_a_place_is_held_once_and_a_file_that_was_taken_away_is_no_lock(
    workshop: Workshop,
) -> None:
    path = str(workshop.root / "some.lock")
    first = deliverer.lock(path)
    assert (first >= 0, deliverer.lock(path)) == (True, -1)
    os.unlink(path)
    second = deliverer.lock(path)
    assert second >= 0
    for held in (first, second):
        os.close(held)
