from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator

import pytest

from lineal.core.errors import Conflict
from lineal.store.migrations import MIGRATIONS
from lineal.store.open import connect, open_store
from lineal.store.schema import get_version, migrate
from lineal.store.tx import Engine


@pytest.fixture
def engine(place: str) -> Iterator[Engine]:
    """A database without tables."""
    opened = connect(place)
    yield opened
    opened.close()


def version(engine: Engine) -> int:
    with engine.read() as tx:
        return get_version(tx)


def test_a_new_store_gets_every_step_and_a_second_opening_none(engine: Engine, place: str) -> None:
    assert version(engine) == 0
    assert migrate(engine) == len(MIGRATIONS)
    assert migrate(engine) == 0
    assert version(engine) == len(MIGRATIONS)
    open_store(place).close()
    assert engine.check() == []


def test_a_step_is_applied_to_what_earlier_ones_left(engine: Engine) -> None:
    first = ("CREATE TABLE thing (id {id}, name {text} NOT NULL)", "INSERT INTO thing (name) VALUES ('kept')")
    second = ("ALTER TABLE thing ADD COLUMN body {bytes}", "UPDATE thing SET name = name || '!'")
    assert migrate(engine, [first]) == 1
    assert migrate(engine, [first, second]) == 1
    with engine.read() as tx:
        assert tx.rows("SELECT id, name, body FROM thing") == [(1, "kept!", None)]


def test_a_step_that_fails_leaves_the_store_as_it_was(engine: Engine) -> None:
    first = ("CREATE TABLE thing (id {id})",)
    broken = ("CREATE TABLE other (id {id})", "INSERT INTO nowhere VALUES (1)")
    with pytest.raises(Exception, match="nowhere"):
        migrate(engine, [first, broken])
    assert version(engine) == 1
    assert migrate(engine, [first, ("CREATE TABLE other (id {id})",)]) == 1


def test_an_older_lineal_refuses_a_newer_store(place: str) -> None:
    store = open_store(place)
    with store.write() as tx:
        tx.run("INSERT INTO lineal_schema (version) VALUES (:v)", v=len(MIGRATIONS) + 6)
    store.close()
    with pytest.raises(Conflict) as caught:
        open_store(place)
    assert caught.value.message == (
        f"this store has schema {len(MIGRATIONS) + 6}, this lineal knows up to {len(MIGRATIONS)}"
    )
    assert "pip install -U lineal" in caught.value.hint


_MIGRATE = """
import sys
from lineal.store.open import connect
from lineal.store.schema import migrate
first = ("CREATE TABLE thing (id {id}, name {text})", "INSERT INTO thing (name) VALUES ('kept')")
count = int(sys.argv[2])
second = (
    "ALTER TABLE thing ADD COLUMN more {text}",
    "UPDATE thing SET name = 'changed'",
    "INSERT INTO thing (name) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
    "SELECT 'row ' || i FROM n" % count,
    "CREATE TABLE late (id {id})",
)
engine = connect(sys.argv[1])
if "at once" not in sys.argv:
    migrate(engine, [first])
print("between", flush=True)
migrate(engine, [first, second])
print("done", flush=True)
"""


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.2, 0.5])
def test_a_migration_killed_half_way_can_be_run_again(engine: Engine, place: str, after_s: float) -> None:
    command = [sys.executable, "-c", textwrap.dedent(_MIGRATE), place]
    with subprocess.Popen([*command, "20000000"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "between\n"
        deadline = time.monotonic() + after_s
        while time.monotonic() < deadline:
            assert child.poll() is None
            time.sleep(0.01)
        child.kill()
        assert child.wait() == -9
    assert version(engine) == 1
    with engine.read() as tx:
        assert tx.rows("SELECT * FROM thing") == [(1, "kept")]
    again = subprocess.run([*command, "10"], capture_output=True, text=True, check=False)
    assert again.stdout == "between\ndone\n", again.stderr
    assert version(engine) == 2
    with engine.read() as tx:
        assert tx.value("SELECT count(*) FROM thing") == 11
        assert tx.value("SELECT name FROM thing WHERE id = 1") == "changed"


def test_two_processes_that_migrate_at_once_apply_each_step_once(engine: Engine, place: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(_MIGRATE), place, "1000", "at once"]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [child.communicate()[0] for child in children] == ["between\ndone\n"] * 3
    with engine.read() as tx:
        assert tx.value("SELECT count(*) FROM thing") == 1001
