"""What programs print is kept, bounded and without secrets, and they notice nothing of it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from lineal.deliver import consoles
from tests.capture.injected import run as injected
from tests.deliver.conftest import LINEAL, Workshop


@pytest.fixture
def workshop(project: Path) -> Workshop:
    (project / ".lineal").mkdir()
    return Workshop(project)


def printed(workshop: Workshop) -> str:
    return workshop.lineal("show", f"run:{workshop.newest().run_id}", "--console").stdout


def test_what_python_prints_is_kept_in_order_and_without_secrets(workshop: Workshop) -> None:
    workshop.script(
        "train.py",
        """
        import sys
        print("first", flush=True)
        print("second", file=sys.stderr)
        sys.stdout.buffer.write(b"third \\xff\\n"); sys.stdout.flush()
        print("token=ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8")
        sys.stdout.write("no end of line")
        """,
    )
    done = workshop.run(sys.executable, "train.py", errors="replace")
    assert done.stdout.startswith("first\nthird")
    assert done.stderr == "second\n"
    assert printed(workshop) == "first\nsecond\nthird �\ntoken=[REDACTED:github-token]\nno end of line\n"
    told = json.loads(
        workshop.lineal("show", f"run:{workshop.newest().run_id}", "--console", "--json").stdout
    )
    assert (told[0]["main"], told[0]["cut"], told[0]["text"].split("\n")[0]) == (True, 0, "first")
    assert list((workshop.root / ".lineal" / "journal").iterdir()) == []


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_of_much_output_the_first_and_last_mebibyte_are_kept(workshop: Workshop, unbuffered: str) -> None:
    workshop.script("loud.py", "for n in range(300_000): print(f'line {n:06} ' + 'x' * 40)")
    done = workshop.run(sys.executable, "loud.py", env={"PYTHONUNBUFFERED": unbuffered})
    lines = done.stdout.splitlines()
    kept = printed(workshop).splitlines()
    cut = next(index for index, line in enumerate(kept) if line.startswith("[lineal: "))
    assert kept[:cut] == lines[:cut]
    assert kept[cut + 1 :] == lines[-(len(kept) - cut - 1) :]
    left = int(kept[cut].split()[1].replace(",", ""))
    assert left + sum(len(line) + 1 for line in kept if not line.startswith("[lineal")) == len(done.stdout)
    assert 2_000_000 < len(printed(workshop)) < 2_200_000


def test_each_process_that_prints_is_kept_the_main_one_first(workshop: Workshop) -> None:
    workshop.script(
        "parent.py",
        """
        import os, subprocess, sys
        if os.fork() == 0:
            print("forked"); sys.stdout.flush(); os._exit(0)
        os.wait()
        subprocess.run([sys.executable, "-c", "print('started')"])
        print("parent")
        """,
    )
    workshop.run(sys.executable, "parent.py")
    lines = printed(workshop).splitlines()
    assert [line for line in lines if not line.startswith("[lineal: process ")] == [
        "parent",
        "forked",
        "started",
    ]
    assert sum(line.startswith("[lineal: process ") for line in lines) == 3


def test_of_a_program_that_is_killed_the_beginning_is_whole_and_the_end_as_it_was_written_last(
    project: Path,
) -> None:
    code = """
import os, signal, sys
for n in range(60_000): print(n, "x" * 20)
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""
    recorded = injected(project, code)
    assert recorded.code == -9
    journal = next((project / ".lineal" / "journal").glob("*.lj"))
    kept: list[bytes] = []

    def put(data: bytes) -> str:
        kept.append(data)
        return "sha256:x"

    facet = consoles.kept([(str(journal), {"main": True})], put)
    assert facet is not None
    lines = kept[0].decode().splitlines()
    assert lines[:35_000] == recorded.stdout.splitlines()[:35_000]


