"""Runs files of checks under the unmodified ml_metadata client, which lives in an environment of its own (`.venv-mlmd`)."""

from __future__ import annotations

import ast
import functools
import json
import socket
import subprocess
from pathlib import Path

import pytest

from tests.e2e.cli import environment
from tests.server.serving import Serving

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv-mlmd" / "bin" / "python"
_WAIT_S = 300


@functools.cache
def absent() -> str:
    """Why there is no client to test with; empty when there is one."""
    done = (
        PYTHON.exists()
        and subprocess.run([PYTHON, "-c", "import ml_metadata"], capture_output=True).returncode == 0
    )
    return (
        "" if done else "could not import 'ml_metadata' in .venv-mlmd; `make test` installs it where it can"
    )


def checks_in(file: str) -> list[str]:
    """The names of the checks in a file beside this one: its functions whose names begin with `check_`."""
    tree = ast.parse((Path(__file__).parent / file).read_text())
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")
    ]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def run(file: str, serving: Serving, port: int, *words: str) -> str:
    """Run a file beside this one under the client; what it printed."""
    if reason := absent():
        pytest.skip(reason)
    done = subprocess.run(
        [PYTHON, Path(__file__).parent / file, *words],
        cwd=serving.folder,
        env=environment(MLMD_PORT=str(port), PYTHONDONTWRITEBYTECODE="1", PYTHONWARNINGS="ignore"),
        capture_output=True,
        text=True,
        timeout=_WAIT_S,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def results(file: str, serving: Serving, port: int) -> dict[str, str]:
    """What came of every check of a file: empty, or the traceback."""
    marked = [
        line
        for line in run("../checking.py", serving, port, str(Path(__file__).parent / file)).splitlines()
        if line.startswith("RESULTS ")
    ]
    found: dict[str, str] = json.loads(marked[-1].removeprefix("RESULTS "))
    return found
