"""An hour of two hundred hosts on a bad network: simulated time, seeded loss, and the code that runs in truth.

The hosts greet and beat with the agent's own wire and homing; the server is its doorway, sessions and roster. Between
them every datagram may be lost, in either direction.
"""

import unittest
from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Any

from monitor436.agent import wire
from monitor436.agent.identity import Identity
from monitor436.heart import Heart, Sent
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.hosts.roster import Roster
from monitor436.model.keys.enrolment import Enrolment
from monitor436.model.keys.sessions import Sessions
from monitor436.model.stream.ledger import Ledger
from monitor436.services.agents import AgentsProtocol
from monitor436.services.liveness import EVERY

SITE = b"s" * 32
SERVER = ("10.0.0.1", 4360)
HOSTS = 200
HOUR = 3600.0
LOSS = 0.1  # of the datagrams, in each direction
SLOWEST = 0.05  # seconds that a datagram is on its way
DEATHS = 100
GONE = 90.0  # seconds until a host that died is back
FOUND = 20.0  # seconds within which a death is to be found


class Told:
    """Takes events with the time at which they were stated, as the event log does."""

    degraded = ""

    def __init__(self, lan: "Lan") -> None:
        self._lan = lan
        self.events: list[tuple[float, Event]] = []

    def state(self, events: list[Event]) -> None:
        self.events += [(self._lan.now, event) for event in events]


class Plain:
    """Nobody should follow any plan."""

    def digest(self, host: str) -> str:
        """None."""
        return ""


class Lan:
    """A server, hosts, and what lies between them."""

    def __init__(self, seed: int, hosts: int, loss: float) -> None:
        self.now = 0.0
        self.loss = loss
        self.chance = Random(seed)
        self.told = Told(self)
        self.hearts: dict[tuple[str, int], Heart | None] = {}
        self._names: dict[tuple[str, int], str] = {}
        self._waiting: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self.roster = Roster(lambda name: 15.0)
        sessions = Sessions(SITE, self.random)
        about = {"server": "srv", "boot": "b", "port": 4360, "door": 4360, "degraded": False}
        self.door = AgentsProtocol(
            lambda: about, sessions, Enrolment([]), lambda bound: None, self.roster, Ledger(), self.told, Plain(),
            lambda: self.now,
        )  # type: ignore[arg-type]  # fmt: skip
        self.door.transport = self  # type: ignore[assignment]
        for number in range(hosts):
            address = ("10.0.1.1", number)
            self._names[address] = f"h{number:03}"
            self.at(self.chance.uniform(0.0, 5.0), self.starts, address)
        self.at(0.0, self._looks)

    def random(self, size: int) -> bytes:
        """Bytes as seeded as the rest."""
        return self.chance.getrandbits(size * 8).to_bytes(size, "big")

    def at(self, when: float, call: Callable[..., None], *given: Any) -> None:
        """Call something at a time."""
        self._count += 1
        heappush(self._waiting, (when, self._count, call, given))

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._waiting and self._waiting[0][0] <= until:
            self.now, _, call, given = heappop(self._waiting)
            call(*given)
        self.now = until

    def starts(self, address: tuple[str, int]) -> None:
        """The agent of a host starts."""
        name, serial = self._names[address], b"1" * 8
        identity = Identity(name, wire.host_key(SITE, name, serial, 0), serial, 0)
        heart = Heart(identity, 5.0, self.random(4).hex(), lambda: 1, self.random)
        heart.homing.named("srv", SERVER)
        self.hearts[address] = heart
        self._turns(address, heart)

    def dies(self, address: tuple[str, int]) -> None:
        """A host has no power any more."""
        self.hearts[address] = None

    def write(self, datagram: bytes, address: tuple[str, int]) -> None:
        """The server sends."""
        if self.chance.random() >= self.loss:
            self.at(self.now + self.chance.random() * SLOWEST, self._arrives, datagram, address)

    def _arrives(self, datagram: bytes, address: tuple[str, int]) -> None:
        heart = self.hearts[address]
        if heart is not None:
            self._send(heart.takes(datagram, SERVER, self.now), address)

    def _turns(self, address: tuple[str, int], heart: Heart) -> None:
        if self.hearts[address] is heart:
            self._send(heart.turn(self.now), address)
            self.at(heart.due, self._turns, address, heart)

    def _send(self, sent: Sent, address: tuple[str, int]) -> None:
        for datagram, _ in sent:
            if self.chance.random() >= self.loss:
                self.at(self.now + self.chance.random() * SLOWEST, self.door.datagramReceived, datagram, address)

    def _looks(self) -> None:
        expired = self.roster.expire(self.now)
        self.told.state(expired.events)
        for name in expired.pings:
            self.door.ping(name)
        self.at(self.now + EVERY, self._looks)


