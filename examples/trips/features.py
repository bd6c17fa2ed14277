"""Make features of the cleaned trips."""

import pandas as pd

rows = pd.read_parquet("clean.parquet")
rows.assign(squared=rows.distance**2).to_parquet("features.parquet")
