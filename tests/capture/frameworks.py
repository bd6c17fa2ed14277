"""Programs that train with real frameworks, run once under `lineal run` in the environment that has them."""

from __future__ import annotations

import subprocess
import textwrap
from functools import cache
from pathlib import Path

import pytest

from tests.capture.recorded import Told, run

PYTHON = Path(__file__).resolve().parents[2] / ".venv-frameworks" / "bin" / "python"


@cache
def _has(package: str) -> bool:
    found = PYTHON.exists() and subprocess.run(
        [
            str(PYTHON),
            "-c",
            f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)",
        ]
    )
    return bool(found) and found.returncode == 0


def need(*packages: str) -> None:
    """Skip where a framework is not installed, so that it is named among the skipped peers."""
    for package in packages:
        if not _has(package):
            pytest.skip(
                f"could not import '{package}' in .venv-frameworks; `make test` installs it where it can"
            )


def trained(folder: Path, text: str, *words: str, loud: bool = False) -> Told:
    """What a program recorded that ran in a new project at `folder`. loud: it may write to stderr."""
    (folder / ".git").mkdir(exist_ok=True)
    (folder / "script.py").write_text(textwrap.dedent(text))
    done = run(str(PYTHON), "script.py", *words, cwd=folder)
    assert done.returncode == 0, done.stderr + done.stdout
    assert loud or done.stderr == ""
    assert "Traceback" not in done.stderr, done.stderr
    return Told(folder, done.stdout)


def below(told: Told, kind: str) -> list[Told]:
    """What the runs of a kind within the program's own recorded, in the order they began."""
    found = []
    for begun in told.records:
        if begun["t"] == "run" and begun.get("within") and begun["kind"] == kind:
            child = object.__new__(Told)
            child.records = [r for r in told.records if r["run"] == begun["run"]]
            child.params = {r["key"]: r["value"] for r in child.records if r["t"] == "param"}
            child.metrics = {}
            for record in child.records:
                for key, step, value in record["points"] if record["t"] == "points" else ():
                    child.metrics.setdefault(key, []).append((step, value))
            found.append(child)
    return found


def own(told: Told, t: str) -> list[dict[str, object]]:
    """The program's own records of a type, without those of runs within it."""
    within = {r["run"] for r in told.records if r["t"] == "run" and r.get("within")}
    return [r for r in told.records if r["t"] == t and r["run"] not in within]
