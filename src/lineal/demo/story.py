"""Six days of a churn model: what happened, in order."""

from __future__ import annotations

import math

from lineal.core import events as ev
from lineal.demo.book import Book, File, table
from lineal.demo.tables import Table, cleaned, customers, events, features, regions
from lineal.service.registry import AliasRequest, DeployRequest, RegisterRequest, TagRequest

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_ANA, _BEN, _CARO = "ana@acme", "ben@acme", "caro@acme"

CUSTOMERS, EVENTS, CLEAN = "data/raw/customers.csv", "data/raw/events.csv", "data/clean/customers.csv"
FEATURES, REGIONS, MODEL, REPORT = (
    "data/features.csv",
    "data/regions.csv",
    "models/churn.json",
    "reports/churn.json",
)
_WAREHOUSE = "postgres://warehouse.acme/public.customers"
_NOT_READ = "a table of a remote database: its content is not read"


def tell(book: Book, now: int) -> None:
    """Tell the whole story into the book, so that it ends shortly before `now` (microseconds UTC)."""
    start = now - 6 * _DAY
    _vendor(book, start - 2 * _DAY)
    _first_model(book, start)
    _better_data(book, start + 3 * _DAY)
    _shortcut(book, start + 4 * _DAY)
    _step_back(book, start + 5 * _DAY)


def _vendor(book: Book, at: int) -> None:
    """The vendor's table arrives twice under two names. Later the same bytes turn up as data/regions.csv, put there by hand."""
    for path, hours in (("vendor/regions-2025.csv", 0), ("vendor/regions-latest.csv", 1)):
        book.run("vendor/download.py", at=at + hours * _HOUR, minutes=1, actor=_ANA, commit="51c0ffee",
                 writes=[table(path, regions())])  # fmt: skip
    book.disk[REGIONS] = regions().text()


def _extract(book: Book, raw: Table, *, at: int, actor: str, commit: str) -> None:
    warehouse = File(_WAREHOUSE, None, reason=_NOT_READ, via="sqlalchemy.read")
    book.run("extract.py", at=at, minutes=3, actor=actor, commit=commit, reads=[warehouse],
             writes=[table(CUSTOMERS, raw), table(EVENTS, events(240))], group="churn")  # fmt: skip


def _featurise(book: Book, clean: Table, *, at: int, actor: str, commit: str) -> Table:
    made = features(clean, events(240))
    read = "pandas.read_csv"
    reads = [table(CLEAN, clean, read), table(EVENTS, events(240), read), table(REGIONS, regions(), read)]
    book.run("features.py", at=at, minutes=2, actor=actor, commit=commit, reads=reads,
             writes=[table(FEATURES, made, "pandas.DataFrame.to_csv")], group="churn")  # fmt: skip
    return made


def _train(book: Book, learnt: Table, *, at: int, actor: str, commit: str, depth: int, auc: float) -> None:
    losses = [round(0.69 * math.exp(-step / 14) + 0.31 - depth / 100, 4) for step in range(60)]
    model = File(MODEL, _model_text(depth, losses[-1], auc), kind="model", role="model",
                 facets={"lineal.model/1": {"framework": "sklearn", "class": "GradientBoostingClassifier"}},
                 via="joblib.dump")  # fmt: skip
    book.run(
        "train.py",
        at=at,
        minutes=11,
        actor=actor,
        commit=commit,
        reads=[
            table(FEATURES, learnt, "pandas.read_csv"),
            File("train.toml", _CONFIG, kind="other", role="config"),
        ],
        writes=[model],
        params={"depth": depth, "rounds": 60, "lr": 0.07, "seed": 13},
        curves={"loss": losses, "auc": [auc]},
        group="churn",
    )
    report = File(REPORT, f'{{"auc": {auc}, "rows": {learnt.rows}}}\n', kind="report")
    book.run("evaluate.py", at=at + _HOUR // 3, minutes=1, actor=actor, commit=commit,
             reads=[model, table(FEATURES, learnt)], writes=[report], curves={"auc": [auc], "brier": [0.3 - auc / 5]},
             group="churn")  # fmt: skip
    book.disk["train.toml"] = _CONFIG


_CONFIG = "rounds = 60\nlr = 0.07\nseed = 13\n"


def _model_text(depth: int, loss: float, auc: float) -> str:
    return f'{{"class": "GradientBoostingClassifier", "depth": {depth}, "loss": {loss}, "auc": {auc}}}\n'


