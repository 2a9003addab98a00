"""Somebody on the network who has recorded everything, and a host that uses its own good key against the others.

By enumeration: whoever adds a type of datagram has to say here who may send it, and gets all of this for it.
"""

import os
import selectors
import shutil
import tempfile
from collections.abc import Iterable
from typing import NamedTuple

from monitor436.agent import event as stated
from monitor436.agent import limits, wire
from monitor436.agent.identity import Identity, Packed, State
from monitor436.agent.loop import Agent as AgentLoop
from monitor436.agent.wire import Key
from monitor436.model import event as kinds
from monitor436.model.settings.hosts import Heartbeat
from tests.services import doorway
from tests.services.doorway import SITE, DoorwayCase

FROM_HOSTS = {
    wire.HELLO,
    wire.BEAT,
    wire.EVENTS,
    wire.RESETACK,
    wire.PONG,
    wire.BYE,
}  # what a host may send, for itself
FROM_SERVERS = {wire.BEACON, wire.WELCOME, wire.BEATACK, wire.ACK, wire.RESET, wire.PING}
GREETINGS = {wire.HELLO, wire.WELCOME}  # these say in clear who they are about
SERVER, VICTIM = ("10.0.0.1", 4360), ("10.0.0.2", 5000)
BEACON_KEY = wire.beacon_key(SITE)  # it is in every agent file
SERIAL = b"v" * 8


class Line:
    """The victim's socket, without a network."""

    def __init__(self) -> None:
        self.arrived: list[tuple[bytes, tuple[str, int]]] = []
        self.sent: list[bytes] = []

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        if not self.arrived:
            raise BlockingIOError
        return self.arrived.pop(0)

    def sendto(self, datagram: bytes, address: tuple[str, int]) -> None:
        self.sent.append(datagram)


class Passed(NamedTuple):
    """A datagram on its way between the server and the victim."""

    kind: int
    datagram: bytes


