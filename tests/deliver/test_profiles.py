"""Profiles of tables: the footer without any library, one bounded pass with Polars, values of nobody in particular."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lineal.deliver import parquet_footer, profiles
from lineal.service.compare import DiffRequest
from tests.deliver.conftest import Workshop, named

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine has all the time it needs."""
    monkeypatch.setenv("LINEAL_PROFILE", "100")


def table(rows: int = 300) -> Any:
    import datetime as dt

    day = dt.date(2020, 1, 1)
    return pa.table(
        {
            "x": pa.array([None if n % 10 == 0 else n / 2 for n in range(rows)], pa.float64()),
            "n": pa.array([n % 3 for n in range(rows)], pa.int16()),
            "word": [["red", "green", "blue"][n % 3] for n in range(rows)],
            "day": [day + dt.timedelta(days=n) for n in range(rows)],
            "when": pa.array(
                [dt.datetime(2020, 1, 1, 0, 0, n % 60) for n in range(rows)], pa.timestamp("us")
            ),
            "yes": [n % 2 == 0 for n in range(rows)],
            "email": [f"someone{n}@example.org" for n in range(rows)],
            "list": [[n] for n in range(rows)],
            "pair": [{"a": n, "b": "s"} for n in range(rows)],
        }
    )


@pytest.mark.parametrize("groups", [300, 50])
def test_the_footer_tells_rows_types_nulls_and_bounds(tmp_path: Path, groups: int) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(table(), path, row_group_size=groups)
    found = parquet_footer.footer(bytes(path))
    columns = {column.pop("name"): column for column in found["columns"]}
    assert (found["rows"], found["complete"]) == (300, True)
    assert columns["x"] == {"type": "double", "nullable": True, "nulls": 30, "min": 0.5, "max": 149.5}
    assert columns["word"] == {"type": "string", "nullable": True, "nulls": 0, "min": "blue", "max": "red"}
    assert (columns["n"]["min"], columns["n"]["max"]) == (0, 2)
    assert (columns["day"]["type"], columns["day"]["max"]) == ("date", "2020-10-26")
    assert columns["when"]["max"] == "2020-01-01T00:00:59"
    assert (columns["yes"]["min"], columns["yes"]["max"]) == (False, True)
    assert columns["list.list.element"]["max"] == 299
    assert columns["pair.a"]["type"] == "int64"


def test_a_damaged_footer_is_refused_and_never_more(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(table(), path)
    whole = path.read_bytes()
    rng = random.Random(5)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 20)):
            data[-rng.randint(1, 3000)] = rng.randint(0, 255)
        path.write_bytes(data[: rng.randint(0, len(data))] if rng.random() < 0.2 else data)
        try:
            parquet_footer.footer(bytes(path))
        except parquet_footer.NotParquet:
            pass


def made(path: Path, form: str) -> dict[str, Any]:
    with profiles.Passes() as passes:
        found, _ = profiles.profile_of(bytes(path), form, path.stat().st_size, passes)
    assert found is not None
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


