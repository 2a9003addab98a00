"""A line of a log becomes an event. A pattern that takes too long is interrupted, and given up in the end."""

import re
import signal

from monitor436.agent import event as stated
from monitor436.agent.plan import LogCheck

BUDGET = 0.2  # seconds of processor time: heartbeats wait while patterns are tried
MAX_OVERRUNS = 3  # interruptions after which a rule is off


class Overrun(Exception):
    """The processor time is used up."""


class Budget:
    """Raises Overrun in its `with` block after that much processor time of this process. For the main thread only."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._counts = False

    def __enter__(self) -> None:
        self._counts = True
        signal.signal(signal.SIGVTALRM, self._expired)  # left in place: a late signal must find somebody
        signal.setitimer(signal.ITIMER_VIRTUAL, self._seconds)

    def __exit__(self, *_: object) -> None:
        self._counts = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)

    def _expired(self, *_: object) -> None:
        if self._counts:
            raise Overrun


class LineRule:
    """Every line that one of the patterns matches is an event; the text is the line.

    `budget` is the processor time in seconds for a batch of lines. A line on which it runs out is passed over, which
    an event tells; at the third one the rule is off.
    """

    def __init__(self, check: LogCheck, budget: float = BUDGET) -> None:
        self.off = False  # it looks at no more lines
        self._check = check
        self._searches = [re.compile(pattern.encode("utf-8")).search for pattern in check.match]
        self._budget = budget
        self._overruns = 0

    def events(self, lines: "list[bytes]", at: float) -> "list[dict[str, object]]":
        """The events of these lines, in their order."""
        events = []  # type: list[dict[str, object]]
        line = b""
        rest = iter(lines)
        while not self.off:
            try:
                with Budget(self._budget):
                    for line in rest:
                        if any(search(line) for search in self._searches):
                            events.append(self._event(stated.LOG_LINE, self._check.severity, _text(line), at))
                break
            except Overrun:
                events.append(self._overran(line, at))
        return events

    def give_up(self, why: str, at: float) -> "dict[str, object]":
        """The rule is off from now on: the event that says so."""
        self.off = True
        text = "{}: off until it changes: {}".format(self._check.name, why)
        return self._event(stated.CHECK_FAILED, "warning", text, at)

    def _overran(self, line: bytes, at: float) -> "dict[str, object]":
        self._overruns += 1
        why = "the patterns took more than {:g} s; passed over: {}".format(self._budget, _text(line))
        if self._overruns >= MAX_OVERRUNS:
            return self.give_up(why, at)
        return self._event(stated.CHECK_FAILED, "warning", "{}: {}".format(self._check.name, why), at)

    def _event(self, kind: str, severity: str, text: str, at: float) -> "dict[str, object]":
        return stated.event(kind, severity, text, at, self._check.name, tags=self._check.tags)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace")
