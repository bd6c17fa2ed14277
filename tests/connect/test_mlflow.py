"""Importing from MLflow, on databases, folders and a server made by the real package."""

from __future__ import annotations

import hashlib
import shutil
import socket
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.connect import peers
from tests.e2e.cli import document, environment, lineal, said
from tests.server.serving import Serving, begun

KINDS = {
    "experiments": 2,
    "runs": 4,
    "params": 4,
    "tags": 18,
    "metric points": 957,
    "dataset inputs": 1,
    "logged models": 1,
    "model inputs and outputs": 1,
    "registered models": 1,
    "model versions": 2,
    "aliases": 1,
    "files": 6,
}


class Origin:
    """A store of MLflow with something in it."""

    def __init__(self, folder: Path, uri: str) -> None:
        self.folder, self.uri = folder, uri
        self.ids = peers.made(folder, uri)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    peers.need("mlflow")
    folder = tmp_path_factory.mktemp("database")
    return Origin(folder, f"sqlite:///{folder}/mlflow.db")


@pytest.fixture(scope="module")
def runs_folder(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    peers.need("mlflow")
    folder = tmp_path_factory.mktemp("files")
    return Origin(folder, f"{folder}/mlruns")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    peers.need("mlflow")
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [peers.PYTHON, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    places = [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        f"{folder}/artifacts",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, *places], cwd=folder, env=environment(**peers.SETTINGS), stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    _wait_for(f"{url}/health", process)
    yield Origin(folder, url)
    process.terminate()
    process.wait(30)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server did not start")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    return begun(folder)


def imported(project: Path, *words: str) -> Any:
    return document(project, "import", "mlflow", *words)


def taken(reply: Any) -> dict[str, int]:
    assert [kind for kind in reply["kinds"] if kind["found"] != kind["taken"] or kind["left"]] == []
    return {kind["kind"]: kind["taken"] for kind in reply["kinds"]}


def seen_through_the_door(project: Path, source: Origin, source_uri: str) -> tuple[Any, Any]:
    """What MLflow's own client sees at Lineal, and at the source."""
    serving = Serving(project).start()
    try:
        return peers.told(source.folder, serving.url), peers.told(source.folder, source_uri)
    finally:
        serving.close()


def without_infinities(told: Any) -> Any:
    """MLflow's database keeps the greatest number for an infinity, Lineal gives the infinity back."""
    for run in told["runs"].values():
        for key, points in run["history"].items():
            run["history"][key] = sorted(
                [at, step, value.replace("1.7976931348623157e+308", "inf")] for at, step, value in points
            )
        run["latest"] = {k: v.replace("1.7976931348623157e+308", "inf") for k, v in run["latest"].items()}
    return told


def test_a_database_is_taken_whole(database: Origin, project: Path) -> None:
    assert taken(imported(project, database.uri, "--bytes")) == KINDS


def test_a_folder_of_runs_is_taken_whole(runs_folder: Origin, project: Path) -> None:
    assert taken(imported(project, runs_folder.uri, "--bytes")) == KINDS


@pytest.mark.slow
def test_a_server_is_taken_whole_and_its_known_runs_are_not_read_again(server: Origin, project: Path) -> None:
    assert taken(imported(project, server.uri, "--bytes")) == KINDS
    again = imported(project, server.uri, "--bytes")
    assert taken(again) == KINDS
    assert again["known"] == 4


def test_an_imported_store_looks_to_mlflows_client_as_it_did(database: Origin, project: Path) -> None:
    imported(project, database.uri, "--bytes")
    here, there = seen_through_the_door(project, database, database.uri)
    there = without_infinities(there)
    for kind in there:
        assert here[kind] == there[kind], kind


def test_numbers_that_are_none_come_exactly(runs_folder: Origin, project: Path) -> None:
    imported(project, runs_folder.uri)
    here, there = seen_through_the_door(project, runs_folder, runs_folder.uri)
    odd = here["runs"][runs_folder.ids["parent"]]["history"]["odd"]
    assert odd == there["runs"][runs_folder.ids["parent"]]["history"]["odd"]
    assert sorted(value for _, _, value in odd) == ["-0.30000000000000004", "-inf", "inf", "nan"]


def test_a_second_import_adds_nothing(database: Origin, project: Path) -> None:
    first = imported(project, database.uri, "--bytes")
    before = document(project, "fsck")["checked"]
    again = imported(project, database.uri, "--bytes")
    after = document(project, "fsck")["checked"]
    assert (first["known"], again["known"]) == (0, 4)
    assert taken(again) == KINDS
    assert {k: v for k, v in after.items() if k != "audit leaves"} == {
        k: v for k, v in before.items() if k != "audit leaves"
    }


def test_an_import_goes_on_where_it_was_broken_off(database: Origin, project: Path, tmp_path: Path) -> None:
    part = tmp_path / "part.db"
    shutil.copy(database.uri.removeprefix("sqlite:///"), part)
    with sqlite3.connect(part) as connection:
        connection.execute("DELETE FROM metrics WHERE run_uuid = ? AND step > 400", (database.ids["parent"],))
        connection.execute("DELETE FROM runs WHERE run_uuid = ?", (database.ids["child"],))
    connection.close()
    lineal(project, "import", "mlflow", f"sqlite:///{part}")
    whole = imported(project, database.uri, "--bytes")
    assert taken(whole) == KINDS


def test_files_are_taken_later_too(database: Origin, project: Path) -> None:
    assert "files" not in taken(imported(project, database.uri))
    assert taken(imported(project, database.uri, "--bytes")) == KINDS
    here = document(project, "show", "churn-model@champion")
    assert "sha256:" in str(here)


def test_what_was_imported_is_found_in_the_lineage(database: Origin, project: Path) -> None:
    imported(project, database.uri, "--bytes")
    assert "run:" + database.ids["fit"][:12] in said(project, "trace", "churn-model@champion")
    assert database.ids["parent"][:12] in said(project, "runs")
    assert database.ids["broken"][:12] not in said(project, "runs")  # deleted there
    edges = document(project, "trace", "churn-model@champion")["edges"]
    assert {edge["evidence"] for edge in edges} == {"imported"}


def test_a_name_that_is_taken_here_keeps_its_own_versions(database: Origin, project: Path) -> None:
    (project / "model.txt").write_text("weights")
    said(project, "run", "python3", "-c", "open('model.txt','w').write('other weights')")
    said(project, "register", "model.txt", "churn-model")
    imported(project, database.uri)
    assert "churn-model@3" in said(project, "show", "churn-model@champion")
    assert "model.txt" in said(project, "show", "churn-model@1")


def test_a_folder_outside_the_run_is_never_read(database: Origin, project: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.db"
    shutil.copy(database.uri.removeprefix("sqlite:///"), hostile)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("do not take")
    with sqlite3.connect(hostile) as connection:
        connection.execute("UPDATE runs SET artifact_uri = ?", (str(secret),))
    connection.close()
    done = lineal(project, "import", "mlflow", f"sqlite:///{hostile}", "--bytes")
    assert done.returncode == 1
    assert "is not the folder of this run" in done.stdout
    assert not list((project / ".lineal").rglob("*" + hashlib.sha256(b"do not take").hexdigest()[2:]))


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nowhere", "neither an address of MLflow nor a folder"),
        ("sqlite:///missing.db", "there is no file"),
        (".", "holds no experiments"),
        ("http://127.0.0.1:9", "does not answer"),
    ],
)
def test_what_is_no_store_of_mlflow_is_refused_in_words(project: Path, place: str, told: str) -> None:
    done = lineal(project, "import", "mlflow", place)
    assert done.returncode in (2, 4)
    assert told in done.stderr
    assert "Traceback" not in done.stderr
