"""What the program prints, copied inside the process: the first and the last 1 MiB of stdout and stderr together.

The descriptors stay what they are. `write` of the two binary streams below `sys.stdout` and `sys.stderr` is replaced on the
objects themselves, so text, `print`, `sys.stdout.buffer` and whatever wraps it pass there, in the pieces in which they are
handed to the system. The beginning goes into a file at once, line by line; the end is kept in memory and written now and then
and when the interpreter ends. Of lines that follow each other faster than a few hundred a second some are gathered first, for
a fifth of a second at most. Secrets are replaced before anything is written. See journal.console for the files.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock
from time import monotonic

from ..journal import append
from ..journal.console import HEAD, KEPT
from .guard import swallow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Optional

    from ..journal.append import Journal

    Failure = Callable[[], Optional[BaseException]]

_LINE = 4096  # bytes of a line that is waited for, so that no secret is cut in two
_KEY = 1 << 16  # bytes of a private key that is waited for
_EVERY_S = 10.0  # between two writings of the end
_AT_ONCE = 200  # lines a second that are written one by one
_GATHERED_S = 0.2  # the others wait so long for each other
_PIECES = 5000  # or until they are so many
_LARGE = 4096  # bytes that are worth a writing of their own
_NEWLINE = 10
_here: Optional[Copy] = None


def install(journal: Journal, failure: Failure) -> None:
    """Copy from now on what is written to `sys.stdout` and `sys.stderr`, unless LINEAL_CONSOLE forbids it.

    failure: gives back the exception that is ending this process; None while there is none.
    """
    global _here
    if os.environ.get("LINEAL_CONSOLE", "1") != "1":
        return
    _here = copy = Copy(journal, failure)
    os.register_at_fork(after_in_child=copy.anew)
    for stream in (sys.stdout, sys.stderr):
        buffer: Any = getattr(stream, "buffer", None)
        if buffer is not None and "write" not in getattr(buffer, "__dict__", {"write"}):
            _listen(buffer, copy)


def finish() -> None:
    """The interpreter is about to end: from now on nothing is held back."""
    if _here is not None:
        _here.finish()


def _listen(buffer: Any, copy: Copy) -> None:
    write, pieces = buffer.write, copy.pieces
    add, gather, keep = pieces.append, copy.gather, copy.keep
    kind, size, now, newline, large, many = bytes, len, monotonic, _NEWLINE, _LARGE, _PIECES

    # Without a buffer `print` comes here for each of its words and spaces: what is done for each of them counts, even where a name is.
    def copied(data: Any, /) -> Any:
        written = write(data)
        try:
            if data.__class__ is kind and written and written == size(data):
                add(data)
                if data[-1] == newline:
                    if now() >= copy.due or written > large:
                        gather()
                elif written > large or size(pieces) > many:
                    gather()
            elif written != 0 and not copy.off:
                gather()
                keep(data, written)
        except Exception as error:
            copy.off = True
            swallow(error)
        return written

    copied.__name__, copied.__qualname__, copied.__doc__ = write.__name__, write.__qualname__, write.__doc__
    buffer.write = copied


class Copy:
    """The copy of one process; in a child of a fork it begins anew."""

    def __init__(self, journal: Journal, failure: Failure = lambda: None) -> None:
        self._journal = journal
        self._failure = failure
        self._clean: Any = None
        self.off = False
        self._late = False
        self.pieces: list[bytes] = []
        self.anew()

    def anew(self) -> None:
        """Nothing is copied yet; of what the parent copied nothing is touched."""
        self.pieces.clear()
        self._gathering = allocate_lock()
        self._alone = _AT_ONCE  # lines that may still be written one by one in this second
        self._second = 0.0
        self.due = 0.0  # when the end of a line is to be taken at once again
        self._fd = -1
        self._room = KEPT
        self._held = b""
        self._lost = 0  # bytes of the line that was cut there
        self._beyond = 0  # bytes that came after the beginning
        self._ring: Optional[bytearray] = None
        self._end_due = 0.0

    def gather(self) -> None:
        """Take the pieces that were written until now; when many lines come in a second, the next ones wait for each other."""
        now = monotonic()
        if now - self._second > 1:
            self._second, self._alone = now, _AT_ONCE
        self._alone -= 1
        self.due = now + _GATHERED_S if self._alone < 0 and not self._late else 0.0
        if not self._gathering.acquire(False):
            return
        try:
            taken = self.pieces[:]
            del self.pieces[: len(taken)]
            if taken and not self.off:
                data = b"".join(taken)
                self.keep(data, len(data))
        finally:
            self._gathering.release()

    def keep(self, data: Any, written: Any) -> None:
        """Copy what was written of `data`."""
        if data.__class__ is not bytes:
            data = memoryview(data).cast("B")
            data = bytes(data if not isinstance(written, int) else data[:written])
        elif isinstance(written, int) and written < len(data):
            data = data[:written]
        if self._ring is None:
            self._begin(data)
        else:
            self._turn(data)

    def finish(self) -> None:
        """Write what is held back; what comes later is written at once."""
        self._late = True
        if self.off:
            return
        try:
            self.gather()
            if self._held:
                self._begin(b"")
            if self._ring is not None:
                self._write_end()
        except Exception as error:
            self.off = True
            swallow(error)

    def _begin(self, data: bytes) -> None:
        """Append whole lines to the beginning, until it is full."""
        data = self._held + data
        end = data.rfind(b"\n") + 1
        if self._late or (not end and len(data) > _LINE):
            end = len(data)
        opened = data.rfind(b"-----BEGIN ")
        if opened >= 0 and data.find(b"-----END ", opened) < 0 and len(data) < _KEY and not self._late:
            end = min(end, opened)
        data, self._held = data[:end], data[end:]
        if not data:
            return
        if len(data) > self._room:
            self._ring, rest = bytearray(KEPT), data[self._room :] + self._held
            # The line at the cut goes into neither part whole; the reader leaves it out.
            data, self._held = data[: self._room], b""
            whole = data[: data.rfind(b"\n") + 1]
            self._append(whole)
            self._room -= len(data)
            self._lost = len(data) - len(whole)
            self._turn(rest)
            return
        self._room -= len(data)
        self._append(data)

    def _append(self, data: bytes) -> None:
        if self._fd < 0:
            name = self._name(".out")
            self._fd = append._move_up(
                os.open(name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_APPEND, 0o600)
            )
        os.write(self._fd, self._redacted(data))

    def _turn(self, data: bytes) -> None:
        """Write into the ring, the latest over the oldest."""
        ring = self._ring
        assert ring is not None
        size = len(data)
        at = self._beyond % KEPT
        if at + size <= KEPT:
            ring[at : at + size] = data
            self._beyond += size
        else:
            self._beyond += size
            data = data[-KEPT:]
            at = (self._beyond - len(data)) % KEPT
            first = data[: KEPT - at]
            ring[at : at + len(first)] = first
            ring[: len(data) - len(first)] = data[len(first) :]
        if self._late or monotonic() > self._end_due:
            self._write_end()

    def _write_end(self) -> None:
        self._end_due = monotonic() + _EVERY_S
        ring = self._ring
        assert ring is not None
        at = self._beyond % KEPT
        data = bytes(ring[:at]) if self._beyond <= KEPT else bytes(ring[at:] + ring[:at])
        whole = data[data.find(b"\n") + 1 :]  # what comes before is a piece of a line
        total = KEPT - self._room + self._beyond
        text = HEAD.pack(total, self._lost + self._beyond - len(whole)) + self._redacted(whole)
        name = self._name(".tail")
        fd = os.open(name + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, text)
        finally:
            os.close(fd)
        os.replace(name + ".new", name)

    def _name(self, ending: str) -> str:
        if not self._journal.open():
            raise OSError("there is no journal")
        return self._journal.path[: -len(".lj")] + ending

    def _redacted(self, data: bytes) -> bytes:
        """`data` without secrets; binary data as it is."""
        if b"\0" in data:
            return data
        if "re" not in sys.modules and type(self._failure()) is KeyboardInterrupt:
            # After an interruption nothing may be imported, see ending; the exception is recorded there.
            return b""
        if self._clean is None:
            from . import redact

            self._clean = redact.text
        text: str = self._clean(data.decode("utf-8", "surrogateescape"))[0]
        return text.encode("utf-8", "surrogateescape")