def _promote(book: Book, number: int, *, at: int, actor: str, reason: str, register: bool = True) -> None:
    if register:
        book.call(
            "register", "registry", RegisterRequest(ref=f"{MODEL}@{number}", name="churn"), actor=actor, at=at
        )
    request = AliasRequest(name="churn", alias="champion", version=str(number), reason=reason)
    book.call("alias", "registry", request, actor=actor, at=at + 60_000_000)
    live = DeployRequest(ref=f"churn@{number}", target="prod", url="https://churn.acme.example/v1/score")
    book.call("deploy", "registry", live, actor=actor, at=at + 120_000_000)


def _first_model(book: Book, at: int) -> None:
    raw = customers(240, halves=False)
    _extract(book, raw, at=at, actor=_ANA, commit="7d1e55aa")
    clean = cleaned(raw, fill="48")
    book.run("clean.py", at=at + _HOUR, minutes=1, actor=_ANA, commit="7d1e55aa", params={"missing_age": "mean"},
             reads=[table(CUSTOMERS, raw, "pandas.read_csv")], writes=[table(CLEAN, clean)], group="churn")  # fmt: skip
    learnt = _featurise(book, clean, at=at + 2 * _HOUR, actor=_ANA, commit="7d1e55aa")
    _train(book, learnt, at=at + 3 * _HOUR, actor=_ANA, commit="7d1e55aa", depth=4, auc=0.812)
    _promote(book, 1, at=at + 5 * _HOUR, actor=_ANA, reason="the first model")


def _better_data(book: Book, at: int) -> None:
    """The warehouse changed a column's type, cleaning fills missing ages otherwise, and the trees are deeper."""
    raw = customers(240, halves=True)
    _extract(book, raw, at=at, actor=_BEN, commit="c40b9e12")
    clean = cleaned(raw, fill="44")
    book.run("clean.py", at=at + _HOUR, minutes=1, actor=_BEN, commit="c40b9e12", params={"missing_age": "median"},
             reads=[table(CUSTOMERS, raw, "pandas.read_csv")], writes=[table(CLEAN, clean)], group="churn")  # fmt: skip
    learnt = _featurise(book, clean, at=at + 2 * _HOUR, actor=_BEN, commit="c40b9e12")
    told = "Traceback (most recent call last):\n  File \"train.py\", line 31, in <module>\n    model.fit(x, y)\nValueError: could not convert string to float: ''"
    book.run("train.py", at=at + 5 * _HOUR // 2, minutes=0.2, actor=_BEN, commit="c40b9e12",
             reads=[table(FEATURES, learnt, "pandas.read_csv")], params={"depth": 6, "rounds": 60, "lr": 0.07, "seed": 13},
             state=ev.State.FAILED, group="churn",
             error=ev.ErrorInfo(type="ValueError", message="could not convert string to float: ''", traceback=told))  # fmt: skip
    _train(book, learnt, at=at + 3 * _HOUR, actor=_BEN, commit="c40b9e12", depth=6, auc=0.861)
    _promote(book, 2, at=at + 5 * _HOUR, actor=_BEN, reason="AUC 0.861 instead of 0.812")


def _shortcut(book: Book, at: int) -> None:
    """Somebody else's script writes the file that clean.py makes, and a model is trained on it."""
    export = cleaned(customers(240, halves=False), fill="0")
    book.run("legacy/export.py", at=at, minutes=4, actor=_CARO, commit="c40b9e12",
             reads=[File(_WAREHOUSE, None, reason=_NOT_READ)], writes=[table(CLEAN, export)])  # fmt: skip
    learnt = _featurise(book, export, at=at + 2 * _HOUR, actor=_CARO, commit="c40b9e12")
    _train(book, learnt, at=at + 3 * _HOUR, actor=_CARO, commit="c40b9e12", depth=6, auc=0.874)
    _promote(book, 3, at=at + 5 * _HOUR, actor=_CARO, reason="AUC 0.874")


def _step_back(book: Book, at: int) -> None:
    """The better number came from ages filled with 0: back to the second model. And a notebook is killed half-way."""
    tag = TagRequest(ref="churn@3", key="verdict", value="trained on legacy/export.py, not on clean.py")
    book.call("tag", "registry", tag, actor=_BEN, at=at)
    reason = "back: churn@3 was trained on what legacy/export.py wrote, where a missing age is 0"
    _promote(book, 2, at=at + _HOUR, actor=_BEN, reason=reason, register=False)
    book.run("explore.py", at=at + 2 * _HOUR, minutes=30, actor=_CARO, commit="c40b9e12", state=ev.State.LOST,
             reads=[File(MODEL, book.disk[MODEL], kind="model", role="model")])  # fmt: skip
