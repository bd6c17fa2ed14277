"""What the command line does with what it cannot do: one clear text, the right exit code, never a traceback."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.cli import LINEAL, document, environment, lineal, said

USAGE, NOT_FOUND, UNAVAILABLE = 2, 3, 4


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["rnus"], USAGE, "Did you mean runs"),
        (["xyzzy"], USAGE, "`lineal --help` lists the commands"),
        (["runs", "--sotr", "x"], USAGE, "--sort"),
        (["runs", "metrics.auc 1"], USAGE, "at character 13 of the query"),
        (["runs", "shape = 1"], USAGE, "runs have no field 'shape'"),
        (["runs", "state = finishd"], USAGE, "running, finished, failed, killed, lost"),
        (["runs", "started_at > soon"], USAGE, "is no time"),
        (["runs", "--sort", "shape"], USAGE, "cannot be ordered by"),
        (["runs", "--limit", "0"], USAGE, "--limit"),
        (["show", ""], USAGE, "an empty reference"),
        (["show", "run:xyz"], USAGE, "hex digits"),
        (["show", "churn@9"], NOT_FOUND, "it has versions 1, 2, 3 and alias champion"),
        (["show", "chrun"], NOT_FOUND, "did you mean churn"),
        (["show", "run:ffffffff"], NOT_FOUND, "no run's id starts with"),
        (["show", "sha256:00000000"], NOT_FOUND, "no version's digest starts with"),
        (["show", "run:01a"], USAGE, "at least 4 hex digits"),
        (["trace", "churn@1", "--as-of", "yesterdayish"], USAGE, "is not a time"),
        (["trace", "churn@1", "--as-of", "30 days ago"], NOT_FOUND, "not recorded yet at that time"),
        (["trace", "churn@1", "--depth", "0"], USAGE, "--depth"),
        (["trace", "churn@1", "--format", "pdf"], USAGE, "mermaid"),
        (["register", "models/churn.json", "a@b"], USAGE, "cannot be a name"),
        (["register", "run:ffffffff", "x"], NOT_FOUND, "no run's id"),
        (["alias", "churn", "champion", "9"], NOT_FOUND, "is not a version of"),
        (["alias", "churn", "7", "1"], USAGE, "cannot be an alias"),
        (["tag", "churn@1", "novalue"], USAGE, "write KEY=VALUE"),
        (["deploy", "churn@2", " "], USAGE, "without a target"),
        (["undeploy", "churn@1", "prod"], NOT_FOUND, "is not live at"),
        (["-C", "nowhere", "runs"], USAGE, "nowhere"),
        (["completion", "tcsh"], USAGE, "bash"),
        (["run"], USAGE, "there is no command to run"),
        (["run", "--jbo", "x", "true"], USAGE, "has no option --jbo"),
        (["-C", "nowhere", "run", "true"], USAGE, "nowhere"),
    ],
)
def test_a_mistake_gets_its_exit_code_and_what_to_do_next(
    story: Path, words: list[str], code: int, text: str
) -> None:
    done = lineal(story, *words)
    assert done.returncode == code, done
    assert text in done.stderr, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_an_ambiguous_prefix_lists_the_candidates(told: Path) -> None:
    counted = Counter(run["run_id"][:4] for run in document(told, "runs", "--all"))
    prefix, count = counted.most_common(1)[0]
    done = lineal(told, "show", f"run:{prefix}")
    assert done.returncode == 1
    assert done.stderr.count("  run:") == min(count, 10)
    assert "write more digits" in done.stderr


def test_without_a_project_it_says_how_to_begin_one(tmp_path: Path) -> None:
    for words in (["runs"], ["show", "x"], ["register", "x", "y"], ["sync"], ["fsck"]):
        done = lineal(tmp_path, *words)
        assert done.returncode == NOT_FOUND
        assert "no Lineal project in" in done.stderr
        assert "lineal run python" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_none_is_unavailable(story: Path) -> None:
    store = story / ".lineal" / "lineal.db"
    for path in story.glob(".lineal/lineal.db*"):
        path.unlink()
    store.write_bytes(b"this is not a database, it is a poem\n" * 300)
    for words in (["runs"], ["fsck"], ["tag", "churn@1", "a=b"]):
        done = lineal(story, *words)
        assert done.returncode == UNAVAILABLE, done
        assert "lineal.db" in done.stderr
        assert "Traceback" not in done.stderr
    assert store.read_bytes().startswith(b"this is not")


@pytest.mark.parametrize("pages", [range(3, 400, 2), range(20, 400), range(1, 400)])
def test_damaged_pages_are_named_by_fsck(story: Path, pages: range) -> None:
    """Also when the damage is where the record's own check does not look, and when the store cannot be opened any more."""
    said(story, "runs")
    store = story / ".lineal" / "lineal.db"
    size = store.stat().st_size
    with store.open("r+b") as file:
        for page in pages:
            if page < size // 4096:
                file.seek(page * 4096)
                file.write(os.urandom(2000))
    done = lineal(story, "fsck")
    assert done.returncode == 1, done
    assert "! store: " in done.stdout
    assert "everything is whole" not in done.stdout
    assert "Traceback" not in done.stderr
    assert json.loads(lineal(story, "fsck", "--json").stdout)["problems"]


