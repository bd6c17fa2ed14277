"""What the interpreter's audit events say about files: above all that they are opened. What befalls their names is told by `names`.

An event comes before the act, so what would fail anyway (no such file, no permission) is not reported. The path of a file
that is opened ten thousand times is reported once for each state (stat) it is found in. `open` is the hot path: one
`os.stat`, and one `os.write` when there is something new.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident

from ..journal.foreign import raise_again
from . import noise, overwrite, relative
from .guard import swallow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

    from ..journal.append import Journal
    from .overwrite import Stat

_stat, _getcwd = os.stat, os.getcwd
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_TRUNC | os.O_APPEND | os.O_CREAT
_ODD = os.O_DIRECTORY | getattr(os, "O_PATH", 0)
_NEW = os.O_CREAT | os.O_EXCL
_TYPE, _REGULAR = 0o170000, 0o100000
READ, WRITE, READ_WRITE, MODIFY = 1, 2, 4, 7
AUDIT = 1
_MOST = 1 << 20  # paths remembered, in 8 MiB

folders_opened = False  # whether this process may name files by the descriptor of a folder
seen_below = False  # whether the preloaded library records what other programs and libraries open

_journal: Journal
_noise: tuple[str, ...] = ()
_here: tuple[str, tuple[str, ...]] = ("", ())
# What was last reported as read, a slot for each path by its hash; a training may read millions. A path that takes the slot of
# another only has it reported again.
_reads = memoryview(bytearray(8 << 13)).cast("q")
_reported = 0  # how many stand there, about
_writes: dict[str, Optional[Stat]] = {}  # by path: its state before the opening last reported
_own: set[str] = (
    set()
)  # written by this process and not read back since: appending more loses nothing of others
_code: set[str] = set()
_files: set[str] = set()
_trials: set[str] = set()
_absent: Optional[Callable[[str], object]] = None  # told of files that are opened and are not there
_focus = ""  # the run within this process that what is seen belongs to, "" for the process's own
_outer: dict[str, tuple[Any, ...]] = {}  # what was last reported of the runs around it
_busy: set[int] = set()  # threads inside a slow part of ours, whose own openings are not the program's


def install(journal: Journal, root: str) -> None:
    """Listen to the interpreter's events from now on; there is no way to stop."""
    global _journal, _noise
    _journal = journal
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    _noise = noise.prefixes(root, (here + "/", os.path.abspath(journal.directory) + "/"))
    os.register_at_fork(after_in_child=_busy.clear)
    sys.addaudithook(_hook)


def also(handlers: dict[str, Callable[[tuple[Any, ...]], None]], absent: Callable[[str], object]) -> None:
    """Listen to more events, and tell `absent` which files were to be read and are not there."""
    global _absent
    _handlers.update(handlers)
    _absent = absent


def focus(run: str) -> None:
    """What is seen from now on belongs to `run` within this process, "" for the process's own: each is told all that it touches."""
    global _reads, _reported, _writes, _own, _focus
    if run == _focus:
        return
    now = (_reads, _reported, _writes, _own)
    if run in _outer:
        _reads, _reported, _writes, _own = _outer.pop(run)  # the one that is left has ended
    else:
        _outer[_focus] = now
        _reads, _reported, _writes, _own = memoryview(bytearray(8 << 13)).cast("q"), 0, {}, set()
    _focus = run
    for name in ("listing", "remote"):
        beside = sys.modules.get(__name__.rpartition(".")[0] + "." + name)
        if beside is not None:
            beside.forget()


def _hook(event: str, args: tuple[Any, ...]) -> None:
    handle = _handlers.get(event)
    if handle is None or (_busy and get_ident() in _busy):
        return
    try:
        handle(args)
    except Exception as error:
        swallow(error)


def _open(args: tuple[Any, ...]) -> None:
    global folders_opened
    path, mode, flags = args
    if path.__class__ is not str:
        path = text(path)
        if not path:
            return
    near = _noise
    if path[:1] != "/":
        if (mode is None or folders_opened) and _elsewhere(path, mode):
            return
        folder, near = _here
        if folder != (now := _getcwd()):
            folder, near = _settle(now)
        path = folder + "/" + path
    if near and path.startswith(near):
        return
    if "/." in path or "//" in path:
        path = plain(path)
        if noise.hidden(path) or path.startswith(_noise):
            return
    if "-packages/" in path or "/__pycache__/" in path:
        return
    if flags & _CHANGES:
        aside(_change, path, flags)
        return
    try:
        found = _stat(path)
    except OSError as error:
        raise_again(error)
        if _absent is not None:
            aside(_absent, path)
        return
    permission = found.st_mode
    if permission & _TYPE != _REGULAR or flags & _ODD:
        folders_opened |= mode is None
        return
    state = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)
    key = hash(path)
    value = key ^ hash(state)
    if _reads[key & len(_reads) - 1] == value:
        return
    if path[-3:] == ".py" and (path in _code or (not flags and mode is not None) or _by_importer()):
        return  # imported or run; that is told by the execution
    if not permission & 4 and not os.access(path, os.R_OK):
        return
    _report(key, value)
    _own.discard(path)
    _journal.file(READ, AUDIT, path, state)


