"""Beacons of the site's other servers, as they are heard."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.agent import wire
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.keys.site_keys import SiteKeys
from monitor436.model.server.neighbours import PATIENCE, Neighbours
from monitor436.model.settings.hosts import Beacon
from monitor436.services.neighbours import NeighboursService

SITE, OTHER = b"s" * 32, b"o" * 32
OURS, THEIRS = "0f1e2d3c4b5a6978", "1111111111111111"


class HearTests(SynchronousTestCase):
    """What the server "srv1" makes of datagrams; no socket is open."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.events: list[Event] = []
        neighbours = Neighbours("srv1", lambda: OURS)
        self.service = NeighboursService(
            Beacon(), SiteKeys(SITE), neighbours, self.events.extend, self.clock
        )  # fmt: skip

    def beacon(self, site: bytes = SITE, kind: int = wire.BEACON, **other: object) -> bytes:
        """A beacon of "srv2", which has other plans."""
        about = {"server": "srv2", "boot": "b", "port": 4360, "door": 4360, "degraded": False, "plans": THEIRS}
        return wire.seal(wire.Key(wire.beacon_key(site)), kind, 0, 0, 1, wire.dump({**about, **other}))

    def told(self, *datagrams: bytes) -> list[tuple[str, str]]:
        """Kind and severity of what follows when these are heard now, and again when patience is over."""
        for _ in range(2):
            for datagram in datagrams:
                self.service.hear(datagram)
            self.clock.advance(PATIENCE)
        told, self.events[:] = [(event.kind, event.severity) for event in self.events], []
        return told

    def test_a_server_with_other_plans_is_told_when_patience_is_over_and_when_it_agrees(self) -> None:
        """By the clock of this server; an edit reaches one server before the other."""
        self.service.hear(self.beacon())
        self.assertEqual(self.events, [])
        self.assertEqual(self.told(self.beacon()), [(kinds.PLANS_DIFFER, "warning")])
        self.assertEqual(self.told(self.beacon()), [])
        self.assertEqual(self.told(self.beacon(plans=OURS)), [(kinds.PLANS_DIFFER, "info")])

    def test_what_is_no_beacon_of_a_server_of_this_site_is_nobodys_business(self) -> None:
        """Another site's, one changed on the way, another type under the same key, one that does not say enough."""
        good = self.beacon()
        wrong = [
            self.beacon(OTHER),
            good[:-1] + bytes([good[-1] ^ 1]),
            self.beacon(kind=wire.BEAT),
            self.beacon(port=0),
            self.beacon(door="4360"),
            self.beacon(server=7),
            self.beacon(plans=None),
            self.beacon(server="srv1"),  # its own, which comes back to it
            b"",
            b"m4",
            b"x" * 1500,
        ]
        self.assertEqual(self.told(*wrong), [])
        self.assertEqual(self.told(good), [(kinds.PLANS_DIFFER, "warning")])

    def test_while_the_site_has_two_keys_beacons_under_both_are_heard(self) -> None:
        """A server that has no copy of the new one yet is a neighbour, too; in the end it is none."""
        self.service.follow(SiteKeys(OTHER, SITE))
        for site, server in ((SITE, "srv2"), (OTHER, "srv3")):
            self.assertEqual(self.told(self.beacon(site, server=server)), [(kinds.PLANS_DIFFER, "warning")])
        self.service.follow(SiteKeys(OTHER))
        self.assertEqual(self.told(self.beacon(plans=OURS), self.beacon(server="srv4")), [])
        self.assertEqual(self.told(self.beacon(OTHER, server="srv3", plans=OURS)), [(kinds.PLANS_DIFFER, "info")])
