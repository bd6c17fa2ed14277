"""Children of every kind are recorded, each in a journal of its own, or it is said that they are not."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from lineal.journal.read import FileEvent
from tests.capture.injected import READ, WRITE, Recorded, run

WORK = "def work(name):\n    open(name).read(); open(name + '.out', 'w').write('x')\n"


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    for n in range(4):
        (tmp_path / f"i{n}").write_text(str(n))
    return tmp_path


def seen(got: Recorded) -> tuple[set[str], set[str]]:
    return got.paths(READ), got.paths(WRITE)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_children_are_recorded(method: str, inputs: Path) -> None:
    code = (
        f"import multiprocessing as m\n{WORK}"
        f"if __name__ == '__main__':\n    with m.get_context({method!r}).Pool(2) as p: p.map(work, ['i0', 'i1', 'i2'])"
    )
    got = run(inputs, code)
    assert got.code == 0, got.stderr
    assert seen(got) == ({"i0", "i1", "i2"}, {"i0.out", "i1.out", "i2.out"})


def test_a_fork_without_exec_that_ends_by_os_exit_is_recorded(inputs: Path) -> None:
    got = run(
        inputs, f"import os\n{WORK}if os.fork() == 0:\n    work('i0'); os._exit(0)\nos.wait(); work('i1')"
    )
    assert seen(got) == ({"i0", "i1"}, {"i0.out", "i1.out"})
    assert sorted(r["forked"] for r in got.records("open")) == [False, True]
    assert [r["main"] for r in got.records("open") if not r["forked"]] == [True]


def test_a_child_python_is_recorded_and_is_not_the_main_process(inputs: Path) -> None:
    (inputs / "child.py").write_text(WORK + "work('i0')")
    got = run(
        inputs, "import subprocess, sys\nsubprocess.run([sys.executable, 'child.py'], check=True); open('i1')"
    )
    assert seen(got) == ({"i0", "i1"}, {"i0.out"})
    assert sorted(r["main"] for r in got.records("open")) == [False, True]
    assert got.code_files() == {"main.py", "child.py"}
    assert got.records("note") == []


def test_a_child_that_outlives_its_parent_is_recorded(inputs: Path) -> None:
    code = (
        f"import os\n{WORK}r, w = os.pipe()\n"
        "if os.fork() == 0:\n    os.close(w); os.read(r, 1); work('i0'); os._exit(0)\n"
    )
    got = run(inputs, argv=[sys.executable, "-c", code + "work('i1')"])
    journal = inputs / ".lineal" / "journal"
    for _ in range(1000):
        if (inputs / "i0.out").exists() and len(list(journal.glob("*.lj"))) == 2:
            break
    assert seen(got)[0] >= {"i1"}
    assert len(list(journal.glob("*.lj"))) == 2


def test_thirty_two_processes_at_once_each_leave_a_whole_journal(tmp_path: Path) -> None:
    code = (
        "import os\nfor n in range(32):\n    if os.fork() == 0:\n"
        "        for k in range(40): open(f'{n}-{k}', 'w').close()\n        os._exit(0)\n"
        "for n in range(32): os.wait()"
    )
    got = run(tmp_path, code)
    assert len(got.journals) == 33
    assert len(got.paths(WRITE)) == 32 * 40


def test_what_a_child_that_is_not_python_was_given_is_evidence_of_reading(inputs: Path) -> None:
    code = (
        "import subprocess, os\nsubprocess.run(['cat', 'i0'], stdout=subprocess.DEVNULL)\n"
        "subprocess.run('cat i1 > o1; cat \"./i2\" | sort >> o2', shell=True); os.system('cat --show-all i3 > /dev/null')\n"
        "subprocess.run(['cat', 'i0'], stdout=subprocess.DEVNULL)"
    )
    got = run(inputs, code)
    found = [f for f in got.frames if isinstance(f, FileEvent)]
    assert {(f.op, f.layer, f.lib, os.path.basename(f.path)) for f in found} == {
        (READ, 4, "cat", name) for name in (b"i0", b"i1", b"i2", b"i3")
    }
    assert len(found) == 4
    notes = [r["text"] for r in got.records("note")]
    assert notes == ["files of non-Python children not observed"]


def test_options_with_a_path_and_another_working_directory_are_understood(inputs: Path) -> None:
    (inputs / "d").mkdir()
    (inputs / "d" / "x").write_text("x")
    (inputs / "own.sh").write_text("#!/bin/sh\n")
    (inputs / "own.sh").chmod(0o755)
    got = run(
        inputs,
        "import subprocess\nsubprocess.run(['cat', '--', 'x'], cwd='d', stdout=-3); subprocess.run(['./own.sh', '--in=i0', 'none'])",
    )
    assert got.paths(READ) == {"d/x", "i0"}
    assert got.code_files() == {"main.py", "own.sh"}


def test_asking_the_machine_what_it_is_leaves_no_trace(inputs: Path) -> None:
    got = run(
        inputs,
        "import subprocess\nsubprocess.run(['uname', 'i0']); subprocess.run('git --version', shell=True)",
    )
    assert (got.paths(READ), got.records("note")) == (set(), [])


def test_a_program_that_is_replaced_keeps_what_was_recorded_before(inputs: Path) -> None:
    got = run(inputs, "import os\nopen('i0').close(); os.execvp('cat', ['cat', 'i1'])")
    assert got.paths(READ) == {"i0", "i1"}
    assert got.records("exit") == []


def test_linealsown_processes_are_not_recorded(tmp_path: Path) -> None:
    (tmp_path / "lineal").write_text("open('x', 'w')")
    package = tmp_path / "lib" / "lineal"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("open('y', 'w')")
    for argv in (
        ["lineal"],
        ["-X", "utf8", "lineal"],
        ["-m", "lineal"],
        ["-m", "lineal.__main__", "deliver"],
    ):
        code = f"import os, runpy\nos.execv({sys.executable!r}, [{sys.executable!r}, *{argv!r}])"
        if "-m" in argv:
            code = code.replace("import os", "import os; os.chdir('lib')")
        got = run(tmp_path, code)
        assert [r["argv"] for r in got.records("open")] == [[sys.executable, "main.py"]]


@pytest.mark.parametrize("options", [("-I",), ("-E",), ("-S",)])
def test_an_isolated_interpreter_runs_unobserved(options: tuple[str, ...], inputs: Path) -> None:
    got = run(inputs, "print(open('i0').read())", options=options)
    assert (got.code, got.stdout, got.journals) == (0, "0\n", [])


def test_without_a_run_nothing_is_recorded(inputs: Path) -> None:
    got = run(inputs, "import sys\nopen('i0'); print('_lineal' in sys.modules)", LINEAL_RUN="")
    assert (got.stdout, got.journals) == ("False\n", [])


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_pythons_below_a_shell_are_recorded(inputs: Path) -> None:
    (inputs / "child.py").write_text(WORK + "work('i0')")
    got = run(inputs, argv=["sh", "-c", f"{sys.executable} child.py && {sys.executable} -c 'open(\"i1\")'"])
    assert got.paths(READ) == {"i0", "i1"}
    assert [r["main"] for r in got.records("open")] == [False, False]
