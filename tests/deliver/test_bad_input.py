"""Programs that do odd things behave as without Lineal, and the record says what could not be observed."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lineal.deliver import fold
from lineal.deliver.delivery import sync
from lineal.resolve.project import Project
from lineal.service.show import RunDetail
from tests.deliver.below import HEAD, compiled, files, gaps, needs_library, put
from tests.deliver.conftest import LINEAL, Workshop

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


class Did(NamedTuple):
    """What a program did, to whoever looks at it."""

    code: int
    stdout: str
    stderr: str


def did(workshop: Workshop, command: tuple[str, ...], **extra: Any) -> Did:
    done = subprocess.run(
        command,
        cwd=workshop.root,
        capture_output=True,
        text=True,
        timeout=110,
        stdin=subprocess.DEVNULL,
        **extra,
    )
    return Did(done.returncode, done.stdout, done.stderr)


def alike(workshop: Workshop, *command: str, env: dict[str, str] | None = None) -> tuple[Did, RunDetail]:
    """Run a command without and with Lineal; both must look the same. Gives back how, and what was recorded.

    What it left behind the first time is taken away before the second.
    """
    before = {path.name for path in workshop.root.iterdir()}
    variables = {**workshop.environment, **(env or {})}
    plain = did(workshop, command, env=variables)
    for path in workshop.root.iterdir():
        if path.name not in before:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    recorded = did(workshop, (*LINEAL, "run", *command), env=variables)
    assert recorded == plain
    return recorded, workshop.newest()


def no_gaps(detail: RunDetail) -> bool:
    return gaps(detail) == []


@needs_library
def test_a_program_that_closes_every_descriptor_keeps_its_own_files_whole(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    text = """open("data.txt", O_RDONLY); for (int fd = 3; fd < 4096; fd++) close(fd);
    for (int n = 0; n < 1100; n++) { char name[32]; sprintf(name, "o/%d.txt", n); FILE *f = fopen(name, n % 2 ? "w" : "a");
    if (!f) { n = -n; dprintf(1, "%d\\n", n); return 3; } fputs("mine", f); fflush(f); }"""
    (workshop.root / "o").mkdir()
    did_, done = alike(workshop, "sh", "-c", f"ulimit -n 2000; {compiled(workshop, text)}")
    assert did_.code == 0
    assert {path.read_text() for path in (workshop.root / "o").iterdir()} == {"mine", "minemine"}
    assert files(done)[0][0] == "data.txt"
    assert "o" in files(done)[1]


def test_a_python_that_closes_every_descriptor_is_still_recorded(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    workshop.script(
        "step.py", "import os\nos.closerange(3, 65536)\nopen('out.txt', 'w').write(open('data.txt').read())\n"
    )
    assert files(alike(workshop, sys.executable, "step.py")[1]) == (["data.txt"], ["out.txt"])


@ROOT
@needs_library
def test_a_program_that_becomes_another_user_is_seen_on_and_its_programs_are_named(
    workshop: Workshop,
) -> None:
    put(workshop.root, data="x")
    for folder in (workshop.root, *workshop.root.parents):
        if folder.name.startswith(("pytest", "test_", "project")):
            folder.chmod(0o777 if folder == workshop.root else 0o755)
    os.chmod(workshop.root / ".lineal", 0o700)
    text = """setgid(65534); setuid(65534); open("data.txt", O_RDONLY); write(creat("out.txt", 0644), "x", 1);
    if (fork() == 0) execlp("cp", "cp", "data.txt", "copy.txt", (char *)0); wait(0);
    return system("exit 3") != 3 << 8;"""
    program = compiled(workshop, text)
    os.chmod(program, 0o755)
    did_, done = alike(workshop, program)
    assert did_.code == 0
    assert files(done) == (["data.txt"], ["out.txt"])
    assert len(gaps(done)) == 2
    assert gaps(done)[0].startswith("not observed inside: cp: it runs as another user, who may not ")
    assert gaps(done)[1].startswith("not observed inside: what prog starts as another user, who may not ")


@needs_library
def test_a_program_with_an_empty_environment_is_named(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    did_, done = alike(workshop, "env", "-i", "/bin/cat", "data.txt")
    assert did_ == (0, "x", "")
    assert gaps(done) == [
        "not observed inside: /bin/cat: it was started without the environment that Lineal gave"
    ]


def test_a_program_that_leaves_at_once_is_recorded(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    workshop.script(
        "step.py", "import os\nopen('data.txt').read(); open('out.txt', 'w').write('x')\nos._exit(5)\n"
    )
    did_, done = alike(workshop, sys.executable, "step.py")
    assert (did_.code, done.state, files(done)[0]) == (5, "failed", ["data.txt"])


@needs_library
def test_a_program_that_is_killed_keeps_what_it_did(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    text = 'open("data.txt", O_RDONLY); write(creat("out.txt", 0600), "x", 1); kill(getpid(), 9);'
    did_, done = alike(workshop, compiled(workshop, "#include <signal.h>\n" + text))
    assert (did_.code, done.state, done.signal) == (-9, "killed", 9)
    assert files(done) == (["data.txt"], ["out.txt"])


@needs_library
def test_a_limit_on_the_size_of_files_never_hits_because_of_the_journal(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    text = """for (int n = 0; n < 400; n++) { char name[64]; sprintf(name, "i%d.txt", n); close(creat(name, 0600)); unlink(name); }
    puts("through");"""
    did_, _ = alike(workshop, "sh", "-c", f"ulimit -f 1; exec {compiled(workshop, text)}")
    assert did_ == (0, "through\n", "")


@ROOT
@needs_library
def test_a_full_disk_is_the_programs_own_affair(workshop: Workshop, tmp_path: Path) -> None:
    put(workshop.root, data="x")
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(small)], capture_output=True
    ).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        text = """char page[4096]; int fd = creat(argv[1], 0600); while (write(fd, page, 4096) > 0); close(fd);
        for (int n = 0; n < 5000; n++) { char name[32]; sprintf(name, "t%d.txt", n); close(creat(name, 0600)); unlink(name); }
        unlink(argv[1]); write(creat("out.txt", 0600), "x", 1); puts("through"); return 4;"""
        full = str(small / "filler")
        env = {"LINEAL_DIR": str(small / "lineal"), "LINEAL_STORE": str(tmp_path / "record.db")}
        program = compiled(workshop, text)
        plain = did(workshop, (program, full), env={**workshop.environment, **env})
        recorded = did(workshop, (*LINEAL, "run", program, full), env={**workshop.environment, **env})
        assert recorded[:2] == plain[:2] == (4, "through\n")
        assert all(line.startswith("lineal: ") for line in recorded.stderr.splitlines())
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


@needs_library
def test_ten_thousand_forks_are_nothing_to_it(workshop: Workshop) -> None:
    text = """for (int n = 0; n < 10000; n++) { int pid = fork(); if (!pid) { if (n % 100 == 0) { char name[32];
    sprintf(name, "o%d.txt", n); write(creat(name, 0600), "x", 1); } _exit(0); } waitpid(pid, 0, 0); } puts("through");"""
    did_, done = alike(workshop, compiled(workshop, text))
    assert did_ == (0, "through\n", "")
    assert len(files(done)[1]) == 100
    assert done.facets["lineal.processes/1"]["count"] == 100
    assert no_gaps(done)


def test_a_gigabyte_on_stdout_arrives_whole(workshop: Workshop) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{LINEAL[0]} -m lineal run dd if=/dev/zero bs=1M count=1024 2>/dev/null | wc -c"],
        cwd=workshop.root,
        env=workshop.environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.strip()) == (0, str(1 << 30))


@needs_library
def test_a_million_openings_leave_a_small_journal(workshop: Workshop) -> None:
    for number in range(50):
        put(workshop.root, **{f"i{number}": "x"})
    text = """for (int n = 0; n < 1000000; n++) { char name[32]; sprintf(name, "i%d.txt", n % 50); close(open(name, O_RDONLY)); }
    struct stat s; DIR *d = opendir(argv[1]); long all = 0; struct dirent *e;
    while ((e = readdir(d))) { char p[4096]; sprintf(p, "%s/%s", argv[1], e->d_name); if (!stat(p, &s) && S_ISREG(s.st_mode)) all += s.st_size; }
    return all > 100000;"""
    program = compiled(workshop, "#include <dirent.h>\n" + text)
    workshop.run(program, str(workshop.root / ".lineal" / "journal"))
    assert len(files(workshop.newest())[0]) == 50


TOUCH = """
int many = atoi(argv[1]); char name[64];
for (int n = 0; n < many; n++) {
    if (n % 1000 == 0) { sprintf(name, "set/%d", n / 1000); mkdir(name, 0700); }
    sprintf(name, "set/%d/%d.bin", n / 1000, n);
    int fd = open(name, argv[2] ? O_RDONLY : O_WRONLY | O_CREAT, 0600); if (fd < 0) return 1;
    if (!argv[2]) write(fd, name, 20);
    close(fd);
}
"""


def test_very_many_different_files_are_one_data_set_or_a_counted_gap(workshop: Workshop) -> None:
    many = 1_000_000 if os.environ.get("LINEAL_SOAK") else 20_000
    (workshop.root / "set").mkdir()
    program = compiled(workshop, TOUCH, name="touch")
    subprocess.run([program, str(many)], cwd=workshop.root, check=True)
    command = [*LINEAL, "run", program, str(many), "read"]
    subprocess.run(command, cwd=workshop.root, env=workshop.environment, check=True)
    (lock,) = (workshop.root / ".lineal").glob("deliver-*.lock")  # its process stays for some seconds
    told = Path(f"/proc/{int(lock.read_text())}/status").read_text()
    peak = next(int(line.split()[1]) for line in told.splitlines() if line.startswith("VmHWM"))  # kB
    assert peak < (1000 if many > 400_000 else 200) * 1024
    done = workshop.newest()
    assert files(done)[0] == ["set"]
    if many > 400_000:
        assert gaps(done) == [gap for gap in gaps(done) if "not followed: " in gap and "more folders" in gap]
        assert "not followed" in done.inputs[0].reason
    else:
        assert (gaps(done), done.inputs[0].level) == ([], "content")


def test_what_comes_after_the_most_files_that_are_followed_is_counted(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold, "MOST_FILES", 150)
    for folder in ("set", "other"):
        (workshop.root / folder).mkdir()
        for number in range(200 if folder == "set" else 20):
            (workshop.root / folder / f"{number}.txt").write_text(str(number))
    text = "import glob\nfor name in sorted(glob.glob('set/*')) + sorted(glob.glob('other/*')): open(name).read()\n"
    workshop.script("step.py", text)
    record = "import sys; from lineal.capture.launch import main; sys.exit(main(sys.argv[1:]))"
    recorded = [sys.executable, "-c", record, sys.executable, "step.py"]
    subprocess.run(recorded, cwd=workshop.root, env=workshop.environment, check=True)
    sync(Project(str(workshop.root), str(workshop.root / ".lineal")))
    done = workshop.newest()
    assert files(done)[0] == ["set"]
    assert done.inputs[0].level == "none"
    assert [gap for gap in gaps(done) if gap.startswith("not followed: 7")] == gaps(done) != []


def test_a_sitecustomize_of_the_users_own_still_runs(workshop: Workshop) -> None:
    own = workshop.root / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text(
        "import sys\nif len(sys.orig_argv) == 2: print('own sitecustomize')\n"
    )
    workshop.script("step.py", "import sitecustomize\nprint(sitecustomize.__file__)\n")
    did_, _ = alike(workshop, sys.executable, "step.py", env={"PYTHONPATH": str(own)})
    assert did_.stdout.startswith("own sitecustomize\n")


@needs_library
def test_a_preloaded_library_of_the_users_own_stays_first_and_both_see(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    source = workshop.root.parent / "own.c"
    source.write_text(
        HEAD
        + "#include <dlfcn.h>\n#include <stdarg.h>\nint open(const char *p, int f, ...) { va_list a; va_start(a, f);"
        'int m = va_arg(a, int); if (strstr(p, "data")) dprintf(1, "mine %s\\n", p);'
        'int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, "open"); return next(p, f, m); }\n'
    )
    library = workshop.root.parent / "own.so"
    subprocess.run([shutil.which("cc") or "cc", "-w", "-shared", "-fPIC", "-o", library, source], check=True)
    did_, done = alike(
        workshop, compiled(workshop, 'open("data.txt", O_RDONLY);'), env={"LD_PRELOAD": str(library)}
    )
    assert did_ == (0, "mine data.txt\n", "")
    assert files(done) == (["data.txt"], [])


@needs_library
def test_a_program_with_a_sanitizer_runs_unobserved_and_is_named(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    try:
        program = compiled(
            workshop, 'open("data.txt", O_RDONLY); puts("clean");', "-fsanitize=address", name="clean"
        )
    except subprocess.CalledProcessError:
        pytest.skip("the compiler has no sanitizer")
    for command in ((program,), ("sh", "-c", f"{program}; true")):
        did_, done = alike(workshop, *command)
        assert did_ == (0, "clean\n", "")
        assert gaps(done) == [f"not observed inside: {program}: it was built with a sanitizer"]


@pytest.mark.parametrize(
    "how",
    [
        ("-X", "dev", "-W", "error"),
        ("-X", "importtime"),
        ("-m", "cProfile", "-o", "profile"),
        ("-m", "coverage", "run"),
        ("-m", "pdb", "-c", "continue", "-c", "quit"),
        ("-m", "trace", "--count", "--coverdir", "cover", "--summary"),
    ],
    ids=lambda how: how[1],
)
def test_a_python_under_a_tool_behaves_as_without(how: tuple[str, ...], workshop: Workshop) -> None:
    put(workshop.root, data="x")
    workshop.script("step.py", "print(open('data.txt').read())\nopen('out.txt', 'w').close()\n")
    quiet = ("sh", "-c", 'exec "$0" "$@" 2>/dev/null | grep -c x', sys.executable, *how, "step.py")
    did_, done = alike(
        workshop, *(quiet if how[1] in {"importtime", "trace"} else (sys.executable, *how, "step.py"))
    )
    assert did_.code == 0
    assert files(done)[0] == ["data.txt"]  # the script that the tool opens is code
    assert "out.txt" in files(done)[1]
    assert not [path.name for path in workshop.root.rglob("*.cover") if "lineal" in path.name]


@needs_library
@pytest.mark.skipif(shutil.which("gdb") is None, reason="no debugger here")
def test_a_program_under_a_debugger_behaves_as_without(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    program = compiled(workshop, 'open("data.txt", O_RDONLY); puts("ran"); return 6;', "-g")
    text = f"gdb -q -batch -ex 'break main' -ex run -ex continue {program} 2>/dev/null | grep -e ran -e exited | cut -c1-9"
    did_, done = alike(workshop, "sh", "-c", text)
    assert "ran\n" in did_.stdout
    assert "data.txt" in files(done)[0]


@ROOT
@needs_library
def test_a_setuid_program_runs_with_its_rights_and_is_named(workshop: Workshop) -> None:
    program = Path(compiled(workshop, 'printf("%d\\n", geteuid());', name="other"))
    os.chown(program, 65534, 65534)
    program.chmod(0o4755)
    did_, done = alike(workshop, "sh", "-c", f"{program}; true")
    assert did_ == (0, "65534\n", "")
    assert gaps(done) == [f"not observed inside: {program}: it runs with the rights of another user"]


def tiny(path: Path) -> str:
    """A 32-bit program of 84 bytes that ends with code 42."""
    code = bytes.fromhex("b801000000bb2a000000cd80")  # exit(42)
    head = (
        b"\x7fELF\x01\x01\x01"
        + bytes(9)
        + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0x8048054, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    )
    segment = struct.pack("<8I", 1, 0, 0x8048000, 0x8048000, 84 + len(code), 84 + len(code), 5, 4096)
    path.write_bytes(head + segment + code)
    path.chmod(0o755)
    return str(path)


@needs_library
def test_a_32_bit_program_runs_without_a_complaint_and_is_named(workshop: Workshop) -> None:
    program = tiny(workshop.root.parent / "tiny")
    try:
        if subprocess.run([program]).returncode != 42:
            pytest.skip("the kernel runs no 32-bit programs")
    except OSError:
        pytest.skip("the kernel runs no 32-bit programs")
    for command in ((program,), ("sh", "-c", f"{program}; exit $?")):
        did_, done = alike(workshop, *command)
        assert did_ == (42, "", "")
        assert gaps(done) == [f"not observed inside: {program}: it is a 32-bit program"]


@needs_library
@pytest.mark.parametrize(
    ("options", "why"),
    [(("-m32",), "it is a 32-bit program"), (("musl",), "it uses another C library")],
    ids=["32-bit", "musl"],
)
def test_a_program_that_could_not_load_the_library_is_started_without_it(
    options: tuple[str, ...], why: str, workshop: Workshop
) -> None:
    put(workshop.root, data="x")
    source = workshop.root.parent / "odd.c"
    source.write_text(
        HEAD + 'int main(void) { FILE *f = fopen("data.txt", "r"); putchar(fgetc(f)); return 0; }\n'
    )
    odd = str(workshop.root.parent / "odd")
    compiler = ["musl-gcc"] if options == ("musl",) else ["cc", *options]
    try:
        made = subprocess.run([*compiler, "-w", "-o", odd, source], capture_output=True)
    except OSError:
        pytest.skip("no such compiler here")
    if made.returncode:
        pytest.skip("no such compiler here")
    for command in ((odd,), ("sh", "-c", f"{odd}; true")):
        did_, done = alike(workshop, *command)
        assert did_ == (0, "x", "")
        assert gaps(done) == [f"not observed inside: {odd}: {why}"]


def test_a_script_without_a_first_line_is_run_by_the_shell(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    script = workshop.root / "plain"
    script.write_text("cat data.txt > out.txt; exit 3\n")
    script.chmod(0o755)
    did_ = did(workshop, (*LINEAL, "run", "./plain"), env=workshop.environment)
    assert did_ == (3, "", "")
    assert workshop.newest().state == "failed"
