"""Keep the flights that are fit to learn from, by the rules in a YAML file."""

import argparse
from pathlib import Path

import pandas as pd
import yaml

HERE = Path(__file__).resolve().parent


def clean(flights: pd.DataFrame, rules: dict) -> pd.DataFrame:
    if rules["drop_cancelled"]:
        flights = flights.dropna(subset=["dep_time", "arr_delay"])
    flights = flights[flights["arr_delay"] <= rules["max_arrival_delay_minutes"]]
    per_destination = flights["dest"].value_counts()
    enough = per_destination.index[per_destination >= rules["min_flights_per_destination"]]
    flights = flights[flights["dest"].isin(enough)]
    return flights.assign(late=flights["arr_delay"] > rules["late_after_minutes"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=Path, default=HERE / "cleaning.yaml")
    parser.add_argument("--raw", type=Path, default=HERE / "work" / "raw")
    parser.add_argument("--out", type=Path, default=HERE / "work" / "clean")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    rules = yaml.safe_load(args.rules.read_text())
    raw = pd.read_parquet(args.raw / "flights.parquet")
    flights = clean(raw, rules)
    flights.to_parquet(args.out / "flights.parquet", index=False)
    print(f"kept {len(flights):,} of {len(raw):,} flights, {flights['late'].mean():.1%} of them late")


if __name__ == "__main__":
    main()
