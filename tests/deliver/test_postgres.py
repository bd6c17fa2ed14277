"""The same record, kept in PostgreSQL: two projects' programs write to one store at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.store import postgres_server

from .conftest import LINEAL, Workshop

pytestmark = pytest.mark.postgres


@pytest.fixture
def shared(workshop: Workshop) -> Iterator[Workshop]:
    if reason := postgres_server.absent():
        pytest.skip(f"PostgreSQL is not installed: {reason}")
    url = postgres_server.server().schema()
    workshop.lineal("init", "--store", url)
    yield workshop
    postgres_server.server().drop(url)


def test_a_pipeline_recorded_into_postgresql_is_one_story(shared: Workshop) -> None:
    shared.script("one.py", "open('a.txt', 'w').write('made by one ' * 9)\n")
    shared.script("two.py", "open('b.txt', 'w').write(open('a.txt').read() * 2)\n")
    for name in ("one.py", "two.py"):
        shared.run(sys.executable, name)
    assert not (shared.root / ".lineal" / "lineal.db").exists()
    told = shared.lineal("trace", "b.txt").stdout
    assert "two.py" in told
    assert "one.py" in told
    registered = shared.lineal("register", "b.txt", "result", "--json").stdout
    assert '"number": 1' in registered
    assert "result@1" in shared.lineal("show", "result").stdout
    assert shared.lineal("fsck").returncode == 0


def test_programs_at_the_same_time_write_to_one_server(shared: Workshop) -> None:
    shared.script("step.py", "import sys\nopen(sys.argv[1], 'w').write(sys.argv[1] * 99)\n")
    running = [
        subprocess.Popen(
            [*LINEAL, "run", sys.executable, "step.py", f"out{n}.txt"],
            cwd=shared.root,
            env=shared.environment,
        )
        for n in range(6)
    ]
    assert [child.wait(timeout=120) for child in running] == [0] * 6
    shared.lineal("sync")
    runs = shared.lineal("runs", "--json").stdout
    assert runs.count('"state": "finished"') == 6
