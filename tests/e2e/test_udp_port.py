"""The UDP port on loopback, with a reactor that reads when the test says so."""

import socket
import unittest
from typing import Any

from monitor436.agent.wire import MAX_DATAGRAM
from monitor436.udp_port import BURST, BURSTS, TURN, Burst, UdpPort
from tests.e2e.patience import eventually
from tests.e2e.servers import SOON
from tests.e2e.wiretap import waiting

HERE = "127.0.0.1"


class Reactor:
    """Keeps who wants to read."""

    def __init__(self) -> None:
        self.readers: list[Any] = []
        self.addReader = self.readers.append
        self.removeReader = self.readers.remove


class UdpPortTests(unittest.TestCase):
    """Datagrams sent before it looks have all arrived. Loopback delivers them within the system call, but for kernels
    that leave it to a thread of theirs while they are busy (Linux 4.9 to 6.4).
    """

    def setUp(self) -> None:
        self.bursts: list[Burst] = []
        self.reactor: Any = Reactor()
        self.now = self.takes = 0.0  # seconds, and those that a burst takes
        self.port = UdpPort((HERE, 0), 1 << 20, self, self.reactor, lambda: self.now)
        self.port.start()
        self.other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.other.close)
        self.other.bind((HERE, 0))
        self.other.settimeout(5)
        self.addCleanup(lambda: self.reactor.readers and self.port.stop())

    def arrived(self, burst: Burst) -> None:
        """What the port hands on."""
        self.bursts.append(burst)
        self.now += self.takes

    def send(self, *datagrams: bytes) -> None:
        """Somebody sends, and it has arrived."""
        for datagram in datagrams:
            before = waiting(self.port.port)
            self.other.sendto(datagram, (HERE, self.port.port))
            eventually(lambda: waiting(self.port.port) > before, SOON, "it has arrived", poll=0.001)  # noqa: B023

    def test_what_arrived_together_is_handed_on_together(self) -> None:
        """In order, each with where it came from."""
        self.send(b"a", b"b", b"c")
        self.port.doRead()
        source = self.other.getsockname()
        self.assertEqual(self.bursts, [[(b"a", source), (b"b", source), (b"c", source)]])

    def test_other_work_gets_its_turn_however_much_arrives(self) -> None:
        """A read ends after some bursts; the rest comes with the next one, and nothing is lost."""
        sent = [b"%d" % number for number in range(BURST * BURSTS + 10)]
        self.send(*sent)
        self.port.doRead()
        self.assertEqual([len(burst) for burst in self.bursts], [BURST] * BURSTS)
        self.port.doRead()
        self.assertEqual([datagram for burst in self.bursts for datagram, _ in burst], sent)

    def test_other_work_gets_its_turn_soon_if_each_datagram_costs_much(self) -> None:
        """A whole fleet greets: a read ends with the burst that takes its time."""
        self.takes = TURN / 2
        sent = [b"%d" % number for number in range(BURST * 3)]
        self.send(*sent)
        self.port.doRead()
        self.assertEqual(len(self.bursts), 2)
        self.port.doRead()
        self.assertEqual([datagram for burst in self.bursts for datagram, _ in burst], sent)

    def test_a_read_without_anything_is_no_burst(self) -> None:
        """Somebody else may have taken it."""
        self.port.doRead()
        self.assertEqual(self.bursts, [])

    def test_a_datagram_that_is_too_long_is_seen_to_be(self) -> None:
        """And not taken for a shorter one."""
        self.send(b"x" * MAX_DATAGRAM, b"x" * (MAX_DATAGRAM + 1), b"x" * 60_000)
        self.port.doRead()
        self.assertEqual([len(each) > MAX_DATAGRAM for each, _ in self.bursts[0]], [False, True, True])

    def test_answers_go_where_they_are_told(self) -> None:
        """Straight to the socket."""
        self.port.write(b"answer", self.other.getsockname())
        self.assertEqual(self.other.recvfrom(100), (b"answer", (HERE, self.port.port)))

    def test_an_answer_to_nobody_harms_no_later_datagram(self) -> None:
        """The refusal comes back as an error of the next read."""
        gone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        gone.bind((HERE, 0))
        nobody = gone.getsockname()
        gone.close()
        for _ in range(3):
            self.port.write(b"answer", nobody)
        self.send(b"a")
        self.port.doRead()
        self.port.doRead()
        self.assertEqual([datagram for burst in self.bursts for datagram, _ in burst], [b"a"])

    def test_what_the_kernel_dropped_is_counted(self) -> None:
        """Because nobody took it in time."""
        self.assertEqual(self.port.dropped, 0)
        small = UdpPort((HERE, 0), 4096, self, self.reactor)
        small.start()
        self.addCleanup(small.stop)
        for _ in range(100):
            self.other.sendto(b"x" * 1000, (HERE, small.port))

        def all_known() -> bool:
            small.doRead()
            return small.dropped + sum(map(len, self.bursts)) == 100

        eventually(all_known, SOON, "each was taken or dropped")
        self.assertGreater(small.dropped, 0)
        self.assertLess(small.buffer, self.port.buffer)

    def test_an_address_that_is_taken_is_told_and_nothing_stays_open(self) -> None:
        """By the system's own error."""
        with self.assertRaisesRegex(OSError, "Address already in use"):
            UdpPort((HERE, self.port.port), 4096, self, self.reactor)

    def test_a_stopped_port_is_free(self) -> None:
        """And is not read any more."""
        number = self.port.port
        self.port.stop()
        self.assertEqual(self.reactor.readers, [])
        UdpPort((HERE, number), 4096, self, self.reactor).start()
        self.reactor.readers[0].stop()
