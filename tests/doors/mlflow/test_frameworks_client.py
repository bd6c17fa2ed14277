"""Libraries that log to MLflow by themselves, against a running server: each check of `client_frameworks.py`.

What they send is the same whatever engine keeps it, and the client's own tests run on both: here the second is for `make soak`.
"""

from __future__ import annotations

import os

import pytest

from tests.doors.mlflow import peers
from tests.doors.mlflow.asking import Asking
from tests.doors.mlflow.serving_doors import ENGINES
from tests.doors.mlflow.serving_doors import door as door

SOAK = bool(os.environ.get("LINEAL_SOAK"))
pytestmark = pytest.mark.parametrize("door", ENGINES if SOAK else ENGINES[:1], indirect=True, scope="module")

FILE = "client_frameworks.py"


@pytest.fixture(scope="module")
def results(door: Asking) -> dict[str, str]:
    return peers.results(FILE, door.serving)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("check", peers.checks_in(FILE))
def test_the_client_finds_that(results: dict[str, str], check: str) -> None:
    peers.expect(results[check])


@pytest.mark.timeout(400)
def test_the_server_never_failed(results: dict[str, str], door: Asking) -> None:
    assert results
    assert [line for line in door.serving.log.splitlines() if '"status":5' in line] == []
