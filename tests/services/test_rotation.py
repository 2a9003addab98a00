"""The key of the site is exchanged: on disk, at the door, in sessions and beacons."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

from msgspec import json
from treq.testing import StubTreq
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.agent import wire
from monitor436.agent.link.door import authorization
from monitor436.agent.link.joining import read_beacon
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.keys.enrolment import Bound, Enrolment
from monitor436.model.keys.site_keys import SiteKeys, mark
from monitor436.model.server.neighbours import Neighbours
from monitor436.model.settings.hosts import Beacon
from monitor436.services.beacon import BeaconService
from monitor436.services.door import DoorService
from monitor436.services.keeper import Keeper
from monitor436.services.neighbours import NeighboursService
from monitor436.services.rotation import EVERY, Rotation
from monitor436.site import BEFORE, KEY, Site, SiteError, write_private

LIFE = 600.0


class SiteFolder(SynchronousTestCase):
    """A site in a folder."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.site = Site(self.folder)
        self.first = self.site.key


class SiteKeysTests(SiteFolder):
    """What `site rotate` and `site finish` do."""

    def test_after_a_rotation_both_keys_are_good_and_certificate_and_serials_are_the_same(self) -> None:
        """Also for whoever reads the folder anew; and only its owner can."""
        pin, serial = self.site.pin, self.site.packed_serial("web1")
        self.site.rotate()
        again = Site(self.folder)
        for site in (self.site, again):
            self.assertEqual(site.keys.accepted, (site.key, self.first))
            self.assertNotEqual(site.key, self.first)
            self.assertEqual((site.pin, site.packed_serial("web1")), (pin, serial))
        for name in (KEY, BEFORE):
            self.assertEqual(stat.S_IMODE((self.folder / name).stat().st_mode), 0o600)

    def test_a_second_rotation_waits_for_the_end_of_the_first(self) -> None:
        """Otherwise hosts that were away would have a key that nobody knows."""
        self.site.rotate()
        key = self.site.key
        self.assertIn("finish", str(self.assertRaises(SiteError, self.site.rotate)))
        self.assertEqual(Site(self.folder).key, key)
        self.site.finish()
        self.assertEqual(self.site.keys.accepted, (key,))
        self.site.rotate()
        self.assertEqual(self.site.keys.accepted[1], key)

    def test_join_tokens_are_made_with_the_new_key_and_old_ones_stay_good_until_the_end(self) -> None:
        """No other token is."""
        old = self.site.token(1000.0, LIFE)
        self.site.rotate()
        new = self.site.token(1000.0, LIFE)
        self.assertNotEqual(old, new)
        self.assertEqual([self.site.good(token, 1000.0) for token in (old, new, new[:-1])], [True, True, False])
        self.site.finish()
        self.assertEqual([self.site.good(token, 1000.0) for token in (old, new)], [False, True])

    def test_a_server_whose_copy_is_half_done_lets_nobody_down(self) -> None:
        """The new key came before the file of the one before: what was in use stays good, until that file went, too."""
        other = os.urandom(32)
        write_private(self.folder / KEY, other)
        self.assertTrue(self.site.reload())
        self.assertEqual(self.site.keys.accepted, (other, self.first))
        write_private(self.folder / BEFORE, self.first)
        self.assertFalse(self.site.reload())
        (self.folder / BEFORE).unlink()
        self.assertTrue(self.site.reload())
        self.assertEqual(self.site.keys.accepted, (other,))

    def test_the_mark_of_a_key_gives_no_part_of_it_away(self) -> None:
        """It is derived, and another one for each key."""
        self.assertEqual(len(mark(self.first)), 8)
        self.assertNotIn(bytes.fromhex(mark(self.first)), self.first)
        self.assertNotEqual(mark(self.first), mark(self.first[::-1]))
        self.assertEqual(SiteKeys(self.first, self.first).accepted, (self.first,))


