"""Large bodies, many at once: how much of them is held, and who waits for whom."""

import ctypes
from typing import Any

import psutil
from twisted.internet import reactor as the_reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from monitor436.probes.poller import Poller
from monitor436.probes.probe import Answer, Failed, Failure
from monitor436.probes.web.bodies import Bodies
from monitor436.probes.web.following import FollowingProbe
from monitor436.probes.web.tls import TlsOptions
from tests.probes import certificates
from tests.probes.servers import Server, ok
from tests.probes.test_http import ProbeCase, Timed, turn

reactor: Any = the_reactor
PIECE = b"x" * 50_000
PIECES = 20
READ = 1 << 16  # bytes that are read at a time, by Twisted and by us


class Transport:
    """Whether it is paused."""

    def __init__(self) -> None:
        self.paused = False

    def pauseProducing(self) -> None:
        """Paused."""
        self.paused = True

    def resumeProducing(self) -> None:
        """Not any more."""
        self.paused = False


class RoomTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bodies = Bodies(10)
        self.transports = [Transport() for _ in range(5)]

    def paused(self) -> str:
        """A letter each."""
        return "".join("-p"[each.paused] for each in self.transports)

    def test_they_come_in_the_order_in_which_they_asked(self) -> None:
        """A small one does not overtake a large one, which might wait for ever."""
        for transport, size in zip(self.transports, (6, 9, 1, 4, 2), strict=True):
            self.bodies.want(transport, size)
        self.assertEqual(self.paused(), "-pppp")
        self.bodies.leave(self.transports[0])
        self.assertEqual(self.paused(), "---pp")
        self.bodies.leave(self.transports[2])
        self.assertEqual(self.paused(), "---pp")
        self.bodies.leave(self.transports[1])
        self.assertEqual(self.paused(), "-----")

    def test_who_leaves_the_queue_lets_others_on(self) -> None:
        """It is heard again, so that its end is."""
        for transport, size in zip(self.transports, (6, 9, 4, 9, 9), strict=True):
            self.bodies.want(transport, size)
        self.bodies.leave(self.transports[1])
        self.assertEqual(self.paused(), "---pp")

    def test_one_that_is_larger_than_all_the_room_has_all_of_it(self) -> None:
        """Its own limit bounds it."""
        self.bodies.want(self.transports[0], 99)
        self.bodies.want(self.transports[1], 1)
        self.assertEqual(self.paused(), "-p---")
        self.bodies.leave(self.transports[0])
        self.assertEqual(self.paused(), "-----")

    def test_what_is_said_again_counts_once(self) -> None:
        """And pauses again who was resumed by somebody else."""
        for _ in range(3):
            self.bodies.want(self.transports[0], 6)
            self.bodies.want(self.transports[1], 6)
            self.assertEqual(self.paused(), "-p---")
            self.transports[1].resumeProducing()
        self.bodies.leave(self.transports[0])
        self.bodies.leave(self.transports[1])
        self.bodies.want(self.transports[2], 10)
        self.assertEqual(self.paused(), "-----")


class Large:
    """Sends a page of PIECES pieces, and no more of it than is taken."""

    def __init__(self, server: Server, told: bool) -> None:
        self.server = server
        self.left = PIECES
        self.told = told
        server.write(b"HTTP/1.1 200 OK\r\n")
        server.write(b"Content-Length: %d\r\n\r\n" % (len(PIECE) * PIECES) if told else b"\r\n")
        server.transport.registerProducer(self, False)  # type: ignore[union-attr]

    def resumeProducing(self) -> None:
        """More."""
        self.left -= 1
        self.server.write(PIECE)
        if not self.left:
            self.server.transport.unregisterProducer()  # type: ignore[union-attr]
            if not self.told:
                self.server.end()

    def stopProducing(self) -> None:
        """Gone."""


class BodiesTests(ProbeCase):
    async def largest(self, most_held: int, certificate: Any = None) -> int:
        """By how many bytes this process grows while it asks for a hundred pages of 1 MB at once."""
        farms = [
            self.farm(lambda server, request, told=told: Large(server, told), certificate) for told in (True, False)
        ]
        scheme = "https" if certificate else "http"
        targets = [farms[number % 2].target(f"/{number}", scheme) for number in range(100)]
        process = psutil.Process()
        ctypes.CDLL(None).malloc_trim(0)  # what others left would hide what is taken now
        before = largest = process.memory_info().rss

        def keep(result: Answer | Failed) -> int:
            nonlocal largest
            largest = max(largest, process.memory_info().rss)
            return len(result.body) if isinstance(result, Answer) else 0

        probe = self.http(60.0, most_held=most_held, tls=TlsOptions(insecure=True))
        sizes = await Poller(reactor, probe).read(targets, keep)
        self.assertEqual(set(sizes), {len(PIECE) * PIECES})
        return largest - before

    async def test_a_hundred_at_once_are_not_held_at_once(self) -> None:
        """Whether they tell their length or not: of each that waits there is what one read gave."""
        self.assertLess(await self.largest(4 << 20), 40 << 20)

    async def test_so_it_is_over_tls(self) -> None:
        """Where more is read before anybody can say stop."""
        made = certificates.certificate(self.mktemp_folder(), "web1.example")[1]
        self.assertLess(await self.largest(4 << 20, made), 90 << 20)

    async def test_who_fills_the_room_and_dawdles_has_it_until_his_time_is_over(self) -> None:
        """Others wait within their own; small pages do not wait at all."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (4 * READ)
        slow = self.farm(lambda server, request: server.write(head + b"x" * 2 * READ))
        other = self.farm(lambda server, request: server.write(ok(b"y" * 3 * READ)))
        small = self.farm(lambda server, request: server.write(ok()))
        clock = Timed()
        probe = self.http(5.0, on=clock, most_held=4 * READ)
        first = Deferred.fromCoroutine(probe.probe(slow.target()))
        while not slow.settled(1, 0):
            await turn(0.01)
        await turn(0.1)
        second = Deferred.fromCoroutine(probe.probe(other.target(), 10.0))
        while not other.settled(1, 0):
            await turn(0.01)
        await turn(0.1)
        self.assertEqual(await probe.probe(small.target()), b'{"Application":"a"}')
        self.assertEqual((first.called, second.called), (False, False))
        clock.time.advance(5.0)
        with self.assertRaises(Failure) as caught:
            await first
        self.assertEqual(caught.exception.reason, "body")
        self.assertEqual(await second, b"y" * 3 * READ)


class FollowingBodiesTests(BodiesTests):
    """The same over treq."""

    made = FollowingProbe
