"""Runs the real `lineal server` as a process of its own, and asks it."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.e2e.cli import LINEAL, environment

_START_S = 60


def begun(folder: Path) -> Path:
    """A folder in which a project was begun."""
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / ".lineal").mkdir()
    return folder


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return str(self.json["error"]["code"])


class Serving:
    """A server on a project's folder. Its log is `server.log` there."""

    def __init__(self, folder: Path, *words: str, store: str = "", **more: str) -> None:
        self.folder = folder
        self.words = [*words, *(["--store", store] if store else [])]
        self.more = more
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.port = 0

    def start(self, port: int = 0) -> Serving:
        log = self.folder / "server.log"
        begun = log.stat().st_size if log.exists() else 0
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [LINEAL, "server", "--port", str(port), *self.words],
                cwd=self.folder,
                env=environment(**self.more),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            said = log.read_bytes()[begun:].decode()
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{said}")
            if found := re.search(r"at (http://\S+)", said):
                self.url = found[1]
                self.port = urlsplit(self.url).port or 0
                if self.healthy():
                    return self
            time.sleep(0.01)
        raise AssertionError(f"no healthy answer within {_START_S} s:\n{said}")

    def healthy(self) -> bool:
        try:
            return self.get("/health").status == 200
        except OSError:
            return False

    def kill(self) -> None:
        """As the out-of-memory killer would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def stop(self) -> int:
        """As an operator would; the exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.url).hostname or "", self.port, timeout=100)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request on a connection of its own. Headers: `_` stands for `-`."""
        connection = self.connection()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            found = connection.getresponse()
            return Answer(found.status, {k.lower(): v for k, v in found.getheaders()}, found.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, document: Any, **headers: str) -> Answer:
        return self.ask(
            "POST", path, json.dumps(document).encode(), Content_Type="application/json", **headers
        )
