"""The networks that beacons go to."""

import unittest

from monitor436.services.beacon import broadcast_of


class BroadcastTests(unittest.TestCase):
    """Addresses of interfaces."""

    def test_what_the_kernel_says_is_taken(self) -> None:
        """It may be another one than the last of the network."""
        self.assertEqual(broadcast_of("192.0.2.7", "255.255.255.0", "192.0.2.255"), "192.0.2.255")
        self.assertEqual(broadcast_of("192.0.2.7", "255.255.255.0", "192.0.2.127"), "192.0.2.127")

    def test_where_it_says_nothing_it_is_the_last_of_the_network(self) -> None:
        """For an address that was given without one, the kernel names the address itself: nobody else would hear."""
        for told in (None, "", "192.0.2.7"):
            self.assertEqual(broadcast_of("192.0.2.7", "255.255.255.192", told), "192.0.2.63")

    def test_a_network_of_one_or_two_has_none(self) -> None:
        """Point to point."""
        for netmask in ("255.255.255.255", "255.255.255.254"):
            self.assertEqual(broadcast_of("192.0.2.7", netmask, "192.0.2.7"), "")