def test_fsck_names_what_does_not_fit_together(story: Path) -> None:
    said(story, "runs")
    with sqlite3.connect(story / ".lineal" / "lineal.db") as store:
        store.execute("DELETE FROM word WHERE id IN (SELECT text FROM attribute)")
    store.close()
    done = lineal(story, "fsck")
    assert done.returncode == 1, done
    assert "not in the dictionary" in done.stdout


def test_garbage_in_the_journal_is_a_warning_and_named_by_fsck(story: Path) -> None:
    journal = story / ".lineal" / "journal" / f"{'ab' * 16}.lj"
    journal.parent.mkdir(exist_ok=True)
    journal.write_bytes(b"LINEALJ1" + b"\xff" * 4000)  # no frame is that long
    done = lineal(story, "runs", "--json")
    assert done.returncode == 0
    assert done.stdout.startswith("[")
    checked = lineal(story, "fsck")
    assert checked.returncode == 1
    assert "ab" * 16 in checked.stdout
    assert "Traceback" not in done.stderr + checked.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="for root every folder can be written")
def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        done = lineal(tmp_path, "init")
    finally:
        tmp_path.chmod(0o700)
    assert done.returncode == UNAVAILABLE
    assert "cannot be made" in done.stderr


def test_a_reader_that_stops_reading_ends_it_quietly(told: Path) -> None:
    for words in ("runs --all --json", "trace churn@champion", "--help", "version", "completion bash"):
        script = f"{LINEAL} {words} | true; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", script], cwd=told, env=environment(), capture_output=True, text=True
        )
        assert done.stderr == "", (words, done.stderr)
        assert done.stdout.strip() in {"0", "1", "141"}


def test_a_fault_of_ours_is_one_line_and_a_traceback_only_on_demand(story: Path) -> None:
    broken = "import lineal.render.table as t; t.runs = None\nfrom lineal.cli.main import main; raise SystemExit(main(['runs']))"

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", broken], cwd=story, env=environment(**more), capture_output=True, text=True
        )

    done = run()
    assert done.returncode == 5
    assert done.stderr.startswith("lineal: internal error: TypeError:")
    assert "Traceback" not in done.stderr
    assert "Traceback" in run(LINEAL_DEBUG="1").stderr


