"""Runs files of checks under the unmodified mlflow client, which lives in an environment of its own (`.venv-peers`)."""

from __future__ import annotations

import ast
import functools
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.cli import environment
from tests.server.serving import Serving

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv-peers" / "bin" / "python"
_WAIT_S = 300


@functools.cache
def absent() -> str:
    """Why there is no client to test with; empty when there is one."""
    done = (
        PYTHON.exists()
        and subprocess.run([PYTHON, "-c", "import mlflow"], capture_output=True).returncode == 0
    )
    return "" if done else "could not import 'mlflow' in .venv-peers; `make test` installs it where it can"


def checks_in(file: str) -> list[str]:
    """The names of the checks in a file beside this one: its functions whose names begin with `check_`."""
    tree = ast.parse((Path(__file__).parent / file).read_text())
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")
    ]


def results(file: str, serving: Serving, **more: str) -> dict[str, str]:
    """What came of every check of a file against a server: empty, or the traceback."""
    if reason := absent():
        pytest.skip(reason)
    settings = {
        "MLFLOW_TRACKING_URI": serving.url,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # what is repeated would hide a failure
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": "ignore",
        "GIT_PYTHON_REFRESH": "quiet",
        **more,
    }
    done = subprocess.run(
        [PYTHON, Path(__file__).parents[1] / "checking.py", Path(__file__).parent / file],
        cwd=serving.folder,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=_WAIT_S,
    )
    marked = [line for line in done.stdout.splitlines() if line.startswith("RESULTS ")]
    assert marked, f"{done.returncode}: {done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    found: dict[str, str] = json.loads(marked[-1].removeprefix("RESULTS "))
    return found


def expect(result: str) -> None:
    """Fail with what a check said; skip where it needs a library that its environment could not be given."""
    if missing := re.search(r"ModuleNotFoundError: (No module named '\w[\w.]*')", result):
        pytest.skip(f"{missing[1]} in .venv-peers")
    assert result == "", result
