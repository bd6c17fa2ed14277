"""The command of `lineal run` as a child process that cannot tell it has a wrapper.

It stays in the wrapper's process group and terminal, with every inherited descriptor and the signal settings the wrapper was started with.
A signal sent to the wrapper alone is passed on; one sent to the whole group (Ctrl-C, `timeout`, a closed terminal) has reached the child
already and is not. A third process in the group, the witness, tells the two apart: it has every signal blocked, so what it finds pending was
sent to the group.
"""

from __future__ import annotations

import errno
import os
import sys
import time

from . import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .terminal import Terminal
else:
    import _signal as signal  # `signal` builds enumerations, for milliseconds that every start would pay

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT")
PASSED_ON = frozenset(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
_WAITED = PASSED_ON | {signal.SIGCHLD}
_HIGHEST = 1 << 20  # descriptors


class CannotStart(Exception):
    """The command could not be executed; `code` is what a shell would exit with (127 not found, 126 not executable)."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class Child:
    """The running command. Signals are held back in this process from `start` to the end of `wait`.

    Args:
        command: the program, looked for on PATH when it has no slash, and its arguments.
        environment: all of it; the parent's is not added.
        between: what its stdout and stderr pass through, where those are not the parent's.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        between: Terminal | None = None,
    ) -> None:
        self._between = between
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED)
        ignored = signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would take the exit code away
        outputs = between.outputs if between is not None else ()
        self.pid = 0 if ignored else _spawned(command, environment, self._mask, outputs)
        if not self.pid:
            self._fork(command, environment, outputs, ignore_children=ignored)
        self._witness = _Witness()
        if between is not None:
            between.begin()

    def _fork(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        outputs: Sequence[int],
        *,
        ignore_children: bool,
    ) -> None:
        receive, send = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            for number, output in enumerate(outputs, 1):
                os.dup2(output, number)
            _become(command, environment, self._mask, send, ignore_children=ignore_children)
        os.close(send)
        failure = os.read(receive, 16)
        os.close(receive)
        if failure:
            os.waitpid(self.pid, 0)
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            raise _why(command[0], int(failure))

    def wait(self, now_and_then: Callable[[], object], every_s: float) -> int:
        """Pass signals on until the command has ended; its status as `os.waitpid` gives it. It is not reaped yet: see `reap`.

        now_and_then: called each `every_s` seconds meanwhile.
        """
        while True:
            found = signal.sigtimedwait(_WAITED, every_s)
            if found is None:
                now_and_then()
                continue
            number = found.si_signo
            if number == signal.SIGCHLD:
                if self._ended():
                    return self._status
            elif not self._witness.saw(number):
                self._send(number)

    def reap(self) -> None:
        """Let the ended command go, and signals act on this process again."""
        os.waitpid(self.pid, 0)
        if self._between is not None:
            self._between.end()
        self._witness.dismiss()
        pending = signal.sigpending() & _WAITED
        for number in pending - {signal.SIGINT}:
            signal.sigwait({number})
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _ended(self) -> bool:
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return False
        if found.si_code == os.CLD_STOPPED:
            self._stop_too()
            return False
        core = 128 if found.si_code == os.CLD_DUMPED else 0
        self._status = found.si_status << 8 if found.si_code == os.CLD_EXITED else found.si_status | core
        return True

    def _stop_too(self) -> None:
        """The command stopped itself: stop as well, so that the shell sees a stopped job. Not when it goes on at once."""
        time.sleep(0.05)
        if os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG) is not None:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _send(self, number: int) -> None:
        try:
            os.kill(self.pid, number)
        except OSError:
            pass


