"""Events of agents come in: numbered, kept until their turn, written in one batch a burst, and acknowledged."""

from collections.abc import Callable

from twisted.python.failure import Failure

from monitor436.agent.wire import WireError
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.keys.sessions import AgentSession
from monitor436.model.stream.ahead import Ahead
from monitor436.model.stream.credit import Credit
from monitor436.model.stream.ledger import Ledger
from monitor436.model.stream.messages import Events, read_events
from monitor436.model.stream.pace import SLOWED, Pace
from monitor436.services.event_log import EventLog, NotDurable

Acknowledge = Callable[[AgentSession, bytes], None]
Spools = dict[tuple[AgentSession, str], int]  # the last number of each


class Intake:
    """Takes EVENTS, and acknowledges what is durable: once for each host and burst, however much came of it.

    An acknowledgement that repeats the one before says that something after it is missing. `acknowledge(session,
    body)` sends it. A host that is ahead of its `pace` has one datagram on its way, and then waits.
    """

    def __init__(
        self, ledger: Ledger, event_log: EventLog, credit: Credit, pace: Pace, acknowledge: Acknowledge
    ) -> None:
        self._ledger = ledger
        self._event_log = event_log
        self._credit = credit
        self._pace = pace
        self._acknowledge = acknowledge
        self._now = 0.0  # of this burst
        self._ahead = Ahead()
        self._share = 1  # datagrams that a host may have on its way
        self._taken: list[tuple[str, Events, int]] = []  # of this burst: host, message, index of what is new in it
        self._last: Spools = {}  # of this burst
        self._asked: dict[tuple[AgentSession, str], None] = {}  # who sent something in this burst that was not taken

    def take(self, session: AgentSession, body: bytes, now: float) -> None:
        """A datagram with events. Raises WireError; "busy" while the disk is behind, "pace" while the host has sent too
        many: the agent comes again.
        """
        message = read_events(body)
        if not self._event_log.accepts:
            raise WireError("busy")
        host, spool = session.name, message.s
        self._now = now
        if self._pace.part(host, now) >= 1.0:
            raise WireError("pace")
        self._credit.heard(host)
        if not self._accept(session, message):
            if self._ledger.lacks(host, message):
                self._ahead.keep(host, spool, message.n, body)
            self._asked[session, spool] = None
        elif self._ahead.holds(host):
            while (body := self._ahead.turn(host, spool, self._ledger.accepted(host, spool))) is not None:  # type: ignore[assignment]
                self._accept(session, read_events(body))

    def flush(self, now: float) -> None:
        """The burst is over: hand on what was taken, and answer what was not."""
        if self._taken or self._asked:
            self._share = self._credit.share(now)
            self._answer()
            self._write()

    def begin(self, host: str) -> None:
        """A host begins a session: it sends again whatever was not acknowledged."""
        self._ahead.forget(host)

    def _accept(self, session: AgentSession, message: Events) -> bool:
        host = session.name
        taken = self._ledger.take(host, message)
        if taken is None:
            return False
        if taken.gap is not None:
            self._write()  # what came before it
            self._event_log.state([_taken_over(host, message.s, taken.gap)])
            self._pace.took(host, 1, self._now)
        self._taken.append((host, message, taken.start))
        self._pace.took(host, len(message.e) - taken.start, self._now)
        self._last[session, message.s] = taken.last
        return True

    def _write(self) -> None:
        if not self._taken:
            return
        received = self._event_log.now()
        events: list[Event] = []
        for host, message, start in self._taken:
            events += message.identified(host, start, received)
        last, self._taken, self._last = self._last, [], {}
        self._event_log.append(events).addCallbacks(self._durable, _not_durable, callbackArgs=(last,))

    def _durable(self, _: object, written: Spools) -> None:
        for (session, spool), last in written.items():
            self._ledger.wrote(session.name, spool, last)
            self._tell(session, spool, last)
            if self._ahead.holds(session.name):
                self._tell(session, spool, last)

    def _answer(self) -> None:
        asked, self._asked = self._asked, {}
        for session, spool in asked:
            durable = self._ledger.last(session.name, spool)
            if durable == self._ledger.accepted(session.name, spool):  # else it is told when the rest is written
                self._tell(session, spool, durable)

    def _tell(self, session: AgentSession, spool: str, last: int) -> None:
        share = 1 if self._pace.part(session.name, self._now) >= SLOWED else self._share
        self._acknowledge(session, b'{"s":"%s","n":%d,"w":%d}' % (spool.encode(), last, share))


def _not_durable(failure: Failure) -> None:
    failure.trap(NotDurable)


def _taken_over(host: str, spool: str, gap: tuple[int, int]) -> Event:
    text = f"events {gap[0]} to {gap[1]} of {host}/{spool} were acknowledged by another server"
    fields: dict[str, kinds.Field] = {"spool": spool, "first": gap[0], "last": gap[1]}
    return Event(kind=kinds.TAKEN_OVER, host=host, text=text, fields=fields)
