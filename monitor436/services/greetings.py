"""Greetings: who may come in, and what a host is told then. A greeting may be a replay, so it proves nothing."""

from collections.abc import Callable
from typing import Protocol

from msgspec import json

from monitor436.agent import wire
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.hosts.roster import Roster
from monitor436.model.keys.enrolment import Enrolment
from monitor436.model.keys.sessions import AgentSession, Sessions
from monitor436.model.stream.ledger import Ledger
from monitor436.model.stream.messages import read_hello
from monitor436.model.stream.pace import Pace
from monitor436.services.event_log import EventLog
from monitor436.udp_port import Address

MOST_REFUSED = 1000  # (name, serial) pairs told of; a host that comes with a key of its own is told of once


class Wanted(Protocol):
    """Which plan a host should follow."""

    def digest(self, host: str) -> str:
        """The digest of a host's plan."""


class Greetings:
    """Answers greetings. `server()` is what every host is told of this server.

    `move_within` is the time in seconds in which hosts come that are to be moved to another key of the site.
    """

    def __init__(
        self,
        server: Callable[[], dict[str, object]],
        sessions: Sessions,
        enrolment: Enrolment,
        roster: Roster,
        ledger: Ledger,
        event_log: EventLog,
        wanted: Wanted,
        pace: Pace,
    ) -> None:
        self.move_within = 0.0
        self._server = server
        self._sessions = sessions
        self._enrolment = enrolment
        self._roster = roster
        self._ledger = ledger
        self._event_log = event_log
        self._wanted = wanted
        self._pace = pace
        # Sessions that nobody has spoken in yet, and how many bytes the greeting is still worth.
        self._unmet: dict[str, tuple[AgentSession, int]] = {}
        self._told_refused: set[tuple[str, bytes]] = set()

    def answer(self, datagram: bytes, address: Address, now: float) -> bytes:
        """The WELCOME for a greeting, or b"": an answer is never longer than what it answers. Raises WireError;
        "pace" while too much was stated of the host, whose agent comes again.
        """
        greeting = wire.open_greeting(datagram)
        secret = self._sessions.authenticate(greeting, datagram)
        hello = read_hello(greeting.body)
        if not self._enrolment.allows(greeting.name, greeting.serial.hex(), greeting.generation):
            self._tell_refused(greeting, address)
            raise wire.WireError("refused")
        self._roster.knocked(greeting.name, now)
        if self._pace.part(greeting.name, now) >= 1.0:
            raise wire.WireError("pace")
        session = self._sessions.greet(greeting, hello, address, secret)
        session.greeted = now
        have = {spool: self._ledger.last(greeting.name, spool) for spool in hello.spools}
        about = {"nonce": session.server_nonce.hex(), "plan": self._wanted.digest(greeting.name), "have": have}
        move = {"rekey": True, "within": self.move_within} if session.rekey else {}
        body = json.encode({**self._server(), **about, **move})
        welcome = greeting._replace(kind=wire.WELCOME, session=session.wire.id, body=body)
        answer = wire.seal_greeting(secret.hello, welcome)
        left = len(datagram) - len(answer)
        if left < 0:
            return b""
        if session.hello is not None:
            self._unmet[greeting.name] = session, left
        return answer

    def session(self, host: str, size: int) -> AgentSession | None:
        """The session of a host's last greeting, if that is worth another `size` bytes and nobody has spoken in it."""
        session, left = self._unmet.get(host, (None, 0))
        if session is None or left < size:
            return None
        self._unmet[host] = session, left - size
        return session

    def met(self, host: str) -> None:
        """Somebody spoke in a session of this host, so its greeting was no replay."""
        self._unmet.pop(host, None)

    def _tell_refused(self, greeting: wire.Greeting, address: Address) -> None:
        who = (greeting.name, greeting.serial)
        if who in self._told_refused or len(self._told_refused) >= MOST_REFUSED:
            return
        self._told_refused.add(who)
        text = f"{address[0]} greets as {greeting.name}, but that name belongs to another key"
        fields: dict[str, kinds.Field] = {"address": address[0], "serial": greeting.serial.hex()}
        event = Event(kind=kinds.HOST_REFUSED, host=greeting.name, severity="warning", text=text, fields=fields)
        self._event_log.state([event])
