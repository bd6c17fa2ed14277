"""What `lineal run` puts around a command besides Python's own way in: the preloaded library, and with --deep the supervisor."""

from __future__ import annotations

import os

from . import below, programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence
    from typing import Optional

    from ..journal.append import Journal


class Refused(Exception):
    """--deep cannot be had; the text says why and what to do."""


class Layers:
    """The layers of one command. Its environment is changed by `dress`; `command` is what is to be executed.

    obstacle: why the command itself cannot be seen from below, "" when it can.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str], *, deep: bool) -> None:
        self.command = list(command)
        self.environment = environment
        self.library = ""
        self.missing = ""
        self.deep = deep
        self._program = programs.find(command[0], environment.get("PATH"))
        self.obstacle = self._preload()
        self._watcher: Optional[subprocess.Popen[bytes]] = None
        self._socket = -1
        if deep:
            self._supervise(_supervisor())

    @property
    def sees(self) -> bool:
        """Whether the files of the command itself are seen, whatever it is."""
        return self.deep or not self.obstacle

    def _preload(self) -> str:
        """Preload the library if it is there and the command can load it; else why not."""
        try:
            self.library = below.library()
        except below.Missing as missing:
            self.missing = str(missing)
            return "no library could be preloaded: " + self.missing
        if any(name in self.environment.get("LD_PRELOAD", "") for name in ("asan", "tsan", "msan")):
            return "a sanitizer is preloaded"
        reason = programs.obstacle(self._program) if self._program else ""
        if not reason or reason in programs.BEARABLE:
            self.environment["LD_PRELOAD"] = below.with_library(self.environment, self.library)
        return reason or ""

    def _supervise(self, supervisor: str) -> None:
        import socket
        import subprocess

        if not self._program:
            return  # the plain way tells that there is no such command
        ours, theirs = socket.socketpair()
        self.environment["LINEAL_DEEP"] = "1"
        self._watcher = subprocess.Popen(
            [supervisor, "watch", str(ours.fileno())],
            pass_fds=[ours.fileno()],
            env={name: self.environment[name] for name in ("LINEAL_RUN", "LINEAL_JOURNAL")},
            cwd="/",
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ours.close()
        self._socket = theirs.detach()
        os.set_inheritable(self._socket, True)
        self.command = [supervisor, "enter", str(self._socket), *self.command]

    def started(self) -> None:
        """The command was started (or could not be)."""
        if self._socket >= 0:
            os.close(self._socket)
            self._socket = -1

    def ended(self) -> None:
        """The command has ended: wait until what it did is written, not for what it left running."""
        if self._watcher is not None:
            import subprocess

            try:
                self._watcher.wait(timeout=2)
            except subprocess.TimeoutExpired:
                pass

    def tell(self, journal: Journal) -> None:
        """Put on record which layers were there."""
        journal.json("layers", preload=bool(self.library), missing=self.missing, deep=self.deep)


def _supervisor() -> str:
    try:
        path = below.supervisor()
    except below.Missing as missing:
        raise Refused(
            f"--deep needs a supervisor that could not be made: {missing}. Run without it"
        ) from None
    import subprocess

    done = subprocess.run([path, "check"], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace").strip() or "it could not be tried"
        raise Refused(f"--deep is not possible: {said}. Run without it")
    return path
