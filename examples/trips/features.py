"""Make features of the cleaned trips."""

import deltalake

rows = deltalake.DeltaTable("clean").to_pandas()
rows.assign(squared=rows.distance**2).to_parquet("features.parquet")
