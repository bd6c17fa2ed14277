"""The unmodified ml_metadata client against a running server: each check is a test, on both engines."""

from __future__ import annotations

import pytest

from tests.doors.mlmd import clients
from tests.doors.mlmd.conftest import Door

FILES = ("client_rows.py", "client_walks.py")


@pytest.fixture(scope="module")
def results(door: Door) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in FILES:
        found |= clients.results(file, door.serving, door.port)
    return found


@pytest.mark.timeout(400)
@pytest.mark.parametrize("check", [name for file in FILES for name in clients.checks_in(file)])
def test_the_client_finds_that(results: dict[str, str], check: str) -> None:
    assert results[check] == "", results[check]


def test_the_server_never_failed(results: dict[str, str], door: Door) -> None:
    assert results
    assert [line for line in door.serving.log.splitlines() if '"level":"error"' in line] == []
