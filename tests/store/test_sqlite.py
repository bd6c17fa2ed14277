"""What can go wrong with a file: each ends in a sentence, never in an exception of the library."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import apsw
import pytest

from lineal.core.errors import Conflict, Invalid, LinealError, Unavailable
from lineal.store.engine.sqlite import SqliteEngine
from lineal.store.open import open_store
from tests.store.making import add_run


def test_commits_are_synced_to_disk_and_the_log_is_write_ahead(sqlite_path: str) -> None:
    store = open_store(sqlite_path)
    with store.write() as tx:
        assert tx.value("PRAGMA journal_mode") == "wal"
        assert tx.value("PRAGMA synchronous") == 2
        assert tx.value("PRAGMA foreign_keys") == 1
    store.close()


def test_a_url_and_a_path_name_the_same_store(tmp_path: Path) -> None:
    path = tmp_path / "a b%c.db"
    store = open_store(str(path))
    with store.write() as tx:
        add_run(store, tx)
    store.close()
    again = open_store("sqlite://" + str(path).replace("%", "%25").replace(" ", "%20"))
    with again.read() as tx:
        assert again.runs.find_run(tx, f"{1:032x}") is not None
    again.close()


@pytest.mark.parametrize("place", ["mysql://host/db", "sqlite://host/db", "http://x"])
def test_an_address_of_another_kind_is_refused(place: str) -> None:
    with pytest.raises(Invalid):
        open_store(place)


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(sqlite_path: str) -> None:
    Path(sqlite_path).write_bytes(b"garbage " * 1000)
    with pytest.raises(Unavailable, match="is not a Lineal store"):
        open_store(sqlite_path)
    assert Path(sqlite_path).read_bytes() == b"garbage " * 1000


def test_the_database_of_another_program_is_refused_and_left_as_it_is(sqlite_path: str) -> None:
    with apsw.Connection(sqlite_path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = Path(sqlite_path).read_bytes()
    with pytest.raises(Unavailable, match="another program"):
        open_store(sqlite_path)
    assert Path(sqlite_path).read_bytes() == before


def test_a_store_that_is_not_there_is_made_only_when_wanted(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="there is no store"):
        open_store(str(tmp_path / "x.db"), create=False)
    assert not (tmp_path / "x.db").exists()
    with pytest.raises(Unavailable, match="cannot be opened"):
        open_store(str(tmp_path / "no" / "folder" / "x.db"))


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        open_store(str(tmp_path))


def test_a_damaged_page_is_named_by_check_and_by_the_question_that_meets_it(sqlite_path: str) -> None:
    store = open_store(sqlite_path)
    with store.write() as tx:
        for number in range(3000):
            add_run(store, tx, number, name=f"a rather long name of a run {number}" * 3)
        root = tx.value("SELECT rootpage FROM sqlite_schema WHERE name = 'run'")
    assert store.engine.check() == []
    store.close()
    with open(sqlite_path, "r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)
    store = open_store(sqlite_path)
    with store.read() as tx, pytest.raises(Unavailable, match="damaged") as caught:
        tx.rows("SELECT * FROM run")
    assert "fsck" in caught.value.hint
    found = store.engine.check()
    assert found
    assert "damaged" in found[0]
    store.close()


def test_a_file_cut_in_half_is_named_damaged(sqlite_path: str) -> None:
    store = open_store(sqlite_path)
    store.close()
    os.truncate(sqlite_path, os.path.getsize(sqlite_path) // 2)
    with pytest.raises(LinealError, match="damaged"):
        _use(sqlite_path)


def test_a_full_disk_is_a_sentence_and_what_was_there_stays(sqlite_path: str) -> None:
    store = open_store(sqlite_path)
    with store.write() as tx:
        add_run(store, tx, 1)
        pages = tx.value("PRAGMA page_count")
    writer = store.engine._writer  # type: ignore[attr-defined]
    writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable, match="no space is left"), store.write() as tx:
        tx.run("INSERT INTO leaf (sequence, entry, body, hash) VALUES (1, zeroblob(10000000), x'', x'')")
    writer.execute("PRAGMA max_page_count = 1000000")
    with store.write() as tx:
        add_run(store, tx, 2)
        assert tx.value("SELECT count(*) FROM run") == 2
    store.close()


def test_a_second_writer_waits_and_then_says_that_the_store_is_locked(sqlite_path: str) -> None:
    first, second = open_store(sqlite_path), open_store(sqlite_path, timeout_s=0.05)
    with first.write() as tx:
        add_run(first, tx)
        with pytest.raises(Unavailable, match="is locked"), second.write():
            pass
        with second.read() as other:  # reading goes on
            assert other.value("SELECT count(*) FROM run") == 0
    with second.write() as tx:
        assert tx.value("SELECT count(*) FROM run") == 1
    first.close()
    second.close()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_is_a_sentence(sqlite_path: str) -> None:
    open_store(sqlite_path).close()
    os.chmod(sqlite_path, 0o400)
    with pytest.raises(Unavailable, match="may not be written"):
        _use(sqlite_path)


def test_a_read_only_transaction_of_sqlite_is_named(sqlite_path: str) -> None:
    store = open_store(sqlite_path)
    with store.write() as tx:
        tx.run("PRAGMA query_only = 1")
        with pytest.raises(LinealError, match="may not be written"):
            with store.engine.write():
                pass
    store.close()


def test_a_forked_child_uses_connections_of_its_own(sqlite_path: str) -> None:
    program = """
        import os, sys
        from lineal.store.open import open_store
        from tests.store.making import add_run
        store = open_store(sys.argv[1])
        with store.write() as tx:
            add_run(store, tx, 1)
        if child := os.fork():
            assert os.waitpid(child, 0)[1] == 0
            with store.write() as tx:
                add_run(store, tx, 3)
            with store.read() as tx:
                print(tx.value("SELECT count(*) FROM run"))
        else:
            before = store.engine._writer
            with store.write() as tx:
                add_run(store, tx, 2)
            assert store.engine._writer is not before
            store.close()
            os._exit(0)
        """
    done = _run(program, sqlite_path)
    assert done.stdout.strip() == "3", done.stderr


@pytest.mark.parametrize("moment", range(5))
def test_what_was_acknowledged_survives_a_sigkill_at_any_moment(sqlite_path: str, moment: int) -> None:
    program = """
        import os, sys
        from lineal.store.open import open_store
        from tests.store.making import add_points, add_run
        store = open_store(sys.argv[1])
        for number in range(100_000):
            with store.write() as tx:
                node = add_run(store, tx, number)
                add_points(store, tx, node, "loss", [(i, i, 1.0) for i in range(50)])
                store.audit.add_leaf(tx, door="d", actor="", action="", digest="", body=b"", at=number)
            os.write(1, b"%d\\n" % number)
        """
    acknowledged = -1
    with _start(program, sqlite_path) as child:
        assert child.stdout is not None
        for _ in range(3 + 17 * moment):
            acknowledged = int(child.stdout.readline())
        child.kill()
        rest = child.stdout.read().split()
    acknowledged = int(rest[-1]) if rest else acknowledged
    store = open_store(sqlite_path)
    assert store.engine.check() == []
    with store.read() as tx:
        runs = tx.value("SELECT count(*) FROM run")
        assert acknowledged + 1 <= runs <= acknowledged + 2
        assert tx.value("SELECT sum(count) FROM metric") == 50 * runs
        assert store.audit.get_head(tx)[0] == runs
        assert store.audit.verify(tx) == []
    store.close()


def test_an_engine_that_was_closed_opens_again_when_used(sqlite_path: str) -> None:
    store = open_store(sqlite_path)
    store.close()
    store.close()
    with store.write() as tx:
        add_run(store, tx)
    with store.read() as tx:
        assert tx.value("SELECT count(*) FROM run") == 1
    store.close()


def test_a_library_too_old_to_be_trusted_is_refused(
    sqlite_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.50.4")
    with pytest.raises(Unavailable, match=re.escape("3.51.3")):
        SqliteEngine(sqlite_path)


def test_two_threads_each_with_a_store_of_their_own_lose_nothing(sqlite_path: str) -> None:
    open_store(sqlite_path).close()
    failed: list[BaseException] = []

    def work(base: int) -> None:
        try:
            store = open_store(sqlite_path)
            for number in range(40):
                with store.write() as tx:
                    add_run(store, tx, base + number)
                    store.audit.add_leaf(tx, door="d", actor="", action="", digest="", body=b"", at=1)
            store.close()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(base,)) for base in (0, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    store = open_store(sqlite_path)
    with store.read() as tx:
        assert tx.value("SELECT count(*) FROM run") == 80
        assert store.audit.verify(tx) == []
    store.close()


def test_opening_does_not_load_what_only_some_commands_need(sqlite_path: str) -> None:
    program = """
        import sys
        from lineal.store.open import open_store
        from lineal.store.blobs import Blobs
        from tests.store.making import add_points, add_run
        store = open_store(sys.argv[1])
        with store.write() as tx:
            add_points(store, tx, add_run(store, tx), "loss", [(1, 1, 1.0)])
        print(sorted({"numpy", "zstandard", "obstore", "psycopg"} & set(sys.modules)))
        """
    assert _run(program, sqlite_path).stdout.strip() == "[]"


def test_a_contradiction_is_a_conflict(sqlite_path: str) -> None:
    store = open_store(sqlite_path)
    with pytest.raises(Conflict, match="contradiction"), store.write() as tx:
        tx.run("INSERT INTO lineal_schema (version) VALUES (1)")
    store.close()


def _use(path: str) -> None:
    store = open_store(path)
    try:
        with store.write() as tx:
            add_run(store, tx)
            tx.rows("SELECT * FROM leaf")
    finally:
        store.close()


def _command(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(program), *arguments]


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(program, *arguments), capture_output=True, text=True, check=False)


def _start(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(_command(program, *arguments), stdout=subprocess.PIPE, text=True)
