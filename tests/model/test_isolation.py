"""Self-doubt: many hosts that fall silent at once."""

import unittest
from typing import Any

from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.hosts.host import LATE, UP
from monitor436.model.hosts.roster import Roster
from monitor436.model.settings.hosts import Heartbeat

LOOK = 0.5  # seconds between looks


class IsolationTests(unittest.TestCase):
    """Thirty hosts beat every 5 s, each at its own moment; late after 15 s, down 3 s later."""

    def setUp(self) -> None:
        self.start(30)

    def start(self, count: int, **patience: Any) -> None:
        """So many hosts, all heard."""
        self.known = Roster(lambda name: 15.0, Heartbeat(**patience))
        self.names = [f"h{number:03}" for number in range(count)]
        self.now = 0.0
        self.told: list[Event] = []
        self.passes(10)
        self.told.clear()

    def passes(self, seconds: float, silent: int = 0) -> None:
        """Time, in which the first `silent` hosts are not heard."""
        for _ in range(int(seconds / LOOK)):
            before, self.now = self.now, self.now + LOOK
            for number, name in enumerate(self.names):
                phase = 5.0 * (number * 7 % len(self.names)) / len(self.names)
                if number >= silent and int((self.now - phase) // 5) != int((before - phase) // 5):
                    self.told += self.known.heard(name, self.now)
            self.told += self.known.expire(self.now).events

    def kinds(self) -> list[str]:
        """What was told since the last call, without who is late."""
        kinds_, self.told = [event.kind for event in self.told if event.kind != kinds.HOST_LATE], []
        return kinds_

    def test_a_break_of_the_network_is_two_events_and_no_verdict(self) -> None:
        """All are silent for 40 s: one event when it is seen, one when all are back."""
        self.passes(40, silent=30)
        (isolated,) = (event for event in self.told if event.kind == kinds.ISOLATED)
        self.assertEqual((isolated.host, isolated.severity, isolated.fields["of"]), ("", "critical", 30))
        self.passes(60)
        (over,) = (event for event in self.told if event.kind == kinds.ISOLATION_OVER)
        self.assertEqual((over.severity, over.fields["back"], over.fields["down"]), ("info", 30, 0))
        self.assertEqual(self.kinds(), [kinds.ISOLATED, kinds.ISOLATION_OVER])
        self.assertEqual({seen.state for seen in self.known.seen(self.now)}, {UP})

    def test_any_share_over_a_third_is_held_from_the_first_host_on(self) -> None:
        """The first is asked in vain before the last is late: its verdict waits for them."""
        for silent in range(11, 31):
            self.start(30)
            self.passes(40, silent=silent)
            self.passes(60)
            self.assertEqual(self.kinds(), [kinds.ISOLATED, kinds.ISOLATION_OVER], silent)

    def test_those_who_stay_away_are_down_after_the_hold(self) -> None:
        """Each with the reason that it was not alone; the others are back."""
        self.passes(40, silent=20)
        self.passes(15, silent=12)
        self.assertEqual(self.kinds(), [kinds.ISOLATED])
        self.passes(60, silent=12)
        down = [event for event in self.told if event.kind == kinds.HOST_DOWN]
        self.assertEqual({event.host for event in down}, set(self.names[:12]))
        self.assertEqual({event.fields["reason"] for event in down}, {"segment_lost"})
        self.assertLess(max(float(event.fields["seconds"]) for event in down), 15 + 5 + 60 + 1)
        (over,) = (event for event in self.told if event.kind == kinds.ISOLATION_OVER)
        self.assertEqual((over.severity, over.fields["back"], over.fields["down"]), ("warning", 8, 12))

    def test_after_the_hold_everything_is_as_before(self) -> None:
        """Who was down comes back with an event of its own; one more that dies is down in its time."""
        self.passes(120, silent=20)
        self.kinds()
        self.passes(20, silent=0)
        self.assertEqual(self.kinds(), [kinds.HOST_UP] * 20)
        self.passes(19 + 5, silent=1)
        self.assertEqual(self.kinds(), [kinds.HOST_DOWN])

    def test_a_third_or_less_is_told_one_by_one(self) -> None:
        """Ten of thirty die at once: each is down, and soon."""
        self.passes(27, silent=10)
        self.assertEqual(self.kinds(), [kinds.HOST_DOWN] * 10)

    def test_three_hosts_are_never_many(self) -> None:
        """Though they be all there are."""
        self.start(3)
        self.passes(25, silent=3)
        self.assertEqual(self.kinds(), [kinds.HOST_DOWN] * 3)

    def test_few_deaths_in_a_large_fleet_are_found_in_time(self) -> None:
        """Self-doubt costs nothing where there is no reason for it."""
        self.start(300)
        self.passes(23, silent=40)
        self.assertEqual(self.kinds(), [kinds.HOST_DOWN] * 40)

    def test_one_host_after_another_is_no_isolation(self) -> None:
        """Within one beat, or it is something else."""
        for silent in range(1, 20):
            self.passes(6, silent=silent)
        self.passes(20, silent=19)
        self.assertEqual(self.kinds(), [kinds.HOST_DOWN] * 19)

    def test_nobody_is_told_late_while_it_lasts(self) -> None:
        """Those before it is seen were: at most a third, and some."""
        self.start(300)
        self.passes(40, silent=300)
        late = [event for event in self.told if event.kind == kinds.HOST_LATE]
        self.assertLess(len(late), 130)

    def test_a_server_that_stands_still_meanwhile_holds_on(self) -> None:
        """The hold is longer by that."""
        self.passes(22, silent=30)
        self.now += 100.0
        self.known.excuse(100.0)
        self.passes(30, silent=30)
        self.assertEqual(self.kinds(), [kinds.ISOLATED])
        self.passes(40)
        self.assertEqual(self.kinds(), [kinds.ISOLATION_OVER])

    def test_those_who_follow_it_after_that_are_held_as_long(self) -> None:
        """The hold goes on when the server does."""
        self.passes(24, silent=20)
        self.now += 100.0
        self.known.excuse(100.0)
        self.passes(25, silent=30)
        self.assertEqual(self.kinds(), [kinds.ISOLATED])
        self.passes(20)
        self.assertEqual(self.kinds(), [kinds.ISOLATION_OVER])

    def test_a_stand_still_in_the_middle_of_a_break_hides_nothing(self) -> None:
        """Those who were late before it and those after it fell silent at once."""
        self.passes(11.5, silent=30)
        late = len([event for event in self.told if event.kind == kinds.HOST_LATE])
        self.assertTrue(6 < late <= 10, late)
        self.assertEqual(self.kinds(), [])
        self.now += 100.0
        self.known.excuse(100.0)
        self.passes(1, silent=30)
        self.assertEqual(self.kinds(), [kinds.ISOLATED])

    def test_hosts_that_were_forgotten_are_none_of_many(self) -> None:
        """Five of ten are many, and of thirty they were not."""
        for name in self.names[10:]:
            self.known.forget(name)
        del self.names[10:]
        self.passes(40, silent=5)
        self.assertEqual(self.kinds(), [kinds.ISOLATED])

    def test_the_hold_is_a_setting(self) -> None:
        """Ten seconds."""
        self.start(30, isolated_hold=10.0)
        self.passes(40, silent=30)
        self.assertEqual(self.kinds(), [kinds.ISOLATED] + [kinds.HOST_DOWN] * 30 + [kinds.ISOLATION_OVER])

    def test_stopped_and_forgotten_hosts_are_not_waited_for(self) -> None:
        """The last of those held goes in another way."""
        self.passes(25, silent=30)
        self.kinds()
        for name in self.names[:15]:
            self.known.stopped(name, self.now)
        for name in self.names[15:]:
            self.assertEqual(self.known.get(name).state, LATE)  # type: ignore[union-attr]
            self.known.forget(name)
        self.told += self.known.expire(self.now).events
        self.assertEqual(self.kinds(), [kinds.ISOLATION_OVER])
