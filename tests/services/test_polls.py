"""Polls as services: rounds in time, inventories that are edited, state over restarts."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import json, structs
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.model.event import POLL_FAILED, POLL_RECOVERED, POLL_REFUSED, POLL_UNTRUSTED, Event
from monitor436.model.fleet.inventory import Listed
from monitor436.model.fleet.polls import Kept, Seen
from monitor436.model.settings.polls import Poll
from monitor436.probes.probe import Failure
from monitor436.services.poll import PollService
from monitor436.services.polls import Polls
from monitor436.state_folder import read_kept
from tests.services.asked import AskedFleet

BODY = b'{"Application": "shop", "Version": "2.1", "Success_Count": 1}'
REFUSED = Failure("refused", "refuses connections")


class Fleet(AskedFleet):
    """Status pages."""

    def well(self) -> bytes:
        return BODY


class PollCase(SynchronousTestCase):
    """Shared: one poll of three targets every ten seconds."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.clock = Clock()
        self.fleet = Fleet(self.clock)
        self.events: list[Event] = []
        self.inventory = self.folder / "shops.txt"
        self.inventory.write_text("web1\nweb2\n")
        self.poll = Poll(inventory=str(self.inventory), targets=("web3",), every=10.0, jitter=0.0)
        self.service: PollService | None = None
        self.announced: list[Listed] = []

    def start(self, **changes: Any) -> PollService:
        """The service runs; its first round is done."""
        poll = structs.replace(self.poll, **changes)
        keeps = self.folder / "polls" / "shops.json"
        self.service = PollService(
            "shops", poll, self.state, keeps, lambda: self.announced, self.clock, lambda poll, reactor: self.fleet,
            self.clock.seconds, lambda: 1e9 + self.clock.seconds(), lambda: 0.5, maybeDeferred,
        )  # fmt: skip
        self.service.startService()
        self.clock.advance(0)
        self.addCleanup(self.stop)
        return self.service

    def stop(self) -> None:
        """It runs no more."""
        if self.service is not None:
            self.successResultOf(self.service.stopService())
            self.service = None

    def state(self, events: Sequence[Event]) -> None:
        """They are durable at once."""
        self.events += events
        if self.service:
            self.service.heard(events)

    def rounds(self, count: int = 1) -> list[Event]:
        """What is stated in the next rounds."""
        del self.events[:]
        for _ in range(count):
            self.clock.pump([0.5] * 20)
        return list(self.events)


class RoundTests(PollCase):
    def test_everybody_is_asked_in_every_round(self) -> None:
        """Those of the inventory and those of the settings."""
        self.start()
        self.assertEqual(self.fleet.asked, ["web3", "web1", "web2"])
        self.rounds(2)
        self.assertEqual(len(self.fleet.asked), 9)

    def test_rounds_begin_a_little_later_than_they_could(self) -> None:
        """So that several servers do not ask in step."""
        self.start(jitter=4.0)
        self.assertEqual(self.fleet.asked, [])
        self.clock.advance(1.9)
        self.assertEqual(self.fleet.asked, [])
        self.clock.advance(0.2)
        self.assertEqual(len(self.fleet.asked), 3)

    def test_a_round_that_takes_too_long_skips_the_next(self) -> None:
        """They never overlap."""
        self.fleet.takes = 12.0
        self.start()
        self.rounds(4)
        self.assertEqual(len(self.fleet.asked), 9)
        self.assertEqual(self.fleet.running, 3)

    def test_a_version_that_fails_is_one_event_and_so_is_its_recovery(self) -> None:
        """Over many rounds, and a restart amid them."""
        self.start()
        self.fleet.says = dict.fromkeys(("web1", "web2", "web3"), REFUSED)
        (failed,) = self.rounds(4)
        self.assertEqual((failed.kind, failed.fields["version"], failed.fields["failing"]), (POLL_FAILED, "2.1", 3))
        self.stop()
        self.start()
        self.assertEqual(self.rounds(4), [])
        self.stop()
        self.fleet.says = {}
        del self.events[:]
        self.start()
        first = list(self.events)
        (recovered,) = [*first, *self.rounds(4)]
        self.assertEqual((recovered.kind, recovered.fields["version"]), (POLL_RECOVERED, "2.1"))

    def test_a_body_that_says_no_version_fails_unless_any_will_do(self) -> None:
        """`body: any` is for pages that are not ours."""
        self.fleet.says = {"web1": b"[1]", "web2": b"<html>"}
        service = self.start()
        self.assertEqual(service.polled.kept.rounds[-1].reasons, {"schema": 1, "json": 1})
        self.stop()
        service = self.start(body="any")
        self.assertEqual(service.polled.kept.rounds[-1].reasons, {})

    def test_the_state_is_kept_when_its_events_are_durable(self) -> None:
        """A crash between the two says an event twice rather than never."""
        service = self.start(fail_after=1, of=1)
        said: list[Event] = []
        service._state = said.extend
        self.fleet.says = {"web1": REFUSED}
        self.rounds()
        self.assertEqual(len(said), 1)
        path = self.folder / "polls" / "shops.json"
        before = read_kept(path, Kept)
        assert before
        self.assertFalse(before.targets["web1"].failing)
        service.heard([Event(kind=POLL_FAILED, fields={"poll": "another"})])
        self.assertEqual(read_kept(path, Kept), before)
        service.heard(said)
        after = read_kept(path, Kept)
        assert after
        self.assertTrue(after.targets["web1"].failing)

    def test_a_file_that_cannot_be_read_is_a_beginning(self) -> None:
        """As is none."""
        path = self.folder / "polls" / "shops.json"
        path.parent.mkdir()
        path.write_text('{"targets": 3}')
        self.assertEqual(len(self.start().polled.kept.rounds), 1)

    def test_who_stops_in_the_middle_of_a_round_gives_it_up(self) -> None:
        """It says nothing of the targets."""
        self.fleet.takes = 3.0
        service = self.start()
        self.assertEqual(self.fleet.running, 3)
        self.stop()
        self.assertEqual((self.fleet.running, service.polled.kept.rounds), (0, []))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class InventoryTests(PollCase):
    def test_an_edited_inventory_is_read_again(self) -> None:
        """At the next round."""
        self.start()
        self.inventory.write_text("web1\nweb4\nweb5\n")
        del self.fleet.asked[:]
        self.rounds()
        self.assertEqual(self.fleet.asked, ["web3", "web1", "web4", "web5"])

    def test_mistakes_leave_the_old_one_in_force_and_are_told_once(self) -> None:
        """With their place."""
        self.start()
        self.inventory.write_text("web1\nhttp://\nweb5 web6\n")
        del self.fleet.asked[:]
        (event,) = self.rounds(3)
        self.assertEqual(event.kind, POLL_REFUSED)
        self.assertRegex(event.text, f"^[^\n]*{self.inventory}:2:1: [^\n]*; {self.inventory}:3:1: [^\n]*$")
        self.assertEqual(self.fleet.asked[:3], ["web3", "web1", "web2"])
        self.inventory.unlink()
        (event,) = self.rounds(3)
        self.assertIn("cannot be read: No such file or directory", event.text)
        self.inventory.write_text("web7\n")
        del self.fleet.asked[:]
        self.assertEqual(self.rounds(), [])
        self.assertEqual(self.fleet.asked, ["web3", "web7"])