def die_by(number: int) -> None:
    """End this process by signal `number`, as the command was ended, without a core file of our own. Returns when that does not work."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        sys.stdout.flush()
        sys.stderr.flush()
    except (ImportError, OSError, ValueError):
        pass
    try:
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    except (OSError, ValueError):
        pass


_OURS = ("SIGPIPE", "SIGXFSZ", "SIGXFZ")  # the interpreter ignores these for itself


def _spawned(
    command: Sequence[str], environment: Mapping[str, str], mask: Iterable[int], outputs: Sequence[int]
) -> int:
    """The pid of the command, started without a copy of this process, which costs four times as much; 0 when it cannot be so.

    The long way finds out why.
    """
    path = programs.find(command[0], environment.get("PATH"))
    plain = [getattr(signal, name) for name in _OURS if hasattr(signal, name)]
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        plain.append(signal.SIGINT)
    actions = [(os.POSIX_SPAWN_DUP2, output, number) for number, output in enumerate(outputs, 1)]
    try:
        return os.posix_spawn(
            path, list(command), environment, file_actions=actions, setsigmask=mask, setsigdef=plain
        )
    except (OSError, ValueError, AttributeError, NotImplementedError):
        return 0


def _become(
    command: Sequence[str],
    environment: Mapping[str, str],
    mask: Iterable[int],
    report: int,
    *,
    ignore_children: bool,
) -> None:
    """Turn this (forked) process into the command; never returns."""
    code = errno.EINVAL
    try:
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        for name in _OURS:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_DFL)
        if ignore_children:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        try:
            os.execvpe(command[0], list(command), dict(environment))
        except OSError as error:
            path = programs.find(command[0], environment.get("PATH"))
            if error.errno != errno.ENOEXEC or not path:
                raise
            # A script without a first line, as shells do it.
            os.execve("/bin/sh", ["/bin/sh", path, *command[1:]], dict(environment))
    except OSError as error:
        code = error.errno or code
    except BaseException:
        pass
    os.write(report, b"%d" % code)
    os._exit(127)


def _why(name: str, code: int) -> CannotStart:
    if code in (errno.ENOENT, errno.ENOTDIR):
        if "/" in name and os.path.exists(name):
            return CannotStart(
                f"{name} cannot be run: the interpreter named in its first line does not exist", 127
            )
        where = "there is no such file" if "/" in name else "it is in no folder of PATH"
        return CannotStart(f"{name}: command not found ({where})", 127)
    if code == errno.EACCES and os.path.isfile(name):
        hint = (
            f"; run it as `lineal run python {name}`" if name.endswith(".py") else "; `chmod +x` makes it so"
        )
        return CannotStart(f"{name} is not executable{hint}", 126)
    return CannotStart(f"{name} cannot be run: {os.strerror(code)}", 126)


class _Witness:
    """A process in our group that keeps every signal pending, and says on demand which it had."""

    def __init__(self) -> None:
        ask_read, self._ask = os.pipe()
        self._answer, answer_write = os.pipe()
        try:
            self._pid = os.fork()
        except OSError:
            self._pid = -1
        if self._pid == 0:
            try:
                _testify(ask_read, answer_write)
            finally:
                os._exit(0)
        os.close(ask_read)
        os.close(answer_write)

    def saw(self, number: int) -> bool:
        """Whether signal `number` went to the whole group. What it had is forgotten with the answer."""
        import select

        time.sleep(0.002)  # a signal to a group reaches its members one after the other
        try:
            os.write(self._ask, b"?")
            ready, _, _ = select.select([self._answer], [], [], 1.0)
            return bool(ready) and number in os.read(self._answer, 128)
        except OSError:
            return False

    def dismiss(self) -> None:
        os.close(self._ask)
        os.close(self._answer)
        if self._pid > 0:
            try:
                os.waitpid(self._pid, 0)
            except OSError:
                pass


def _testify(ask: int, answer: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    os.dup2(ask, 0)
    os.dup2(answer, 1)
    os.closerange(2, _HIGHEST)
    os.chdir("/")
    while os.read(0, 1):
        had = [number for number in PASSED_ON if number in signal.sigpending()]
        for number in had:
            signal.sigwait({number})
        os.write(1, bytes([0, *had]))
