"""Who goes where a newcomer finds no room: whoever asks at once is not hurt by those who only stand there."""

import random
import unittest
from collections import Counter

from monitor436.model.server.crowd import GRACE, Crowd, Strangers

MINE, HOG, OTHER = "192.0.2.1", "198.51.100.1", "203.0.113.1"


class StrangersTests(unittest.TestCase):
    """A crowd of ten, four of an address; guests are numbers, and come one a millisecond."""

    def setUp(self) -> None:
        self.now = 0.0
        self.crowd = Crowd(most=10, each=4)
        self.strangers: Strangers[int] = Strangers(self.crowd)
        self.addresses: dict[int, str] = {}

    def come(self, address: str) -> tuple[int | None, bool]:
        """Who had to go for another one of this address, and whether that one is in."""
        self.now += 0.001
        other = self.strangers.gives_way(address, self.now)
        if other is not None:
            self.go(other)
        entered = self.crowd.enter(address)
        if entered:
            number = len(self.addresses)
            self.addresses[number] = address
            self.strangers.add(number, address, self.now)
        return other, entered

    def go(self, number: int) -> None:
        """One is gone."""
        self.crowd.leave(self.addresses[number])
        self.strangers.discard(number, self.addresses[number])

    def fill(self, *addresses: str) -> None:
        """They come, and find room."""
        for address in addresses:
            self.assertEqual(self.come(address), (None, True))

    def test_where_there_is_room_nobody_goes(self) -> None:
        """However long they have been there."""
        self.fill(*[HOG] * 3, *[OTHER] * 4, MINE)
        self.now += 100.0
        self.assertEqual(self.come(MINE), (None, True))

    def test_the_oldest_of_the_address_with_most_goes_for_whoever_has_fewer(self) -> None:
        """At once, and not that of an address with less, though it came before."""
        self.fill(MINE, *[OTHER] * 2, *[HOG] * 4, "192.0.2.2", "192.0.2.3", "192.0.2.4")
        self.assertEqual(self.come("192.0.2.5"), (3, True))
        self.assertEqual(self.come("192.0.2.6"), (4, True))
        self.assertEqual(self.come("192.0.2.7"), (1, True))  # two each: now OTHER has the oldest

    def test_of_addresses_with_as_many_it_is_the_one_that_has_been_there_longest(self) -> None:
        """Whichever of them came first of all, as that one may be gone."""
        self.fill(OTHER, HOG, HOG, OTHER, OTHER, *[f"192.0.2.{number}" for number in range(2, 7)])
        self.strangers.discard(0, OTHER)
        self.assertEqual(self.come(MINE), (1, True))

    def test_of_ipv6_a_network_counts_as_one_address(self) -> None:
        """Whoever has one has them all."""
        self.fill(*[f"{address}.{n}" for address in ("192.0.2", "198.51.100", "203.0.113") for n in (1, 2)])
        self.fill(*[f"2001:db8::{n}" for n in range(1, 5)])
        self.assertEqual(self.come("2001:db8:0:1::1"), (6, True))

    def test_one_that_got_what_it_came_for_does_not_go(self) -> None:
        """Nor one that is gone; where there are no others, the newcomer finds no room."""
        self.fill(*[HOG] * 4, *[OTHER] * 4, *["192.0.2.2"] * 2)
        self.strangers.discard(0, HOG)
        self.assertEqual(self.come(MINE), (4, True))
        for number in range(1, 11):
            self.strangers.discard(number, self.addresses[number])
        self.now += 100.0
        self.assertEqual((self.come(MINE), self.crowd.refused), ((None, False), 1))

    def test_a_fleet_that_comes_at_once_does_not_push_itself_out(self) -> None:
        """Each has its time; then the oldest goes."""
        self.fill(*[f"192.0.2.{number}" for number in range(10)])
        self.assertEqual(self.come("192.0.2.99"), (None, False))
        self.now = GRACE
        self.assertEqual(self.come("192.0.2.99"), (0, True))

    def test_an_address_that_has_its_share_sends_its_own_away(self) -> None:
        """After a time, whether there is room for others or not."""
        for others in ([], ["192.0.2.2"] * 3 + ["192.0.2.3"] * 3):
            self.setUp()
            self.fill(*others, *[HOG] * 4)
            self.assertEqual(self.come(HOG), (None, False))
            self.now = GRACE + 0.02
            self.assertEqual(self.come(HOG), (len(others), True))

    def test_whoever_holds_the_door_from_few_addresses_hits_only_itself(self) -> None:
        """It renews as fast as it can; each host that comes is in at once, and is left to ask."""
        dice = random.Random(436)
        siege = [f"198.51.100.{number}" for number in range(4)]
        here: Counter[str] = Counter()
        for turn in range(2000):
            mine = turn % 20 == 0
            other, entered = self.come(MINE if mine else dice.choice(siege))
            if mine:
                self.assertTrue(entered, turn)
                guest = len(self.addresses) - 1
            if other is not None:
                here[self.addresses[other]] += 1
            if turn % 20 == 10:
                self.go(guest)  # it was answered
        self.assertEqual((here[MINE], self.crowd.now <= 10), (0, True))
        self.assertGreater(sum(here.values()), 90)

    def test_nothing_is_kept_of_those_who_are_gone(self) -> None:
        """Addresses cost nothing to whoever makes them up."""
        self.fill(MINE, HOG, OTHER)
        for number in (0, 1, 2, 2):
            self.strangers.discard(number, self.addresses[number])
        self.assertEqual(self.strangers._of, {})
