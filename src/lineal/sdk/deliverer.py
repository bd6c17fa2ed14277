"""The process that delivers, as programs that record see it: have one at work, wake it, wait for it.

One process delivers for all programs of a *place*: a project as one user of one machine (or container) sees it, with the same
settings of where the record is. What the two sides know of each other stands in the project's folder, in files that begin
with `deliver-PLACE`: `.lock`, held by the process as long as it lives; `.said`, what it does or why it cannot; `.ask-N`, a
question whether all was delivered that was there, answered in `.told-N`. The pipe through which it is woken lies in a folder of
the user's outside the project: whoever copies a project folder would stumble over it.

Whoever starts the process takes the lock first and hands it on, so that of many programs that begin at once one starts it.
"""

from __future__ import annotations

import fcntl
import os
import sys
from time import monotonic, sleep
from zlib import crc32

from lineal.journal.append import namespace, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lineal.resolve.project import Project

WHY = ".why"  # behind a journal's name: why it cannot be delivered
LOCK = 3  # the number under which the started process finds its lock
_SETTINGS = (
    "LINEAL_STORE", "LINEAL_BLOBS", "LINEAL_URL", "LINEAL_TOKEN", "LINEAL_PROFILE", "LAKEFS_", "LAKECTL_",
)  # fmt: skip
_NOT_PASSED_ON = frozenset((
    "LINEAL_RUN", "LINEAL_PARENT", "LINEAL_JOURNAL", "LINEAL_JOIN", "LINEAL_DEEP", "LINEAL_CONSOLE", "PYTHONPATH",
    "PYTHONSTARTUP", "LD_PRELOAD",
))  # fmt: skip
_AGAIN_S = 2.0
_SHORTEST_S, _LONGEST_S = 0.002, 0.05  # between two looks whether a run is delivered
_LOOK_S = 0.5  # between two looks at the process itself
_SILENT_S = 5.0  # delivering may take this long before it shows what it does
_FROZEN_S = 60.0  # a process that said nothing for so long is waited for no more
_STARTS = 3
_started: dict[str, float] = {}  # project's folder -> when a process was last started for it


class Undelivered(Exception):
    """What was recorded is not delivered; the text says why."""