class TrustTests(PollCase):
    def test_a_canary_that_is_silent_makes_a_round_untrusted(self) -> None:
        """It is no target: its own failure is no event."""
        self.start(canary="router", fail_after=1, of=1)
        self.assertEqual(self.fleet.asked, ["web3", "web1", "web2", "router"])
        self.fleet.says = {"web1": REFUSED, "router": REFUSED}
        (event,) = self.rounds(3)
        self.assertEqual(event.kind, POLL_UNTRUSTED)
        self.fleet.says = {"web1": REFUSED}
        kinds = [event.kind for event in self.rounds(2)]
        self.assertEqual(kinds, [POLL_UNTRUSTED, POLL_FAILED])

    def test_a_round_in_which_this_process_stood_still_is_untrusted(self) -> None:
        """If targets ran out of time in it."""
        self.fleet.takes = 0.4
        self.fleet.says = {"web1": Failure("header", "late")}
        service = self.start(fail_after=1, of=1)
        self.clock.advance(3.0)
        self.assertEqual([event.kind for event in self.events], [POLL_UNTRUSTED])
        self.assertIn("stood still for", service.polled.kept.rounds[-1].untrusted)


class AnnouncedTests(PollCase):
    def test_hosts_that_plans_announce_are_asked_once_they_are_known(self) -> None:
        """Each URL once, whoever names it; and not if the poll does not want them."""
        self.announced = [
            Listed("db1", "http://192.0.2.7:8080/status", "192.0.2.7", 8080),
            Listed("web1", "http://web1/status", "web1", 80),
        ]
        self.start(plans=True)
        self.assertEqual(sorted(self.fleet.asked), ["db1", "web1", "web2", "web3"])
        self.announced = []
        self.fleet.asked.clear()
        self.clock.advance(10.0)
        self.assertEqual(sorted(self.fleet.asked), ["web1", "web2", "web3"])

    def test_nobody_else_asks_them(self) -> None:
        """By default."""
        self.announced = [Listed("db1", "http://192.0.2.7:8080/status", "192.0.2.7", 8080)]
        self.start()
        self.assertNotIn("db1", self.fleet.asked)


class ReloadTests(SynchronousTestCase):
    def test_polls_that_changed_begin_anew_and_others_go_on(self) -> None:
        """HUP."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        clock = Clock()
        one = Poll(targets=("http://127.0.0.1:1/",))
        two = structs.replace(one, every=60.0)
        polls = Polls({"a": one, "b": one}, lambda events: None, folder, list, clock)
        polls.startService()
        services = {service.poll_name: service for service in polls}
        polls.follow({"b": one, "c": one})
        self.assertEqual(
            {service.poll_name: service is services.get(service.poll_name) for service in polls},
            {"b": True, "c": False},
        )
        self.assertFalse(services["a"].running)
        polls.follow({"b": two})
        self.assertEqual([(service.poll.every, service is services["b"]) for service in polls], [(60.0, False)])
        polls.stopService()
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_one_that_the_settings_name_no_more_fails_no_more(self) -> None:
        """Whether it went at a HUP, or while the server was stopped."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        kept = Kept({"web1": Seen("xxx", True), "web2": Seen("...")})
        for name in ("a", "gone"):
            (folder / f"{name}.json").write_bytes(json.encode(kept))
        stated: list[Event] = []
        polls = Polls({"a": Poll(targets=("http://127.0.0.1:1/",))}, stated.extend, folder, list, Clock())
        polls.startService()
        self.assertEqual([event.text for event in stated], ["poll gone: asked no more: web1"])
        polls.follow({})
        self.assertEqual([event.text for event in stated[1:]], ["poll a: asked no more: web1"])
        self.assertEqual(list(folder.iterdir()), [])
        polls.stopService()
