"""The UDP doorway of agents: greetings, heartbeats and events come in, acknowledgements go out."""

import socket
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Protocol

from msgspec import json
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorUDP
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from monitor436.agent import wire
from monitor436.model import event as kinds
from monitor436.model.enrolment import Bound, Enrolment
from monitor436.model.event import Event
from monitor436.model.ledger import Ledger
from monitor436.model.messages import read_beat, read_events, read_hello, read_nothing
from monitor436.model.roster import Roster
from monitor436.model.sessions import AgentSession, Sessions
from monitor436.model.site_keys import SiteKeys
from monitor436.ordered import StartError
from monitor436.services.event_log import EventLog, NotDurable

FETCHES = 300.0  # plans a second that the door can serve
PING_SIZE = wire.MIN_DATAGRAM + len(b"{}")
MOST_REFUSED = 1000  # (name, serial) pairs told of; a host that comes with a key of its own is told of once


class Wanted(Protocol):
    """Which plan a host should follow."""

    def digest(self, host: str) -> str:
        """The digest of a host's plan."""


class AgentsProtocol(DatagramProtocol):
    """The doorway: authenticates, asks the rules, states what follows. It looks at the clock once a datagram.

    `refused` counts datagrams by reason and `heard` by type; a stranger gets no answer.
    """

    log = Logger()

    def __init__(
        self,
        server: Callable[[], dict[str, object]],
        sessions: Sessions,
        enrolment: Enrolment,
        keep: Callable[[Bound], None],
        roster: Roster,
        ledger: Ledger,
        event_log: EventLog,
        wanted: Wanted,
        monotonic: Callable[[], float],
    ) -> None:
        self.refused: Counter[str] = Counter()
        self.heard: Counter[str] = Counter()
        self._server = server
        self._sessions = sessions
        self._enrolment = enrolment
        self._keep = keep
        self._roster = roster
        self._ledger = ledger
        self._event_log = event_log
        self._wanted = wanted
        self._monotonic = monotonic
        # Sessions that nobody has spoken in yet, and how many bytes the greeting is still worth: it may be a replay.
        self._greeting: dict[str, tuple[AgentSession, int]] = {}
        self._told_refused: set[tuple[str, bytes]] = set()
        self._move_within = 0.0  # seconds in which hosts come that are to be moved to another key of the site
        self._takes = {
            wire.BEAT: self._beat,
            wire.EVENTS: self._events,
            wire.PONG: self._sign_of_life,
            wire.RESETACK: self._sign_of_life,
            wire.BYE: self._bye,
        }

    def datagramReceived(self, datagram: bytes, address: tuple[str, int]) -> None:
        now = self._monotonic()
        try:
            header = wire.header(datagram)
            if header[0] == wire.HELLO:
                self._hello(datagram, address)
                return
            take = self._takes.get(header[0])
            if take is None:
                raise wire.WireError("type")
            session, body = self._sessions.open(header, datagram, address)
            take(session, body, now)
        except wire.WireError as refused:
            self.refused[refused.reason] += 1

    def follow(self, keys: SiteKeys) -> None:
        """The keys of the site from now on. Hosts under the one before come for another, each at its own moment."""
        self._sessions.follow(keys)
        self._move_within = max(1.0, len(self._enrolment) / FETCHES)

    def ping(self, host: str) -> None:
        """Ask a host whether it is there."""
        session = self._sessions.of(host)
        if session is not None:
            self._send(session, wire.PING, b"{}")
        greeted, left = self._greeting.get(host, (None, 0))
        if greeted is not None and left >= PING_SIZE:
            self._greeting[host] = greeted, left - PING_SIZE
            self._send(greeted, wire.PING, b"{}")

    def reset(self, hosts: Iterable[str]) -> None:
        """Tell these hosts that their plan changed. One that does not hear it learns it with its next beat.

        They come for it one after the other, each at its own moment of the time that is told.
        """
        told = [session for session in map(self._sessions.of, hosts) if session is not None]
        within = len(told) / FETCHES
        for session in told:
            plan = self._wanted.digest(session.name)
            self._send(session, wire.RESET, json.encode({"plan": plan, "within": within}))

    def _hello(self, datagram: bytes, address: tuple[str, int]) -> None:
        greeting = wire.open_greeting(datagram)
        secret = self._sessions.authenticate(greeting, datagram)
        hello = read_hello(greeting.body)
        if not self._enrolment.allows(greeting.name, greeting.serial.hex(), greeting.generation):
            self._tell_refused(greeting, address)
            raise wire.WireError("refused")
        session = self._sessions.greet(greeting, hello, address, secret)
        self._roster.knocked(greeting.name, self._monotonic())
        have = {spool: self._ledger.last(greeting.name, spool) for spool in hello.spools}
        about = {"nonce": session.server_nonce.hex(), "plan": self._wanted.digest(greeting.name), "have": have}
        move = {"rekey": True, "within": self._move_within} if session.rekey else {}
        body = json.encode({**self._server(), **about, **move})
        welcome = greeting._replace(kind=wire.WELCOME, session=session.wire.id, body=body)
        answer = wire.seal_greeting(secret.hello, welcome)
        if len(answer) <= len(datagram):  # a replayed greeting must not be worth more than it cost
            self._write(answer, address)
            if session.hello is not None:
                self._greeting[greeting.name] = session, len(datagram) - len(answer)
        self.heard["HELLO"] += 1

    def _beat(self, session: AgentSession, body: bytes, now: float) -> None:
        beat = read_beat(body)
        news = self._roster.beat(session.name, now, beat.up, beat.fill, beat.plan)
        if news or session.hello is not None:
            self._met(session, news)
        self.heard["BEAT"] += 1
        move = self._move_within if session.rekey else 0.0
        answer = _beatack(self._wanted.digest(session.name), bool(self._event_log.degraded), move)
        self._send(session, wire.BEATACK, answer)

    def _events(self, session: AgentSession, body: bytes, now: float) -> None:
        message = read_events(body)
        self._alive(session, now)
        self.heard["EVENTS"] += 1
        if not self._event_log.accepts:
            raise wire.WireError("busy")  # no answer: the agent keeps the events and comes again
        host = session.name
        taken = self._ledger.take(host, message)
        if taken is None:
            self._acknowledge(session, message.s)
            return
        if taken.gap is not None:
            self._event_log.state([_taken_over(host, message.s, taken.gap)])
        received = self._event_log.now()
        number = message.n - 1
        events = []
        for index, stated in enumerate(message.e):
            number += 1 + stated.lost
            if index >= taken.start:
                events.append(stated.event(host, message.s, number, received))
        durable = self._event_log.append(events)
        durable.addCallbacks(
            lambda _: self._durable(session, message.s, taken.last), lambda failure: failure.trap(NotDurable) and None
        )

    def _durable(self, session: AgentSession, spool: str, last: int) -> None:
        self._ledger.wrote(session.name, spool, last)
        self._acknowledge(session, spool)

    def _sign_of_life(self, session: AgentSession, body: bytes, now: float) -> None:
        read_nothing(body)
        self._alive(session, now)

    def _bye(self, session: AgentSession, body: bytes, now: float) -> None:
        read_nothing(body)
        self._alive(session, now)
        self._event_log.state(self._roster.stopped(session.name, now))
        self._sessions.end(session)
        self.heard["BYE"] += 1

    def _alive(self, session: AgentSession, now: float) -> None:
        news = self._roster.heard(session.name, now)
        if news or session.hello is not None:
            self._met(session, news)

    def _met(self, session: AgentSession, news: Iterable[Event]) -> None:
        """State what follows from hearing a host; on the first datagram of a session also what its greeting said."""
        stated = list(news)
        hello, session.hello = session.hello, None
        self._greeting.pop(session.name, None)
        if hello is not None:
            bound = self._enrolment.bind(session.name, session.serial, session.wire.generation, session.mark)
            if bound is not None:
                self._keep(bound)
            stated += self._roster.greeted(session.name, hello.boot, hello.version, session.address[0])
            if len(hello.spools) < wire.MAX_LIVE and self._roster.settled(session.name):
                self._ledger.keep_only(session.name, hello.spools)
        self._event_log.state(stated)

    def _acknowledge(self, session: AgentSession, spool: str) -> None:
        self._send(session, wire.ACK, b'{"s":"%s","n":%d}' % (spool.encode(), self._ledger.last(session.name, spool)))

    def _send(self, session: AgentSession, kind: int, body: bytes) -> None:
        self._write(session.wire.seal(kind, body), session.address)

    def _write(self, datagram: bytes, address: tuple[str, int]) -> None:
        if self.transport is None:
            return  # stopped while the last batch became durable: its agent comes again and is told then
        try:
            self.transport.write(datagram, address)
        except OSError:
            self.refused["send"] += 1

    def _tell_refused(self, greeting: wire.Greeting, address: tuple[str, int]) -> None:
        who = (greeting.name, greeting.serial)
        if who in self._told_refused or len(self._told_refused) >= MOST_REFUSED:
            return
        self._told_refused.add(who)
        text = f"{address[0]} greets as {greeting.name}, but that name belongs to another key"
        fields: dict[str, kinds.Field] = {"address": address[0], "serial": greeting.serial.hex()}
        event = Event(kind=kinds.HOST_REFUSED, host=greeting.name, severity="warning", text=text, fields=fields)
        self._event_log.state([event])


