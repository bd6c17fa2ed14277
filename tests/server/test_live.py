"""The stream of changes: who listens hears of every commit, from whichever process it came, as long as they may."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lineal.doors.native import live
from tests.e2e.cli import LINEAL, environment
from tests.server.making import client, ingest, started
from tests.server.serving import Serving, begun
from tests.store import postgres_server

PATH = "/api/lineal/v1/live"


class Listener:
    """One that listens to a server."""

    def __init__(self, serving: Serving, token: str = "", *, patience_s: float = 20) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=patience_s)
        self.connection.request("GET", PATH, headers={"Authorization": f"Bearer {token}"} if token else {})
        self.answer = self.connection.getresponse()

    def hears(self) -> int:
        """The number in the next event; waits for it. Raises EOFError: the stream ended."""
        while line := self.answer.readline():
            if line.startswith(b"data:"):
                return int(json.loads(line[5:])["sequence"])
        raise EOFError

    def ends(self) -> None:
        """Wait until the stream ends, whatever is heard before."""
        deadline = time.monotonic() + 40
        try:
            while self.answer.readline():
                assert time.monotonic() < deadline, "the stream goes on"
        except (http.client.HTTPException, ConnectionError):
            return

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def write(serving: Serving, run: int, token: str = "") -> None:
    with client(serving, token=token) if token else client(serving) as remote:
        remote.call("ingest", ingest(started(run), source=f"run {run}"))


Listen = Callable[..., Listener]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Makes listeners, which are gone when the test ends."""
    made: list[Listener] = []

    def one(serving: Serving, token: str = "") -> Listener:
        made.append(Listener(serving, token))
        return made[-1]

    yield one
    for listener in made:
        listener.close()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    server = Serving(begun(tmp_path)).start()
    yield server
    server.close()


def test_every_commit_is_heard_and_in_order(serving: Serving, listen: Listen) -> None:
    listener = listen(serving)
    assert listener.answer.status == 200
    assert listener.answer.headers["content-type"].startswith("text/event-stream")
    assert listener.answer.headers["x-accel-buffering"] == "no"
    first = listener.hears()
    for run in (1, 2, 3):
        write(serving, run)
        heard = listener.hears()
        assert heard > first
        first = heard
    listener.close()


def test_a_stopping_server_ends_its_streams_and_itself_at_once(serving: Serving, listen: Listen) -> None:
    listener = listen(serving)
    listener.hears()
    begun_at = time.monotonic()
    serving.stop()
    assert time.monotonic() - begun_at < 15, "it did not wait for those who listen"
    listener.ends()


def test_too_many_of_one_address_are_refused_and_those_that_left_are_not_counted(
    serving: Serving, listen: Listen
) -> None:
    listeners = [listen(serving) for _ in range(live.MOST_EACH)]
    for one in listeners:
        one.hears()
    assert listen(serving).answer.status == 503
    listeners.pop().close()
    deadline = time.monotonic() + 20
    while (late := listen(serving)).answer.status != 200:
        assert time.monotonic() < deadline
        late.close()
        time.sleep(0.3)
    for one in (*listeners, late):
        one.close()


def token(serving: Serving, scope: str) -> tuple[str, str]:
    """(the token, its id)"""
    words = [LINEAL, "token", "create", "eva", "--scope", scope, "--json"]
    made = subprocess.run(words, cwd=serving.folder, env=environment(), capture_output=True, check=True)
    told = json.loads(made.stdout)
    return str(told["token"]), str(told["token"]).split("_")[1]


def test_a_stream_ends_with_its_token(serving: Serving, listen: Listen) -> None:
    anonymous = listen(serving)
    anonymous.hears()
    shown, id = token(serving, "viewer")
    deadline = time.monotonic() + 20
    while listen(serving).answer.status != 401:  # a server looks now and then whether there are tokens
        assert time.monotonic() < deadline
        time.sleep(0.3)
    listener = listen(serving, shown)
    listener.hears()
    anonymous.ends()  # who came before the first token was made is let go of
    words = [LINEAL, "token", "revoke", id]
    subprocess.run(words, cwd=serving.folder, env=environment(), capture_output=True, check=True)
    listener.ends()


def test_who_may_not_read_may_not_listen(serving: Serving, listen: Listen) -> None:
    shown, _ = token(serving, "ingest")
    assert listen(serving, shown).answer.status == 403


@pytest.mark.postgres
def test_what_another_server_wrote_is_heard(tmp_path: Path, listen: Listen) -> None:
    if reason := postgres_server.absent():
        pytest.skip(f"PostgreSQL is not installed: {reason}")
    url = postgres_server.server().schema()
    servers = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        servers.append(Serving(begun(tmp_path / name), store=url).start())
    listener = listen(servers[0])
    first = listener.hears()
    write(servers[1], 1)
    assert listener.hears() > first
    listener.close()
    for server in servers:
        server.close()
    postgres_server.server().drop(url)
