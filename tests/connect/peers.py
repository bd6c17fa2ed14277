"""Runs programs in the environment of the other systems' real packages, and reads what they print."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cli import environment

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-peers" / "bin" / "python"
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "PYTHONWARNINGS": "ignore",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@functools.cache
def absent(package: str) -> bool:
    """Whether the package cannot be imported there."""
    command = [PYTHON, "-c", f"import importlib.util as u, sys; sys.exit(u.find_spec({package!r}) is None)"]
    return not PYTHON.exists() or subprocess.run(command).returncode != 0


def need(package: str) -> None:
    """Skip the test where the package is not."""
    if absent(package):
        pytest.skip(f"could not import '{package}' in .venv-peers; `make test` installs it where it can")


def ran(folder: Path, program: str, *words: str, **more: str) -> str:
    """What a program beside this file printed. It runs from a copy outside any checkout, which MLflow would tag its runs with."""
    copied = shutil.copy(Path(__file__).parent / program, folder)
    done = subprocess.run(
        [PYTHON, copied, *words],
        cwd=folder,
        env=environment(**SETTINGS, **more),
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def made(folder: Path, uri: str) -> dict[str, str]:
    """Fill a store of MLflow at that address; the ids of what is in it."""
    folder.mkdir(exist_ok=True)
    ids: dict[str, str] = json.loads(ran(folder, "make_mlflow.py", uri, str(folder)).splitlines()[-1])
    return ids


def told(folder: Path, uri: str) -> Any:
    """All that MLflow's client sees at an address."""
    lines = [line for line in ran(folder, "tell_mlflow.py", uri).splitlines() if line.startswith("TOLD ")]
    return json.loads(lines[-1].removeprefix("TOLD "))
