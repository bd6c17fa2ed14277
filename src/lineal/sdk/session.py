"""How a question or a change reaches the record: which project, what is delivered first, under which lock.

The command line and the SDK's queries share this. Nothing of it is imported before the first question.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lineal.resolve import project as projects

if TYPE_CHECKING:
    from lineal.service.check import FsckReply
    from lineal.service.client import AnyClient

Tell = Callable[[str], None]
_PATIENCE_S = 5.0  # how long a question waits for another process that is delivering


def project_here(folder: str | None = None) -> projects.Project:
    """The project of a folder (the working directory when None).

    Raises NotFound: nothing was ever recorded there.
    """
    from lineal.core.errors import NotFound

    found = projects.find(folder)
    if os.environ.get("LINEAL_URL"):  # the record is elsewhere: a folder without any of its own will do
        return found or projects.Project(
            root := os.path.abspath(folder or os.getcwd()), os.path.join(root, projects.FOLDER)
        )
    if found is None or not os.path.isdir(found.dir):
        where = found.dir if found else os.path.abspath(folder or os.getcwd())
        raise NotFound(
            f"no Lineal project in {where}" + ("" if found else " or above it"),
            hint="record something first: lineal run python SCRIPT.py (or try `lineal demo`)",
        )
    return found


@contextlib.contextmanager
def reading(project: projects.Project, *, warn: Tell, progress: Tell | None = None) -> Iterator[AnyClient]:
    """A client for questions, after what ended programs left in the journal was delivered.

    A failure of that delivery is told to `warn`, and the question is answered from what is there.
    """
    from lineal.service.client import connect

    bring_up_to_date(project, warn=warn, progress=progress)
    with connect(project) as client:
        yield client


@contextlib.contextmanager
def writing(project: projects.Project, *, warn: Tell, progress: Tell | None = None) -> Iterator[AnyClient]:
    """A client for changes, which holds the store's writer lock (unless a server does), after what was left in the journal was delivered.

    Raises Unavailable: another process keeps the lock for more than two minutes.
    """
    from lineal.deliver.lock import store_lock
    from lineal.service.client import connect

    bring_up_to_date(project, warn=warn, progress=progress)
    with store_lock(project, progress=progress), connect(project) as client:
        yield client


def bring_up_to_date(project: projects.Project, *, warn: Tell, progress: Tell | None = None) -> None:
    """Deliver what crashed or ended programs left in the journal; what goes wrong there is told to `warn`."""
    if not has_journals(project):
        return
    from lineal.core.errors import LinealError
    from lineal.deliver.delivery import sync

    try:
        report = sync(project, progress=progress, wait=_PATIENCE_S)
    except LinealError as error:
        warn(f"not everything is delivered yet: {error.message}")
        return
    except OSError as error:
        warn(f"not everything is delivered yet: {error}")
        return
    for problem in report.problems:
        warn(problem)


def has_journals(project: projects.Project) -> bool:
    """Whether any journal waits for delivery."""
    try:
        with os.scandir(project.journal_dir) as entries:
            return any(entry.name.endswith(".lj") for entry in entries)
    except OSError:
        return False


def checked(project: projects.Project, *, bytes: bool = True) -> FsckReply:
    """What is broken in the store, the kept bytes and the journal. bytes: read the kept ones again.

    Raises Unavailable: the store does not answer; one that is too damaged to be opened is a problem of the answer instead.
    """
    import msgspec

    from lineal.core.errors import Unavailable
    from lineal.deliver.delivery import check_journal
    from lineal.service.check import FsckReply, FsckRequest
    from lineal.service.client import connect

    broken = [f"journal: {line}" for line in check_journal(project)]
    try:
        with connect(project) as client:
            found: FsckReply = client.call("fsck", FsckRequest(bytes=bytes))
    except Unavailable as error:
        if "lineal fsck" not in error.hint:
            raise
        found = FsckReply(problems=[f"store: it cannot be opened: {error.message}"], checked={})
    return msgspec.structs.replace(found, problems=[*found.problems, *broken])


def reference(client: AnyClient, text: str) -> str:
    """The reference as the record knows it: a path as typed here becomes the artifact's name.

    A path is what exists, what starts with `./`, `../` or `/`, and, below the project's root, what is known only as a
    path. Everything else is given back as it came.
    """
    if text.startswith(("run:", "sha256:")) or "://" in text or not text.strip():
        return text
    name, at, number = text.rpartition("@")
    numbered = bool(at and name and number.isdecimal())
    if os.path.lexists(text):
        return _artifact(client.project, text)
    if numbered and os.path.lexists(name):
        return f"{_artifact(client.project, name)}@{number}"
    path = f"{_artifact(client.project, name)}@{number}" if numbered else _artifact(client.project, text)
    if text.startswith(("./", "../", "/")):
        return path
    if os.path.abspath(os.getcwd()) == client.project.root or path.startswith("/"):
        return text
    return text if _is_known(client, text) else path


def _artifact(project: projects.Project, text: str) -> str:
    path = os.path.abspath(text)
    namespace, name = projects.artifact_name(project, os.fsencode(path))
    if namespace == "file":
        inside, real = projects.artifact_name(project, os.fsencode(os.path.realpath(path)))
        return real if inside != "file" else name
    return name


def _is_known(client: AnyClient, text: str) -> bool:
    from lineal.core.errors import LinealError, NotFound
    from lineal.service.show import ShowRequest

    try:
        client.call("show", ShowRequest(ref=text))
    except NotFound:
        return False
    except LinealError:
        return True
    return True
