"""The report of a fleet's health: what was asked, who answered, the sums by group, who failed and how. Pure.

`Report` is also the JSON that `monitor436 report --json` prints and `--against` reads. Rates are percent.
"""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from monitor436.model.fleet.gate import Gate
from monitor436.model.fleet.interval import Counted, wilson
from monitor436.model.fleet.statuses import Number, Question, Status, Sum, sums
from monitor436.model.fleet.versions import Versus, versions

BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # seconds: columns of a histogram


class Rate(Struct, frozen=True):
    """So many of so many, in percent, with the interval (95 %) in which the true rate is."""

    well: int
    of: int
    percent: float
    low: float
    high: float

    @property
    def counted(self) -> Counted:
        """What was counted."""
        return Counted(self.well, self.of)


class Group(Struct, frozen=True):
    """The sums of the statuses that say the same in the fields by which is grouped.

    `rate` is none where there were no requests or not every host tells its counts.
    """

    by: dict[str, str]
    hosts: int
    columns: dict[str, Number]
    rate: Rate | None = None
    versus: Versus | None = None


class Failure(Struct, frozen=True):
    """A target without a status: its name as listed, what was asked, the class of the failure, a sentence, seconds."""

    host: str
    url: str
    reason: str
    text: str
    seconds: float


class Report(Struct, frozen=True):
    """The whole. A report that was refused (`status` "FAILED") has no groups: too many are missing from them.

    `at` is when the first was asked, in milliseconds since 1970; `seconds` is how long it took. `expected` is the
    quality gate; `times` counts the answers by how long they took: up to each of `BOUNDS`, and longer than the last.
    """

    at: int
    status: str
    expected: float
    answered: Rate
    seconds: float
    by: list[str]
    columns: list[str]
    groups: list[Group]
    reasons: dict[str, int]
    failures: list[Failure]
    times: list[int]
    twice: list[str]


class Round(Struct, frozen=True):
    """One round of questions as it went: statuses with the seconds each took, failures, and when and how long."""

    at: int
    seconds: float
    statuses: Sequence[tuple[Status, float]]
    failures: Sequence[Failure]
    twice: Sequence[str] = ()


def report(asked: Round, question: Question, expected: float) -> Report:
    """What follows from a round; `expected` is the gate in percent."""
    gate = Gate(expected, len(asked.statuses) + len(asked.failures), len(asked.statuses))
    found = sums((status for status, _ in asked.statuses), question) if gate.passed else []
    return Report(
        at=asked.at,
        status=gate.status,
        expected=expected,
        answered=rate(Counted(gate.answered, gate.asked)),
        seconds=round(asked.seconds, 3),
        by=list(question.by),
        columns=[wanted.column for wanted in question.wanted],
        groups=[_group(each, versus, question) for each, versus in zip(found, versions(found), strict=True)],
        reasons=dict(Counter(failure.reason for failure in asked.failures).most_common()),
        failures=list(asked.failures),
        times=_times([seconds for _, seconds in asked.statuses]),
        twice=list(asked.twice),
    )


def rate(counted: Counted) -> Rate:
    """A rate with its interval; 0 % of nothing."""
    low, high = wilson(counted)
    percent = 100 * counted.well / counted.of if counted.of else 0.0
    return Rate(counted.well, counted.of, percent, 100 * low, 100 * high)


def _group(found: Sum, versus: Versus | None, question: Question) -> Group:
    counted = found.counted if found.counted and found.counted.of else None
    by = dict(zip(question.by, found.group, strict=True))
    return Group(by, found.hosts, found.columns, rate(counted) if counted else None, versus)


def _times(seconds: Sequence[float]) -> list[int]:
    found = [0] * (len(BOUNDS) + 1)
    for taken in seconds:
        found[next((at for at, bound in enumerate(BOUNDS) if taken <= bound), len(BOUNDS))] += 1
    return found
