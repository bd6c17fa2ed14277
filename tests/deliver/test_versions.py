"""Data is recorded as the version that the store which keeps it knows it by; real Delta, Iceberg, DVC and git."""

from __future__ import annotations

import subprocess
import textwrap

import pytest

from lineal.service.show import RunDetail, RunFile, VersionDetail
from tests.connect import peers
from tests.deliver import tables
from tests.deliver.conftest import Workshop
from tests.e2e.cli import environment
from tests.server.serving import Serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # programs with large libraries, several in turn

MAKE = """
import sys, deltalake, pandas
for number in range(int(sys.argv[1])):
    frame = pandas.DataFrame({"n": [number]})
    deltalake.write_deltalake("trips", frame, mode="append" if number else "error")
"""


@pytest.fixture
def shop(workshop: Workshop) -> Workshop:
    """A project whose scripts run with the real tools."""
    tables.need("deltalake", "pyiceberg", "dvc")
    return workshop


def ran(shop: Workshop, text: str, *words: str, name: str = "step.py") -> RunDetail:
    """Run a script with the real tools under `lineal run`."""
    shop.script(name, textwrap.dedent(text) + (tables.AT_REST if "deltalake" in text else ""))
    shop.run(str(tables.PYTHON), name, *words, timeout=300)
    return shop.newest()


