"""The doorway of agents without a network, and agents that speak to it."""

import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from monitor436.agent import event as stated
from monitor436.agent import wire
from monitor436.agent.wire import Key, Session
from monitor436.bus import EventBus
from monitor436.journal import Journal
from monitor436.model.event import Event, read_line
from monitor436.model.hosts.roster import Roster
from monitor436.model.keys.enrolment import Bound, Enrolment
from monitor436.model.keys.sessions import Sessions
from monitor436.model.stream.ledger import Ledger
from monitor436.services.agents import AgentsProtocol
from monitor436.services.event_log import EventLog

SITE = b"s" * 32
SPOOL = "a" * 16


class Wanted:
    """Every host should follow the same plan."""

    def digest(self, host: str) -> str:
        """Its digest."""
        return "d" * 64


class Port:
    """Where the doorway writes to."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, tuple[str, int]]] = []

    def write(self, datagram: bytes, address: tuple[str, int]) -> None:
        self.sent.append((datagram, address))


class Agent:
    """The other end, as a host speaks."""

    def __init__(self, name: str, door: AgentsProtocol, port: Port, serial: bytes = b"1" * 8) -> None:
        self.name, self.door, self.port, self.serial = name, door, port, serial
        self.address = (f"10.0.0.{len(name)}", 5000)
        self.secret = wire.host_key(SITE, name, serial, 0)
        self.key = Key(wire.hello_key(self.secret))

    def hello(self, nonce: bytes = b"n" * 16, **about: object) -> bytes:
        """A greeting."""
        greeting = wire.Greeting(wire.HELLO, 0, 0, nonce, self.serial, self.name, wire.dump(about))
        return wire.seal_greeting(self.key, greeting)

    def greet(self, nonce: bytes = b"n" * 16, **about: object) -> dict[str, object]:
        """Greet, and take the answer."""
        ((answer, address),) = self.say(self.hello(nonce, **about))
        assert address == self.address
        greeting = wire.open_greeting(answer)
        wire.authenticate(self.key, answer)
        message = wire.parse(greeting.body)
        to_server, to_agent = wire.session_keys(self.secret, nonce, bytes.fromhex(str(message["nonce"])))
        self.session = Session(greeting.session, 0, Key(to_server), Key(to_agent))
        return message

    def say(self, datagram: bytes, address: tuple[str, int] | None = None) -> list[tuple[bytes, tuple[str, int]]]:
        """What the server sends because of a datagram."""
        del self.port.sent[:]
        self.door.arrived([(datagram, address or self.address)])
        return list(self.port.sent)

    def ask(self, kind: int, body: bytes = b"{}") -> list[tuple[int, dict[str, object]]]:
        """Types and messages of the answers to the next datagram."""
        return self.read(self.say(self.session.seal(kind, body)))

    def say_together(self, *datagrams: bytes) -> list[tuple[int, dict[str, object]]]:
        """What the server answers to datagrams that arrive in one burst."""
        del self.port.sent[:]
        self.door.arrived([(datagram, self.address) for datagram in datagrams])
        return self.read(list(self.port.sent))

    def read(self, answers: list[tuple[bytes, tuple[str, int]]]) -> list[tuple[int, dict[str, object]]]:
        """Types and messages of answers."""
        headers = [(wire.header(datagram), datagram) for datagram, _ in answers]
        return [(header[0], wire.parse(self.session.open(datagram, header[3]))) for header, datagram in headers]

    def events(self, first: int, *texts: str, acknowledged: int = 0, elsewhere: int = 0) -> bytes:
        """A datagram with log lines."""
        events = [stated.event(stated.LOG_LINE, "warning", text, 1.0) for text in texts]
        body = {"s": SPOOL, "n": first, "a": acknowledged, "r": elsewhere, "e": events}
        return self.session.seal(wire.EVENTS, wire.dump(body))

    def report(self, first: int, *texts: str, acknowledged: int = 0) -> list[tuple[int, dict[str, object]]]:
        """Report log lines."""
        return self.read(self.say(self.events(first, *texts, acknowledged=acknowledged)))


class DoorwayCase(SynchronousTestCase):
    """Shared: a server without a network."""

    rotate_at = 1 << 20  # bytes of the events file
    within: str | None = None  # the folder for temporary folders, if it is not the usual one

    def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp(dir=self.within))
        self.addCleanup(shutil.rmtree, folder)
        self.path = folder / "events.jsonl"
        self.kept: list[Bound] = []
        self.syncs = 0
        self.now = 0.0
        self.start()

    def start(self, in_thread: Callable[[Callable[[], Any]], Deferred[Any]] = execute) -> None:
        """The next run of the server; its disk is as quick as `in_thread`."""
        journal = Journal(self.path, self.rotate_at, 1e9, 3)
        self.addCleanup(journal.close)
        self.ledger = Ledger()
        self.log = EventLog(journal, self.ledger, EventBus(), ("demo", "b"), in_thread, lambda: 1e9)
        self.log.startService()
        self.roster = Roster(lambda name: 15.0)
        self.seed = random.Random(436)
        sessions = Sessions(SITE, lambda size: self.seed.getrandbits(size * 8).to_bytes(size, "big"))
        about: dict[str, object] = {"server": "demo", "boot": "b", "port": 4360, "door": 4360, "degraded": False}
        self.door = AgentsProtocol(
            lambda: dict(about), sessions, Enrolment(self.kept), self.keep, self.roster, self.ledger, self.log,
            Wanted(), lambda: self.now,
        )  # fmt: skip
        self.port = Port()
        self.door.transport = self.port

    def keep(self, bound: Sequence[Bound]) -> None:
        """What the server makes durable at once."""
        self.kept += bound
        self.syncs += 1

    def lines(self, kind: str = "") -> list[Event]:
        """The events in the file."""
        events = [read_line(line) for line in self.path.read_bytes().splitlines()]
        return [event for event in events if not kind or event.kind == kind]

    def met(self, name: str = "web1") -> Agent:
        """An agent with a session in use."""
        agent = Agent(name, self.door, self.port)
        agent.greet()
        agent.ask(wire.BEAT)
        return agent
