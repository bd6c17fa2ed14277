"""The layers below the interpreter: a library for LD_PRELOAD and a supervisor, compiled where a C compiler is.

They are compiled at first use into the user's cache, in a folder named after what they were made from, and used from there
by every later run: the package stays one for all machines, and needs no compiler where it is installed. Where there is none,
runs say what was not observed.
"""

from __future__ import annotations

import os
import sys

from . import noise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

LIBRARY, SUPERVISOR = "preload.so", "supervise"
_SOURCES = {
    LIBRARY: ("journal.c", "paths.c", "program.c", "preload.c", "launch.c"),
    SUPERVISOR: ("journal.c", "paths.c", "supervise.c"),
}
_HEADERS = ("record.h", "preload.h", "crc.h", "sha256.h")
_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wno-nonnull-compare", "-fno-delete-null-pointer-checks")
_SHARED = ("-shared", "-fPIC", "-fvisibility=hidden", "-ldl")
_HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "native")
_MACHINES = ("x86_64", "aarch64")
_PATIENCE_S = 60


class Missing(Exception):
    """A layer that cannot be had here; the text says why."""


def library() -> str:
    """The path of the library for LD_PRELOAD, made now if it never was. Raises Missing."""
    return _made(LIBRARY)


def supervisor() -> str:
    """The path of the supervisor program, made now if it never was. Raises Missing."""
    return _made(SUPERVISOR)


def with_library(environment: dict[str, str], path: str) -> str:
    """The value of LD_PRELOAD with ours behind what is preloaded already, so that a program's own library stays first."""
    before = [part for part in environment.get("LD_PRELOAD", "").replace(":", " ").split() if part != path]
    return ":".join([*before, path])


def _made(name: str) -> str:
    if sys.platform != "linux" or os.uname().machine not in _MACHINES or sys.maxsize < 1 << 32:
        raise Missing("it is made for Linux on 64-bit x86 and ARM processors")
    if os.environ.get("LINEAL_PRELOAD") == "0":
        raise Missing("LINEAL_PRELOAD=0 switches it off")
    files = (*_HEADERS, *_SOURCES[name])
    folder = _folder(files)
    path = os.path.join(folder, name)
    if os.path.exists(path):
        return path
    compiler = _compiler()
    if not compiler:
        raise Missing("there is no C compiler")
    failed = path + ".failed"
    try:
        if os.stat(failed).st_mtime >= os.stat(compiler).st_mtime:
            raise Missing(_text(failed).decode("utf-8", "replace"))
    except OSError:
        pass
    texts = {file: _text(os.path.join(_HERE, file)) for file in files}
    texts["noise.h"] = noise.header().encode()
    return _compile(compiler, texts, folder, name)


def _text(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _folder(files: tuple[str, ...]) -> str:
    """Where what is made from these sources lies: in a folder that nobody else can write, for it is loaded into every program.

    It is named after where they are, how large, and when they were changed: reading them costs every `lineal run` more.
    """
    from zlib import crc32  # `hashlib` costs every start of `lineal run` milliseconds

    told = [os.uname().machine, _HERE]
    for file in (*files, os.path.abspath(noise.__file__)):
        found = os.stat(os.path.join(_HERE, file))
        told.append("%s %d %d" % (file, found.st_size, found.st_mtime_ns))
    whole = os.fsencode("\0".join(told))
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.path.join(os.path.abspath(cache), "lineal", "%08x%08x" % (crc32(whole), crc32(whole[::-1])))
    if ":" in folder or " " in folder:
        raise Missing(
            f"{folder} has a sign in its name that LD_PRELOAD cannot hold; set XDG_CACHE_HOME to another folder"
        )
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        found = os.stat(folder)
    except OSError as error:
        raise Missing(f"{folder} cannot be written: {error.strerror}") from None
    if found.st_uid not in (os.geteuid(), 0) or found.st_mode & 0o022:
        raise Missing(f"others may write to {folder}")
    return folder


def _compiler() -> str:
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            path = os.path.join(folder, name)
            if name and folder and os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    return ""


def _compile(compiler: str, texts: dict[str, bytes], folder: str, name: str) -> str:
    import shutil
    import tempfile

    path = os.path.join(folder, name)
    work = tempfile.mkdtemp(prefix="making-", dir=folder)
    try:
        for file, text in texts.items():
            with open(os.path.join(work, file), "wb") as out:
                out.write(text)
        made = os.path.join(work, name)
        more = _SHARED if name == LIBRARY else ()
        problem = _run([compiler, *_FLAGS, "-o", made, *_SOURCES[name], *more], work)
        if (
            problem is None and name == LIBRARY
        ):  # a folder that nothing may be executed from, an odd C library
            problem = _run(["/bin/true"], work, LD_PRELOAD=made)
        if problem is not None:
            with open(path + ".failed", "w", encoding="utf-8", errors="replace") as out:
                out.write(problem)
            raise Missing(problem)
        os.replace(made, path)
    except OSError as error:
        raise Missing(f"it could not be compiled: {error}") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return path


def _run(command: list[str], folder: str, **more: str) -> Optional[str]:
    """None when the command ended well and silently, else what it said."""
    import subprocess

    kept = ("PATH", "HOME", "TMPDIR", "LANG")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    said = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode == 0 and not said:
        return None
    return f"{command[0]} ended with {done.returncode}: {said[-500:]}"
