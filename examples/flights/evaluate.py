"""Judge the model on days it has not seen: a report and a picture."""

import argparse
import json
from pathlib import Path

import joblib
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

HERE = Path(__file__).resolve().parent


def by_airline(table: pd.DataFrame, late: pd.Series) -> dict[str, float]:
    scored = table.assign(predicted=late)
    return {
        carrier: round(float(roc_auc_score(flights["late"], flights["predicted"])), 4)
        for carrier, flights in scored.groupby("carrier")
        if flights["late"].nunique() == 2 and len(flights) >= 200
    }


def plot(table: pd.DataFrame, late: pd.Series, path: Path) -> None:
    seen, said = calibration_curve(table["late"], late, n_bins=10)
    figure, axes = plt.subplots(figsize=(5, 5))
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    axes.plot(said, seen, marker="o")
    axes.set(
        xlabel="chance of being late, as predicted",
        ylabel="share of flights that were late",
        title="Calibration",
    )
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, default=HERE / "work" / "features")
    parser.add_argument("--model", type=Path, default=HERE / "work" / "model" / "delay.joblib")
    parser.add_argument("--out", type=Path, default=HERE / "work" / "report")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    table = pd.read_parquet(args.features / "test.parquet")
    model = joblib.load(args.model)
    late = model.predict_proba(table.drop(columns=["carrier", "day", "late"]))[:, 1]
    report = {
        "flights": len(table),
        "auc": roc_auc_score(table["late"], late),
        "average_precision": average_precision_score(table["late"], late),
        "brier": brier_score_loss(table["late"], late),
        "auc_by_airline": by_airline(table, late),
    }
    (args.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    plot(table, late, args.out / "calibration.png")
    print(f"auc {report['auc']:.4f}, brier {report['brier']:.4f} on {report['flights']:,} flights")


if __name__ == "__main__":
    main()
