"""What a command line says about itself: the job it is, the script it starts, and why its inside may stay unseen."""

from __future__ import annotations

import os
from _struct import error as struct_error  # type: ignore[attr-defined]

from ..journal.frames import HEAD, MAGIC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .layers import Layers

_SCRIPTS = (
    *(
        ".py",
        ".pyw",
        ".ipynb",
        ".sh",
        ".bash",
        ".zsh",
        ".fish",
        ".r",
        ".rmd",
        ".qmd",
        ".jl",
        ".sql",
        ".pl",
        ".rb",
        ".js",
        ".ts",
        ".mjs",
    ),
    *(".scala", ".lua", ".m", ".do", ".go", ".mk", ".groovy", ".ps1"),
)
_IGNORES_SITE = {"I": "-I", "E": "-E", "S": "-S"}
_WITH_VALUE = "cmWXQ"
_LARGEST = 1 << 20  # bytes of a first record
_MOSTLY = 4096  # bytes in which most of them fit
_BEFORE = len(MAGIC) + HEAD.size


def is_python(program: str) -> bool:
    """Whether a program's name is that of a Python interpreter."""
    name = os.path.basename(program)
    return name.rstrip("0123456789.tw") in ("python", "pypy", "pythond")


def job_of(command: Sequence[str], root: str) -> tuple[str, str]:
    """(the job's name, absolute path of the script or an empty text).

    The first word that is an existing script, as its path relative to `root`; `python -m mod` is `mod`; else the program's name.
    """
    for at, word in enumerate(command):
        if word == "-m" and any(is_python(before) for before in command[:at]) and at + 1 < len(command):
            notebook = next(
                (arg for arg in command[at + 2 :] if arg.endswith(".ipynb") and os.path.isfile(arg)), ""
            )
            if notebook and command[at + 1] in ("jupyter", "nbconvert", "papermill", "nbclient"):
                return relative_to(os.path.abspath(notebook), root), os.path.abspath(notebook)
            return command[at + 1], ""
        if word == "-c" and at and is_python(command[at - 1]):
            break
        if (word.lower().endswith(_SCRIPTS) or (at and is_python(command[at - 1]))) and os.path.isfile(word):
            path = os.path.abspath(word)
            return relative_to(path, root), path
    return os.path.basename(command[0]) or command[0], ""


def relative_to(path: str, root: str) -> str:
    """`path` relative to `root` with `/`, or unchanged when it lies outside."""
    for base in (root, os.path.realpath(root)):
        for candidate in (path, os.path.realpath(path)):
            if candidate.startswith(base.rstrip(os.sep) + os.sep):
                return os.path.relpath(candidate, base).replace(os.sep, "/")
    return path


def unobserved(command: Sequence[str], directory: str, run: str, wrapper: int, layers: Layers) -> str:
    """What was not seen of the command, as a sentence; empty when nothing is missing.

    directory: of the journals; wrapper: our own pid, whose journal does not count; layers: what was around the command.
    """
    python = is_python(command[0])
    ours = b'"pid":%d,' % wrapper
    pythons = False
    for opened in _opened(directory, run):
        if ours in opened or b'"layer":' in opened:
            continue
        if b'"main":true' in opened:
            return ""
        pythons = True
    if not python:
        if layers.sees:
            return ""
        if layers.library:
            return f"not observed inside: {command[0]}: {layers.obstacle}"
        if pythons:
            return "files of non-Python children not observed"
        return f"not observed inside: {command[0]} runs no Python that could be recorded; files named with --in and --out are"
    reason = _switched_off(command)
    files = "; its files are recorded, its parameters and metrics are not" if layers.sees else ""
    return f"not observed inside: {reason}{files}"


def _switched_off(command: Sequence[str]) -> str:
    """Why a Python did not let us in."""
    for word in command[1:]:
        if not word.startswith("-") or word == "-":
            break
        if not word.startswith("--"):
            for letter in word[1:]:
                if letter in _IGNORES_SITE:
                    return f"{command[0]} {_IGNORES_SITE[letter]} does not let Lineal in"
                if letter in _WITH_VALUE:
                    break
    return f"{command[0]} did not load Lineal's sitecustomize"


def _opened(directory: str, run: str) -> Iterator[bytes]:
    """The first records of the journals that belong to `run`, as JSON. They are not parsed: importing a parser takes longer
    than all the rest, and within a text of the record every `"` has a `\\` before it."""
    ours = b'"run":"%s"' % run.encode()
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        if not name.endswith(".lj"):
            continue
        try:
            fd = os.open(os.path.join(directory, name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                head = os.read(fd, _MOSTLY)
                end = min(HEAD.unpack_from(head, len(MAGIC))[0], _LARGEST) + _BEFORE
                if end > len(head):
                    head += os.read(fd, end - len(head))
                first = head[_BEFORE:end]
            finally:
                os.close(fd)
        except (OSError, struct_error):
            continue
        if ours in first:
            yield first
