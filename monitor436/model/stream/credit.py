"""How many datagrams with events each host may have on its way. Pure: callers say what time it is.

After an outage a thousand hosts come at once. What they may send before they hear from this server has to fit its
receive buffer, or most of it is lost and sent again.
"""

MOST = 32  # datagrams of one host, however few hosts there are
PERIOD = 1.0  # seconds for which a host that sent events counts
EACH = 4096  # bytes of receive buffer that a datagram may take, with what the kernel keeps about it
SHARE = 0.5  # of the buffer; the rest is for heartbeats, greetings, and hosts that were not counted yet


class Credit:
    """Shares a receive buffer of `buffer` bytes among the hosts that send events at present."""

    def __init__(self, buffer: int = 8 << 20) -> None:
        self.buffer = buffer
        self._hosts: set[str] = set()
        self.heard = self._hosts.add  # events of a host came
        self._before = 0  # how many there were in the period before
        self._since = 0.0

    def share(self, now: float) -> int:
        """How many datagrams each host may have on its way, from 1 to MOST."""
        if now - self._since >= PERIOD:
            self._before = len(self._hosts) if now - self._since < 2 * PERIOD else 0
            self._hosts.clear()
            self._since = now
        hosts = max(self._before, len(self._hosts), 1)
        return max(1, min(MOST, int(self.buffer * SHARE / EACH / hosts)))
