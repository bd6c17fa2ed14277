"""Join flights with weather, planes, airports and airlines into what a model can learn from."""

import argparse
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
FEATURES = [
    "month", "weekday", "hour", "origin", "dest", "airline", "distance",
    "temp", "humid", "wind_speed", "precip", "pressure", "visib",
    "plane_age", "seats", "dest_lat", "dest_lon", "dest_alt",
]  # fmt: skip


def join(flights: pd.DataFrame, weather: pd.DataFrame, raw: Path) -> pd.DataFrame:
    planes = pd.read_csv(raw / "planes.csv")[["tailnum", "year", "seats"]].rename(columns={"year": "built"})
    airlines = pd.read_csv(raw / "airlines.csv").rename(columns={"name": "airline"})
    airports = pd.read_csv(raw / "airports.csv")[["faa", "lat", "lon", "alt"]].add_prefix("dest_")
    joined = (
        flights.merge(weather, on=["origin", "time_hour"], how="left")
        .merge(planes, on="tailnum", how="left")
        .merge(airlines, on="carrier", how="left")
        .merge(airports, left_on="dest", right_on="dest_faa", how="left")
    )
    joined["weekday"] = joined["time_hour"].dt.day_of_week
    joined["plane_age"] = joined["year"] - joined["built"]
    for column in ["origin", "dest", "airline"]:
        joined[column] = joined[column].astype("category")
    return joined[[*FEATURES, "carrier", "day", "late"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--every", type=int, default=5, help="each so-many-th day of a month is held out for the test"
    )
    parser.add_argument("--raw", type=Path, default=HERE / "work" / "raw")
    parser.add_argument("--clean", type=Path, default=HERE / "work" / "clean")
    parser.add_argument("--out", type=Path, default=HERE / "work" / "features")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    flights = pd.read_parquet(args.clean / "flights.parquet")
    weather = pd.read_parquet(args.clean / "weather.parquet")
    table = join(flights, weather, args.raw)
    # Whole days are held out: two flights of one stormy evening must not stand on both sides.
    held_out = table["day"] % args.every == 0
    table[~held_out].to_parquet(args.out / "train.parquet", index=False)
    table[held_out].to_parquet(args.out / "test.parquet", index=False)
    print(
        f"{len(FEATURES)} features: {(~held_out).sum():,} flights to learn from, {held_out.sum():,} to test with"
    )


if __name__ == "__main__":
    main()
