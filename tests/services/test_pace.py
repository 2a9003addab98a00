"""A host that sends more events than its share, or brings them about: nothing of it is lost, nobody else waits."""

from monitor436.agent import wire
from monitor436.model import event as kinds
from monitor436.model.settings.hosts import Heartbeat
from monitor436.model.stream.pace import OVER
from tests.services.doorway import Agent, DoorwayCase

RATE = 10.0  # events a second
MOST = int(RATE * OVER)
BATCH = 10  # events in a datagram


class PaceTests(DoorwayCase):
    """A doorway that takes ten events a second of a host, over a minute."""

    def setUp(self) -> None:
        super().setUp()
        self.door.pace.rate = RATE
        self.loops = 0

    def comes_and_goes(self, agent: Agent) -> bool:
        """A host greets with a new boot id, beats and says goodbye; False if its greeting got no answer."""
        self.loops += 1
        nonce, boot = self.loops.to_bytes(16, "big"), f"{self.loops:032x}"
        if not self.say(agent, nonce, boot):
            return False
        agent.greet(nonce, boot=boot)
        agent.ask(wire.BEAT)
        agent.ask(wire.BYE)
        return True

    def say(self, agent: Agent, nonce: bytes, boot: str) -> bool:
        """Whether a greeting is answered."""
        return bool(agent.say(agent.hello(nonce, boot=boot)))

    def settled(self, name: str = "web1") -> Agent:
        """A host that was met, and of whose first session nothing counts any more."""
        agent = self.met(name)
        self.now += 1.0
        return agent

    def test_who_is_far_ahead_has_one_datagram_on_its_way_and_then_waits(self) -> None:
        """Its events go on where they stopped; heartbeats of it and events of others are answered all the while."""
        agent, other = self.settled("web1"), self.settled("web20")
        windows = []
        for first in range(1, MOST, BATCH):
            ((_, told),) = agent.report(first, *map(str, range(first, first + BATCH)))
            windows.append(told["w"])
        self.assertEqual((windows[0], windows[-1], windows.count(1)), (32, 1, len(windows) // 2 + 1))
        self.assertEqual(agent.report(MOST + 1, "too much"), [])
        self.assertEqual(self.door.refused, {"pace": 1})
        self.assertEqual([kind for kind, _ in agent.ask(wire.BEAT)], [wire.BEATACK])
        self.assertEqual([kind for kind, _ in other.report(1, "mine")], [wire.ACK])
        self.assertEqual(self.door.pace.held(self.now), ["web1"])
        self.now += 1.0
        ((_, told),) = agent.report(MOST + 1, "too much")
        self.assertEqual(told["n"], MOST + 1)
        self.assertEqual(len(self.lines("log_line")), MOST + 2)

    def test_events_that_come_again_do_not_count(self) -> None:
        """A network that loses acknowledgements makes no flood."""
        agent = self.settled()
        for first in range(1, MOST):
            agent.report(first, "a", "a")
        self.assertEqual(self.door.refused, {})

    def test_a_host_that_comes_and_goes_fills_the_file_no_faster_than_one_that_sends(self) -> None:
        """Nothing flaps by these settings: what is stated of it counts as its own events, and it waits as for those."""
        self.roster.follow(Heartbeat(flapping_changes=0))
        agent, other = Agent("web1", self.door, self.port), self.met("web20")
        while self.comes_and_goes(agent):
            self.assertLess(self.loops, MOST)
        self.assertEqual(self.door.refused, {"pace": 1})
        self.assertEqual(self.door.pace.held(self.now), ["web1"])
        self.assertLessEqual(len(self.lines()), MOST + 5)
        begun = len(self.lines())
        for _ in range(600):
            self.now += 0.1
            self.comes_and_goes(agent)
        self.assertLessEqual(len(self.lines()) - begun, RATE * OVER + 5)
        self.assertGreaterEqual(len(self.lines()) - begun, RATE * OVER / 2)
        self.assertEqual([kind for kind, _ in other.report(1, "mine")], [wire.ACK])

    def test_a_host_that_comes_and_goes_all_the_time_is_told_of_once(self) -> None:
        """It flaps then; its sessions count still, so that it is named also for its pace."""
        agent = Agent("web1", self.door, self.port)
        while self.comes_and_goes(agent):
            self.assertLess(self.loops, 2 * MOST)
        ((told),) = self.lines(kinds.HOST_FLAPPING)
        self.assertEqual((told.host, told.fields["changes"]), ("web1", 40))
        self.assertLess(len(self.lines()), 70)
        self.assertEqual(self.door.pace.held(self.now), ["web1"])

    def test_an_agent_that_is_started_some_times_does_not_wait(self) -> None:
        """Ten starts at once, each of them told, of a host of which little is taken."""
        agent = Agent("web1", self.door, self.port)
        self.assertEqual([self.comes_and_goes(agent) for _ in range(10)], [True] * 10)
        told = [self.lines(kind) for kind in (kinds.HOST_STOPPED, kinds.HOST_REBOOTED, kinds.HOST_UP)]
        self.assertEqual([len(lines) for lines in told], [10, 9, 9])
        self.assertEqual((self.door.refused, self.door.pace.held(self.now)), ({}, []))

    def test_a_host_that_floods_may_say_goodbye_and_is_welcome_again_in_a_moment(self) -> None:
        """Nobody calls it late because of its pace; its greeting counts as one, so that a verdict waits."""
        agent = self.settled()
        for first in range(1, MOST + 1, BATCH):
            agent.report(first, *map(str, range(first, first + BATCH)))
        self.assertEqual(agent.report(MOST + 1, "too much"), [])
        agent.ask(wire.BYE)
        self.assertEqual(len(self.lines(kinds.HOST_STOPPED)), 1)
        self.assertFalse(self.say(agent, b"m" * 16, "b"))
        self.assertEqual(self.roster.get("web1").knocked, self.now)  # type: ignore[union-attr]
        self.now += 0.5
        self.assertTrue(self.say(agent, b"m" * 16, "b"))

    def test_what_another_server_took_over_counts_as_it_is_stated(self) -> None:
        """An event of each datagram, and one that the server states because of it."""
        agent = self.settled()
        for first in range(2, 100, 2):
            agent.say(agent.events(first, "a", acknowledged=first - 1))
        taken = len(self.lines(kinds.TAKEN_OVER))
        self.assertEqual(taken, 49)
        self.assertEqual(round(self.door.pace.part("web1", self.now) * MOST), 2 * taken)
