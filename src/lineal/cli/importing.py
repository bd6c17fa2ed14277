"""import: what another tracking system recorded, taken in so that it looks as if it had been logged here."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import msgspec

from lineal.cli import desk, exits
from lineal.connect import items as found
from lineal.core.errors import Invalid, LinealError, Unavailable
from lineal.render.page import Page, clean, styled
from lineal.resolve import project as projects

if TYPE_CHECKING:
    from rich.text import Text

    from lineal.service.client import AnyClient

_TOGETHER, _HEAVY = 200, 2_000_000  # items of one request (count), and about how large it may get (bytes)
_SHOWN = 20
_ENDED = ("FINISHED", "FAILED", "KILLED")
_PIECE = 4 << 20


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One kind. found: how many there are at the source; taken: how many of them are recorded here now; left: the rest."""

    kind: str
    found: int
    taken: int
    left: int


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did. known: runs that had been taken in before and were not read again; left: what was not, and why."""

    source: str
    known: int
    kinds: list[Compared]
    left: list[found.Left]


def pachyderm_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of what reads a Pachyderm cluster."""
    for option in (
        click.option("--no-datums", is_flag=True, help="Leave out which files jobs made from which."),
        click.option("--no-files", is_flag=True, help="Leave out which files commits hold."),
        click.option(
            "--token",
            envvar="PACH_TOKEN",
            default="",
            metavar="TOKEN",
            help="Of a user there; by default PACH_TOKEN.",
        ),
    ):
        function = option(function)
    return function


@click.group("import")
def import_command() -> None:
    """Take in what another tracking system recorded.

    It may be repeated and broken off at any time: what is here already is known again by its own id. It ends with a table
    of what was found there and what is recorded here.
    """


@import_command.command("mlflow")
@click.argument("place", metavar="URI-OR-DIRECTORY")
@click.option("--bytes", "with_bytes", is_flag=True, help="Keep the files of runs and models here too.")
@desk.json_option
def mlflow_command(place: str, with_bytes: bool, as_json: bool) -> int:
    """Import from MLflow: a tracking server, its database, or a folder `mlruns`.

    \b
      lineal import mlflow http://mlflow.example:5000
      lineal import mlflow sqlite:///mlflow.db
      lineal import mlflow ./mlruns --bytes
    """
    return _import("mlflow", _mlflow(place), as_json, with_bytes=with_bytes)


@import_command.command("dvc")
@click.argument("place", metavar="[DIR]", default=".", type=click.Path(exists=True, file_okay=False))
@desk.json_option
def dvc_command(place: str, as_json: bool) -> int:
    """Import from DVC: what `dvc.lock` says in each commit of a git repository, every branch of it.

    \b
      lineal import dvc
      lineal import dvc ../other-checkout

    Stages are jobs, their executions runs with parameters and metrics, what they read and made versions with DVC's MD5. It may be
    repeated: what is here already is known again.
    """
    from lineal.cli import dvc
    from lineal.connect.dvc import Repository

    project = projects.ensure()
    repository = Repository(place, project.name, project.root)
    with desk.telling() as (client, tell):
        took = dvc.take(client, repository, tell)
    desk.answer(as_json, took, lambda page: dvc.lines(page, took))
    return exits.REFUSED if took.left else exits.OK


@import_command.command("trackio")
@click.argument("place", metavar="DIR", type=click.Path(exists=True))
@desk.json_option
def trackio_command(place: str, as_json: bool) -> int:
    """Import from trackio: the folder of its databases, one for each project, or one of them."""
    from lineal.connect.trackio import Folder

    return _import("trackio", Folder(place), as_json)


@import_command.command("wandb-offline")
@click.argument("place", metavar="DIR", type=click.Path(exists=True))
@desk.json_option
def wandb_command(place: str, as_json: bool) -> int:
    """Import runs that Weights & Biases wrote offline: the folder `wandb`, or one run in it."""
    from lineal.connect.wandb import Folder

    return _import("wandb", Folder(place), as_json)


