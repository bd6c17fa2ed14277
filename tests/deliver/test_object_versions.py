"""An object of a bucket is the version that the answer to its read names: one vertex whichever library read it, no request more."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deliver import tables
from tests.deliver.conftest import Workshop
from tests.server.buckets import BUCKET, Buckets

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # programs with large libraries, several in turn

PREPARE = f"""
import boto3
client = boto3.client("s3")
client.put_bucket_versioning(Bucket="{BUCKET}", VersioningConfiguration={{"Status": "Enabled"}})
for text in (b"a\\n1\\n", b"a\\n2\\n"):
    print(client.put_object(Bucket="{BUCKET}", Key="in/k.csv", Body=text)["VersionId"])
"""
READ = f"""
import asyncio, boto3, obstore, pandas, s3fs, sys
from aiobotocore.session import get_session
from obstore.store import S3Store
which = sys.argv[1]
if which == "boto3":
    boto3.client("s3").get_object(Bucket="{BUCKET}", Key="in/k.csv")["Body"].read()
elif which == "s3fs":
    with s3fs.S3FileSystem().open("s3://{BUCKET}/in/k.csv") as file:
        file.read()
elif which == "pandas":
    pandas.read_csv("s3://{BUCKET}/in/k.csv")
elif which == "aiobotocore":
    async def read():
        async with get_session().create_client("s3") as client:
            answer = await client.get_object(Bucket="{BUCKET}", Key="in/k.csv")
            await answer["Body"].read()
    asyncio.run(read())
elif which == "cat":
    s3fs.S3FileSystem().cat("s3://{BUCKET}/in/k.csv")
elif which == "awaited":
    async def read():
        await (await S3Store("{BUCKET}", prefix="in").get_async("k.csv")).bytes_async()
    asyncio.run(read())
elif which == "old":
    boto3.client("s3").get_object(Bucket="{BUCKET}", Key="in/k.csv", VersionId=sys.argv[2])["Body"].read()
else:
    obstore.get(S3Store("{BUCKET}", prefix="in"), "k.csv").bytes()
"""


@pytest.fixture
def buckets(tmp_path: Path) -> Iterator[Buckets]:
    found = Buckets(tmp_path).start()
    yield found
    found.stop()


def requests(folder: Path) -> int:
    """How often the server was asked."""
    return len(re.findall(r'"(?:GET|HEAD|PUT) ', (folder / "buckets.log").read_text()))


def test_an_object_is_the_version_its_answer_names(
    workshop: Workshop, buckets: Buckets, tmp_path: Path
) -> None:
    tables.need("boto3", "s3fs", "obstore", "pandas")
    workshop.environment |= buckets.settings | {"AWS_DEFAULT_REGION": "us-east-1"}
    ran = subprocess.run(
        [tables.PYTHON, "-c", PREPARE], env=workshop.environment, capture_output=True, text=True, check=True
    )
    old, new = ran.stdout.split()
    workshop.script("read.py", READ + tables.AT_REST)
    found = {}
    for which in ("boto3", "s3fs", "pandas", "obstore", "aiobotocore", "cat", "awaited"):
        before = requests(tmp_path)
        subprocess.run(
            [tables.PYTHON, "read.py", which], cwd=workshop.root, env=workshop.environment, check=True
        )
        plain = requests(tmp_path) - before
        workshop.run(str(tables.PYTHON), "read.py", which)
        assert requests(tmp_path) - before == 2 * plain, which
        inputs = [file for file in workshop.newest().inputs if file.uri.startswith("s3:")]
        found[which] = [(file.version, file.level) for file in inputs]
        assert {item.value for file in inputs for item in file.references if item.scheme == "s3"} == {
            f"{BUCKET}/in/k.csv@{new}"
        }, which
    assert len({tuple(value) for value in found.values()}) == 1
    workshop.run(str(tables.PYTHON), "read.py", "old", old)
    assert workshop.newest().inputs[0].version != found["boto3"][0][0]
    assert len(workshop.version(f"s3:{BUCKET}/in/k.csv@{new}").used_by) == 7


DELTA = """
import sys, deltalake, pandas
options = {"AWS_S3_ALLOW_UNSAFE_RENAME": "true"}
place = sys.argv[1]
if sys.argv[2] == "write":
    for number in range(2):
        frame = pandas.DataFrame({"n": [number]})
        deltalake.write_deltalake(place, frame, mode="append" if number else "error", storage_options=options)
else:
    deltalake.DeltaTable(place, version=int(sys.argv[2])).to_pandas()
"""


def test_a_delta_table_in_a_bucket_is_the_version_that_its_library_read(
    workshop: Workshop, buckets: Buckets
) -> None:
    tables.need("deltalake")
    workshop.environment |= buckets.settings
    workshop.script("step.py", DELTA + tables.AT_REST)
    place = f"s3://{BUCKET}/lake/trips"
    done = subprocess.run(
        [tables.PYTHON, "step.py", place, "write"],
        cwd=workshop.root,
        env=workshop.environment,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    workshop.run(str(tables.PYTHON), "step.py", place + "/", "0")
    (table,) = (file for file in workshop.newest().inputs if "trips" in file.uri)
    assert table.level == "native"
    assert [item.value.rpartition("@")[2] for item in table.references if item.scheme == "delta"] == ["0"]
    assert {item.value for item in table.references if item.scheme == "ol"} == {f"{place}@0"}
