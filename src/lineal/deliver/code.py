"""Which code ran: the commit, and when the checkout was dirty its difference and the untracked source files, kept.

Where there is no git: the script's own path and digest. Secrets are redacted before anything is kept.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

from lineal.capture import redact
from lineal.core.ids import sha256
from lineal.resolve.content import sha256_of

LARGEST_FILE = 1 << 20  # bytes of an untracked source file that is kept
LARGEST_DIFF = 32 << 20
_PATIENCE = 30  # seconds for one git command
SOURCES = frozenset(
    ".py .pyi .pyx .ipynb .r .rmd .jl .scala .java .kt .c .h .cc .cpp .hpp .cu .cuh .rs .go .js .ts .sh .bash .sql .m .lua"
    " .toml .yaml .yml .cfg .ini .json .mk .cmake .dockerfile .tf .proto .j2".split()
)
_NAMED = frozenset({"makefile", "dockerfile", "snakefile", "justfile", "rakefile", "jenkinsfile"})
_PRIVATE = (
    "credentials",
    "secret",
    "id_rsa",
    "id_ed25519",
    ".pem",
    ".key",
    ".netrc",
    ".pypirc",
    "kubeconfig",
)

Keep = Callable[[bytes], str]  # stores bytes, gives back their `sha256:...`


def collect(root: str, script: str | None, keep: Keep, *, project: str) -> dict[str, Any]:
    """The code as one JSON-ready mapping, the same for equal code.

    Args:
        root: the folder the run was started in. script: the run's script (absolute), if there is one.
        project: the project's folder, to which the script's path is relative.
        keep: called with the bytes of the difference and of each untracked source file, redacted.
    """
    facts: dict[str, Any] = {}
    if script and os.path.isfile(script):
        facts["script"] = {"path": _relative(script, project), "sha256": _digest(script)}
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None:
        return facts
    checkout = top.decode("utf-8", "surrogateescape").strip()
    commit = _git(checkout, "rev-parse", "--verify", "-q", "HEAD")
    facts["vcs"] = "git"
    facts["commit"] = commit.decode().strip() if commit else None
    facts["branch"] = _line(_git(checkout, "symbolic-ref", "-q", "--short", "HEAD"))
    if remote := _line(_git(checkout, "config", "--get", "remote.origin.url")):
        facts["remote"] = redact.uri(remote)
    facts.update(_dirt(checkout, bool(commit), keep))
    return {key: value for key, value in facts.items() if value not in (None, "", [], {})}


def _dirt(checkout: str, has_commit: bool, keep: Keep) -> dict[str, Any]:
    """What differs from the commit. Empty when nothing does."""
    listed = _git(
        checkout, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules=none"
    )
    if listed is None:
        return {"dirty": None, "reason": "git status failed"}
    entries = [entry for entry in listed.split(b"\0") if len(entry) > 3]
    untracked = [os.fsdecode(entry[3:]) for entry in entries if entry.startswith(b"?? ")]
    changed = len(untracked) < len(entries)
    facts: dict[str, Any] = {"dirty": bool(entries)}
    if changed and has_commit:
        diff = _git(checkout, "diff", "--no-color", "--no-ext-diff", "--no-textconv", "--binary", "HEAD")
        if diff is None or len(diff) > LARGEST_DIFF:
            facts["reason"] = (
                "the difference could not be read" if diff is None else "the difference is over 32 MiB"
            )
        else:
            facts["diff"] = keep(_clean(diff))
    kept, left = [], 0
    for path in untracked:
        found = _untracked(checkout, path, keep)
        if found is None:
            left += 1
        else:
            kept.append(found)
    facts["untracked"] = kept
    if left:
        facts["untracked_not_kept"] = left
    return facts


def _untracked(checkout: str, path: str, keep: Keep) -> dict[str, str] | None:
    """An untracked file that is source: kept. None for anything else (data, large, private)."""
    name = os.path.basename(path).lower()
    extension = os.path.splitext(name)[1]
    if extension not in SOURCES and name not in _NAMED:
        return None
    if name.startswith(".env") or name.endswith(".env") or any(word in name for word in _PRIVATE):
        return None
    whole = os.path.join(checkout, path)
    try:
        if os.path.islink(whole) or not os.path.isfile(whole) or os.path.getsize(whole) > LARGEST_FILE:
            return None
        with open(whole, "rb") as file:
            return {
                "path": path.encode("utf-8", "backslashreplace").decode(),
                "sha256": keep(_clean(file.read())),
            }
    except OSError:
        return None


def _clean(data: bytes) -> bytes:
    """The bytes with secrets redacted; other bytes stay as they are, whatever their encoding."""
    text = data.decode("utf-8", "surrogateescape")
    clean, count = redact.text(text)
    return clean.encode("utf-8", "surrogateescape") if count else data


def _digest(path: str) -> str | None:
    try:
        return "sha256:" + sha256_of(os.fsencode(path))
    except OSError:
        return None


def _relative(path: str, root: str) -> str:
    relative = os.path.relpath(path, root)
    return path if relative.startswith("..") else relative


def _line(output: bytes | None) -> str:
    return output.decode("utf-8", "replace").strip() if output else ""


def _git(folder: str, *arguments: str) -> bytes | None:
    """What a git command printed; None when it failed or there is no git. Takes no lock in the user's repository."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "LINEAL_RUN")}
    environment.update(GIT_OPTIONAL_LOCKS="0", LC_ALL="C", GIT_TERMINAL_PROMPT="0")
    try:
        done = subprocess.run(
            ["git", "-C", folder, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def digest_of(facts: bytes) -> str:
    """The identity of collected facts, written canonically."""
    return sha256(facts)
