"""How fast agents may be."""

import unittest

from monitor436.model.stream.credit import EACH, MOST, PERIOD, SHARE, Credit


class CreditTests(unittest.TestCase):
    """A receive buffer and those who want it."""

    def setUp(self) -> None:
        self.credit = Credit(int(100 * EACH / SHARE))  # room for a hundred datagrams

    def hear(self, hosts: int) -> None:
        """Events of so many hosts."""
        for number in range(hosts):
            self.credit.heard(f"h{number}")

    def test_a_few_hosts_have_the_whole_window(self) -> None:
        """More would be of no use to them."""
        self.hear(3)
        self.assertEqual(self.credit.share(0.0), MOST)

    def test_many_share_what_there_is(self) -> None:
        """As soon as they are heard, and at least one datagram each."""
        for hosts, share in ((4, 25), (10, 10), (50, 2), (51, 1), (1000, 1)):
            self.hear(hosts)
            self.assertEqual(self.credit.share(0.5), share)

    def test_a_host_counts_for_a_while_after_its_events(self) -> None:
        """Or the first to be heard in a period would get everything."""
        self.hear(20)
        self.credit.share(0.0)
        self.assertEqual(self.credit.share(PERIOD), 5)
        self.hear(1)
        self.assertEqual(self.credit.share(PERIOD * 1.5), 5)

    def test_when_they_are_done_one_host_has_everything_again(self) -> None:
        """After two periods without the others."""
        self.hear(1000)
        for turn in range(1, 4):
            self.credit.share(PERIOD * turn)
            self.hear(1)
        self.assertEqual(self.credit.share(PERIOD * 4), MOST)

    def test_an_old_crowd_does_not_count(self) -> None:
        """Nobody asked for a long time."""
        self.hear(1000)
        self.assertEqual(self.credit.share(PERIOD * 100), MOST)
