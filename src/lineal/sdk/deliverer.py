"""Has a process of its own deliver what this program records, when it was not started by `lineal run`."""

from __future__ import annotations

import os
import sys
import time

from lineal.resolve.project import Project

_AGAIN_S = 2.0
_started: dict[str, float] = {}  # project's folder -> when a process was last started for it


def start(project: Project) -> None:
    """Start one detached `lineal deliver`, unless one is at work or was started a moment ago. Never raises.

    It is a child of no one, has a session of its own, no descriptor of ours, and nothing of the capture in its environment.
    """
    now = time.monotonic()
    if now - _started.get(project.dir, -_AGAIN_S) < _AGAIN_S or os.environ.get("LINEAL_DELIVER") == "off":
        return
    _started[project.dir] = now
    try:
        if sys.executable and not _at_work(project):
            _detach(project)
    except Exception as error:  # noqa: BLE001 - recording never makes a program fail
        from lineal.journal.append import tell

        tell(f"no process to deliver could be started ({error}); the next `lineal` command delivers")


def _at_work(project: Project) -> bool:
    import fcntl

    try:
        descriptor = os.open(
            os.path.join(project.dir, "deliver.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666
        )
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _detach(project: Project) -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("LINEAL_RUN", "LINEAL_PARENT", "LINEAL_JOURNAL", "PYTHONPATH", "PYTHONSTARTUP")
    }
    environment["LINEAL_DIR"], environment["LINEAL_ROOT"] = project.dir, project.root
    # A shell in between ends at once, so that the program is not left with a child it does not know.
    script = 'cd "$1" && "$0" -m lineal deliver --quiet &'
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)
    ]
    actions += [(os.POSIX_SPAWN_CLOSE, number) for number in _inherited()]
    command = ["/bin/sh", "-c", script, sys.executable, project.dir]
    pid = os.posix_spawn(command[0], command, environment, file_actions=actions, setsid=True)
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
