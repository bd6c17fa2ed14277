"""MLflow's own database, SQLite or PostgreSQL, opened for reading only."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from lineal.connect import mlflow_files
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
from lineal.core.errors import Invalid, Unavailable

Row = tuple[Any, ...]
_STATUSES = (
    "LOGGED_MODEL_STATUS_UNSPECIFIED",
    "LOGGED_MODEL_PENDING",
    "LOGGED_MODEL_READY",
    "LOGGED_MODEL_UPLOAD_FAILED",
)
_GONE = "Deleted_Internal"  # the stage by which MLflow marks a version that was deleted
LARGEST = 1.7976931348623157e308  # what MLflow's database has for infinity, which it cannot keep
_ALL = {
    "experiments": "SELECT count(*) FROM experiments",
    "runs": "SELECT count(*) FROM runs",
    "params": "SELECT count(*) FROM params",
    "tags": "SELECT count(*) FROM tags",
    "metric points": "SELECT count(*) FROM metrics",
    "dataset inputs": "SELECT count(*) FROM inputs WHERE source_type = 'DATASET'",
    "logged models": "SELECT count(*) FROM logged_models",
    "model inputs and outputs": "SELECT count(*) FROM inputs WHERE source_type IN ('RUN_INPUT', 'RUN_OUTPUT')",
    "registered models": "SELECT count(*) FROM registered_models",
    "model versions": f"SELECT count(*) FROM model_versions WHERE current_stage <> '{_GONE}'",
    "aliases": "SELECT count(*) FROM registered_model_aliases",
}


class Database:
    """An MLflow database as a source."""

    def __init__(self, uri: str) -> None:
        """Raises Invalid: it is no database of MLflow; Unavailable: it cannot be opened."""
        self.name = uri.rpartition("@")[2] if "://" in uri and not uri.startswith("sqlite") else uri
        self.left: list[Left] = []
        self._connection: Any = _postgres(uri) if uri.startswith("postgres") else _sqlite(uri)
        self._sqlite = isinstance(self._connection, sqlite3.Connection)
        self._tables = self._columns()
        if not {"experiments", "runs", "metrics"} <= self._tables.keys():
            self.close()
            raise Invalid(
                f"{self.name} is no database of MLflow: the tables `experiments`, `runs` and `metrics` are wanted",
                hint="give the address that `mlflow server --backend-store-uri` has",
            )

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def count(self) -> dict[str, int]:
        """How many of each kind there are."""
        found = {}
        for kind, sql in _ALL.items():
            table = sql.split(" FROM ")[1].split()[0]
            found[kind] = self._rows(sql)[0][0] if table in self._tables else 0
        return found

    def experiments(self) -> Iterator[Experiment]:
        """Every experiment, deleted ones too."""
        tags = self._pairs("experiment_tags", "experiment_id")
        columns = self._select(
            "experiments",
            "experiment_id name lifecycle_stage artifact_location creation_time last_update_time",
        )
        for id, name, stage, location, created, updated in self._rows(
            f"SELECT {columns} FROM experiments ORDER BY experiment_id"
        ):
            yield Experiment(
                name=name,
                created=created or 0,
                updated=updated or 0,
                deleted=stage == "deleted",
                location=location or "",
                tags=tags.get((id,), {}),
            )

    def runs(self) -> Iterator[Run]:
        """Every run, in order of their start."""
        columns = self._select(
            "runs",
            "run_uuid name user_id status start_time end_time lifecycle_stage artifact_uri experiment_id",
        )
        after: tuple[int, str] = (-(2**62), "")
        names: dict[int, str] = dict(self._rows("SELECT experiment_id, name FROM experiments"))
        while True:
            page = self._rows(
                f"SELECT {columns} FROM runs WHERE COALESCE(start_time, 0) > ? "
                "OR (COALESCE(start_time, 0) = ? AND run_uuid > ?) "
                "ORDER BY COALESCE(start_time, 0), run_uuid LIMIT 200",
                after[0],
                *after,
            )
            if not page:
                return
            after = (page[-1][4] or 0, page[-1][0])
            among = [row[0] for row in page]
            params = self._pairs("params", "run_uuid", among)
            tags = self._pairs("tags", "run_uuid", among)
            datasets = self._datasets(among)
            for id, name, user, status, start, end, stage, location, experiment in page:
                own = tags.get((id,), {})
                yield Run(
                    id=id,
                    experiment=names[experiment],
                    name=name or own.get("mlflow.runName", ""),
                    user=user or "",
                    status=status or "FINISHED",
                    start=start or 0,
                    end=end,
                    deleted=stage == "deleted",
                    location=location or "",
                    params=params.get((id,), {}),
                    tags=own,
                    datasets=datasets.get(id, []),
                )

    def mark(self, run: Run) -> str:
        """How many points the run has."""
        return str(self._rows("SELECT count(*) FROM metrics WHERE run_uuid = ?", run.id)[0][0])

    def skip(self, run: Run, points: int) -> None:
        """Nothing: the database counts its points itself."""

    def points(self, run: Run) -> Iterator[Points]:
        """All points of a run."""
        nan = self._select("metrics", "is_nan")
        cursor = self._connection.cursor()
        cursor.execute(
            self._sql(
                f"SELECT key, value, timestamp, step, {nan} FROM metrics WHERE run_uuid = ? ORDER BY key, step, timestamp"
            ),
            (run.id,),
        )
        return points_of(run.id, ((k, exact(v, is_nan=n), t * 1000, s or 0) for k, v, t, s, n in cursor))

    def models(self) -> Iterator[Model]:
        """Every logged model."""
        if "logged_models" not in self._tables:
            return
        names: dict[int, str] = dict(self._rows("SELECT experiment_id, name FROM experiments"))
        tags = self._pairs("logged_model_tags", "model_id", key="tag_key", value="tag_value")
        params = self._pairs("logged_model_params", "model_id", key="param_key", value="param_value")
        metrics: dict[str, list[ModelMetric]] = {}
        for id, key, at, step, value, run, dataset, digest in self._rows(
            "SELECT model_id, metric_name, metric_timestamp_ms, metric_step, metric_value, run_id, dataset_name, "
            "dataset_digest FROM logged_model_metrics ORDER BY metric_timestamp_ms, metric_step"
        ):
            metric = ModelMetric(
                key=key,
                value=number_text(exact(value)),
                at=at,
                step=step,
                run=run,
                dataset=dataset or "",
                digest=digest or "",
            )
            metrics.setdefault(id, []).append(metric)
        for id, experiment, name, location, created, updated, status, stage, kind, run in self._rows(
            "SELECT model_id, experiment_id, name, artifact_location, creation_timestamp_ms, last_updated_timestamp_ms, "
            "status, lifecycle_stage, model_type, source_run_id FROM logged_models ORDER BY creation_timestamp_ms, model_id"
        ):
            yield Model(
                id=id,
                experiment=names[experiment],
                name=name,
                type=kind or "",
                run=run or "",
                status=_STATUSES[status] if 0 <= (status or 0) < 4 else _STATUSES[0],
                created=created or 0,
                updated=updated or 0,
                deleted=stage == "deleted",
                location=location or "",
                tags=tags.get((id,), {}),
                params=params.get((id,), {}),
                metrics=metrics.get(id, []),
            )

    def links(self) -> Iterator[Link]:
        """Which runs used and made logged models."""
        if "inputs" not in self._tables:
            return
        step = self._select("inputs", "step")
        for kind, run, model, nth in self._rows(
            f"SELECT source_type, source_id, destination_id, {step} FROM inputs "
            "WHERE source_type IN ('RUN_INPUT', 'RUN_OUTPUT') ORDER BY input_uuid"
        ):
            yield Link(run=run, model=model, made=kind == "RUN_OUTPUT", step=nth or 0)

    def registered(self) -> Iterator[Registered | Version]:
        """Registered names, each before its versions, which come by number."""
        if "registered_models" not in self._tables:
            return
        tags = self._pairs("registered_model_tags", "name")
        for name, created, updated, description in self._rows(
            "SELECT name, creation_time, last_updated_time, description FROM registered_models ORDER BY name"
        ):
            yield Registered(
                name=name,
                created=created or 0,
                updated=updated or 0,
                description=description or "",
                tags=tags.get((name,), {}),
            )
            yield from self._versions(name)

    def files(self) -> Iterator[Found]:
        """The files of runs and models that lie in folders of this machine."""
        for run in self.runs():
            yield from mlflow_files.in_folder(run.location, run.id, model=False, left=self.left)
        for model in self.models():
            yield from mlflow_files.in_folder(model.location, model.id, model=True, left=self.left)

    def _versions(self, name: str) -> Iterator[Version]:
        aliases: dict[int, list[str]] = {}
        if "registered_model_aliases" in self._tables:
            for alias, number in self._rows(
                "SELECT alias, version FROM registered_model_aliases WHERE name = ? ORDER BY alias", name
            ):
                aliases.setdefault(int(number), []).append(alias)
        tags = self._pairs("model_version_tags", "name version")
        columns = self._select(
            "model_versions",
            "version source storage_location run_id run_link current_stage creation_time last_updated_time "
            "description user_id",
        )
        for number, source, storage, run, link, stage, created, updated, description, user in self._rows(
            f"SELECT {columns} FROM model_versions WHERE name = ? AND current_stage <> ? ORDER BY version",
            name,
            _GONE,
        ):
            yield Version(
                name=name,
                number=number,
                source=source or "",
                storage=storage or "",
                run=run or "",
                model=model_in(source or ""),
                run_link=link or "",
                stage=stage or "None",
                created=created or 0,
                updated=updated or 0,
                description=description or "",
                user=user or "",
                tags=tags.get((name, number), {}),
                aliases=aliases.get(number, []),
            )

    def _datasets(self, runs: list[str]) -> dict[str, list[Dataset]]:
        if "inputs" not in self._tables:
            return {}
        marks = ", ".join("?" * len(runs))
        use: dict[str, dict[str, str]] = {}
        for id, key, value in self._rows(
            "SELECT t.input_uuid, t.name, t.value FROM input_tags t JOIN inputs i ON i.input_uuid = t.input_uuid "
            f"WHERE i.destination_id IN ({marks})",
            *runs,
        ):
            use.setdefault(id, {})[key] = value or ""
        found: dict[str, list[Dataset]] = {}
        for run, id, name, digest, kind, source, schema, profile in self._rows(
            "SELECT i.destination_id, i.input_uuid, d.name, d.digest, d.dataset_source_type, d.dataset_source, "
            "d.dataset_schema, d.dataset_profile FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id "
            f"WHERE i.source_type = 'DATASET' AND i.destination_id IN ({marks}) ORDER BY i.input_uuid",
            *runs,
        ):
            dataset = Dataset(
                name=name,
                digest=digest,
                source_type=kind,
                source=source,
                schema=schema,
                profile=profile,
                use=use.get(id, {}),
            )
            found.setdefault(run, []).append(dataset)
        return found

    def _pairs(
        self,
        table: str,
        owner: str,
        among: Iterable[str] | None = None,
        *,
        key: str = "key",
        value: str = "value",
    ) -> dict[Row, dict[str, str]]:
        """Keys and values by the columns that name their owner."""
        found: dict[Row, dict[str, str]] = {}
        if table not in self._tables:
            return found
        columns = owner.split()
        chosen = list(among or ())
        where = f" WHERE {owner} IN ({', '.join('?' * len(chosen))})" if chosen else ""
        for *of, name, text in self._rows(
            f"SELECT {', '.join(columns)}, {key}, {value} FROM {table}{where}", *chosen
        ):
            found.setdefault(tuple(of), {})[name] = "" if text is None else str(text)
        return found

    def _select(self, table: str, columns: str) -> str:
        """The columns, with NULL for those that this version of MLflow does not have."""
        known = self._tables.get(table, set())
        return ", ".join(name if name in known else f"NULL AS {name}" for name in columns.split())

    def _rows(self, sql: str, *values: Any) -> list[Row]:
        cursor = self._connection.cursor()
        try:
            cursor.execute(self._sql(sql), values)
            return list(cursor.fetchall())
        except Exception as error:
            raise Unavailable(
                f"{self.name} cannot be read: {' '.join(str(error).split())[:300]}",
                hint="is it a database of MLflow 1.0 or newer, and whole?",
            ) from error

    def _sql(self, sql: str) -> str:
        return sql if self._sqlite else sql.replace("?", "%s")

    def _columns(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        if self._sqlite:
            rows = self._rows(
                "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
            )
        else:
            rows = self._rows(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = ANY (current_schemas(false))"
            )
        for table, column in rows:
            found.setdefault(table, set()).add(column)
        return found


def exact(value: float | None, *, is_nan: Any = False) -> float:
    """A value as it was logged: MLflow's databases hold the greatest number for an infinity, and NaN as a flag."""
    if is_nan or value is None:
        return float("nan")
    if abs(value) >= LARGEST:
        return float("inf") if value > 0 else float("-inf")
    return float(value)


