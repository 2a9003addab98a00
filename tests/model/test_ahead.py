"""What came before its turn."""

import random
import unittest

from monitor436.model.stream.ahead import AHEAD, Ahead

SPOOL, OTHER = "a" * 16, "b" * 16


class AheadTests(unittest.TestCase):
    """Bodies by host, spool and number."""

    def setUp(self) -> None:
        self.ahead = Ahead()

    def test_a_body_has_its_turn_when_everything_before_it_was_taken(self) -> None:
        """Once; a host without any has nothing kept about it."""
        self.ahead.keep("web1", SPOOL, 5, b"five")
        self.assertIsNone(self.ahead.turn("web1", SPOOL, 3))
        self.assertEqual(self.ahead.turn("web1", SPOOL, 4), b"five")
        self.assertIsNone(self.ahead.turn("web1", SPOOL, 4))
        self.assertFalse(self.ahead.holds("web1"))

    def test_hosts_and_spools_do_not_mix(self) -> None:
        """They may have the same numbers."""
        self.ahead.keep("web1", SPOOL, 5, b"one")
        self.ahead.keep("web1", OTHER, 5, b"other")
        self.ahead.keep("web2", SPOOL, 5, b"two")
        self.assertEqual(self.ahead.turn("web2", SPOOL, 4), b"two")
        self.assertEqual(self.ahead.turn("web1", OTHER, 4), b"other")
        self.assertEqual(self.ahead.turn("web1", SPOOL, 4), b"one")

    def test_what_was_passed_takes_no_room(self) -> None:
        """The host packed its events anew: the old datagrams are never asked for."""
        for first in range(2, 2 + AHEAD):
            self.ahead.keep("web1", SPOOL, first, b"")
        self.ahead.keep("web1", SPOOL, 90, b"too much")
        self.assertIsNone(self.ahead.turn("web1", SPOOL, 89))
        self.ahead.keep("web1", SPOOL, 95, b"later")
        self.assertEqual(self.ahead.turn("web1", SPOOL, 94), b"later")

    def test_a_host_may_be_forgotten(self) -> None:
        """Known or not."""
        self.ahead.keep("web1", SPOOL, 5, b"five")
        self.ahead.forget("web1")
        self.ahead.forget("web2")
        self.assertIsNone(self.ahead.turn("web1", SPOOL, 4))

    def test_in_whatever_order_they_come_each_has_its_turn_once(self) -> None:
        """A window, shuffled by a seeded chance."""
        chance = random.Random(436)
        for _ in range(100):
            order, last, taken = list(range(1, AHEAD + 1)), 0, []
            chance.shuffle(order)
            for number in order:
                self.ahead.keep("web1", SPOOL, number, b"%d" % number)
                while (body := self.ahead.turn("web1", SPOOL, last)) is not None:
                    taken.append(int(body))
                    last += 1
            self.assertEqual(taken, list(range(1, AHEAD + 1)))
            self.assertFalse(self.ahead.holds("web1"))
