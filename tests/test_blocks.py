"""The building blocks: fan-out, a timer that survives, services that stop in order, the site's secrets."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.bus import EventBus
from monitor436.model.event import Event
from monitor436.model.keys.enrolment import Bound
from monitor436.names import Names
from monitor436.ordered import OrderedServices
from monitor436.periodic import Periodic
from monitor436.site import Site, SiteError


class BusTests(SynchronousTestCase):
    """Listeners hear of events."""

    def test_a_listener_that_fails_does_not_keep_others_from_hearing(self) -> None:
        """Its failure is logged."""
        bus, heard = EventBus(), []  # type: ignore[var-annotated]

        def fails(events: object) -> None:
            raise RuntimeError("deaf")

        bus.subscribe(fails)
        end = bus.subscribe(heard.append)
        bus.publish([Event(text="a")])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        end()
        bus.publish([Event(text="b")])
        self.assertEqual([events[0].text for events in heard], ["a"])
        self.flushLoggedErrors(RuntimeError)


class PeriodicTests(SynchronousTestCase):
    """A timer that survives its worst turn."""

    def test_a_turn_that_fails_is_logged_and_the_next_one_comes(self) -> None:
        """Also if it fails later."""
        clock, turns = Clock(), []  # type: ignore[var-annotated]

        def turn() -> object:
            turns.append(clock.seconds())
            if len(turns) == 1:
                raise RuntimeError("at once")
            later: Deferred[None] = Deferred()
            if len(turns) == 2:
                later.errback(RuntimeError("later"))
            else:
                later.callback(None)
            return later

        service = Periodic("test", 5.0, turn, clock)  # type: ignore[arg-type]
        service.startService()
        clock.pump([5.0, 5.0])
        service.stopService()
        clock.advance(60.0)
        self.assertEqual(turns, [0.0, 5.0, 10.0])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)


class Slow(Service):
    """Stops when it is told to."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.setName(name)
        self.log = log
        self.stopped: Deferred[None] = Deferred()

    def startService(self) -> None:
        self.log.append(f"{self.name} starts")

    def stopService(self) -> Deferred[None]:
        self.log.append(f"{self.name} stops")
        return self.stopped


class OrderedTests(SynchronousTestCase):
    """Services that stop one after another."""

    def test_each_stops_when_the_one_after_it_has_stopped(self) -> None:
        """Also if that one failed."""
        log: list[str] = []
        services, parts = OrderedServices(), [Slow(name, log) for name in ("log", "store", "agents")]
        for part in parts:
            part.setServiceParent(services)
        services.startService()
        del log[:]
        done = services.stopService()
        self.assertEqual(log, ["agents stops"])
        parts[2].stopped.errback(RuntimeError("not cleanly"))
        self.assertEqual(log, ["agents stops", "store stops"])
        parts[1].stopped.callback(None)
        self.assertEqual(log[-1], "log stops")
        self.assertNoResult(done)
        parts[0].stopped.callback(None)
        self.successResultOf(done)
        self.flushLoggedErrors(RuntimeError)


class SiteTests(SynchronousTestCase):
    """The site's secrets."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def test_they_are_made_once_for_the_owner_alone(self) -> None:
        """A second start finds the same."""
        first, second = Site(self.folder / "site"), Site(self.folder / "site")
        self.assertEqual((first.key, first.pin), (second.key, second.pin))
        for name in ("site.key", "site.pem"):
            self.assertEqual(stat.S_IMODE((self.folder / "site" / name).stat().st_mode), 0o600)

    def test_a_key_that_others_can_read_is_refused(self) -> None:
        """With a sentence that says what to do."""
        Site(self.folder)
        os.chmod(self.folder / "site.key", 0o644)
        self.assertIn("chmod 600", str(self.assertRaises(SiteError, Site, self.folder)))

    def test_damaged_secrets_are_refused(self) -> None:
        """A short key, a certificate that is none."""
        Site(self.folder)
        (self.folder / "site.pem").write_bytes(b"nonsense")
        self.assertIn("site.pem", str(self.assertRaises(SiteError, Site, self.folder)))
        (self.folder / "site.key").write_bytes(b"short")
        self.assertIn("32 bytes", str(self.assertRaises(SiteError, Site, self.folder)))

    def test_a_join_token_is_good_for_its_life_and_the_same_when_packed_again(self) -> None:
        """And no other text is good, nor another site's."""
        site, other = Site(self.folder / "a"), Site(self.folder / "b")
        token = site.token(1000.0, 600.0)
        self.assertEqual(token, site.token(1001.0, 600.0))
        self.assertTrue(site.good(token, 1600.0))
        self.assertFalse(site.good(token, 2000.0))
        for wrong in ("", ".", token[:-1], "9" + token, token + "0", "é.é", "nan." + token.partition(".")[2]):
            self.assertFalse(site.good(wrong, 1000.0), wrong)
        self.assertFalse(other.good(token, 1000.0))


class NamesTests(SynchronousTestCase):
    """The file of names."""

    def test_half_a_line_does_not_spoil_the_next(self) -> None:
        """A power cut may leave one."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        path = folder / "names.jsonl"
        names = Names(path)
        names.keep(Bound("web1", "01"))
        with open(path, "ab") as file:
            file.write(b'{"name":"we')
        names.keep(Bound("web2", "02", 0, True))
        self.assertEqual(names.read(), [Bound("web1", "01"), Bound("web2", "02", 0, True)])
