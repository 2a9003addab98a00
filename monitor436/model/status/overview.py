"""The board at a glance: how many are how, and what is bad. Pure: told the time of day."""

from collections import Counter

from msgspec import Struct

from monitor436.model.event import Severity
from monitor436.model.status.board import Board
from monitor436.model.status.change import RANKS
from monitor436.model.status.silences import Silence


class Trouble(Struct, frozen=True, omit_defaults=True):
    """One thing that is bad. `since`: epoch seconds; `held`: why nobody is told of it, if so; `flaps`: it comes and
    goes.
    """

    severity: Severity
    host: str
    check: str
    of: str
    since: float
    text: str
    held: str = ""
    flaps: bool = False
    tags: tuple[str, ...] = ()


class Overview(Struct, frozen=True):
    """Hosts by state, checks by how bad they are ("info": well), what is bad with the worst first, and silences."""

    hosts: dict[str, int]
    checks: dict[str, int]
    troubles: list[Trouble]
    silences: list[Silence]

    @property
    def open(self) -> list[Trouble]:
        """Those that nobody silenced or acknowledged, and that nothing else explains."""
        return [trouble for trouble in self.troubles if not trouble.held]


def overview(board: Board, wall: float) -> Overview:
    """The board as it is."""
    hosts: Counter[str] = Counter()
    checks: Counter[str] = Counter()
    for name, host in board.standings.hosts.items():
        if name and host.state:
            hosts[host.state] += 1
        for check, parts in host.checks.items():
            if check:
                severities = [part.severity for part in parts.values()] if parts else []
                checks[max(severities, key=RANKS.__getitem__, default="info")] += 1
    troubles = [
        Trouble(
            part.severity,
            *subject,
            part.since,
            part.text,
            board.held(subject, part.severity, part.tags, wall),
            board.flaps(subject),
            part.tags,
        )
        for subject, part in board.standings.bad()
    ]
    troubles.sort(key=lambda each: (bool(each.held), -RANKS[each.severity], each.host, each.check, each.of))
    silences = sorted(board.silences.known.values(), key=lambda silence: silence.until)
    return Overview(dict(hosts), dict(checks), troubles, [each for each in silences if each.until > wall])
