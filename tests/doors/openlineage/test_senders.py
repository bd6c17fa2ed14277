"""Unmodified programs send their events: OpenLineage's client, dbt in both of its modes, and Airflow."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doors.openlineage.door import Door
from tests.doors.openlineage.senders import ROOT, absent, dumps, run, transport
from tests.server.serving import Serving, begun
from tests.store import postgres_server

_DBT = {
    "dbt_project.yml": 'name: shop\nversion: "1.0"\nconfig-version: 2\nprofile: shop\n'
    "flags: {send_anonymous_usage_stats: false}\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb}}}\n",
    "seeds/raw_customers.csv": "customer_id,country\n1,DE\n2,US\n",
    "seeds/raw_orders.csv": "order_id,customer_id,amount\n1,1,5\n2,2,7\n",
    "models/stg_orders.sql": 'select order_id, customer_id, amount from {{ ref("raw_orders") }}\n',
    "models/features.sql": 'select c.country, sum(o.amount) as total from {{ ref("raw_customers") }} c '
    'join {{ ref("stg_orders") }} o using (customer_id) group by 1\n',
    "models/schema.yml": "version: 2\nmodels: [{name: features, columns: [{name: country, data_tests: [unique]}]}]\n",
}
_DAG = '''
from airflow.providers.common.compat.openlineage.facet import Dataset
from airflow.providers.openlineage.extractors import OperatorLineage
from airflow.sdk import DAG, BaseOperator


class Step(BaseOperator):
    def __init__(self, reads, writes, **more):
        super().__init__(**more)
        self.reads, self.writes = reads, writes

    def execute(self, context):
        """Nothing to do: what is read and written is only told."""

    def get_openlineage_facets_on_complete(self, task_instance):
        named = lambda names: [Dataset(namespace="pg://db:1", name=name) for name in names]
        return OperatorLineage(inputs=named(self.reads), outputs=named(self.writes))


with DAG(dag_id="shop", schedule=None):
    load = Step(reads=["raw"], writes=["clean"], task_id="load")
    build = Step(reads=["clean"], writes=["features"], task_id="build")
    load >> build
'''


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Door]]:
    """A server on SQLite and, where there is one, a server on PostgreSQL. Every event goes to both."""
    places = [""]
    if not postgres_server.absent():
        places.append(postgres_server.server().schema())
    servings = [Serving(begun(tmp_path_factory.mktemp("sink")), store=place).start() for place in places]
    yield [Door(serving) for serving in servings]
    for serving in servings:
        serving.close()
    for place in filter(None, places):
        postgres_server.server().drop(place)


def edges(door: Door, node: str) -> set[tuple[str, str]]:
    graph = door.get("lineage", nodeId=node)["graph"]
    return {(edge["origin"], edge["destination"]) for item in graph for edge in item["outEdges"]}


def test_the_openlineage_client_sends_by_every_http_transport(door: Door) -> None:
    if reason := absent("dbt"):
        pytest.skip(reason)
    client = str(Path(__file__).parent / "client.py")
    said = run("dbt", ["python", client, door.serving.url], ROOT)
    runs = [line for line in said.splitlines() if len(line) == 36 and line.count("-") == 4]
    assert len(runs) == 3
    for name, id in zip(("http", "async_http", "composite"), runs, strict=True):
        found: dict[str, Any] = door.get("jobs", "runs", id)
        assert found["state"] == "COMPLETED"
        assert [part["datasetVersionId"]["name"] for part in found["outputDatasetVersions"]] == [
            f"out_{name}"
        ]
        assert door.get("namespaces", "clients", "jobs", name)["parentJobName"] == "dag"
        declared = ("job:clients:declared_" + name, f"dataset:db://x:out_{name}")
        assert declared in edges(door, f"dataset:db://x:out_{name}")
    assert door.get("namespaces", "db://x", "datasets", "source")["description"] == "where it begins"
    # What the two halves of the composite sent was one and the same.
    ids = [event["run"]["runId"] for event in door.get("events", "lineage")["events"] if "run" in event]
    assert ids.count(runs[2]) == 2
    assert str(uuid.UUID(runs[0])) == runs[0]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_dbt_in_both_modes_makes_one_graph_in_which_nothing_is_missing(
    doors: list[Door], tmp_path: Path
) -> None:
    for name, text in _DBT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    settings = {
        "OPENLINEAGE__TRANSPORT": dumps(transport(*(door.serving for door in doors))),
        "OPENLINEAGE_NAMESPACE": "shop",
    }
    for mode in ([], ["--consume-structured-logs"]):
        run("dbt", ["dbt-ol", *mode, "build", "--profiles-dir", "."], tmp_path, **settings)
    for door in doors:
        space = "duckdb://shop.duckdb"
        found = edges(door, f"dataset:{space}:shop.main.features")
        short = {
            tuple(end.rpartition("main.")[2] for end in edge)
            for edge in found
            if "build.test" not in str(edge)
        }
        models = {edge for edge in short if "test." not in str(edge)}
        assert models == {
            ("job:shop:seed.shop.raw_customers", "raw_customers"),
            ("job:shop:seed.shop.raw_orders", "raw_orders"),
            ("raw_orders", "job:shop:model.shop.stg_orders"),
            ("job:shop:model.shop.stg_orders", "stg_orders"),
            ("raw_customers", "job:shop:model.shop.features"),
            ("stg_orders", "job:shop:model.shop.features"),
            ("job:shop:model.shop.features", "features"),
        }
        columns = door.get("column-lineage", nodeId=f"datasetField:{space}:shop.main.features:total")["graph"]
        assert f"datasetField:{space}:shop.main.raw_orders:amount" in [node["id"] for node in columns]
        assert not [
            hit for hit in door.get("search", q="dbt_test__audit")["results"] if hit["type"] == "DATASET"
        ]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_airflow_sends_a_dag_with_its_tasks_and_their_datasets(doors: list[Door], tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "shop.py").write_text(_DAG)
    settings = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "prod",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": dumps(transport(*(door.serving for door in doors))),
    }
    run("airflow", ["airflow", "db", "migrate"], tmp_path, **settings)
    run("airflow", ["airflow", "dags", "test", "shop"], tmp_path, **settings)
    for door in doors:
        assert edges(door, "dataset:pg://db:1:features") == {
            ("dataset:pg://db:1:raw", "job:prod:shop.load"),
            ("job:prod:shop.load", "dataset:pg://db:1:clean"),
            ("dataset:pg://db:1:clean", "job:prod:shop.build"),
            ("job:prod:shop.build", "dataset:pg://db:1:features"),
        }
        build = door.get("namespaces", "prod", "jobs", "shop.build")
        assert build["parentJobName"] == "shop"
        assert build["latestRun"]["state"] == "COMPLETED"
        dag = door.get("namespaces", "prod", "jobs", "shop", "runs")
        assert [run["state"] for run in dag["runs"]] == ["COMPLETED"]