@import_command.command("neptune")
@click.argument("place", metavar="DIR", type=click.Path(exists=True))
@click.option(
    "--step-multiplier",
    type=click.IntRange(1, 1_000_000),
    default=1,
    show_default=True,
    metavar="N",
    help="Steps there are decimal numbers: multiply each by this, to make it whole.",
)
@desk.json_option
def neptune_command(place: str, step_multiplier: int, as_json: bool) -> int:
    """Import from Neptune: the folder that `neptune-exporter export` filled with Parquet files."""
    from lineal.connect.neptune import Folder

    return _import("neptune", Folder(place, step_multiplier=step_multiplier), as_json)


@import_command.command("kfp")
@click.argument("place", metavar="URL")
@click.option("--namespace", default="", metavar="NAME", help="Of a server with several users: whose runs.")
@desk.json_option
def kfp_command(place: str, namespace: str, as_json: bool) -> int:
    """Import the runs of a Kubeflow Pipelines server (API v2beta1), with their tasks and artifacts. KFP_TOKEN lets in.

    \b
      lineal import kfp http://ml-pipeline.kubeflow:8888
    """
    from lineal.cli import kubeflow
    from lineal.connect.kubeflow import Server

    server = Server(place, namespace=namespace)
    projects_here()
    try:
        with desk.telling() as (client, tell):
            took = kubeflow.take(client, server, tell)
    finally:
        server.close()
    desk.answer(as_json, took, lambda page: kubeflow.lines(page, took))
    return exits.REFUSED if took.left else exits.OK


@import_command.command("mlmd")
@click.argument("place", metavar="FILE-OR-ADDRESS")
@desk.json_option
def mlmd_command(place: str, as_json: bool) -> int:
    """Import a store of ML Metadata: its SQLite file, or the server before its MySQL or PostgreSQL.

    \b
      lineal import mlmd metadata.db
      lineal import mlmd metadata-grpc-service:8080
    """
    from lineal.cli import mlmd

    source = mlmd.opened(place)
    projects_here()
    try:
        with desk.telling() as (client, tell):
            took = mlmd.take(client, source, tell)
    finally:
        source.close()
    desk.answer(as_json, took, lambda page: mlmd.lines(page, took))
    return exits.REFUSED if took.left else exits.OK


@import_command.command("pachyderm")
@click.argument("place", metavar="ADDRESS")
@pachyderm_options
@desk.json_option
def pachyderm_command(place: str, token: str, no_files: bool, no_datums: bool, as_json: bool) -> int:
    """Import from Pachyderm: its commits with their provenance, jobs, files and datums, from a server of version 2.

    \b
      lineal import pachyderm grpc://pachd.example:30650
      lineal import pachyderm grpcs://pachd.example:443 --no-files

    A repeat goes on where the last one stopped, and asks again for what had not ended. `lineal watch pachyderm` does so all the time.
    """
    from lineal.cli import pachyderm

    projects_here()
    with desk.telling() as (client, tell), pachyderm.opened(place, token) as cluster:
        history = pachyderm.History(client, cluster, tell, files=not no_files, datums=not no_datums)
        took = history.take()
    desk.answer(as_json, took, lambda page: pachyderm.lines(page, took))
    return exits.REFUSED if took.unreadable else exits.OK


def projects_here() -> None:
    """Make the project here, where nothing was recorded yet: an import may be the first."""
    if not os.environ.get("LINEAL_URL"):
        projects.ensure()


def _mlflow(place: str) -> found.Source:
    if place.startswith(("http://", "https://")):
        from lineal.connect.mlflow_rest import Server

        return Server(place)
    if place.startswith(("sqlite:", "postgres")) or os.path.isfile(place):
        from lineal.connect.mlflow_database import Database

        return Database(place)
    folder = place.removeprefix("file://")
    if os.path.isdir(folder):
        from lineal.connect.mlflow_files import Folder

        return Folder(folder)
    raise Invalid(
        f"{place!r} is neither an address of MLflow nor a folder",
        hint="give http://HOST:PORT, sqlite:///PATH, postgresql://... or the path of a folder `mlruns`",
    )


