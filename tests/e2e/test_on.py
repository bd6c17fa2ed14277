"""`lineal on`: commands and addresses that are called for new versions, and the cause that all of it carries."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.e2e.cli import document, lineal
from tests.server.serving import begun

WAIT = ("on", "new version of raw.csv", "--once")


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = begun(tmp_path_factory.mktemp("shop"))
    (folder / "load.py").write_text("open('raw.csv', 'a').write('1,2\\n')\n")
    (folder / "train.py").write_text(
        "import os; open('model.txt', 'w').write(os.environ['LINEAL_ON_VERSION'])\n"
    )
    (folder / "fail.py").write_text("raise SystemExit(3)\n")
    return folder


def load(project: Path) -> str:
    """A new version of `raw.csv`; the id of the run that made it."""
    assert lineal(project, "run", sys.executable, "load.py").returncode == 0
    return str(document(project, "runs")[0]["run_id"])


def wait(project: Path, *words: str, **more: str) -> int:
    return lineal(project, *WAIT, *words, **more).returncode


def test_a_new_version_runs_the_command_once(project: Path) -> None:
    load(project)
    assert wait(project, "--", sys.executable, "train.py") == 0
    assert not (project / "model.txt").exists()  # what was there at the first look is not new
    cause = load(project)
    assert wait(project, "--", sys.executable, "train.py") == 0
    assert (project / "model.txt").read_text() == "raw.csv@2"
    (caused,) = document(project, "runs", f"tags.cause_id = '{cause}'")
    assert caused["job"] == "train.py"
    assert wait(project, "--", sys.executable, "train.py") == 0
    assert len(document(project, "runs", "job = 'train.py'")) == 1


def test_a_cause_goes_on_through_what_it_caused(project: Path) -> None:
    cause = load(project)
    wait(project, "--from-start", "--name", "one", "--", sys.executable, "train.py")
    words = ("on", "new version of model.txt", "--once", "--from-start")
    lineal(project, *words, "--", sys.executable, "-c", "open('report.txt', 'w').write('r')")
    assert len(document(project, "runs", f"tags.cause_id = '{cause}'")) == 2


def test_a_command_that_fails_is_tried_again_for_the_same_versions(project: Path) -> None:
    load(project)
    for _ in range(2):
        assert wait(project, "--from-start", "--", sys.executable, "fail.py") == 3
    assert len(document(project, "runs", "job = 'fail.py'")) == 2


def test_enough_versions_or_bytes_have_to_come_together(project: Path) -> None:
    words = ("--from-start", "--min-versions", "2", "--min-bytes", "1kB", "--", sys.executable, "train.py")
    load(project)
    assert wait(project, *words) == 0
    assert not (project / "model.txt").exists()
    load(project)
    assert wait(project, *words) == 0
    assert (project / "model.txt").exists()


@pytest.fixture
def address() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """An address that takes what is sent to it, at the second try."""
    took: list[tuple[str, bytes]] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            took.append((self.headers.get("X-Lineal-Signature", ""), body))
            self.send_response(200 if len(took) > 1 else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Taking) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook", took
        server.shutdown()


def test_an_address_is_told_with_a_signature(
    project: Path, address: tuple[str, list[tuple[str, bytes]]]
) -> None:
    url, took = address
    cause = load(project)
    assert wait(project, "--from-start", "--webhook", url, LINEAL_WEBHOOK_SECRET="s3cret") == 0
    assert len(took) == 2
    signature, body = took[-1]
    assert signature == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    said = json.loads(body)
    assert (said["name"], said["cause_id"]) == ("raw.csv", cause)
    assert [version["ref"] for version in said["versions"]] == ["raw.csv@1"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("on", "old version of x", "--", "true"), "is nothing to wait for"),
        (("on", "new version of x"), "either a command or --webhook"),
        (("on", "new version of x", "--min-bytes", "lots", "--", "true"), "is no size"),
        (("on", "new version of x", "--webhook", "file:///etc/passwd"), "is no address"),
        (("on", "new version of x", "--cron", "now", "--", "true"), "is no schedule"),
    ],
)
def test_what_cannot_be_understood_is_refused(project: Path, words: tuple[str, ...], why: str) -> None:
    done = lineal(project, *words)
    assert (done.returncode, why in done.stderr) == (2, True), done.stderr
