"""What holds for every test: libraries that not every machine offers are named when their tests were skipped."""

from __future__ import annotations

import gc
import importlib.util
import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more of the machine than of the code: speed is measured in bench/.
settings.register_profile("lineal", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lineal")


@pytest.fixture(autouse=True, scope="module")
def _nothing_left_open() -> Iterator[None]:
    """What a module left open is told of at its own end, not during a test of another one that happens to collect it."""
    yield
    gc.collect()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`@pytest.mark.peer("torch")` skips the test where torch is not installed."""
    for item in items:
        for mark in item.iter_markers("peer"):
            missing = [name for name in mark.args if importlib.util.find_spec(name) is None]
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"could not import '{missing[0]}'"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One plain line when tests were skipped because a library is not there."""
    skipped: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        found = re.search(r"could not import '([\w.]+)'|No module named '([\w.]+)'", str(report.longrepr))
        if found:
            name = (found[1] or found[2]).partition(".")[0]
            skipped[name] = skipped.get(name, 0) + 1
    if skipped:
        words = ", ".join(f"{name} ({count})" for name, count in sorted(skipped.items()))
        terminalreporter.write_line(f"SKIPPED PEERS: not installed here: {words}", yellow=True)