@pytest.mark.peer("polars")
def test_one_pass_gives_bins_or_the_most_frequent_values(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(table(), path)
    found = made(path, "parquet")
    columns = {column["name"]: column for column in found["columns"]}
    assert (found["rows"], found["rows_read"], found["sample"]) == (300, 300, 300)
    assert found["by"].startswith("parquet footer, polars ")
    assert len(columns["x"]["edges"]) == 21
    assert sum(columns["x"]["counts"]) == 270
    assert (columns["x"]["edges"][0], columns["x"]["edges"][-1]) == (0.5, 149.5)
    assert (columns["x"]["nulls"], columns["x"]["distinct"]) == (30, 270)
    assert columns["word"]["top"] == sorted(columns["word"]["top"], key=lambda pair: -pair[1])
    assert dict(map(tuple, columns["word"]["top"])) == {"red": 100, "green": 100, "blue": 100}
    assert sorted(columns["n"]["top"]) == [[0, 100], [1, 100], [2, 100]]
    assert "edges" in columns["when"]


@pytest.mark.peer("polars")
def test_values_of_columns_that_name_somebody_or_hold_secrets_never_enter(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    token = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"
    rows = [f"someone{n}@example.org,sk{n},{1e6 + n},{token if n % 2 else 'x'},red" for n in range(100)]
    path.write_text("email,api_key,account_id,note,colour\n" + "\n".join(rows) + "\n")
    found = made(path, "csv")
    columns = {column["name"]: column for column in found["columns"]}
    assert [columns[name].get("withheld") for name in ("email", "api_key", "account_id", "colour")] == [
        "identifier",
        "secret",
        "identifier",
        None,
    ]
    told = json.dumps(found)
    for hidden in ("@example.org", "sk1", "100000", token):
        assert hidden not in told
    assert columns["email"]["distinct"] == 100
    assert columns["colour"]["top"] == [["red", 100]]


@pytest.mark.peer("polars")
def test_a_large_table_is_profiled_in_part_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": range(5000)}), path)
    code = (
        "import sys; from lineal.deliver import profile; "
        "profile.WHOLE, profile.PART, profile.SAMPLE = 1, 1000, 100; sys.exit(profile.main())"
    )
    request = {"path": str(path), "format": "parquet", "size": path.stat().st_size, "rows": 5000}
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(request), capture_output=True, text=True
    )
    found = json.loads(done.stdout)
    assert (found["rows"], found["rows_read"], found["sample"]) == (5000, 1000, 100)
    edges = found["columns"][0]["edges"]
    assert edges[0] < 500
    assert edges[-1] > 4500


@pytest.mark.peer("polars")
@pytest.mark.parametrize(
    "data", [b"", b"\n", b"a,b\n", b"a,a\n1,2\n", b"\0\1\2" * 100, b"a\n" + b"x" * 10, b'a,b\n"1,2\n3']
)
def test_odd_files_are_no_harm(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with profiles.Passes() as passes:
        profiles.profile_of(bytes(path), "csv", len(data), passes)
        path.write_bytes(data + b"PAR1")
        profiles.profile_of(bytes(path), "parquet", len(data), passes)


def test_without_time_or_library_the_footer_stands_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(table(), path)
    monkeypatch.setattr(profiles.importlib.util, "find_spec", lambda name: None)
    assert "pip install 'lineal[data]'" in made(path, "parquet")["reason"]
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    assert made(tmp_path / "t.csv", "csv") == {
        "format": "csv",
        "columns": [],
        "reason": "its values were not looked at; for that: pip install 'lineal[data]'",
    }
    monkeypatch.undo()
    monkeypatch.setenv("LINEAL_PROFILE", "0.001")
    assert "LINEAL_PROFILE" in made(path, "parquet")["reason"]
    monkeypatch.setenv("LINEAL_PROFILE", "0")
    found = made(path, "parquet")
    assert "switched off" in found["reason"]
    assert "@" not in json.dumps(found)
    assert found["by"] == "parquet footer"


@pytest.mark.peer("polars")
def test_one_table_that_takes_too_long_costs_the_next_one_nothing_but_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(table(), path)
    with profiles.Passes() as passes:
        monkeypatch.setenv("LINEAL_PROFILE", "0.001")
        assert passes.over(bytes(path), "parquet", path.stat().st_size, 300)[0] is None
        monkeypatch.setenv("LINEAL_PROFILE", "100")
        assert passes.over(bytes(path), "parquet", path.stat().st_size, 300)[0] is not None
        assert passes.over(bytes(path), "csv", path.stat().st_size, 300)[0] != {}
        monkeypatch.setenv("LINEAL_PROFILE", "0.01")
        assert "the tables before it took" in passes.over(bytes(path), "parquet", 1, 300)[1]


@pytest.mark.peer("polars", "pandas")
def test_a_difference_says_which_columns_drifted_and_how(workshop: Workshop) -> None:
    workshop.environment["LINEAL_PROFILE"] = "100"
    script = "import pandas; pandas.read_csv('in.csv').to_parquet('out.parquet')"
    runs = []
    for shift in (0, 50):
        lines = [
            f"{n % 100 + shift},{'abc'[n % 3] if not shift else 'abd'[n % 3]},{n % 7}" for n in range(2000)
        ]
        (workshop.root / "in.csv").write_text("x,word,same\n" + "\n".join(lines) + "\n")
        runs.append(workshop.python(script))
    saved = workshop.version(named(runs[1].outputs, "out.parquet")[0].version).facets["lineal.profile/1"]
    assert saved["rows"] == 2000
    reply = workshop.call("diff", DiffRequest(a=f"run:{runs[0].run_id}", b=f"run:{runs[1].run_id}"))
    changed = {drift.name: drift for drift in reply.change.inputs[0].drift}
    assert set(changed) == {"x", "word"}
    assert changed["x"].drifted
    assert changed["x"].ks == pytest.approx(0.5, abs=0.06)
    assert changed["word"].new == ["d"]
    shown = workshop.lineal("diff", f"run:{runs[0].run_id}", f"run:{runs[1].run_id}").stdout
    assert "drifted: PSI" in shown
    assert "rows)" in shown
    themselves = workshop.lineal("diff", "out.parquet@1", "out.parquet@2").stdout
    assert "column x  other values (int64)  drifted: PSI" in themselves.partition("\ncode")[0]
    assert len(os.listdir(workshop.root / ".lineal" / "profiles")) == 4
    page = workshop.lineal("show", "out.parquet").stdout
    assert "columns (3)" in page
    assert "word  String  a 667, b 667, d 666" in page
    assert "x  Int64  50 to 149" in page


SPARK = """
import pyarrow as pa, pyarrow.parquet as pq, os
for day in (1, 2, 3):
    for part in (0, 1):
        folder = f"table/day={day}/kind={'ab'[part]}"
        os.makedirs(folder)
        n = 50 * day
        pq.write_table(pa.table({
            "x": pa.array([None] * n if day == 3 else [float(i + 1000 * SHIFT) for i in range(n)], pa.float64()),
            "word": [f"w{i % 3}" for i in range(n)],
        }), folder + f"/{part}.parquet")
open("table/_SUCCESS", "w").close()
"""


def folder_profile(workshop: Workshop, ref: str) -> dict[str, Any]:
    facet: dict[str, Any] = workshop.version(ref).facets["lineal.profile/1"]
    return {**facet, "columns": {column.pop("name"): column for column in facet["columns"]}}


@pytest.mark.parametrize("pass_s", ["100", "0"])
def test_a_partitioned_table_has_one_profile_of_all_its_files(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, pass_s: str
) -> None:
    workshop.environment["LINEAL_PROFILE"] = pass_s
    done = workshop.python(SPARK.replace("SHIFT", "0"))
    assert [file.path for file in done.outputs] == ["table"]
    found = folder_profile(workshop, "table@1")
    assert (found["format"], found["rows"], found["files"]) == ("parquet", 600, 6)
    x, day, kind = found["columns"]["x"], found["columns"]["day"], found["columns"]["kind"]
    assert (x["nulls"], x["min"], x["max"], x["type"]) == (
        300,
        0.0,
        99.0,
        "Float64" if pass_s != "0" else "double",
    )
    assert (day["min"], day["max"], day["distinct"], day["nulls"]) == (1, 3, 3, 0)
    assert (day["partition"], kind["partition"]) == (True, True)
    assert dict(day["top"]) == {1: 100, 2: 200, 3: 300}
    assert dict(kind["top"]) == {"a": 300, "b": 300}
    assert found["columns"]["word"]["min"] == "w0"
    if pass_s == "0":
        assert "LINEAL_PROFILE=0" in found["reason"]
    else:
        assert found["rows_read"] == 600
        assert sum(x["counts"]) == 300
        assert dict(found["columns"]["word"]["top"]) == {"w0": 202, "w1": 200, "w2": 198}


def test_a_difference_of_partitioned_tables_names_the_column_that_moved(workshop: Workshop) -> None:
    read = "import pyarrow.parquet as pq; print(pq.read_table('table').num_rows)"
    workshop.python(SPARK.replace("SHIFT", "0"), name="make.py")
    first = workshop.python(read)
    changed = SPARK.replace("SHIFT", "7").replace('"word": [f"w{i % 3}"', '"word": [i')
    workshop.python("import shutil; shutil.rmtree('table')\n" + changed, name="make.py")
    second = workshop.python(read)
    assert named(second.inputs, "table")[0].version == "table@2"
    glob = "import glob; [open(path, 'rb').read() for path in glob.glob('table/*/*/*')]"
    assert named(workshop.python(glob).inputs, "table")[0].version == "table@2"
    told = workshop.lineal("diff", f"run:{first.run_id}", f"run:{second.run_id}").stdout
    assert "7099" in told or "7,099" in told
    assert "word" in told
    assert "7099" in workshop.lineal("show", "table@2").stdout


def test_a_folder_whose_files_are_not_all_tables_has_no_profile(workshop: Workshop) -> None:
    workshop.python(SPARK.replace("SHIFT", "0") + "open('table/day=1/notes.md', 'w').write('x')\n")
    (version,) = [f.version for f in workshop.newest().outputs if f.path == "table"]
    assert "lineal.profile/1" in workshop.version(version).facets  # the note stands for itself


def test_footers_that_could_not_all_be_read_claim_nothing_of_all_rows(tmp_path: Path) -> None:
    from lineal.core.events import Member
    from lineal.deliver import parquet_folder

    members = []
    for number in range(3):
        pq.write_table(table(30), tmp_path / f"{number}.parquet")
        members.append(Member(path=f"{number}.parquet", digest="sha256:" + "0" * 64, size=1))
    whole = parquet_folder.footers(bytes(tmp_path), members, float("inf"))
    cut = parquet_folder.footers(bytes(tmp_path), members, 0.0)
    assert whole is not None
    assert (whole["rows"], whole["columns"][0]["nulls"]) == (90, 9)
    assert cut is not None
    assert "rows" not in cut
    assert "nulls" not in cut["columns"][0]
    assert cut["reason"] == "the footers of 1 of 3 files were read"
    (tmp_path / "0.parquet").write_bytes(b"none")
    assert parquet_folder.footers(bytes(tmp_path), members, float("inf")) is None