class InsiderTests(DoorwayCase):
    """One server, the agent of one host as it is, and the key of another host in wrong hands."""

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        selector = selectors.DefaultSelector()
        self.addCleanup(selector.close)
        key = wire.host_key(SITE, "victim", SERIAL, 0)
        packed = Packed("0" * 64, BEACON_KEY, 4361, 4360, "", "", "victim", key, SERIAL, 0)
        nothing = limits.Limits("none", "", "none", "", None)
        identity = Identity("victim", key, SERIAL, 0)
        self.said: list[str] = []
        self.victim = AgentLoop(identity, State(folder), packed, [], nothing, selector, self.said.append)
        self.addCleanup(self.victim._spool.close)
        self.line = Line()
        self.victim.talk.over(self.line)  # type: ignore[arg-type]
        self.recorded: list[Passed] = []
        self.converse()
        self.insider = self.met("insider")

    def converse(self) -> None:
        """Everything that a server and a host can say to each other, once; all of it is recorded."""
        victim = self.victim
        victim._keeper.emit([stated.event(stated.LOG_LINE, "info", "a", 1.0)], {})
        self.beacon(BEACON_KEY)
        self.greets()
        victim._beat(1.0)
        victim._ship(1.0)
        self.passes()
        del self.port.sent[:]
        self.door.ping("victim")
        self.door.reset(["victim"])
        self.passes()
        (home,) = victim.homing.servers.values()
        assert home.session is not None
        bye = home.session.seal(wire.BYE, b"{}")  # it is recorded, and does not arrive
        self.recorded.append(Passed(wire.BYE, bye))

    def greets(self) -> None:
        """The victim greets whom it wants to greet, and hears the answer."""
        for hello, _ in self.victim.homing.greetings(1.0):
            self.line.sent.append(hello)
        self.passes()

    def passes(self) -> None:
        """What was sent arrives, and what is answered to it."""
        while self.line.sent or self.port.sent:
            for datagram in self.line.sent:
                self.recorded.append(Passed(wire.header(datagram)[0], datagram))
            sent, self.line.sent = self.line.sent, []
            answers, self.port.sent = self.port.sent, []
            self.door.arrived([(datagram, VICTIM) for datagram in sent])
            for datagram, address in answers:
                self.assertEqual(address, VICTIM)
                self.recorded.append(Passed(wire.header(datagram)[0], datagram))
                self.line.arrived.append((datagram, SERVER))
            self.victim.talk.hear(1.0)

    def beacon(self, key: bytes, boot: str = "b", server: str = "demo", source: tuple[str, int] = SERVER) -> None:
        """A beacon under a key, heard by the victim."""
        about = {"server": server, "boot": boot, "port": source[1], "door": source[1], "degraded": False}
        sealed = wire.seal(Key(key), wire.BEACON, 0, 0, 1, wire.dump(about))
        self.recorded.append(Passed(wire.BEACON, sealed))
        self.victim.beacons.hear(sealed, source, 1.0)

    def session_id(self) -> int:
        """What the victim's session is known by: it stands in each of its datagrams."""
        return next(wire.header(each.datagram)[2] for each in self.recorded if each.kind == wire.BEAT)

    # What both ends are, as far as a datagram that is believed would change it.

    def of_the_server(self) -> object:
        """All that the server knows."""
        sessions = self.door._sessions
        addresses = {name: session.address for name, session in sessions._in_use.items()}
        return (self.path.read_bytes(), list(self.kept), self.roster.seen(0.0), sorted(sessions._by_id), addresses)

    def of_the_victim(self) -> object:
        """All that the agent knows of servers, and what it is about to do."""
        homing = self.victim.homing
        servers = {
            label: (
                server.name,
                server.address,
                server.door,
                server.boot,
                server.session,
                server.secret,
                server.greet_at,
            )
            for label, server in homing.servers.items()
        }
        fetch, rekeying, outbox = self.victim._fetch, self.victim._rekeying, self.victim._outbox
        asks = (fetch.due, fetch._wanted, rekeying.due)
        return (servers, homing.home, asks, outbox._ahead, dict(self.victim._spool._acknowledged), list(self.said))

    # What an attacker can make.

    def forged(self, kind: int) -> list[bytes]:
        """Datagrams of a type in the victim's name, under every key that another host has."""
        (*_, true) = (each.datagram for each in self.recorded if each.kind == kind)
        header = wire.header(true)
        mine = self.insider
        keys = [mine.session._out, mine.session._in, mine.key, Key(mine.secret), Key(BEACON_KEY)]
        body = true[wire.HEADER.size : -wire.TAG_SIZE]
        made = []
        for key in keys:
            for session in {header[2], self.session_id(), 0, 1 << 63}:
                for number in {header[3], header[3] + 1, header[3] + 500, 1 << 60}:
                    for generation in (0, 1):
                        made.append(wire.seal(key, kind, generation, session, number, body))
        if kind in GREETINGS:
            greeting = wire.open_greeting(true)
            fresh = greeting._replace(nonce=b"f" * 16)
            own = greeting._replace(serial=mine.serial)
            made += [wire.seal_greeting(key, each) for key in keys for each in (greeting, fresh, own)]
        return [datagram for datagram in made if len(datagram) <= wire.MAX_DATAGRAM]

    def relabelled(self) -> list[bytes]:
        """Recorded datagrams that claim to be of every other type, or of the insider's session."""
        mine = self.insider.session.id.to_bytes(8, "big")
        made = []
        for kind, datagram in self.recorded:
            made += [datagram[:3] + bytes([other]) + datagram[4:] for other in range(256) if other != kind]
            made.append(datagram[:6] + mine + datagram[14:])
        return made

    def replies(self, datagrams: Iterable[bytes]) -> list[bytes]:
        """What the server sends when these come from an address that it has never heard."""
        del self.port.sent[:]
        for datagram in datagrams:
            self.door.datagramReceived(datagram, ("6.6.6.6", 6))
        return [datagram for datagram, _ in self.port.sent]

    def assert_server_refuses(self, datagrams: list[bytes]) -> None:
        """Each is counted, none is answered, and nothing is different."""
        before, counted = self.of_the_server(), sum(self.door.refused.values())
        self.assertEqual(self.replies(datagrams), [])
        self.assertEqual(self.of_the_server(), before)
        self.assertEqual(sum(self.door.refused.values()) - counted, len(datagrams))
        self.assertEqual(self.door.refused["failed"], 0)

    def assert_victim_refuses(self, datagrams: list[bytes]) -> None:
        """From the server's own address, at the port where it talks and at that where it hears beacons."""
        before = self.of_the_victim()
        self.line.sent.clear()
        for datagram in datagrams:
            self.line.arrived.append((datagram, SERVER))
            self.victim.talk.hear(2.0)
            self.victim.beacons.hear(datagram, SERVER, 2.0)
        self.assertEqual(self.line.sent, [])
        self.assertEqual(self.of_the_victim(), before)

    # The attacks.

    def test_every_type_is_decided_and_recorded(self) -> None:
        """A new one is neither, until somebody says who may send it, and lets both ends say it in `converse`."""
        self.assertEqual(FROM_HOSTS | FROM_SERVERS, set(wire.NAMES))
        self.assertEqual(FROM_HOSTS & FROM_SERVERS, set())
        self.assertEqual({each.kind for each in self.recorded}, set(wire.NAMES))

    def test_a_good_key_of_one_host_is_good_for_nothing_in_the_name_of_another(self) -> None:
        """At the server and at the other host, whatever the type."""
        for kind in wire.NAMES:
            forged = self.forged(kind)
            self.assertGreater(len(forged), 20)
            self.assert_server_refuses(forged)
            if kind != wire.BEACON:
                self.assert_victim_refuses(forged)

    def test_a_host_cannot_say_what_servers_say(self) -> None:
        """In its own session, under its own keys; and what it may say is about itself."""
        seals = {kind: self.insider.session.seal(kind, b"{}") for kind in FROM_SERVERS}
        self.assert_server_refuses(list(seals.values()))
        self.insider.report(1, "of the insider")
        self.insider.ask(wire.BYE)
        self.assertEqual({event.host for event in self.lines(kinds.HOST_STOPPED)}, {"insider"})
        self.assertEqual([each.host for each in self.lines(stated.LOG_LINE) if "insider" in each.text], ["insider"])

    def test_what_was_sent_once_is_not_taken_twice(self) -> None:
        """In order, backwards, and each many times; greetings are answered, with no more bytes than they have."""
        greetings = [each.datagram for each in self.recorded if each.kind == wire.HELLO]
        for times in range(1, 4):
            others = [each.datagram for each in self.recorded if each.kind not in (wire.HELLO, wire.BYE)] * times
            self.assert_server_refuses(others)
            self.assert_server_refuses(others[::-1])
            before = self.of_the_server()[:3]  # type: ignore[index]
            for _ in range(10):
                back = sum(map(len, self.replies(greetings)))
                self.assertLessEqual(back, sum(map(len, greetings)))
            self.assertEqual(self.of_the_server()[:3], before)  # type: ignore[index]
        self.assert_victim_refuses([each.datagram for each in self.recorded if each.kind != wire.BEACON])

    def test_greetings_played_again_earn_no_more_when_the_server_asks_who_is_there(self) -> None:
        """Pings to a host that was only greeted go to whoever greeted: they are paid for, too."""
        hello = doorway.Agent("quiet", self.door, self.port)
        greeting = hello.hello(b"q" * 16, spools=[f"{n:016x}" for n in range(8)])
        del self.port.sent[:]
        self.door.datagramReceived(greeting, ("6.6.6.6", 6))
        for _ in range(Heartbeat().pings + 50):
            self.door.ping("quiet")
        back = [datagram for datagram, _ in self.port.sent]
        self.assertGreater(len(back), 1, "it is asked, as it may be a true one")
        self.assertLessEqual(sum(map(len, back)), len(greeting))

    def test_what_goes_one_way_is_not_taken_the_other_way(self) -> None:
        """Reflected, whoever sent it."""
        there = [each.datagram for each in self.recorded if each.kind in FROM_HOSTS]
        back = [each.datagram for each in self.recorded if each.kind in FROM_SERVERS]
        self.assert_server_refuses(back)
        self.assert_victim_refuses(there)

    def test_no_datagram_is_another_one(self) -> None:
        """The tag covers type and session."""
        self.assert_server_refuses(self.relabelled())
        self.assert_victim_refuses([each for each in self.relabelled() if each[3] != wire.BEACON])

    def test_every_flipped_bit_is_refused_by_the_host_too(self) -> None:
        """As the server does it: tests/services/test_agents.py."""
        self.greets_somebody_new()
        for kind in FROM_SERVERS:
            datagram = next(each.datagram for each in self.recorded if each.kind == kind)
            flipped = []
            for bit in range(len(datagram) * 8):
                changed = bytearray(datagram)
                changed[bit // 8] ^= 1 << bit % 8
                flipped.append(bytes(changed))
            self.assert_victim_refuses(flipped)

    def greets_somebody_new(self) -> None:
        """The victim has a greeting open, so that it waits for a WELCOME."""
        self.beacon(BEACON_KEY, "another boot")
        ((hello, _),) = self.victim.homing.greetings(3.0)
        self.recorded.append(Passed(wire.HELLO, hello))

    def test_a_greeting_that_is_open_is_answered_by_a_server_only(self) -> None:
        """Not by a host, nor by the answer to an earlier one."""
        self.greets_somebody_new()
        self.assert_victim_refuses(self.forged(wire.WELCOME))
        self.assert_victim_refuses([each.datagram for each in self.recorded if each.kind == wire.WELCOME])

    def test_a_forged_beacon_is_a_hint_and_moves_nothing(self) -> None:
        """Whoever has an agent file can make one: the host greets there, and home, session and plan stay."""
        home = self.victim.homing.home
        assert home is not None
        before = (home.session, home.address, home.door, self.victim._fetch.due)
        for number in range(100):
            for server in (f"fake{number}", "demo"):
                self.beacon(BEACON_KEY, f"boot {number}", server, ("6.6.6.6", 6))
        greeted = self.victim.homing.greetings(3.0)
        self.assertEqual({address for _, address in greeted}, {("6.6.6.6", 6)})
        for hello, _ in greeted:  # it learns a name and a serial there, which stand in every greeting
            self.assertEqual(wire.open_greeting(hello).name, "victim")
        self.assertLess(len(greeted), 20)
        self.assertIs(self.victim.homing.home, home)
        self.assertEqual((home.session, home.address, home.door, self.victim._fetch.due), before)
        self.assertEqual(self.line.sent, [])

    def test_a_beacon_of_another_site_is_none(self) -> None:
        """Nor one under any key that a host has but that of beacons."""
        before = self.of_the_victim()
        for key in (os.urandom(32), self.insider.secret, wire.hello_key(self.insider.secret), SITE[:16]):
            self.beacon(key, "forged", "forged", ("6.6.6.6", 6))
        self.assertEqual(self.of_the_victim(), before)

    def test_after_all_that_both_ends_go_on(self) -> None:
        """The true next datagram is taken, each way."""
        for kind in wire.NAMES:
            self.replies(self.forged(kind))
        self.victim._beat(5.0)
        heard = self.door.heard["BEAT"]
        self.passes()
        self.assertEqual(self.door.heard["BEAT"], heard + 1)
        self.assertTrue(self.victim.homing.answers)
