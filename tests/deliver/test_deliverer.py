"""One process delivers for all programs of a place; `lineal run` waits for it, and nothing is lost when it, or anybody, is killed."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineal.deliver import sync
from lineal.deliver.lock import store_lock
from lineal.journal.append import Journal
from lineal.resolve.project import Project, ensure
from lineal.sdk import deliverer

from .conftest import LINEAL, Workshop

WAITING = "import os, time\nopen('begun', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.02)\nopen('made', 'w').write('x' * 99)\n"


def project_of(workshop: Workshop) -> Project:
    return Project(str(workshop.root), str(workshop.root / ".lineal"))


def begun(workshop: Workshop, *words: str, **variables: str) -> subprocess.Popen[bytes]:
    """A program under `lineal run` that goes on until the file `go` is there."""
    workshop.script("waiting.py", WAITING)
    with (workshop.root / "said").open("w") as said:
        process = subprocess.Popen(
            [*LINEAL, "run", *words, sys.executable, "waiting.py"],
            cwd=workshop.root,
            env={**workshop.environment, **variables},
            stderr=said,
        )
    until((workshop.root / "begun").exists)
    return process


def said(workshop: Workshop) -> str:
    return (workshop.root / "said").read_text()


def until(holds: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def at_work(workshop: Workshop) -> list[int]:
    """The processes that deliver for this project."""
    found = []
    for path in (workshop.root / ".lineal").glob("deliver-*.lock"):
        held = deliverer.lock(str(path))
        if held >= 0:
            os.close(held)
        elif (text := path.read_text().strip()) and b"deliver" in command_of(int(text)):
            found.append(int(text))  # else it is only starting
    return found


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def journals(workshop: Workshop) -> list[Path]:
    return list((workshop.root / ".lineal" / "journal").iterdir())


def states(workshop: Workshop) -> list[str]:
    return sorted(run.state for run in workshop.runs())


@pytest.fixture(autouse=True)
def nobody_is_left(workshop: Workshop) -> Iterator[None]:
    yield
    for pid in at_work(workshop):
        os.kill(pid, signal.SIGKILL)


# --- one for all -----------------------------------------------------------------------------------------------------


def test_many_runs_at_once_are_delivered_by_one_process_and_each_is_whole_when_it_returns(
    workshop: Workshop,
) -> None:
    workshop.script("step.py", "import sys\nopen(sys.argv[1], 'w').write(sys.argv[1] * 99)\n")
    running = [
        subprocess.Popen(
            [*LINEAL, "run", sys.executable, "step.py", f"out{n}"],
            cwd=workshop.root,
            env=workshop.environment,
        )
        for n in range(8)
    ]
    assert [process.wait(120) for process in running] == [0] * 8
    assert len(at_work(workshop)) == 1
    assert journals(workshop) == []
    found = [workshop.detail(run.run_id) for run in workshop.runs()]
    assert [run.state for run in found] == ["finished"] * 8
    assert sorted(file.path or "" for run in found for file in run.outputs) == [f"out{n}" for n in range(8)]


def test_each_run_is_told_with_its_own_variables_folder_and_command(workshop: Workshop) -> None:
    (workshop.root / "below").mkdir()
    workshop.script("below/step.py", "print('x')\n")
    process = begun(workshop, OMP_NUM_THREADS="7")
    workshop.run(
        sys.executable,
        "step.py",
        cwd=workshop.root / "below",
        env={"OMP_NUM_THREADS": "3", "TORCH_TOKEN": "abc"},
    )
    (workshop.root / "go").touch()
    assert process.wait(60) == 0
    by_job = {run.job: workshop.detail(run.run_id) for run in workshop.runs()}
    told = {job: run.environment["variables"] for job, run in by_job.items() if run.environment}
    assert told["waiting.py"]["OMP_NUM_THREADS"] == "7"
    assert told["below/step.py"]["OMP_NUM_THREADS"] == "3"
    assert told["below/step.py"]["TORCH_TOKEN"].startswith("[REDACTED:")
    assert by_job["below/step.py"].facets["lineal.launch/1"]["cwd"] == str(workshop.root / "below")


def test_settings_that_lead_elsewhere_have_a_process_of_their_own(workshop: Workshop, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    process = begun(workshop, LINEAL_STORE=str(elsewhere))
    workshop.run("true")
    assert len(at_work(workshop)) == 2
    (workshop.root / "go").touch()
    assert process.wait(60) == 0
    assert [run.job for run in workshop.runs()] == ["true"]
    listed = workshop.lineal("runs", "--json").stdout
    assert [run["job"] for run in json.loads(listed)] == ["true"]
    workshop.environment["LINEAL_STORE"] = str(elsewhere)
    assert [run["job"] for run in json.loads(workshop.lineal("runs", "--json").stdout)] == ["waiting.py"]


CONTAINED = ("unshare", "--pid", "--fork", "--mount-proc", "--uts", "--kill-child", "--")


def test_two_containers_that_share_the_folder_have_each_a_process_of_their_own(workshop: Workshop) -> None:
    if not shutil.which("unshare") or subprocess.run([*CONTAINED, "true"], capture_output=True).returncode:
        pytest.skip("no namespaces can be made here")
    workshop.script("step.py", "import sys\nopen(sys.argv[1], 'w').write(sys.argv[1] * 99)\n")
    line = 'hostname "$1" && exec "$2" -m lineal run --name "$1" "$2" step.py "made-by-$1"'
    running = [
        subprocess.Popen(
            [*CONTAINED, "sh", "-c", line, "sh", name, sys.executable],
            cwd=workshop.root,
            env=workshop.environment,
        )
        for name in ("one", "two")
    ]
    assert [process.wait(120) for process in running] == [0, 0]
    assert len(list((workshop.root / ".lineal").glob("deliver-*.lock"))) == 2
    found = {run.name: workshop.detail(run.run_id) for run in workshop.runs()}
    made = {name: (run.state, [file.path for file in run.outputs]) for name, run in found.items()}
    assert made == {name: ("finished", [f"made-by-{name}"]) for name in ("one", "two")}


OLDER = """
from lineal.deliver import process, spool
from lineal.resolve.project import ensure
spool.SPEAKS -= 1  # what a version understood that knew less words of journals
process.serve(ensure("."), idle_s=60)
"""


def test_a_process_of_an_older_version_makes_room_for_one_that_understands(workshop: Workshop) -> None:
    older = subprocess.Popen(
        [sys.executable, "-c", OLDER], cwd=workshop.root, env=workshop.environment, stderr=subprocess.PIPE
    )
    until(lambda: any(path.read_text() for path in (workshop.root / ".lineal").glob("deliver-*.lock")))
    done = workshop.python("open('made', 'w').write('x' * 99)\n")
    assert (done.state, [file.path for file in done.outputs]) == ("finished", ["made"])
    assert (older.wait(60), older.communicate()[1]) == (0, b"")


def test_the_process_goes_away_when_nobody_records_and_when_its_folder_is_gone(workshop: Workshop) -> None:
    workshop.run("true")
    (pid,) = at_work(workshop)
    until(lambda: not at_work(workshop))
    (lock,) = (workshop.root / ".lineal").glob("deliver-*.lock")
    assert not os.path.exists(deliverer.pipe(lock.stem.removeprefix("deliver-")))
    workshop.run("true")
    (other,) = at_work(workshop)
    assert other != pid
    shutil.rmtree(workshop.root / ".lineal")
    until(lambda: not Path(f"/proc/{other}/stat").exists())


def test_a_question_asks_the_process_for_what_a_running_program_did_a_moment_ago(workshop: Workshop) -> None:
    workshop.script(
        "step.py",
        "import lineal, sys\nlineal.param(lr=0.5)\nprint('ready', flush=True)\nsys.stdin.readline()\n",
    )
    process = subprocess.Popen(
        [*LINEAL, "run", sys.executable, "step.py"],
        cwd=workshop.root,
        env=workshop.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    (run,) = json.loads(workshop.lineal("runs", "params.lr = 0.5", "--json").stdout)
    assert run["state"] == "running"
    process.communicate("go on\n")
    assert process.returncode == 0
    assert len(at_work(workshop)) == 1


# --- killed ----------------------------------------------------------------------------------------------------------


def test_a_killed_process_is_followed_by_another_and_nothing_comes_twice(workshop: Workshop) -> None:
    workshop.script(
        "step.py",
        """
        import lineal, os, time
        for n in range(300):
            lineal.log(step=n, loss=n)
            time.sleep(0.01)
        open('made', 'w').write('x' * 99)
        """,
    )
    process = subprocess.Popen(
        [*LINEAL, "run", sys.executable, "step.py"], cwd=workshop.root, env=workshop.environment
    )
    killed: set[int] = set()
    while process.poll() is None and len(killed) < 2:
        for pid in at_work(workshop):
            if states(workshop) and pid not in killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
                workshop.lineal("runs")
                workshop.run("true")
    assert process.wait(60) == 0
    assert killed
    run = workshop.detail(next(run.run_id for run in workshop.runs() if run.job == "step.py"))
    assert (run.state, run.metrics[0].count, run.metrics[0].last) == ("finished", 300, 299.0)
    assert [file.path for file in run.outputs] == ["made"]
    assert journals(workshop) == []


def test_what_was_left_by_a_killed_process_is_delivered_by_the_next_question(workshop: Workshop) -> None:
    process = begun(workshop, LINEAL_WAIT="0")
    until(lambda: states(workshop) == ["running"])
    for pid in at_work(workshop):
        os.kill(pid, signal.SIGKILL)
    (workshop.root / "go").touch()
    assert process.wait(60) == 0
    assert [run["state"] for run in json.loads(workshop.lineal("runs", "--json").stdout)] == ["finished"]
    assert journals(workshop) == []


def test_a_killed_wrapper_is_noticed_though_the_process_lives(workshop: Workshop) -> None:
    process = begun(workshop)
    until(lambda: states(workshop) == ["running"])
    process.kill()
    process.wait()
    (workshop.root / "go").touch()
    until(lambda: states(workshop) == ["finished"])
    gaps = workshop.newest().facets["lineal.notes/1"]["gaps"]
    assert any("wrapper was killed" in gap for gap in gaps)


def test_a_process_that_stands_still_is_not_waited_for_longer_than_one_wants(workshop: Workshop) -> None:
    process = begun(workshop, LINEAL_WAIT="1")
    until(lambda: states(workshop) == ["running"])
    (pid,) = at_work(workshop)
    os.kill(pid, signal.SIGSTOP)
    try:
        (workshop.root / "go").touch()
        assert process.wait(60) == 0
        assert "not delivered yet" in said(workshop)
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: states(workshop) == ["finished"])


def test_waiting_for_a_long_delivery_says_why_and_can_be_interrupted(workshop: Workshop) -> None:
    process = begun(workshop)
    with store_lock(project_of(workshop)):
        (workshop.root / "go").touch()
        until(lambda: "waiting for" in said(workshop))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert "delivered without being waited for" in said(workshop)
    until(lambda: states(workshop) == ["finished"])


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_server_that_is_away_is_told_at_the_end_and_costs_nothing_but_a_moment(workshop: Workshop) -> None:
    done = workshop.run("true", env={"LINEAL_URL": "http://127.0.0.1:9"})
    assert "not delivered yet" in done.stderr
    assert "lineal sync" in done.stderr
    assert len(journals(workshop)) == 1
    again = workshop.run("true", env={"LINEAL_URL": "http://127.0.0.1:9"})
    assert "not delivered yet" in again.stderr


def test_a_journal_that_makes_no_sense_costs_the_others_nothing(workshop: Workshop) -> None:
    project = ensure(str(workshop.root))
    journal = Journal(project.journal_dir, "01" * 16)
    journal.json("run", run="01" * 16, job="train", wrapper=False)
    journal.json("param", value="a parameter without a name")
    workshop.run("true")
    assert [run.job for run in workshop.runs()] == ["true"]
    assert any("cannot be delivered" in problem for problem in sync(project).problems)
    assert os.path.exists(journal.path)


def test_without_a_delivering_process_the_record_waits_for_the_next_command(workshop: Workshop) -> None:
    done = workshop.run("true", env={"LINEAL_DELIVER": "off"})
    assert done.stderr == ""
    assert at_work(workshop) == []
    assert len(journals(workshop)) == 1
    assert [run["state"] for run in json.loads(workshop.lineal("runs", "--json").stdout)] == ["finished"]


def test_a_run_within_a_run_is_delivered_by_the_same_process(workshop: Workshop) -> None:
    inner = " ".join([*LINEAL, "run", "true"])
    workshop.run("sh", "-c", f"{inner}; {inner}")
    assert len(at_work(workshop)) == 1
    assert states(workshop) == ["finished"] * 3


def test_the_process_holds_nothing_of_whoever_started_it(workshop: Workshop) -> None:
    """A shell that reads the output of `lineal run` to its end does not wait for the process that goes on delivering."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    done = subprocess.run(
        [*LINEAL, "run", "true"],
        cwd=workshop.root,
        env=workshop.environment,
        stdout=write,
        stderr=write,
        pass_fds=[write],
        check=True,
    )
    os.close(write)
    assert done.returncode == 0
    (pid,) = at_work(workshop)
    assert os.read(read, 100) == b""
    os.close(read)
    assert os.getsid(pid) != os.getsid(0)
    assert os.readlink(f"/proc/{pid}/fd/1") == os.devnull


def test_a_terminal_that_is_closed_does_not_end_the_delivery_for_others(workshop: Workshop) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(workshop.root)
        os.execve(LINEAL[0], [*LINEAL, "run", "true"], workshop.environment)
    try:
        while os.read(terminal, 1000):
            pass
    except OSError:
        pass
    os.close(terminal)
    os.waitpid(pid, 0)
    assert len(at_work(workshop)) == 1
    workshop.run("true")
    assert states(workshop) == ["finished"] * 2
