"""The one writer of an embedded store, by file lock."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator

from lineal.core.errors import Unavailable
from lineal.resolve.project import Project
from lineal.service.serving import served

_LOCKED, _SERVED = 1, 2
_PATIENCE = 2.0  # seconds of silence before the wait is announced
_held: dict[str, int] = {}  # lock files this process holds, with depth: a lock is taken once per process


@contextlib.contextmanager
def store_lock(
    project: Project, *, wait: float | None = 120.0, progress: Callable[[str], None] | None = None
) -> Iterator[bool]:
    """Hold the project's writer lock; yields whether it was got.

    Args:
        wait: seconds to wait; 0 tries once (then False may be yielded), None waits for ever.
        progress: told after 2 s what is being waited for.

    A PostgreSQL store needs no lock, nor does one whose server is running, for it has the lock and takes everybody's
    changes: True at once; ask `service.client.connect` for a client after that. Raises Unavailable: not got within
    `wait` > 0, or the folder cannot be written.
    """
    if project.store_url.startswith(("postgresql:", "postgres:")) or served(project):
        yield True
        return
    path = os.path.join(project.dir, "store.lock")
    if _held.get(path):
        _held[path] += 1
        try:
            yield True
        finally:
            _held[path] -= 1
        return
    descriptor = _open(path)
    try:
        got = _acquire(descriptor, path, wait, progress, lambda: served(project) is not None)
        if got == _LOCKED:
            _held[path] = 1
        try:
            yield bool(got)
        finally:
            _held.pop(path, None)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def hold(folder: str, *, wait: float) -> Iterator[None]:
    """Hold the writer lock of the store in a folder, for a server. Raises Unavailable: not got within `wait` seconds."""
    descriptor = _open(os.path.join(folder, "store.lock"))
    try:
        _acquire(descriptor, os.path.join(folder, "store.lock"), wait, None)
        yield
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise Unavailable(
            f"the store's lock {path} cannot be opened: {error.strerror}",
            hint="make the .lineal folder writable, or set LINEAL_DIR to one that is",
        ) from error


def _acquire(
    descriptor: int,
    path: str,
    wait: float | None,
    progress: Callable[[str], None] | None,
    elsewhere: Callable[[], bool] = lambda: False,
) -> int:
    """_LOCKED; 0 when `wait` is 0 and another process has it; _SERVED when `elsewhere` says there is no need any more."""
    begun = time.monotonic()
    announced = False
    pause = 0.002
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EINTR):
                raise Unavailable(f"the store's lock {path} cannot be taken: {error.strerror}") from error
        else:
            holder = f"{os.getpid():<19}\n".encode()
            if os.pread(descriptor, 20, 0) != holder:  # never emptied first: ext4 then waits for the disk
                os.pwrite(descriptor, holder, 0)
            return _LOCKED
        if elsewhere():
            return _SERVED
        waited = time.monotonic() - begun
        if wait is not None and waited >= wait:
            if wait == 0:
                return 0
            raise Unavailable(
                f"another process ({_holder(path)}) has been writing to the store for {waited:.0f} s",
                hint="wait for it to end, or look at what that process does",
            )
        if progress and not announced and waited > _PATIENCE:
            announced = True
            progress(f"waiting for process {_holder(path)}, which writes to the store")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def _holder(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(20).strip() or "unknown"
    except OSError:
        return "unknown"
