"""What matching lines come to: each is news, or how many in a period, too many in a window, none for too long. Pure.

Times are monotonic seconds. What a form remembers outlives the agent: `kept` gives it, `resume` takes it back, moved by
`shift` seconds where the clock has begun anew since.
"""

from collections import deque, namedtuple

from monitor436.agent import event as stated
from monitor436.agent.shape import spelt


class News(namedtuple("News", "kind severity text count fields")):
    """What a form has to say. Severity "" is that of the check, whose own `text` then comes before this one."""

    __slots__ = ()


class Count:
    """How many lines in each period; a period without any is no news."""

    def __init__(self, period: float, now: float) -> None:
        self._period = period
        self._since = now
        self._count = 0

    def found(self, count: int, now: float, awake: bool) -> "list[News]":
        """So many lines matched."""
        self._count += count
        return []

    def turn(self, now: float, awake: bool, certain: bool) -> "list[News]":
        """The count, when a period is over. Lines that were read late belong to the time that they were waited for."""
        periods = int((now - self._since) / self._period)
        if periods < 1:
            return []
        long = periods * self._period
        self._since += long
        count, self._count = self._count, 0
        text = "{} line{} in {}".format(count, "" if count == 1 else "s", spelt(long))
        return [News(stated.LOG_COUNT, "", text, count, {"count": count, "seconds": long})] if count else []

    def kept(self) -> "dict[str, object]":
        """What is to outlive the agent, as JSON-able data."""
        return {"since": self._since, "count": self._count}

    def resume(self, kept: "dict[str, object]", shift: float) -> None:
        """Go on from what was kept. Raises KeyError, TypeError, ValueError for what was kept otherwise."""
        self._since, self._count = _number(kept["since"]) + shift, int(_number(kept["count"]))


class Over:
    """More than so many lines in a window that moves along; news when that begins, and when it is over."""

    def __init__(self, number: int, seconds: float) -> None:
        self._number = number
        self._seconds = seconds
        self._over = False
        self._found = deque()  # type: deque[tuple[float, int]]
        self._count = 0  # lines in _found, no more than needed

    def found(self, count: int, now: float, awake: bool) -> "list[News]":
        """So many lines matched; the news, if these are too many."""
        self._forget(now)
        self._found.append((now, count))
        self._count += count
        while self._count - self._found[0][1] > self._number:
            self._count -= self._found.popleft()[1]
        if self._over or self._count <= self._number:
            return []
        self._over = True
        text = "more than {} lines in {}".format(self._number, spelt(self._seconds))
        return [News(stated.LOG_OVER, "", text, self._count, self._fields())]

    def turn(self, now: float, awake: bool, certain: bool) -> "list[News]":
        """The news that it is over, as soon as the window says so."""
        self._forget(now)
        if not self._over or self._count > self._number:
            return []
        self._over = False
        text = "no longer more than {} lines in {}".format(self._number, spelt(self._seconds))
        return [News(stated.LOG_OVER, "info", text, self._count, self._fields())]

    def kept(self) -> "dict[str, object]":
        """What is to outlive the agent, as JSON-able data."""
        return {"over": self._over, "found": [[round(at, 1), count] for at, count in self._found]}

    def resume(self, kept: "dict[str, object]", shift: float) -> None:
        """Go on from what was kept. Raises KeyError, TypeError, ValueError for what was kept otherwise."""
        self._over = bool(kept["over"])
        self._found = deque((float(at) + shift, int(count)) for at, count in kept["found"])  # type: ignore[attr-defined]
        self._count = sum(count for _, count in self._found)

    def _fields(self) -> "dict[str, float]":
        return {"count": self._count, "seconds": self._seconds}

    def _forget(self, now: float) -> None:
        while self._found and self._found[0][0] <= now - self._seconds:
            self._count -= self._found.popleft()[1]


class Silence:
    """No line for a period; news when that is so, and at the first line after it. Only time awake counts as silence."""

    def __init__(self, period: float, now: float, awake: bool) -> None:
        self._period = period
        self._quiet = 0.0
        self._looked = now
        self._awake = awake
        self._silent = False

    def found(self, count: int, now: float, awake: bool) -> "list[News]":
        """A line matched: the silence is over, if there was one."""
        quiet, self._quiet = self._passed(now, awake), 0.0
        if not self._silent:
            return []
        self._silent = False
        text = "a line again after {}".format(spelt(round(quiet)))
        return [News(stated.LOG_SILENT, "info", text, count, {"seconds": round(quiet)})]

    def turn(self, now: float, awake: bool, certain: bool) -> "list[News]":
        """The news of a silence, if the files are `certain` to hold no line that was not read yet."""
        quiet = self._passed(now, awake)
        if self._silent or not certain or quiet < self._period:
            return []
        self._silent = True
        text = "no line for {}".format(spelt(self._period))
        return [News(stated.LOG_SILENT, "", text, 0, {"seconds": self._period})]

    def kept(self) -> "dict[str, object]":
        """What is to outlive the agent, as JSON-able data."""
        return {"quiet": round(self._quiet, 3), "looked": self._looked, "awake": self._awake, "silent": self._silent}

    def resume(self, kept: "dict[str, object]", shift: float) -> None:
        """Go on from what was kept. Raises KeyError, TypeError, ValueError for what was kept otherwise."""
        self._quiet = _number(kept["quiet"])
        self._looked = _number(kept["looked"]) + shift
        self._awake, self._silent = bool(kept["awake"]), bool(kept["silent"])

    def _passed(self, now: float, awake: bool) -> float:
        """The silence so far; what passes while it sleeps is none."""
        if awake and self._awake:
            self._quiet += now - self._looked
        self._looked, self._awake = now, awake
        return self._quiet


def _number(value: object) -> float:
    """A number that was kept. Raises ValueError or TypeError for what is none."""
    return float(value)  # type: ignore[arg-type]
