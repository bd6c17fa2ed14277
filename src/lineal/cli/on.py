"""on: wait for new versions of something, and run a command or call an address for them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from lineal.cli import desk, exits
from lineal.core.errors import Invalid, LinealError, NotFound, Unavailable
from lineal.core.trigger import Condition, New, bytes_of, name_of
from lineal.sdk import session

if TYPE_CHECKING:
    from lineal.service.client import AnyClient
    from lineal.service.versions import VersionSummary

DOOR = "trigger"
CAUSE = "LINEAL_CAUSE_ID"
_MOST = 10_000  # new versions that are looked at together
_ANSWER_S, _TRIES = 30.0, 4


@click.command("on")
@click.argument("what", metavar='"new version of X"')
@click.option(
    "--min-versions", type=click.IntRange(1), metavar="N", help="Not before there are N new versions."
)
@click.option(
    "--min-bytes", metavar="SIZE", help="Not before that many new bytes came together: 500, 10MB, 2GiB."
)
@click.option("--all", "both", is_flag=True, help="Both --min-versions and --min-bytes, not either.")
@click.option("--cron", metavar="SPEC", help="Look only then: five fields, as '0 6 * * 1-5'; local time.")
@click.option(
    "--webhook", metavar="URL", help="Send a POST with a JSON document there instead of running a command."
)
@click.option(
    "--name",
    metavar="NAME",
    help="Under which what was handled is remembered; by default made from all of this.",
)
@click.option("--from-start", is_flag=True, help="Versions that are there already count as new.")
@click.option("--once", is_flag=True, help="Look once, act if it is due, and end.")
@click.option(
    "--every",
    type=click.FloatRange(0.1, 86_400),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long between two looks.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def on_command(
    what: str,
    min_versions: int | None,
    min_bytes: str | None,
    both: bool,
    cron: str | None,
    webhook: str | None,
    name: str | None,
    from_start: bool,
    once: bool,
    every: float,
    command: tuple[str, ...],
) -> int:
    """Wait for new versions of X, a path or a registered name, and run COMMAND under `lineal run` for them.

    \b
      lineal on "new version of data/raw.csv" -- python train.py
      lineal on "new version of churn" --min-versions 3 --webhook https://example.org/hook

    The command finds in its environment LINEAL_ON_NAME, LINEAL_ON_VERSION (the newest) and LINEAL_CAUSE_ID, which everything
    that it causes carries as the tag `cause_id`. It ends with Ctrl-C; what was handled is remembered, and a command that
    fails is run again at the next look.
    """
    if bool(command) == bool(webhook):
        raise Invalid("either a command or --webhook is wanted", hint="write the command after `--`")
    wanted = name_of(what)
    condition = Condition(versions=min_versions or 0, size=bytes_of(min_bytes) if min_bytes else 0, both=both)
    act = _Call(webhook) if webhook else _Command(command)
    trigger = _Trigger(
        wanted, condition, act, name or _own_name(what, condition, command, webhook), from_start
    )
    if not once:
        exits.tell(f"waiting for new versions of {wanted}; Ctrl-C ends it")
    for _ in _moments(cron, every, once=once):
        code = trigger.look()
        if once:
            return code
    return exits.OK


class _Trigger:
    """Looks for new versions, acts when it is due, and remembers the last that was handled."""

    def __init__(self, wanted: str, condition: Condition, act: Any, name: str, from_start: bool) -> None:
        self._wanted, self._condition, self._act = wanted, condition, act
        self._stream = f"on:{name}"
        self._from_start = from_start
        self._failed = 0

    def look(self) -> int:
        """One look; the exit code of what was done, 0 where nothing was."""
        try:
            with desk.reading() as client:
                after = self._handled(client)
                found = _versions(client, self._wanted)
        except NotFound:
            found, after = [], 0
        except Unavailable as error:
            exits.tell(f"{error.message}; looking again")
            return exits.UNAVAILABLE
        if after is None:  # the first look ever
            newest = max((one.number for one in found), default=0)
            if not self._from_start:
                self._remember(0, newest)
                return exits.OK
            after = 0
        new = sorted((one for one in found if one.number > after), key=lambda one: one.number)
        if not self._condition.is_due([New(one.number, one.size) for one in new]):
            return exits.OK
        code: int = self._act(self._wanted, new)
        if code == 0:
            self._remember(after, new[-1].number)
        else:
            exits.tell(f"that ended with {code}; it is tried again for the same versions")
        return code

    def _handled(self, client: AnyClient) -> int | None:
        """The number of the last version that was handled, None when there was no look yet."""
        from lineal.service.ingest import PositionsRequest

        position: int = client.call(
            "positions", PositionsRequest(door=DOOR, sources=[self._stream])
        ).positions[self._stream]
        return position - 1 if position else None

    def _remember(self, after: int, number: int) -> None:
        """Positions begin with 1: 0 is one that was never set."""
        from lineal.core import events as ev
        from lineal.service.ingest import IngestRequest

        with desk.writing() as client:
            handled = self._handled(client)
            start = 0 if handled is None else handled + 1
            if start > number + 1:
                return
            body = f"{self._stream} {after} {number}".encode()
            batch = ev.Batch(
                door=DOOR,
                source=self._stream,
                start=start,
                position=number + 1,
                digest="sha256:" + hashlib.sha256(body).hexdigest(),
                actor="",
                events=[],
            )
            client.call("ingest", IngestRequest(batches=[batch]))


class _Command:
    """Runs a command under `lineal run`."""

    def __init__(self, command: Sequence[str]) -> None:
        ours = os.path.basename(command[0]) == "lineal"
        self._command = [*command] if ours else [sys.argv[0], "run", "--", *command]

    def __call__(self, wanted: str, new: Sequence[VersionSummary]) -> int:
        exits.tell(f"{len(new)} new, {new[-1].ref} the newest: {' '.join(self._command)}")
        more = {"LINEAL_ON_NAME": wanted, "LINEAL_ON_VERSION": new[-1].ref, CAUSE: _cause(new)}
        return subprocess.run(self._command, env={**os.environ, **more}, check=False).returncode


class _Call:
    """Sends a JSON document to an address."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise Invalid(f"{url!r} is no address to send to", hint="write http://... or https://...")
        self._url = url

    def __call__(self, wanted: str, new: Sequence[VersionSummary]) -> int:
        told = [
            {"ref": one.ref, "number": one.number, "digest": one.digest, "size": one.size, "run": one.run}
            for one in new
        ]
        body = json.dumps(
            {"event": "new_version", "name": wanted, "versions": told, "cause_id": _cause(new)}
        ).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "lineal"}
        if secret := os.environ.get("LINEAL_WEBHOOK_SECRET"):
            import hmac

            headers["X-Lineal-Signature"] = "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()
        request = urllib.request.Request(self._url, body, headers)  # noqa: S310 - the scheme was looked at
        for tried in range(_TRIES):
            try:
                with urllib.request.urlopen(request, timeout=_ANSWER_S) as reply:  # noqa: S310
                    exits.tell(
                        f"{len(new)} new, {new[-1].ref} the newest: {self._url} answered {reply.status}"
                    )
                    return exits.OK
            except urllib.error.HTTPError as error:
                said = f"answered {error.code}"
                error.close()
            except OSError as error:
                said = f"did not answer: {getattr(error, 'reason', error)}"
            if tried + 1 < _TRIES:
                time.sleep(0.5 * 2**tried)
        exits.tell(f"{self._url} {said}")
        return exits.UNAVAILABLE


