"""Which code ran: the commit, and when the checkout was dirty its difference and the untracked source files, kept.

Where there is no git: the script's own path and digest. Secrets are redacted before anything is kept.
"""

from __future__ import annotations

import functools
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
    config = _configuration(root)
    if config is None:
        return facts
    checkout, remote = _checkout(root, config)
    if not checkout:
        return facts
    facts["vcs"] = "git"
    facts["remote"] = remote
    facts.update(_state(checkout, keep))
    return {key: value for key, value in facts.items() if value not in (None, "", [], {})}


def _configuration(folder: str) -> tuple[str, int] | None:
    """The configuration of the checkout that a folder lies in, and when it was changed; None when it lies in none.

    A sweep asks for each of its runs, and starting git takes longer than looking for `.git`.
    """
    folder = os.path.realpath(folder)
    while not os.path.lexists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    path = os.path.join(folder, ".git", "config")
    try:
        return path, os.stat(path).st_mtime_ns
    except OSError:
        return os.path.join(folder, ".git"), 0  # a worktree or a submodule: the file says where it is


@functools.lru_cache(maxsize=100)
def _checkout(root: str, config: tuple[str, int]) -> tuple[str, str]:
    """(the checkout that a folder lies in, the address it was cloned from), as long as its configuration stays the same."""
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None:
        return "", ""
    checkout = top.decode("utf-8", "surrogateescape").strip()
    return checkout, redact.uri(_line(_git(checkout, "config", "--get", "remote.origin.url")))


def _state(checkout: str, keep: Keep) -> dict[str, Any]:
    """The commit, the branch, and what differs from the commit."""
    listed = _git(
        checkout, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--ignore-submodules=none"
    )  # fmt: skip
    if listed is None:
        commit = _line(_git(checkout, "rev-parse", "--verify", "-q", "HEAD"))
        return {"commit": commit, "dirty": None, "reason": "git status failed"}
    entries = _entries(listed)
    told = dict(entry[2:].split(b" ", 1) for entry in entries if entry.startswith(b"# branch."))
    commit, branch = (
        told.get(key, b"").decode("utf-8", "replace") for key in (b"branch.oid", b"branch.head")
    )
    facts: dict[str, Any] = {
        "commit": "" if commit == "(initial)" else commit,
        "branch": "" if branch == "(detached)" else branch,
    }
    untracked = [os.fsdecode(entry[2:]) for entry in entries if entry.startswith(b"? ")]
    changed = any(entry.startswith((b"1 ", b"2 ", b"u ")) for entry in entries)
    facts["dirty"] = changed or bool(untracked)
    if changed and facts["commit"]:
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


def _entries(listed: bytes) -> list[bytes]:
    """What `git status` listed, without the names that renamed files had before."""
    found: list[bytes] = []
    parts = iter(listed.split(b"\0"))
    for part in parts:
        if part:
            found.append(part)
        if part.startswith(b"2 "):
            next(parts, b"")
    return found


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
