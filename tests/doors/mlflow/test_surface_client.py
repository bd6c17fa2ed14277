"""Every operation of MLflow that is served, against a running server: each check of `client_surface.py`, on both engines."""

from __future__ import annotations

import pytest

from tests.doors.mlflow import peers
from tests.doors.mlflow.asking import Asking
from tests.doors.mlflow.serving_doors import door as door

FILE = "client_surface.py"


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
