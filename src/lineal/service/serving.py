"""Where the record of a project is: behind a server that is named or runs here, or in the project's own store.

A running server leaves `server.json` in the project's folder: its address, its process, and a token that whoever may read
that file may use.
"""

from __future__ import annotations

import json
import os
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

from lineal.resolve.project import Project

FILE = "server.json"


class Address(NamedTuple):
    """A server. named: by LINEAL_URL or `--server`, rather than found beside the project."""

    url: str
    token: str
    named: bool


def served(project: Project) -> Address | None:
    """The server that keeps the record of a project; None when its own store is to be used.

    LINEAL_URL names one (LINEAL_TOKEN its token); else it is the living process that `server.json` tells of.
    """
    if url := os.environ.get("LINEAL_URL", ""):
        return Address(url, os.environ.get("LINEAL_TOKEN", ""), named=True)
    return beside(project.dir)


def beside(folder: str) -> Address | None:
    """The living server that left word in a project's folder."""
    try:
        with open(os.path.join(folder, FILE), encoding="utf-8") as file:
            told = json.load(file)
        url, token, pid, start = str(told["url"]), str(told["token"]), int(told["pid"]), int(told["start"])
        host = str(told["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if (
        host != socket.gethostname()
    ):  # a folder that several machines share: its process cannot be seen from here
        alone = (urlsplit(url).hostname or "").startswith(("127.", "localhost", "::1"))
        return None if alone else Address(url, token, named=False)
    return Address(url, token, named=False) if start_ticks(pid) == start else None


def announce(folder: str, url: str, token: str) -> None:
    """Leave word in a project's folder that this process serves its record. Only its owner may read it."""
    told = {
        "url": url,
        "pid": os.getpid(),
        "start": start_ticks(os.getpid()) or 0,
        "host": socket.gethostname(),
        "token": token,
    }
    path = os.path.join(folder, FILE)
    temporary = f"{path}.{os.getpid()}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        json.dump(told, file)
    os.replace(temporary, path)


def withdraw(folder: str) -> None:
    """Take back what `announce` left, if it is this process's."""
    path = os.path.join(folder, FILE)
    try:
        with open(path, encoding="utf-8") as file:
            if json.load(file)["pid"] == os.getpid():
                os.unlink(path)
    except (OSError, ValueError, KeyError, TypeError):
        pass


def start_ticks(pid: int) -> int | None:
    """The process's start in clock ticks since boot (proc_pid_stat(5), field 22); None when it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
