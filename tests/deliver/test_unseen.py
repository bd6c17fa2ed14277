"""What calls the kernel past the C library: seen where it can be, and named as a gap where it cannot."""

from __future__ import annotations

import shutil

import pytest

from lineal.capture import programs
from tests.deliver.below import c, compiled, files, gaps, needs_library, put, sh
from tests.deliver.conftest import Workshop
from tests.deliver.test_deep import needs_kernel

pytestmark = needs_library

INCLUDES = """
#include <linux/openat2.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
"""
RING = "struct io_uring_params how = {0}; int ring = syscall(SYS_io_uring_setup, 4, &how); if (ring < 0) return 77;"
RING_BY_ITSELF = """
struct io_uring_params how = {0}; long ring;
__asm__ volatile("syscall" : "=a"(ring) : "a"(SYS_io_uring_setup), "D"(4), "S"(&how) : "rcx", "r11", "memory");
if (ring < 0) return 77; close(open("data.txt", O_RDONLY));
"""
BY_GO = '__asm__(".pushsection .note.go.buildid, \\"a\\", %note\\n.long 4, 4, 4\\n.asciz \\"Go\\\\0\\"\\n.long 0\\n.popsection");'


def offered(workshop: Workshop) -> None:
    """Skip where the kernel has no rings for us."""
    import subprocess

    program = compiled(workshop, RING, "-include", included(workshop), name="offered")
    if subprocess.run([program]).returncode == 77:
        pytest.skip("the kernel offers no io_uring here")


def included(workshop: Workshop) -> str:
    path = workshop.root.parent / "more.h"
    path.write_text(INCLUDES)
    return str(path)


def test_files_opened_by_raw_system_calls_of_the_c_library_are_seen(workshop: Workshop) -> None:
    put(workshop.root, one="1", two="2", three="3")
    program = compiled(
        workshop,
        """struct open_how how = {.flags = O_RDONLY};
        syscall(SYS_openat, AT_FDCWD, "one.txt", O_RDONLY, 0); syscall(SYS_openat2, AT_FDCWD, "two.txt", &how, sizeof how);
        int out = syscall(SYS_openat, AT_FDCWD, "part.txt", O_WRONLY | O_CREAT | O_TRUNC, 0600); write(out, "x", 1);
        syscall(SYS_close, out); syscall(SYS_renameat2, AT_FDCWD, "part.txt", AT_FDCWD, "out.txt", 0);
        syscall(SYS_unlinkat, AT_FDCWD, "three.txt", 0); if (syscall(SYS_getpid) != getpid()) return 1;
        errno = 0; if (syscall(SYS_openat, AT_FDCWD, "none", O_RDONLY) != -1 || errno != ENOENT) return 2;""",
        "-include", included(workshop), "-include", "errno.h",
    )  # fmt: skip
    workshop.run(program)
    done = workshop.newest()
    assert files(done) == (["one.txt", "two.txt"], ["out.txt"])
    assert not (workshop.root / "three.txt").exists()
    assert gaps(done) == []


def test_a_program_that_sets_up_a_ring_is_a_gap(workshop: Workshop) -> None:
    offered(workshop)
    workshop.run(
        compiled(workshop, f"for (int n = 0; n < 3; n++) {{ {RING} }}", "-include", included(workshop))
    )
    assert gaps(workshop.newest()) == ["not observed: files that prog opens by io_uring"]


@needs_kernel
def test_the_supervisor_sees_a_ring_that_no_library_sees(workshop: Workshop) -> None:
    offered(workshop)
    put(workshop.root, data="x")
    program = compiled(workshop, RING_BY_ITSELF, "-static", "-include", included(workshop))
    workshop.run("--deep", program)
    done = workshop.newest()
    assert files(done)[0] == ["data.txt"]
    assert gaps(done) == ["not observed: files that prog opens by io_uring"]


def test_programs_of_go_are_told_from_their_files_and_those_they_start_are_seen(workshop: Workshop) -> None:
    put(workshop.root, data="b\na\n")
    by_go = compiled(workshop, BY_GO + 'execlp("sort", "sort", "-o", "out.txt", "data.txt", (char *)0);')
    assert programs.obstacle(by_go) == programs.GO
    done = sh(workshop, by_go)
    assert files(done) == (["data.txt"], ["out.txt"])
    assert gaps(done) == [f"not observed inside: {by_go}: {programs.GO}"]


def test_what_a_static_program_starts_is_seen(workshop: Workshop) -> None:
    put(workshop.root, data="b\na\n")
    static = compiled(workshop, 'execlp("sort", "sort", "-o", "out.txt", "data.txt", (char *)0);', "-static")
    for text in (static, f"true; {static}"):
        done = sh(workshop, text)
        assert files(done) == (["data.txt"], ["out.txt"])
        assert gaps(done) == [f"not observed inside: {static}: {programs.STATIC}"]


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed here")
def test_node_is_seen_and_its_loop_is_no_gap(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    (workshop.root / "step.js").write_text(
        "const fs = require('fs'); fs.readFile('data.txt', (e, d) => fs.writeFileSync('out.txt', d))\n"
    )
    done = sh(workshop, "node step.js")
    assert files(done) == (["data.txt"], ["out.txt"])
    assert gaps(done) == []


def test_a_c_program_still_has_its_own_errors(workshop: Workshop) -> None:
    c(workshop, 'return open("none", O_RDONLY) != -1 || rename("none", "other") != -1;')
