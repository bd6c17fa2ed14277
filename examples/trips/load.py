"""Bring two days of trips into the raw table, one version each."""

import deltalake
import pandas as pd

DAYS = [
    pd.DataFrame({"distance": [1.2, 7.5, 3.3, None], "late": [0, 1, 0, 1]}),
    pd.DataFrame({"distance": [9.1, 2.4], "late": [1, 0]}),
]

for number, day in enumerate(DAYS):
    deltalake.write_deltalake("raw", day, mode="append" if number else "overwrite")