def _import(system: str, source: found.Source, as_json: bool, *, with_bytes: bool = False) -> int:
    try:
        projects_here()
        with desk.telling() as (client, tell):
            tell(f"reading {source.name}")
            imported = _Taking(client, system, source, tell, with_bytes=with_bytes).all()
    finally:
        source.close()
    desk.answer(as_json, imported, lambda page: _lines(page, imported))
    missed = any(kind.left for kind in imported.kinds if kind.kind in (*found.KINDS, "files"))
    return exits.REFUSED if missed or imported.left else exits.OK


class _Taking:
    """One import: reads the source in the order in which things rely on each other, and hands over in batches."""

    def __init__(
        self,
        client: AnyClient,
        system: str,
        source: found.Source,
        tell: Callable[[str], None],
        *,
        with_bytes: bool,
    ) -> None:
        self._client, self._system, self._source, self._bytes = client, system, source, with_bytes
        self._tell = tell
        self._waiting: list[found.Item] = []
        self._weight = 0
        self._left: list[found.Left] = []
        self._named: dict[str, list[str]] = {"experiments": [], "runs": [], "models": [], "names": []}
        self._known = 0
        self._files = [0, 0]

    def all(self) -> Imported:
        """Take everything, then count on both sides."""
        for experiment in self._source.experiments():
            self._named["experiments"].append(experiment.name)
            self._put(experiment)
        self._hand_over()
        self._runs()
        for model in self._source.models():
            self._named["models"].append(model.id)
            self._put(model)
        for link in self._source.links():
            self._put(link)
        self._hand_over()
        if self._bytes:
            self._take_files()
        for item in self._source.registered():
            if isinstance(item, found.Registered):
                self._named["names"].append(item.name)
            self._put(item)
        self._hand_over()
        return Imported(
            source=self._source.name,
            known=self._known,
            kinds=self._compare(),
            left=[*self._left, *self._source.left],
        )

    def _runs(self) -> None:
        page: list[found.Run] = []
        for run in self._source.runs():
            page.append(run)
            if len(page) == _TOGETHER:
                self._take_runs(page)
                page = []
        self._take_runs(page)

    def _take_runs(self, runs: list[found.Run]) -> None:
        request = _request("ImportStampsRequest", runs=[run.id for run in runs])
        known = self._client.call("import-stamps", request).stamps
        for run in runs:
            self._named["runs"].append(run.id)
            stamp = self._stamp(run)
            before, _, count = known.get(run.id, "").partition(" ")
            if before == stamp and run.status in _ENDED:
                self._known += 1
                self._source.skip(run, int(count or 0))
                continue
            self._put(run)
            taken = 0
            for points in self._source.points(run):
                taken += len(points.value) // 8
                self._put(points)
            self._put(found.Taken(run=run.id, stamp=f"{stamp} {taken}"))
        self._hand_over()
        self._tell(f"{len(self._named['runs']):,} runs taken in")

    def _stamp(self, run: found.Run) -> str:
        """What the run looks like, by which it is known again."""
        told = msgspec.json.encode([run, self._bytes, self._source.mark(run)], order="sorted")
        return hashlib.sha256(told).hexdigest()

    def _take_files(self) -> None:
        from lineal.doors.mlflow import describing

        model = ""
        texts: dict[str, str] = {}
        for file in self._source.files():
            if model and file.owner != model:
                self._whole(model, texts)
                model, texts = "", {}
            if file.model:
                model = file.owner
            try:
                digest, size, content = _keep(self._client, file, small=describing.LARGEST)
            except (OSError, LinealError) as error:
                self._left.append(
                    found.Left(kind="files", name=f"{file.owner}: {file.path}", reason=str(error))
                )
                self._files[0] += 1
                continue
            if file.model and file.path in describing.TOLD_BY and content is not None:
                texts[file.path] = content.decode("utf-8", "replace")
            self._files = [self._files[0] + 1, self._files[1] + 1]
            self._put(
                found.File(owner=file.owner, model=file.model, path=file.path, digest=digest, size=size)
            )
            self._tell(f"{self._files[0]:,} files taken in")
        if model:
            self._whole(model, texts)
        self._hand_over()

    def _whole(self, model: str, texts: dict[str, str]) -> None:
        from lineal.doors.mlflow import describing

        facets = {name: body.decode() for name, body in describing.facets(texts).items()}
        self._put(found.Whole(model=model, facets=facets))

    def _put(self, item: found.Item) -> None:
        self._waiting.append(item)
        self._weight += len(item.value) * 4 if isinstance(item, found.Points) else 2000
        if len(self._waiting) >= _TOGETHER or self._weight >= _HEAVY:
            self._hand_over()

    def _hand_over(self) -> None:
        if not self._waiting:
            return
        request = _request(
            "ImportRequest",
            system=self._system,
            source=self._source.name,
            items=self._waiting,
            bytes=self._bytes,
        )
        self._left += self._client.call("import", request).left
        self._waiting, self._weight = [], 0

    def _compare(self) -> list[Compared]:
        self._tell("counting on both sides")
        there = self._source.count()
        here = dict.fromkeys(found.KINDS, 0)
        for part in _parts(self._named):
            counted = self._client.call("import-count", _request("ImportCountRequest", **part)).counts
            for kind in here:
                here[kind] += counted.get(kind, 0)
        more = [kind for kind, number in there.items() if number and kind not in here]  # never taken
        here |= dict.fromkeys(more, 0)
        compared = [
            Compared(
                kind=kind,
                found=there.get(kind, 0),
                taken=here[kind],
                left=max(0, there.get(kind, 0) - here[kind]),
            )
            for kind in here
        ]
        if self._bytes:
            found_files, kept = self._files
            compared.append(Compared(kind="files", found=found_files, taken=kept, left=found_files - kept))
        return compared