class AgentsService(Service):
    """Listens for agents on a UDP socket with a receive buffer that takes a whole fleet's greetings at once."""

    log = Logger()

    def __init__(self, protocol: AgentsProtocol, address: str, port: int, buffer: int, reactor: IReactorUDP) -> None:
        self.setName("agents")
        self.protocol = protocol
        self.port = port  # the one that is open, once started
        self._address = address
        self._buffer = buffer
        self._reactor = reactor
        self._listening: object = None

    def startService(self) -> None:
        """Raises StartError where the port cannot be had."""
        super().startService()
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with opened:
            opened.setblocking(False)
            _enlarge(opened, self._buffer)
            try:
                opened.bind((self._address, self.port))
            except OSError as problem:
                raise StartError(f"agents: {self._address}:{self.port}/udp: {problem.strerror}") from None
            self.port = opened.getsockname()[1]
            self._listening = self._reactor.adoptDatagramPort(  # type: ignore[attr-defined]
                opened.fileno(), socket.AF_INET, self.protocol, maxPacketSize=65535
            )
            self.protocol.transport = _Straight(self._listening.socket)  # type: ignore[assignment, attr-defined]

    def stopService(self) -> object:
        super().stopService()
        return self._listening.stopListening() if self._listening else None  # type: ignore[attr-defined]


class _Straight:
    """Answers go where a datagram came from: looking whether that is an address costs more than sending to it."""

    def __init__(self, port: socket.socket) -> None:
        self.write = port.sendto


@lru_cache(maxsize=1024)
def _beatack(plan: str, degraded: bool, move: float) -> bytes:
    told = {"plan": plan, "degraded": degraded}
    return json.encode({**told, "rekey": True, "within": move} if move else told)


def _enlarge(opened: socket.socket, size: int) -> None:
    """Ask the kernel for the buffer, with the right to exceed its limit if we have it; it may give less."""
    forced = getattr(socket, "SO_RCVBUFFORCE", 33)
    try:
        opened.setsockopt(socket.SOL_SOCKET, forced, size)
    except OSError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def _taken_over(host: str, spool: str, gap: tuple[int, int]) -> Event:
    text = f"events {gap[0]} to {gap[1]} of {host}/{spool} were acknowledged by another server"
    fields: dict[str, kinds.Field] = {"spool": spool, "first": gap[0], "last": gap[1]}
    return Event(kind=kinds.TAKEN_OVER, host=host, text=text, fields=fields)
