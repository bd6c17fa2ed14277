"""Programs that read and write versioned data with the real tools, run in the environment that has them (`.venv-tables`)."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

import pytest

PYTHON = Path(__file__).resolve().parents[2] / ".venv-tables" / "bin" / "python"

# Arrow's threads (and obstore's) close what they read through Python; where the interpreter ends meanwhile, the process is aborted, with or
# without Lineal: 18 of 85 plain programs that end right after `DeltaTable.to_pandas()` were, and 0 of 25 that waited.
AT_REST = "\nimport time; time.sleep(0.3)\n"


@functools.cache
def _has(package: str) -> bool:
    command = [PYTHON, "-c", f"import importlib.util as u, sys; sys.exit(u.find_spec({package!r}) is None)"]
    return PYTHON.exists() and subprocess.run(command).returncode == 0


def need(*packages: str) -> None:
    """Skip where a tool is not installed, so that it is named among the skipped peers."""
    for package in packages:
        if not _has(package):
            pytest.skip(f"could not import '{package}' in .venv-tables; `make test` installs it where it can")


def made(folder: Path, text: str) -> str:
    """What a program that nobody records printed."""
    done = subprocess.run(
        [PYTHON, "-c", text], cwd=folder, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def dvc(folder: Path, *words: str) -> str:
    """What `dvc words...` printed."""
    done = subprocess.run(
        [PYTHON.parent / "dvc", *words], cwd=folder, capture_output=True, text=True, timeout=110, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "DVC_NO_ANALYTICS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
