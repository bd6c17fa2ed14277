"""What a program does is in the record while it still runs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lineal.service.show import RunDetail
from tests.deliver.below import files
from tests.deliver.conftest import LINEAL, Workshop

SLOW = """
import os, sys, time, lineal
run = lineal.current()
open("data.csv").read()
open("early.txt", "w").write("done")
os.utime("early.txt", (1, 1))
log = open("log.txt", "a", buffering=1)
n = 0
while not os.path.exists("stop"):
    log.write(f"{n}\\n"); n += 1
    lineal.log(loss=1 / n)
    time.sleep(0.02)
log.close()
"""


class Running:
    """A program under `lineal run` that goes on until it is told to stop."""

    def __init__(self, workshop: Workshop, text: str = SLOW) -> None:
        self.workshop = workshop
        workshop.script("slow.py", text)
        (workshop.root / "data.csv").write_text("a\n1\n")
        self.process = subprocess.Popen(
            [*LINEAL, "run", sys.executable, "slow.py"],
            cwd=workshop.root,
            env={**workshop.environment, "LINEAL_INTERVAL": "1"},
        )

    def detail(self) -> RunDetail | None:
        runs = self.workshop.runs()
        return self.workshop.detail(runs[0].run_id) if runs else None

    def until(self, holds: Callable[[RunDetail], Any]) -> RunDetail:
        """The run's record as soon as something holds of it."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found = self.detail()
            if found is not None and holds(found):
                return found
            time.sleep(0.1)
        raise AssertionError(self.detail())

    def stop(self) -> RunDetail:
        (self.workshop.root / "stop").touch()
        assert self.process.wait(60) == 0
        found = self.detail()
        assert found is not None
        return found


@pytest.fixture
def running(workshop: Workshop) -> Iterator[Running]:
    found = Running(workshop)
    yield found
    if found.process.poll() is None:
        (workshop.root / "stop").touch()
        found.process.wait(60)


def versions(workshop: Workshop, name: str) -> int:
    count = 0
    while True:
        try:
            workshop.version(f"{name}@{count + 1}")
        except Exception:
            return count
        count += 1


def test_inputs_outputs_metrics_and_life_are_seen_while_a_program_runs(running: Running) -> None:
    seen = running.until(lambda run: files(run)[0] and "early.txt" in files(run)[1] and run.metrics)
    assert seen.state == "running"
    assert files(seen)[0] == ["data.csv"]
    assert running.stop().state == "finished"


def test_an_output_with_a_name_is_seen_while_its_program_runs_and_gets_the_name_at_its_end(
    workshop: Workshop,
) -> None:
    text = SLOW.replace(
        'os.utime("early.txt", (1, 1))',
        'os.utime("early.txt", (1, 1)); lineal.save("early.txt", name="first")',
    )
    running = Running(workshop, text)
    try:
        running.until(lambda run: "early.txt" in files(run)[1])
    finally:
        done = running.stop()
    assert "early.txt" in files(done)[1]
    assert workshop.version("first@1").digest == workshop.version("early.txt@1").digest


def test_a_program_that_says_nothing_is_told_to_live_again_and_again(workshop: Workshop) -> None:
    running = Running(
        workshop, SLOW.partition("log =")[0] + "while not os.path.exists('stop'): time.sleep(0.02)\n"
    )
    try:
        first = running.until(lambda run: "lineal.alive/1" in run.facets).facets["lineal.alive/1"]["at"]
        running.until(lambda run: run.facets["lineal.alive/1"]["at"] > first)
    finally:
        running.stop()


def test_a_log_gets_versions_now_and_then_and_at_its_end_not_at_every_write(running: Running) -> None:
    running.until(lambda run: versions(running.workshop, "log.txt") >= 2)
    done = running.stop()
    lines = len((running.workshop.root / "log.txt").read_text().splitlines())
    count = versions(running.workshop, "log.txt")
    assert 3 <= count < lines / 4
    assert done.metrics[0].count == lines
