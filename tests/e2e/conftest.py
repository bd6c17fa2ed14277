"""Projects that the tests of the command line look at and change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e import cli

CLEAN = """
rows = open("raw.csv").read().splitlines()
with open("clean.csv", "w") as file:
    file.write("\\n".join(row for row in rows if not row.endswith(",")) + "\\n")
"""
TRAIN = """
import json, sys
rows = open("clean.csv").read().splitlines()
with open("model.json", "w") as file:
    json.dump({"rows": len(rows), "rate": sys.argv[1:]}, file)
"""


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's story, to be read only."""
    folder = tmp_path_factory.mktemp("told")
    cli.said(folder, "demo")
    return folder / "lineal-demo"


@pytest.fixture
def story(told: Path, tmp_path: Path) -> Path:
    """A copy of the demo's story that a test may change."""
    return Path(shutil.copytree(told, tmp_path / "story"))


@pytest.fixture(scope="session")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded") / "shop"
    folder.mkdir()
    (folder / "raw.csv").write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(50)) + "51,\n")
    (folder / "clean.py").write_text(CLEAN)
    (folder / "train.py").write_text(TRAIN)
    assert cli.lineal(folder, "init").returncode == 0
    for words in (
        ["python", "clean.py"],
        ["--name", "second", "--tag", "team=risk", "python", "train.py", "0.1"],
    ):
        done = cli.lineal(folder, "run", *words)
        assert done.returncode == 0, done
    return folder


@pytest.fixture
def recorded(recorded_once: Path, tmp_path: Path) -> Path:
    """A project in which two real programs were recorded."""
    return Path(shutil.copytree(recorded_once, tmp_path / "shop"))
