"""Skip by identity: whether an earlier run did exactly what is about to be done.

A run is used again only where nothing is open: it was watched for it (`lineal.reuse/1`), has no gaps, and what it was started
with, its code, its environment and everything it was seen to use are as they were. Files are re-checked by stat where their
digest at that stat is known, else by digest.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from lineal.capture import listing, redact
from lineal.core import events as ev
from lineal.core.errors import LinealError
from lineal.deliver import environment
from lineal.deliver.fingerprint import Fingerprints
from lineal.deliver.watched import FACET as WATCHED
from lineal.deliver.watched import RETURNED, RETURNED_FACET
from lineal.deliver.words import encode
from lineal.resolve.content import sha256_of
from lineal.resolve.project import Project
from lineal.service.client import AnyClient
from lineal.service.runs import RunsRequest
from lineal.service.show import RunDetail, RunFile, ShowRequest, VersionDetail

_LOOKED_AT = 50  # earlier runs of the job
_TRIED = 5  # of those that were started alike
_GOVERNS = ("environment", "code")
_BELOW = frozenset({"preload", "supervisor"})
_KINDS = {"read": "read before it", "references": "what it refers to", "folder": "where it runs"}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is about to be run. argv: redacted, as the record has it; program: the executable; params: given by hand."""

    job: str
    argv: list[str]
    cwd: str
    program: str
    variables: dict[str, str]
    params: dict[str, str] = {}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """run: the earlier run that is used again, None when the command has to run, and why then; outputs: absolute paths of what
    it made; restored: those of them, relative to the project, that were written again from kept bytes; params: its own, each
    with who saw it; value: of a step, what it gave back, as `sdk.exact` writes it;
    tried: how many were looked at closely."""

    run: str | None = None
    why: str = ""
    outputs: list[str] = []
    restored: list[str] = []
    params: dict[str, tuple[str, str]] = {}
    value: str = ""
    tried: int = 0


class AskedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a step that is about to be made. parts: what it depends on, by kind and name, each as a digest."""

    job: str
    parts: dict[str, dict[str, str]]


class _Differs(Exception):
    """Something is not as it was, or is not known; the text says what."""


def reuse(client: AnyClient, project: Project, asked: Asked) -> Answer:
    """The earlier run that did the very same, if there is one; its missing outputs are restored. Recording that is the caller's."""

    def check(fingerprints: Fingerprints, run: RunDetail) -> None:
        _check(client, project, fingerprints, run, asked)

    return _search(client, project, asked.job, lambda run: _started_alike(run, asked), check)


def reuse_step(client: AnyClient, project: Project, asked: AskedStep) -> Answer:
    """The earlier call of a step that did the very same, if there is one; its missing outputs are restored."""
    why: list[str] = []

    def alike(run: RunDetail) -> bool:
        step = run.facets[WATCHED].get("step")
        if step is None:
            return False
        different = _different(step["parts"], asked.parts)
        if different:
            why.append(different)
        return not different

    def check(fingerprints: Fingerprints, run: RunDetail) -> None:
        _check_step(client, project, fingerprints, run)

    answer = _search(client, project, asked.job, alike, check)
    return msgspec.structs.replace(answer, why=why[0]) if why and not (answer.run or answer.tried) else answer


def _search(
    client: AnyClient,
    project: Project,
    job: str,
    alike: Callable[[RunDetail], bool],
    check: Callable[[Fingerprints, RunDetail], None],
) -> Answer:
    fingerprints = Fingerprints(project)
    try:
        why = ""
        tried = 0
        where = f"job = {_quoted(job)} and state = 'finished'"
        for summary in client.call("runs", RunsRequest(where=where, limit=_LOOKED_AT)).runs:
            run: RunDetail = client.call("show", ShowRequest(ref=f"run:{summary.run_id}"))
            if WATCHED not in run.facets or not alike(run):
                continue
            try:
                check(fingerprints, run)
                value = _returned(client, run)
                restored = _restore(client, project, fingerprints, run)
            except _Differs as differs:
                why = why or str(differs)
                tried += 1
                if tried == _TRIED:
                    break
                continue
            return Answer(
                run=run.run_id,
                restored=restored,
                outputs=[_place(project, file) for file in run.outputs if file.role != RETURNED],
                params={param.key: (param.value, param.source) for param in run.params},
                value=value,
            )
        return Answer(why=why or "no earlier run of it was recorded for that and ended well", tried=tried)
    finally:
        fingerprints.close()


def _returned(client: AnyClient, run: RunDetail) -> str:
    """What a step gave back; "" for nothing."""
    for file in run.outputs:
        if file.role == RETURNED:
            version: VersionDetail = client.call("show", ShowRequest(ref=file.version))
            return str(version.facets[RETURNED_FACET]["value"])
    return ""


# --- whether it is the same ------------------------------------------------------------------------------------------


def _started_alike(run: RunDetail, asked: Asked) -> bool:
    launch = run.facets.get("lineal.launch/1", {})
    by_hand = {param.key: param.value for param in run.params if param.source == "cli"}
    return (launch.get("argv"), launch.get("cwd"), by_hand) == (asked.argv, asked.cwd, asked.params)


