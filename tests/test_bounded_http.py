"""The TLS door's connections, over transports in memory: how long one may take, and how many there may be."""

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from monitor436.bounded_http import ASKED, WHOLE, BoundedSite
from monitor436.model.server.crowd import Crowd
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


class BoundedTests(SynchronousTestCase):
    """A door without TLS."""

    def setUp(self) -> None:
        self.clock, self.page = Clock(), Slow()
        self.crowd = Crowd(most=4, each=2)
        self.site = BoundedSite(self.page, self.crowd, "door", self.clock)
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

    def test_a_handshake_that_never_begins_ends_like_a_request(self) -> None:
        """And who is one too many gets none, which would cost more than the answer."""
        certificate = PrivateCertificate.loadPEM(make_certificate())
        tls = TLSMemoryBIOFactory(certificate.options(), False, self.site, self.clock)
        silent, other, refused = (Guest(tls, "192.0.2.9") for _ in range(3))
        self.assertEqual((silent.cut, other.cut, refused.cut), (False, False, True))
        self.clock.advance(ASKED)
        self.assertTrue(silent.cut)
        for guest in (silent, other, refused):
            guest.leave()

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
