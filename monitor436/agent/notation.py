"""The small notations of a plan: "above 85 until 80", "2 of 3", "10 in 5m". Read from text, written back the same."""

import re
from collections import namedtuple

from monitor436.agent.shape import seconds, shown, spelt, wrong

MOST_RUNS = 20  # runs that "after" looks back on
MOST_LINES = 10000  # lines that "over" counts: so many moments are kept

_NUMBER = r"([-+]?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][-+]?[0-9]{1,2})?)"
_LIMIT = re.compile(r"(above|below) +{0}(?: +until +{0})?\Z".format(_NUMBER))
_AFTER = re.compile(r"([0-9]{1,3})(?: +of +([0-9]{1,3}))?\Z")
_OVER = re.compile(r"([0-9]{1,9}) +in +(\S+)\Z")


class Limit(namedtuple("Limit", "direction value until")):
    """ "above" or "below" a value, and the value at which it is over again: the same one, if nothing is said."""

    __slots__ = ()

    def __str__(self) -> str:
        said = "{} {}".format(self.direction, plain(self.value))
        return said if self.until == self.value else "{} until {}".format(said, plain(self.until))


class After(namedtuple("After", "bad of")):
    """A level counts when at least `bad` of the last `of` runs reached it."""

    __slots__ = ()

    def __str__(self) -> str:
        return "{} of {}".format(self.bad, self.of)


class Over(namedtuple("Over", "number seconds")):
    """More than `number` lines within `seconds`."""

    __slots__ = ()

    def __str__(self) -> str:
        return "{} in {}".format(self.number, spelt(self.seconds))


def limit(value: object) -> Limit:
    """A reader of limits. Raises PlanError."""
    found = _LIMIT.match(value) if isinstance(value, str) else None
    if not found:
        raise wrong(
            'expected a limit such as "above 80", "below 10" or "above 80 until 70", got {}'.format(shown(value))
        )
    direction, at = found.group(1), float(found.group(2)) + 0.0  # + 0.0: -0.0 becomes 0.0
    until = at if found.group(3) is None else float(found.group(3)) + 0.0
    if (until > at) if direction == "above" else (until < at):
        raise wrong("it is over at {:g} already, before it begins at {:g}".format(until, at))
    return Limit(direction, at, until)


def after(value: object) -> After:
    """A reader of "2 of 3"; "2" means "2 of 2". Raises PlanError."""
    found = _AFTER.match(str(value)) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
    if not found:
        raise wrong('expected a number of runs such as "2", or "2 of 3", got {}'.format(shown(value)))
    bad = int(found.group(1))
    of = int(found.group(2) or bad)
    if not 1 <= bad <= of <= MOST_RUNS:
        raise wrong(
            "expected 1 to {} runs, the first number no more than the second, got {}".format(MOST_RUNS, shown(value))
        )
    return After(bad, of)


def over(value: object) -> Over:
    """A reader of "10 in 5m". Raises PlanError."""
    found = _OVER.match(value) if isinstance(value, str) else None
    try:
        made = Over(int(found.group(1)), seconds(found.group(2))) if found else None
    except ValueError as sentence:
        raise wrong(str(sentence)) from None
    if made is None or not (1 <= made.number <= MOST_LINES and 1 <= made.seconds <= 7 * 86400):
        most = "1 to {} lines in 1s to 7d".format(MOST_LINES)
        raise wrong('expected {}, such as "10 in 5m", got {}'.format(most, shown(value)))
    return made


def plain(number: float) -> str:
    """A finite number as text that reads back the same, without a needless ".0"."""
    return repr(int(number)) if abs(number) < 1e15 and number == int(number) else repr(number)
