"""How runs end, and what survives when they, or we, are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import pytest

from lineal.deliver import check_journal, processes, sync
from lineal.resolve.project import Project

from .conftest import LINEAL, Workshop, named


def project_of(workshop: Workshop) -> Project:
    return Project(str(workshop.root), str(workshop.root / ".lineal"))


def until(condition: object, seconds: float = 20.0) -> None:
    """Wait for something outside this process; fails when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_finished_run_says_so(workshop: Workshop) -> None:
    run = workshop.python("print('hello')")
    assert (run.state, run.exit_code, run.job) == ("finished", 0, "step.py")
    assert run.ended_at is not None
    assert run.ended_at > run.started_at


def test_a_failed_run_keeps_the_exception_its_message_and_traceback(workshop: Workshop) -> None:
    run = workshop.python("def f():\n    raise ValueError('the data is empty')\nf()\n", check=False)
    assert (run.state, run.exit_code) == ("failed", 1)
    assert run.error is not None
    assert (run.error.type, run.error.message) == ("ValueError", "the data is empty")
    assert "step.py" in run.error.traceback


def test_a_run_killed_by_a_signal_is_killed_and_so_is_its_wrapper(workshop: Workshop) -> None:
    workshop.script("step.py", "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")
    done = workshop.run(sys.executable, "step.py", check=False)
    assert done.returncode == -signal.SIGTERM
    run = workshop.newest()
    assert (run.state, run.signal) == ("killed", signal.SIGTERM)


def test_what_a_process_recorded_before_it_left_without_goodbye_is_kept(workshop: Workshop) -> None:
    run = workshop.python("import os\nopen('made.txt', 'w').write('x' * 99)\nos._exit(3)\n", check=False)
    assert (run.state, run.exit_code) == ("failed", 3)
    assert len(named(run.outputs, "made.txt")) == 1


def test_a_program_outlives_its_killed_wrapper_and_its_record_is_whole(workshop: Workshop) -> None:
    workshop.script(
        "step.py",
        """
        import os, pathlib, time
        pathlib.Path('begun').write_text('x')
        while not os.path.exists('go'):
            time.sleep(0.02)
        open('made.txt', 'w').write('y' * 99)
        """,
    )
    wrapper = subprocess.Popen(
        [*LINEAL, "run", sys.executable, "step.py"], cwd=workshop.root, env=workshop.environment
    )
    until((workshop.root / "begun").exists)
    wrapper.kill()
    wrapper.wait()
    sync(project_of(workshop))
    assert workshop.newest().state == "running"
    (workshop.root / "go").touch()

    def ended() -> bool:
        sync(project_of(workshop))
        return workshop.newest().state != "running"

    until(ended)
    run = workshop.newest()
    assert run.state == "finished"
    assert len(named(run.outputs, "made.txt")) == 1
    assert any("wrapper was killed" in gap for gap in run.facets["lineal.notes/1"]["gaps"])
    assert run.environment is not None


def test_a_run_whose_processes_vanished_is_lost_and_not_running_for_ever(workshop: Workshop) -> None:
    workshop.script(
        "step.py",
        "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(60)\n",
    )
    wrapper = subprocess.Popen(
        [*LINEAL, "run", sys.executable, "step.py"], cwd=workshop.root, env=workshop.environment
    )
    until(lambda: (workshop.root / "pid").exists() and (workshop.root / "pid").read_text())
    wrapper.kill()
    os.kill(int((workshop.root / "pid").read_text()), signal.SIGKILL)
    wrapper.wait()

    def lost() -> bool:
        sync(project_of(workshop))
        return workshop.newest().state == "lost"

    until(lost)


def test_forked_and_spawned_children_belong_to_the_run(workshop: Workshop) -> None:
    run = workshop.python(
        """
        import multiprocessing, os, subprocess, sys

        def work(name):
            open(name, 'w').write(name * 40)

        if __name__ == '__main__':
            for method in ('fork', 'spawn'):
                child = multiprocessing.get_context(method).Process(target=work, args=(method + '.txt',))
                child.start()
                child.join()
            pid = os.fork()
            if not pid:
                work('bare.txt')
                os._exit(0)
            os.waitpid(pid, 0)
            subprocess.run([sys.executable, '-c', "open('exec.txt', 'w').write('e' * 99)"], check=True)
        """
    )
    assert {f.path for f in run.outputs} == {"fork.txt", "spawn.txt", "bare.txt", "exec.txt"}


def test_thirty_two_processes_at_once_lose_nothing(workshop: Workshop) -> None:
    run = workshop.python(
        """
        import subprocess, sys
        code = "import sys; open('out' + sys.argv[1], 'w').write(sys.argv[1] * 100)"
        children = [subprocess.Popen([sys.executable, '-c', code, str(n)]) for n in range(32)]
        assert not any(child.wait() for child in children)
        """
    )
    assert {f.path for f in run.outputs} == {f"out{n}" for n in range(32)}