def _check(
    client: AnyClient, project: Project, fingerprints: Fingerprints, run: RunDetail, asked: Asked
) -> None:
    """Raises _Differs: something is not as the run found it."""
    _check_complete(run)
    _check_standard_input()
    _check_environment(project, run, asked, run.facets[WATCHED])
    _check_code(project, run)
    _check_files(client, project, fingerprints, run)


def _check_step(client: AnyClient, project: Project, fingerprints: Fingerprints, run: RunDetail) -> None:
    """Raises _Differs: something is not as the call of a step found it, which has the same parts."""
    _check_complete(run)
    for name, digest in run.facets[WATCHED]["step"].get("imported", {}).items():
        path = os.fsencode(os.path.join(project.root, name))
        if not os.path.isfile(path) or sha256_of(path) != digest:
            raise _Differs(f"code: {name} changed")
    _check_code(project, run)
    _check_files(client, project, fingerprints, run)
    above = run.summary.parent
    while above:
        around: RunDetail = client.call("show", ShowRequest(ref=f"run:{above}"))
        for file in around.inputs:
            # What libraries read below the interpreter is told of the program, not of the step in it.
            if file.via and _BELOW.issuperset(file.via) and file.at <= (run.ended_at or file.at):
                _check_input(client, project, fingerprints, run, file)
        above = around.summary.parent


def _different(before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> str:
    """The first thing in which two calls of a step differ, in words; "" where there is none."""
    for kind in now:
        old, new = before.get(kind, {}), now[kind]
        names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        if names:
            return f"{_KINDS.get(kind, kind)}: {', '.join(names[:5])} changed"
    return ""


def _check_complete(run: RunDetail) -> None:
    watched = run.facets[WATCHED]
    if run.children:
        raise _Differs(f"{_short(run)} holds runs of its own, whose files are theirs")
    gaps = [*run.facets.get("lineal.notes/1", {}).get("gaps", []), *watched.get("gaps", [])]
    if gaps:
        raise _Differs(f"the record of {_short(run)} is not complete: {gaps[0]}")
    _check_processes(run)


def _check_files(client: AnyClient, project: Project, fingerprints: Fingerprints, run: RunDetail) -> None:
    watched = run.facets[WATCHED]
    written = {_place(project, file) for file in run.outputs}
    for file in run.inputs:
        if file.role not in _GOVERNS and _place(project, file) not in written:
            _check_input(client, project, fingerprints, run, file)
    changed_by_itself = [f for f in run.inputs if f.role not in _GOVERNS and _place(project, f) in written]
    for file in changed_by_itself:
        if file.digest not in {output.digest for output in run.outputs}:
            raise _Differs(f"{_short(run)} changed what it had read: {file.path or file.uri}")
    for path in watched.get("absent", []):
        if os.path.lexists(os.fsencode(path)):
            raise _Differs(f"{path} was not there, and is now")
    for seen in watched.get("listings", []):
        _check_listing(seen, written)


def _check_processes(run: RunDetail) -> None:
    for process in run.facets.get("lineal.processes/1", {}).get("processes", []):
        if "python" not in process.get("seen_by", []):
            raise _Differs(
                f"{process.get('program') or 'a program'} is no Python: which folders it listed was not recorded"
            )


def _check_standard_input() -> None:
    try:
        kind = os.fstat(0).st_mode
    except OSError:
        return
    if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):
        raise _Differs("standard input is a pipe, whose content is not known; `< /dev/null` closes it")


def _check_code(project: Project, run: RunDetail) -> None:
    for name, digest in run.facets.get("lineal.sources/1", {}).get("files", {}).items():
        path = os.path.join(project.root, name)
        try:
            found = os.stat(path)
        except OSError:
            raise _Differs(f"code: {name} is not there any more") from None
        if found.st_ctime_ns // 1000 < run.started_at:
            continue
        if run.ended_at is not None and found.st_ctime_ns // 1000 <= run.ended_at:
            raise _Differs(f"code: {name} was changed while {_short(run)} ran")
        if digest is None or "sha256:" + sha256_of(os.fsencode(path)) != digest:
            raise _Differs(f"code: {name} changed")


