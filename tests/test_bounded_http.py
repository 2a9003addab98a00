"""The TLS door's connections, over transports in memory: how long one may take, and how many there may be."""

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from monitor436.bounded_http import ASKED, MAX_BODY, SHAKEN, WHOLE, BoundedSite
from monitor436.model.server.crowd import GRACE, Crowd
from monitor436.site import make_certificate

REQUEST = b"GET /plan HTTP/1.1\r\nHost: a\r\n\r\n"
HERE = IPv4Address("TCP", "192.0.2.1", 4360)


class Slow(Resource):
    """A page that is answered when somebody says so."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Request] = []

    def render_GET(self, request: Request) -> int:
        """Later."""
        self.asked.append(request)
        return NOT_DONE_YET


class Wire(StringTransport):
    """A socket, as TLS wants it."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """There is no packet here."""


class Guest:
    """One connection; `cut`: the server ended it at once, `closed`: when all was written."""

    def __init__(self, site: Factory, address: str) -> None:
        kind = IPv6Address if ":" in address else IPv4Address
        self.wire = Wire(HERE, kind("TCP", address, 40000))
        self.channel: Any = site.buildProtocol(self.wire.getPeer())
        self.channel.makeConnection(self.wire)

    def send(self, data: bytes) -> None:
        """What it sends."""
        if not self.cut:
            self.channel.dataReceived(data)

    def leave(self) -> None:
        """It is gone."""
        self.channel.connectionLost(Failure(ConnectionDone()))

    @property
    def cut(self) -> bool:
        """At once."""
        return bool(self.wire.disconnected)

    @property
    def closed(self) -> bool:
        """In peace."""
        return bool(self.wire.disconnecting)


def greet(guest: Guest, clock: Clock) -> None:
    """A TLS handshake."""
    client = TLSMemoryBIOFactory(CertificateOptions(), True, Factory.forProtocol(Protocol), clock)
    talk, wire = client.buildProtocol(guest.wire.getPeer()), Wire()
    talk.makeConnection(wire)
    while said := taken(wire):
        guest.send(said)
        if heard := taken(guest.wire):
            talk.dataReceived(heard)
        clock.advance(0)


def taken(wire: Wire) -> bytes:
    """What was written since."""
    data: bytes = wire.value()
    wire.clear()
    return data


class BoundedTests(SynchronousTestCase):
    """A door without TLS."""

    def setUp(self) -> None:
        self.clock, self.page = Clock(), Slow()
        self.crowd = Crowd(most=4, each=2)
        self.site = BoundedSite(self.page, self.crowd, "door", self.clock, self.clock.seconds)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def guest(self, address: str = "192.0.2.9") -> Guest:
        """Somebody connects."""
        guest = Guest(self.site, address)
        if not guest.cut:
            self.addCleanup(guest.leave)
        return guest

    def test_who_sends_drop_by_drop_is_cut_as_who_sends_nothing(self) -> None:
        """No byte puts the deadline off; both are counted."""
        drops, silent, quick = self.guest(), self.guest(), self.guest("192.0.2.10")
        quick.send(REQUEST)
        for second in range(round(ASKED)):
            self.assertFalse(drops.cut or silent.cut, second)
            drops.send(REQUEST[second : second + 1])
            self.clock.advance(1.0)
        self.assertTrue(drops.cut and silent.cut)
        self.assertEqual((quick.cut, self.crowd.late), (False, 2))

    def test_an_answer_that_nobody_takes_ends_with_the_connection(self) -> None:
        """It would be held for as long as the other side likes."""
        guest = self.guest()
        guest.send(REQUEST)
        self.clock.advance(WHOLE - 1.0)
        self.assertFalse(guest.cut)
        self.page.asked[0].write(b"x" * 1000)
        self.page.asked[0].finish()
        self.assertEqual((guest.closed, guest.cut), (True, False))
        self.clock.advance(1.0)
        self.assertEqual((guest.cut, self.crowd.late), (True, 1))

    def test_a_connection_takes_one_request(self) -> None:
        """It is told so, and what comes after it is thrown away."""
        guest = self.guest()
        guest.send(REQUEST * 3)
        self.page.asked[0].finish()
        self.assertIn(b"Connection: close\r\n", guest.wire.value())
        guest.send(REQUEST)
        self.assertEqual((len(self.page.asked), guest.closed), (1, True))

    def test_one_address_leaves_room_for_the_others(self) -> None:
        """Of IPv6 one /64; who is refused is counted, and not heard."""
        for mine, same, other in (
            ("192.0.2.9", "192.0.2.9", "192.0.2.10"),
            ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"),
        ):
            guests = [Guest(self.site, mine), Guest(self.site, same), Guest(self.site, other)]
            before = self.crowd.refused
            refused = Guest(self.site, same)
            self.assertEqual((refused.cut, self.crowd.refused), (True, before + 1))
            self.assertFalse(any(guest.cut for guest in guests))
            for guest in (*guests, refused):
                guest.leave()
        self.assertEqual(self.crowd.now, 0)

    def test_a_handshake_has_less_time_than_a_request(self) -> None:
        """And who is one too many gets none, which would cost more than the answer."""
        certificate = PrivateCertificate.loadPEM(make_certificate())
        tls = TLSMemoryBIOFactory(certificate.options(), False, self.site, self.clock)
        silent, slow, refused = (Guest(tls, "192.0.2.9") for _ in range(3))
        self.assertEqual((silent.cut, slow.cut, refused.cut), (False, False, True))
        greet(slow, self.clock)
        self.clock.advance(SHAKEN)
        self.assertEqual((silent.cut, slow.cut), (True, False))
        self.clock.advance(ASKED - SHAKEN)
        self.assertEqual((slow.cut, self.crowd.late), (True, 2))
        for guest in (silent, slow, refused):
            guest.leave()

    def test_where_it_is_full_one_who_has_not_asked_gives_way(self) -> None:
        """Of the address that has most of them; its room is free at once, and it counts as displaced."""
        hogs = [self.guest("192.0.2.9"), self.guest("192.0.2.9")]
        others = [self.guest("192.0.2.10"), self.guest("192.0.2.11")]
        newcomer = self.guest("192.0.2.12")
        self.assertEqual([guest.cut for guest in (*hogs, *others, newcomer)], [True, False, False, False, False])
        self.assertEqual((self.crowd.now, self.crowd.displaced, self.crowd.refused), (4, 1, 0))
        newcomer.send(REQUEST)
        self.page.asked[0].finish()
        self.assertTrue(newcomer.closed)
        hogs[0].leave()
        self.assertEqual(self.crowd.now, 4)

    def test_one_that_was_answered_well_does_not_give_way(self) -> None:
        """One that was refused does: it would stay as long as it likes."""
        well, refused = self.guest("192.0.2.10"), self.guest("192.0.2.11")
        for guest, code in ((well, 200), (refused, 401)):
            guest.send(REQUEST)
            self.page.asked[-1].setResponseCode(code)
            self.page.asked[-1].finish()
        self.guest("192.0.2.12"), self.guest("192.0.2.13")
        self.clock.advance(GRACE)
        self.guest("192.0.2.14")
        self.assertEqual((well.cut, refused.cut, self.crowd.displaced), (False, True, 1))

    def test_what_comes_after_a_refusal_is_thrown_away(self) -> None:
        """Whatever was refused: a stranger would have twisted.web stumble, and fill the log."""
        chunked = REQUEST.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
        large = b"%x\r\n%s\r\n" % (MAX_BODY + 1, b"x" * (MAX_BODY + 1))
        long = REQUEST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\nContent-Length: 9999\r\n\r\n")
        for sent, status in (
            (b"garbage\r\n\r\n", b"400"),
            (b"\r\n" * 100, b"400"),
            (b"x" * 20_000, b"400"),
            (long, b"413"),
            (long + b"x" * 9999, b"413"),
            (chunked + large, b"413"),
            (chunked + large + b"0\r\n\r\n", b"413"),
            (chunked + large + large, b"413"),
            (chunked + large + b"no size\r\n", b"413"),
        ):
            guest = Guest(self.site, "192.0.2.9")
            guest.send(sent)
            answer = guest.wire.value()
            self.assertTrue(answer.startswith(b"HTTP/1.1 " + status), answer)
            self.assertTrue(guest.closed)
            for rest in (b"\r\n", b"0\r\n\r\n", REQUEST, sent):
                guest.send(rest)
            self.assertEqual((guest.wire.value(), answer.count(b"HTTP/1.1 "), self.page.asked), (answer, 1, []))
            guest.leave()
            guest.send(REQUEST)
            self.assertEqual(self.page.asked, [])

    def test_there_are_not_more_connections_than_agreed(self) -> None:
        """Until one leaves; nothing is kept of those who are gone."""
        guests = [Guest(self.site, f"192.0.2.{number}") for number in range(4)]
        refused = Guest(self.site, "192.0.2.9")
        self.assertTrue(refused.cut)
        refused.leave()
        self.assertEqual((self.crowd.now, self.crowd.refused), (4, 1))
        guests.pop().leave()
        guests.append(Guest(self.site, "192.0.2.9"))
        self.assertFalse(guests[-1].cut)
        for guest in guests:
            guest.leave()
        self.assertEqual((self.crowd.now, dict(self.crowd._of)), (0, {}))
