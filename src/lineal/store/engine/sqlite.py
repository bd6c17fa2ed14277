"""SQLite through apsw: one file, write-ahead log, every commit synced to disk.

Threads: a connection is used by one thread at a time and is opened by the thread that uses it first; share a store between
threads only under a lock of your own. Processes: after a fork the child opens its own connections, for SQLite's must not
be used on both sides.
"""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import apsw

from lineal.core.errors import Conflict, Invalid, LinealError, Unavailable
from lineal.store.numbers import Numbers, Seen
from lineal.store.tx import Row

OLDEST = (3, 51, 3)  # older ones can corrupt a write-ahead log when two processes checkpoint at once
APPLICATION_ID = 0x4C494E4C  # "LINL", which `file` and we recognise

_SETTINGS = """
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -32768;
PRAGMA journal_size_limit = 67108864;
PRAGMA wal_autocheckpoint = 4000;
"""

_STEPS = 100_000  # of SQLite's virtual machine between two looks at the clock; about a millisecond

# Connections that a forked child inherited. Kept for ever: closing one would touch the parent's locks.
_inherited: list[object] = []


class SqliteTx:
    """An open transaction on one connection."""

    engine: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, connection: apsw.Connection, path: str, seen: Seen) -> None:
        self._connection = connection
        self._path = path
        self.numbers = Numbers(seen)

    def run(self, sql: str, **values: Any) -> None:
        """Execute one statement."""
        try:
            self._connection.execute(sql, _bound(values))
        except _FOREIGN as error:
            raise _translated(error, self._path) from error

    def run_each(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute one statement with every row, bound by name."""
        if rows:
            self.many(sql, rows)

    def many(self, sql: str, rows: Sequence[Mapping[str, Any] | Row]) -> int:
        """Execute one statement for every row, bound by name, or by position to `?`; how many rows it changed in all."""
        before = self._connection.total_changes()
        try:
            self._connection.executemany(sql, rows)
        except _FOREIGN as error:
            raise _translated(error, self._path) from error
        return self._connection.total_changes() - before

    def rows(self, sql: str, **values: Any) -> list[Row]:
        """All rows of one statement."""
        try:
            return self._connection.execute(sql, _bound(values)).fetchall()
        except _FOREIGN as error:
            raise _translated(error, self._path) from error

    def ask(self, sql: str, **values: Any) -> Callable[[], list[Row]]:
        """What gives all rows of one statement, which is executed now."""
        rows = self.rows(sql, **values)
        return lambda: rows

    def rows_each(self, sql: str, rows: Sequence[Row]) -> list[Row]:
        """The rows of one statement, executed once with each of the rows bound by position."""
        try:
            return self._connection.executemany(sql, rows).fetchall()
        except _FOREIGN as error:
            raise _translated(error, self._path) from error

    def row(self, sql: str, **values: Any) -> Row | None:
        """The first row, or None."""
        try:
            return self._connection.execute(sql, _bound(values)).fetchone()
        except _FOREIGN as error:
            raise _translated(error, self._path) from error

    def value(self, sql: str, **values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.row(sql, **values)
        return None if row is None else row[0]

    def settle(self) -> None:
        """Nothing: every statement is executed at once."""

    def forget(self) -> None:
        """Likewise."""


class SqliteEngine:
    """A database file. `write()` waits for other writers and is on disk when it returns; both roll back on an error."""

    def __init__(self, path: str, *, create: bool = True, timeout_s: float = 30.0) -> None:
        """Raises Unavailable: the file cannot be opened, or the SQLite library is too old to be trusted."""
        version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
        if version < OLDEST:
            raise Unavailable(
                f"SQLite {apsw.sqlite_lib_version()} was found; {'.'.join(map(str, OLDEST))} or newer is wanted, for older "
                "ones can damage a store that two processes use",
                hint="pip install -U apsw",
            )
        self.path = os.path.abspath(path)
        self.url = f"sqlite:///{self.path.lstrip('/')}"
        self._create = create
        self._timeout_ms = int(timeout_s * 1000)
        self.query_s: float | None = None  # how long a reading transaction may compute
        self._seen: Seen = {}
        self._pid = os.getpid()
        self._writer: apsw.Connection | None = None
        self._reader: apsw.Connection | None = None
        with _errors(self.path):
            self._reader = self._open()

    @contextmanager
    def read(self) -> Iterator[SqliteTx]:
        """A transaction that sees one state of the store, undisturbed by writers."""
        self._leave_inherited()
        with _errors(self.path):
            if self._reader is None:
                self._reader = self._open()
            connection = self._reader
            if not connection.get_autocommit():  # a read within a read sees the same state
                yield SqliteTx(connection, self.path, self._seen)
                return
            connection.execute("BEGIN")
            connection.set_progress_handler(_overdue(self.query_s), _STEPS)
            try:
                tx = SqliteTx(connection, self.path, self._seen)
                yield tx
                tx.numbers.keep()
            finally:
                connection.set_progress_handler(None)
                if not connection.get_autocommit():
                    connection.execute("ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[SqliteTx]:
        """A transaction that may change the store; the only one at a time. On disk when the block has ended."""
        self._leave_inherited()
        with _errors(self.path):
            if self._writer is None:
                self._writer = self._open()
            connection = self._writer
            connection.execute("BEGIN IMMEDIATE")
            try:
                tx = SqliteTx(connection, self.path, self._seen)
                yield tx
                connection.execute("COMMIT")
                tx.numbers.keep()
            except BaseException:
                if not connection.get_autocommit():  # a full disk has rolled back by itself
                    connection.execute("ROLLBACK")
                raise

    def check(self) -> list[str]:
        """One sentence per thing that SQLite itself finds broken: pages, indexes, references between tables."""
        found: list[str] = []
        try:
            with self.read() as tx:
                found += [
                    f"damaged: {text}" for (text,) in tx.rows("PRAGMA integrity_check(100)") if text != "ok"
                ]
                found += [
                    f"table {table}: row {row} refers to a row of {parent} that does not exist"
                    for table, row, parent, _ in tx.rows("PRAGMA foreign_key_check")
                ]
        except Unavailable as error:
            found.append(error.message)
        return found

    def close(self) -> None:
        """Give the file back. A closed engine opens it again when it is used."""
        if self._pid == os.getpid():
            with _errors(self.path):
                for connection in (self._reader, self._writer):
                    if connection is not None:
                        connection.close()
        self._reader = self._writer = None

    def _open(self) -> apsw.Connection:
        flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if self._create else 0)
        if not self._create and not os.path.exists(self.path):
            raise Unavailable(f"there is no store at {self.path}", hint="`lineal init` makes one")
        self._seen = {}  # it may be another file
        connection = apsw.Connection(self.path, flags=flags, statementcachesize=256)
        connection.set_busy_timeout(self._timeout_ms)
        _refuse_foreign(connection, self.path)
        connection.execute(_SETTINGS).fetchall()  # some answer, and the rest follows when that was read
        return connection

    def _leave_inherited(self) -> None:
        if self._pid != os.getpid():
            _inherited.extend((self._reader, self._writer))
            self._reader = self._writer = None
            self._pid = os.getpid()


def _refuse_foreign(connection: apsw.Connection, path: str) -> None:
    """Make an empty file a store; refuse a SQLite file of another program, which our tables would litter."""
    ((application,),) = connection.execute("PRAGMA application_id").fetchall()
    if application == APPLICATION_ID:
        return
    ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    if application or tables:
        raise Unavailable(
            f"{path} is a SQLite file of another program ({tables} tables, application id {application:#x})",
            hint="name another file as the store",
        )
    ((mode,),) = connection.execute("PRAGMA journal_mode = WAL").fetchall()
    if mode != "wal":
        raise Unavailable(
            f"{path} lies where SQLite cannot keep a write-ahead log (mode {mode!r})",
            hint="put the store on a local disk",
        )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _bound(values: dict[str, Any]) -> dict[str, Any]:
    """Bind lists whole; everything else as it is."""
    for name, value in values.items():
        if type(value) is list:
            values[name] = _list(value)
    return values


def _list(value: list[Any]) -> Any:
    if not value:
        return None  # carray(NULL) gives no rows
    return apsw.carray(tuple(value) if isinstance(value[0], str) else array("q", value))


def _overdue(query_s: float | None) -> Callable[[], bool] | None:
    """Tells SQLite, when it asks, whether to give up."""
    if query_s is None:
        return None
    deadline = time.monotonic() + query_s
    return lambda: time.monotonic() > deadline


@contextmanager
def _errors(path: str) -> Iterator[None]:
    """Let none of the library's exceptions out."""
    try:
        yield
    except _FOREIGN as error:
        raise _translated(error, path) from error


_FOREIGN = (apsw.Error, OverflowError)

# What the library raises -> our error, what was found ({0} the path, {1} the library's words), what to do.
_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[LinealError], str, str], ...] = (
    (
        (apsw.InterruptError,),
        Invalid,
        "the answer would take longer than a question may",
        "ask for less: a narrower filter, a smaller depth or limit",
    ),
    (
        (apsw.BusyError,),
        Unavailable,
        "the store {0} is locked: another process has been writing for too long",
        "wait for it to end, or see who holds it: fuser {0}",
    ),
    (
        (apsw.LockedError,),
        Unavailable,
        "the store {0} is locked by this very process ({1})",
        "end the reading first",
    ),
    (
        (apsw.FullError,),
        Unavailable,
        "no space is left for the store {0}; nothing was written",
        "free some disk space, then repeat",
    ),
    (
        (apsw.NotADBError,),
        Unavailable,
        "{0} is not a Lineal store: its content is not a SQLite database",
        "name another file, or move this one away and restore a copy",
    ),
    (
        (apsw.CorruptError,),
        Unavailable,
        "the store {0} is damaged ({1})",
        "`lineal fsck` names the damaged parts; restore a copy, journals that were kept can be delivered again",
    ),
    (
        (apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError),
        Unavailable,
        "the store {0} cannot be opened ({1})",
        "check that the folder exists and may be written",
    ),
    (
        (apsw.ReadOnlyError,),
        Unavailable,
        "the store {0} may not be written ({1})",
        "check the permissions of the file and its folder",
    ),
    ((OverflowError,), Invalid, "a whole number does not fit into 64 bits", "send a smaller one"),
    (
        (apsw.TooBigError,),
        Invalid,
        "a value is larger than the store can hold (1,000,000,000 bytes)",
        "save it as a file of the run",
    ),
    (
        (apsw.ConstraintError,),
        Conflict,
        "the store refused a contradiction: {1}",
        "look the subject up again",
    ),
)


def _translated(error: Exception, path: str) -> LinealError:
    """What a failure of the library means to the user."""
    for kinds, ours, found, hint in _MEANINGS:
        if isinstance(error, kinds):
            return ours(found.format(path, error), hint=hint.format(path))
    return Unavailable(
        f"the store {path} failed ({type(error).__name__}: {error})", hint="`lineal fsck` checks it"
    )
