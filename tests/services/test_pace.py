"""A host that sends more events than its share: nothing of it is lost, and nobody else waits."""

from monitor436.agent import wire
from monitor436.model.stream.pace import OVER
from tests.services.doorway import DoorwayCase

RATE = 10.0  # events a second
MOST = int(RATE * OVER)
BATCH = 10  # events in a datagram


class PaceTests(DoorwayCase):
    """A doorway that takes ten events a second of a host, over a minute."""

    def setUp(self) -> None:
        super().setUp()
        self.door.pace.rate = RATE

    def test_who_is_far_ahead_has_one_datagram_on_its_way_and_then_waits(self) -> None:
        """Its events go on where they stopped; heartbeats of it and events of others are answered all the while."""
        agent, other = self.met("web1"), self.met("web20")
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
        agent = self.met()
        for first in range(1, MOST):
            agent.report(first, "a", "a")
        self.assertEqual(self.door.refused, {})