def made(shop: Workshop, text: str, *words: str) -> None:
    """Run a script that nobody records."""
    done = subprocess.run(
        [tables.PYTHON, "-c", textwrap.dedent(text), *words], cwd=shop.root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def names(version: VersionDetail | RunFile, scheme: str) -> list[str]:
    """The values of a version's references of a scheme."""
    return [item.value for item in version.references if item.scheme == scheme]


def table_id(shop: Workshop) -> str:
    return tables.made(
        shop.root, "import deltalake; print(deltalake.DeltaTable('trips').metadata().id)"
    ).strip()


def test_a_delta_table_is_one_version_with_its_id_and_number(shop: Workshop) -> None:
    made(shop, MAKE, "3")
    run = ran(shop, "import deltalake; deltalake.DeltaTable('trips').to_pandas()")
    assert [file.path for file in run.inputs] == ["trips"]
    version = shop.version(run.inputs[0].version)
    assert names(version, "delta") == [f"{table_id(shop)}@2"]
    assert version.level == "native"
    assert version.facets["lineal.schema/1"]["columns"] == [{"name": "n", "type": "long"}]


def test_a_time_travel_is_the_version_that_was_read(shop: Workshop) -> None:
    made(shop, MAKE, "4")
    run = ran(
        shop,
        """
        import deltalake
        deltalake.DeltaTable("trips", version=1).to_pandas()
        table = deltalake.DeltaTable("trips")
        table.load_as_version(2)
        table.to_pandas()
        """,
    )
    found = sorted(name for file in run.inputs for name in names(file, "delta"))
    assert found == [f"{table_id(shop)}@1", f"{table_id(shop)}@2"]


def test_a_table_read_through_its_part_files_is_one_version(shop: Workshop) -> None:
    made(shop, MAKE, "3")
    run = ran(
        shop,
        """
        import glob, pandas
        for part in sorted(glob.glob("trips/*.parquet")):
            pandas.read_parquet(part)
        """,
    )
    assert [file.path for file in run.inputs] == ["trips"]
    version = shop.version(run.inputs[0].version)
    assert names(version, "delta") == [f"{table_id(shop)}@2"]
    assert version.facets["lineal.native/1"]["found"][0]["read_file_count"] == 3


def test_part_files_that_were_replaced_are_the_version_that_held_them(shop: Workshop) -> None:
    made(shop, MAKE, "2")
    first = sorted(path.name for path in (shop.root / "trips").glob("*.parquet"))
    made(
        shop,
        """
        import deltalake, pandas
        deltalake.write_deltalake("trips", pandas.DataFrame({"n": [9]}), mode="overwrite")
        """,
    )
    run = ran(shop, f"import pandas; [pandas.read_parquet('trips/' + name) for name in {first!r}]")
    assert names(run.inputs[0], "delta") == [f"{table_id(shop)}@1"]


def test_what_a_script_writes_is_the_version_it_made_of_the_one_before(shop: Workshop) -> None:
    made(shop, MAKE, "1")
    run = ran(
        shop,
        """
        import deltalake, pandas
        for number in (1, 2):
            deltalake.write_deltalake("trips", pandas.DataFrame({"n": [number]}), mode="append")
        """,
    )
    table = table_id(shop)
    assert sorted(name for file in run.outputs for name in names(file, "delta")) == [
        f"{table}@1",
        f"{table}@2",
    ]
    assert [name for file in run.inputs for name in names(file, "delta")] == [f"{table}@0"]
    reader = ran(shop, "import deltalake; deltalake.DeltaTable('trips').to_pandas()", name="read.py")
    assert reader.inputs[0].made_by == [run.run_id]


def test_a_replaced_table_is_made_of_nothing_and_a_merge_of_what_was_there(shop: Workshop) -> None:
    made(shop, MAKE, "1")
    replaced = ran(
        shop,
        """
        import deltalake, pandas
        deltalake.write_deltalake("trips", pandas.DataFrame({"n": [5]}), mode="overwrite")
        """,
    )
    assert replaced.inputs == []
    deleted = ran(shop, "import deltalake; deltalake.DeltaTable('trips').delete('n = 5')", name="delete.py")
    table = table_id(shop)
    assert [names(file, "delta") for file in deleted.outputs] == [[f"{table}@2"]]
    assert [names(file, "delta") for file in deleted.inputs] == [[f"{table}@1"]]


def test_a_vacuum_makes_no_other_data(shop: Workshop) -> None:
    made(shop, MAKE, "1")
    made(
        shop,
        """
        import deltalake, pandas
        deltalake.write_deltalake("trips", pandas.DataFrame({"n": [5]}), mode="overwrite")
        """,
    )
    before = ran(shop, "import deltalake; deltalake.DeltaTable('trips').to_pandas()")
    made(
        shop,
        """
        import deltalake
        table = deltalake.DeltaTable("trips")
        table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
        """,
    )
    after = ran(shop, "import deltalake; deltalake.DeltaTable('trips').to_pandas()")
    assert after.inputs[0].version == before.inputs[0].version
    table = table_id(shop)
    assert {f"{table}@1", f"{table}@3"} <= set(names(shop.version(after.inputs[0].version), "delta"))


def test_a_table_created_anew_is_another_one(shop: Workshop) -> None:
    made(shop, MAKE, "1")
    before = ran(shop, "import deltalake; deltalake.DeltaTable('trips').to_pandas()")
    made(shop, "import shutil; shutil.rmtree('trips')")
    made(shop, MAKE, "1")
    after = ran(shop, "import deltalake; deltalake.DeltaTable('trips').to_pandas()")
    assert after.inputs[0].version != before.inputs[0].version
    assert shop.version(after.inputs[0].version).joins == []


def test_a_checkpoint_stands_for_the_log_before_it(shop: Workshop) -> None:
    made(shop, MAKE, "3")
    made(shop, "import deltalake; deltalake.DeltaTable('trips').create_checkpoint()")
    log = shop.root / "trips" / "_delta_log"
    (log / f"{1:020}.json").unlink()
    run = ran(shop, "import deltalake; deltalake.DeltaTable('trips', version=2).to_pandas()")
    assert names(run.inputs[0], "delta") == [f"{table_id(shop)}@2"]


def test_a_log_that_lacks_a_version_is_a_gap_and_the_rest_is_kept(shop: Workshop) -> None:
    made(shop, MAKE, "3")
    (shop.root / "trips" / "_delta_log" / f"{1:020}.json").unlink()
    (shop.root / "plain.csv").write_text("a\n1\n")
    run = ran(
        shop,
        """
        import glob, pandas
        pandas.read_csv("plain.csv")
        pandas.read_parquet(sorted(glob.glob("trips/*.parquet"))[0])
        """,
    )
    by_path = {file.path: file for file in run.inputs}
    assert by_path["plain.csv"].level == "content"
    assert by_path["trips"].level == "none"
    assert by_path["trips"].reason == "its log lacks version 1, without which version 2 cannot be told"


MLFLOW = """
import sys, mlflow, pandas
from mlflow.data.delta_dataset_source import DeltaDatasetSource
mlflow.set_tracking_uri(sys.argv[1])
with mlflow.start_run():
    source = DeltaDatasetSource(path=sys.argv[2], delta_table_version=2)
    mlflow.log_input(mlflow.data.from_pandas(pandas.DataFrame({"n": [0, 1, 2]}), source=source, name="trips"))
"""
ICEBERG = """
import sys, pyarrow
from pyiceberg.catalog.sql import SqlCatalog
catalog = SqlCatalog("local", uri="sqlite:///catalog.db", warehouse="file://" + sys.argv[1])
"""


def test_an_iceberg_table_is_its_snapshot_and_schema_as_the_catalog_knows_it(shop: Workshop) -> None:
    warehouse = str(shop.root / "warehouse")
    wrote = ran(
        shop,
        ICEBERG
        + textwrap.dedent(
            """
            catalog.create_namespace("db")
            rows = pyarrow.table({"n": [1, 2]})
            table = catalog.create_table("db.trips", schema=rows.schema)
            table.append(rows)
            table.append(rows)
            """
        ),
        warehouse,
    )
    read = ran(
        shop, ICEBERG + "\ncatalog.load_table('db.trips').scan().to_arrow()\n", warehouse, name="read.py"
    )
    assert len(read.inputs) == 2  # the catalog's own database is read too
    table = next(file for file in read.inputs if "trips" in (file.path or ""))
    assert table.level == "native"
    assert table.made_by == [wrote.run_id]
    assert [reference.level for reference in table.references if reference.scheme == "iceberg"] == ["native"]
    made(
        shop,
        ICEBERG
        + textwrap.dedent(
            """
            from pyiceberg.types import StringType
            with catalog.load_table("db.trips").update_schema() as update:
                update.add_column("more", StringType())
            """
        ),
        warehouse,
    )
    again = ran(
        shop, ICEBERG + "\ncatalog.load_table('db.trips').scan().to_arrow()\n", warehouse, name="read.py"
    )
    changed = next(file for file in again.inputs if "trips" in (file.path or ""))
    assert changed.version != table.version  # no new snapshot, another schema
    columns = shop.version(changed.version).facets["lineal.schema/1"]["columns"]
    assert columns == [{"name": "n", "type": "long"}, {"name": "more", "type": "string"}]


def test_an_iceberg_table_without_its_catalog_is_a_guess_and_says_so(shop: Workshop) -> None:
    warehouse = str(shop.root / "warehouse")
    made(
        shop,
        ICEBERG
        + textwrap.dedent(
            """
            catalog.create_namespace("db")
            rows = pyarrow.table({"n": [1, 2]})
            catalog.create_table("db.trips", schema=rows.schema).append(rows)
            """
        ),
        warehouse,
    )
    text = "import glob, pandas; pandas.read_parquet(glob.glob('warehouse/db*/trips/data/*.parquet')[0])"
    run = ran(shop, text)
    assert [reference.level for file in run.inputs for reference in file.references] == ["declared"]
    newest = max((shop.root / "warehouse").glob("db*/trips/metadata/*.metadata.json"))
    newest.write_text(newest.read_text()[:200])
    cut = ran(shop, text)
    assert "is cut short or no JSON" in cut.inputs[0].reason


def test_a_version_that_vacuum_took_away_is_told_where_a_model_is_asked_about(shop: Workshop) -> None:
    made(shop, MAKE, "1")
    run = ran(
        shop,
        """
        import deltalake
        rows = deltalake.DeltaTable("trips").to_pandas()
        open("model.txt", "w").write(str(rows.n.sum()))
        """,
    )
    table = table_id(shop)
    assert "retrievable" not in shop.lineal("show", f"delta:{table}@0").stderr
    made(
        shop,
        """
        import deltalake, pandas
        deltalake.write_deltalake("trips", pandas.DataFrame({"n": [5]}), mode="overwrite")
        table = deltalake.DeltaTable("trips")
        table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
        """,
    )
    why = "no longer retrievable: 1 of the 1 data files of version 0 are gone (VACUUM)"
    assert why in shop.lineal("show", f"delta:{table}@0").stderr
    assert why in shop.lineal("show", "delta:trips@0").stderr
    assert why in shop.lineal("show", f"run:{run.run_id}").stderr
    said = " ".join(shop.lineal("health", "model.txt").stdout.split())
    assert "still retrievable 0 of 1" in said
    assert why in said


def test_what_openlineage_and_mlflow_say_of_a_table_is_the_version_that_was_read(shop: Workshop) -> None:
    made(shop, MAKE, "3")
    read = ran(shop, "import deltalake; deltalake.DeltaTable('trips').to_pandas()")
    facet = {"_producer": "p", "_schemaURL": "s", "datasetVersion": "2"}
    event = {
        "eventTime": "2026-01-01T00:00:00Z",
        "eventType": "COMPLETE",
        "producer": "spark",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json",
        "run": {"runId": "01890b1e-0000-7000-8000-000000000001"},
        "job": {"namespace": "spark", "name": "load"},
        "inputs": [],
        "outputs": [
            {"namespace": "file", "name": str(shop.root / "trips"), "facets": {"version": facet}},
        ],
    }
    server = Serving(shop.root).start()
    try:
        assert server.post("/api/v1/lineage", event).status == 201
        peers.need("mlflow")
        told = subprocess.run(
            [peers.PYTHON, "-c", MLFLOW, server.url, str(shop.root / "trips")],
            env=environment(**peers.SETTINGS),
            capture_output=True,
            text=True,
        )
        assert told.returncode == 0, told.stderr
    finally:
        server.close()
    version = shop.version(read.inputs[0].version)
    assert [run.job for run in version.made_by] == ["load"]
    assert {join.rule for join in version.joins} == {"native-reference"}
    assert len(version.used_by) == 2
    assert {item.scheme for item in version.references} == {"delta", "ol", "mlflow-digest"}
