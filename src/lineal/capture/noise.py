"""Which paths say nothing about where a model came from: the interpreter, its packages, caches, the system's own files."""

from __future__ import annotations

import os
import sys

_SYSTEM = (
    "/proc/",
    "/sys/",
    "/dev/pts/",
    "/dev/fd/",
    *(  # what programs share their memory by; other files there are data
        "/dev/shm/" + name
        for name in (
            "sem.",
            "psm_",
            "pymp-",
            "joblib_memmapping_folder_",
            "loky-",
            "torch_",
            "plasma",
            "nccl-",
            "shm-",
        )
    ),
    "/etc/",
    "/run/",
    "/usr/lib",
    "/lib/",
    "/lib64/",
    "/usr/local/lib/",
    "/usr/bin/",
    "/usr/include/",
    "/usr/share/zoneinfo",
    "/usr/share/fonts/",
    "/usr/local/share/fonts/",
    "/usr/share/locale/",
    "/usr/share/i18n/",
    "/usr/share/X11/",
    "/usr/share/mime/",
    "/usr/share/terminfo/",
    "/usr/share/python",
    "/var/cache/",
    "/nix/store/",
)
_SHARED = "/usr/share/"
# Models and data sets that people download are kept in caches, and are inputs all the same.
_KEPT = (
    "/.cache/huggingface/hub/",
    "/.cache/huggingface/datasets/",
    "/.cache/torch/hub/",
    "/.cache/kagglehub/",
    "/.keras/datasets/",
    "/.keras/models/",
)
_TEMPORARY = (
    "joblib_memmapping_folder_",
    "pymp-",
    "loky-",
    "matplotlib-",
    "ipykernel_",
    "pip-",
    "torchelastic_",
    "ray/",
    "dask-scratch-space/",
    "dask-worker-space/",
)
_HIDDEN = (
    "/.git/",
    "/.lineal/",
    "/.venv/",
    "/.cache/",
    "/.mypy_cache/",
    "/.pytest_cache/",
    "/.ruff_cache/",
    "/.ipynb_checkpoints/",
    "/.tox/",
    "/.nox/",
    "/.hypothesis/",
    "/.idea/",
    "/.vscode/",
    "/.ssh/",
    "/.aws/",
)
_INTERPRETER = ("bin", "lib", "lib64", "include", "share", "etc", "conda-meta", "pkgs", "pyvenv.cfg")

_home = ""
_root = ""
_kept: tuple[str, ...] = ()


def prefixes(root: str, own: tuple[str, ...]) -> tuple[str, ...]:
    """What an absolute path must not begin with to be data.

    Args:
        root: the project's folder, or "".
        own: folders of Lineal itself.
    """
    global _home, _root, _kept
    _home = os.environ.get("HOME", "").rstrip("/")
    _root = root.rstrip("/") + "/" if root else ""
    _kept = tuple([_home + k for k in _KEPT])
    try:
        here = os.getcwd() + "/"
    except OSError:
        here = "/"
    found = list(_SYSTEM) + list(own)
    for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}:
        found += interpreter(prefix, _root, here)
    found.append(os.path.dirname(os.path.realpath(os.__file__)) + "/")
    temporary = {"/tmp", os.environ.get("TMPDIR", "/tmp").rstrip("/")}
    found += [folder + "/" + name for folder in temporary for name in _TEMPORARY]
    return tuple(found)


def interpreter(prefix: str, *above: str) -> list[str]:
    """What begins with the folder of an interpreter or environment. above: folders with data that may lie in it."""
    found: list[str] = []
    for one in {prefix, os.path.realpath(prefix)}:
        folder = one.rstrip("/") + "/"
        # A virtual environment may be made in the project's own folder, and Docker images use /usr/local.
        if folder in {"/", "/usr/", "/usr/local/"} or any(path.startswith(folder) for path in above if path):
            found += [folder + name for name in _INTERPRETER]
        else:
            found.append(folder)
    return found


def header() -> str:
    """The same for C: what no program's file begins with or holds, whoever opens it."""
    begins, inside = sorted({*_SYSTEM}), ["-packages/", "/__pycache__/", "/pyvenv.cfg"]
    lines = ["/* Made from capture/noise.py. */", "struct piece { const char *text; unsigned length; };"]
    for name, pieces in (("QUIET_BEGINS", begins), ("QUIET_INSIDE", inside)):
        listed = ", ".join(['{"%s", %d}' % (piece, len(piece)) for piece in pieces])
        lines.append("static const struct piece %s[] = {%s};" % (name, listed))
    return "\n".join(lines) + "\n"


def hidden(path: str) -> bool:
    """Whether `path`, which has a part that begins with a dot, is a cache or a private file rather than data."""
    return hidden_from(path, _root, _home, _kept)


def hidden_from(path: str, root: str, home: str, kept: tuple[str, ...]) -> bool:
    """The same for a project's folder `root` (with a slash behind it) and a user's `home`; kept: caches whose content is data."""
    if root and path.startswith(root):
        rest = path[len(root) - 1 :]
        return rest.endswith("/.git") or any(part in rest for part in _HIDDEN)
    if path.startswith(kept):
        return False
    if home and path.startswith(home + "/."):
        return True
    return path.endswith("/.git") or any(part in path for part in _HIDDEN)


class Quiet:
    """The same for what was seen from outside the program: by a library or supervisor that knows no interpreter's folders.

    Args:
        root: the project's folder.
        own: folders of Lineal itself.
    """

    def __init__(self, root: str, own: tuple[str, ...]) -> None:
        self._home = os.environ.get("HOME", "").rstrip("/")
        self._root = root.rstrip("/") + "/"
        self._kept = tuple([self._home + k for k in _KEPT])
        temporary = {"/tmp", os.environ.get("TMPDIR", "/tmp").rstrip("/")}
        self._begins = (*_SYSTEM, *own, *[folder + "/" + name for folder in temporary for name in _TEMPORARY])

    def add(self, prefix: str) -> None:
        """An interpreter of the run lives in `prefix`."""
        if prefix:
            self._begins = tuple({*self._begins, *interpreter(prefix, self._root)})

    def __call__(self, path: str, program: str = "") -> bool:
        """Whether an absolute path is noise, read or written by a program of that name."""
        return (
            path.startswith(self._begins)
            or (program and path.startswith(_SHARED + program))  # a program's own: `git` reads in `git-core`
            or "-packages/" in path
            or "/__pycache__/" in path
            or path.endswith((".pyc", ".lock", "-journal", "-wal", "-shm", "/pyvenv.cfg"))
            or ("/." in path and hidden_from(path, self._root, self._home, self._kept))
        )
