"""What the delivering process hears and says: woken through a pipe with a name, its words in files beside the journals.

The other side, which programs that record see, is `sdk.deliverer`; what the files are called stands there.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
import time

import msgspec

from lineal.resolve.project import Project
from lineal.sdk import deliverer

_EVERY_S = 1.0  # what it does is said at most so often
_OLD_S = 86_400.0


class Post:
    """The post of one place. `close` takes away what it laid down."""

    def __init__(self, project: Project, place: str) -> None:
        self._folder = project.dir
        self._place = place
        self._stem = os.path.join(self._folder, f"deliver-{place}")
        self._fifo = self._open(place)
        self._said = ""
        self._said_at = 0.0
        self._clear()

    def _open(self, place: str) -> int:
        """The pipe, open for both ends so that it never ends; -1 where there can be none."""
        try:
            path = deliverer.pipe(place)
            with contextlib.suppress(FileExistsError):
                os.mkfifo(path, 0o600)
            found = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return -1
        if stat.S_ISFIFO(os.fstat(found).st_mode):
            return found
        os.close(found)
        return -1

    def wait(self, seconds: float) -> set[str]:
        """The names of the journals that somebody wakes us for, "" for all of them; nothing when the time is over."""
        if self._fifo < 0:
            time.sleep(min(seconds, 0.25))
            return {""}
        heard = b""
        ready, _, _ = select.select([self._fifo], [], [], seconds)
        if ready:
            with contextlib.suppress(BlockingIOError):
                while piece := os.read(self._fifo, 65536):
                    heard += piece
        return set(os.fsdecode(heard).split("\n")[:-1])

    def is_heard(self) -> bool:
        """Whether somebody has woken us whom `wait` has not told of."""
        return self._fifo >= 0 and bool(select.select([self._fifo], [], [], 0)[0])

    def working(self, text: str) -> bool:
        """Say what is being done, for those who wait longer than a moment; whether it is time to say so again."""
        now = time.monotonic()
        if now - self._said_at < _EVERY_S:
            return False
        self._say(f"working\n{text}", now)
        return True

    def trouble(self, text: str) -> None:
        """Say why nothing can be delivered at present."""
        self._say(f"trouble\n{text}", time.monotonic())

    def well(self) -> None:
        """There is no trouble (any more)."""
        if self._said:
            with contextlib.suppress(OSError):
                os.unlink(self._stem + ".said")
            self._said = ""

    def _say(self, text: str, now: float) -> None:
        self._said, self._said_at = text, now
        self._write(self._stem + ".said", text.encode("utf-8", "replace"))

    def questions(self) -> list[str]:
        """The questions that stand open, by the names of their files."""
        start = os.path.basename(self._stem) + ".ask-"
        try:
            return [name for name in os.listdir(self._folder) if name.startswith(start)]
        except OSError:
            return []

    def answer(self, question: str, report: msgspec.Struct) -> None:
        """Answer one; whoever asked takes both files away."""
        name = os.path.join(self._folder, question.replace(".ask-", ".told-"))
        self._write(name, msgspec.json.encode(report))
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self._folder, question))

    def _write(self, path: str, data: bytes) -> None:
        temporary = f"{path}.{os.getpid()}"
        with contextlib.suppress(OSError):
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(handle, "wb") as file:
                file.write(data)
            os.replace(temporary, path)

    def _clear(self) -> None:
        """Take away what was left behind long ago by processes that were killed."""
        with contextlib.suppress(OSError):
            for entry in os.scandir(self._folder):
                if (
                    entry.name.startswith("deliver-")
                    and not entry.name.endswith((".lock", ".key"))
                    and not entry.path.startswith(self._stem + ".")
                    and time.time() - entry.stat().st_mtime > _OLD_S
                ):
                    with contextlib.suppress(OSError):
                        os.unlink(entry.path)

    def close(self) -> None:
        """Hear and say nothing more."""
        if self._fifo >= 0:
            os.close(self._fifo)
        with contextlib.suppress(OSError):
            os.unlink(deliverer.pipe(self._place))
        self.well()
