"""The story's tables: small, made up, the same every time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

Cell = str


@dataclass(frozen=True)
class Table:
    """Columns by name; every cell is text as the CSV file has it."""

    columns: dict[str, list[Cell]]

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(next(iter(self.columns.values()), []))

    def text(self) -> str:
        """The CSV file."""
        lines = [",".join(self.columns)]
        lines += [",".join(cells) for cells in zip(*self.columns.values(), strict=True)]
        return "\n".join(lines) + "\n"

    def schema(self) -> dict[str, object]:
        """The facet `lineal.schema/1`: names, types and a digest per column."""
        columns = [
            {"name": name, "type": _type(cells), "digest": "sha256:" + _digest("\n".join(cells))}
            for name, cells in self.columns.items()
        ]
        return {"format": "csv", "rows": self.rows, "columns": columns}


def customers(count: int, *, halves: bool) -> Table:
    """The raw customers: every eleventh has no age. halves: tenure in half months (the warehouse changed its type)."""
    tenure = [_noise(index, 3) % 72 for index in range(count)]
    return Table(
        {
            "id": [str(1000 + index) for index in range(count)],
            "age": ["" if index % 11 == 5 else str(18 + _noise(index, 1) % 60) for index in range(count)],
            "tenure_months": [f"{months}.5" if halves else str(months) for months in tenure],
            "plan": [("basic", "plus", "pro")[_noise(index, 2) % 3] for index in range(count)],
            "churned": [
                str(int((_noise(index, 4) + 2 * months) % 97 < 24)) for index, months in enumerate(tenure)
            ],
        }
    )


def events(count: int) -> Table:
    """What customers did in the last 30 days."""
    return Table(
        {
            "id": [str(1000 + index) for index in range(count)],
            "logins": [str(_noise(index, 5) % 31) for index in range(count)],
            "tickets": [str(_noise(index, 6) % 5) for index in range(count)],
        }
    )


def regions() -> Table:
    """Which plan is sold where: nobody knows who made this file."""
    return Table(
        {
            "plan": ["basic", "plus", "pro"],
            "region": ["north+south", "north+west", "south+west+east"],
            "tax": ["0.19", "0.19", "0.21"],
            "valid_from": ["2025-01-01", "2025-01-01", "2025-04-01"],
        }
    )


def cleaned(raw: Table, *, fill: str) -> Table:
    """With an age for every customer: `fill` where there was none."""
    return Table({**raw.columns, "age": [age or fill for age in raw.columns["age"]]})


def features(clean: Table, happened: Table) -> Table:
    """What the model learns from."""
    logins = dict(zip(happened.columns["id"], happened.columns["logins"], strict=True))
    plans = {"basic": "0", "plus": "1", "pro": "2"}
    columns = clean.columns
    return Table(
        {
            "age": columns["age"],
            "tenure_months": columns["tenure_months"],
            "plan_code": [plans[plan] for plan in columns["plan"]],
            "logins": [logins.get(id, "0") for id in columns["id"]],
            "churned": columns["churned"],
        }
    )


def _noise(index: int, salt: int) -> int:
    return hashlib.blake2b(f"{salt}:{index}".encode(), digest_size=4).digest()[0] * 7 + index % 7


def _type(cells: list[Cell]) -> str:
    filled = [cell for cell in cells if cell]
    for name, cast in (("int64", int), ("double", float)):
        try:
            for cell in filled:
                cast(cell)
        except ValueError:
            continue
        return name
    return "string"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
