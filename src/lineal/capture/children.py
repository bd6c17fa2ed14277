"""Children that are not Python: where no library is preloaded into them, the files their command line names are evidence.

A Python child records itself. What another child writes, or reads by other means than its arguments, stays unknown then, and
the record says so, once for each process.
"""

from __future__ import annotations

import os
import stat

from . import files, programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..journal.append import Journal

READ, ARGV = 1, 4
_SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ksh", "ash", "busybox"))
# Asked for facts about the machine or the checkout, mostly by libraries, and no part of where data comes from.
_HARMLESS = frozenset(
    (
        "as", "cc", "clang", "date", "df", "file", "free", "gcc", "g++", "getconf", "git", "hostname", "id", "ld",
        "ldconfig", "lineal", "locale", "ls", "lsb_release", "lscpu", "mkdir", "nproc", "nvidia-smi", "objdump", "ps",
        "rocm-smi", "stty", "sysctl", "tput", "true", "uname", "which", "whoami",
    )
)  # fmt: skip
_MOST = 1000
_noted = False
_seen: set[tuple[str, Any]] = set()


def popen(journal: Journal, args: tuple[Any, ...]) -> None:
    """`subprocess.Popen`: (executable, args, cwd, env)."""
    command, cwd = args[1], files.text(args[2]) if args[2] is not None else ""
    words = [command] if isinstance(command, (str, bytes)) else list(command)
    _command(journal, [files.text(word) for word in words], cwd, seen=_keeps_us(args[3]))


def system(journal: Journal, args: tuple[Any, ...]) -> None:
    """`os.system(command)`."""
    _shell(journal, files.text(args[0]), "")


def replaced(journal: Journal, args: tuple[Any, ...]) -> None:
    """`os.exec*`: (path, args, env)."""
    seen = _keeps_us(args[2] if len(args) > 2 else None)
    _command(journal, [files.text(word) for word in args[1]], "", files.text(args[0]), seen=seen)


def _keeps_us(environment: Any) -> bool:
    """Whether a program that is given this environment loads the preloaded library."""
    if environment is None:
        return True
    kept = (
        environment.get("LD_PRELOAD") or (type(environment) is dict and environment.get(b"LD_PRELOAD")) or ""
    )
    return "/preload.so" in files.text(kept)


def spawned(journal: Journal, args: tuple[Any, ...]) -> None:
    """`os.posix_spawn`: (path, args, env)."""
    replaced(journal, args)


def _command(journal: Journal, words: list[str], cwd: str, program: str = "", *, seen: bool = True) -> None:
    if not words:
        return
    name = os.path.basename(program or words[0])
    if _is_python(name) or name in _HARMLESS:
        return
    if name in _SHELLS and "-c" in words[1:3]:
        at = words.index("-c") + 1
        _shell(journal, words[at] if at < len(words) else "", cwd, seen=seen)
        return
    _report(journal, words, cwd, seen=seen)


def _shell(journal: Journal, text: str, cwd: str, *, seen: bool = True) -> None:
    """Each simple command of a shell's text; what stands after `>` is written, so it is left out."""
    import shlex

    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
        lexer.commenters = ""
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        words = text.split()
    command: list[str] = []
    skip = False
    for word in [*words, ";"]:
        if word and all(c in "();<>|&" for c in word):
            skip = ">" in word
            if not skip and "<" not in word:
                _command(journal, command, cwd, seen=seen)
                command = []
        elif skip:
            skip = False
        elif word:
            command.append(word)
    if command:
        _command(journal, command, cwd, seen=seen)


def _report(journal: Journal, words: list[str], cwd: str, *, seen: bool) -> None:
    global _noted
    if files.seen_below and seen and not programs.obstacle(programs.find(words[0], cwd=cwd)):
        return
    if not _noted and not files.seen_below:  # else the library says which program it could not be loaded into
        _noted = True
        journal.json("note", level="info", text="files of non-Python children not observed")
    program = os.path.join(cwd, words[0]) if "/" in words[0] else ""
    if program:
        files.report_code(program)
    for path, found in _existing(words[1 : _MOST + 1], cwd):
        state = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)
        if (path, state) not in _seen:
            _seen.add((path, state))
            journal.file(READ, ARGV, path, state, os.path.basename(words[0]))


def _existing(words: Iterable[str], cwd: str) -> Iterable[tuple[str, os.stat_result]]:
    """The ordinary files that arguments name, also as `--option=path`."""
    for word in words:
        for text in {word, word.partition("=")[2]}:
            path = files.absolute(os.path.join(cwd, text)) if text else ""
            if not path or files.ignored(path):
                continue
            try:
                found = os.stat(path)
            except (OSError, ValueError):
                continue
            if stat.S_ISREG(found.st_mode):
                yield path, found


def _is_python(name: str) -> bool:
    return name.startswith(("python", "pypy"))
