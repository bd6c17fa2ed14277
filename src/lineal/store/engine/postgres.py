"""PostgreSQL through psycopg 3: for a store that several machines write.

Writers are not serialised as SQLite's are: statements that must not race take the row or advisory lock that they need. A
connection is used by one thread at a time; after a fork the child opens its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from lineal.core.errors import Conflict, Invalid, LinealError, Unavailable
from lineal.store.base import Row

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


class PostgresTx:
    """An open transaction on one connection."""

    engine: Literal["sqlite", "postgres"] = "postgres"

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    def run(self, sql: str, **values: Any) -> None:
        """Execute one statement."""
        self._connection.execute(_formatted(sql), values)

    def many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute one statement for every row; how many rows it changed in all."""
        if not rows:
            return 0
        with self._connection.cursor() as cursor:
            cursor.executemany(_formatted(sql), rows)
            return max(0, cursor.rowcount)

    def rows(self, sql: str, **values: Any) -> list[Row]:
        """All rows of one statement."""
        cursor = self._connection.execute(_formatted(sql), values)
        return cursor.fetchall() if cursor.description else []

    def row(self, sql: str, **values: Any) -> Row | None:
        """The first row, or None."""
        return self._connection.execute(_formatted(sql), values).fetchone()

    def value(self, sql: str, **values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.row(sql, **values)
        return None if row is None else row[0]


class PostgresEngine:
    """A PostgreSQL database. `write()` is durable on exit; both roll back on an error."""

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        """Raises Unavailable: the server cannot be reached, refuses us, or is older than PostgreSQL 13."""
        self.url = _without_password(url)
        self._conninfo = url
        self._timeout_s = timeout_s
        self._pid = os.getpid()
        self._writer: psycopg.Connection[Row] | None = None
        self._reader: psycopg.Connection[Row] | None = None
        with _errors(self.url):
            self._reader = self._open()
            self._reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            self._reader.read_only = True

    @contextmanager
    def read(self) -> Iterator[PostgresTx]:
        """A transaction that sees one state of the store, undisturbed by writers."""
        self._leave_inherited()
        with _errors(self.url):
            if self._reader is None or self._reader.closed:
                self._reader = self._open()
                self._reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                self._reader.read_only = True
            connection = self._reader
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                yield PostgresTx(connection)  # a read within a read sees the same state
                return
            try:
                yield PostgresTx(connection)
            finally:
                if not connection.closed:
                    connection.rollback()

    @contextmanager
    def write(self) -> Iterator[PostgresTx]:
        """A transaction that may change the store. On the server's disk when the block has ended."""
        self._leave_inherited()
        with _errors(self.url):
            if self._writer is None or self._writer.closed:
                self._writer = self._open()
            connection = self._writer
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                raise Unavailable(
                    "this very store is being written already", hint="end the outer write first"
                )
            try:
                yield PostgresTx(connection)
                connection.commit()
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
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
        self._reader = self._writer = None

    def _open(self) -> psycopg.Connection[Row]:
        connection = psycopg.connect(self._conninfo, connect_timeout=max(2, int(self._timeout_s)))
        if connection.info.server_version < OLDEST:
            raise Unavailable(
                f"PostgreSQL {connection.info.server_version // 10000} was found, {OLDEST // 10000} or newer is wanted",
                hint="upgrade the server",
            )
        connection.execute(
            f"SET lock_timeout = {int(self._timeout_s * 1000)}; SET client_min_messages = warning; "
            # Our questions are short; compiling one costs more than answering it.
            "SET jit = off; SET client_encoding = 'UTF8'; SET TimeZone = 'UTC'"
        )
        connection.commit()
        return connection

    def _leave_inherited(self) -> None:
        if self._pid != os.getpid():
            _inherited.extend((self._reader, self._writer))
            self._reader = self._writer = None
            self._pid = os.getpid()


@lru_cache(maxsize=2048)
def _formatted(sql: str) -> str:
    """The statement with `%(name)s` for `:name`, except inside quotes and comments and after `::`."""

    def replace(found: re.Match[str]) -> str:
        if found["name"]:
            return f"%({found['name']})s"
        return "%%" if found["percent"] else found["kept"].replace("%", "%%")

    return _TOKEN.sub(replace, sql)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.split(':', 1)[0]}@{host}"))


@contextmanager
def _errors(url: str) -> Iterator[None]:
    """Turn what psycopg raises into Unavailable, Invalid or Conflict with what was found and what to do."""
    try:
        yield
    except LinealError:
        raise
    except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure) as error:
        raise Unavailable(
            f"another writer of {url} was in the way; nothing was written", hint="repeat it"
        ) from error
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
        raise Unavailable(
            f"{url} is locked: another writer has been busy for too long", hint="wait for it, then repeat"
        ) from error
    except psycopg.errors.DiskFull as error:
        raise Unavailable(
            f"the server of {url} has no space left", hint="free some space, then repeat"
        ) from error
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
        raise Unavailable(
            f"{url} may not be written: {_said(error)}", hint="check the user's rights"
        ) from error
    except psycopg.errors.DataCorrupted as error:
        raise Unavailable(
            f"{url} is damaged: {_said(error)}", hint="restore a copy of the database"
        ) from error
    except (psycopg.errors.NumericValueOutOfRange, OverflowError) as error:
        raise Invalid("a whole number does not fit into 64 bits", hint="send a smaller one") from error
    except psycopg.errors.ProgramLimitExceeded as error:
        raise Invalid(
            f"a value is larger than the store can hold: {_said(error)}", hint="save it as a file"
        ) from error
    except psycopg.IntegrityError as error:
        raise Conflict(f"the store refused a contradiction: {_said(error)}") from error
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"cannot talk to {url}: {_said(error)}", hint="check that the server runs and lets this user in"
        ) from error
    except psycopg.Error as error:
        raise Unavailable(
            f"{url} failed ({type(error).__name__}: {_said(error)})", hint="see the server's log"
        ) from error


def _said(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
