"""A store that ML Metadata's own engine made comes in whole: from its file and through its server, broken off and repeated."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doors.mlmd import clients
from tests.e2e.cli import LINEAL, environment
from tests.server.serving import Serving, begun

HERE = Path(__file__).parent
STEPS = 30


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store with some steps."""
    file = tmp_path_factory.mktemp("theirs") / "metadata.db"
    script("make", str(file), str(STEPS))
    return file


def script(*words: str, port: int = 0) -> str:
    if reason := clients.absent():
        pytest.skip(reason)
    done = subprocess.run(
        [clients.PYTHON, HERE / "client_store.py", *words],
        env=environment(MLMD_PORT=str(port)), capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def imported(folder: Path, place: str, code: int = 0) -> dict[str, Any]:
    done = subprocess.run(
        [LINEAL, "import", "mlmd", place, "--json"],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A project, and the port at which its record is served once something was imported."""
    folder, port = begun(tmp_path / "here"), clients.free_port()
    return folder, port


def equal(file: Path, folder: Path, port: int) -> None:
    """What a client reads here is what it reads there, numbers and times too."""
    serving = Serving(folder, "--mlmd-port", str(port)).start()
    try:
        assert "EQUAL" in script("compare", str(file), port=port)
    finally:
        serving.close()


@pytest.mark.timeout(300)
def test_a_file_comes_in_as_it_is_and_a_repeat_adds_nothing(made: Path, served: tuple[Path, int]) -> None:
    folder, port = served
    first = imported(folder, str(made))
    assert first["left"] == []
    assert (first["known"], first["renumbered"]) == (9, 0), "the types that every store begins with"
    again = imported(folder, str(made))
    assert (again["new"], again["changed"], again["known"]) == (0, 0, first["new"] + 9)
    equal(made, folder, port)
    shown = subprocess.run(
        [LINEAL, "trace", f"mlmd:{STEPS}"], cwd=folder, env=environment(), capture_output=True, text=True
    )
    assert "all.system.ContainerExecution" in shown.stdout or "run1" in shown.stdout, (
        shown.stdout + shown.stderr
    )


@pytest.mark.timeout(300)
def test_what_changed_there_since_changes_here(made: Path, served: tuple[Path, int], tmp_path: Path) -> None:
    folder, port = served
    copy = tmp_path / "copy.db"
    copy.write_bytes(made.read_bytes())
    imported(folder, str(copy))
    script("change", str(copy))
    assert imported(folder, str(copy))["changed"] == 1
    equal(copy, folder, port)


@pytest.mark.timeout(300)
def test_a_server_is_read_like_a_file(made: Path, served: tuple[Path, int], tmp_path: Path) -> None:
    folder, port = served
    theirs = clients.free_port()
    peer = Path(__file__).resolve().parents[3] / "bench" / "mlmd_peer.py"
    copy = tmp_path / "copy.db"
    copy.write_bytes(made.read_bytes())
    with subprocess.Popen(
        [clients.PYTHON, peer, str(copy), str(theirs)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        assert server.stdout is not None
        server.stdout.readline()
        try:
            assert imported(folder, f"127.0.0.1:{theirs}")["left"] == []
            assert imported(folder, f"grpc://127.0.0.1:{theirs}")["new"] == 0
        finally:
            server.terminate()
    equal(made, folder, port)


@pytest.mark.timeout(300)
def test_an_import_that_was_killed_goes_on_where_it_stopped(served: tuple[Path, int], tmp_path: Path) -> None:
    folder, port = served
    file = tmp_path / "large.db"
    script("make", str(file), "5")
    with sqlite3.connect(file) as database:  # enough of them for several parts
        database.executemany(
            "INSERT INTO Artifact (id, type_id, name, uri, create_time_since_epoch, last_update_time_since_epoch) "
            "SELECT ?, type_id, ?, ?, 5, 6 FROM Artifact WHERE id = 1",
            ((n, f"more{n}", f"s3://b/more/{n}") for n in range(100, 8100)),
        )
    with subprocess.Popen([LINEAL, "import", "mlmd", str(file)], cwd=folder, env=environment()) as process:
        database_here = folder / ".lineal" / "lineal.db"
        for _ in range(600):
            time.sleep(0.05)
            if database_here.exists() and 2000 <= _count(database_here) < 7000:
                break
        os.kill(process.pid, signal.SIGKILL)
    before = _count(database_here)
    assert 0 < before < 8000
    rest = imported(folder, str(file))
    assert rest["known"] >= before - 10
    equal(file, folder, port)


def _count(file: Path) -> int:
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
            return int(database.execute("SELECT count(*) FROM mlmd_node WHERE kind = 1").fetchone()[0])
    except sqlite3.Error:
        return 0


def test_numbers_that_are_somebody_elses_here_are_given_anew(
    made: Path, served: tuple[Path, int], tmp_path: Path
) -> None:
    folder, _ = served
    other = tmp_path / "other.db"
    script("make", str(other), "3")
    with sqlite3.connect(other) as database:
        database.execute("UPDATE Artifact SET name = name || '-other', external_id = NULL")
        database.execute("UPDATE Execution SET name = name || '-other'")
        database.execute("UPDATE Context SET name = name || '-other', external_id = NULL")
    imported(folder, str(made))
    took = imported(folder, str(other))
    assert took["renumbered"] == 3 + 4 + 4
    assert took["left"] == []


def test_what_is_no_store_is_refused_in_words(served: tuple[Path, int], tmp_path: Path) -> None:
    folder, _ = served
    empty, text = tmp_path / "empty.db", tmp_path / "text.db"
    sqlite3.connect(empty).close()
    text.write_text("this is no database, whatever its name says" * 100)
    for place in (str(empty), str(text), str(tmp_path / "nobody.db"), "127.0.0.1:1"):
        done = subprocess.run(
            [LINEAL, "import", "mlmd", place], cwd=folder, env=environment(), capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode not in {0, 1} or "lineal:" in done.stderr, (place, done)
        assert "Traceback" not in done.stderr, done.stderr


def test_a_store_with_holes_comes_in_as_far_as_it_goes(
    made: Path, served: tuple[Path, int], tmp_path: Path
) -> None:
    folder, _ = served
    broken = tmp_path / "broken.db"
    broken.write_bytes(made.read_bytes())
    with sqlite3.connect(broken) as database:
        database.execute("DELETE FROM Artifact WHERE id = 3")
        database.execute(
            "UPDATE ArtifactProperty SET string_value = 'mlmd-struct::???' WHERE artifact_id = 5 AND name = 'st'"
        )
        database.execute("UPDATE Event SET type = 99 WHERE id = 1")
    took = imported(folder, str(broken), code=1)
    left = "\n".join(took["left"])
    assert "artifact 3" in left or "of 3" in left
    assert "a struct that cannot be read" in left
    assert "99 is no type of event" in left
    assert took["new"] > 80
