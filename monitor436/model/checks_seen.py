"""How hosts and their checks stand as far as events tell: what is bad, and what was measured last. Pure.

What is well costs little, and what is bad is found without looking at the rest.
"""

from collections.abc import Iterable, Iterator
from sys import intern
from typing import NamedTuple

from msgspec import Struct

from monitor436.agent import event as agent
from monitor436.model import event as kinds
from monitor436.model.event import Event, Severity
from monitor436.model.hosts.history import LASTING, STATE

MOST_CHECKS = 2000  # of one host, whatever it sends
MOST_VALUES = 100  # of one check
MOST_PARTS = 100  # of one check that are bad at once ...
MOST_BAD = 4000  # ... and of one host
MOST_TEXT = 300  # letters of a text
LARGEST = 1e300  # of a number: JSON has whole ones that are no float
AFRESH = {agent.AGENT_STARTED, agent.PLAN_IN_FORCE}  # after which a host says anew what it does not allow
OF_CHECKS = LASTING | {agent.CHECK_REFUSED}
RANK: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}


class Bad(NamedTuple):
    """Something that is bad since (epoch seconds), and the event's text."""

    severity: Severity
    text: str
    since: float


class CheckSeen(Struct, gc=False):
    """One check: `at` and `text` are those of its last event that is no metric; times are epoch seconds.

    `numbers` are labels and values of the last metric, one after the other, measured at `measured`; `since` is when it
    was last told well; `bad` is None if nothing is. There are very many of these, and nearly all are well.
    """

    at: float = 0.0
    since: float = 0.0
    text: str = ""
    measured: float = 0.0
    numbers: tuple[str | float, ...] = ()
    bad: dict[str, Bad] | None = None

    @property
    def values(self) -> dict[str, float]:
        """What was measured last, by label."""
        return dict(zip(self.numbers[::2], self.numbers[1::2], strict=True))  # type: ignore[arg-type]

    @property
    def worst(self) -> Bad:
        """The worst that is bad, of equals the one that began first."""
        return min(self.bad.values(), key=_order) if self.bad else Bad("info", self.text, self.since)


class HostSeen:
    """One host: `reason` and `text` of what turned it last, its checks, and the names of those that are bad.

    `parts` is how much is bad about all of them, `refused` has those that the host did not allow.
    """

    __slots__ = ("bad", "checks", "parts", "reason", "refused", "text")

    def __init__(self) -> None:
        self.reason = self.text = ""
        self.checks: dict[str, CheckSeen] = {}
        self.bad: set[str] = set()
        self.parts = 0
        self.refused: set[str] = set()

    def worst(self) -> Bad | None:
        """The worst of its checks; None if none is bad."""
        return min((self.checks[name].worst for name in self.bad), key=_order, default=None)

    def severity(self) -> Severity:
        """How bad the worst of its checks is."""
        return max((self.checks[name].worst.severity for name in self.bad), key=RANK.__getitem__, default="info")

    def tally(self) -> dict[str, int]:
        """How many of its checks are critical, and how many to be warned of."""
        found = {"critical": 0, "warning": 0}
        for name in self.bad:
            found[self.checks[name].worst.severity] += 1
        return found


