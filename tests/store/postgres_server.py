"""A throw-away PostgreSQL server in a temporary folder, reached by a Unix socket; started at the first use."""

from __future__ import annotations

import atexit
import functools
import glob
import itertools
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from urllib.parse import quote

_numbers = itertools.count(1)


class NotInstalled(Exception):
    """PostgreSQL is not on this machine; the text says what was looked for."""


class Server:
    """A running server. Each `schema()` is an empty place of its own in it."""

    def __init__(self, **more: str) -> None:
        """more: further settings of the server."""
        binaries = _binaries()
        self.version = re.search(r"[\d.]+", _output([f"{binaries}/postgres", "--version"]))[0]  # type: ignore[index]
        # Not pytest's folder: the server's user must be able to enter it, and a socket's path must be short.
        self.directory = tempfile.mkdtemp(prefix="lineal-pg-")
        self._as = _other_user(self.directory)
        data = f"{self.directory}/data"
        common = [f"{binaries}/initdb", "-D", data, "-U", "lineal", "-A", "trust", "-E", "UTF8", "--no-sync"]
        # A collation that is not byte order, so that a forgotten COLLATE shows.
        icu = [*common, "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
        if subprocess.run(icu, capture_output=True, **self._as).returncode:
            shutil.rmtree(data, ignore_errors=True)
            subprocess.run([*common, "--locale=C"], check=True, capture_output=True, **self._as)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self.directory,
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "64MB",
            **more,
        }
        self._command = [
            f"{binaries}/postgres",
            "-D",
            data,
            *(f"--{name}={value}" for name, value in settings.items()),
        ]
        atexit.register(self.stop)
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        import psycopg

        with open(f"{self.directory}/log", "ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, **self._as)  # type: ignore[call-overload]
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url()).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(pathlib.Path(self.directory, "log").read_text()[-2000:]) from None
                time.sleep(0.05)

    def crash(self) -> None:
        """End the server at once, with every session, as a power failure of its process would."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)

    def url(self, schema: str = "public") -> str:
        return (
            f"postgresql://lineal@/postgres?host={quote(self.directory, safe='')}"
            f"&options={quote(f'-csearch_path={schema}', safe='')}"
        )

    def schema(self) -> str:
        """The address of a new, empty schema."""
        import psycopg

        name = f"t{next(_numbers)}_{os.getpid()}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a schema and what is in it."""
        import psycopg

        name = re.search(r"search_path%3D(\w+)", url)
        assert name
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute(f"DROP SCHEMA {name[1]} CASCADE")

    def stop(self) -> None:
        """End the server, and only the process started here."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:  # somebody is still connected
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(10)
        shutil.rmtree(self.directory, ignore_errors=True)


@functools.cache
def server() -> Server:
    """The one server of this test process. Raises NotInstalled."""
    return Server()


@functools.cache
def absent() -> str:
    """Why there is no PostgreSQL here; empty when there is."""
    try:
        import psycopg  # noqa: F401

        _binaries()
    except (ImportError, NotInstalled) as error:
        return str(error)
    return ""


def _binaries() -> str:
    """The folder with the newest initdb and postgres."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb") + glob.glob(
        "/opt/homebrew/opt/postgresql*/bin/initdb"
    )
    on_path = shutil.which("initdb")
    usable = [os.path.dirname(path) for path in [*found, *([on_path] if on_path else [])]]
    usable = [folder for folder in usable if os.access(f"{folder}/postgres", os.X_OK)]
    if not usable:
        raise NotInstalled("no initdb and postgres in /usr/lib/postgresql/*/bin or on PATH")
    return max(usable, key=lambda folder: [int(part) for part in re.findall(r"\d+", folder)] or [0])


def _other_user(directory: str) -> dict[str, object]:
    """PostgreSQL refuses to run as root: how to run it as somebody else, to whom the folder is given."""
    if os.getuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    entry = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(directory, entry.pw_uid, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": directory}


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