class RotationTests(SiteFolder):
    """A running server, whose folder is looked at every second."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.events: list[Event] = []
        self.followed: list[SiteKeys] = []
        self.rotation = Rotation(self.site, [self.followed.append], self.events.extend, self.clock)  # type: ignore[arg-type]
        self.rotation.startService()
        self.addCleanup(self.rotation.stopService)

    def test_another_key_is_followed_once_the_folder_stands_still(self) -> None:
        """And told in one event, without the key."""
        Site(self.folder).rotate()
        self.clock.advance(EVERY)
        self.assertEqual(self.followed, [])
        write_private(self.folder / BEFORE, self.first)
        self.clock.advance(EVERY)
        self.assertEqual(self.followed, [])
        self.clock.pump([EVERY] * 5)
        self.assertEqual([keys.accepted for keys in self.followed], [(self.site.key, self.first)])
        [event] = self.events
        self.assertEqual(event.kind, kinds.SITE_CHANGED)
        self.assertIn(mark(self.site.key), event.text)
        self.assertNotIn(self.site.key.hex(), event.text)
        Site(self.folder).finish()
        self.clock.pump([EVERY] * 2)
        self.assertEqual(self.followed[-1].accepted, (self.site.key,))

    def test_a_key_that_came_while_the_server_was_put_together_is_followed(self) -> None:
        """The keys were read before there was somebody who looks at the folder."""
        site, followed = Site(self.folder), list[SiteKeys]()
        Site(self.folder).rotate()
        rotation = Rotation(site, [followed.append], self.events.extend, self.clock)  # type: ignore[arg-type]
        rotation.startService()
        self.addCleanup(rotation.stopService)
        self.clock.pump([EVERY] * 2)
        self.assertEqual(followed, [site.keys])
        self.assertEqual(site.keys.accepted[1], self.first)

    def test_hup_does_not_wait(self) -> None:
        """`reload` reads at once."""
        Site(self.folder).rotate()
        self.rotation.reload()
        self.assertEqual(len(self.followed), 1)

    def test_a_folder_that_cannot_be_used_changes_nothing_and_is_told_once(self) -> None:
        """A short key, one that is gone, one that others can read."""
        for number, spoil in enumerate((self.short, self.gone, self.open), 1):
            spoil()
            self.clock.pump([EVERY] * 5)
            self.assertEqual([event.kind for event in self.events], [kinds.SITE_REFUSED] * number)
            self.assertEqual((self.followed, self.site.keys.accepted), ([], (self.first,)))
        write_private(self.folder / KEY, self.first)
        self.clock.pump([EVERY] * 5)
        self.assertEqual((self.followed, len(self.events)), ([], 3))

    def short(self) -> None:
        (self.folder / KEY).write_bytes(b"short")

    def gone(self) -> None:
        (self.folder / KEY).unlink()

    def open(self) -> None:
        (self.folder / KEY).write_bytes(os.urandom(32))
        (self.folder / KEY).chmod(0o644)


class DoorOfTwoKeysTests(SiteFolder):
    """The door while hosts are moved."""

    def setUp(self) -> None:
        super().setUp()
        self.enrolment = Enrolment([])
        self.kept: list[Bound] = []
        good = lambda token: self.site.good(token, 1000.0)  # noqa: E731
        keeper = Keeper(self.site, self.enrolment, self.kept.append, good, os.urandom)
        door = DoorService(
            keeper, self.site, True, lambda host: b"{}", lambda: b"zip", lambda events: None, ("", 0), None  # type: ignore[arg-type]
        )  # fmt: skip
        self.http = StubTreq(door.root())

    def ask(self, method: str, path: str, authorized: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of an answer."""
        headers = {"Authorization": authorized} if authorized else {}
        response = self.successResultOf(self.http.request(method, f"https://door{path}", headers=headers, data=body))
        return response.code, self.successResultOf(response.content())

    def join(self, token: str) -> tuple[bytes, bytes, dict[str, str]]:
        """Key and serial of web1, and all it was given."""
        status, text = self.ask("POST", "/join", f"Bearer {token}", b'{"name":"web1"}')
        self.assertEqual(status, 200, text)
        given = json.decode(text)
        return bytes.fromhex(given["key"]), bytes.fromhex(given["serial"]), given

    def proof(self, key: bytes, serial: bytes, path: str, generation: int = 0) -> str:
        """What web1 shows."""
        return authorization("web1", serial, generation, key, self.site.pin, path)

    def test_a_host_gets_another_key_for_the_one_before_and_both_open_the_door(self) -> None:
        """Serial and generation stay, so its name is still its own."""
        key, serial, _ = self.join(self.site.token(1000.0, LIFE))
        self.enrolment.bind("web1", serial.hex(), 0)
        self.site.rotate()
        for _ in range(2):  # the first answer may be lost
            status, text = self.ask("GET", "/key", self.proof(key, serial, "/key"))
            given = json.decode(text)
            self.assertEqual((status, given["serial"], given["generation"]), (200, serial.hex(), 0))
            other = bytes.fromhex(given["key"])
            self.assertEqual(other, wire.host_key(self.site.key, "web1", serial, 0))
            self.assertEqual(bytes.fromhex(given["beacon_key"]), wire.beacon_key(self.site.key))
        for shown in (key, other):
            self.assertEqual(self.ask("GET", "/plan", self.proof(shown, serial, "/plan"))[0], 200)
        self.site.finish()
        for shown, status in ((key, 401), (other, 200)):
            self.assertEqual(self.ask("GET", "/plan", self.proof(shown, serial, "/plan"))[0], status)
        self.assertEqual(self.ask("GET", "/key", self.proof(key, serial, "/key"))[0], 401)

    def test_nobody_else_gets_it(self) -> None:
        """Not for a token, for the proof of another request, for a foreign key, nor for a key that was revoked."""
        key, serial, _ = self.join(self.site.token(1000.0, LIFE))
        self.enrolment.bind("web1", serial.hex(), 0)
        self.site.rotate()
        for shown in (
            "",
            f"Bearer {self.site.token(1000.0, LIFE)}",
            self.proof(key, serial, "/plan"),
            self.proof(os.urandom(32), serial, "/key"),
            self.proof(key, b"another.", "/key"),
            self.proof(key, serial, "/key", 1),
        ):
            self.assertEqual(self.ask("GET", "/key", shown)[0], 401, shown)
        self.enrolment.least = lambda name: 1
        self.assertEqual(self.ask("GET", "/key", self.proof(key, serial, "/key"))[0], 401)

    def test_who_joins_with_an_old_file_gets_the_new_key(self) -> None:
        """And that of its beacons, which the file does not have."""
        old = self.site.token(1000.0, LIFE)
        self.site.rotate()
        key, serial, given = self.join(old)
        self.assertEqual(key, wire.host_key(self.site.key, "web1", serial, 0))
        self.assertEqual(bytes.fromhex(given["beacon_key"]), wire.beacon_key(self.site.key))


