"""`@lineal.step(cache=True)`: a call that did the very same before is not made again, and one of which anything changed is."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.cli import LINEAL, document, environment
from tests.server.serving import begun

PROGRAM = """
import glob, sys
import lineal
from pkg import helper

@lineal.step(cache=True)
def clean(pattern, scale=2):
    rows = sum(len(open(path).readlines()) for path in sorted(glob.glob(pattern)))
    with open("clean.txt", "w") as file:
        file.write(str(rows * helper.factor() * scale))
    print("RAN clean")
    return {"rows": rows, "more": (1.5, None, b"x")}

@lineal.step(cache=True)
def train(info, rate):
    print("RAN train")
    return float(open("clean.txt").read()) * rate

info = clean("data/*.csv")
print(info, train(info, float(sys.argv[1])))
"""
HELPER = """
import json, os
SETTINGS = json.load(open(os.path.join(os.path.dirname(__file__), "settings.json")))
def factor():
    return SETTINGS["factor"]
"""
NOT_CACHED = """
import subprocess, sys
import lineal
from dataclasses import dataclass

class Settings:
    rate = 3

@dataclass
class Point:
    x: int

found = []
settings = Settings()

@lineal.step(cache=True)
def starts(): return len(subprocess.run([sys.executable, "-c", "1"]).args)
@lineal.step(cache=True)
def changes(given): given.append(1)
@lineal.step(cache=True)
def changes_what_it_refers_to(): found.append(1)
@lineal.step(cache=True)
def gives_an_object(): return Point(1)
@lineal.step(cache=True)
def refers_to_an_object(): return settings.rate
@lineal.step(cache=True)
def is_given_an_object(given): return 1
@lineal.step
def inner(): return 1
@lineal.step(cache=True)
def holds_another(): return inner()
@lineal.step(cache=True)
def gives_a_secret(): return {"password": "hunter2hunter2"}

for step, given in (
    (starts, ()), (changes, ([],)), (changes_what_it_refers_to, ()), (gives_an_object, ()), (refers_to_an_object, ()),
    (is_given_an_object, (Point(1),)), (holds_another, ()), (gives_a_secret, ()),
):
    step(*given)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = begun(tmp_path / "shop")
    (folder / "program.py").write_text(PROGRAM)
    (folder / "pkg").mkdir()
    (folder / "pkg" / "helper.py").write_text(HELPER)
    (folder / "pkg" / "settings.json").write_text('{"factor": 3}')
    (folder / "data").mkdir()
    (folder / "data" / "a.csv").write_text("1\n2\n")
    (folder / "data" / "b.csv").write_text("3\n")
    return folder


def run(project: Path, *words: str, **more: str) -> tuple[set[str], str, str]:
    """(the steps that ran, what the program printed at its end, what Lineal said)."""
    command = [LINEAL, "run", sys.executable, *(words or ("program.py", "0.5"))]
    done = subprocess.run(
        command,
        cwd=project,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done
    ran = {line.removeprefix("RAN ") for line in done.stdout.splitlines() if line.startswith("RAN ")}
    return ran, done.stdout.splitlines()[-1] if done.stdout else "", done.stderr


def test_only_calls_of_which_something_changed_are_made_again(project: Path) -> None:
    both = {"clean", "train"}
    ran, printed, _ = run(project)
    assert (ran, printed) == (both, "{'rows': 3, 'more': (1.5, None, b'x')} 9.0")
    first = {found["job"]: found["run_id"] for found in document(project, "runs")}
    ran, again, said = run(project)
    assert (ran, again) == (set(), printed), said
    newest = {found["job"]: found["run_id"] for found in reversed(document(project, "runs"))}
    for job, output in (("program.py:clean", "clean.txt"), ("program.py:train", "program.py:train()")):
        shown = document(project, "show", f"run:{newest[job]}")
        assert shown["facets"]["lineal.reused/1"]["run"] == first[job]
        reused = {f["path"] or f["version"].rpartition("@")[0]: f["made_by"] for f in shown["inputs"]}
        assert reused[output] == [first[job]]
        assert {f["role"] for f in shown["inputs"]} == {"reused"}

    assert run(project, "program.py", "0.25")[0] == {"train"}  # an argument of only one
    (project / "clean.txt").unlink()
    ran, _, said = run(project)
    assert (ran, (project / "clean.txt").read_text()) == (set(), "18"), said
    assert "restored: clean.txt" in said

    for change, ran, why in (
        (lambda: (project / "data" / "c.csv").write_text("4\n"), both, "holds other files"),
        (lambda: (project / "data" / "a.csv").write_text("8\n9\n"), {"clean"}, "data/a.csv changed"),
        (
            lambda: (project / "pkg" / "helper.py").write_text(HELPER + "#"),
            both,
            "code: pkg/helper.py changed",
        ),
        (
            lambda: (project / "pkg" / "settings.json").write_text('{"factor": 3 }'),
            both,
            "pkg/settings.json changed",
        ),
    ):
        change()
        # Code that changed within a few ticks of a program's beginning may have changed after it.
        while time.time() - max(path.stat().st_ctime for path in project.glob("[dp]*/*.*")) < 0.1:
            time.sleep(0.02)
        found, _, said = run(project)
        assert found == ran, (why, said)
        assert why in said
    assert run(project, OMP_NUM_THREADS="3")[0] == both
    assert run(project)[0] == set()


def test_what_cannot_be_told_to_be_the_same_is_run_each_time(project: Path) -> None:
    (project / "steps.py").write_text(NOT_CACHED)
    run(project, "steps.py")
    _, _, said = run(project, "steps.py")
    for step, why in (
        ("starts", "it started a program"),
        ("changes", "it changed its arguments"),
        ("changes_what_it_refers_to", "it changed what it refers to"),
        ("gives_an_object", "what it gives back is a Point, which cannot be kept exactly"),
        ("refers_to_an_object", "__main__.settings is a Settings, which cannot be compared"),
        ("is_given_an_object", "the argument given is a Point, which cannot be compared"),
        ("holds_another", "holds runs of its own"),
        ("gives_a_secret", "holds a secret"),
    ):
        [line] = [line for line in said.splitlines() if f"running steps.py:{step}: " in line]
        assert why in line
    assert "used again" not in said


def test_a_program_that_is_not_watched_makes_every_call(project: Path) -> None:
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "program.py", "1"],
            cwd=project,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=110,
        )
        assert done.stdout.count("RAN ") == 2
        assert "cache=True needs `lineal run`" in done.stderr
