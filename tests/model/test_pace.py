"""How many events of one host are taken."""

import unittest

from monitor436.model.stream.pace import HELD, OVER, Pace


class PaceTests(unittest.TestCase):
    """Ten events a second: 600 ahead at most."""

    def setUp(self) -> None:
        self.pace = Pace(10.0)

    def sends(self, host: str, a_second: float, begin: float, seconds: int) -> int:
        """How many events are taken of a host that tries as many each second, one after the other."""
        taken = 0
        for second in range(seconds):
            for number in range(int(a_second)):
                now = begin + second + number / a_second
                if self.pace.part(host, now) < 1.0:
                    self.pace.took(host, 1, now)
                    taken += 1
        return taken

    def test_a_flood_is_taken_at_the_rate_and_a_burst_whole(self) -> None:
        """What a minute's rate comes to, at once; then no more than the rate, for as long as it lasts."""
        self.assertEqual(self.sends("a", 590, 0.0, 1), 590)
        self.assertLessEqual(self.sends("a", 200, 1.0, 300), 600 - 590 + 301 * 10)
        self.assertGreaterEqual(self.sends("a", 200, 301.0, 100), 990)

    def test_one_host_does_not_hold_up_another(self) -> None:
        """Each has its own count; who is quiet for a minute has all of it again."""
        self.sends("a", 1000, 0.0, 2)
        self.assertGreater(self.pace.part("a", 2.0), HELD)
        self.assertEqual((self.pace.part("b", 2.0), self.pace.held(2.0)), (0.0, ["a"]))
        self.assertEqual((self.pace.part("a", 3.0 + OVER), self.pace.held(3.0 + OVER)), (0.0, []))
        self.assertEqual(self.pace._ahead, {})

    def test_at_the_rate_nobody_is_slowed(self) -> None:
        """For however long."""
        self.assertEqual(self.sends("a", 10, 0.0, 1000), 10_000)
        self.assertLess(self.pace.part("a", 1000.0), 0.1)

    def test_without_a_rate_everything_is_taken(self) -> None:
        """And nothing is kept of anybody."""
        self.pace.rate = 0.0
        self.assertEqual(self.sends("a", 100_000, 0.0, 1), 100_000)
        self.assertEqual((self.pace.held(1.0), self.pace._ahead), ([], {}))

    def test_a_lower_rate_leaves_a_host_as_far_from_its_bound_as_it_was(self) -> None:
        """One that had half of what it may be ahead still has the other half, counted at the new rate."""
        self.pace.rate = 1000.0
        self.pace.took("a", 30_000, 0.0)
        self.pace.rate = 10.0
        self.assertEqual((self.pace.part("a", 0.0), self.pace.held(0.0)), (0.5, []))
        self.assertEqual(self.sends("a", 299, 0.0, 1), 299)
        self.assertEqual(self.pace.part("a", 1.0 + OVER), 0.0)

    def test_another_rate_holds_nobody_for_longer_than_a_minute(self) -> None:
        """Whoever was held is taken at the new rate at once; what was counted passes also while there is none."""
        for rate in (1.0, 1000.0, 0.0):
            pace = Pace(10.0)
            pace.took("a", 600, 0.0)
            pace.rate = rate
            self.assertEqual(pace.part("a", 0.0), 1.0 if rate else 0.0)
            pace.took("a", int(rate), 1.0)
            self.assertEqual(pace.part("a", 1.0), 1.0 if rate else 0.0)
            self.assertEqual((pace.held(1.0 + OVER), pace._ahead), ([], {}))
