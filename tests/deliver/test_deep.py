"""`lineal run --deep`: programs that no library can be loaded into are seen from outside, by a supervisor that the kernel asks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lineal.capture import below
from lineal.resolve.project import Project
from tests.deliver.below import compiled, files, gaps, put, sh
from tests.deliver.conftest import Workshop, named


def _offered() -> str:
    try:
        path = below.supervisor()
    except below.Missing as missing:
        return str(missing)
    done = subprocess.run([path, "check"], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout or "it cannot be tried"


MISSING = _offered()
needs_kernel = pytest.mark.skipif(bool(MISSING), reason=f"no supervisor here: {MISSING}")
STATIC = """
int in = open("data.txt", O_RDONLY), dir = open("sub", O_RDONLY | O_DIRECTORY); char b[9]; int n = read(in, b, 9);
write(openat(dir, "made.txt", O_WRONLY | O_CREAT, 0600), b, n); write(creat("part.txt", 0600), b, n);
rename("part.txt", "out.txt"); close(creat("gone.txt", 0600)); unlink("gone.txt"); link("out.txt", "link.txt");
open("absent.txt", O_RDONLY); open("data.txt", O_RDWR);
"""


@needs_kernel
def test_a_static_program_is_seen_by_the_supervisor(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    (workshop.root / "sub").mkdir()
    static = compiled(workshop, STATIC, "-static", name="static")
    workshop.run("--deep", static)
    done = workshop.newest()
    inputs, outputs = files(done)
    assert inputs == ["data.txt"]
    assert set(outputs) == {"sub/made.txt", "out.txt", "link.txt"}
    assert named(done.inputs, "data.txt")[0].via == ["supervisor", "static"]
    assert named(done.outputs, "out.txt")[0].evidence == "observed"
    assert gaps(done) == []


@needs_kernel
def test_three_layers_that_see_one_file_are_one_edge(workshop: Workshop) -> None:
    put(workshop.root, data="b\na\n")
    static = compiled(workshop, 'open("data.txt", O_RDONLY);', "-static", name="static")
    workshop.script(
        "step.py",
        f"""
        import os, subprocess
        open("data.txt").read()
        subprocess.run(["sort", "data.txt", "-o", "sorted.txt"], check=True)
        subprocess.run([{static!r}], check=True)
        open("part", "w").write("x"); os.replace("part", "out.txt")
        open("a", "w").write("1"); os.rename("a", "b"); os.rename("b", "a"); os.rename("a", "b")
        """,
    )
    workshop.run("--deep", sys.executable, "step.py")
    done = workshop.newest()
    assert files(done) == (["data.txt"], ["b", "out.txt", "sorted.txt"])
    assert named(done.inputs, "data.txt")[0].via[:3] == ["audit", "preload", "supervisor"]
    assert gaps(done) == []


@needs_kernel
def test_exit_codes_signals_and_what_is_not_found_are_as_without(workshop: Workshop) -> None:
    assert workshop.run("--deep", "sh", "-c", "exit 7", check=False).returncode == 7
    assert workshop.run("--deep", "sh", "-c", "kill -9 $$", check=False).returncode == -9
    assert workshop.run("--deep", "nowhere-to-be-found", check=False).returncode == 127
    script = workshop.root / "plain"
    script.write_text("echo no first line; exit 3\n")
    script.chmod(0o755)
    done = workshop.run("--deep", "./plain", check=False)
    assert (done.returncode, done.stdout) == (3, "no first line\n")
    assert [run.state for run in workshop.runs()] == ["failed", "failed", "killed", "failed"]


@needs_kernel
def test_children_that_outlive_the_command_neither_stop_nor_hold_it_up(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    done = sh(
        workshop,
        "(sleep 4; cat data.txt > late.txt) > /dev/null 2>&1 & cat data.txt > now.txt",
        run=("--deep",),
    )
    assert files(done) == (["data.txt"], ["now.txt"])
    late = workshop.root / "late.txt"
    subprocess.run(["sh", "-c", f"while ! test -s {late}; do :; done"], check=True, timeout=60)


def test_where_it_cannot_be_had_it_is_refused_with_a_sentence_and_nothing_is_run(workshop: Workshop) -> None:
    bare = {"LINEAL_PRELOAD": "0"}
    done = workshop.run("--deep", "touch", "ran.txt", env=bare, check=False)
    assert done.returncode == 2
    assert "--deep needs a supervisor that could not be made" in done.stderr
    assert not (workshop.root / "ran.txt").exists()
    assert Project(str(workshop.root), str(workshop.root / ".lineal"))
    assert workshop.runs() == []
