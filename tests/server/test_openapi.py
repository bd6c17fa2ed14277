"""The OpenAPI document against a live server: what it allows and what it forbids, made up by schemathesis."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.core import events as ev
from tests.server.making import API, client, ingest, started
from tests.server.serving import Serving, begun

SOAK = bool(os.environ.get("LINEAL_SOAK"))
TOLD = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.fixture
def stocked(tmp_path: Path) -> Iterator[Serving]:
    server = Serving(begun(tmp_path)).start()
    run = f"{1:032x}"
    data = ev.VersionState(namespace="shop", name="a.csv", digest="sha256:" + "0" * 64, size=70)
    with client(server) as remote:
        remote.call("ingest", ingest(started(1), ev.VersionGenerated(run=run, version=data, at=5)))
    yield server
    server.close()


@pytest.mark.timeout(900)
def test_every_answer_is_one_that_the_document_tells_of_and_none_is_a_failure(
    stocked: Serving, tmp_path: Path
) -> None:
    command = [
        Path(sys.executable).parent / "st",
        "run",
        f"{stocked.url}{API}/openapi.json",
        *("--checks", TOLD),
        *("--phases", "examples,coverage,fuzzing"),
        *("--max-examples", "60" if SOAK else "2"),
        *([] if SOAK else ["--generation-deterministic"]),
        *("--continue-on-failure", "--no-color", "--warnings", "off"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    tested = re.search(r"Tested: (\d+)", done.stdout)
    assert tested is not None
    assert int(tested[1]) >= 59
    assert re.search(r"([1-9]\d\d+) generated", done.stdout), done.stdout[-2000:]
    assert stocked.get(f"{API}/fsck").json["problems"] == []