class Deliverer:
    """The delivering process of a project's place. Nothing is started, opened or asked before a method is called."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.place = place(project)
        self._stem = os.path.join(project.dir, f"deliver-{self.place}")

    def start(self) -> bool:
        """Have one at work; whether one was started now. Raises OSError: none can be."""
        held = lock(self._stem + ".lock")
        if held < 0:
            return False
        try:
            _detach(self.project, self.place, held)
        finally:
            os.close(held)
        return True

    def at_work(self) -> bool:
        """Whether one lives."""
        return is_held(self._stem + ".lock")

    def wake(self, path: str = "") -> None:
        """Have it look at the journals now rather than a moment later. path: at one, whose program has ended, and those of its run."""
        try:
            fd = os.open(pipe(self.place), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:  # it is only starting, or the file system has no such files: it looks by itself soon
            return
        try:
            os.write(fd, os.fsencode(os.path.basename(path)) + b"\n")
        except OSError:
            pass  # it is full: it is woken already
        finally:
            os.close(fd)

    def said(self) -> tuple[bool, str, float]:
        """(whether it cannot deliver, what it does or why it cannot, when it said so in seconds since the epoch)."""
        try:
            with open(self._stem + ".said", encoding="utf-8", errors="replace") as file:
                state, _, text = file.read(4096).partition("\n")
                return state == "trouble", text.strip(), os.fstat(file.fileno()).st_mtime
        except OSError:
            return False, "", 0.0

    def delivered(
        self, path: str, *, most_s: float | None = None, progress: Callable[[str], None] | None = None
    ) -> None:
        """Return when all that a run recorded is in the store; `path`: of the journal that tells of its end.

        The process is started again should it have vanished.

        Args:
            most_s: seconds to wait at most; None for as long as it says what it does.
            progress: told after five seconds, again and again, what it does.
        Raises Undelivered: it cannot, it says nothing any more, or `most_s` is over.
        """
        why = path + WHY
        self._wait(lambda: not os.path.exists(path) or os.path.exists(why), most_s, progress, path=path)
        try:
            with open(why, encoding="utf-8", errors="replace") as file:
                raise Undelivered(file.read())
        except FileNotFoundError:
            pass

    def _wait(
        self,
        until: Callable[[], bool],
        most_s: float | None,
        progress: Callable[[str], None] | None,
        *,
        path: str = "",
        tried: bool = False,
    ) -> None:
        """Return when something holds that the process brings about.

        Args:
            path: what it is woken for, as `wake` takes it.
            tried: trouble that was known before may be over.
        """
        begun = looked = heard = monotonic()
        pause, starts, known = _SHORTEST_S, 0, self.said()
        self.wake(path)
        while not until():
            now = monotonic()
            if most_s is not None and now - begun >= most_s:
                raise Undelivered("the delivering process is still at it")
            if now - looked >= _LOOK_S:
                looked = now
                starts += self._look(starts)
                if (said := self.said()) != known:
                    heard, tried = now, False
                if said[0] and not tried:
                    raise Undelivered(said[1])
                known = said
                if now - heard > _FROZEN_S:
                    raise Undelivered(f"the delivering process said nothing for {_FROZEN_S:.0f} s")
                if progress is not None and now - begun > _SILENT_S:
                    progress(said[1] or "waiting for the delivering process")
            sleep(pause)
            pause = min(pause * 1.3, _LONGEST_S)

    def _look(self, starts: int) -> bool:
        """Start the process if there is none any more; whether that was done."""
        try:
            started = self.start()
        except OSError as error:
            raise Undelivered(f"no delivering process can be started: {error}") from None
        if started and starts == _STARTS:
            raise Undelivered(
                "the delivering process ends as soon as it was started; `lineal sync` tells more"
            )
        if not started:
            self.wake()
        return started

    def ask(self, *, most_s: float | None, progress: Callable[[str], None] | None = None) -> str:
        """Have all delivered that is there now; what the process answered. Raises Undelivered."""
        number = os.urandom(6).hex()
        question, answer = f"{self._stem}.ask-{number}", f"{self._stem}.told-{number}"
        try:
            os.close(os.open(question, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise Undelivered(f"{question} cannot be written: {error.strerror}") from None
        try:
            self._wait(lambda: os.path.exists(answer), most_s, progress, tried=True)
            with open(answer, encoding="utf-8") as file:
                return file.read()
        finally:
            for path in (question, answer):
                try:
                    os.unlink(path)
                except OSError:
                    pass


def start(project: Project) -> None:
    """Have a process at work for this program, which was not started by `lineal run`. Never raises."""
    now = monotonic()
    if now - _started.get(project.dir, -_AGAIN_S) < _AGAIN_S or os.environ.get("LINEAL_DELIVER") == "off":
        return
    _started[project.dir] = now
    try:
        if sys.executable:
            Deliverer(project).start()
    except Exception as error:  # noqa: BLE001 - recording never makes a program fail
        tell(f"no process to deliver could be started ({error}); the next `lineal` command delivers")


def place(project: Project) -> str:
    """The name of the place this process delivers from: equal for all whose files, processes and settings are the same ones."""
    seen = (
        os.uname().nodename,
        namespace("mnt"),
        namespace("pid"),
        str(os.geteuid()),
        project.root,
        project.dir,
    )
    name = f"{crc32(os.fsencode(chr(0).join(seen))):08x}"
    if not (settings := _settings(project)):
        return name
    try:
        from _blake2 import blake2s  # without `hashlib`, which loads all of OpenSSL
    except ImportError:
        from hashlib import blake2s
    # They hold passwords, so what is written of them tells nobody which.
    return f"{name}-{blake2s(os.fsencode(chr(0).join(settings)), key=_secret(project), digest_size=4).hexdigest()}"


def _settings(project: Project) -> list[str]:
    """What of the environment says where the record is, and how it is reached."""
    beginnings: tuple[str, ...] = _SETTINGS
    if project.store_url.startswith("postgres"):
        beginnings += ("PG",)
    if "://" in project.blobs_url:
        beginnings += ("AWS_", "AZURE_", "GOOGLE_")
    return [f"{key}={value}" for key, value in sorted(os.environ.items()) if key.startswith(beginnings)]


def lock(path: str) -> int:
    """A descriptor that holds the lock file; -1 when another process holds it. Raises OSError."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(fd), os.stat(path)):
                return fd
        except BlockingIOError:
            os.close(fd)
            return -1
        except FileNotFoundError:
            pass
        except OSError:
            os.close(fd)
            raise
        os.close(fd)  # somebody removed the file meanwhile, so this lock is nobody's


