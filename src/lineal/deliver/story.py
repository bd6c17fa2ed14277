"""One run's story: what its processes' records say together. Translates records into events; knows when it has ended."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from lineal.capture import noise
from lineal.core import events as ev
from lineal.deliver import processes, reported, watched
from lineal.deliver.closing import facet
from lineal.deliver.fingerprint import Fingerprints
from lineal.deliver.metric_logs import MetricLogs
from lineal.deliver.schemas import Schemas
from lineal.deliver.tracker import Tracker
from lineal.deliver.words import pairs, plain, raw, text
from lineal.journal import frames
from lineal.resolve.content import Stat
from lineal.resolve.location import file_uri
from lineal.resolve.project import Project


class Story:
    """What is known of one run until now.

    started: a start was recorded by a wrapper or the SDK. owner: the `open` record of the process that will write its
    end. main: the `open` record of the program itself.
    """

    def __init__(self, run: str, project: Project, fingerprints: Fingerprints, schemas: Schemas) -> None:
        self.run = run
        self.project = project
        self.tracker = Tracker(run, project, fingerprints, schemas)
        self.started: dict[str, Any] | None = None
        self.owner: dict[str, Any] | None = None
        self.main: dict[str, Any] | None = None
        self.end: dict[str, Any] | None = None
        self.left_behind = False  # it has ended, and its programs live on
        self.over = False  # its wrapper has gathered what the layers around the program still had to say
        self.exits: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.processes: dict[str, dict[str, Any]] = {}  # journal id -> its open record
        self.last_at = 0
        self.seeds: dict[str, Any] = {}
        self.notes: dict[str, None] = {}
        self.modules: set[str] = set()
        self.sources: set[str] = set()
        self.notebooks: dict[str, dict[str, Any]] = {}  # executed; by the path of the copy
        self.keys: set[str] = set()  # of metrics that its processes told
        self.logs = MetricLogs(run)
        self.watched = watched.Watched()
        self.reused = ""  # the earlier run that stands for this one
        self.joined: dict[str, dict[str, Any] | None] = {}  # wrappers that only take part: how each left
        self.layers: dict[str, Any] = {}
        self.tables: list[dict[str, Any]] = []  # versions of tables that libraries said they read or wrote
        self.natives: dict[str, dict[str, Any]] = {}  # as `processes`, of those that are seen from below only
        self._quiet = noise.Quiet(project.root, (project.dir + "/", _OURS))

    def opened(self, journal: str, record: dict[str, Any]) -> None:
        """A process of this run began its journal."""
        self._seen(record)
        if record.get("layer"):
            self.natives[journal] = record
            self._started_text(record)
            return
        self.processes[journal] = record
        for prefix in (record.get("prefix"), record.get("base_prefix")):
            self._quiet.add(text(prefix or ""))
        if record.get("main") and self.main is None:
            self.main = record

    def file(self, found: Any) -> None:
        """A file access."""
        self.last_at = max(self.last_at, found.at)
        if found.layer in _FROM_BELOW:
            path = os.fsdecode(found.path)
            if self._quiet(path, found.lib):
                return
            if found.op == frames.READ and self._is_source(path, found.lib):
                self.sources.add(path)
                return
        stat = Stat(*found.stat) if found.stat is not None else None
        self.tracker.file(found.op, found.layer, found.at, stat, found.lib, found.path)

    def record(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        """A JSON record of this run; gives back the events that it says by itself."""
        self._seen(record)
        handler = _HANDLERS.get(str(record.get("t")))
        return handler(self, journal, record) if handler else []

    def _started_text(self, record: dict[str, Any]) -> None:
        """A program seen from below began; the text that it was started to run is code."""
        program = os.path.basename(text(record.get("executable") or "")).rstrip("0123456789.")
        found = record.get("script")
        if record.get("word") and any(program in programs for programs in _RUNS):
            found = record["word"]
        if not found or program.startswith(("python", "pypy")):
            return  # a Python tells by itself what it runs
        path = raw(found)
        if not self._quiet(os.fsdecode(path)):
            self.sources.add(os.fsdecode(path))
            self.tracker.code(path)

    def _is_source(self, path: str, program: str) -> bool:
        """Whether a program that runs texts was given this one to run."""
        name = os.path.basename(path)
        if self.started is not None and path == self.started.get("entry"):
            return True
        for programs, endings in _RUNS.items():
            if program.rstrip("0123456789.") in programs:
                return name.endswith(endings)
        return False

    def _seen(self, record: dict[str, Any]) -> None:
        self.last_at = max(self.last_at, int(record.get("at", 0)))

    # ---- records -----------------------------------------------------------------------------------------------------

    def _run(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        self.started = record
        self.owner = self.processes.get(journal)
        at = int(record["at"])
        found: list[ev.Event] = [
            ev.RunStarted(
                run=self.run,
                namespace=self.project.name,
                job=text(record.get("job") or ""),
                name=text(record.get("name") or ""),
                kind=text(record.get("kind") or "run"),
                at=at,
                parent=record.get("parent") or None,
                group=text(record.get("group") or "") or None,
                actor=processes.actor_of(self.owner),
            )
        ]
        for key, value in pairs(record.get("params")):
            source = "cli" if record.get("wrapper") else "sdk"
            found.append(ev.ParamSet(run=self.run, key=key, value=value, at=at, source=source))
        for key, value in pairs(record.get("tags")):
            found.append(ev.TagSet(run=self.run, key=key, value=value, at=at))
        launch = {key: record[key] for key in ("argv", "command", "cwd", "entry") if record.get(key)}
        found.append(facet(self.run, "lineal.launch/1", launch, at))
        return found

    def _param(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        return [
            ev.ParamSet(
                run=self.run,
                key=text(record["key"]),
                value=plain(record.get("value")),
                at=int(record["at"]),
                source=text(record.get("source") or ""),
            )
        ]

    def _tag(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        return [
            ev.TagSet(
                run=self.run, key=text(record["key"]), value=plain(record.get("value")), at=int(record["at"])
            )
        ]

    def _join(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        self.joined[journal] = None
        return []

    def _leave(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        self.joined[journal] = record
        return []

    def _end(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        self.end = record
        # A run within another one's process has nothing that is only known when the process has ended.
        return [self._said(record, record.get("error"))] if (self.started or {}).get("within") else []

    def _over(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        self.over = True
        return []

    def _exit(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        self.exits.append((self.processes.get(journal, {}), record))
        self.modules.update(text(name) for name in record.get("modules") or [])
        return []

    def _moved(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        stat = Stat(*record["stat"]) if record.get("stat") else None
        stays, made = record.get("how") in ("link", "symlink"), bool(record.get("made"))
        src, dst = raw(record["src"]), raw(record["dst"])
        folder = record.get("kind") == "directory"
        if folder and record.get("how") == "symlink":
            return []  # nothing was read or made but a name
        if record.get("kind") == "link" and not stays and not self.tracker.wrote(src):
            return []  # a link that was there, or that leads to nothing: its name is no content
        layer = _NAMED.get(text(record.get("layer") or ""), frames.AUDIT)
        if layer in _FROM_BELOW and self._quiet(os.fsdecode(dst)):
            if not self._quiet(os.fsdecode(src)):
                self.tracker.file(frames.REMOVED, layer, int(record["at"]), stat, "", src)
            return []
        self.tracker.moved(
            src, dst, int(record["at"]), stat=stat, stays=stays, folder=folder, made=made, layer=layer
        )
        return []

    def _hash(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        stat = Stat(*record["stat"])
        self.tracker.hashed(
            raw(record["path"]), stat, record.get("sha256") or None, text(record.get("reason") or "")
        )
        return []

    def _url(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        if record.get("copy"):
            lib = text(record.get("lib") or "")
            if self.tracker.fetched(raw(record["copy"]), raw(record["cache"]), int(record["at"]), lib):
                return []
        self.tracker.remote(
            text(record["url"]),
            int(record["at"]),
            op=str(record.get("op") or "read"),
            layer=frames.FUNCTION,
            lib=text(record.get("lib") or ""),
            version=text(record.get("version") or ""),
            etag=text(record.get("etag") or ""),
        )
        return []

    def _table(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        address = file_uri(raw(record["path"])) if record.get("path") else text(record["url"])
        self.tables.append({**record, "address": address})
        return []

    def _use(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        op = frames.READ if record["t"] == "use" else frames.WRITE
        at, role = int(record["at"]), text(record.get("role") or "")
        if record.get("uri"):
            self.tracker.remote(
                text(record["uri"]),
                at,
                op="read" if op == frames.READ else "write",
                layer=frames.SDK,
                lib="",
                role=role,
            )
            return []
        path = raw(record["path"])
        stat = Stat(*record["stat"]) if record.get("stat") else None
        name, labels = text(record.get("name") or ""), dict(pairs(record.get("labels")))
        self.tracker.declared(path, at, op=op, role=role, name=name, stat=stat, labels=labels)
        if record.get("kind") == "model":
            self.tracker.model(path, {"framework": text(record.get("framework") or "declared")})
        return []

    def _frame(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        at, name = int(record["at"]), text(record.get("name") or "frame")
        columns = [
            {"name": text(c[0]), "type": text(c[1]), "digest": c[2]} for c in record.get("columns") or []
        ]
        schema = {"columns": columns, "rows": record.get("rows"), "by": "lineal.sdk.frame"}
        digest, reason = record.get("digest"), text(record.get("reason") or "")
        state = ev.VersionState(
            namespace=self.project.name,
            name=f"frame/{name}",
            digest=digest or f"unknown:{self.run}:{at}",
            level=ev.Level.CONTENT if digest else ev.Level.NONE,
            reason=reason if digest else reason or "the frame could not be digested",
            references=[ev.Reference(scheme="frame1", value=str(digest).partition(":")[2])] * bool(digest)
            + [
                ev.Reference(scheme=scheme, value=value, level=ev.Level.SAMPLED)
                for scheme, value in pairs(record.get("labels"))
            ],
            facets={"lineal.schema/1": msgspec.Raw(msgspec.json.encode(schema))},
        )
        made: Any = ev.VersionGenerated if record.get("op") == "write" else ev.VersionUsed
        role = text(record.get("role") or "") or ("output" if record.get("op") == "write" else "input")
        return [
            made(
                run=self.run,
                version=state,
                at=at,
                role=role,
                evidence=ev.Evidence.DECLARED,
                via=["sdk", "frame"],
            )
        ]

    def _seed(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        self.seeds[text(record.get("lib") or "?")] = record.get("value")
        return []

    def _note(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        self.notes[text(record.get("text") or "")] = None
        return []

    def _layers(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        self.layers = {key: record.get(key) for key in ("preload", "deep", "missing") if record.get(key)}
        return []

    def _code(self, journal: str, record: dict[str, Any]) -> list[ev.Event]:
        path = raw(record["path"])
        self.sources.add(os.fsdecode(path))
        self.tracker.code(path)
        return []

    # ---- its end -----------------------------------------------------------------------------------------------------

    def ended(self) -> ev.RunEnded | None:
        """How the run ended, if it has: by its own word, or by what can be seen of its processes."""
        if self.end is not None:
            if self._gathers():
                return None
            return self._said(self.end, self.end.get("error"))
        if self.started is None and not self.processes and not self.natives:
            return None
        if self.guest:
            return self._left()
        if self.owner is not None and processes.alive(self.owner):
            return None
        if any(processes.alive(opened) for opened in self._own_processes()):
            return None
        for opened, record in self.exits:
            if opened is self.main or (self.main is None and not opened.get("forked")):
                if (self.started or {}).get("wrapper"):
                    self.notes["the wrapper was killed: the exit code is not known"] = None
                return self._said(record, record.get("error"))
        return ev.RunEnded(run=self.run, at=self.last_at, state=ev.State.LOST)

    def _gathers(self) -> bool:
        started = self.started or {}
        waited = bool(started.get("wrapper") and started.get("place")) and not self.over
        return waited and self.owner is not None and processes.alive(self.owner)

    @property
    def guest(self) -> bool:
        """Whether only a part of the run is here: it was begun and is ended elsewhere, or has ended and left programs behind."""
        return self.started is None and (bool(self.joined) or self.left_behind or not self.processes)

    def _left(self) -> ev.RunEnded | None:
        """When the last that took part here left or vanished; None while one is here."""
        if any(
            record is None and processes.alive(self.processes.get(journal, {}))
            for journal, record in self.joined.items()
        ):
            return None
        here = [*self.natives.values(), *(self.processes.values() if self.left_behind else ())]
        if not self.joined and any(processes.alive(opened) for opened in here):
            return None
        return ev.RunEnded(run=self.run, at=self.last_at, state=ev.State.FINISHED)

    def _own_processes(self) -> list[dict[str, Any]]:
        """The processes whose life keeps the run going: the main one if it is known, else all that are not helpers."""
        if self.main is not None:
            return [self.main]
        direct = [opened for opened in self.natives.values() if opened.get("direct")]
        return direct or [
            opened
            for opened in (*self.processes.values(), *self.natives.values())
            if not opened.get("forked")
        ]

    def program(self) -> dict[str, Any] | None:
        """The `open` record of the Python process that the run is about; None when there is none, or none is known yet.

        Of a command that is no Python, such as a shell script, it is the first Python process under it.
        """
        started = self.started or {}
        if self.main is not None or not started.get("wrapper"):
            return self.main or self.owner
        command = started.get("command") or [""]
        if os.path.basename(text(command[0])).startswith(("python", "pypy")):
            return None
        below = [found for found in self.processes.values() if found is not self.owner]
        return min(below, key=lambda found: int(found.get("at", 0)), default=None)

    @property
    def seen_here(self) -> bool:
        """Whether its processes are some of this machine and container."""
        return all(processes.seen_here(opened) for opened in self.processes.values())

    @property
    def interval_s(self) -> float:
        """Seconds between two versions of a file that it writes all the time: its LINEAL_INTERVAL, else five minutes."""
        try:
            return max(float((self.started or {}).get("interval") or ""), 0.1)
        except ValueError:
            return _INTERVAL_S

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables it was started with, as it recorded them."""
        return dict(pairs((self.started or {}).get("variables")))

    def _said(self, record: dict[str, Any], error: Any) -> ev.RunEnded:
        state = str(record.get("state") or "finished")
        if not error and not (self.started or {}).get("within"):
            error = self._exception()
        return ev.RunEnded(
            run=self.run,
            at=int(record["at"]),
            state=ev.State(state) if state in set(ev.State) else ev.State.FINISHED,
            exit_code=record.get("exit_code"),
            signal=record.get("signal"),
            error=_error(error) if state != "finished" else None,
        )

    def _exception(self) -> Any:
        """The exception that ended the program, or, where the command is no Python, the last process under it that had one."""
        if self.main is not None:
            return next((exit.get("error") for opened, exit in self.exits if opened is self.main), None)
        return next((exit["error"] for _, exit in reversed(self.exits) if exit.get("error")), None)


