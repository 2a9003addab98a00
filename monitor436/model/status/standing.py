"""How it stands with hosts and checks: the tables of the board. What is well takes next to no room."""

from collections.abc import Iterator
from sys import intern

from msgspec import Struct

from monitor436.model.event import Event, Severity
from monitor436.model.hosts.flapping import Flapping
from monitor436.model.status.change import RANKS, Subject
from monitor436.model.status.reading import PLAN, REFUSED, anew

MOST_CHECKS = 2000  # of one host, whatever it sends
MOST_PARTS = 200  # of one check that are bad at once ...
MOST_BAD = 4000  # ... and of one host
MOST_TURNS = 50_000  # subjects that turned of late


class Part(Struct):
    """One thing that is bad about a check or a host. `since`: epoch seconds; `last`: the last reports, newest last;
    `acked`: who knows of it, if anybody, and of which severity that was; `over`: the end of it was announced.
    """

    since: float
    severity: Severity = "info"
    text: str = ""
    event: str = ""
    tags: tuple[str, ...] = ()
    last: str = ""
    acked: str = ""
    acked_at: str = ""
    over: bool = False

    def known_to(self, severity: str) -> str:
        """Who acknowledged it; "" if nobody did, or if it was not so bad then."""
        return self.acked if RANKS[severity] <= RANKS[self.acked_at] else ""


Parts = dict[str, Part]  # by `of`


class Flaps(Flapping):
    """Which subjects flap, among `most` that turned of late: what a host calls its values is up to it."""

    most = MOST_TURNS

    def turned(self, name: str, now: float) -> float | None:
        return super().turned(name, now) if name in self._turns or len(self._turns) < self.most else None

    def names(self) -> list[str]:
        """Those that turned of late."""
        return list(self._turns)


class HostNow:
    """A host: its state, and what is bad by check; None for a check that is well. The check "" is the host itself."""

    __slots__ = ("anew", "bad", "checks", "cut", "name", "reason", "refused", "since", "state", "text")

    def __init__(self, name: str, state: str = "", since: float = 0.0, text: str = "", cut: bool = False) -> None:
        self.name = name
        self.state = state  # "" until something is told of the host itself
        self.since = since
        self.text = text
        self.reason = ""  # of what turned it last, in a word
        self.cut = cut  # it was lost with its segment, and is not back
        self.checks: dict[str, Parts | None] = {}
        self.bad = 0  # parts
        self.refused: dict[tuple[str, str], None] = {}  # parts by check that end when a host says anew what it allows
        self.anew: dict[tuple[str, str], None] | None = None  # parts that it tells anew after a start

    def take(self, check: str, of: str) -> None:
        """One part more is bad."""
        self.bad += 1
        if of in (REFUSED, PLAN):
            self.refused[check, of] = None
        if anew(self.name, check, of):
            self.anew = self.anew or {}
            self.anew[check, of] = None


class Standings:
    """Every host by its name, "" being the server itself."""

    def __init__(self) -> None:
        self.hosts: dict[str, HostNow] = {}

    def host(self, name: str) -> HostNow:
        """A host, known from now on."""
        host = self.hosts.get(name)
        if host is None:
            host = self.hosts[name] = HostNow(name)
        return host

    def spelt(self, check: str) -> str:
        """The name of a check, the same object for every host."""
        return intern(check)

    def part(self, subject: Subject) -> Part | None:
        """What is bad about a subject; None if nothing is."""
        host = self.hosts.get(subject.host)
        parts = host.checks.get(subject.check) if host else None
        return parts.get(subject.of) if parts else None

    def severity(self, subject: Subject) -> Severity:
        """How bad it is; "info" if it is well or not known."""
        part = self.part(subject)
        return part.severity if part else "info"

    def bad(self) -> Iterator[tuple[Subject, Part]]:
        """Everything that is bad."""
        for name, host in self.hosts.items():
            yield from self.bad_of(name, host)

    def bad_of(self, name: str, host: HostNow) -> Iterator[tuple[Subject, Part]]:
        """Everything that is bad about a host."""
        for check, parts in host.checks.items():
            for of, part in parts.items() if parts else ():
                if part.severity != "info":
                    yield Subject(name, check, of), part

    def put(self, subject: Subject, severity: Severity, event: Event, now: float) -> Part | None:
        """Its state from now on. None if there is no room for it; for what is about the host itself there is always."""
        host = self.host(subject.host)
        checks = host.checks
        parts = checks.get(subject.check)
        if parts is None:
            if subject.check and (host.bad >= MOST_BAD or (subject.check not in checks and len(checks) >= MOST_CHECKS)):
                return None
            parts = checks[self.spelt(subject.check)] = {}
        part = parts.get(subject.of)
        if part is None:
            if subject.check and (len(parts) >= MOST_PARTS or host.bad >= MOST_BAD):
                return None
            part = parts[subject.of] = Part(now)
            host.take(subject.check, subject.of)
        if part.severity != severity:
            part.since = now
        part.severity, part.text, part.tags, part.event = severity, event.text, event.tags, event.id
        return part

    def drop(self, subject: Subject) -> None:
        """It is well. The check is still known of."""
        host = self.hosts.get(subject.host)
        parts = host.checks.get(subject.check) if host else None
        if host is None or not parts:
            return
        host.bad -= parts.pop(subject.of, None) is not None
        host.refused.pop((subject.check, subject.of), None)
        if host.anew:
            host.anew.pop((subject.check, subject.of), None)
        if not parts and subject.check:
            host.checks[subject.check] = None
        elif not parts:
            del host.checks[""]

    def known(self, host_name: str, check: str) -> None:
        """There is such a check."""
        host = self.hosts.get(host_name)
        if host is not None and check and check not in host.checks and len(host.checks) < MOST_CHECKS:
            host.checks[self.spelt(check)] = None
