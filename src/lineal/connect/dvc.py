"""The history of a DVC repository, out of git: every commit that changed a `dvc.lock` says which stages ran between what and what.

DVC writes into `dvc.lock` the command of a stage and the hashes of what it read and made. A stage whose entry changed in a commit
ran before that commit; nothing else tells when, so the commit's time stands for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from lineal.core import events as ev
from lineal.core.errors import Invalid, Unavailable
from lineal.core.ids import sha256
from lineal.resolve import dvc, yaml_plain
from lineal.resolve.hashes import MD5, MD5_DOS2UNIX

DOOR = "dvc"
FACET = "lineal.dvc/1"
_LARGEST = 32 << 20  # bytes of a file in git that is read
_MOST_VALUES = 2000  # metrics of one file


class Commit(NamedTuple):
    """A commit: its id, its first parent ("" for none), its time in microseconds UTC, its author and subject."""

    id: str
    parent: str
    at: int
    author: str
    subject: str


class Happened(NamedTuple):
    """One execution of a stage. id: of the run; source: what it is known again by; label: for people."""

    id: str
    source: str
    label: str
    commit: str
    events: list[ev.Event]


class Repository:
    """A DVC repository in a git checkout, read through `git` alone.

    Args:
        folder: any folder in it; namespace: of the project that takes it in; base: the project's root, to which names are relative.
    """

    def __init__(self, folder: str, namespace: str, base: str) -> None:
        """Raises Invalid: it is no git checkout, or DVC is not used in it."""
        self.left: list[str] = []
        try:
            self.root = self._git("rev-parse", "--show-toplevel", at=folder).decode().strip()
            self.id = self._git("rev-list", "--max-parents=0", "HEAD", at=folder).decode().split()[-1]
        except (OSError, IndexError) as error:
            raise Invalid(
                f"{folder} is no git checkout with a commit: {getattr(error, 'strerror', '') or error}",
                hint="give a folder of a repository in which `dvc.lock` is committed",
            ) from None
        self._namespace = namespace
        relative = os.path.relpath(os.path.realpath(self.root), os.path.realpath(base))
        self._inside = "" if relative == "." else "" if relative.startswith("..") else relative + "/"

    def commits(self) -> list[Commit]:
        """The commits that changed a `dvc.lock`, parents before children."""
        listed = self._git(
            "log", "--all", "--topo-order", "--reverse", "-z", "--format=%H%x1f%P%x1f%ct%x1f%an%x1f%s",
            "--", "dvc.lock", ":(glob)**/dvc.lock",
        )  # fmt: skip
        found = []
        for line in listed.decode("utf-8", "replace").split("\0"):
            parts = line.strip("\n").split("\x1f")
            if len(parts) == 5:
                parent = parts[1].split(" ")[0]
                found.append(Commit(parts[0], parent, int(parts[2]) * 1_000_000, parts[3], parts[4]))
        return found

    def happened(self, commit: Commit) -> Iterator[Happened]:
        """The stages that a commit says ran: those whose entry differs from the one in its parent."""
        against = ("-m", "--first-parent", commit.id) if commit.parent else ("--root", commit.id)
        changed = self._git(
            "diff-tree", "-r", "-z", "--no-commit-id", "--name-only", "--diff-filter=AM", *against
        )
        for name in dict.fromkeys(changed.decode("utf-8", "surrogateescape").split("\0")):
            if os.path.basename(name) != "dvc.lock":
                continue
            now = self._stages(commit.id, name)
            before = self._stages(commit.parent, name, quiet=True) if commit.parent else {}
            files = self._metric_files(commit.id, os.path.dirname(name)) if now else {}
            for stage, entry in now.items():
                if before.get(stage) != entry:
                    yield self._run(commit, name, stage, entry, files.get(stage, []))

    # ---- git ---------------------------------------------------------------------------------------------------------

    def _git(self, *words: str, at: str = "") -> bytes:
        environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        try:
            done = subprocess.run(
                ["git", "-c", "core.quotepath=false", *words],
                cwd=at or self.root,
                env=environment,
                capture_output=True,
                timeout=300,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unavailable(
                f"git took longer than five minutes for `{words[0]}`", hint="import again"
            ) from None
        if done.returncode:
            raise OSError(done.returncode, done.stderr.decode("utf-8", "replace").strip()[:200])
        return done.stdout

    def _file(self, commit: str, name: str) -> bytes | None:
        """A file as it is in a commit; None when it is not there, or too large to be one that DVC writes."""
        try:
            if int(self._git("cat-file", "-s", f"{commit}:{name}")) > _LARGEST:
                self.left.append(f"{name} in {commit[:12]}: larger than {_LARGEST >> 20} MiB")
                return None
            return self._git("cat-file", "blob", f"{commit}:{name}")
        except OSError:
            return None

    def _yaml(self, commit: str, name: str, *, quiet: bool = False) -> Any:
        data = self._file(commit, name)
        if data is None:
            return None
        try:
            return yaml_plain.load(data.decode())
        except (yaml_plain.Unreadable, UnicodeDecodeError) as error:
            if not quiet:
                self.left.append(f"{name} in {commit[:12]}: is no YAML that DVC writes ({error})")
            return None

    def _stages(self, commit: str, name: str, *, quiet: bool = False) -> dict[str, dict[str, Any]]:
        said = self._yaml(commit, name, quiet=quiet)
        if not isinstance(said, dict):
            return {}
        stages, gap = dvc.stages_of(said)
        if gap and not quiet:
            self.left.append(f"{name} in {commit[:12]}: {gap}")
        return stages

    def _metric_files(self, commit: str, folder: str) -> dict[str, list[str]]:
        """By stage, the files of metrics that `dvc.yaml` names; a stage that is repeated by `foreach` has them under its name."""
        said = self._yaml(commit, os.path.join(folder, "dvc.yaml"), quiet=True)
        stages = said.get("stages") if isinstance(said, dict) else None
        found: dict[str, list[str]] = {}
        for stage, entry in stages.items() if isinstance(stages, dict) else ():
            listed = entry.get("metrics") if isinstance(entry, dict) else None
            names = [next(iter(m), "") if isinstance(m, dict) else str(m) for m in listed or [] if m]
            found[stage] = [name for name in names if name and "${" not in name]
        return found

    # ---- events ------------------------------------------------------------------------------------------------------

    def _run(
        self, commit: Commit, lock: str, stage: str, entry: dict[str, Any], metrics: list[str]
    ) -> Happened:
        folder = os.path.dirname(lock)
        told = json.dumps([self.id, lock, stage, entry], sort_keys=True)
        run = hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        job = f"{self._inside}{folder}/{stage}" if folder else f"{self._inside}{stage}"
        facts = {"commit": commit.id, "lock": lock, "stage": stage, "repository": self.id}
        command = entry.get("cmd")
        launch = {"command": command if isinstance(command, list) else [str(command)]} if command else {}
        found: list[ev.Event] = [
            ev.RunStarted(
                run=run,
                namespace=self._namespace,
                job=_plain(job),
                name=_plain(commit.subject)[:200],
                kind="stage",
                at=commit.at,
                actor=_plain(commit.author),
            ),
            _facet(run, FACET, facts, commit.at),
            _facet(run, "lineal.launch/1", launch, commit.at),
            self._code(run, commit),
        ]
        for file, values in (
            (entry.get("params") or {}).items() if isinstance(entry.get("params"), dict) else ()
        ):
            found += [
                ev.ParamSet(run=run, key=key, value=value, at=commit.at, source=f"dvc:{_plain(file)}")
                for key, value in _flat(values)
            ]
        for kind, edge in (("deps", ev.VersionUsed), ("outs", ev.VersionGenerated)):
            for item in _list(entry.get(kind)):
                if (state := self._version(item, folder)) is not None:
                    role = "input" if kind == "deps" else "output"
                    found.append(
                        edge(
                            run=run,
                            version=state,
                            at=commit.at,
                            role=role,
                            evidence=ev.Evidence.IMPORTED,
                            via=[DOOR],
                        )
                    )
        for file in metrics:
            if points := self._points(run, commit, os.path.normpath(os.path.join(folder, file))):
                found.append(points)
        found.append(ev.RunEnded(run=run, at=commit.at, state=ev.State.FINISHED))
        return Happened(run, f"{DOOR}:{run}", f"{job} in {commit.id[:12]}", commit.id, found)

    def _version(self, item: Any, folder: str) -> ev.VersionState | None:
        if not isinstance(item, dict) or not item.get("path"):
            return None
        algorithm, value = dvc.hash_in(item)
        path = str(item["path"])
        remote = "://" in path
        name = path if remote else os.path.normpath(os.path.join(self._inside, folder, path))
        size = str(item.get("size", ""))
        known = algorithm in (MD5, MD5_DOS2UNIX)
        scheme = dvc.SCHEME if known else f"dvc-{algorithm}"
        level = ev.Level.CONTENT if algorithm == MD5 else ev.Level.DECLARED
        reference = [ev.Reference(scheme=scheme, value=value, level=level)] if value else []
        return ev.VersionState(
            namespace=path.partition("://")[0] + "://" if remote else self._namespace,
            name=_plain(name),
            digest=f"{scheme}:{value}" if value else None,
            level=level if value else ev.Level.NONE,
            reason="" if known else "DVC says no hash of it that is known here",
            size=int(size) if size.isdecimal() else None,
            location=_plain(path) if remote else "",
            references=reference,
        )

    def _code(self, run: str, commit: Commit) -> ev.Event:
        body = msgspec.json.encode({"vcs": "git", "commit": commit.id, "dirty": False}, order="sorted")
        state = ev.VersionState(
            namespace=self._namespace,
            name="code",
            kind="code",
            digest=sha256(body),
            size=len(body),
            references=[ev.Reference(scheme="git-commit", value=commit.id, level=ev.Level.DECLARED)],
            facets={"lineal.code/1": msgspec.Raw(body)},
        )
        return ev.VersionUsed(
            run=run, version=state, at=commit.at, role="code", evidence=ev.Evidence.IMPORTED, via=[DOOR]
        )

    def _points(self, run: str, commit: Commit, name: str) -> ev.Event | None:
        """The numbers in a file of metrics that is kept in git."""
        data = self._file(commit.id, name)
        if data is None:
            return None
        try:
            said = json.loads(data) if name.endswith(".json") else yaml_plain.load(data.decode())
        except (ValueError, RecursionError):
            self.left.append(f"{name} in {commit.id[:12]}: is no JSON or YAML that can be read")
            return None
        keys, values = [], []
        for key, text in _flat(said):
            try:
                number = float(text)
            except ValueError:
                continue
            keys.append(key)
            values.append(number)
        if not keys:
            return None
        size = len(keys)
        return ev.MetricPoints(
            run=run,
            keys=keys,
            key=struct.pack(f"<{size}I", *range(size)),
            step=struct.pack(f"<{size}q", *([0] * size)),
            at=struct.pack(f"<{size}q", *([commit.at] * size)),
            value=struct.pack(f"<{size}d", *values),
        )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _facet(run: str, name: str, body: dict[str, Any], at: int) -> ev.Event:
    return ev.FacetSet(run=run, name=name, body=msgspec.Raw(msgspec.json.encode(body)), at=at)


def _flat(value: Any, lead: str = "") -> list[tuple[str, str]]:
    """Nested values as `a.b.0` and text, at most 2,000 of them."""
    found: list[tuple[str, str]] = []
    waiting: list[tuple[str, Any]] = [(lead, value)]
    while waiting and len(found) < _MOST_VALUES:
        name, item = waiting.pop(0)
        if isinstance(item, dict):
            waiting = [
                (f"{name}.{key}" if name else str(key), inner) for key, inner in item.items()
            ] + waiting
        elif isinstance(item, list) and any(isinstance(inner, dict | list) for inner in item):
            waiting = [(f"{name}.{at}", inner) for at, inner in enumerate(item)] + waiting
        elif name:
            text = item if isinstance(item, str) else json.dumps(item)
            found.append((_plain(name), _plain(text)))
    return found


def _plain(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
