"""Whether a recorded process is still alive: its pid alone proves nothing, pids are used again."""

from __future__ import annotations

import functools
import os
import pwd
import socket
from collections.abc import Mapping
from typing import Any

from lineal.deliver.words import text
from lineal.journal.append import namespace
from lineal.service.serving import start_ticks

_HOST = socket.gethostname()
_NAMESPACE = namespace("pid")


def seen_here(opened: Mapping[str, Any]) -> bool:
    """Whether the process that wrote this `open` record is, or was, one of this machine and of this container."""
    return opened.get("host", _HOST) == _HOST and opened.get("ns", _NAMESPACE) in ("", _NAMESPACE)


def alive(opened: Mapping[str, Any]) -> bool:
    """Whether the process that wrote this `open` record lives (on this machine, since the same boot, same start time).

    A process of another machine or container counts as alive: it cannot be seen from here.
    """
    if not seen_here(opened):
        return True
    boot = boot_id()
    if boot and opened.get("boot") and opened["boot"] != boot:
        return False
    pid = int(opened.get("pid") or 0)
    if pid <= 0:
        return False
    started = start_ticks(pid)
    if started is None:
        return _signalled(pid) if boot == "" else False
    return not opened.get("start") or int(opened["start"]) == started


@functools.cache
def boot_id() -> str:
    """This boot's id, empty where the system tells none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _signalled(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def actor_of(opened: dict[str, Any] | None) -> str:
    """`user@host` of a process by its `open` record; a user known only by number is looked up on this machine."""
    if not opened:
        return ""
    user = text(opened.get("user") or "")
    if user.isdecimal():
        try:
            user = pwd.getpwuid(int(user)).pw_name
        except (KeyError, OverflowError):
            pass
    return f"{user}@{text(opened.get('host') or '')}".strip("@")
