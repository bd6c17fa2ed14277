"""The example `examples/trips`: one connected graph from a version of a Delta table to a registered model, through several doors,
in whatever order they speak."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.capture import test_kfp
from tests.connect import peers
from tests.deliver import tables
from tests.doors.openlineage import senders
from tests.e2e.cli import LINEAL, document, environment
from tests.server.serving import Serving

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "trips"
MODEL_OF_DBT = "trips.main.trips.clean"
# What dbt calls by its database, by the place it was seen at. Of two names of one vertex the one that was heard first is shown.
SAME = {"trips.lake.raw": "raw", "trips.main.clean": "clean.parquet"}
# Labels of the vertices on the way, each made from the one before it.
WAY = (
    ("load.py", "raw"),
    ("raw", "dbt-ol"),
    ("dbt-ol", "clean.parquet"),
    ("raw", MODEL_OF_DBT),
    (MODEL_OF_DBT, "clean.parquet"),
    ("clean.parquet", "features.py"),
    ("features.py", "features.parquet"),
    ("features.parquet", "trips.train"),
    ("trips.train", "model"),
)


def packages(python: Path) -> str:
    """Where the packages of another environment lie: no environment here has all that the example needs."""
    [folder] = python.parents[1].glob("lib/python3*/site-packages")
    return str(folder)


def told(folder: Path, *, events_last: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the ancestry of the registered model, all that lies around its data) after everything happened."""
    shutil.copytree(EXAMPLE, folder)
    (folder / ".lineal").mkdir()
    server = Serving(folder).start()

    def run(python: Path, *command: str, **more: str) -> None:
        done = subprocess.run(
            [LINEAL, "run", *command],
            cwd=folder,
            env=environment(**peers.SETTINGS, **more) | {"PATH": f"{python.parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    over_http = {"type": "http", "url": server.url}
    into_files = {"type": "file", "log_file_path": str(folder / "event")}
    transport = json.dumps(into_files if events_last else over_http)
    dbt = senders.ROOT / ".venv-dbt" / "bin" / "python"
    try:
        run(tables.PYTHON, "python", "load.py")
        run(
            dbt, "dbt-ol", "run", "--profiles-dir", ".",
            OPENLINEAGE__TRANSPORT=transport, PYTHONPATH=packages(tables.PYTHON), DO_NOT_TRACK="1",
        )  # fmt: skip
        run(tables.PYTHON, "python", "features.py")
        run(peers.PYTHON, "python", "pipeline.py", PYTHONPATH=packages(test_kfp.PYTHON))
        for event in sorted(folder.glob("event*")):
            request = urllib.request.Request(
                server.url + "/api/v1/lineage", event.read_bytes(), {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(request, timeout=60).close()
        document(folder, "same", "duckdb://trips.duckdb/trips.lake.raw@1", "raw@2")
        document(folder, "same", "duckdb://trips.duckdb/trips.main.clean@1", "clean.parquet@1")
        return document(folder, "trace", "trips@1"), document(folder, "trace", "raw@2", "--down")
    finally:
        server.close()


def label(node: dict[str, Any]) -> str:
    """The last part of a vertex's name."""
    name = str(node["label"].rpartition("/")[2])
    return SAME.get(name, name)


def edges(reply: dict[str, Any]) -> dict[tuple[str, str, str], set[tuple[str, bool]]]:
    """How each edge is known, by its ends: evidence, and whether the message that brought it is named."""
    named = {node["id"]: label(node) for node in reply["nodes"]}
    found: dict[tuple[str, str, str], set[tuple[str, bool]]] = {}
    for edge in reply["edges"]:
        ends = (named[edge["src"]], edge["kind"], named[edge["dst"]])
        found.setdefault(ends, set()).add((edge["evidence"], bool(edge["message"])))
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_the_registered_model_to_the_delta_version_is_one_graph_whoever_speaks_last(
    tmp_path: Path,
) -> None:
    tables.need("deltalake")
    peers.need("mlflow")
    for reason in filter(None, (test_kfp.absent(), senders.absent("dbt"))):
        pytest.skip(reason)
    with ThreadPoolExecutor(2) as pool:
        first, last = pool.map(
            lambda late: told(tmp_path / ("last" if late else "first"), events_last=late), (False, True)
        )
    for up, down in (first, last):
        for reply in (up, down):
            names = [label(node) for node in reply["nodes"] if node["type"] == "version"]
            assert (names.count("clean.parquet"), names.count("raw")) == (1, 1), names
            assert all(message for hows in edges(reply).values() for _, message in hows)
        whole = {(src, dst) for src, _, dst in (*edges(up), *edges(down))}
        assert set(WAY) <= whole, whole
    ours = {
        end for pair in WAY for end in pair
    }  # dbt also writes what it has to say, where it does not send it
    for reply, other in zip(first, last, strict=True):
        both = [
            {ends: how for ends, how in edges(one).items() if {ends[0], ends[2]} <= ours}
            for one in (reply, other)
        ]
        assert both[0] == both[1]