class FalseAlarmTests(unittest.TestCase):
    """10 % of the datagrams are lost each way; a hundred hosts die, one after the other, and come back."""

    lan: Lan
    deaths: dict[str, float]

    @classmethod
    def setUpClass(cls) -> None:
        cls.lan, cls.deaths = Lan(436, HOSTS, LOSS), {}
        for number in range(DEATHS):
            when = cls.lan.chance.uniform(30.0, HOUR - GONE - FOUND)
            cls.deaths[f"h{number:03}"] = when
            cls.lan.at(when, cls.lan.dies, ("10.0.1.1", number))
            cls.lan.at(when + GONE, cls.lan.starts, ("10.0.1.1", number))
        cls.lan.run(HOUR)

    def told(self, kind: str) -> list[tuple[float, str]]:
        """When events of a kind were stated, and of which hosts."""
        return [(when, event.host) for when, event in self.lan.told.events if event.kind == kind]

    def test_nobody_who_lives_is_called_down(self) -> None:
        """Not one of some 140,000 intervals between beats, though one of ten beats does not arrive."""
        false = [
            (when, host)
            for when, host in self.told(kinds.HOST_DOWN)
            if not 0.0 <= when - self.deaths.get(host, HOUR) <= GONE
        ]
        self.assertEqual(false, [])
        beats = self.lan.door.heard["BEAT"] / (HOSTS * HOUR / 5.0)
        self.assertTrue(0.87 < beats < 0.93, beats)

    def test_every_death_is_found_in_time(self) -> None:
        """A hundred of a hundred, each told once."""
        told = self.told(kinds.HOST_DOWN)
        self.assertEqual(len(told), DEATHS)
        found = {host: when for when, host in told}
        late = {host: found.get(host, HOUR) - when for host, when in self.deaths.items()}
        self.assertEqual({host: seconds for host, seconds in late.items() if seconds > FOUND}, {})
        self.assertEqual(len(late), DEATHS)

    def test_everybody_is_back(self) -> None:
        """And was found once; those who died had another boot id when they came back."""
        back = [host for _, host in self.told(kinds.HOST_UP)]
        self.assertLessEqual(set(self.deaths), set(back))
        self.assertEqual(sorted(host for _, host in self.told(kinds.HOST_REBOOTED)), sorted(self.deaths))
        self.assertEqual(sorted(host for _, host in self.told(kinds.HOST_FOUND)), sorted(self.lan._names.values()))
        self.assertEqual({seen.state for seen in self.lan.roster.seen(HOUR)}, {"up"})

    def test_lost_beats_are_no_news(self) -> None:
        """Late are those who died, and hardly anybody else."""
        late = [host for when, host in self.told(kinds.HOST_LATE) if not 0 <= when - self.deaths.get(host, HOUR) < GONE]
        self.assertLessEqual(len(late), 2)
        self.assertEqual(self.told(kinds.ISOLATED) + self.told(kinds.HOST_FLAPPING), [])


class WorseTests(unittest.TestCase):
    """Networks that are worse than that."""

    def test_a_fifth_may_be_lost(self) -> None:
        """Some are late now and then, and answer."""
        lan = Lan(436, 50, 0.2)
        lan.run(HOUR / 2)
        self.assertEqual([event.host for _, event in lan.told.events if event.kind == kinds.HOST_DOWN], [])

    def test_a_network_that_is_gone_for_half_a_minute_is_one_doubt(self) -> None:
        """All are back by themselves within seconds: there was no beacon to call them."""
        lan = Lan(436, 50, 0.0)
        lan.run(60.0)
        lan.told.events.clear()
        lan.loss = 1.0
        lan.run(90.0)
        lan.loss = 0.0
        lan.run(150.0)
        told = [event.kind for _, event in lan.told.events if event.kind != kinds.HOST_LATE]
        self.assertEqual(told, [kinds.ISOLATED, kinds.ISOLATION_OVER])
        self.assertEqual({seen.state for seen in lan.roster.seen(lan.now)}, {"up"})


class QuestionTests(unittest.TestCase):
    """What a quiet host is asked through."""

    def test_a_session_in_which_nobody_has_spoken_is_asked_through_too(self) -> None:
        """The agent may have the answer to its greeting, and its first beat was lost."""
        lan = Lan(436, 1, 0.0)
        lan.run(31.0)
        heart, sent = lan.hearts["10.0.1.1", 0], []
        assert heart is not None
        heart.homing.servers["srv"].greet_anew()
        ((hello, _),) = heart.homing.greetings(lan.now)
        lan.write = lambda datagram, address: sent.append(datagram)  # type: ignore[method-assign]
        lan.door.datagramReceived(hello, ("10.0.1.1", 0))
        heart.takes(sent.pop(), SERVER, lan.now)  # the beat that it answers with is lost
        lan.door.ping("h000")
        answers = [answer for ping in sent for answer, _ in heart.takes(ping, SERVER, lan.now)]
        self.assertEqual((len(sent), len(answers)), (2, 1))
        lan.now += 1.0
        lan.door.datagramReceived(answers[0], ("10.0.1.1", 0))
        self.assertEqual(lan.roster.get("h000").last, lan.now)  # type: ignore[union-attr]

    def test_the_session_before_it_still_answers_while_it_greets(self) -> None:
        """Its greetings are lost, and the questions are not."""
        lan = Lan(436, 1, 0.0)
        lan.run(31.0)
        heart = lan.hearts["10.0.1.1", 0]
        assert heart is not None
        while heart.greeted:
            heart.turn(heart.due)
        lan.run(lan.now + 1.0)
        before = lan.roster.get("h000").last  # type: ignore[union-attr]
        lan.door.ping("h000")
        lan.run(lan.now + 0.2)
        self.assertGreater(lan.roster.get("h000").last, before)  # type: ignore[union-attr]

    def test_it_never_gets_more_bytes_than_the_greeting_had(self) -> None:
        """Somebody may repeat an old greeting under the address of a victim."""
        lan = Lan(436, 1, 1.0)
        lan.run(6.0)
        heart, sent = lan.hearts["10.0.1.1", 0], []
        assert heart is not None
        ((hello, _),) = heart.homing.greetings(100.0)
        lan.write = lambda datagram, address: sent.append((len(datagram), address))  # type: ignore[method-assign]
        lan.door.datagramReceived(hello, ("6.6.6.6", 6))
        for _ in range(1000):
            lan.door.ping("h000")
        self.assertGreater(len(sent), 5)
        self.assertLessEqual(sum(size for size, address in sent if address == ("6.6.6.6", 6)), len(hello))