class Socket:
    """Takes what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def sendto(self, datagram: bytes, address: tuple[str, int]) -> None:
        self.sent.append(datagram)


class BeaconsOfTwoKeysTests(SynchronousTestCase):
    """Beacons while hosts are moved."""

    def test_each_beacon_goes_out_under_both_keys_and_says_the_same(self) -> None:
        """So that agents hear the server whichever they have."""
        keys = SiteKeys(b"n" * 32, b"o" * 32)
        settings = Beacon(port=4361, to=("10.0.0.255",))
        say = lambda: {"server": "demo", "boot": "b", "port": 1, "door": 2}  # noqa: E731
        service = BeaconService(settings, keys, say, Clock())  # type: ignore[arg-type]
        service._socket = Socket()  # type: ignore[assignment]
        service.send()
        sent = service._socket.sent  # type: ignore[union-attr]
        read = [read_beacon(sent[number], wire.Key(wire.beacon_key(key))) for number, key in enumerate(keys.accepted)]
        self.assertEqual((len(sent), read[0]), (2, read[1]))
        service.follow(SiteKeys(b"n" * 32))
        service.send()
        self.assertEqual(len(sent), 3)

    def test_a_neighbour_that_has_no_copy_yet_is_still_heard(self) -> None:
        """By its beacons under the key before, and not by those of strangers."""
        told: list[Event] = []
        others = Neighbours("one", lambda: "a" * 16)
        service = NeighboursService(Beacon(), SiteKeys(b"n" * 32), others, told.extend, Clock())  # type: ignore[arg-type]
        service.follow(SiteKeys(b"n" * 32, b"o" * 32))
        heard: list[tuple[str, str]] = []
        others.heard = lambda server, plans, now: heard.append((server, plans)) or []  # type: ignore[assignment, func-returns-value, method-assign]
        for server, key in (("two", b"o" * 32), ("three", b"n" * 32), ("stranger", b"x" * 32)):
            body = json.encode({"server": server, "boot": "b", "port": 1, "door": 2, "plans": "b" * 16})
            service.hear(wire.seal(wire.Key(wire.beacon_key(key)), wire.BEACON, 0, 0, 1, body))
        self.assertEqual(heard, [("two", "b" * 16), ("three", "b" * 16)])