def _report(key: int, value: int) -> None:
    """Remember `value` in the slot of `key`; what was remembered before is forgotten now and then, to make room for more."""
    global _reads, _reported
    _reported += 1
    if _reported > len(_reads) // 2 and len(_reads) < _MOST:
        _reads, _reported = memoryview(bytearray(len(_reads) << 7)).cast("q"), 0
    _reads[key & len(_reads) - 1] = value


def _forget_read(path: str) -> None:
    _reads[hash(path) & len(_reads) - 1] = 0


def _elsewhere(path: str, mode: Any) -> bool:
    """Whether a relative name may mean another folder than the working directory; then others tell what is opened."""
    global folders_opened
    if mode is not None:
        return relative.named("opener")  # what that calls to open something is told
    folders_opened = True
    if seen_below:
        return relative.told_below(path)
    if relative.named("dir_fd") or relative.named("opener"):
        relative.unnamed(_journal)
        return True
    return False


def _settle(folder: str) -> tuple[str, tuple[str, ...]]:
    """The working directory, and the noise that a path relative to it can be: little, so that looking for it is quick."""
    global _here
    inside = folder.rstrip("/") + "/"
    _here = (folder, tuple([p for p in _noise if p.startswith(inside) or inside.startswith(p)]))
    return _here


def _by_importer() -> bool:
    """Whether it is the interpreter itself that opens a file, to import or run it."""
    try:
        caller = sys._getframe(3).f_code.co_filename
    except ValueError:
        return True
    return caller.startswith("<frozen ") or caller.endswith(("/runpy.py", "/zipimport.py"))


def _by_tempfile() -> bool:
    """Whether `tempfile` tries out a folder with a file that it removes at once."""
    try:
        return sys._getframe(5).f_code.co_name == "_get_default_tempdir"
    except ValueError:
        return False


def aside(act: Callable[..., Any], *args: Any) -> Any:
    """`act(*args)`, with this thread's own file operations ignored meanwhile; None when they already are."""
    ident = get_ident()
    if ident in _busy:
        return None
    _busy.add(ident)
    try:
        return act(*args)
    finally:
        _busy.discard(ident)


def _change(path: str, flags: int) -> None:
    """`path` is about to be opened with `flags` that can create or change it."""
    if flags & _ODD:
        return
    try:
        found = _stat(path)
    except OSError as error:
        raise_again(error)
        if not flags & os.O_CREAT or not os.access(os.path.dirname(path), os.W_OK) or path[-5:] == ".lock":
            return
        if flags & _NEW == _NEW and _by_tempfile():
            _trials.add(path)
        else:
            wrote(path, None)
        return
    if found.st_mode & _TYPE != _REGULAR or flags & _NEW == _NEW:
        return
    if not flags & (os.O_WRONLY | os.O_RDWR | os.O_TRUNC):
        read(path, found, AUDIT, "")
        return
    if not os.access(path, os.W_OK) or (path[-5:] == ".lock" and not found.st_size):
        return
    if flags & os.O_TRUNC or not found.st_size:
        overwrite.before(_journal, path, found)
        wrote(path, overwrite.stat_of(found))
    else:
        modify(path, found, READ_WRITE if flags & os.O_RDWR else MODIFY, AUDIT, "")
        _own.add(path)


def read(path: str, found: os.stat_result, layer: int, lib: str) -> None:
    """Report that `path` is read in the state `found`, unless that was the last said of it."""
    state = overwrite.stat_of(found)
    key = hash(path)
    if _reads[key & len(_reads) - 1] != key ^ hash(state):
        note_read(path, state)
        _journal.file(READ, layer, path, state, lib)


def note_read(path: str, state: Stat) -> None:
    """Remember that this read has been reported."""
    key = hash(path)
    _report(key, key ^ hash(state))
    _own.discard(path)


def note_written(path: str) -> None:
    """Somebody else reports this write."""
    _own.add(path)


def note_unwritten(path: str) -> None:
    """That write failed before it began."""
    _own.discard(path)


