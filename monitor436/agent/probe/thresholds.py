"""Values against limits, and how many runs it takes until that counts. Pure."""

from collections import deque

from monitor436.agent.notation import After, Limit

OK, INFO, WARNING, CRITICAL = LEVELS = ("ok", "info", "warning", "critical")  # from good to bad


def judge(value: float, warning: "Limit | None", critical: "Limit | None", state: str = OK) -> str:
    """What a value is, given two limits and the state it was in: the worse one that is crossed.

    A limit that was crossed before is crossed until the value has come back to `until`.
    """
    for level, limit in ((CRITICAL, critical), (WARNING, warning)):
        if limit is not None:
            at = limit.until if LEVELS.index(state) >= LEVELS.index(level) else limit.value
            if value > at if limit.direction == "above" else value < at:
                return level
    return OK


class Steady:
    """A state that takes several bad runs: the worst level that at least `bad` of the last `of` runs have reached.

    `state` is where it begins, and `level` what the runs before are taken to have reached.
    """

    def __init__(self, after: After, state: str = OK, level: str = OK) -> None:
        self.state = state
        self._bad = after.bad
        self._last = deque([LEVELS.index(level)] * after.of, after.of)

    def add(self, level: str) -> str:
        """One more run; the state before, if it is another one now, or empty."""
        self._last.append(LEVELS.index(level))
        was, self.state = self.state, LEVELS[sorted(self._last)[-self._bad]]
        return was if was != self.state else ""

    @property
    def quiet(self) -> bool:
        """Whether it is as if nothing had ever happened."""
        return self.state == OK and not any(self._last)
