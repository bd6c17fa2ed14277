"""`lineal run --cache`: a step that did the very same before is not run again, and one of which anything changed is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.cli import LINEAL, document, environment
from tests.server.serving import begun

STEP = """
import glob, os, sys
from pkg import helper
rows = sum(len(open(path).readlines()) for path in sorted(glob.glob("data/*.csv")))
try:
    extra = open("extra.txt").read()
except OSError:
    extra = ""
os.makedirs("out", exist_ok=True)
with open("out/sum.txt", "w") as file:
    file.write(f"{rows * helper.FACTOR}{extra}{' '.join(sys.argv[1:])}")
print("ran")
"""
HELPER = """
import json, os
with open(os.path.join(os.path.dirname(__file__), "settings.json")) as file:
    FACTOR = json.load(file)["factor"]
"""


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = begun(tmp_path_factory.mktemp("shop"))
    (folder / "step.py").write_text(STEP)
    (folder / "pkg").mkdir()
    (folder / "pkg" / "helper.py").write_text(HELPER)
    (folder / "pkg" / "settings.json").write_text('{"factor": 3}')
    (folder / "data").mkdir()
    (folder / "data" / "a.csv").write_text("1\n2\n")
    (folder / "data" / "b.csv").write_text("3\n")
    return folder


def run(
    project: Path, *words: str, program: str = sys.executable, stdin: int = subprocess.DEVNULL, **more: str
) -> tuple[bool, str]:
    """(whether the step ran, what Lineal said)."""
    command = [LINEAL, "run", "--cache", program, "step.py", *words]
    done = subprocess.run(
        command, cwd=project, env=environment(**more), stdin=stdin, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done
    return "ran" in done.stdout, done.stderr


def test_what_did_not_change_is_not_run_again(project: Path) -> None:
    assert run(project)[0]
    first = document(project, "runs")[0]["run_id"]
    again, said = run(project)
    assert not again
    assert f"nothing changed since run:{first[:12]}" in said
    newest = document(project, "runs")[0]
    assert (newest["state"], newest["exit_code"]) == ("finished", 0)
    shown = document(project, "show", f"run:{newest['run_id']}")
    assert shown["facets"]["lineal.reused/1"] == {"run": first, "restored": []}
    assert [(f["path"], f["role"], f["made_by"]) for f in shown["inputs"]] == [
        ("out/sum.txt", "reused", [first])
    ]
    assert shown["outputs"] == []
    again, _ = run(project)
    assert not again


def _data(project: Path) -> None:
    (project / "data" / "a.csv").write_text("9\n8\n")


def _data_with_its_old_time(project: Path) -> None:
    path = project / "data" / "a.csv"
    before = path.stat()
    path.write_text("7\n7\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _more_data(project: Path) -> None:
    (project / "data" / "c.csv").write_text("4\n")


def _less_data(project: Path) -> None:
    (project / "data" / "b.csv").unlink()


def _imported_code(project: Path) -> None:
    (project / "pkg" / "helper.py").write_text(HELPER + "FACTOR += 1\n")


def _what_imported_code_reads(project: Path) -> None:
    (project / "pkg" / "settings.json").write_text('{"factor": 4}')


def _what_was_not_there(project: Path) -> None:
    (project / "extra.txt").write_text("!")


def _a_module_in_front_of_another(project: Path) -> None:
    (project / "glob.py").write_text("def glob(pattern): return []\n")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_data, "data/a.csv changed"),
        (_data_with_its_old_time, "data/a.csv changed"),
        (_more_data, "holds other files"),
        (_less_data, "data/b.csv"),
        (_imported_code, "code: pkg/helper.py changed"),
        (_what_imported_code_reads, "pkg/settings.json changed"),
        (_what_was_not_there, "extra.txt was not there, and is now"),
        (_a_module_in_front_of_another, "holds other files"),
    ],
)
def test_what_changed_is_run_again(project: Path, change: object, why: str) -> None:
    assert run(project)[0]
    change(project)  # type: ignore[operator]
    again, said = run(project)
    assert again, said
    assert why in said


def test_other_words_and_other_variables_are_run(project: Path) -> None:
    assert run(project)[0]
    assert run(project, "--other")[0]
    again, said = run(project, OMP_NUM_THREADS="3")
    assert again
    assert "the environment changed: variables OMP_NUM_THREADS" in said
    assert not run(project)[0]  # the newest that is the same is used, not only the newest
    assert not run(project, "--other")[0]


def test_an_output_that_is_missing_or_changed_is_put_back(project: Path) -> None:
    assert run(project)[0]
    output = project / "out" / "sum.txt"
    made = output.read_text()
    for spoil in (output.unlink, lambda: output.write_text("something else")):
        spoil()
        again, said = run(project)
        assert not again, said
        assert "restored: out/sum.txt" in said
        assert output.read_text() == made


def test_a_run_that_failed_is_not_used_again(project: Path) -> None:
    (project / "step.py").write_text(
        "print('ran')\nimport os\nraise SystemExit(3 if os.path.exists('fail') else 0)\n"
    )
    (project / "fail").write_text("")
    command = [LINEAL, "run", "--cache", sys.executable, "step.py"]
    for _ in range(2):
        done = subprocess.run(
            command, cwd=project, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (3, "ran\n")


def test_what_reads_a_pipe_is_run(project: Path) -> None:
    assert run(project)[0]
    again, said = run(project, stdin=subprocess.PIPE)
    assert again
    assert "standard input is a pipe" in said


def test_a_run_without_cache_stands_for_none(project: Path) -> None:
    done = subprocess.run(
        [LINEAL, "run", sys.executable, "step.py"],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    again, said = run(project)
    assert again
    assert "no earlier run of it was recorded for that" in said


def test_a_program_that_is_no_python_is_run_each_time(project: Path) -> None:
    (project / "step.sh").write_text("#!/bin/sh\nls data > listed.txt\necho ran\n")
    command = [LINEAL, "run", "--cache", "sh", "step.sh"]
    for _ in range(2):
        done = subprocess.run(
            command, cwd=project, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (0, "ran\n")