def wrote(path: str, earlier: Optional[Stat]) -> None:
    """Report that `path` is written anew, which was in the state `earlier`."""
    _own.add(path)
    if path not in _writes or _writes[path] != earlier:
        _writes[path] = earlier
        _journal.file(WRITE, AUDIT, path)


def modify(path: str, found: os.stat_result, op: int, layer: int, lib: str) -> None:
    """Report that `path` is opened for change with its content kept, which therefore goes into what it becomes."""
    if path in _own:
        return  # more of what this process writes itself
    state = overwrite.stat_of(found)
    overwrite.before(_journal, path, found)
    if _writes.get(path) != state:
        _writes[path] = state
        _journal.file(op, layer, path, state, lib)
    if op == MODIFY:
        _own.add(path)


def carried(source: str, target: str) -> None:
    """A file was renamed: what was said of both names was said of other files."""
    for path in (source, target):
        _writes.pop(path, None)
        _forget_read(path)
    if source in _own:
        _own.discard(source)
        _own.add(target)


def gone(path: str) -> None:
    """A file is removed: whatever comes to stand at its path is another."""
    _own.discard(path)
    _writes.pop(path, None)
    _forget_read(path)


def tried(path: str) -> bool:
    """Whether a file was only made to see whether one can be made there; asked once."""
    found = path in _trials
    _trials.discard(path)
    return found


def _execute(args: tuple[Any, ...]) -> None:
    code = args[0]
    name = code.co_filename
    if name in _files:
        return
    _files.add(name)
    if name[:1] == "<":
        return
    report_code(name)


def _import(args: tuple[Any, ...]) -> None:
    if args[1] is not None:  # an extension module
        aside(report_code, args[1])


def report_code(name: str) -> None:
    """Report `name` as code of the user's own, once, if that is what it is."""
    path = absolute(name)
    if path and path not in _code and not ignored(path) and os.path.isfile(path):
        _code.add(path)
        _journal.json("code", path=path)


def _later(file: str, function: str) -> Callable[[tuple[Any, ...]], None]:
    """A handler whose file is imported at its first event."""

    def handle(args: tuple[Any, ...]) -> None:
        name = __name__.rpartition(".")[0] + "." + file
        __import__(name)
        getattr(sys.modules[name], function)(_journal, args)

    return guarded(handle)


def guarded(act: Callable[[tuple[Any, ...]], None]) -> Callable[[tuple[Any, ...]], None]:
    """`act` as a handler whose own file operations are ignored."""
    return lambda args: aside(act, args)


def text(path: Any) -> str:
    """A path as text, "" when it is none (a descriptor)."""
    if isinstance(path, int):
        return ""
    try:
        return os.fsdecode(path)
    except (TypeError, ValueError):
        return ""


def plain(path: str) -> str:
    """`path` without `.`, `..` and doubled slashes, as the system would follow it."""
    if "/../" in path or path.endswith("/.."):
        folder, name = os.path.split(path)
        return os.path.realpath(path) if name == ".." else os.path.join(os.path.realpath(folder), name)
    return os.path.normpath("/" + path.lstrip("/"))


def absolute(path: Any, folder: Any = None, *, ours: bool = False) -> str:
    """`path` from the root as of now, "" when it is none.

    folder: the descriptor that it is relative to, None or -1 for the working directory. What is relative to one the
    preloaded library tells where it is, so then it is "" too, unless it is `ours` to tell in any case.
    """
    name = text(path)
    if not name:
        return ""
    if name[0] != "/":
        if folder in (None, -1):
            name = _getcwd() + "/" + name
        else:
            there = "" if seen_below and not ours else relative.folder(folder)
            name = there and there + "/" + name
    return plain(name) if "/." in name or "//" in name else name


def ignored(path: str) -> bool:
    """Whether an absolute path is noise."""
    return (
        path.startswith(_noise)
        or "-packages/" in path
        or "/__pycache__/" in path
        or ("/." in path and noise.hidden(path))
    )


_handlers: dict[str, Callable[[tuple[Any, ...]], None]] = {
    "open": _open,
    "exec": _execute,
    "import": _import,
    "os.rename": _later("names", "renamed"),
    "os.link": _later("names", "linked"),
    "os.mkdir": _later("names", "folder_made"),
    "os.symlink": _later("names", "symlinked"),
    "os.remove": _later("names", "removed"),
    "os.truncate": _later("names", "truncated"),
    "shutil.rmtree": _later("trees", "removed"),
    "sqlite3.connect": _later("databases", "connected"),
    "subprocess.Popen": _later("children", "popen"),
    "os.system": _later("children", "system"),
    "os.exec": _later("children", "replaced"),
    "os.posix_spawn": _later("children", "spawned"),
    "urllib.Request": _later("remote", "requested"),
}
