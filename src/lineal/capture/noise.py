"""Which paths say nothing about where a model came from: the interpreter, its packages, caches, the system's own files."""

from __future__ import annotations

import os
import sys

_SYSTEM = (
    "/proc/",
    "/sys/",
    "/dev/",
    "/etc/",
    "/run/",
    "/usr/lib",
    "/lib/",
    "/lib64/",
    "/usr/local/lib/",
    "/usr/bin/",
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
    roots = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    for prefix in roots | {os.path.realpath(p) for p in roots}:
        folder = prefix.rstrip("/") + "/"
        # A virtual environment may be made in the project's own folder, and Docker images use /usr/local.
        if (
            folder in {"/", "/usr/", "/usr/local/"}
            or here.startswith(folder)
            or (_root and _root.startswith(folder))
        ):
            found += [folder + name for name in _INTERPRETER]
        else:
            found.append(folder)
    found.append(os.path.dirname(os.path.realpath(os.__file__)) + "/")
    temporary = {"/tmp", os.environ.get("TMPDIR", "/tmp").rstrip("/")}
    found += [folder + "/" + name for folder in temporary for name in _TEMPORARY]
    return tuple(found)


def hidden(path: str) -> bool:
    """Whether `path`, which has a part that begins with a dot, is a cache or a private file rather than data."""
    if _root and path.startswith(_root):
        rest = path[len(_root) - 1 :]
        return rest == "/.git" or any(part in rest for part in _HIDDEN)
    if path.startswith(_kept):
        return False
    if _home and path.startswith(_home + "/."):
        return True
    return any(part in path for part in _HIDDEN)
