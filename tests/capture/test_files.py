"""What is recorded of the files a program opens, changes, renames and removes."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from lineal.journal.read import Record
from tests.capture.injected import MODIFY, READ, READ_WRITE, REMOVED, WRITE, run


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_every_python_way_of_reading_is_seen_with_the_stat_at_that_time(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("d")
    got = run(
        tmp_path,
        "import io, os, pathlib\nopen('a').read(); os.open('b', os.O_RDONLY)\n"
        "pathlib.Path('c').read_text(); io.FileIO('link').read()",
    )
    assert (got.code, got.stderr, got.paths(READ)) == (0, "", {"a", "b", "c", "link"})
    found = (tmp_path / "a").stat()
    (event,) = got.events("a")
    assert event.stat == (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)


@pytest.mark.parametrize(
    "call", ["open('o', 'w')", "open('o', 'x')", "os.open('o', os.O_CREAT | os.O_WRONLY)"]
)
def test_every_way_of_creating_a_file_is_a_write(call: str, tmp_path: Path) -> None:
    got = run(tmp_path, f"import os\n{call}")
    assert got.paths(WRITE) == {"o"}
    assert got.paths(READ) == set()


def test_a_file_opened_ten_thousand_times_is_reported_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    got = run(tmp_path, "for _ in range(10_000): open('a').close()")
    assert got.ops("a") == [READ]


def test_a_file_that_changed_meanwhile_is_reported_again(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    got = run(
        tmp_path,
        "import subprocess\nopen('a').close(); subprocess.run(['sh', '-c', 'echo y > a']); open('a').close()",
    )
    first, second = [e for e in got.events("a") if e.layer == 1]
    assert first.stat != second.stat


def test_an_edit_of_the_same_size_with_its_time_restored_is_a_change(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    code = (
        "import os\nopen('a').read(); s = os.stat('a')\n"
        "f = open('a', 'r+'); f.write('two'); f.close(); os.utime('a', ns=(s.st_atime_ns, s.st_mtime_ns)); open('a').read()"
    )
    got = run(tmp_path, code)
    assert got.ops("a") == [READ, READ_WRITE, READ]
    before, _, after = got.events("a")
    assert before.stat is not None
    assert after.stat is not None
    assert before.stat[:2] == after.stat[:2]
    assert before.stat != after.stat
    assert got.hashes("a") == [sha(b"one")]


def test_content_is_hashed_before_it_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    got = run(tmp_path, "t = open('a').read(); open('a', 'w').write(t + 'new')")
    assert (got.ops("a"), got.hashes("a")) == ([READ, WRITE], [sha(b"old")])
    (record,) = got.records("hash")
    assert record["stat"] == list(got.events("a")[0].stat or ())


def test_content_that_nobody_looked_at_is_hashed_before_it_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    assert run(tmp_path, "open('a', 'w').write('new')").hashes("a") == [sha(b"old")]


def test_appending_keeps_what_was_there_as_an_input(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("old\n")
    got = run(tmp_path, "for _ in range(5):\n    with open('log', 'a') as f: f.write('new\\n')")
    assert (got.ops("log"), got.hashes("log")) == ([MODIFY], [sha(b"old\n")])


def test_what_is_opened_to_be_read_and_changed_may_have_been_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("old\n")
    got = run(tmp_path, "for _ in range(3):\n    with open('log', 'r+') as f: f.read(); f.write('new\\n')")
    assert (got.ops("log"), got.hashes("log")) == ([READ_WRITE], [sha(b"old\n")])


def test_data_in_shared_memory_is_data_and_what_programs_share_there_is_not(tmp_path: Path) -> None:
    code = (
        "import os\nfor name in ('data', 'sem.x', 'torch_1'):\n    path = f'/dev/shm/{name}-{os.getpid()}'\n"
        "    open(path, 'w').close(); os.remove(path)\nopen('/dev/null', 'w').close(); open('/dev/zero', 'rb').close()"
    )
    found = run(tmp_path, code).paths(READ, WRITE)
    assert {path.rpartition("-")[0] for path in found} == {"/dev/shm/data"}


def test_the_file_that_leads_to_a_repository_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for path in ("sub/.git", "sub/data"):
        (tmp_path / path).write_text("gitdir: elsewhere")
    assert run(tmp_path, "open('sub/.git').read(); open('sub/data').read()").paths(READ) == {"sub/data"}


def test_appending_to_a_file_of_ones_own_hashes_nothing(tmp_path: Path) -> None:
    got = run(
        tmp_path,
        "open('log', 'w').write('x')\nfor _ in range(5):\n    with open('log', 'a') as f: f.write('y')",
    )
    assert (got.ops("log"), got.records("hash")) == ([WRITE], [])


def test_reading_then_removing_leaves_the_digest(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("gone")
    got = run(tmp_path, "import os\nopen('a').read(); os.remove('a')")
    assert (got.ops("a"), got.hashes("a")) == ([READ, REMOVED], [sha(b"gone")])


def test_a_removed_tree_leaves_the_digests_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "a").write_text("gone")
    got = run(tmp_path, "import shutil\nopen('d/e/a').read(); shutil.rmtree('d')")
    assert not (tmp_path / "d").exists()
    assert (got.ops("d/e/a"), got.hashes("d/e/a")) == ([READ, REMOVED], [sha(b"gone")])


def test_writing_a_temporary_file_and_renaming_it_names_both(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("old")
    got = run(tmp_path, "import os\nopen('out.tmp', 'w').write('new'); os.replace('out.tmp', 'out')")
    (moved,) = got.records("mv")
    assert (moved["src"], moved["dst"]) == (str(tmp_path / "out.tmp"), str(tmp_path / "out"))
    assert got.hashes("out") == [sha(b"old")]
    assert got.ops("out.tmp") == [WRITE]


def test_links_are_told_apart_from_renames(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    got = run(tmp_path, "import os\nos.link('a', 'hard'); os.symlink('a', 'soft'); os.rename('a', 'b')")
    said = {os.path.basename(str(r["dst"])): r.get("how", "rename") for r in got.records("mv")}
    assert said == {"hard": "link", "soft": "symlink", "b": "rename"}


def test_truncating_hashes_first(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("long")
    (tmp_path / "b").write_text("long")
    got = run(tmp_path, "import os\nos.truncate('a', 0); os.truncate('b', 2)")
    assert (got.ops("a"), got.ops("b")) == ([WRITE], [MODIFY])
    assert got.hashes("a") == got.hashes("b") == [sha(b"long")]


def test_the_same_state_is_hashed_only_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    got = run(tmp_path, "import os\nf = open('a', 'r+'); g = open('a', 'r+'); os.remove('a')")
    assert got.hashes("a") == [sha(b"old")]


def test_every_intermediate_state_has_its_digest(tmp_path: Path) -> None:
    got = run(tmp_path, "for n in range(3):\n    with open('ckpt', 'w') as f: f.write(str(n))")
    assert got.hashes("ckpt") == [sha(b"0"), sha(b"1")]


def test_above_64_mib_the_reason_stands_in_place_of_the_digest(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate((64 << 20) + 1)
    with (tmp_path / "fits").open("wb") as file:
        file.truncate(64 << 20)
    got = run(tmp_path, "open('big', 'w'); open('fits', 'w')")
    assert got.hashes("big") == [None]
    reasons = [r["reason"] for r in got.records("hash")]
    assert reasons == ["larger than 64 MiB, overwritten before it was hashed", ""]
    assert got.hashes("fits") == [sha(bytes(64 << 20))]


def test_what_fails_to_open_is_not_recorded(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    code = (
        "def tried(*a):\n    try: open(*a)\n    except OSError: pass\n"
        "tried('no'); tried('no/dir', 'w'); tried('there', 'x'); tried('.', 'r'); tried('')"
    )
    got = run(tmp_path, code)
    assert (got.code, got.paths(READ, WRITE, MODIFY), got.records("hash")) == (0, set(), [])


def test_paths_of_any_bytes_survive(tmp_path: Path) -> None:
    name = b"a\nb\xff\xe9 'q' \xf0\x9f\x98\x80"
    code = (
        f"import os\nn = {name!r}\nopen(n, 'wb').write(b'x'); open(os.fsdecode(n)).read()\n"
        "open(n, 'wb').write(b'y'); os.rename(n, n + b'2')"
    )
    got = run(tmp_path, code)
    assert (got.code, got.stderr) == (0, "")
    assert got.ops(name) == [WRITE, READ, WRITE]
    (moved,) = got.records("mv")
    assert os.fsencode(str(moved["dst"])) == os.fsencode(tmp_path) + b"/" + name + b"2"
    assert os.fsencode(str(got.records("hash")[0]["path"])).endswith(name)


def test_a_path_is_taken_from_the_folder_the_program_was_in_then(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_text("x")
    (tmp_path / "a").write_text("y")
    got = run(tmp_path, "import os\nopen('./d/../a'); os.chdir('d'); open('a')")
    assert got.paths(READ) == {"a", "d/a"}


def test_pipes_sockets_and_devices_are_no_files_and_nothing_waits_for_them(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with tempfile.TemporaryDirectory() as short:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(short + "/s")
            code = (
                "import os\nos.open('pipe', os.O_RDWR); os.open('pipe', os.O_RDONLY | os.O_NONBLOCK)\n"
                f"open('/dev/null', 'w').write('x')\nos.rename('pipe', 'pipe2'); os.remove('pipe2')\n"
                f"try: open({short!r} + '/s')\nexcept OSError: pass"
            )
            got = run(tmp_path, code)
    assert (got.code, got.stderr) == (0, "")
    assert got.paths(1, 2, 3, 4, 5, 6, 7) == set()
    assert got.records("hash") == []


def test_the_interpreter_its_packages_and_caches_are_no_data(tmp_path: Path) -> None:
    for folder in (".git", ".cache", "pkg/__pycache__", "venv/lib/python3/site-packages"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x").write_text("x")
    code = (
        "import json, email, os, locale, sys\nopen(json.__file__); open('/etc/passwd'); open('/proc/self/stat'); open(sys.executable, 'rb')\n"
        "[open(p + '/x') for p in ('.git', '.cache', 'pkg/__pycache__', 'venv/lib/python3/site-packages')]\n"
        "open(os.path.expanduser('~/.netrc-of-test'), 'w'); open('.git/new', 'w')"
    )
    got = run(tmp_path, code, HOME=str(tmp_path / "home-that-is-not"))
    assert got.paths(1, 2, 3, 4, 5, 6, 7) == set()


def test_models_from_a_download_cache_are_inputs(tmp_path: Path) -> None:
    hub = tmp_path / "home" / ".cache" / "huggingface" / "hub"
    hub.mkdir(parents=True)
    (hub / "weights").write_text("w")
    (hub.parent / "token").write_text("secret")
    work = tmp_path / "work"
    work.mkdir()
    got = run(
        work,
        f"open({str(hub / 'weights')!r}); open({str(hub.parent / 'token')!r})",
        HOME=str(tmp_path / "home"),
    )
    assert got.paths(READ) == {str(hub / "weights")}


def test_a_virtual_environment_in_the_project_folder_hides_no_data(tmp_path: Path) -> None:
    python = shutil.which("python3") or sys.executable
    run(tmp_path, argv=[python, "-m", "venv", "--without-pip", "."], recorded=False)
    (tmp_path / "data.csv").write_text("x")
    got = run(tmp_path, "open('data.csv'); open('pyvenv.cfg')", python=str(tmp_path / "bin" / "python"))
    assert got.paths(READ) == {"data.csv"}


def test_own_modules_are_code_and_not_data(tmp_path: Path) -> None:
    (tmp_path / "mod.py").write_text("X = 1")
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("from . import inner")
    (tmp_path / "pkg" / "inner.py").write_text("Y = 2")
    (tmp_path / "other.py").write_text("Z = 3")
    code = "import mod, pkg, linecache, runpy\nopen('mod.py').read(); linecache.getlines(pkg.inner.__file__); open('other.py').read()"
    for _ in range(2):  # with and without compiled files there
        got = run(tmp_path, code)
        assert got.code_files() == {"main.py", "mod.py", "pkg/__init__.py", "pkg/inner.py"}
        assert got.paths(READ, WRITE) == {"other.py"}


@pytest.mark.parametrize("argv", [["-m", "mod"], ["mod.py"], ["-c", "import mod"]])
def test_the_script_is_code_however_it_is_started(argv: list[str], tmp_path: Path) -> None:
    (tmp_path / "mod.py").write_text("X = 1")
    got = run(tmp_path, argv=[sys.executable, *argv])
    assert (got.code_files(), got.paths(READ)) == ({"mod.py"}, set())


def test_sqlite_files_are_read_and_written_unless_opened_to_read(tmp_path: Path) -> None:
    got = run(
        tmp_path,
        "import sqlite3\nc = sqlite3.connect('a b.db'); c.execute('create table t(x)'); c.commit(); c.close()",
    )
    assert got.ops("a b.db") == [READ_WRITE]
    data = (tmp_path / "a b.db").read_bytes()
    got = run(
        tmp_path,
        "import sqlite3\nsqlite3.connect('file:a%20b.db?mode=ro', uri=True)\nsqlite3.connect('a b.db'); sqlite3.connect('')",
    )
    assert (got.ops("a b.db"), got.hashes("a b.db")) == ([READ, READ_WRITE], [sha(data)])


def test_threads_record_side_by_side(tmp_path: Path) -> None:
    code = (
        "import threading\ndef work(n):\n    for k in range(50):\n"
        "        open(f'f{n}-{k}', 'w').write('x'); open(f'f{n}-{k}').read(); open(f'f{n}-{k}', 'w').write('y')\n"
        "ts = [threading.Thread(target=work, args=(n,)) for n in range(4)]\n[t.start() for t in ts]; [t.join() for t in ts]"
    )
    got = run(tmp_path, code)
    assert len(got.paths(WRITE)) == len(got.paths(READ)) == 200
    assert len(got.records("hash")) == 200
    assert {r["sha256"] for r in got.records("hash")} == {sha(b"x")}


def test_a_time_out_of_the_program_that_strikes_inside_a_hook_still_reaches_the_program(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").write_text("x")
    code = (
        "import signal\nhits = 0\n"
        "def late(number, frame): raise TimeoutError('late')\nsignal.signal(signal.SIGALRM, late)\n"
        "for _ in range(300):\n"
        "    try:\n        signal.setitimer(signal.ITIMER_REAL, 0.0005)\n        while True: open('a').close(); open('b', 'w').close()\n    except TimeoutError: hits += 1\nprint(hits)"
    )
    assert run(tmp_path, code).stdout == "300\n"


def test_records_are_in_the_order_in_which_things_happened(tmp_path: Path) -> None:
    got = run(tmp_path, "open('a', 'w').write('1'); open('a').read(); open('b', 'w')")
    times = [f.at for f in got.frames if hasattr(f, "at")]
    assert times == sorted(times)
    assert isinstance(got.frames[0], Record)
