"""Importing from trackio and from offline runs of Weights & Biases, on files made by the real packages."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from lineal.store.open import open_store
from tests.connect import peers
from tests.e2e.cli import document, lineal
from tests.server.serving import begun

PARAMS = {
    "lr": "0.1",
    "name": "a b",
    "optimizer.kind": "adam",
    "optimizer.betas": "[0.9,0.99]",
}
POINTS = {
    "loss": [(0, 1.0), (1, 0.1 + 0.2), (2, 1e-300)],
    "count": [(0, -5.0), (1, 7.0), (2, float(2**40))],
    "odd": [(0, math.nan), (1, math.inf), (2, -math.inf)],
}


def _made(package: str, factory: pytest.TempPathFactory) -> Path:
    peers.need(package)
    folder = factory.mktemp(package)
    peers.ran(folder, "make_others.py", package, str(folder))
    return folder


@pytest.fixture(scope="module")
def trackio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _made("trackio", tmp_path_factory)


@pytest.fixture(scope="module")
def wandb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _made("wandb", tmp_path_factory)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    return begun(folder)


def counts(reply: Any) -> dict[str, tuple[int, int, int]]:
    return {
        kind["kind"]: (kind["found"], kind["taken"], kind["left"])
        for kind in reply["kinds"]
        if kind["found"] or kind["taken"]
    }


def points(project: Path, run_id: str) -> dict[str, list[tuple[int, float]]]:
    store = open_store(str(project / ".lineal" / "lineal.db"))
    try:
        with store.read() as tx:
            node = store.runs.find_run(tx, run_id)
            assert node is not None
            found = {}
            for key in POINTS:
                step, _, value = store.metrics.get_points(tx, node, key)
                found[key] = list(zip(step.tolist(), value.tolist(), strict=True))
            return found
    finally:
        store.close()


def test_a_run_of_trackio_comes_with_every_number(trackio: Path, project: Path) -> None:
    found = counts(document(project, "import", "trackio", str(trackio)))
    assert found.pop("other values") == (1, 0, 1)
    assert all(there == here for there, here, _ in found.values())
    assert found["metric points"] == (9, 9, 0)
    (run,) = document(project, "runs")
    assert (run["name"], run["state"], run["groups"]) == ("first", "finished", ["churn"])
    assert run["params"] == PARAMS
    assert repr(points(project, run["run_id"])) == repr(POINTS)


def test_an_offline_run_of_wandb_comes_with_every_number(wandb: Path, project: Path) -> None:
    found = counts(document(project, "import", "wandb-offline", str(wandb)))
    assert found["metric points"] == (2009, 2009, 0)
    assert found["other values"] == (1, 0, 1)
    assert found["params"][0] == found["params"][1] == len(PARAMS)
    assert found["tags"][0] == found["tags"][1]
    (run,) = document(project, "runs")
    assert (run["name"], run["state"], run["groups"]) == ("first", "finished", ["churn"])
    assert run["params"] == PARAMS
    assert run["tags"]["wandb.run"] == "abc123"
    assert run["tags"]["wandb.tag.best"] == "true"
    assert run["tags"]["wandb.summary.best"] == "0.5"
    assert repr(points(project, run["run_id"])) == repr(POINTS)


@pytest.mark.parametrize("package", ["trackio", "wandb"])
def test_a_second_import_adds_nothing(package: str, request: pytest.FixtureRequest, project: Path) -> None:
    folder = request.getfixturevalue(package)
    command = "trackio" if package == "trackio" else "wandb-offline"
    first = document(project, "import", command, str(folder))
    again = document(project, "import", command, str(folder))
    assert (first["known"], again["known"]) == (0, 1)
    assert counts(first) == counts(again)
    assert len(document(project, "runs")) == 1


def _end_of_a_record(log: bytes, after: int) -> int:
    """Where the first record behind a place ends: 7 bytes of head (checksum, length, kind) and its body, in blocks of 32 KiB."""
    at = 7
    while at < after:
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
        at += 7 + int.from_bytes(log[at + 4 : at + 6], "little")
    return at


def test_a_log_that_was_cut_is_taken_up_to_there_and_named(
    wandb: Path, project: Path, tmp_path: Path
) -> None:
    (whole,) = (wandb / "wandb").glob("offline-run-*/*.wandb")
    cut = tmp_path / "run-abc123.wandb"
    shutil.copy(whole, cut)
    size = _end_of_a_record(whole.read_bytes(), 50_000) + 3  # in the middle of what the next one begins with
    with cut.open("r+b") as file:
        file.truncate(size)
    done = lineal(project, "import", "wandb-offline", str(cut))
    assert done.returncode == 1
    assert "a record is cut or damaged" in done.stdout
    (run,) = document(project, "runs")
    assert run["state"] == "killed"
    assert repr(points(project, run["run_id"])) == repr(POINTS)


@pytest.mark.parametrize("command", ["trackio", "wandb-offline"])
def test_a_folder_with_nothing_of_the_kind_is_refused_in_words(command: str, project: Path) -> None:
    done = lineal(project, "import", command, ".")
    assert done.returncode == 2
    assert "are wanted" in done.stderr