def _check_environment(project: Project, run: RunDetail, asked: Asked, watched: Mapping[str, Any]) -> None:
    program = watched.get("program")
    if not program:
        raise _Differs(f"{_short(run)} ran no Python")
    if os.path.basename(asked.program).startswith("python"):
        if os.path.abspath(asked.program) != program.get("executable"):
            raise _Differs(f"another interpreter: {asked.program}")
    elif not asked.program or os.stat(asked.program).st_ctime_ns // 1000 >= run.started_at:
        raise _Differs(f"{asked.argv[0]} changed")
    facts = environment.collect(program, asked.variables, project.root)
    if lock := facts.get("lock"):
        path = os.path.join(project.root, lock["path"])
        lock["sha256"] = "sha256:" + sha256_of(os.fsencode(path))
    now = msgspec.json.decode(encode(facts))
    if now != run.environment:
        raise _Differs(f"the environment changed{_changed(run.environment or {}, now)}")


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Where two environments differ, in words."""
    names = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    found = []
    for name in names:
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += [f"{name} {k}" for k in sorted({*old, *new}) if old.get(k) != new.get(k)]
        else:
            found.append(name)
    return f": {', '.join(found[:5])}" if found else ""


def _check_input(
    client: AnyClient, project: Project, fingerprints: Fingerprints, run: RunDetail, file: RunFile
) -> None:
    name = file.path or file.uri
    if file.digest is None or file.level != ev.Level.CONTENT.value:
        raise _Differs(
            f"what {_short(run)} read of {name} is not known{f': {file.reason}' if file.reason else ''}"
        )
    if file.path is None:
        raise _Differs(f"{name} cannot be looked at again from here")
    for path, digest in _contents(client, project, file):
        if _digest_now(fingerprints, path) != digest:
            raise _Differs(f"{os.path.relpath(os.fsdecode(path), project.root)} changed")


def _contents(client: AnyClient, project: Project, file: RunFile) -> Iterator[tuple[bytes, str]]:
    """(path, digest) of a file, of each file of a folder."""
    place = _place(project, file)
    version: VersionDetail = client.call("show", ShowRequest(ref=file.version))
    if not version.members:
        yield os.fsencode(place), str(file.digest)
    for member in version.members:
        yield os.fsencode(os.path.join(place, member["path"])), member["digest"]


def _digest_now(fingerprints: Fingerprints, path: bytes) -> str | None:
    found = fingerprints.take(path, None)
    return None if found.sha256 is None else f"sha256:{found.sha256}"


def _check_listing(seen: Mapping[str, Any], written: set[str]) -> None:
    path = seen["path"]
    try:
        names = os.listdir(path)
    except OSError:
        raise _Differs(f"the folder {path} is not there any more") from None
    if seen.get("importer"):
        names = listing.code_in(names)
    if listing.digest(names) == seen["digest"]:
        return
    # What the run wrote there came after it had looked.
    own = {os.path.basename(place) for place in written if os.path.dirname(place) == path.rstrip("/")}
    own |= {_first(place, path) for place in written if place.startswith(path.rstrip("/") + "/")}
    before = seen.get("names")
    if before is not None and set(names) - own == set(before) - own:
        return
    if before is None and listing.digest([name for name in names if name not in own]) == seen["digest"]:
        return
    raise _Differs(f"the folder {path} holds other files")


def _first(place: str, folder: str) -> str:
    return place[len(folder.rstrip("/")) + 1 :].partition("/")[0]


# --- what it made ----------------------------------------------------------------------------------------------------


def _restore(client: AnyClient, project: Project, fingerprints: Fingerprints, run: RunDetail) -> list[str]:
    """Write outputs that are missing or changed again, from kept bytes; their paths.

    Raises _Differs: the bytes of one are not kept. Then nothing was written.
    """
    wanted: list[tuple[bytes, str]] = []
    for file in run.outputs:
        if file.role == RETURNED:
            continue
        if file.path is None or file.digest is None or file.level != ev.Level.CONTENT.value:
            raise _Differs(f"what {_short(run)} wrote to {file.path or file.uri} is not known")
        for path, digest in _contents(client, project, file):
            if _digest_now(fingerprints, path) != digest:
                wanted.append((path, digest))
    for path, digest in wanted:
        if not client.blobs.has(digest):
            name = os.path.relpath(os.fsdecode(path), project.root)
            raise _Differs(f"the output {name} is not as it was left, and its bytes are not kept")
    for path, digest in wanted:
        _write(client, path, digest)
    return [os.path.relpath(os.fsdecode(path), project.root) for path, _ in wanted]


def _write(client: AnyClient, path: bytes, digest: str) -> None:
    new = path + b".lineal-restored"
    try:
        os.makedirs(os.path.dirname(path) or b".", exist_ok=True)
        with open(new, "wb") as file:
            file.write(client.blobs.get(digest))
        os.replace(new, path)
    except (OSError, LinealError) as error:
        try:
            os.unlink(new)
        except OSError:
            pass
        raise _Differs(f"{os.fsdecode(path)} cannot be restored: {error}") from error


def asked_by(
    command: Sequence[str], options: Mapping[str, Any], job: str, variables: Mapping[str, str]
) -> Asked:
    """What `lineal run` was asked to do, in the words in which the record keeps it."""
    return Asked(
        job=job,
        argv=redact.argv(command),
        cwd=os.getcwd(),
        program=shutil.which(command[0], path=variables.get("PATH")) or "",
        variables=dict(variables),
        params=redact.mapping(dict(pair.split("=", 1) for pair in options.get("param", ()))),
    )


def _place(project: Project, file: RunFile) -> str:
    """The absolute path of what a run read or wrote; its address where it has none."""
    if file.path is not None:
        return os.path.join(project.root, file.path)
    parts = urlsplit(file.uri)
    return unquote(parts.path) if parts.scheme == "file" else file.uri


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _short(run: RunDetail) -> str:
    return f"run:{run.run_id[:12]}"