def test_names_with_newlines_and_bytes_that_are_no_text_do_not_break_the_screen(recorded: Path) -> None:
    script = (
        "import os\n"
        "for name in (b'a\\nb.txt', b'\\x1b[31mred.txt', b'caf\\xe9.txt'):\n"
        "    open(name, 'w').write('x' * 100 + repr(name))\n"
    )
    (recorded / "odd.py").write_text(script)
    assert lineal(recorded, "run", "python", "odd.py").returncode == 0
    run = document(recorded, "runs")[0]
    names = {file["path"] for file in document(recorded, "show", f"run:{run['run_id']}")["outputs"]}
    assert names == {"a%0Ab.txt", "%1B[31mred.txt", "caf%E9.txt"}
    text = said(recorded, "show", f"run:{run['run_id']}")
    assert all(line.isprintable() for line in text.splitlines())
    assert said(recorded, "show", "a\nb.txt").startswith("a%0Ab.txt@1")
    done = lineal(recorded, "show", "no\nsuch\x1b[31m")
    assert done.returncode == NOT_FOUND
    assert "\x1b" not in done.stderr


def test_a_screen_without_unicode_gets_ascii(told: Path) -> None:
    done = lineal(told, "trace", "churn@champion", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "`- <- train.py" in done.stdout


def in_terminal(folder: Path, *words: str, columns: int = 70, **more: str) -> str:
    """What a command writes to a terminal of that width."""
    main, end = pty.openpty()
    env = environment(COLUMNS=str(columns), LINES="40", TERM="xterm-256color", **more)
    process = subprocess.Popen([LINEAL, *words], cwd=folder, env=env, stdout=end, stdin=end, stderr=end)
    os.close(end)
    read = b""
    while select.select([main], [], [], 20)[0]:
        try:
            data = os.read(main, 65536)
        except OSError:
            break
        if not data:
            break
        read += data
    os.close(main)
    assert process.wait(20) == 0, read
    return read.decode().replace("\r\n", "\n")


def test_a_terminal_gets_colours_and_lines_that_fit(told: Path) -> None:
    text = in_terminal(told, "trace", "churn@champion", columns=60)
    assert "\x1b[" in text
    plain = in_terminal(told, "trace", "churn@champion", columns=60, NO_COLOR="1")
    assert "\x1b" not in plain
    assert max(len(line) for line in plain.splitlines()) <= 60
    table = in_terminal(told, "runs", columns=80, NO_COLOR="1")
    assert max(len(line) for line in table.splitlines()) <= 80


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_completion_script(tmp_path: Path, shell: str) -> None:
    assert "_LINEAL_COMPLETE" in said(tmp_path, "completion", shell)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("lineal tr", {"trace"}),
        ("lineal run --j", {"--job"}),
        ("lineal trace churn@", {"churn@1", "churn@2", "churn@3", "churn@champion"}),
        ("lineal alias ch", {"churn"}),
        ("lineal show run:01", None),
    ],
)
def test_the_shell_completes_commands_options_and_names(
    told: Path, line: str, wanted: set[str] | None
) -> None:
    words = line.split(" ")
    done = lineal(told, _LINEAL_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert done.stderr == ""
    offered = {text.partition(",")[2] for text in done.stdout.splitlines() if text.startswith("plain,")}
    assert offered == wanted if wanted is not None else len(offered) > 10


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_bash_accepts_the_completion_script(told: Path) -> None:
    script = f'PATH="{Path(LINEAL).parent}:$PATH"; eval "$(lineal completion bash)"; complete -p lineal'
    done = subprocess.run(["bash", "-c", script], cwd=told, env=environment(), capture_output=True, text=True)
    assert "_lineal_completion" in done.stdout, done


def test_run_gives_the_commands_own_exit_code_and_help(recorded: Path) -> None:
    assert lineal(recorded, "run", "sh", "-c", "exit 37").returncode == 37
    assert lineal(recorded.parent, "-C", str(recorded), "run", "python", "clean.py").returncode == 0
    assert lineal(recorded, "run", "no-such-program").returncode == 127
    text = said(recorded, "run", "--help")
    assert "--param K=V" in text
    assert "exit code" in text.lower()