def model_in(source: str) -> str:
    """The id of the logged model that an address names, empty when it names none."""
    first = source.removeprefix("models:/").strip("/").partition("/")[0]
    return first if source.startswith("models:/") and first.startswith("m-") else ""


def _sqlite(uri: str) -> sqlite3.Connection:
    path = uri.removeprefix("sqlite:///") if uri.startswith("sqlite:") else uri
    path = path.partition("?")[0]
    if not os.path.isfile(path):
        raise Unavailable(
            f"there is no file {path}", hint="give the path of MLflow's database, as sqlite:///PATH"
        )
    from urllib.parse import quote

    try:
        connection = sqlite3.connect(f"file:{quote(os.path.abspath(path))}?mode=ro", uri=True, timeout=30)
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        connection.execute("BEGIN")  # one state for all that is read
    except sqlite3.Error as error:
        raise Unavailable(f"{path} cannot be opened: {error}", hint="a SQLite database is wanted") from error
    return connection


def _postgres(uri: str) -> Any:
    import re

    try:
        import psycopg
    except ImportError as error:
        raise Invalid(
            "reading a PostgreSQL database needs psycopg, which is not installed",
            hint="pip install 'lineal[postgres]'",
        ) from error
    try:
        connection = psycopg.connect(re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", uri))
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    except psycopg.Error as error:
        raise Unavailable(
            f"the database does not answer: {' '.join(str(error).split())[:300]}", hint="check its address"
        ) from error
    return connection
