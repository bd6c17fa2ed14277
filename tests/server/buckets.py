"""A server of S3 buckets as a process of its own: moto's, in the environment of the other systems' packages."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
from pathlib import Path

from tests.connect.peers import PYTHON, need

BUCKET = "kept"


class Buckets:
    """The server, with one bucket. What it holds is gone when it ends."""

    def __init__(self, folder: Path) -> None:
        need("moto")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """What a program needs to know in order to use it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }

    def start(self) -> Buckets:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        with (self._folder / "buckets.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    PYTHON,
                    "-c",
                    "import moto.server; moto.server.main()",
                    "-H",
                    "127.0.0.1",
                    "-p",
                    str(self.port),
                ],
                env=environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                assert self.ask("PUT", f"/{BUCKET}")[0] == 200
            except OSError:
                assert self._process.poll() is None, (self._folder / "buckets.log").read_text()
                time.sleep(0.05)
            else:
                return self
        raise AssertionError("the server of buckets did not answer within 30 s")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """One unsigned request: status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            found = connection.getresponse()
            return found.status, found.read()
        finally:
            connection.close()

    def names(self) -> list[str]:
        """The names of everything in the bucket."""
        import re

        return re.findall(r"<Key>([^<]*)</Key>", self.ask("GET", f"/{BUCKET}?list-type=2")[1].decode())
