"""Train a model that tells which flights will arrive late."""

import argparse
import json
from pathlib import Path

import joblib
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--max-iter", type=int, default=80, help="trees")
    parser.add_argument("--max-leaf-nodes", type=int, default=31)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--features", type=Path, default=HERE / "work" / "features")
    parser.add_argument("--out", type=Path, default=HERE / "work" / "model")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    table = pd.read_parquet(args.features / "train.parquet")
    features = table.drop(columns=["carrier", "day", "late"])
    x_train, x_valid, y_train, y_valid = train_test_split(
        features, table["late"], test_size=0.1, random_state=args.seed
    )

    model = HistGradientBoostingClassifier(
        learning_rate=args.learning_rate,
        max_iter=args.max_iter,
        max_leaf_nodes=args.max_leaf_nodes,
        categorical_features="from_dtype",
        early_stopping=False,
        random_state=args.seed,
    )
    model.fit(x_train, y_train)

    late = model.predict_proba(x_valid)[:, 1]
    metrics = {"valid_auc": roc_auc_score(y_valid, late), "valid_log_loss": log_loss(y_valid, late)}
    joblib.dump(model, args.out / "delay.joblib")
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))


if __name__ == "__main__":
    main()