def test_runs_at_the_same_time_share_one_store(workshop: Workshop) -> None:
    workshop.script("step.py", "import sys\nopen(sys.argv[1], 'w').write(sys.argv[1] * 99)\n")
    running = [
        subprocess.Popen(
            [*LINEAL, "run", sys.executable, "step.py", f"out{n}.txt"],
            cwd=workshop.root,
            env=workshop.environment,
        )
        for n in range(8)
    ]
    assert [child.wait(timeout=120) for child in running] == [0] * 8
    sync(project_of(workshop))
    runs = [workshop.detail(run.run_id) for run in workshop.runs()]
    assert sorted(f.path or "" for run in runs for f in run.outputs) == [f"out{n}.txt" for n in range(8)]


def test_nested_runs_are_children_and_their_steps_are_joined(workshop: Workshop) -> None:
    workshop.script("one.py", "open('a.txt', 'w').write('a' * 99)\n")
    workshop.script("two.py", "open('b.txt', 'w').write(open('a.txt').read() * 2)\n")
    lineal = " ".join([*LINEAL, "run", sys.executable])
    workshop.script("pipeline.sh", f"set -e\n{lineal} one.py\n{lineal} two.py\n")
    workshop.run("sh", "pipeline.sh")
    by_job = {run.job: workshop.detail(run.run_id) for run in workshop.runs()}
    assert {child.job for child in by_job["pipeline.sh"].children} == {"one.py", "two.py"}
    assert by_job["two.py"].inputs[0].made_by == [by_job["one.py"].run_id]


def test_an_interpreter_that_ignores_its_environment_is_flagged(workshop: Workshop) -> None:
    workshop.script("step.py", "open('made.txt', 'w').write('x' * 99)\n")
    workshop.run(sys.executable, "-I", "step.py")
    gaps = workshop.newest().facets["lineal.notes/1"]["gaps"]
    assert any("not observed inside" in gap for gap in gaps)


def test_garbage_in_a_journal_is_named_and_the_rest_is_delivered(workshop: Workshop) -> None:
    project = project_of(workshop)
    os.makedirs(project.journal_dir)
    garbage = os.path.join(project.journal_dir, "0" * 32 + ".lj")
    with open(garbage, "wb") as file:
        file.write(os.urandom(4096))
    workshop.python("open('made.txt', 'w').write('x' * 99)\n")
    assert len(workshop.runs()) == 1
    assert any(garbage in problem for problem in check_journal(project))


def test_a_full_or_readonly_disk_stops_the_recording_and_not_the_program(workshop: Workshop) -> None:
    workshop.script("step.py", "print('worked')\n")
    os.makedirs(project_of(workshop).journal_dir)
    done = workshop.run(sys.executable, "step.py", env={"LINEAL_DIR": "/proc/nowhere/.lineal"}, check=False)
    assert (done.returncode, done.stdout) == (0, "worked\n")
    assert "lineal:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_python_program_started_by_another_command_is_described_like_one_started_itself(
    workshop: Workshop,
) -> None:
    """`lineal run ./train.sh`, `uv run`, `make`: what the first Python process under them ran in, and why it failed."""
    workshop.script("step.py", "raise ValueError('the data is empty')\n")
    direct = workshop.python("raise ValueError('the data is empty')\n", check=False)
    workshop.script("steps.sh", f"true\n{sys.executable} step.py\nexit $?\n")
    workshop.run("sh", "steps.sh", check=False)
    run = workshop.newest()
    assert run.error is not None
    assert (run.error.type, run.error.message) == ("ValueError", "the data is empty")
    assert run.environment is not None
    assert run.environment == direct.environment


def test_what_a_process_said_last_counts_even_when_it_vanished_right_after_it_was_read(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the reading of its journal and the question whether it lives, a process can write its end and be gone."""
    workshop.script(
        "step.py",
        """
        import lineal, sys
        with lineal.run('late') as run:
            run.log(loss=1)
            print('ready', flush=True)
            sys.stdin.readline()
            run.log(loss=2)
        """,
    )
    process = subprocess.Popen(
        [sys.executable, "step.py"],
        cwd=workshop.root,
        env={**workshop.environment, "LINEAL_DELIVER": "off"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    asked = processes.alive

    def after_the_end(opened: Mapping[str, Any]) -> bool:
        if process.poll() is None:
            process.communicate("go on\n")
        return asked(opened)

    monkeypatch.setattr(processes, "alive", after_the_end)
    sync(project_of(workshop))
    run = workshop.newest()
    assert run.state == "finished"
    assert [(metric.count, metric.last) for metric in run.metrics] == [(2, 2.0)]
