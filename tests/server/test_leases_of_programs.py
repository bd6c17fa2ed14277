"""A server gives up a program of which nothing is heard, and takes it back when it returns; a silent one that lives is heard of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.cli import LINEAL, environment
from tests.server.serving import Serving
from tests.server.test_workers import asked

LEASE_S = 6


def until(folder: Path, state: str) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        runs = asked(folder, "runs")
        if runs and runs[0]["state"] == state:
            return
        time.sleep(0.2)
    raise AssertionError(asked(folder, "runs"))


def test_a_program_that_vanishes_is_lost_and_runs_again_when_it_returns(project: Path) -> None:
    server = Serving(project, "--lost-after", str(LEASE_S)).start()
    (project / "quiet.py").write_text("import os, time\nwhile not os.path.exists('stop'): time.sleep(0.02)\n")
    process = subprocess.Popen(
        [LINEAL, "run", sys.executable, "quiet.py"],
        cwd=project,
        env=environment(LINEAL_INTERVAL="0.5"),
        start_new_session=True,
    )
    try:
        until(project, "running")
        begun = time.monotonic()
        while time.monotonic() < begun + 1.5 * LEASE_S:  # it says nothing, and is heard of all the same
            assert asked(project, "runs")[0]["state"] == "running"
        (delivering,) = (int(path.read_text()) for path in (project / ".lineal").glob("deliver-*.lock"))
        for pid in (delivering, process.pid):  # as when the machine goes away
            os.kill(pid, signal.SIGSTOP)
        until(project, "lost")
        for pid in (delivering, process.pid):
            os.kill(pid, signal.SIGCONT)
        until(project, "running")
        (project / "stop").touch()
        assert process.wait(60) == 0
        until(project, "finished")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(60)
        server.close()
