"""Names relative to a folder's descriptor are the file they mean, never one of the same name in the working directory."""

from __future__ import annotations

import sys

import pytest

from tests.deliver.below import files, gaps, needs_library, put
from tests.deliver.conftest import Workshop

SAME_NAMES = {"a": "in the working directory", "b": "in the working directory", "sub": "no folder here"}


def two_folders(workshop: Workshop) -> None:
    """`there` with files, and files of the same names where the program stands."""
    inner = workshop.root / "there" / "sub.txt"
    inner.mkdir(parents=True)
    put(workshop.root / "there", a="a", b="b")
    put(inner, c="c")
    put(workshop.root, **SAME_NAMES, c="in the working directory")


@needs_library
@pytest.mark.parametrize(
    ("text", "read", "written"),
    [
        ("os.open('a.txt', os.O_RDONLY, dir_fd=fd)", ["there/a.txt"], []),
        ("os.open('a.txt', os.O_RDONLY, dir_fd=None)", ["a.txt"], []),
        ("os.open(*('a.txt', os.O_RDONLY), **{'dir_fd': fd})", ["there/a.txt"], []),
        ("open('a.txt', opener=lambda p, f: os.open(p, f, dir_fd=fd)).read()", ["there/a.txt"], []),
        ("open('a.txt', opener=functools.partial(os.open, dir_fd=fd)).read()", ["there/a.txt"], []),
        ("open('new.txt', 'w', opener=functools.partial(os.open, dir_fd=fd)).write('x')", [], ["there/new.txt"]),
        ("[os.open(n, 0, dir_fd=at) for _, _, names, at in os.fwalk('there') for n in names]",
         ["there/a.txt", "there/b.txt", "there/sub.txt/c.txt"], []),
        ("[os.open(e.name, 0, dir_fd=fd) for e in os.scandir(fd) if e.is_file()]", ["there/a.txt", "there/b.txt"], []),
        ("shutil.rmtree('there')", [], []),
        ("shutil.copytree('there', 'copy')", ["there/a.txt", "there/b.txt", "there/sub.txt/c.txt"],
         ["copy/a.txt", "copy/b.txt", "copy/sub.txt/c.txt"]),
        ("os.rename('a.txt', 'moved.txt', src_dir_fd=fd)", ["there/a.txt"], ["moved.txt"]),
        ("os.link('a.txt', 'linked.txt', dst_dir_fd=fd)", ["a.txt"], ["there/linked.txt"]),
        ("os.remove('a.txt', dir_fd=fd)", [], []),
    ],
)  # fmt: skip
def test_a_name_in_an_open_folder_is_recorded_once_and_where_it_is(
    workshop: Workshop, text: str, read: list[str], written: list[str]
) -> None:
    two_folders(workshop)
    done = workshop.python(f"import functools, os, shutil\nfd = os.open('there', os.O_RDONLY)\n{text}\n")
    assert files(done) == (read, written)
    assert gaps(done) == []


def test_without_the_layer_below_such_a_name_is_a_gap_and_no_guess(workshop: Workshop) -> None:
    two_folders(workshop)
    workshop.script(
        "step.py",
        """
        import os
        fd = os.open("there", os.O_RDONLY)
        for _ in range(20):  # the interpreter rewrites what it runs often
            os.open("a.txt", os.O_RDONLY, dir_fd=fd)
        open("b.txt", opener=lambda p, f: os.open(p, f, dir_fd=fd)).read()
        os.rename("a.txt", "moved.txt", src_dir_fd=fd, dst_dir_fd=fd)
        open("c.txt").read()
        """,
    )
    workshop.run(sys.executable, "step.py", env={"LINEAL_PRELOAD": "0"})
    done = workshop.newest()
    assert files(done) == (["c.txt", "there/a.txt"], ["there/moved.txt"])
    assert any("dir_fd" in gap for gap in gaps(done))
