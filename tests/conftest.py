"""What every test run has in common: repeatable examples, and skips that nobody can overlook.

M436_NO_SKIPS=1: a skipped test is a failed one.  M436_COUNTS=FOLDER: the count is left there for `make test` to add up.
"""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

NO_SKIPS = os.environ.get("M436_NO_SKIPS") == "1"
OUTCOMES = ("passed", "failed", "skipped")

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a script began this with `&`; programs under test inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def reason(report: Any) -> str:
    """Why a test or a module was skipped."""
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return told.removeprefix("Skipped: ")


def insist(report: Any) -> None:
    """Make a skip a failure. A test that is expected to fail is none."""
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        report.longrepr = f"skipped: {reason(report)} (M436_NO_SKIPS=1: what a test needs must be here)"
        report.outcome = "failed"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """A skip in a test or its set-up."""
    report = yield
    insist(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """A skip of a whole module."""
    report = yield
    insist(report)
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many were skipped, and why, at the end of every run; and the count for `make test`."""
    stats = terminalreporter.stats
    reasons = Counter(reason(report) for report in stats.get("skipped", []))
    terminalreporter.write_line(f"{reasons.total()} skipped" + (":" if reasons else ""))
    for why, times in reasons.most_common():
        terminalreporter.write_line(f"  {times} x {why}")
    folder = os.environ.get("M436_COUNTS")
    if folder:
        count = {outcome: len(stats.get(outcome, [])) for outcome in OUTCOMES}
        count["failed"] += len(stats.get("error", []))
        count["passed"] += len(stats.get("xfailed", []))
        name = os.environ.get("TOX_ENV_NAME", "pytest")
        Path(folder, f"{name}.json").write_text(json.dumps({**count, "reasons": dict(reasons)}))
