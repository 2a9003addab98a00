"""Hosts that go down and come back again and again."""

import random
import unittest
from typing import Any

from msgspec import structs

from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.hosts.host import DOWN, STOPPED, UP
from monitor436.model.hosts.roster import Roster
from monitor436.model.settings.hosts import Heartbeat

TOLD = {kinds.HOST_LATE, kinds.HOST_DOWN, kinds.HOST_UP, kinds.HOST_STOPPED, kinds.HOST_REBOOTED}


class FlappingTests(unittest.TestCase):
    """Beats every 5 s, late after 15 s, down 3 s later; 4 changes in 10 minutes are flapping."""

    def setUp(self) -> None:
        self.start()

    def start(self, **patience: Any) -> None:
        """A roster with these settings, and one host."""
        self.known = Roster(lambda name: 15.0, Heartbeat(**patience))
        self.now = 0.0
        self.told: list[Event] = []
        self.heard()

    def heard(self) -> None:
        """The host beats."""
        self.told += self.known.heard("web1", self.now)

    def beats(self, seconds: float) -> None:
        """The host beats for some time."""
        for _ in range(int(seconds / 5)):
            self.now += 5.0
            self.heard()
            self.told += self.known.expire(self.now).events

    def silent(self, seconds: float) -> None:
        """It does not."""
        for _ in range(int(seconds * 2)):
            self.now += 0.5
            self.told += self.known.expire(self.now).events

    def goes_down_and_comes_back(self, times: int = 1) -> None:
        """Two changes in half a minute, so many times."""
        for _ in range(times):
            self.silent(20)
            self.beats(10)

    def kinds(self) -> list[str]:
        """What was told since the last call."""
        kinds, self.told = [event.kind for event in self.told], []
        return kinds

    def test_lists_can_tell_who_is_restless(self) -> None:
        """Who flaps, and not who merely came back."""
        self.goes_down_and_comes_back(1)
        self.assertFalse(self.known.restless("web1"))
        self.goes_down_and_comes_back(1)
        self.assertEqual([self.known.restless(name) for name in ("web1", "web2")], [True, False])

    def test_the_fourth_change_is_told_with_the_flapping_and_nothing_after_it(self) -> None:
        """Whatever it does then: goes down, comes back, is rebooted, is stopped."""
        self.kinds()
        self.goes_down_and_comes_back(2)
        told = self.told[-1]
        self.assertEqual(
            self.kinds(),
            [kinds.HOST_LATE, kinds.HOST_DOWN, kinds.HOST_UP] * 2 + [kinds.HOST_FLAPPING],
        )
        self.assertEqual(
            (told.host, told.severity, told.fields["state"], told.fields["changes"]), ("web1", "warning", UP, 4)
        )
        self.goes_down_and_comes_back(5)
        self.told += self.known.greeted("web1", "b1", "1", "10.0.0.1")
        self.told += self.known.greeted("web1", "b2", "1", "10.0.0.1")
        self.told += self.known.stopped("web1", self.now)
        self.heard()
        self.assertEqual(self.kinds(), [])

    def test_it_is_told_of_again_when_it_has_held_still(self) -> None:
        """One event that says in which state; after that everything is told as before."""
        self.goes_down_and_comes_back(3)
        self.kinds()
        self.beats(585)
        self.assertEqual(self.kinds(), [])
        self.beats(15)
        (steady,) = self.told
        self.assertEqual((steady.kind, steady.severity, steady.fields["state"]), (kinds.HOST_STEADY, "info", UP))
        self.assertEqual(steady.fields["changes"], 6)
        self.kinds()
        self.goes_down_and_comes_back()
        self.assertEqual(self.kinds(), [kinds.HOST_LATE, kinds.HOST_DOWN, kinds.HOST_UP])

    def test_one_that_stays_down_is_told_as_such(self) -> None:
        """Critical: it is the verdict that nobody was told."""
        self.goes_down_and_comes_back(3)
        self.kinds()
        self.silent(18 + 599)
        self.assertEqual(self.kinds(), [])
        self.silent(1)
        (steady,) = self.told
        self.assertEqual((steady.kind, steady.severity, steady.fields["state"]), (kinds.HOST_STEADY, "critical", DOWN))

    def test_being_late_is_not_holding_still(self) -> None:
        """A host that answers the last question again and again is not well."""
        self.goes_down_and_comes_back(2)
        self.kinds()
        for _ in range(40):
            self.silent(16)
            self.beats(5)
        self.assertEqual(self.kinds(), [])

    def test_late_is_no_state_to_be_told_of(self) -> None:
        """Its ten minutes end while it is asked: the verdict begins them anew."""
        self.goes_down_and_comes_back(2)
        last = self.now - 10.0 + 5.0  # it came back with the first of two beats
        self.kinds()
        self.beats(last + 585 - self.now)
        self.silent(25)
        self.assertGreater(self.now, last + 600)
        self.assertEqual((self.kinds(), self.known.get("web1").state), ([], DOWN))  # type: ignore[union-attr]

    def test_changes_that_take_longer_are_told_one_by_one(self) -> None:
        """Three in ten minutes are not flapping, for however many hours."""
        self.kinds()
        for _ in range(20):
            self.silent(20)
            self.beats(600)
        self.assertEqual(self.kinds(), [kinds.HOST_LATE, kinds.HOST_DOWN, kinds.HOST_UP] * 20)

    def test_an_agent_that_is_stopped_and_started_does_not_flap(self) -> None:
        """Somebody works there."""
        self.kinds()
        for _ in range(10):
            self.told += self.known.stopped("web1", self.now)
            self.beats(5)
        self.assertEqual(self.kinds(), [kinds.HOST_STOPPED, kinds.HOST_UP] * 10)

    def test_nobody_stops_an_agent_forty_times_in_ten_minutes(self) -> None:
        """That flaps: it is told once, and how it ended when it holds still."""
        self.kinds()
        for _ in range(100):
            self.told += self.known.stopped("web1", self.now)
            self.beats(5)
        told = self.told[79]
        self.assertEqual(
            self.kinds(), [kinds.HOST_STOPPED, kinds.HOST_UP] * 39 + [kinds.HOST_STOPPED, kinds.HOST_FLAPPING]
        )
        self.assertEqual((told.fields["changes"], told.fields["seconds"], told.fields["state"]), (40, 195.0, STOPPED))
        self.restart()
        self.beats(600)
        (steady,) = self.told
        self.assertEqual((steady.kind, steady.fields["state"], steady.fields["changes"]), (kinds.HOST_STEADY, UP, 4))

    def test_a_stop_is_no_stillness_also_when_nobody_is_to_flap_any_more(self) -> None:
        """Who flaps when the settings change has ten minutes from its last stir."""
        self.goes_down_and_comes_back(2)
        self.known.follow(Heartbeat(flapping_changes=0))
        self.beats(500)
        self.kinds()
        self.told += self.known.stopped("web1", self.now)
        self.silent(599)
        self.assertEqual(self.kinds(), [])
        self.silent(1)
        self.assertEqual(self.kinds(), [kinds.HOST_STEADY])

    def test_stops_before_and_after_a_stand_still_of_the_server_count_together(self) -> None:
        """As changes do."""
        for _ in range(40):
            self.now += 350.0
            self.known.excuse(350.0)
            self.told += self.known.stopped("web1", self.now)
            self.heard()
        self.assertEqual(self.kinds()[-1], kinds.HOST_FLAPPING)

    def test_a_boot_id_that_changes_all_the_time_is_told_once_too(self) -> None:
        """Without any goodbye; whoever is rebooted some times is told of as ever, also over many days."""
        self.kinds()
        for number in range(100):
            self.told += self.known.greeted("web1", f"boot {number}", "1", "10.0.0.1")
            self.beats(5)
        self.assertEqual(self.kinds(), [kinds.HOST_REBOOTED] * 40 + [kinds.HOST_FLAPPING])
        self.beats(700)
        (steady,) = self.told
        self.assertEqual((steady.kind, steady.fields["changes"]), (kinds.HOST_STEADY, 99))
        self.kinds()
        for number in range(100):
            self.told += self.known.greeted("web1", f"later {number}", "1", "10.0.0.1")
            self.beats(20)
        self.assertEqual(self.kinds(), [kinds.HOST_REBOOTED] * 100)

    def test_bounds_are_settings(self) -> None:
        """Nobody flaps if that is what they say."""
        self.start(flapping_changes=2, flapping_within=60.0)
        self.goes_down_and_comes_back()
        self.assertEqual(self.kinds()[-1], kinds.HOST_FLAPPING)
        self.beats(60)
        self.assertEqual(self.kinds(), [kinds.HOST_STEADY])
        self.start(flapping_changes=0)
        self.goes_down_and_comes_back(20)
        self.assertNotIn(kinds.HOST_FLAPPING, self.kinds())

    def test_a_restart_of_the_server_changes_nothing(self) -> None:
        """Neither what counts towards flapping nor how long it holds still."""
        self.goes_down_and_comes_back(1)
        self.restart()
        self.goes_down_and_comes_back(1)
        self.assertEqual(self.kinds()[-1], kinds.HOST_FLAPPING)
        self.beats(300)
        self.restart()
        self.beats(280)
        self.assertEqual(self.kinds(), [])
        self.beats(20)
        self.assertEqual(self.kinds(), [kinds.HOST_STEADY])

    def restart(self) -> None:
        """The next run, whose clock begins anew."""
        kept = self.known.seen(self.now)
        self.known = Roster(lambda name: 15.0, Heartbeat())
        self.now -= 1000.0
        self.known.restore(kept, self.now, away=3000.0)

    def test_each_host_has_its_own_stillness_after_a_restart(self) -> None:
        """In whatever order they are kept."""
        kept = []
        for name, age in (("h1", 100.0), ("h2", 500.0)):
            seen = self.known.seen(self.now)[0]
            kept.append(structs.replace(seen, name=name, flapping=True, turns=(age + 3, age + 2, age + 1, age)))
        self.known = Roster(lambda name: 1e6, Heartbeat())
        self.known.restore(kept, 1000.0)
        steady = [(now, event.host) for now in range(1000, 1700) for event in self.known.expire(float(now)).events]
        self.assertEqual(steady, [(1100, "h2"), (1500, "h1")])

    def test_changes_before_and_after_a_stand_still_of_the_server_count_together(self) -> None:
        """It would have seen more of them."""
        self.goes_down_and_comes_back()
        self.kinds()
        self.now += 700.0
        self.known.excuse(700.0)
        self.goes_down_and_comes_back()
        self.assertEqual(self.kinds()[-1], kinds.HOST_FLAPPING)

    def test_time_in_which_the_server_stood_still_is_no_stillness_of_hosts(self) -> None:
        """It has not seen them."""
        self.goes_down_and_comes_back(2)
        self.kinds()
        self.now += 700.0
        self.known.excuse(700.0)
        self.beats(550)
        self.assertEqual(self.kinds(), [])
        self.beats(60)
        self.assertEqual(self.kinds(), [kinds.HOST_STEADY])

    def test_hosts_that_hold_still_cost_nothing(self) -> None:
        """Ten thousand went down once, some time ago."""
        for number in range(10_000):
            self.known.heard(f"h{number}", float(number % 5))
        self.known.excuse(0.0)
        for now in range(5, 700):
            self.known.expire(float(now))
        self.assertEqual(len(self.known._verdicts.flapping._turns), 0)

    def test_whatever_happens_the_last_told_state_becomes_the_true_one(self) -> None:
        """Seeded silence and life for a day, then ten quiet minutes: what was told last is how it is."""
        for seed in range(20):
            chance = random.Random(seed)
            self.start()
            while self.now < 20_000:
                if chance.random() < 0.5:
                    self.silent(chance.choice((10, 17, 25, 200)))
                    self.heard()
                else:
                    self.beats(chance.choice((5, 60, 900)))
            self.silent(700) if chance.random() < 0.5 else self.beats(700)
            last = [event for event in self.told if event.kind in TOLD or event.kind == kinds.HOST_STEADY][-1]
            state = {kinds.HOST_DOWN: DOWN, kinds.HOST_UP: UP}.get(last.kind) or last.fields["state"]
            self.assertEqual(state, self.known.get("web1").state, seed)  # type: ignore[union-attr]
            flapping = [event.kind for event in self.told if event.kind in (kinds.HOST_FLAPPING, kinds.HOST_STEADY)]
            self.assertEqual(flapping, [kinds.HOST_FLAPPING, kinds.HOST_STEADY] * (len(flapping) // 2), seed)
