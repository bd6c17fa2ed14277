"""`lineal run --console`: the command's output passes through here, so that what is printed below Python is kept too.

Where stdout or stderr is a terminal the command gets another one, that looks like it, else a pipe; what comes out goes on to
the very descriptor that it was meant for. Input and the controlling terminal stay what they are, so keys, signals and job
control work as ever.
"""

from __future__ import annotations

import os
import select
import sys
import threading

from .console import Copy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..journal.append import Journal

_PIECE = 1 << 16
_LOOK_S = 0.5  # between two looks at the size of the terminal
_REST_S = 0.2  # how long output is waited for that processes left behind by the command still hold back


class Terminal:
    """What stands between the command and where its output goes. `outputs`: its descriptors for stdout and stderr.

    Raises OSError: the system gives no terminal.
    """

    def __init__(self, journal: Journal) -> None:
        self._copy = Copy(journal)
        self._to: dict[int, int] = {}  # read from -> written to
        self._ended = threading.Event()
        self._shared: tuple[int, int] | None = None
        self.outputs = (self._output(1), self._output(2))
        self._thread = threading.Thread(target=self._pump, daemon=True)

    def begin(self) -> None:
        """The command has started: its ends of the descriptors are its own now."""
        for fd in set(self.outputs):
            os.close(fd)
        self._thread.start()

    def end(self) -> None:
        """The command has ended; returns when all it wrote has gone on."""
        self._ended.set()
        self._thread.join()
        self._copy.finish()

    def _output(self, fd: int) -> int:
        try:
            terminal = os.isatty(fd)
            os.fstat(fd)
        except OSError:
            return os.open(os.devnull, os.O_WRONLY)  # it is closed
        if not terminal:
            source, target = os.pipe()
            self._to[source] = fd
            return target
        if self._shared is None:
            self._shared = _like(fd)
            self._to[self._shared[0]] = fd
        return self._shared[1]

    def _pump(self) -> None:
        shared = self._shared[0] if self._shared else -1
        size: Any = None
        while self._to:
            ready, _, _ = select.select(list(self._to), [], [], _REST_S if self._ended.is_set() else _LOOK_S)
            if not ready and self._ended.is_set():
                return
            if shared in self._to:
                size = _resized(self._to[shared], shared, size)
            for source in ready:
                try:
                    data = os.read(source, _PIECE)
                except OSError:  # EIO: nobody holds the other end of the terminal any more
                    data = b""
                if not data or not self._pass_on(self._to[source], data):
                    self._to.pop(source)
                    os.close(source)  # who writes on is told so, as by the descriptor itself

    def _pass_on(self, fd: int, data: bytes) -> bool:
        if not self._copy.off:
            try:
                self._copy.keep(data, len(data))
            except (OSError, ValueError):
                self._copy.off = True
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(fd, view) :]
            except BlockingIOError:
                select.select([], [fd], [])
            except OSError:
                return False
        return True


def _like(fd: int) -> tuple[int, int]:
    """A terminal (master, slave) that hands on what is written to it unchanged, of the size of `fd`."""
    import pty
    import termios

    master, slave = pty.openpty()
    modes = termios.tcgetattr(slave)
    modes[1] &= ~termios.OPOST  # the real terminal does that
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    _resized(fd, master, None)
    return master, slave


def _resized(fd: int, master: int, known: Any) -> Any:
    """Give the master the size of `fd` if it changed; the size."""
    import fcntl
    import termios

    try:
        size = fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8))
        if size != known:
            fcntl.ioctl(master, termios.TIOCSWINSZ, size)
        return size
    except OSError:
        return known


def between(journal: Journal) -> Terminal | None:
    """A terminal for the command, or None, said on stderr, where the system has none."""
    try:
        return Terminal(journal)
    except (ImportError, OSError) as error:
        print("lineal: the output is not kept: " + str(error), file=sys.stderr)
        return None
