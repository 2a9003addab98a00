"""Servers of one site that serve other plans say so."""

import unittest

from monitor436.model import event as kinds
from monitor436.model.server.neighbours import PATIENCE, Neighbours


class NeighboursTests(unittest.TestCase):
    """What "srv1", with its plans, makes of the beacons of others."""

    def setUp(self) -> None:
        self.mark = "a"
        self.neighbours = Neighbours("srv1", lambda: self.mark)

    def texts(self, server: str, mark: str, now: float) -> list[tuple[str, str]]:
        """Kind and severity of the news."""
        return [(event.kind, event.severity) for event in self.neighbours.heard(server, mark, now)]

    def test_plans_that_differ_for_long_are_told_once(self) -> None:
        """An edit reaches one server before the other: that is no news."""
        for now in range(0, int(PATIENCE), 5):
            self.assertEqual(self.texts("srv2", "b", float(now)), [])
        self.assertEqual(self.texts("srv2", "b", PATIENCE), [(kinds.PLANS_DIFFER, "warning")])
        self.assertEqual(self.texts("srv2", "b", PATIENCE + 5), [])

    def test_that_they_agree_again_is_told_if_the_other_was(self) -> None:
        """Whoever changed."""
        self.texts("srv2", "b", 0.0)
        self.assertEqual(self.texts("srv2", "a", 5.0), [])
        self.texts("srv2", "b", 10.0)
        self.texts("srv2", "b", 10.0 + PATIENCE)
        self.mark = "b"
        self.assertEqual(self.texts("srv2", "b", 60.0), [(kinds.PLANS_DIFFER, "info")])

    def test_a_server_is_not_its_own_neighbour(self) -> None:
        """Its beacons come back to it."""
        self.texts("srv1", "b", 0.0)
        self.assertEqual(self.texts("srv1", "b", 1000.0), [])
