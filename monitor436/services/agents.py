"""The UDP doorway of agents: greetings, heartbeats and events come in, acknowledgements go out."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from struct import Struct
from typing import Protocol

from msgspec import json
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorFDSet
from twisted.logger import Logger

from monitor436.agent import wire
from monitor436.agent.wire import MAX_DATAGRAM, MIN_DATAGRAM
from monitor436.model.event import Event
from monitor436.model.hosts.datagrams import LAST
from monitor436.model.hosts.roster import Roster
from monitor436.model.keys.enrolment import Bound, Enrolment
from monitor436.model.keys.sessions import AgentSession, Sessions
from monitor436.model.keys.site_keys import SiteKeys
from monitor436.model.settings.hosts import Agents
from monitor436.model.stream.credit import Credit
from monitor436.model.stream.ledger import Ledger
from monitor436.model.stream.messages import read_beat, read_nothing
from monitor436.model.stream.pace import Pace
from monitor436.ordered import StartError
from monitor436.services.event_log import EventLog
from monitor436.services.greetings import Greetings, Wanted
from monitor436.services.intake import Intake
from monitor436.udp_port import Address, Burst, UdpPort

FETCHES = 500.0  # plans a second that the door serves beside all else: 0.8 ms of CPU each (benchmarks/plan_change.py)
PING_SIZE = wire.MIN_DATAGRAM + len(b"{}")
MOST_FAILURES = 10  # tracebacks of this doorway in the log: whoever finds a mistake in it must not fill the disk


class Transport(Protocol):
    """Where answers go."""

    def write(self, datagram: bytes, address: Address, /) -> object:
        """Send; may raise OSError."""


class AgentsProtocol:
    """The doorway: authenticates, asks the rules, states what follows. It looks at the clock once a burst.

    `transport` takes the answers, `credit` says how much agents may send at once, `pace` how much over a minute.
    `refused` counts datagrams by reason and `heard` by type; a stranger gets no answer.
    """

    log = Logger()

    def __init__(
        self,
        server: Callable[[], dict[str, object]],
        sessions: Sessions,
        enrolment: Enrolment,
        keep: Callable[[Sequence[Bound]], None],
        roster: Roster,
        ledger: Ledger,
        event_log: EventLog,
        wanted: Wanted,
        monotonic: Callable[[], float],
    ) -> None:
        self.refused: Counter[str] = Counter()
        self.transport: Transport | None = None
        self.heard = dict.fromkeys(wire.NAMES.values(), 0)
        self._sessions = sessions
        self._enrolment = enrolment
        self._keep = keep
        self._bound: list[Bound] = []  # names that were bound by the present burst
        self._roster = roster
        self._ledger = ledger
        self._event_log = event_log
        self._wanted = wanted
        self._monotonic = monotonic
        self.credit = Credit()
        self.pace = Pace()
        self._greetings = Greetings(server, sessions, enrolment, roster, ledger, event_log, wanted, self.pace)
        self._intake = Intake(ledger, event_log, self.credit, self.pace, self._acknowledge)
        self._takes = {
            wire.MAGIC + bytes([wire.VERSION, kind]): take
            for kind, take in (
                (wire.BEAT, self._beat),
                (wire.EVENTS, self._events),
                (wire.PONG, self._sign_of_life),
                (wire.RESETACK, self._sign_of_life),
                (wire.BYE, self._bye),
            )
        }

    def datagramReceived(self, datagram: bytes, address: Address) -> None:
        """A datagram came, alone."""
        self.arrived([(datagram, address)])

    def arrived(self, burst: Burst) -> None:
        """Datagrams came, together. Those of sessions in use, nearly all, go a short way."""
        now, takes, find = self._monotonic(), self._takes, self._sessions.find
        for datagram, address in burst:
            try:
                take, size = takes.get(datagram[:4]), len(datagram)
                if take is not None and MIN_DATAGRAM <= size <= MAX_DATAGRAM:
                    id, number = _session_and_number(datagram, 6)
                    session = find(id)
                    if session is not None and session.hello is None:
                        body = session.wire.open(datagram, number)
                        if session.address != address:
                            session.address = address
                        take(session, body, now)
                        session.datagrams[number & LAST] = now, datagram[3], size, session.address
                        continue
                self._newcomer(datagram, address, now)
            except Exception as problem:
                self._refuse(problem, address)
        self._intake.flush(now)
        if self._bound:  # a whole fleet may come for the first time: one sync for all
            bound, self._bound = self._bound, []
            self._keep(bound)

    def _newcomer(self, datagram: bytes, address: Address, now: float) -> None:
        """A datagram that is not of a session in use: a greeting, the first one after it, or nothing of ours."""
        header = wire.header(datagram)
        if header[0] == wire.HELLO:
            answer = self._greetings.answer(datagram, address, now)
            if answer:
                self._write(answer, address)
            self.heard["HELLO"] += 1
            return
        take = self._takes.get(datagram[:4])
        if take is None:
            raise wire.WireError("type")
        session, body = self._sessions.open(header, datagram, address)
        take(session, body, now)
        session.datagrams[header[3] & LAST] = now, header[0], len(datagram), address

    def _refuse(self, problem: Exception, address: Address) -> None:
        """A datagram could not be taken. A mistake of ours is logged some times, and not without end."""
        reason = problem.reason if isinstance(problem, wire.WireError) else "failed"
        self.refused[reason] += 1
        if reason == "failed" and self.refused[reason] <= MOST_FAILURES:
            self.log.failure("a datagram from {address} could not be taken", address=address)

    def follow(self, keys: SiteKeys) -> None:
        """The keys of the site from now on. Hosts under the one before come for another, each at its own moment."""
        self._sessions.follow(keys)
        self._greetings.move_within = round(max(1.0, len(self._enrolment) / FETCHES), 1)

    def revoke(self) -> None:
        """Plans changed: the sessions of hosts whose key they revoke end."""
        allows = self._enrolment.allows
        self._sessions.end_unless(lambda session: allows(session.name, session.serial, session.wire.generation))

    def ping(self, host: str) -> None:
        """Ask a host whether it is there."""
        for session in (self._sessions.of(host), self._greetings.session(host, PING_SIZE)):
            if session is not None:
                self._send(session, wire.PING, b"{}")

    def reset(self, hosts: Iterable[str]) -> None:
        """Tell these hosts that their plan changed. One that does not hear it learns it with its next beat.

        They come for it one after the other, each at its own moment of the time that is told.
        """
        told = [session for session in map(self._sessions.of, hosts) if session is not None]
        within = len(told) / FETCHES
        for session in told:
            plan = self._wanted.digest(session.name)
            self._send(session, wire.RESET, json.encode({"plan": plan, "within": within}))

    def _beat(self, session: AgentSession, body: bytes, now: float) -> None:
        beat = read_beat(body)
        news = self._roster.beat(session.name, now, beat.up, beat.fill, beat.plan)
        if news or session.hello is not None:
            self._met(session, news, now)
        self.heard["BEAT"] += 1
        self._answer(session)

    def _answer(self, session: AgentSession) -> None:
        move = self._greetings.move_within if session.rekey else 0.0
        answer = _beatack(self._wanted.digest(session.name), bool(self._event_log.degraded), move)
        self._send(session, wire.BEATACK, answer)

    def _events(self, session: AgentSession, body: bytes, now: float) -> None:
        self.heard["EVENTS"] += 1
        self._alive(session, now)
        self._intake.take(session, body, now)

    def _sign_of_life(self, session: AgentSession, body: bytes, now: float) -> None:
        read_nothing(body)
        self._alive(session, now)

    def _bye(self, session: AgentSession, body: bytes, now: float) -> None:
        read_nothing(body)
        self._alive(session, now)
        self._state(session.name, self._roster.stopped(session.name, now), now)
        self._sessions.end(session)
        self.heard["BYE"] += 1

    def _alive(self, session: AgentSession, now: float) -> None:
        news = self._roster.heard(session.name, now)
        if news or session.hello is not None:
            self._met(session, news, now)

    def _met(self, session: AgentSession, news: Iterable[Event], now: float) -> None:
        """State what follows from hearing a host; on the first datagram of a session also what its greeting said."""
        stated = list(news)
        hello, session.hello = session.hello, None
        self._greetings.met(session.name)
        session.datagrams = self._roster.datagrams(session.name)
        if hello is not None:
            self.pace.took(session.name, 1, now)  # also of one that flaps, of whose coming and going nothing is told
            session.datagrams[0] = session.greeted, wire.HELLO, wire.HELLO_SIZE, session.address
            self._intake.begin(session.name)
            bound = self._enrolment.bind(session.name, session.serial, session.wire.generation, session.mark)
            if bound is not None:
                self._bound.append(bound)
            agent = hello.spools[-1] if hello.spools else ""
            stated += self._roster.greeted(session.name, hello.boot, hello.version, session.address[0], agent)
            others = self._roster.spools_of_others(session.name)
            if len(hello.spools) < wire.MAX_LIVE and others is not None:
                self._ledger.keep_only(session.name, hello.spools + others)
        self._state(session.name, stated, now)

    def _state(self, host: str, events: list[Event], now: float) -> None:
        """State what a host brought about. It counts as its own events do: coming and going must not fill the file."""
        if events:
            self.pace.took(host, len(events), now)
            self._event_log.state(events)

    def _acknowledge(self, session: AgentSession, body: bytes) -> None:
        self._send(session, wire.ACK, body)

    def _send(self, session: AgentSession, kind: int, body: bytes) -> None:
        self._write(session.wire.seal(kind, body), session.address)

    def _write(self, datagram: bytes, address: Address) -> None:
        if self.transport is None:
            return  # stopped while the last batch became durable: its agent comes again and is told then
        try:
            self.transport.write(datagram, address)
        except OSError:
            self.refused["send"] += 1


class AgentsService(Service):
    """Listens for agents on a UDP port with a receive buffer that takes a whole fleet's greetings at once."""

    def __init__(self, protocol: AgentsProtocol, address: str, port: int, buffer: int, reactor: IReactorFDSet) -> None:
        self.setName("agents")
        self.protocol = protocol
        self.port = port  # the one that is open, once started
        self.listening: UdpPort | None = None
        self._address = address
        self._buffer = buffer
        self._reactor = reactor

    def startService(self) -> None:
        """Raises StartError where the port cannot be had."""
        super().startService()
        try:
            self.listening = UdpPort((self._address, self.port), self._buffer, self.protocol, self._reactor)
        except OSError as problem:
            raise StartError(f"agents: {self._address}:{self.port}/udp: {problem.strerror}") from None
        self.port = self.listening.port
        self.protocol.transport = self.listening
        self.protocol.credit.buffer = self.listening.buffer
        self.listening.start()

    def follow(self, agents: Agents) -> None:
        """Other settings: how many events of a host are taken. Where it listens is settled at the start."""
        self.protocol.pace.rate = agents.events_each

    def stopService(self) -> None:
        super().stopService()
        if self.listening is not None:
            self.protocol.transport = None
            self.listening.stop()


_session_and_number = Struct("!QQ").unpack_from


@lru_cache(maxsize=1024)
def _beatack(plan: str, degraded: bool, move: float) -> bytes:
    told = {"plan": plan, "degraded": degraded}
    return json.encode({**told, "rekey": True, "within": move} if move else told)
