"""Make the weather one row per airport and hour, small gaps filled."""

import argparse
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
MEASURED = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]


def clean(weather: pd.DataFrame, gap: int) -> pd.DataFrame:
    weather = weather.drop_duplicates(["origin", "time_hour"]).sort_values(["origin", "time_hour"])
    hourly = []
    for origin, station in weather.groupby("origin"):
        hours = station.set_index("time_hour")[MEASURED].asfreq("h").interpolate(limit=gap)
        hourly.append(hours.assign(origin=origin).reset_index())
    return pd.concat(hourly, ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gap", type=int, default=6, help="hours without a measurement that are filled in")
    parser.add_argument("--raw", type=Path, default=HERE / "work" / "raw")
    parser.add_argument("--out", type=Path, default=HERE / "work" / "clean")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    raw = pd.read_csv(args.raw / "weather.csv", parse_dates=["time_hour"])
    weather = clean(raw, args.gap)
    weather.to_parquet(args.out / "weather.parquet", index=False)
    print(
        f"{len(raw):,} measurements became {len(weather):,} hours at {weather['origin'].nunique()} airports"
    )


if __name__ == "__main__":
    main()
