"""PostgreSQL through psycopg 3: for a store that several machines write.

Writers are not serialised as SQLite's are: statements that must not race take the row or advisory lock that they need. A
connection is used by one thread at a time; after a fork the child opens its own.

A statement that gives nothing back is not waited for, nor is one whose answer is not needed yet: they go to the server with the
next one that is waited for, or before the commit. What the server has to say against them is raised there; the transaction is
lost either way.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, LiteralString, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from lineal.core.errors import Conflict, Invalid, LinealError, Unavailable
from lineal.store.numbers import Numbers, Seen
from lineal.store.tx import Row

try:
    import psycopg
except ImportError as missing:
    raise Unavailable(
        "a PostgreSQL store was named, and psycopg is not installed", hint="pip install 'lineal[postgres]'"
    ) from missing

OLDEST = 130000  # server_version_num

_TOKEN = re.compile(
    r"""(?P<kept>'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | ::)
      | :(?P<name>[a-z_][a-z0-9_]*)
      | (?P<percent>%)""",
    re.VERBOSE | re.DOTALL,
)

# Connections that a forked child inherited. Kept for ever: closing one would end the parent's session.
_inherited: list[object] = []


class _Line(NamedTuple):
    """A connection with cursors that are kept, for making one costs as much as a short statement."""

    connection: psycopg.Connection[Row]
    telling: psycopg.Cursor[Row]  # for statements whose answer is not looked at
    asking: list[psycopg.Cursor[Row]]  # one for each question on its way


@dataclass(slots=True)
class _Question:
    """A statement that was said and gives rows, once it was executed."""

    found: list[Row] | None = None


class PostgresTx:
    """An open transaction on one connection."""

    engine: Literal["sqlite", "postgres"] = "postgres"

    def __init__(self, line: _Line, url: str, seen: Seen) -> None:
        self._line = line
        self._url = url
        self._said: list[tuple[Any, Mapping[str, Any], _Question | None]] = []
        self.numbers = Numbers(seen)

    def run(self, sql: str, **values: Any) -> None:
        """Execute one statement, at the latest with the next that gives something back."""
        self._said.append((_formatted(sql), _bound(values), None))

    def run_each(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute one statement with every row, bound by name, when `run` would."""
        statement = _formatted(sql)
        self._said += [(statement, row, None) for row in rows]

    def many(self, sql: str, rows: Sequence[Mapping[str, Any] | Row]) -> int:
        """Execute one statement for every row; how many rows it changed in all."""
        if not rows:
            return 0
        self.settle()
        try:
            with self._line.connection.cursor() as cursor:
                cursor.executemany(_formatted(sql), rows)
                return max(0, cursor.rowcount)
        except _FOREIGN as error:
            raise _translated(error, self._url) from error

    def ask(self, sql: str, **values: Any) -> Callable[[], list[Row]]:
        """What gives all rows of one statement; all that was asked until the first answer is needed goes out together."""
        question = _Question()
        self._said.append((_formatted(sql), _bound(values), question))

        def answer() -> list[Row]:
            if question.found is None:
                self.settle()
            assert question.found is not None, "what was asked in a part that was undone has no answer"
            return question.found

        return answer

    def rows(self, sql: str, **values: Any) -> list[Row]:
        """All rows of one statement."""
        if self._said:
            return self.ask(sql, **values)()
        try:
            return self._cursor(0).execute(_formatted(sql), _bound(values)).fetchall()
        except _FOREIGN as error:
            raise _translated(error, self._url) from error

    def rows_each(self, sql: str, rows: Sequence[Row]) -> list[Row]:
        """Not here: one statement over arrays asks for all of them."""
        raise NotImplementedError

    def row(self, sql: str, **values: Any) -> Row | None:
        """The first row, or None."""
        return next(iter(self.rows(sql, **values)), None)

    def value(self, sql: str, **values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.row(sql, **values)
        return None if row is None else row[0]

    def settle(self) -> None:
        """Have everything executed that was said so far. Raises what the server has to say against it."""
        if not self._said:
            return
        said, self._said = self._said, []
        asked: list[tuple[_Question, psycopg.Cursor[Row]]] = []
        try:
            with self._line.connection.pipeline():
                for statement, values, question in said:
                    cursor = self._line.telling if question is None else self._cursor(len(asked))
                    cursor.execute(statement, values)
                    if question is not None:
                        asked.append((question, cursor))
            for question, cursor in asked:
                question.found = cursor.fetchall()
        except _FOREIGN as error:
            raise _translated(error, self._url) from error

    def forget(self) -> None:
        """Leave out what was said and not yet executed."""
        self._said = []

    def _cursor(self, place: int) -> psycopg.Cursor[Row]:
        while len(self._line.asking) <= place:
            self._line.asking.append(self._line.connection.cursor())
        return self._line.asking[place]


class PostgresEngine:
    """A PostgreSQL database. `write()` is durable on exit; both roll back on an error."""

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        """Raises Unavailable: the server cannot be reached, refuses us, or is older than PostgreSQL 13."""
        self.url = _without_password(url)
        self._conninfo = url
        self._timeout_s = timeout_s
        self.query_s: float | None = None  # how long a statement of a reading transaction may take
        self._limited: tuple[object, float | None] = (None, None)
        self._seen: Seen = {}
        self._pid = os.getpid()
        self._writer: _Line | None = None
        self._reader: _Line | None = None
        with _errors(self.url):
            self._reader = self._open()

    @contextmanager
    def read(self) -> Iterator[PostgresTx]:
        """A transaction that sees one state of the store, undisturbed by writers."""
        self._leave_inherited()
        with _errors(self.url):
            if self._reader is not None and _busy(self._reader):
                yield PostgresTx(
                    self._reader, self.url, self._seen
                )  # a read within a read sees the same state
                return
            self._reader = self._begun(self._reader, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection = self._reader.connection
            try:
                if self._limited != (connection, self.query_s):
                    connection.execute(f"SET statement_timeout = {int((self.query_s or 0) * 1000)}")
                    connection.commit()
                    self._limited = (connection, self.query_s)
                    self._reader = self._begun(
                        self._reader, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                    )
                    connection = self._reader.connection
                tx = PostgresTx(self._reader, self.url, self._seen)
                yield tx
                tx.numbers.keep()
            finally:
                if not connection.closed:
                    connection.rollback()

    @contextmanager
    def write(self) -> Iterator[PostgresTx]:
        """A transaction that may change the store. On the server's disk when the block has ended."""
        self._leave_inherited()
        with _errors(self.url):
            if self._writer is not None and _busy(self._writer):
                raise Unavailable(
                    "this very store is being written already", hint="end the outer write first"
                )
            self._writer = self._begun(self._writer, "BEGIN")
            connection = self._writer.connection
            try:
                tx = PostgresTx(self._writer, self.url, self._seen)
                yield tx
                tx.settle()
                connection.commit()
                tx.numbers.keep()
            except BaseException:
                if not connection.closed:
                    connection.rollback()
                raise

    def check(self) -> list[str]:
        """One sentence per thing found broken: indexes that are not valid, text that is not compared by bytes."""
        try:
            with self.read() as tx:
                found = [
                    f"index {name} is not valid: REINDEX INDEX {name}"
                    for (name,) in tx.rows(
                        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
                        "JOIN pg_namespace n ON n.oid = c.relnamespace "
                        "WHERE n.nspname = current_schema() AND NOT (i.indisvalid AND i.indisready) ORDER BY 1"
                    )
                ]
                if (encoding := tx.value("SHOW server_encoding")) != "UTF8":
                    found.append(f"the database is encoded as {encoding}, UTF8 is wanted")
                return found
        except Unavailable as error:
            return [error.message]

    def close(self) -> None:
        """Give the connections back. A closed engine opens them again when it is used."""
        if self._pid == os.getpid():
            for line in (self._reader, self._writer):
                if line is not None:
                    line.connection.close()
        self._reader = self._writer = None

    def _begun(self, line: _Line | None, begin: LiteralString) -> _Line:
        """A connection in a new transaction; one that died while nobody used it is replaced."""
        if line is not None and not line.connection.closed:
            try:
                line.telling.execute(begin)
                return line
            except psycopg.OperationalError:
                line.connection.close()
        line = self._open()
        line.telling.execute(begin)
        return line

    def _open(self) -> _Line:
        self._seen = {}  # a standby that took over may lack the last of what the other server had
        connection = psycopg.connect(
            self._conninfo, autocommit=True, connect_timeout=max(2, int(self._timeout_s))
        )
        if connection.info.server_version < OLDEST:
            raise Unavailable(
                f"PostgreSQL {connection.info.server_version // 10000} was found, {OLDEST // 10000} or newer is wanted",
                hint="upgrade the server",
            )
        if connection.info.server_version >= 140000:
            # A client that was killed gives its locks back within a second, however long its statement is.
            connection.execute("SET client_connection_check_interval = 1000")
        connection.execute(
            f"SET lock_timeout = {int(self._timeout_s * 1000)}; SET client_min_messages = warning; "
            # Our questions are short; compiling one costs more than answering it.
            "SET jit = off; SET client_encoding = 'UTF8'; SET TimeZone = 'UTC'"
        )
        return _Line(connection, connection.cursor(), [])

    def _leave_inherited(self) -> None:
        if self._pid != os.getpid():
            _inherited.extend((self._reader, self._writer))
            self._reader = self._writer = None
            self._pid = os.getpid()


def _busy(line: _Line) -> bool:
    idle = psycopg.pq.TransactionStatus.IDLE
    return not line.connection.closed and line.connection.info.transaction_status != idle


@lru_cache(maxsize=2048)
def _formatted(sql: str) -> str:
    """The statement with `%(name)s` for `:name`, except inside quotes and comments and after `::`."""

    def replace(found: re.Match[str]) -> str:
        if found["name"]:
            return f"%({found['name']})s"
        return "%%" if found["percent"] else found["kept"].replace("%", "%%")

    return _TOKEN.sub(replace, sql)


def _bound(values: dict[str, Any]) -> dict[str, Any]:
    """The values as the library takes them."""
    for name, value in values.items():
        if type(value) is list and value:
            values[name] = _array(value)
    return values


def _array(items: list[Any]) -> Any:
    """Numbers as PostgreSQL writes an array of them, several times faster than the library does; anything else as it is.

    Every statement casts the lists it is given, so the text is taken for what it is.
    """
    kind = type(next((item for item in items if item is not None), ""))
    if kind is not int and kind is not float:
        return items
    return "{" + ",".join(["NULL" if item is None else repr(item) for item in items]) + "}"


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.split(':', 1)[0]}@{host}"))


@contextmanager
def _errors(url: str) -> Iterator[None]:
    """Let none of the library's exceptions out."""
    try:
        yield
    except _FOREIGN as error:
        raise _translated(error, url) from error


_FOREIGN = (psycopg.Error, OverflowError)
_E = psycopg.errors

# What the library raises -> our error, what was found ({0} the address, {1} the server's words), what to do.
_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[LinealError], str, str], ...] = (
    (
        (_E.DeadlockDetected, _E.SerializationFailure),
        Unavailable,
        "another writer of {0} was in the way; nothing was written",
        "repeat it",
    ),
    (
        (_E.QueryCanceled,),
        Invalid,
        "the answer would take longer than a question may",
        "ask for less: a narrower filter, a smaller depth or limit",
    ),
    (
        (_E.LockNotAvailable,),
        Unavailable,
        "{0} is locked: another writer has been busy for too long",
        "wait for it, then repeat",
    ),
    ((_E.DiskFull,), Unavailable, "the server of {0} has no space left", "free some space, then repeat"),
    (
        (_E.InsufficientPrivilege, _E.ReadOnlySqlTransaction),
        Unavailable,
        "{0} may not be written: {1}",
        "check the user's rights",
    ),
    (
        (_E.DataCorrupted, _E.IndexCorrupted),
        Unavailable,
        "{0} is damaged: {1}",
        "restore a copy of the database",
    ),
    (
        (_E.NumericValueOutOfRange, OverflowError),
        Invalid,
        "a whole number does not fit into 64 bits",
        "send a smaller one",
    ),
    (
        (_E.ProgramLimitExceeded,),
        Invalid,
        "a value is larger than the store can hold: {1}",
        "save it as a file",
    ),
    (
        (_E.UniqueViolation,),
        Unavailable,
        "another writer recorded the same in {0} at this moment; nothing was written",
        "repeat it",
    ),
    (
        (psycopg.IntegrityError,),
        Conflict,
        "the store refused a contradiction: {1}",
        "look the subject up again",
    ),
    (
        (psycopg.OperationalError,),
        Unavailable,
        "cannot talk to {0}: {1}",
        "check that the server runs and lets this user in",
    ),
)


def _translated(error: Exception, url: str) -> LinealError:
    """What a failure of the library or the server means to the user."""
    said = str(error).strip().split("\n", 1)[0]
    for kinds, ours, found, hint in _MEANINGS:
        if isinstance(error, kinds):
            return ours(found.format(url, said), hint=hint)
    return Unavailable(f"{url} failed ({type(error).__name__}: {said})", hint="see the server's log")
