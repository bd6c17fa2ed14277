"""`@lineal.step(cache=True)`: a call that did the very same before is not made again; what it gave back is given back.

Only what is watched can be used again, so only under `lineal run`. Whether an earlier call stands for this one is decided in `deliver.reuse`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lineal.journal.append import tell
from lineal.sdk import exact, identity
from lineal.sdk import run as _run
from lineal.sdk.exact import NotExact

if TYPE_CHECKING:
    from lineal.resolve.project import Project

_EVENTS = {
    "subprocess.Popen": "it started a program",
    "os.system": "it started a program",
    "os.posix_spawn": "it started a program",
    "os.exec": "it started a program",
    "os.fork": "it started a process",
    "os.forkpty": "it started a process",
    "socket.connect": "it spoke over a socket",
    "os.chdir": "it changed the working directory",
}
_open: list[_run.Run] = []  # cached steps that are running
_begun: set[str] = set()  # what those that ended here were, so that the record of the same one is waited for
_waited: list[bool] = []  # whether this process has waited for what others recorded


def call(
    function: Callable[..., Any],
    inner: Callable[..., Any],
    job: str,
    begin: Callable[[], _run.Run],
    values: Mapping[str, Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """What the step gives back, from an earlier call where one stands for this."""
    project = _run._project()
    watching = _watching()
    if project is None or watching is None:
        tell(f"{job} is not watched, so it runs: cache=True needs `lineal run`")
        with begin():
            return function(*args, **kwargs)
    files, listing, journal = watching
    given = {**values, **({"self": args[0]} if _is_method(inner) and args else {})}
    gaps: list[str] = []
    parts: dict[str, Any] = {}
    answer = files.aside(_before, project, inner, job, given, journal, parts, gaps)
    if answer is not None and answer.run is not None:
        return _again(begin, job, answer)
    if answer is not None:
        tell(f"running {job}: {answer.why}")
    listing.install(journal, told=False)
    made = begin()
    made.gaps = gaps
    _beside(made)
    _open.append(made)
    _hear()
    try:
        with made:
            result = function(*args, **kwargs)
            files.aside(_after, project, inner, job, given, made, parts, result)
        return result
    finally:
        _open.remove(made)


# --- before ----------------------------------------------------------------------------------------------------------


def _before(
    project: Project,
    inner: Callable[..., Any],
    job: str,
    given: dict[str, Any],
    journal: Any,
    parts: dict[str, Any],
    gaps: list[str],
) -> Any:
    """The answer whether an earlier call stands for this one. Fills in what this one depends on, and what of that is not known."""
    from lineal.core.errors import LinealError
    from lineal.deliver import reuse
    from lineal.service.client import connect

    try:
        parts.update(_parts(project, inner, given, journal, gaps))
        if gaps:
            return reuse.Answer(why=gaps[0])
        if _key(job, parts) in _begun:
            _wait(project)
        asked = reuse.AskedStep(job=job, parts=parts)
        with connect(project) as client:
            answer = reuse.reuse_step(client, project, asked)
        if answer.run is None and not answer.tried and not _waited:
            # A program that ended a moment ago may have steps that are not delivered yet: once a process that is waited for.
            _waited.append(True)
            _wait(project)
            with connect(project) as client:
                answer = reuse.reuse_step(client, project, asked)
        return answer
    except (LinealError, OSError) as error:
        return reuse.Answer(why=f"earlier runs could not be looked at: {error}")


def _parts(
    project: Project, inner: Callable[..., Any], given: dict[str, Any], journal: Any, gaps: list[str]
) -> dict[str, Any]:
    """What the call depends on, by kind and name, as digests."""
    code = identity.modules(project.root)
    gaps += [f"code: {name}: {known}" for name, known in code.items() if " " in known]
    parts: dict[str, Any] = {"code": code, "arguments": {}}
    try:
        parts["arguments"] = identity.arguments(given)
    except NotExact as error:
        gaps.append(f"{error}, which cannot be compared")
    references = identity.References(inner)
    parts["references"] = references.values
    gaps += [f"{what}, which cannot be compared" for what in references.unknown]
    parts["environment"] = _environment(project)
    parts["read"] = _read(project, journal, gaps)
    parts["folder"] = {"working directory": os.getcwd()}
    return parts


def _environment(project: Project) -> dict[str, str]:
    """Each fact of the environment by its digest."""
    from lineal.deliver import environment
    from lineal.deliver.words import encode
    from lineal.resolve.content import sha256_of

    opened = {
        "python": sys.version,
        "implementation": sys.implementation.name,
        "sys_path": sys.path,
    }
    facts = environment.collect(opened, os.environ, project.root)
    facts |= {"interpreter": sys.executable, "sys.path": sys.path}
    if lock := facts.get("lock"):
        lock["sha256"] = sha256_of(os.fsencode(os.path.join(project.root, lock["path"])))
    return {name: identity.digest(encode(fact).decode()) for name, fact in facts.items()}


def _read(project: Project, journal: Any, gaps: list[str]) -> dict[str, str]:
    """The files that this process read until now, other than in steps that are over: what they held may be in its memory."""
    from lineal.deliver.fingerprint import Fingerprints
    from lineal.journal.frames import DIRECTORY_READ, READ, READ_WRITE
    from lineal.journal.read import FileEvent, Record, read
    from lineal.resolve.content import Stat

    around = {"", *(run.id for run in _run._unended)}
    focus, at = "", 0
    found: dict[bytes, Any] = {}
    while True:
        frames, after, _ = read(journal.path, at)
        for one in frames:
            if isinstance(one, Record) and one.type == "focus":
                focus = str(one.fields.get("to") or "")
            elif (
                isinstance(one, FileEvent)
                and focus in around
                and one.op in (READ, READ_WRITE, DIRECTORY_READ)
            ):
                found[one.path] = Stat(*one.stat) if one.stat is not None and one.op == READ else None
        if after == at:
            break
        at = after
    fingerprints = Fingerprints(project)
    digests: dict[str, str] = {}
    try:
        for path, stat in found.items():
            known = fingerprints.take(path, stat)
            name = os.path.relpath(os.fsdecode(path), project.root)
            if known.sha256 is None:
                gaps.append(f"{name}, which was read before: {known.reason}")
            digests[name] = known.sha256 or ""
        fingerprints.save()
    finally:
        fingerprints.close()
    return digests


def _wait(project: Project) -> None:
    """Have delivered what this process and others of the project recorded until now."""
    from lineal.sdk.deliverer import Deliverer, Undelivered

    try:
        Deliverer(project).ask(most_s=10.0, progress=None)
    except (Undelivered, OSError):
        return  # then it runs again


def _key(job: str, parts: dict[str, Any]) -> str:
    return identity.digest(repr((job, parts)))


# --- after -----------------------------------------------------------------------------------------------------------


def _after(
    project: Project,
    inner: Callable[..., Any],
    job: str,
    given: dict[str, Any],
    made: _run.Run,
    parts: dict[str, Any],
    result: Any,
) -> None:
    """Record what the call depended on, what it gave back, and what forbids that it stands for a later one."""
    gaps = made.gaps if made.gaps is not None else []
    if not gaps:
        try:
            if identity.arguments(given) != parts["arguments"]:
                gaps.append("it changed its arguments")
        except NotExact:
            gaps.append("it changed its arguments")
        if identity.References(inner).values != parts["references"]:
            gaps.append("it changed what it refers to")
    text = ""
    try:
        text = exact.write(result)
        if _holds_a_secret(job, result, text):
            gaps.append("what it gives back holds a secret, which is not kept")
            text = ""
    except NotExact as error:
        gaps.append(f"what it gives back is {error}, which cannot be kept exactly")
    code = identity.modules(project.root)
    later = {name: known for name, known in code.items() if name not in parts["code"]}
    gaps += [f"code: {name}: {known}" for name, known in later.items() if " " in known]
    gaps += [
        f"code: {name} changed while it ran"
        for name, known in parts["code"].items()
        if code.get(name) != known
    ]
    made._json("watch", step={"parts": parts, "imported": later}, gaps=gaps)
    if text and result is not None:
        made._json("returned", value=text, job=job)
    _begun.add(_key(job, parts))


def _holds_a_secret(job: str, result: Any, text: str) -> bool:
    from lineal.capture import redact
    from lineal.sdk.values import plain

    shown = plain(result)
    return bool(redact.text(text)[1]) or redact.value(job, shown) != shown


def _again(begin: Callable[[], _run.Run], job: str, answer: Any) -> Any:
    """Record that an earlier run stands for this one, and give back what that one gave back."""
    restored = f"; restored: {', '.join(answer.restored[:5])}" if answer.restored else ""
    tell(f"{job}: nothing changed since run:{answer.run[:12]}, which is used again{restored}")
    made = begin()
    made._json("reused", of=answer.run, restored=answer.restored, params={}, sources={})
    for path in answer.outputs:
        made._json("use", role="reused", path=path)
    if answer.value:
        made._json("returned", value=answer.value, job=job, used=True)
    made.end()
    return exact.read(answer.value) if answer.value else None


# --- what is watched -------------------------------------------------------------------------------------------------


def _watching() -> tuple[Any, Any, Any] | None:
    """What records this process: (files, listing, its journal)."""
    current = sys.modules.get("_lineal.capture.current")
    journal = current.journal() if current is not None else None
    if journal is None or journal.disabled:
        return None
    from importlib import import_module

    return sys.modules["_lineal.capture.files"], import_module("_lineal.capture.listing"), journal


def _is_method(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and code.co_varnames[:1] in (("self",), ("cls",))


def _beside(made: _run.Run) -> None:
    """What runs beside a step in the same process cannot be told from it."""
    parents = {run.id: run.parent for run in _run._unended}
    around = set()
    at: str | None = made.id
    while at is not None:
        around.add(at)
        at = parents.get(at)
    if made.gaps is not None and any(run.id not in around for run in _run._unended):
        made.gaps.append("another run was open beside it in the same process")


def _hear() -> None:
    """Have what a cached step does that cannot be followed noted. An audit hook stays, so there is one."""
    if _hearing:
        return
    _hearing.append(True)

    def heard(event: str, args: tuple[Any, ...]) -> None:
        if _open and (reason := _EVENTS.get(event)) is not None:
            for step in _open:
                if step.gaps is not None and reason not in step.gaps:
                    step.gaps.append(reason)

    sys.addaudithook(heard)


_hearing: list[bool] = []
