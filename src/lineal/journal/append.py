"""Appending to a journal: one frame, one `os.write`, into a file of this process alone.

Nothing here raises into the recorded program. The first record opens the file, under a random name; after a fork the
first record of the child opens another one. A write that fails (full disk, no permission, directory gone) is told once
on stderr and ends the recording of this journal, so a frame that was cut is always the last of its file.
"""

from __future__ import annotations

import os
import sys
from _struct import error as struct_error  # type: ignore[attr-defined]
from _thread import RLock
from time import time_ns
from zlib import crc32

from .foreign import raise_again
from .frames import HEAD, KEY, KIND_KEY, KIND_POINT, MAGIC, NO_STAT, POINT, file_frame, frame, json_frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_write = os.write
_pack_point = POINT.pack
_pack_head = HEAD.pack
_POINT_BYTES = POINT.size
_FRAME_BYTES = POINT.size + HEAD.size
_EBADF = 9
_ENCODING = sys.getfilesystemencoding()
_HIGH = (960, 200)
_RANKS = (
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)
_journals: list[Journal] = []
_told: set[str] = set()


class Journal:
    """The journal of one process, or of one run in it.

    Args:
        directory: where journal files live; it must exist.
        run: the run (32 hex digits) that records belong to when they do not name another.
        argv: the command line, redacted already; None leaves it out.
        main: this process is the direct command of `lineal run`.
        place: who delivers the run that this process begins (see `sdk.deliverer`); "" where it begins none.
    """

    def __init__(
        self,
        directory: str,
        run: str = "",
        *,
        argv: list[str] | None = None,
        main: bool = False,
        place: str = "",
    ) -> None:
        self.directory = directory
        self.run = run
        self.path = ""  # of the file, once it is open
        self.disabled = False
        self._argv = argv
        self._main = main
        self.place = place
        self._forked = False
        self._fd = -1
        self._opening = RLock()
        self._ids = iter(range(1 << 32))
        self._names: dict[int, str] = {}  # by a key's id: what it is called in the record
        self._keys: dict[
            str, list[int]
        ] = {}  # key -> [id, next step]; an id is the same in every file of ours
        _journals.append(self)

    def open(self) -> bool:
        """Open the file now rather than at the first record; whether records can be written."""
        with self._opening:
            return self._fd >= 0 or (not self.disabled and self._open())

    def json(self, type: str, /, **fields: Any) -> None:
        """Append a record of `type`. `at` (microseconds UTC) is now unless given; `run` is left out when it is ours."""
        try:
            if fields.get("run") == self.run:
                fields.pop("run", None)
            at = fields.pop("at", None)
            head = {"t": type, "at": time_ns() // 1000 if at is None else at}
            self._put(json_frame({**head, **fields}))
        except (TypeError, ValueError, RecursionError) as error:
            raise_again(error)
            tell(f"a record of type {type!r} was not written: {error}")

    def file(
        self,
        op: int,
        layer: int,
        path: str | bytes,
        stat: tuple[int, int, int, int, int] | None = None,
        lib: str = "",
        at: int | None = None,
    ) -> None:
        """Append a file event. `path` is absolute; `stat` is (size, mtime_ns, ctime_ns, ino, dev) or None."""
        data = b""  # so that it is there when a signal handler raises first
        try:
            name = path if isinstance(path, bytes) else path.encode(_ENCODING, "surrogateescape")
            called = lib.encode("utf-8", "replace") if lib else b""
            data = file_frame(
                op, layer, time_ns() // 1000 if at is None else at, stat or NO_STAT, called, name
            )
            written = _write(self._fd, data)
            if written != len(data):
                self._take_back(written)
        except OSError as error:
            self._put_again(data, error)
        except (TypeError, ValueError, struct_error) as error:
            raise_again(error)
            tell(f"an access to {path!r} was not written: {error}")

    def metric(self, key: str, step: int | None, value: float, at: int | None = None) -> None:
        """Append one point. Without a step it is one more than the key's last, from 0. `at` is now unless given."""
        data = b""
        try:
            entry = self._keys.get(key) or self._define(key)
            if step is None:
                step = entry[1]
            payload = _pack_point(KIND_POINT, entry[0], step, time_ns() // 1000 if at is None else at, value)
            entry[1] = step + 1
            data = _pack_head(_POINT_BYTES, crc32(payload)) + payload
            written = _write(self._fd, data)
            if written != _FRAME_BYTES:
                self._take_back(written)
        except OSError as error:
            self._put_again(data, error)
        except (TypeError, ValueError, OverflowError, AttributeError, struct_error) as error:
            raise_again(error)
            tell(f"a point of metric {key!r} was not written: {error}")

    def close(self) -> None:
        """Close the file; a later record opens a new one."""
        self._forget()
        if self in _journals:
            _journals.remove(self)

    def _put(self, data: bytes) -> None:
        try:
            written = _write(self._fd, data)
            if written != len(data):
                self._take_back(written)
        except OSError as error:
            self._put_again(data, error)

    def _put_again(self, data: bytes, error: OSError) -> None:
        """A closed descriptor is ordinary: before the first record, after a fork, in a daemon. Anything else is the end."""
        raise_again(error)
        if self.disabled:
            return
        if error.errno != _EBADF:
            self._stop(error.strerror or str(error))
            return
        with self._opening:
            if not _is_open(self._fd) and not self._open():
                return
        try:
            written = _write(self._fd, data)
            if written != len(data):
                self._take_back(written)
        except OSError as again:
            raise_again(again)
            self._stop(again.strerror or str(again))

    def _take_back(self, written: int) -> None:
        """Less than a whole frame was written, so the disk is full: remove the piece, so that the file stays whole."""
        try:
            os.ftruncate(self._fd, os.lseek(self._fd, 0, os.SEEK_CUR) - written)
        except OSError:
            pass
        self._stop("No space left on device")

    def _stop(self, reason: str) -> None:
        self.disabled = True
        self._forget()
        tell(f"recording stopped in process {os.getpid()}: cannot write to {self.directory}: {reason}")

    def _define(self, key: str) -> list[int]:
        entry = [next(self._ids), 0]
        self._names[entry[0]] = _of_rank(key)
        # Written before it is shared, so that no other thread's point can come first.
        self._put(_key_frame(self._names[entry[0]], entry[0]))
        return self._keys.setdefault(key, entry)

    def _open(self) -> bool:
        path = os.path.join(self.directory, os.urandom(16).hex() + ".lj")
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise_again(error)
            self._stop(error.strerror or str(error))
            return False
        data = MAGIC + json_frame(self._first())
        for key, entry in list(self._keys.items()):
            data += _key_frame(self._names.get(entry[0], key), entry[0])
        self.path = path
        self._fd = _move_up(fd)
        try:
            written = _write(self._fd, data)
            if written == len(data):
                return True
            self._take_back(written)
        except OSError as error:
            raise_again(error)
            self._stop(error.strerror or str(error))
        return False

    def _first(self) -> dict[str, Any]:
        more: dict[str, Any] = {} if self._argv is None else {"argv": self._argv}
        if self.place and not self._forked:
            more["place"] = self.place
        return {
            "t": "open",
            "at": time_ns() // 1000,
            "run": self.run,
            "pid": os.getpid(),
            "ppid": os.getppid(),
            "start": started(),
            "boot": _line("/proc/sys/kernel/random/boot_id"),
            "host": os.uname().nodename,
            "ns": namespace("pid"),
            "user": os.environ.get("USER") or os.environ.get("LOGNAME") or str(os.getuid()),
            "python": "%d.%d.%d" % sys.version_info[:3],
            "executable": sys.executable,
            **more,
            "cwd": _cwd(),
            "prefix": sys.prefix,
            "base_prefix": sys.base_prefix,
            "sys_path": list(sys.path),
            "forked": self._forked,
            "main": self._main and not self._forked,
        }

    def _forget(self, *, forked: bool = False) -> None:
        fd, self._fd = self._fd, -1
        if forked:
            self._forked = True
            self._opening = RLock()
        if fd >= 0:
            try:
                os.close(fd)
            except OSError:
                pass


def tell(text: str) -> None:
    """Write `lineal: text` to the program's stderr, each text once, at most twenty a process."""
    if text in _told or len(_told) >= 20:
        return
    _told.add(text)
    try:
        if sys.__stderr__ is not None:
            sys.__stderr__.write("lineal: " + text + "\n")
            sys.__stderr__.flush()
    except Exception:
        pass


def started(pid: int | None = None) -> int:
    """When a process began, in clock ticks since boot; with the pid it names a process for good. 0: not known."""
    text = _line(f"/proc/{'self' if pid is None else pid}/stat")
    try:
        return int(text[text.rindex(")") + 2 :].split()[19])
    except (ValueError, IndexError):
        return 0


def namespace(kind: str) -> str:
    """Which of the kernel's namespaces (`mnt`, `pid`) this process lives in; "" where that cannot be told."""
    try:
        return os.readlink("/proc/self/ns/" + kind)
    except OSError:
        return ""


def _of_rank(key: str) -> str:
    """The key as the record has it: of the second and later ranks of a distributed training with `rankN/` before it.

    The rank is what torchrun, mpirun and srun put into the environment, or torch.distributed was started with.
    """
    rank = world = ""
    for rank_name, world_name in _RANKS:
        if rank := os.environ.get(rank_name, ""):
            world = os.environ.get(world_name, "")
            break
    if not rank:
        distributed = sys.modules.get("torch.distributed")
        try:
            if distributed is not None and distributed.is_initialized():
                rank, world = str(distributed.get_rank()), str(distributed.get_world_size())
        except Exception:
            return key
    return "rank" + rank + "/" + key if rank.isdigit() and rank != "0" and world not in ("", "1") else key


def _key_frame(key: str, number: int) -> bytes:
    return frame(KEY.pack(KIND_KEY, number) + key.encode("utf-8", "surrogatepass"))


def _line(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, 4096).decode("utf-8", "replace").strip()
        finally:
            os.close(fd)
    except OSError:
        return ""


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _move_up(fd: int) -> int:
    """`fd` moved to a number programs do not reach.

    So it is not among the low numbers a program expects to get; and when a program closes every descriptor, its next
    file does not come to stand where we write.
    """
    for base in _HIGH:
        for number in range(base, base + 16):
            if _is_open(number):
                continue
            try:
                os.dup2(fd, number, inheritable=False)
            except OSError:
                break  # above the limit of open files
            os.close(fd)
            return number
    return fd


def _after_fork() -> None:
    for journal in _journals:
        journal._forget(forked=True)


os.register_at_fork(after_in_child=_after_fork)
