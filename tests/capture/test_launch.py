"""`lineal run`: the command's exit code, signals, descriptors and terminal are its own."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lineal.capture import launch
from tests.capture.recorded import RUN, one, records, run

COUNT_SIGNALS = """
import signal, sys, time
seen = []
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH"):
    signal.signal(getattr(signal, name), lambda number, frame: seen.append(signal.Signals(number).name))
print("ready", flush=True)
end = time.monotonic() + 20
while not seen and time.monotonic() < end:
    time.sleep(0.01)
time.sleep(0.3)
print(*seen, flush=True)
"""


def started(command: str, **more: Any) -> subprocess.Popen[str]:
    """A Python program under `lineal run` that has printed `ready`."""
    process = subprocess.Popen(
        [*RUN, sys.executable, "-c", command], stdout=subprocess.PIPE, text=True, **more
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_the_wrapper_imports_nothing_that_costs(project: Path) -> None:
    script = str(Path(sys.executable).parent / "lineal")
    words = (sys.executable, "-X", "importtime", script, "run", "true")
    for _ in range(2):  # the first may still have to gather its own modules into one file
        done = subprocess.run(
            words, capture_output=True, text=True, env={**os.environ, "LINEAL_DELIVER": "off"}
        )
    found = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert {"lineal.cli.main", "lineal.capture.bundle"} <= found
    assert found & {"json", "re", "typing", "enum", "signal", "threading", "lineal.capture.launch"} == set()


# --- exit codes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 2, 77, 127, 255])
def test_the_exit_code_is_the_commands_own(project: Path, code: int) -> None:
    assert run("sh", "-c", f"exit {code}").returncode == code
    end = one(project, "end")
    assert (end["exit_code"], end["state"]) == (code, "failed" if code else "finished")


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGINT, signal.SIGPIPE, signal.SIGABRT]
)
def test_a_command_ended_by_a_signal_ends_the_wrapper_by_the_same(project: Path, number: int) -> None:
    assert run("sh", "-c", f"kill -{int(number)} $$").returncode == -number
    end = one(project, "end")
    assert (end["state"], end["signal"], end["exit_code"]) == ("killed", int(number), None)


def test_a_command_that_does_not_exist_is_127(project: Path) -> None:
    done = run("no-such-command-anywhere", "x")
    assert done.returncode == 127
    assert "no-such-command-anywhere: command not found" in done.stderr
    assert "Traceback" not in done.stderr
    assert one(project, "end")["state"] == "failed"


def test_a_file_that_is_not_executable_is_126_and_says_what_to_do(project: Path) -> None:
    (project / "train.py").write_text("print(1)\n")
    done = run("./train.py")
    assert done.returncode == 126
    assert "lineal run python ./train.py" in done.stderr


def test_a_script_without_a_first_line_is_found_on_the_path(project: Path) -> None:
    script = project / "bin" / "tool"
    script.parent.mkdir()
    script.write_text("echo $1\n")
    script.chmod(0o755)
    done = run("tool", "7", env={**os.environ, "PATH": f"{script.parent}:{os.environ['PATH']}"})
    assert (done.returncode, done.stdout) == (0, "7\n")


def test_a_script_without_a_first_line_is_run_by_the_shell(project: Path) -> None:
    script = project / "plain.sh"
    script.write_text("echo hello $1\n")
    script.chmod(0o755)
    assert run("./plain.sh", "you").stdout == "hello you\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [([], "no command"), (["--wrong", "x"], "no option --wrong"), (["--job"], "--job needs a value"), (["--param", "lr", "x"], "--param KEY=VALUE"),
     (["--job", "a", "--job", "b", "x"], "given twice"), (["--parent", "abc", "x"], "32 hex digits")],
)  # fmt: skip
def test_options_that_cannot_be_read_are_2_with_a_clear_text(
    project: Path, words: list[str], said: str
) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# --- signals and terminal --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH"])
def test_a_signal_to_the_wrapper_reaches_the_command_once(project: Path, name: str) -> None:
    process = started(COUNT_SIGNALS)
    process.send_signal(getattr(signal, name))
    assert process.communicate(timeout=30)[0] == f"{name}\n"
    assert process.returncode == 0


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_to_the_whole_group_reaches_the_command_once(project: Path, name: str) -> None:
    process = started(COUNT_SIGNALS, start_new_session=True)
    os.killpg(process.pid, getattr(signal, name))
    assert process.communicate(timeout=30)[0] == f"{name}\n"


def test_ctrl_c_in_a_terminal_reaches_the_command_once(project: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(RUN[0], [*RUN, sys.executable, "-c", COUNT_SIGNALS])
    said = b""
    while b"ready" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    try:
        while chunk := os.read(terminal, 1000):
            said += chunk
    except OSError:  # the terminal is gone when its last process is
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert said.count(b"SIGINT") == 1


def test_the_command_is_in_the_foreground_of_its_terminal(project: Path) -> None:
    asks = "import os; print(os.isatty(0), os.tcgetpgrp(0) == os.getpgrp(), os.getsid(0) == os.getsid(os.getppid()))"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(RUN[0], [*RUN, sys.executable, "-c", asks])
    said = b""
    try:
        while chunk := os.read(terminal, 1000):
            said += chunk
    except OSError:
        pass
    os.close(terminal)
    os.waitpid(pid, 0)
    assert said.split() == [b"True", b"True", b"True"]


def test_an_ignored_signal_stays_ignored_in_the_command(project: Path) -> None:
    asks = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"
    script = f"trap '' HUP INT; exec {' '.join(map(_quoted, [*RUN, sys.executable, '-c', asks]))}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout == "True True\n"


def test_no_signal_is_blocked_in_the_command_and_a_broken_pipe_ends_it(project: Path) -> None:
    asks = "grep -E '^Sig(Blk|Ign)' /proc/self/status"
    plain = subprocess.run(["sh", "-c", asks], capture_output=True, text=True).stdout.split()
    recorded = run("sh", "-c", asks).stdout.split()
    # Signals 32 and 33 are the C library's own; its posix_spawn, which `make` uses too, leaves them ignored until they are used.
    own = 3 << 31
    assert [int(word, 16) & ~own for word in recorded[1::2]] == [int(word, 16) & ~own for word in plain[1::2]]
    assert plain[:2] == ["SigBlk:", "0000000000000000"]


def test_a_killed_wrapper_leaves_the_command_running_to_its_own_end(project: Path) -> None:
    process = started(
        "import time, pathlib; print('ready', flush=True); time.sleep(0.5); pathlib.Path('made').write_text('x')"
    )
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    for _ in range(200):
        if (project / "made").exists():
            break
        time.sleep(0.02)
    assert (project / "made").read_text() == "x"


def test_a_command_that_stops_itself_stops_the_wrapper_until_it_is_continued(project: Path) -> None:
    process = started(
        "import os, signal; print('ready', flush=True); os.kill(os.getpid(), signal.SIGSTOP); print('on')"
    )
    found = os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    assert found is not None
    process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=30)[0] == "on\n"
    assert process.returncode == 0


# --- descriptors, input, environment ---------------------------------------------------------------------------------


def test_descriptors_that_were_passed_on_arrive(project: Path) -> None:
    receive, send = os.pipe()
    with os.fdopen(receive) as file:
        run(sys.executable, "-c", f"import os; os.write({send}, b'through')", pass_fds=[send])
        os.close(send)
        assert file.read() == "through"


def test_the_command_has_no_more_descriptors_than_without_the_wrapper(project: Path) -> None:
    asks = ["ls", "/proc/self/fd"]
    assert run(*asks).stdout == subprocess.run(asks, capture_output=True, text=True).stdout


def test_standard_input_is_the_commands_own(project: Path) -> None:
    assert run("cat", input="a\nb\n").stdout == "a\nb\n"


def test_output_ends_when_the_command_ends(project: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", " ".join(map(_quoted, [*RUN, "echo", "x"])) + " | cat"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout == "x\n"


def test_python_path_is_prefixed_not_replaced(project: Path) -> None:
    asks = "import os; print(os.environ['PYTHONPATH'])"
    done = run(sys.executable, "-c", asks, env={**os.environ, "PYTHONPATH": "/a:/b"})
    assert done.stdout.strip() == os.pathsep.join([launch.SITE, "/a", "/b"])


# --- what is recorded ------------------------------------------------------------------------------------------------


def test_the_run_is_recorded_with_its_command_and_options(project: Path) -> None:
    (project / "steps").mkdir()
    (project / "steps" / "train.py").write_text("print('trained')\n")
    words = ["--name", "first", "--param", "lr=0.1", "--param", "db_password=x=y", "--tag", "team=a", "--group", "g", "--in", "raw.csv", "--out=out",
             "--in", "s3://u:secret@b/k"]  # fmt: skip
    done = run(*words, sys.executable, "steps/train.py", "--epochs", "3", "--api-key", "abc")
    assert (done.returncode, done.stdout, done.stderr) == (0, "trained\n", "")
    begun = one(project, "run")
    assert begun["job"] == "steps/train.py"
    assert begun["entry"] == str(project / "steps" / "train.py")
    assert begun["argv"][1:] == ["steps/train.py", "--epochs", "3", "--api-key", "[REDACTED:key]"]
    assert (begun["name"], begun["group"], begun["parent"]) == ("first", "g", None)
    assert begun["params"] == {"lr": "0.1", "db_password": "[REDACTED:password]"}
    assert begun["tags"] == {"team": "a"}
    assert begun["cwd"] == begun["project_root"] == str(project)
    assert [r["run"] for r in records(project)] == [begun["run"]] * len(records(project))
    assert [r.get("path") or r["uri"] for r in records(project) if r["t"] == "use"] == [
        str(project / "raw.csv"),
        "s3://u:[REDACTED:password]@b/k",
    ]
    assert one(project, "save")["path"] == str(project / "out")


def test_a_nested_run_is_a_child_of_the_outer_one(project: Path) -> None:
    inner = " ".join(map(_quoted, [*RUN, "--job", "inner", "true"]))
    assert run("--job", "outer", "sh", "-c", inner).returncode == 0
    begun = {r["job"]: r for r in records(project) if r["t"] == "run"}
    assert begun["inner"]["parent"] == begun["outer"]["run"]
    assert begun["inner"]["run"] != begun["outer"]["run"]


def test_a_parent_can_be_named(project: Path) -> None:
    run("--parent", "run:" + "AB" * 16, "true")
    assert one(project, "run")["parent"] == "ab" * 16


@pytest.mark.parametrize(
    ("command", "job"),
    [
        (["python", "-m", "pkg.train", "--x"], "pkg.train"),
        (["python3.12", "-u", "a/b.py", "data.py"], "a/b.py"),
        (["uv", "run", "python", "a/b.py"], "a/b.py"),
        (["env", "A=1", "sh", "go.sh"], "go.sh"),
        (["/usr/bin/make", "all"], "make"),
        (["python", "-c", "print(1)", "a/b.py"], "python"),
        (["python", "-m", "jupyter", "execute", "a/n.ipynb"], "a/n.ipynb"),
        (["python", "noext"], "noext"),
        (["./missing.py"], "missing.py"),
    ],
)
def test_the_job_is_named_after_the_script(project: Path, command: list[str], job: str) -> None:
    (project / "a").mkdir()
    for name in ("a/b.py", "a/n.ipynb", "go.sh", "data.py", "noext"):
        (project / name).write_text("")
    assert launch.command_name.job_of(command, str(project))[0] == job


@pytest.mark.parametrize(
    ("flags", "said"),
    [(["-I"], "-I does not let Lineal in"), (["-uE"], "-E does not"), (["-S"], "-S does not"), ([], "")],
)
def test_a_python_that_keeps_us_out_is_flagged(project: Path, flags: list[str], said: str) -> None:
    assert run(sys.executable, *flags, "-c", "print(1)").stdout == "1\n"
    notes = [r["text"] for r in records(project) if r["t"] == "note"]
    assert len(notes) == bool(said)
    assert all("not observed inside" in note and said in note for note in notes)


def test_a_command_without_python_is_flagged_and_a_shell_script_around_python_is_not(project: Path) -> None:
    run("true", env={**os.environ, "LINEAL_PRELOAD": "0"})
    assert "no Python" in one(project, "note")["text"]
    other = project / "other"
    (other / ".git").mkdir(parents=True)
    run("sh", "-c", f"{_quoted(sys.executable)} -c 'pass'; true", cwd=other)
    assert [r for r in records(other) if r["t"] == "note"] == []


def test_without_a_writable_project_the_command_runs_on_with_a_warning(project: Path) -> None:
    done = run("sh", "-c", "echo on; exit 3", env={**os.environ, "LINEAL_DIR": "/proc/nowhere"})
    assert (done.returncode, done.stdout) == (3, "on\n")
    assert "nothing is recorded" in done.stderr
    assert "Traceback" not in done.stderr


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