class ChecksSeen:
    """Every host that events were about. Read event by event, as the file has them; one that comes again is no harm."""

    def __init__(self) -> None:
        self._hosts: dict[str, HostSeen] = {}

    def __iter__(self) -> Iterator[tuple[str, HostSeen]]:
        return iter(self._hosts.items())

    def of(self, host: str) -> HostSeen:
        """What is known of a host; of one that no event was about, nothing."""
        return self._hosts.get(host) or _NOTHING

    def heard(self, events: Iterable[Event]) -> None:
        """The next ones."""
        for event in events:
            if event.host:
                self._read(event)

    def become(self, other: "ChecksSeen") -> None:
        """What another one knows, and nothing else."""
        self._hosts = other._hosts

    def _read(self, event: Event) -> None:
        kind = event.kind
        if kind == agent.METRIC:
            self._measured(event)
        elif kind in STATE:
            host = self._host(event.host)
            host.reason, host.text = str(event.fields.get("reason", "")), event.text[:MOST_TEXT]
        elif kind in AFRESH:
            host = self.of(event.host)
            for name in host.refused:
                self._mend(host, name, host.checks[name], agent.CHECK_REFUSED)
            host.refused.clear()
        elif kind == kinds.HOST_FORGOTTEN:
            self._hosts.pop(event.host, None)
        elif kind == kinds.CHECK_REMOVED:
            self._removed(event)
        elif event.check and (kind in OF_CHECKS or kind == agent.REPORTED):
            self._turned(event)

    def _removed(self, event: Event) -> None:
        host = self.of(event.host)
        check = host.checks.pop(event.check, None)
        host.bad.discard(event.check)
        host.refused.discard(event.check)
        if check is not None and check.bad is not None:
            host.parts -= len(check.bad)

    def _measured(self, event: Event) -> None:
        check = self._check(event)
        if check is None:
            return
        self._mend(self._hosts[event.host], event.check, check, agent.CHECK_REFUSED)
        numbers = [
            (label, value)
            for label, value in event.fields.items()
            if isinstance(value, int | float) and -LARGEST <= value <= LARGEST
        ]
        check.numbers = tuple(  # a label is kept once for all hosts
            each for label, value in numbers[:MOST_VALUES] for each in (intern(label), float(value))
        )
        check.measured = _at(event)

    def _turned(self, event: Event) -> None:
        check = self._check(event)
        if check is None:
            return
        host, kind, at, text = self._hosts[event.host], event.kind, _at(event), event.text[:MOST_TEXT]
        if kind != agent.CHECK_REFUSED:
            self._mend(host, event.check, check, agent.CHECK_REFUSED)  # it is allowed by now
        if kind in LASTING and kind.startswith("check") and not event.fields.get("state"):
            return  # something was passed over: no state that would end
        check.at, check.text = at, text
        part = _part(event)
        if event.severity == "info":
            self._mend(host, event.check, check, part)
            check.since = at
            return
        bad = check.bad if check.bad is not None else {}
        before = bad.get(part)
        if before is None and (len(bad) >= MOST_PARTS or host.parts >= MOST_BAD):
            return
        host.parts += before is None
        since = before.since if before is not None and before.severity == event.severity else at
        bad[part] = Bad(event.severity, text, since)
        check.bad = bad
        host.bad.add(event.check)
        if kind == agent.CHECK_REFUSED:
            host.refused.add(event.check)

    def _mend(self, host: HostSeen, name: str, check: CheckSeen, part: str) -> None:
        if check.bad is not None and check.bad.pop(part, None) is not None:
            host.parts -= 1
            if not check.bad:
                check.bad = None
                host.bad.discard(name)

    def _check(self, event: Event) -> CheckSeen | None:
        """None if there is no room for one more."""
        checks = self._host(event.host).checks
        check = checks.get(event.check)
        if check is None and event.check and len(checks) < MOST_CHECKS:
            check = checks[intern(event.check)] = CheckSeen()
        return check

    def _host(self, name: str) -> HostSeen:
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = HostSeen()
        return host


def _part(event: Event) -> str:
    """What about a check an event tells: its run, one of its values, its lines."""
    if event.kind in (agent.CHECK_FAILED, agent.CHECK_STUCK):
        return agent.CHECK_FAILED
    return f"{event.kind} {event.fields.get('of', '')}" if event.kind in LASTING else event.kind


def _at(event: Event) -> float:
    return event.time.timestamp() if event.time is not None else 0.0


def _order(bad: Bad) -> tuple[int, float]:
    return -RANK[bad.severity], bad.since


KINDS = {
    agent.METRIC,
    agent.REPORTED,
    kinds.HOST_FORGOTTEN,
    kinds.CHECK_REMOVED,
    *AFRESH,
    *STATE,
    *OF_CHECKS,
}  # all that is read
_NOTHING = HostSeen()
