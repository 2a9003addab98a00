"""What is on its way to the home server: a window of EVENTS datagrams, sent again until acknowledged.

Pure apart from the spool it reads. Go-back-N: the server takes only the next number, and one acknowledgement covers
everything up to it.
"""

from monitor436.agent import wire
from monitor436.agent.store.spool import Spool

AHEAD = 32  # datagrams on their way at once: 38 KB, less than any receive buffer
FIRST = 2  # until the server says how many it can take: after an outage a thousand hosts come at once
RECORDS = 64  # events in one datagram at most
ROOM = wire.MAX_BODY - 96  # bytes for events in a body; the rest names spool and numbers
RESEND_FIRST = 0.25  # seconds without progress before everything on its way is sent again; doubled each time
RESEND_AT_MOST = 5.0
RESEND_AT_LEAST = 0.05  # seconds between two repetitions that repeated acknowledgements ask for


class Parcel:
    """Consecutive events of one spool that travel in one datagram."""

    def __init__(self, spool: str, first: int) -> None:
        self.spool = spool
        self.first = first
        self.last = first - 1
        self.events = []  # type: list[bytes]
        self.room = ROOM

    def takes(self, spool: str, first: int, text: bytes) -> bool:
        """Whether this event can travel with the others."""
        return spool == self.spool and first == self.last + 1 and len(text) < self.room and len(self.events) < RECORDS

    def add(self, last: int, text: bytes) -> None:
        """Take an event that `takes` said fits; `last` is its number."""
        self.events.append(text)
        self.last = last
        self.room -= len(text) + 1

    def body(self, acknowledged: int, again: int) -> bytes:
        """EVENTS: spool, first number, the events; up to which number some server has acknowledged, and up to which
        they may have gone to another server."""
        return b'{"s":"%s","n":%d,"a":%d,"r":%d,"e":[%s]}' % (
            self.spool.encode(), self.first, acknowledged, again, b",".join(self.events)
        )  # fmt: skip


class Outbox:
    """The window over a spool. Bodies come out when they are due, acknowledgements go in."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._parcels = []  # type: list[Parcel]
        self._fresh = 0  # parcels[_fresh:] were not sent yet
        self._resend_at = float("inf")
        self._patience = RESEND_FIRST
        self._repeated = 0.0  # when everything was last sent again
        self._ahead = FIRST
        self._server = ""  # to whom all this goes
        self._sent = 0  # up to which number of the present spool it was sent some
        self._elsewhere = 0  # and others before it

    @property
    def due(self) -> float:
        """When `send` has something to do without news from outside."""
        return self._resend_at

    def send(self, now: float) -> "list[bytes]":
        """The bodies to send now: new ones while the window has room, all of them when nothing was acknowledged."""
        if now >= self._resend_at:
            self._go_back(now)
            self._patience = min(self._patience * 2, RESEND_AT_MOST)
        self._fill()
        end = min(self._end(), max(self._fresh, self._ahead))
        bodies = []
        for parcel in self._parcels[self._fresh : end]:
            bodies.append(parcel.body(self._spool.acknowledged(parcel.spool), self._again(parcel)))
            if parcel.spool == self._spool.id:
                self._sent = max(self._sent, parcel.last)
        self._fresh = end
        if bodies:
            self._resend_at = now + self._patience
        return bodies

    def acknowledge(self, spool: str, number: int, now: float, ahead: int = AHEAD) -> None:
        """The server has `spool` durably up to `number`, and takes `ahead` datagrams at once.

        Saying so again means that something after it was lost.
        """
        self._ahead = min(max(1, ahead), AHEAD)
        done = 0
        while done < len(self._parcels) and self._parcels[done].spool == spool and self._parcels[done].last <= number:
            done += 1
        self._spool.acknowledge(spool, number)
        if done:
            del self._parcels[:done]
            self._fresh = max(0, self._fresh - done)
            self._patience = RESEND_FIRST
            self._resend_at = now + self._patience if self._parcels else float("inf")
        elif self._asks_again(spool, number):
            self._resend_at = min(self._resend_at, max(now, self._repeated + RESEND_AT_LEAST))

    def restart(self, have: "dict[str, int]", now: float, server: str = "") -> None:
        """A new session with the home server, which has these numbers durably: start over from there."""
        if server != self._server:
            self._elsewhere, self._sent, self._server = max(self._elsewhere, self._sent), 0, server
        for spool, number in have.items():
            self.acknowledge(spool, number, now)
        self._go_back(now)
        self._patience = RESEND_FIRST
        self._ahead = FIRST

    def _again(self, parcel: Parcel) -> int:
        """Up to which number other servers may have got events of its spool; what an earlier run sent is not known."""
        return self._elsewhere if parcel.spool == self._spool.id else parcel.last

    def _end(self) -> int:
        """The window ends where another spool begins: a server that lacks some of the first takes none of the next."""
        for end, parcel in enumerate(self._parcels):
            if parcel.spool != self._parcels[0].spool:
                return end
        return len(self._parcels)

    def _asks_again(self, spool: str, number: int) -> bool:
        first = self._parcels[0] if self._parcels else None
        return first is not None and first.spool == spool and number == first.first - 1

    def _go_back(self, now: float) -> None:
        self._fresh = 0
        self._repeated = now
        self._resend_at = now

    def _fill(self) -> None:
        while len(self._parcels) < self._ahead:
            events = self._spool.take(RECORDS)
            if not events:
                return
            for spool, first, last, text in events:
                if (
                    not self._parcels
                    or self._fresh == len(self._parcels)
                    or not self._parcels[-1].takes(spool, first, text)
                ):
                    self._parcels.append(Parcel(spool, first))
                self._parcels[-1].add(last, text)
