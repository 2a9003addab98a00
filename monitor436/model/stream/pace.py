"""How many events of one host are taken, so that none fills the events file alone. Pure: callers say what time it is.

Events that a server states because of a host count too. What is not taken waits on its host, whose spool is bounded and
tells what it had to leave out.
"""

OVER = 60.0  # seconds over which a host may be ahead of its rate: a burst is no flood
SLOWED = 0.5  # of that: from there on it has one datagram on its way, so that little comes that is not taken
HELD = 0.9  # of that: from there on it is told of; a host that tries again each 5 s stays above it


class Pace:
    """`rate` events a second of each host, counted over OVER seconds; 0: as many as it sends.

    What a host is ahead is kept in seconds, so that another rate leaves each host as far from its bound as it was.
    """

    def __init__(self, rate: float = 0.0) -> None:
        self.rate = rate
        self._ahead: dict[str, tuple[float, float]] = {}  # by how many seconds a host was ahead, and when

    def took(self, host: str, events: int, now: float) -> None:
        """So many events of a host, or because of it, were taken."""
        if self.rate:
            self._ahead[host] = self._left(host, now) + events / self.rate, now

    def part(self, host: str, now: float) -> float:
        """How much of what a host may be ahead it is; from 1.0 on nothing of it is taken."""
        return self._left(host, now) / OVER if self.rate else 0.0

    def held(self, now: float) -> list[str]:
        """The hosts of which no more is taken than their rate. Those that are not ahead any more are forgotten."""
        self._ahead = {host: kept for host, kept in self._ahead.items() if self._left(host, now)}
        return sorted(host for host in self._ahead if self.part(host, now) >= HELD)

    def _left(self, host: str, now: float) -> float:
        ahead, since = self._ahead.get(host, (0.0, now))
        return max(0.0, ahead - (now - since))
