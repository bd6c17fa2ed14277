"""What the processes of a run printed: from the copies beside their journals to one kept text each.

Facet `lineal.console/1` on the run; while it goes on, `lineal.console_tail/1` with the end of what was printed so far.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterable
from typing import Any

from lineal.capture import redact
from lineal.journal.console import HEAD

MOST = 32  # processes of one run whose output is kept
_BINARY = 4096  # bytes that are looked at for a NUL
_TAIL = 8192  # bytes of the end of what a running process printed
_TAILS = 4  # such processes of one run
_EVERY_S = 2.0  # between two tellings of the end, for a run that has just begun
_PART = (
    1 / 100
)  # ... and this part of its age later, so that a long run leaves hundreds of them and not thousands


def kept(
    journals: Iterable[tuple[str, dict[str, Any]]], put: Callable[[bytes], str]
) -> dict[str, Any] | None:
    """The facet for the processes with these journal files and `open` records; None when none of them printed anything."""
    found: list[dict[str, Any]] = []
    left_out = 0
    for path, opened in sorted(journals, key=lambda item: (not item[1].get("main"), item[1].get("at", 0))):
        printed = _printed(path)
        if printed is None:
            continue
        if len(found) == MOST:
            left_out += 1
            continue
        found.append({**_process(opened), **_kept(*printed, put)})
    return {"processes": found, "left_out": left_out} if found else None


def clear(journal: str, notebooks: Iterable[str] = ()) -> None:
    """Remove the copies beside a journal file, those of notebooks too."""
    stem = journal.removesuffix(".lj")
    beside = [path for path in notebooks if path.startswith(stem + ".") and "/" not in path[len(stem) :]]
    for path in [*(stem + ending for ending in (".out", ".tail", ".tail.new")), *beside]:
        try:
            os.unlink(path)
        except OSError:
            pass


class Tails:
    """The ends of what running processes printed, told again when more was printed."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._told: dict[str, tuple[float, int]] = {}

    def of(self, run: str, journals: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Any] | None:
        """The facet, when it is time for it and there is something new; else None."""
        now = time.monotonic()
        age = now - self._began.setdefault(run, now)
        last, known = self._told.get(run, (-_EVERY_S, 0))
        if now - last < max(_EVERY_S, age * _PART):
            return None
        ordered = sorted(journals, key=lambda item: (not item[1].get("main"), item[1].get("at", 0)))
        ends = [(opened, end) for path, opened in ordered if (end := _end(path)) is not None]
        total = sum(size for _, (_, size) in ends)
        if total <= known:
            return None
        self._told[run] = (now, total)
        found = [{**_process(opened), "bytes": size, "text": text} for opened, (text, size) in ends[:_TAILS]]
        return {"processes": found}

    def forget(self, run: str) -> None:
        """The run has ended."""
        self._began.pop(run, None)
        self._told.pop(run, None)


def _end(journal: str) -> tuple[str, int] | None:
    """(whole lines at the end of what a process printed, how many bytes that was in all); None when it is nothing, or no text."""
    stem = journal.removesuffix(".lj")
    try:
        with open(stem + ".tail", "rb") as file:
            total, _ = HEAD.unpack(file.read(HEAD.size))
            last = file.read()[-_TAIL:]
    except (OSError, struct.error):
        try:
            with open(stem + ".out", "rb") as file:
                total = file.seek(0, os.SEEK_END)
                file.seek(max(0, total - _TAIL))
                last = file.read()
        except OSError:
            return None
    if not last or b"\0" in last:
        return None
    if total > len(last):
        last = last[last.find(b"\n") + 1 :]
    return redact.text(last.decode("utf-8", "replace"))[0], total


def _process(opened: dict[str, Any]) -> dict[str, Any]:
    words = opened.get("argv") or []
    return {
        "pid": opened.get("pid"),
        "command": [str(word) for word in words][:20],
        "main": bool(opened.get("main")),
    }


def _printed(journal: str) -> tuple[bytes, bytes, int, int] | None:
    """(beginning, end, bytes printed in all, bytes left out between the two); None when nothing was printed."""
    stem = journal.removesuffix(".lj")
    try:
        with open(stem + ".out", "rb") as file:
            first = file.read()
    except OSError:
        return None
    try:
        with open(stem + ".tail", "rb") as file:
            total, cut = HEAD.unpack(file.read(HEAD.size))
            return first, file.read(), total, cut
    except (OSError, struct.error):
        return first, b"", len(first), 0


def _kept(first: bytes, last: bytes, total: int, cut: int, put: Callable[[bytes], str]) -> dict[str, Any]:
    if b"\0" in first[:_BINARY]:
        return {"bytes": total, "binary": True}
    middle = f"[lineal: {cut:,} bytes are left out here]\n".encode() if cut else b""
    text = (first + middle + last).decode("utf-8", "replace")
    # Once more, since what stands in several pieces is a secret only as a whole.
    clean = redact.text(text)[0].encode("utf-8", "replace")
    return {"bytes": total, "cut": cut, "sha256": put(clean) if clean else None}