def _request(name: str, **said: Any) -> Any:
    from lineal.service import importing

    return getattr(importing, name)(**said)


def _parts(named: dict[str, list[str]]) -> Iterator[dict[str, list[str]]]:
    """What is to be counted, some at a time."""
    for key, all_of in named.items():
        for start in range(0, len(all_of), 500):
            yield {key: all_of[start : start + 500]}


def _keep(client: AnyClient, file: found.Found, *, small: int) -> tuple[str, int, bytes | None]:
    """Keep a file's bytes: their digest and size, and the bytes themselves when they are few.

    Raises OSError, Unavailable: they cannot be read or kept.
    """
    with file.open() as reading, tempfile.NamedTemporaryFile(prefix="lineal-import-") as copy:
        size = _copy(reading, copy.file)
        copy.flush()
        content = None
        if size <= small:
            with open(copy.name, "rb") as again:
                content = again.read()
        if hasattr(client.blobs, "put_file") and content is None:
            return client.blobs.put_file(copy.name), size, None
        if content is None:
            with open(copy.name, "rb") as again:
                return client.blobs.put(again.read()), size, None
        return client.blobs.put(content), size, content


def _copy(reading: BinaryIO, writing: Any) -> int:
    size = 0
    while piece := reading.read(_PIECE):
        writing.write(piece)
        size += len(piece)
    expected = getattr(reading, "length", None)  # what is still to come, of an answer over HTTP
    if expected:
        raise Unavailable(f"{expected} bytes of it did not arrive", hint="import again")
    return size


def _lines(page: Page, imported: Imported) -> Iterator[Text]:
    width = max(len(kind.kind) for kind in imported.kinds)
    yield styled((f"{'':{width}}  {'found':>12}  {'taken':>12}  {'left':>8}", "dim"))
    for kind in imported.kinds:
        if not kind.found and not kind.taken:
            continue
        numbers = f"{kind.found:>12,}  {kind.taken:>12,}  {kind.left:>8,}"
        yield styled(f"{kind.kind:{width}}  ", (numbers, "bold red" if kind.left else ""))
    if imported.known:
        yield styled((f"{imported.known:,} runs were here already, as they are there now", "dim"))
    for left in imported.left[:_SHOWN]:
        yield from page.hang(
            "", "  ", styled(("! ", "bold red"), clean(f"{left.kind}: {left.name}: {left.reason}"))
        )
    if len(imported.left) > _SHOWN:
        yield styled((f"and {len(imported.left) - _SHOWN:,} more that were left; --json lists them", "dim"))