def _cause(new: Sequence[VersionSummary]) -> str:
    """What caused the newest version: the run that made it, or the version itself where nobody was seen making it."""
    newest = new[-1]
    if newest.run:
        with contextlib.suppress(LinealError), desk.reading() as client:
            from lineal.service.runs import RunsRequest

            for run in client.call("runs", RunsRequest(where=f"run_id = '{newest.run}'", limit=1)).runs:
                return str(run.tags.get("cause_id") or newest.run)
        return newest.run
    return hashlib.sha256(f"{newest.ref} {newest.digest}".encode()).hexdigest()[:32]


def _versions(client: AnyClient, wanted: str) -> list[VersionSummary]:
    """The versions of an artifact, or else of a registered name, as many as are looked at together."""
    from lineal.service.versions import VersionsRequest

    name = session.reference(client, wanted)
    for request in (
        VersionsRequest(where=f"name = {_quoted(name)}", limit=_MOST),
        VersionsRequest(where=f"name = {_quoted(wanted)}", models=True, limit=_MOST),
    ):
        found: list[VersionSummary] = client.call("versions", request).versions
        if found:
            return found
    return []


def _moments(cron: str | None, every: float, *, once: bool) -> Iterator[None]:
    """Yields whenever it is time to look."""
    if cron is None:
        while True:
            yield
            time.sleep(every)
    from cronsim import CronSim, CronSimError

    try:
        times = CronSim(cron, datetime.now(UTC).astimezone())
    except CronSimError as error:
        raise Invalid(f"{cron!r} is no schedule: {error}", hint="five fields, as '0 6 * * 1-5'") from error
    if once:
        yield
    for at in times:
        time.sleep(max(0.0, at.timestamp() - time.time()))
        yield


def _own_name(what: str, condition: Condition, command: Sequence[str], webhook: str | None) -> str:
    said = json.dumps([what, condition.versions, condition.size, condition.both, *command, webhook])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