def test_nothing_printed_waits_with_its_secrets(project: Path) -> None:
    code = """
import os, sys
token = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"
sys.stdout.write("half " + token[:9]); sys.stdout.flush()
print(token[9:])
print("-----BEGIN RSA PRIVATE KEY-----", flush=True)
for n in range(9): print("MIIEpAIBAAKCAQEA" * 4, flush=True)
print("-----END RSA PRIVATE KEY-----", flush=True)
os._exit(0)
"""
    recorded = injected(project, code, PYTHONUNBUFFERED="1")
    kept = b"".join(path.read_bytes() for path in (project / ".lineal" / "journal").iterdir())
    assert b"ghp_" in recorded.stdout.encode()
    for secret in (b"ghp_", b"a1B2c3D4e5", b"MIIEpAIBAAKCAQEA"):
        assert secret not in kept
    assert b"half [REDACTED:github-token]" in kept
    assert b"[REDACTED:private-key]" in kept


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.stdout = None; print('x')",
        "import sys, io; sys.stdout = io.TextIOWrapper(sys.stdout.buffer, 'utf-8', line_buffering=True); print('x')",
        "import os, sys; os.closerange(0, 2000); print('x'); os.open('/dev/null', 1)",
        "import sys; print(sys.stdout.buffer.fileno(), sys.stdout.buffer.writable(), sys.stdout.line_buffering)",
        "import sys; sys.stdout.buffer.write(memoryview(b'ab')); import array; sys.stdout.buffer.write(array.array('i', [1, 2]))",
        "import sys; sys.stdout.buffer.writelines([b'a', b'b']); sys.stdout.detach().write(b'c')",
        "import sys; sys.stdout.write(3)",
        "import sys; print(sys.stdout is sys.__stdout__, sys.stdout.isatty(), sys.stdout.buffer.write.__name__)",
        "import signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL); print('x' * 100000)",
        "import logging; logging.basicConfig(); logging.warning('x'); import faulthandler; faulthandler.enable()",
        "import os; os.write(1, b'below')",
    ],
)
def test_programs_that_do_odd_things_with_their_streams_behave_as_ever(project: Path, code: str) -> None:
    plain, recorded = (injected(project, code, recorded=again) for again in (False, True))
    trace = [line for line in recorded.stderr.splitlines() if "_lineal" not in line]
    assert (recorded.code, recorded.stdout, trace) == (plain.code, plain.stdout, plain.stderr.splitlines())


def test_a_shell_is_kept_where_it_is_asked_for(workshop: Workshop) -> None:
    done = workshop.run(
        "--console",
        "sh",
        "-c",
        f"echo out; echo err >&2; test -t 1 || echo pipe; {sys.executable} -c 'print(1)'; exit 3",
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\npipe\n1\n", "err\n")
    assert sorted(printed(workshop).split()) == ["1", "err", "out", "pipe"]
    workshop.run("sh", "-c", "echo out")
    assert "out" not in printed(workshop)


def test_a_terminal_stays_one_of_the_same_size_and_gets_the_same_bytes(workshop: Workshop) -> None:
    script = r"test -t 1 && test -t 2 && stty size <&1; printf 'a\tb\r\n\033[1mc\033[0m\n'"

    def at_a_terminal(*words: str) -> bytes:
        import fcntl
        import struct
        import termios

        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
        process = subprocess.Popen(
            [*words, "sh", "-c", script],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=workshop.root,
            env=workshop.environment,
            start_new_session=True,
        )
        os.close(slave)
        found = b""
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:
                break
            if not piece:
                break
            found += piece
        os.close(master)
        assert process.wait() == 0
        return found

    plain = at_a_terminal("env")
    assert plain.startswith(b"33 77\r\n")
    assert at_a_terminal(*LINEAL, "run", "--console") == plain
    assert printed(workshop).startswith("33 77\n")


def test_output_that_is_no_text_is_counted_and_not_kept(workshop: Workshop) -> None:
    workshop.script("raw.py", "import sys; sys.stdout.buffer.write(bytes(range(256)) * 20)")
    workshop.run(sys.executable, "raw.py", errors="replace")
    assert printed(workshop) == "[lineal: 5,120 bytes that are no text]\n"


def test_nothing_is_kept_where_it_is_switched_off_and_a_version_prints_nothing(workshop: Workshop) -> None:
    workshop.script("p.py", "print(1); open('o.txt', 'w').write('x')")
    workshop.run(sys.executable, "p.py", env={"LINEAL_CONSOLE": "0"})
    done = workshop.lineal("show", f"run:{workshop.newest().run_id}", "--console")
    assert (done.stdout, done.stderr) == ("", "lineal: warning: nothing that it printed was recorded\n")
    refused = workshop.lineal("show", "o.txt", "--console", check=False)
    assert refused.returncode != 0
    assert "only runs print" in refused.stderr