_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_INTERVAL_S = 300.0
_FROM_BELOW = frozenset({frames.PRELOAD, frames.SUPERVISOR, frames.INHERITED})
_NAMED = {"preload": frames.PRELOAD, "supervisor": frames.SUPERVISOR}
# Programs that run a text, and how such texts are called. What they read besides is data.
_RUNS = {
    ("sh", "bash", "dash", "zsh", "ksh", "busybox"): (".sh", ".bash", ".zsh", ".ksh"),
    ("python", "pypy"): (".py",),
    ("make", "gmake"): ("akefile", ".mk"),
    ("perl", "ruby", "node", "Rscript", "R", "julia", "lua", "awk", "gawk", "mawk", "java", "php", "tclsh", "fish", "deno", "bun"): (
        ".pl", ".pm", ".rb", ".js", ".mjs", ".R", ".r", ".jl", ".lua", ".awk", ".java", ".php", ".tcl", ".fish", ".ts",
    ),
}  # fmt: skip
_HANDLERS: dict[str, Any] = {
    "run": Story._run,
    "param": Story._param,
    "tag": Story._tag,
    "end": Story._end,
    "join": Story._join,
    "leave": Story._leave,
    "over": Story._over,
    "exit": Story._exit,
    "model": reported.model,
    "best": reported.best,
    "dumped": reported.dumped,
    "notebook": reported.notebook,
    "points": reported.points,
    "mv": Story._moved,
    "hash": Story._hash,
    "url": Story._url,
    "table": Story._table,
    "use": Story._use,
    "save": Story._use,
    "frame": Story._frame,
    "seed": Story._seed,
    "note": Story._note,
    "code": Story._code,
    "watch": watched.watch,
    "listed": watched.listed,
    "absent": watched.absent,
    "reused": watched.reused,
    "returned": watched.returned,
    "layers": Story._layers,
}


def _error(found: Any) -> ev.ErrorInfo | None:
    if not isinstance(found, dict):
        return None
    return ev.ErrorInfo(
        type=text(found.get("type") or ""),
        message=text(found.get("message") or ""),
        traceback=text(found.get("traceback") or ""),
    )