def is_held(path: str) -> bool:
    """Whether some process holds the lock file."""
    if not os.path.exists(path):
        return False
    try:
        held = lock(path)
    except OSError:
        return False
    if held >= 0:
        os.close(held)
    return held < 0


def pipe(name: str) -> str:
    """Where the pipe of a place is. Raises OSError: the folder is not this user's alone."""
    folder = f"/tmp/lineal-{os.geteuid()}"
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        found = os.lstat(folder)
        if found.st_uid != os.geteuid() or found.st_mode & 0o170077 != 0o040000:
            raise PermissionError(1, "others may write there", folder) from None
    return f"{folder}/{name}.fifo"


def _secret(project: Project) -> bytes:
    """Random bytes that only this user can read, the same for all processes of the project."""
    path = os.path.join(project.dir, f"deliver-{os.geteuid()}.key")
    made = os.urandom(32)
    if not os.path.exists(path):
        temporary = f"{path}.{made[:6].hex()}"
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.write(fd, made)
            os.close(fd)
            try:
                os.link(temporary, path)  # of several that make one at once, all use the first
            finally:
                os.unlink(temporary)
        except OSError:
            pass
    try:
        with open(path, "rb") as file:
            return file.read(32) or made
    except OSError:
        return made


def _detach(project: Project, name: str, held: int) -> None:
    """Start a child of no one, with a session of its own, no descriptor of ours, and nothing of the capture in its environment."""
    environment = {key: value for key, value in os.environ.items() if key not in _NOT_PASSED_ON}
    environment["LINEAL_DIR"], environment["LINEAL_ROOT"] = project.dir, project.root
    high = fcntl.fcntl(held, fcntl.F_DUPFD_CLOEXEC, 10)
    try:
        actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
            (os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)
        ]
        actions += [(os.POSIX_SPAWN_CLOSE, number) for number in _inherited()]
        actions.append((os.POSIX_SPAWN_DUP2, high, LOCK))
        # A shell in between ends at once, so that the program is not left with a child it does not know.
        script = 'cd "$1" && exec "$0" -m lineal deliver --quiet "$2" &'
        command = ["/bin/sh", "-c", script, sys.executable, project.dir, name]
        _spawn(command, environment, actions)
    finally:
        os.close(high)


def _spawn(
    command: list[str],
    environment: dict[str, str],
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]],
) -> None:
    import _signal  # type: ignore[import-not-found]  # `signal` costs milliseconds

    pid = os.posix_spawn(
        command[0], command, environment, file_actions=actions, setsid=True, setsigmask=(),
        setsigdef=(_signal.SIGCHLD, _signal.SIGPIPE),
    )  # fmt: skip
    os.waitpid(pid, 0)


def _inherited() -> list[int]:
    """Descriptors above 2 that a child would get."""
    found = []
    try:
        names = os.listdir("/dev/fd")
    except OSError:
        return []
    for name in names:
        try:
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
        except (OSError, ValueError):
            pass
    return found
