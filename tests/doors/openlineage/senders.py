"""Real programs that send OpenLineage events, each in an environment of its own (`.venv-dbt`, `.venv-airflow`)."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cli import environment
from tests.server.serving import Serving

ROOT = Path(__file__).resolve().parents[3]
_PROVES = {
    "dbt": "import dbt.adapters.duckdb, openlineage.dbt",
    "pachyderm": "import pachyderm_sdk",
    "airflow": "import importlib.metadata as m; m.version('apache-airflow-providers-openlineage')",
}


@functools.cache
def absent(name: str) -> str:
    """Why a program is not there; empty when it is."""
    python = ROOT / f".venv-{name}" / "bin" / "python"
    found = (
        python.exists() and subprocess.run([python, "-c", _PROVES[name]], capture_output=True).returncode == 0
    )
    return "" if found else f"could not import '{name}' in .venv-{name}; `make test` installs it where it can"


def transport(*servings: Serving) -> dict[str, Any]:
    """Settings of a transport that sends every event to each of the servers."""
    each = {f"to_{n}": {"type": "http", "url": serving.url} for n, serving in enumerate(servings)}
    return {"type": "composite", "transports": each, "continue_on_failure": False}


def run(name: str, command: list[str], folder: Path, **settings: str) -> str:
    """Run a program of an environment, or skip the test where it is not there; what it printed."""
    if reason := absent(name):
        pytest.skip(reason)
    binaries = ROOT / f".venv-{name}" / "bin"
    given = environment(**settings)
    given["PATH"] = f"{binaries}{os.pathsep}{given['PATH']}"
    done = subprocess.run(
        [str(binaries / command[0]), *command[1:]],
        cwd=folder,
        env=given,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done.stdout + done.stderr


def dumps(value: Any) -> str:
    return json.dumps(value)
