"""Lists and graphs as pandas data frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lineal.core.errors import Unavailable
from lineal.export.graph import Graph, known_edges

_PLAIN = ("job", "name", "kind", "state", "actor", "parent", "exit_code", "namespace")


def runs_frame(runs: Sequence[Any]) -> Any:
    """A frame with one row per run (as lists of runs have them), indexed by run id.

    Columns: the run's own fields; `started_at` and `ended_at` as times in UTC; then `metrics.KEY` (floats; NaN also where
    a run has no such metric), `params.KEY` and `tags.KEY` (text, missing where a run has none).

    Raises Unavailable: pandas is not installed.
    """
    pandas = _pandas()
    columns: dict[str, Any] = {name: [getattr(run, name) for run in runs] for name in _PLAIN}
    for name in ("started_at", "ended_at"):
        columns[name] = pandas.to_datetime(
            pandas.Series([getattr(run, name) for run in runs], dtype="Int64").to_numpy(
                dtype="int64", na_value=_NO_TIME
            ),
            unit="us",
            utc=True,
            errors="coerce",
        )
    for key in _keys([run.metrics for run in runs]):
        columns[f"metrics.{key}"] = [float(run.metrics.get(key, "nan")) for run in runs]
    for key in _keys([run.params for run in runs]):
        columns[f"params.{key}"] = [run.params.get(key) for run in runs]
    for key in _keys([run.tags for run in runs]):
        columns[f"tags.{key}"] = [run.tags.get(key) for run in runs]
    return pandas.DataFrame(
        columns, index=pandas.Index([run.run_id for run in runs], name="run_id", dtype=object)
    )


_NO_TIME = -(2**63)  # what numpy holds for "no time"


def edges_frame(graph: Graph) -> Any:
    """A frame with one row per edge: `src` and `dst` as references, then what is known of the edge.

    Raises Unavailable: pandas is not installed.
    """
    pandas = _pandas()
    refs = {node.id: node.ref for node in graph.nodes}
    rows = [
        {
            "src": refs[edge.src],
            "dst": refs[edge.dst],
            "kind": edge.kind,
            "role": edge.role,
            "evidence": edge.evidence,
            "rule": edge.rule,
            "again": edge.again,
            "followed": followed,
            "at": pandas.Timestamp(edge.at, unit="us", tz="UTC"),
        }
        for edge, followed in known_edges(graph)
    ]
    heads = ["src", "dst", "kind", "role", "evidence", "rule", "again", "followed", "at"]
    return pandas.DataFrame(rows, columns=heads)


def rows_frame(rows: Sequence[Mapping[str, Any]], heads: Sequence[str]) -> Any:
    """A frame of plain rows. Raises Unavailable: pandas is not installed."""
    return _pandas().DataFrame(list(rows), columns=list(heads))


def _keys(maps: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted({key for found in maps for key in found})


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError:
        raise Unavailable("pandas is not installed in this environment", hint="pip install pandas") from None
    return pd
