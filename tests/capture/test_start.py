"""How recording starts and ends inside a foreign interpreter, and what it leaves alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.capture.injected import READ, RUN, SITE, WRITE, environment, run

VERSIONS = sorted((Path.home() / ".pyenv" / "versions").glob("3.*/bin/python"))
RECORDABLE = [p for p in VERSIONS if int(p.parts[-3].split(".")[1]) >= 9]
OTHERS = [p for p in (Path.home() / ".pyenv" / "versions").glob("*/bin/python") if p not in RECORDABLE]

# Bare interpreters start without these; so must a recorded one.
LATE = [
    "json",
    "re",
    "importlib.abc",
    "functools",
    "threading",
    "typing",
    "inspect",
    "uuid",
    "hashlib",
    "subprocess",
]


@pytest.mark.parametrize("python", RECORDABLE, ids=lambda p: p.parts[-3])
def test_every_supported_interpreter_is_recorded(python: Path, tmp_path: Path) -> None:
    (tmp_path / "i").write_text("x")
    (tmp_path / "mod.py").write_text("X = 1")
    code = (
        "import mod, os, sys, subprocess, sqlite3, argparse\nopen('i').read(); open('o', 'w').write('1'); open('o', 'w')\n"
        "subprocess.run([sys.executable, '-c', 'open(\"c\", \"w\")'], check=True)\n"
        "os.rename('c', 'd'); subprocess.run(['cat', 'd'])\n"
        "if os.fork() == 0:\n    open('f', 'w'); os._exit(0)\nos.wait()\nraise ValueError('no')"
    )
    got = run(tmp_path, code, python=str(python))
    assert got.code == 1
    assert "lineal" not in got.stderr.lower().replace(str(tmp_path), "")
    assert (got.paths(READ), got.paths(WRITE)) == ({"i", "d"}, {"o", "c", "f"})
    assert got.code_files() == {"main.py", "mod.py"}
    assert [r["state"] for r in got.records("exit")].count("failed") == 1


@pytest.mark.parametrize("python", OTHERS, ids=lambda p: p.parts[-3])
def test_an_interpreter_that_is_too_old_runs_undisturbed(python: Path, tmp_path: Path) -> None:
    got = run(tmp_path, "import sys\nsys.stdout.write('ran')", python=str(python))
    assert (got.code, got.stdout, got.stderr, got.journals) == (0, "ran", "", [])


def test_starting_imports_nothing_that_costs(tmp_path: Path) -> None:
    code = "import sys; print([m for m in sys.argv[1:] if m in sys.modules])"
    argv = [sys.executable, "-c", code, *LATE]
    bare = run(tmp_path, argv=argv, recorded=False)
    got = run(tmp_path, argv=argv)
    assert got.stdout == bare.stdout
    assert len(got.journals) == 1


def test_a_start_reads_one_file_and_notices_changed_sources(tmp_path: Path) -> None:
    copied = tmp_path / "lineal"
    for room in ("capture", "journal"):
        shutil.copytree(SITE.parents[1] / room, copied / room, ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import _lineal.journal.frames as f, sys; apart = {'_lineal', '_lineal.capture', '_lineal.capture.bundle'}\n"
        "ours = {n: m for n, m in sys.modules.items() if n.startswith('_lineal') and n not in apart}\n"
        "print(len(ours), [n for n, m in ours.items() if hasattr(m, '__cached__')], getattr(f, 'X', 0), f.__file__)"
    )

    def start() -> list[object]:
        got = run(tmp_path, code, PYTHONPATH=str(copied / "capture" / "site"))
        assert (got.code, got.stderr, len(got.journals)) == (0, "", 1)
        return got.stdout.split()

    frames = copied / "journal" / "frames.py"
    many, *rest = first = start()
    assert int(str(many)) > 15
    assert rest == ["[]", "0", str(frames)]
    assert start() == first
    with frames.open("a") as file:
        file.write("X = 7\n")
    assert start()[2] == "7"
    (bundle,) = (copied / "capture" / "__pycache__").glob("program.bundle*")
    bundle.write_bytes(bundle.read_bytes()[:9000])
    assert start()[2] == "7"
    shutil.copytree(copied, moved := tmp_path / "moved")
    copied = moved
    assert start()[2:] == ["7", str(moved / "journal" / "frames.py")]


def test_no_compiled_file_of_ours_is_left_in_pieces_and_one_that_is_does_no_harm(tmp_path: Path) -> None:
    copied = tmp_path / "lineal"
    for room in ("capture", "journal"):
        shutil.copytree(SITE.parents[1] / room, copied / room, ignore=shutil.ignore_patterns("__pycache__"))
    site = str(copied / "capture" / "site")
    code = "import resource, os\nresource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))\nos.mkdir('a'); os.rename('a', 'b')\n"
    assert len(run(tmp_path, code, PYTHONPATH=site).journals) == 1  # a rename loads one of our files
    assert not list((copied / "capture" / "__pycache__").glob("names*"))
    code = "import os\nos.rename('b', 'c')\n"
    for _ in range(2):
        assert len(run(tmp_path, code, PYTHONPATH=site).records("mv")) == 1
        for path in (*(copied / "capture").glob("__pycache__/*"), *copied.glob("*/*/__pycache__/[!s]*")):
            path.write_bytes(path.read_bytes()[:100])
        os.rename(tmp_path / "c", tmp_path / "b")


def test_what_a_program_prints_of_an_exception_names_nothing_of_ours(tmp_path: Path) -> None:
    code = (
        "import pickle\nclass A:\n    def __reduce__(self): raise ValueError('no')\n"
        "try:\n    pickle.dumps(A())\nexcept ValueError as error:\n    raise RuntimeError from error\n"
    )
    bare = run(tmp_path, code, recorded=False)
    assert "ValueError" in bare.stderr
    assert run(tmp_path, code).stderr == bare.stderr


def test_a_program_that_wants_no_compiled_files_gets_none(tmp_path: Path) -> None:
    (tmp_path / "mod.py").write_text("X = 1")
    got = run(tmp_path, "import mod, sys; print(sys.dont_write_bytecode)", PYTHONDONTWRITEBYTECODE="1")
    assert got.stdout == "True\n"
    assert not (tmp_path / "__pycache__").exists()


def test_nothing_of_ours_comes_onto_the_path_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import sys; print(sys.path)")
    bare = run(tmp_path, argv=[sys.executable, "main.py"], recorded=False)
    got = run(tmp_path, argv=[sys.executable, "main.py"])
    assert got.stdout == bare.stdout


def test_recording_needs_no_lineal_in_the_interpreter(tmp_path: Path) -> None:
    python = RECORDABLE[0] if RECORDABLE else Path(sys.executable)
    code = "import sys\ntry: import lineal\nexcept ImportError: print('none')\nprint([m for m in sys.modules if m.startswith('lineal')])"
    got = run(tmp_path, code, python=str(python), options=("-s",))
    assert got.stdout == "none\n[]\n"
    assert len(got.journals) == 1


def test_a_sitecustomize_of_the_users_own_still_runs_and_is_what_is_imported(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import builtins; builtins.mine = __file__; X = 7")
    env = environment(tmp_path, PYTHONPATH=f"{SITE}{os.pathsep}{own}")
    code = "import sitecustomize, sys; print(mine, sitecustomize.X, sitecustomize.__file__ == mine, sys.argv)"
    done = subprocess.run([sys.executable, "-c", code, "a"], env=env, capture_output=True, text=True)
    assert done.stdout == f"{own}/sitecustomize.py 7 True ['-c', 'a']\n"
    assert len(list(tmp_path.glob("*.lj"))) == 1


def test_an_error_in_the_users_sitecustomize_is_theirs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("1 / 0")
    env = environment(tmp_path, PYTHONPATH=f"{SITE}{os.pathsep}{tmp_path}")
    done = subprocess.run([sys.executable, "-c", "print('on')"], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "on\n")
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("place", ["missing", "file"])
def test_a_journal_that_cannot_be_written_is_told_once_and_the_program_goes_on(
    place: str, tmp_path: Path
) -> None:
    where = tmp_path / place
    if place == "file":
        where.write_text("")
    env = environment(where)
    code = "import subprocess, sys\nopen('x', 'w'); print('on', flush=True)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "on\n")
    assert done.stderr.count("lineal: ") == done.stderr.count("\n") == 1


def test_the_end_tells_state_and_third_party_modules(tmp_path: Path) -> None:
    (tmp_path / "mine.py").touch()
    (record,) = run(tmp_path, "import msgspec, json, mine, xml.dom").records("exit")
    assert (record["state"], record["error"]) == ("finished", None)
    modules = record["modules"]
    assert isinstance(modules, list)
    assert "msgspec" in modules
    assert {"json", "xml", "mine", "os", "_lineal", "sitecustomize"} & set(modules) == set()


@pytest.mark.parametrize(
    ("code", "state", "type", "message"),
    [
        ("raise ValueError('bad\\nluck')", "failed", "ValueError", "bad\nluck"),
        ("class Odd(Exception): pass\nraise Odd(3)", "failed", "Odd", "3"),
        ("import json; json.loads('{')", "failed", "json.decoder.JSONDecodeError", "Expecting property name"),
        ("import sys; sys.exit(3)", "failed", "SystemExit", "3"),
        ("import sys; sys.exit('told why')", "failed", "SystemExit", "told why"),
        (
            "import sys; sys.excepthook = lambda *a: None; 1 / 0",
            "failed",
            "ZeroDivisionError",
            "division by zero",
        ),
        ("raise KeyboardInterrupt", "failed", "KeyboardInterrupt", ""),
        ("import sys; sys.exit(0)", "finished", "", ""),
        ("import sys; sys.exit()", "finished", "", ""),
        ("try: 1 / 0\nexcept Exception: pass", "finished", "", ""),
    ],
)
def test_the_way_a_program_ended_is_told(
    code: str, state: str, type: str, message: str, tmp_path: Path
) -> None:
    bare = run(tmp_path, code, recorded=False)
    got = run(tmp_path, code)
    assert (got.code, got.stdout, got.stderr) == (bare.code, bare.stdout, bare.stderr)
    (record,) = got.records("exit")
    assert record["state"] == state
    error = record["error"]
    if state == "failed":
        assert isinstance(error, dict)
        assert error["type"] == type
        assert error["message"].startswith(message)
        assert type == "SystemExit" or "Traceback" in error["traceback"] or type == "KeyboardInterrupt"
    else:
        assert error is None


def test_a_secret_in_an_exception_or_an_argument_is_not_recorded(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2c3D4e5" * 4
    (tmp_path / "main.py").write_text(f"import sys\nraise ValueError('no access with {secret}')")
    got = run(tmp_path, argv=[sys.executable, "main.py", "--token", secret, f"--token={secret}"])
    data = b"".join(path.read_bytes() for path in (tmp_path / ".lineal" / "journal").iterdir())
    assert got.records("exit")[0]["state"] == "failed"
    assert secret.encode() not in data


def test_a_process_that_vanishes_leaves_no_end(tmp_path: Path) -> None:
    got = run(tmp_path, "import os\nopen('o', 'w'); os.kill(os.getpid(), 9)")
    assert (got.code, got.records("exit"), got.paths(WRITE)) == (-9, [], {"o"})


def test_what_the_program_prints_and_its_descriptors_are_its_own(tmp_path: Path) -> None:
    code = "import os\nprint(sorted(int(n) for n in os.listdir('/proc/self/fd') if int(n) < 100)); print(os.open('main.py', 0))"
    bare = run(tmp_path, code, recorded=False)
    assert run(tmp_path, code).stdout == bare.stdout


def test_a_low_limit_on_open_files_does_no_harm(tmp_path: Path) -> None:
    got = run(tmp_path, argv=["sh", "-c", f'ulimit -n 64; {sys.executable} -c \'open("o", "w")\''])
    assert (got.code, got.stderr, got.paths(WRITE)) == (0, "", {"o"})


def test_every_record_belongs_to_the_run(tmp_path: Path) -> None:
    (opened,) = run(tmp_path, "").records("open")
    assert opened["run"] == RUN
    assert opened["argv"] == [sys.executable, "main.py"]
