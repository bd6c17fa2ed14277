"""MLflow's folder `mlruns`: YAML files, and a file for every parameter, tag and metric."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from lineal.connect.items import (
    Dataset,
    Experiment,
    Found,
    Left,
    Link,
    Model,
    ModelMetric,
    Points,
    Registered,
    Run,
    Version,
    points_of,
)
from lineal.connect.values import number_text
from lineal.core.errors import Invalid

_STATUSES = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_MODEL_STATUSES = {1: "LOGGED_MODEL_PENDING", 2: "LOGGED_MODEL_READY", 3: "LOGGED_MODEL_UPLOAD_FAILED"}
_META = "meta.yaml"
_GONE = "Deleted_Internal"


class Folder:
    """An `mlruns` folder as a source."""

    def __init__(self, path: str) -> None:
        """Raises Invalid: it is no such folder."""
        nested = os.path.join(path, "mlruns")
        self._root = nested if os.path.isdir(nested) and not _is_store(path) else path
        self.name = os.path.abspath(self._root)
        self.left: list[Left] = []
        if not _is_store(self._root):
            raise Invalid(
                f"{path} holds no experiments: a folder `mlruns` with `<experiment>/{_META}` in it is wanted",
                hint="give the folder that MLflow logged into; a database is given as sqlite:///PATH",
            )
        self._experiments = [
            (folder, said, deleted)
            for deleted, root in ((False, self._root), (True, os.path.join(self._root, ".trash")))
            for folder in _folders(root)
            if (said := _yaml(os.path.join(folder, _META))) and "experiment_id" in said
        ]

    def close(self) -> None:
        """Nothing is held."""

    def count(self) -> dict[str, int]:
        """How many of each kind there are, by counting files and lines."""
        runs = [folder for _, folder, _ in self._runs()]
        named = [item for item in self.registered() if isinstance(item, Version)]
        return {
            "experiments": len(self._experiments),
            "runs": len(runs),
            "params": sum(len(_files(os.path.join(run, "params"))) for run in runs),
            "tags": sum(len(_files(os.path.join(run, "tags"))) for run in runs),
            "metric points": sum(
                _lines(file) for run in runs for file in _files(os.path.join(run, "metrics"))
            ),
            "dataset inputs": sum(
                _yaml(os.path.join(link, _META)).get("source_type") == "DATASET"
                for run in runs
                for link in _folders(os.path.join(run, "inputs"))
            ),
            "logged models": sum(1 for _ in self._models()),
            "model inputs and outputs": sum(1 for _ in self.links()),
            "registered models": len(_folders(os.path.join(self._root, "models"))),
            "model versions": len(named),
            "aliases": sum(len(version.aliases) for version in named),
        }

    def experiments(self) -> Iterator[Experiment]:
        """Every experiment, deleted ones too."""
        for folder, said, deleted in self._experiments:
            yield Experiment(
                name=_text(said.get("name")),
                created=_int(said.get("creation_time")),
                updated=_int(said.get("last_update_time")),
                deleted=deleted or said.get("lifecycle_stage") == "deleted",
                location=_text(said.get("artifact_location")),
                tags=_pairs(os.path.join(folder, "tags")),
            )

    def runs(self) -> Iterator[Run]:
        """Every run, in order of their start."""
        for experiment, folder, said in sorted(
            self._runs(), key=lambda found: _int(found[2].get("start_time"))
        ):
            tags = _pairs(os.path.join(folder, "tags"))
            status = said.get("status")
            yield Run(
                id=_id(said),
                experiment=experiment,
                name=_text(said.get("run_name")) or tags.get("mlflow.runName", ""),
                user=_text(said.get("user_id")),
                status=_STATUSES.get(_int(status), "FINISHED") if not isinstance(status, str) else status,
                start=_int(said.get("start_time")),
                end=_int(said["end_time"]) if said.get("end_time") is not None else None,
                deleted=said.get("lifecycle_stage") == "deleted",
                location=_text(said.get("artifact_uri")),
                params=_pairs(os.path.join(folder, "params")),
                tags=tags,
                datasets=list(self._datasets(folder)),
            )

    def mark(self, run: Run) -> str:
        """How large the files of the run's metrics are."""
        files = _files(os.path.join(self._where[run.id], "metrics"))
        return str([(file, os.path.getsize(file)) for file in files])

    def skip(self, run: Run, points: int) -> None:
        """Nothing: lines are counted."""

    def points(self, run: Run) -> Iterator[Points]:
        """All points of a run."""
        return points_of(run.id, self._lines(self._where[run.id]))

    def models(self) -> Iterator[Model]:
        """Every logged model."""
        for experiment, folder, said in self._models():
            yield Model(
                id=_text(said["model_id"]),
                experiment=experiment,
                name=_text(said.get("name")),
                type=_text(said.get("model_type")),
                run=_text(said.get("source_run_id")),
                status=_MODEL_STATUSES.get(_int(said.get("status")), "LOGGED_MODEL_STATUS_UNSPECIFIED"),
                created=_int(said.get("creation_timestamp")),
                updated=_int(said.get("last_updated_timestamp")),
                deleted=said.get("lifecycle_stage") == "deleted",
                location=_text(said.get("artifact_location")),
                tags=_pairs(os.path.join(folder, "tags")),
                params=_pairs(os.path.join(folder, "params")),
                metrics=list(_measured(os.path.join(folder, "metrics"))),
            )

    def links(self) -> Iterator[Link]:
        """Which runs used and made logged models."""
        for _, folder, said in self._runs():
            for kind in ("inputs", "outputs"):
                for link in _folders(os.path.join(folder, kind)):
                    of = _yaml(os.path.join(link, _META))
                    if str(of.get("destination_type", "")).startswith("MODEL"):
                        yield Link(
                            run=_id(said),
                            model=_text(of.get("destination_id")),
                            made=kind == "outputs",
                            step=_int(of.get("step")),
                        )

    def registered(self) -> Iterator[Registered | Version]:
        """Registered names, each before its versions, which come by number."""
        for folder in _folders(os.path.join(self._root, "models")):
            said = _yaml(os.path.join(folder, _META))
            if not said:
                continue
            name = _text(said.get("name"))
            yield Registered(
                name=name,
                created=_int(said.get("creation_timestamp")),
                updated=_int(said.get("last_updated_timestamp")),
                description=_text(said.get("description")),
                tags=_pairs(os.path.join(folder, "tags")),
            )
            aliases = _pairs(os.path.join(folder, "aliases"))
            versions = [
                (_int(of.get("version")), place, of)
                for place in _folders(folder)
                if (of := _yaml(os.path.join(place, _META)))
                and of.get("current_stage") != _GONE
                and "version" in of
            ]
            for number, place, of in sorted(versions, key=lambda found: found[0]):
                yield _version(name, number, place, of, aliases)

    def files(self) -> Iterator[Found]:
        """The files of runs and models, below this folder wherever it was when they were written."""
        for _, folder, said in self._runs():
            yield from _below(os.path.join(folder, "artifacts"), _id(said), model=False, left=self.left)
        for _, folder, said in self._models():
            yield from _below(
                os.path.join(folder, "artifacts"), _text(said["model_id"]), model=True, left=self.left
            )

    @property
    def _where(self) -> dict[str, str]:
        if not hasattr(self, "_places"):
            self._places = {_id(said): folder for _, folder, said in self._runs()}
        return self._places

    def _runs(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """The experiment's name, folder and description of every run."""
        for folder, experiment, _ in self._experiments:
            for run in _folders(folder):
                said = _yaml(os.path.join(run, _META))
                if said and _id(said):
                    yield _text(experiment.get("name")), run, said

    def _models(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for folder, experiment, _ in self._experiments:
            for model in _folders(os.path.join(folder, "models")):
                said = _yaml(os.path.join(model, _META))
                if said and "model_id" in said:
                    yield _text(experiment.get("name")), model, said

    def _datasets(self, run: str) -> Iterator[Dataset]:
        for link in _folders(os.path.join(run, "inputs")):
            of = _yaml(os.path.join(link, _META))
            if of.get("source_type") != "DATASET":
                continue
            place = os.path.join(
                os.path.dirname(run), "datasets", os.path.basename(_text(of.get("source_id")))
            )
            said = _yaml(os.path.join(place, _META))
            if not said:
                self.left.append(
                    Left(kind="dataset inputs", name=link, reason=f"there is no {place}/{_META}")
                )
                continue
            use = of.get("tags")
            yield Dataset(
                name=_text(said.get("name")),
                digest=_text(said.get("digest")),
                source_type=_text(said.get("source_type")),
                source=_text(said.get("source")),
                schema=_text(said["schema"]) if said.get("schema") is not None else None,
                profile=_text(said["profile"]) if said.get("profile") is not None else None,
                use={str(key): _text(value) for key, value in use.items()} if isinstance(use, dict) else {},
            )

    def _lines(self, run: str) -> Iterator[tuple[str, float, int, int]]:
        root = os.path.join(run, "metrics")
        for file in _files(root):
            key = os.path.relpath(file, root)
            for line in _read(file).splitlines():
                words = line.split()
                if not words:
                    continue
                try:
                    yield key, float(words[1]), int(words[0]) * 1000, int(words[2]) if len(words) > 2 else 0
                except (IndexError, ValueError):
                    self.left.append(
                        Left(kind="metric points", name=f"{run}: {key}", reason=f"no point: {line[:80]!r}")
                    )


def in_folder(location: str, id: str, *, model: bool, left: list[Left]) -> Iterator[Found]:
    """The files below an address when it is a folder here that is named by the run or model; else why they are left.

    An address is what a client of MLflow once sent, so a folder that does not carry the id is never opened.
    """
    parts = urlsplit(location)
    place = unquote(parts.path) if parts.scheme == "file" else location
    named = os.path.normpath(place).split(os.sep)[-2:] == [id, "artifacts"]
    kind = "files of models" if model else "files of runs"
    if parts.scheme not in ("", "file"):
        left.append(Left(kind=kind, name=id, reason=f"they are at {parts.scheme}:, not in a folder here"))
    elif not named:
        left.append(Left(kind=kind, name=id, reason=f"{location!r} is not the folder of this run or model"))
    else:
        yield from _below(place, id, model=model, left=left)


def _below(root: str, id: str, *, model: bool, left: list[Left]) -> Iterator[Found]:
    for path in _files(root):
        inside = os.path.relpath(path, root).replace(os.sep, "/")
        if os.path.islink(path):
            left.append(Left(kind="files", name=f"{id}: {inside}", reason="it is a symbolic link"))
            continue
        yield Found(owner=id, model=model, path=inside, open=partial(_open, path))


def _version(name: str, number: int, place: str, of: dict[str, Any], aliases: dict[str, str]) -> Version:
    return Version(
        name=name,
        number=number,
        source=_text(of.get("source")),
        storage=_text(of.get("storage_location")),
        run=_text(of.get("run_id")),
        model=_text(of.get("model_id")),
        run_link=_text(of.get("run_link")),
        stage=_text(of.get("current_stage")) or "None",
        created=_int(of.get("creation_timestamp")),
        updated=_int(of.get("last_updated_timestamp")),
        description=_text(of.get("description")),
        user=_text(of.get("user_id")),
        tags=_pairs(os.path.join(place, "tags")),
        aliases=sorted(alias for alias, at in aliases.items() if at.strip() == str(number)),
    )


def _measured(root: str) -> Iterator[ModelMetric]:
    for file in _files(root):
        for line in _read(file).splitlines():
            words = line.split()
            if len(words) in (4, 6):
                yield ModelMetric(
                    key=os.path.relpath(file, root),
                    value=number_text(float(words[1])),
                    at=int(words[0]),
                    step=int(words[2]),
                    run=words[3],
                    dataset=words[4] if len(words) == 6 else "",
                    digest=words[5] if len(words) == 6 else "",
                )


def _is_store(path: str) -> bool:
    return any(os.path.isfile(os.path.join(folder, _META)) for folder in _folders(path))


def _folders(root: str) -> list[str]:
    """The folders directly in a folder, by name; none when it is not there."""
    try:
        with os.scandir(root) as found:
            return sorted(
                entry.path
                for entry in found
                if entry.is_dir(follow_symlinks=False) and entry.name != ".trash"
            )
    except OSError:
        return []


def _files(root: str) -> list[str]:
    """All files below a folder, by path. Links to folders are not followed."""
    return sorted(os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)


def _pairs(root: str) -> dict[str, str]:
    return {os.path.relpath(file, root): _read(file) for file in _files(root)}


def _open(path: str) -> BinaryIO:
    return open(path, "rb")


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        return file.read()


def _lines(path: str) -> int:
    return sum(1 for line in _read(path).splitlines() if line.strip())


def _yaml(path: str) -> dict[str, Any]:
    import yaml

    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            said = yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _id(said: dict[str, Any]) -> str:
    return _text(said.get("run_id") or said.get("run_uuid"))


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _int(value: Any) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError):
        return 0
