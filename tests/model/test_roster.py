"""Who is alive, told the time."""

import random
import sys
import unittest
from collections.abc import Callable, Iterable
from typing import Any

from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.hosts.host import DOWN, LATE, STOPPED, UNKNOWN, UP
from monitor436.model.hosts.roster import Roster
from monitor436.model.settings.hosts import Heartbeat


def roster(late: float = 15.0, **patience: Any) -> Roster:
    """One in which every host is late after the same time."""
    return Roster(lambda name: late, Heartbeat(**patience))


def told(events: Iterable[Event]) -> list[str]:
    """The kinds of events."""
    return [event.kind for event in events]


def calls(work: Callable[[], object]) -> int:
    """How many calls some work makes: what it costs, told without a clock."""
    made = 0

    def count(frame: object, what: str, arg: object) -> None:
        nonlocal made
        made += what in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return made


class RosterTests(unittest.TestCase):
    """Events only when something changes."""

    def test_a_host_is_found_once(self) -> None:
        """Further beats are no news."""
        known = roster()
        self.assertEqual(told(known.heard("web1", 1.0)), [kinds.HOST_FOUND])
        self.assertEqual(list(known.heard("web1", 2.0)), [])

    def test_silence_is_late_then_asked_then_down(self) -> None:
        """One event a change, with how long it has been silent and why that is the verdict."""
        known = roster()
        known.heard("web1", 0.0)
        self.assertEqual(known.expire(14.9).events, [])
        late = known.expire(15.0)
        (event,) = late.events
        self.assertEqual((event.kind, event.fields), (kinds.HOST_LATE, {"reason": "silent", "seconds": 15.0}))
        asked = list(late.pings)
        for now in (16.0, 17.0):
            asked += known.expire(now).pings
        self.assertEqual(asked, ["web1"] * 3)
        (down,) = known.expire(18.0).events
        self.assertEqual((down.kind, down.fields), (kinds.HOST_DOWN, {"reason": "silent", "seconds": 18.0}))
        self.assertEqual(known.expire(1e6), ([], []))

    def test_looks_that_come_late_do_not_add_up(self) -> None:
        """A verdict falls at the first look after its deadline, though no look comes when it should."""
        known, chance = roster(), random.Random(436)
        at = {f"h{number}": 18.0 + number * 0.1 for number in range(50)}
        for host, verdict in at.items():
            known.heard(host, verdict - 18.0)
        late = []
        for step in range(60):
            now = step * 0.5 + chance.random() * 0.1
            for number in range(500):
                known.heard(f"alive{number}", now)
            late += [now - at[event.host] for event in known.expire(now).events if event.kind == kinds.HOST_DOWN]
        self.assertEqual(len(late), 50)
        self.assertLess(max(late), 0.6)

    def test_a_quiet_host_is_asked_before_it_is_late(self) -> None:
        """Without an event: two lost beats in a row are nothing to tell."""
        known = roster()
        known.heard("web1", 0.0)
        asked = {now: known.expire(now) for now in (10.4, 10.5, 11.0, 11.5, 12.5, 13.5, 14.5)}
        self.assertEqual([now for now, expired in asked.items() if expired.pings], [10.5, 11.5, 12.5, 13.5, 14.5])
        self.assertEqual([event for expired in asked.values() for event in expired.events], [])
        known.heard("web1", 14.6)
        self.assertEqual(known.expire(25.0), ([], []))

    def test_an_answer_to_a_question_saves_it(self) -> None:
        """And it is late again only after the whole time-out."""
        known = roster()
        known.heard("web1", 0.0)
        known.expire(15.0)
        (up,) = known.heard("web1", 16.5)
        self.assertEqual((up.kind, up.fields["was"], up.fields["seconds"]), (kinds.HOST_UP, LATE, 16.5))
        self.assertEqual(known.expire(31.4).events, [])
        self.assertEqual(told(known.expire(31.5).events), [kinds.HOST_LATE])

    def test_a_host_that_greets_again_is_waited_for(self) -> None:
        """Its greeting may be a replay: it is no sign of life, and puts the verdict off by a time-out at most."""
        known = roster()
        known.heard("web1", 0.0)
        known.expire(14.0)
        known.knocked("web1", 14.0)
        happened = {now: told(known.expire(float(now)).events) for now in range(15, 40)}
        self.assertEqual(
            {now: kinds for now, kinds in happened.items() if kinds}, {15: ["host_late"], 29: ["host_down"]}
        )
        known.heard("web1", 100.0)
        when = 100.0
        while kinds.HOST_DOWN not in told(known.expire(when).events):
            known.knocked("web1", when)
            when += 0.5
        self.assertEqual(when, 100.0 + 15.0 + 15.0)
        known.knocked("nobody", when)
        self.assertIsNone(known.get("nobody"))

    def test_a_goodbye_is_no_outage(self) -> None:
        """Stopped, never down; and up again with what it was before."""
        known = roster()
        known.heard("web1", 0.0)
        (stopped,) = known.stopped("web1", 5.0)
        self.assertEqual((stopped.kind, stopped.severity), (kinds.HOST_STOPPED, "info"))
        self.assertEqual(stopped.fields, {"reason": "stopped"})
        self.assertEqual(known.expire(1000.0), ([], []))
        (up,) = known.heard("web1", 1000.0)
        self.assertEqual(up.fields["was"], STOPPED)

    def test_another_boot_id_is_a_reboot(self) -> None:
        """Also one shorter than the time-out; a first or unknown one is none."""
        known = roster()
        known.heard("web1", 0.0)
        self.assertEqual(known.greeted("web1", "b1", "1", "10.0.0.1"), [])
        self.assertEqual(known.greeted("web1", "b1", "1", "10.0.0.1"), [])
        self.assertEqual(known.greeted("web1", "", "1", "10.0.0.1"), [])
        (rebooted,) = known.greeted("web1", "b2", "1", "10.0.0.1")
        self.assertEqual((rebooted.kind, rebooted.fields), (kinds.HOST_REBOOTED, {"reason": "rebooted"}))

    def test_a_forgotten_host_is_found_again_when_it_beats(self) -> None:
        """Nothing is told of it before."""
        known = roster()
        known.heard("web1", 0.0)
        known.forget("web1")
        self.assertEqual((known.expire(100.0), len(known)), (([], []), 0))
        self.assertEqual(told(known.heard("web1", 200.0)), [kinds.HOST_FOUND])

    def test_verdicts_are_those_of_a_full_scan(self) -> None:
        """A hundred hosts with time-outs of their own beat by a seeded chance; each is late when a scan says so."""
        chance = random.Random(436)
        late = {f"h{number}": chance.choice((3.0, 15.0, 40.0)) for number in range(100)}
        known = Roster(late.__getitem__, Heartbeat(pings=0, flapping_changes=0, every=0.1))
        last: dict[str, float] = {}
        silent: set[str] = set()
        for step in range(2000):
            now = step * 0.5
            for name in late:
                if chance.random() < 0.04:
                    known.heard(name, now)
                    last[name] = now
                    silent.discard(name)
            scan = {name for name in last if now - last[name] >= late[name]}
            found = {event.host for event in known.expire(now).events if event.kind == kinds.HOST_LATE}
            self.assertEqual(found, scan - silent, now)
            silent |= scan

    def test_a_look_costs_what_is_silent_and_not_how_many_there_are(self) -> None:
        """Nobody is looked at who beats; five who are late cost the same in a fleet a hundred times as large."""
        costs = []
        for count in (100, 10_000):
            known = roster()
            for number in range(count):
                known.heard(f"h{number}", 0.0)
            for number in range(5, count):
                known.heard(f"h{number}", 8.0)
            quiet, late = calls(lambda known=known: known.expire(9.0)), calls(lambda known=known: known.expire(15.0))
            self.assertLess(quiet, 40)
            costs.append((quiet, late))
        self.assertEqual(costs[0], costs[1])

    def test_flapping_hosts_do_not_fill_the_list_of_deadlines(self) -> None:
        """Stale entries go when their time comes."""
        known = roster(late=1.0)
        for step in range(10_000):
            known.heard("web1", step * 1.5)
            known.expire(step * 1.5 + 1.2)
        self.assertLess(len(known._census._deadlines), 10)


class NeverSeenTests(unittest.TestCase):
    """Hosts that plans name and nobody has heard."""

    def test_a_planned_host_never_heard_is_told_once(self) -> None:
        """After its grace; when it comes it is found, not up again."""
        known = roster()
        known.expect(["web1"], 0.0)
        self.assertEqual(known.expire(119.0), ([], []))
        (down,) = known.expire(120.0).events
        self.assertEqual(down.fields["reason"], "never_seen")
        self.assertEqual(known.expire(1e6), ([], []))
        self.assertEqual(told(known.heard("web1", 1e6)), [kinds.HOST_FOUND])

    def test_one_that_comes_and_goes_has_not_flapped_before_it_came(self) -> None:
        """Nobody ever knew it otherwise."""
        known = roster(flapping_changes=1)
        known.expect(["web1"], 0.0)
        self.assertEqual(told(known.expire(120.0).events), [kinds.HOST_DOWN])

    def test_one_that_is_planned_for_no_longer_is_not_waited_for(self) -> None:
        """Nor shown; one that was heard stays."""
        known = roster()
        known.expect(["web1", "web2", "web3"], 0.0)
        known.heard("web1", 1.0)
        known.expect(["web3"], 2.0)
        self.assertEqual([seen.name for seen in known.seen(2.0)], ["web1", "web3"])
        self.assertEqual(
            [event.host for event in known.expire(120.0).events if event.kind == kinds.HOST_DOWN], ["web3"]
        )

    def test_its_grace_goes_on_over_a_restart(self) -> None:
        """But it gets at least the time in which a host that is there would have beaten."""
        known = roster()
        known.expect(["web1"], 0.0)
        after = roster()
        after.expect(["web1"], 1000.0)
        after.restore(known.seen(100.0), 1000.0, away=5000.0)
        self.assertEqual(after.get("web1").state, UNKNOWN)  # type: ignore[union-attr]
        self.assertEqual(after.expire(1019.9).events, [])
        (down,) = after.expire(1020.0).events
        self.assertEqual(down.fields, {"reason": "never_seen", "seconds": 120.0})
        soon = roster()
        soon.restore(known.seen(119.9), 1000.0)
        self.assertEqual(soon.expire(1014.9).events, [])
        self.assertEqual(len(soon.expire(1015.0).events), 1)

    def test_one_that_lost_its_plan_while_the_server_was_away_is_not_restored(self) -> None:
        """Plans are read before."""
        known, after = roster(), roster()
        known.expect(["web1"], 0.0)
        after.expect([], 1000.0)
        after.restore(known.seen(100.0), 1000.0)
        self.assertEqual(len(after), 0)


class AwayTests(unittest.TestCase):
    """The server itself stood still, or was not there."""

    def test_own_absence_moves_every_deadline(self) -> None:
        """A server that stood still for a minute calls nobody late."""
        known = roster()
        for number in range(100):
            known.heard(f"h{number}", number / 100)
        known.excuse(60.0)
        self.assertEqual(known.expire(74.9).events, [])
        self.assertGreater(len(known.expire(77.0).events), 0)

    def test_it_moves_the_last_question_too(self) -> None:
        """The answer may wait in our socket: it is read after the clock has been looked at."""
        known = roster()
        known.heard("web1", 0.0)
        for now in (15.0, 16.0, 17.0):
            known.expire(now)
        known.excuse(20.0)
        self.assertEqual(known.expire(37.5).events, [])
        self.assertEqual(told(known.expire(38.0).events), [kinds.HOST_DOWN])

    def test_it_moves_all_questions(self) -> None:
        """Each gets its second to be answered."""
        known = roster()
        known.heard("web1", 0.0)
        for now in (15.0, 16.0):
            known.expire(now)
        known.excuse(20.0)
        self.assertEqual(known.expire(37.0).pings, ["web1"])
        self.assertEqual(known.expire(37.9).events, [])
        self.assertEqual(told(known.expire(38.0).events), [kinds.HOST_DOWN])

    def test_nobody_is_asked_twice_for_it(self) -> None:
        """Not even after no time at all."""
        known = roster()
        known.heard("web1", 0.0)
        known.expire(15.0)
        known.excuse(0.0)
        self.assertEqual(known.expire(16.0).pings, ["web1"])

    def test_it_gives_nobody_a_second_time_out(self) -> None:
        """Silence before and after it counts, and it is told how long a host was silent in truth."""
        known = roster()
        known.heard("web1", 0.0)
        known.expire(10.0)
        known.excuse(20.0)
        self.assertEqual(known.expire(34.9).events, [])
        (late,) = known.expire(35.0).events
        self.assertEqual(late.fields["seconds"], 35.0)

    def test_a_host_that_is_never_heard_has_its_whole_grace(self) -> None:
        """Without the time in which nobody listened."""
        known = roster()
        known.expect(["web1"], 0.0)
        known.excuse(500.0)
        self.assertEqual(known.expire(619.0).events, [])
        self.assertEqual(len(known.expire(620.0).events), 1)

    def test_a_restart_repeats_nothing_and_gives_everyone_their_time(self) -> None:
        """Who was down stays down, who was up or late has the whole time-out."""
        known = roster()
        for name in ("up", "late", "down", "stopped"):
            known.heard(name, 0.0)
        known.stopped("stopped", 1.0)
        for now in (15.0, 16.0, 17.0, 18.0):
            known.expire(now)
        known.heard("up", 18.0)
        known.heard("late", 18.0)
        known.expire(33.0)
        after = roster()
        after.restore(known.seen(33.0), 1000.0)
        self.assertEqual(after.expire(1014.9).events, [])
        self.assertEqual([after.get(name).state for name in ("up", "late", "down")], [UP, UP, DOWN])  # type: ignore[union-attr]
        self.assertEqual({event.host for event in after.expire(1015.0).events}, {"up", "late"})

    def test_last_heard_survives_a_restart(self) -> None:
        """An hour in which the server was away included."""
        known, after = roster(), roster()
        known.heard("web1", 0.0)
        after.restore(known.seen(4.0), 1000.0, away=3600.0)
        self.assertEqual(after.seen(1000.0)[0].age, 3604.0)
        (late,) = after.expire(1015.0).events
        self.assertEqual(late.fields["seconds"], 3619.0)

    def test_a_reboot_while_the_server_was_away_is_told(self) -> None:
        """Boot ids are kept."""
        known, after = roster(), roster()
        known.heard("web1", 0.0)
        known.greeted("web1", "b1", "1", "10.0.0.1")
        after.restore(known.seen(4.0), 1000.0)
        after.heard("web1", 1001.0)
        self.assertEqual(told(after.greeted("web1", "b2", "1", "10.0.0.1")), [kinds.HOST_REBOOTED])


class PlannedRhythmTests(unittest.TestCase):
    """Every host has the time-out of its plan."""

    def setUp(self) -> None:
        self.late = {"web1": 180.0}
        self.known = Roster(self.late.__getitem__)
        self.known.beat("web1", 0.0, 1, 0, "old")

    def plan(self, late: float, now: float) -> None:
        """An edited plan is wanted from now on."""
        self.late["web1"] = late
        self.known.retime()

    def first_late(self, since: int, until: int) -> float:
        """The second at which the host is late."""
        return next(float(now) for now in range(since, until) if self.known.expire(float(now)).events)

    def test_a_longer_one_holds_at_once(self) -> None:
        """From the last beat on."""
        self.plan(300.0, 10.0)
        self.assertEqual(self.first_late(10, 400), 300.0)

    def test_those_who_were_heard_longest_ago_stay_in_front(self) -> None:
        """Each is late in its own time after an edit, in whatever order they were found."""
        known = Roster(lambda name: self.late["web1"])
        self.late["web1"] = 10.0
        for name, now in (("h1", 0.0), ("h2", 0.0), ("h2", 1.0), ("h1", 9.0)):
            known.beat(name, now, 1, 0, "old")
        self.late["web1"] = 12.0
        known.retime()
        found = [(now, event) for now in range(10, 25) for event in known.expire(float(now)).events]
        late = [(now, event.host) for now, event in found if event.kind == kinds.HOST_LATE]
        self.assertEqual(late, [(13, "h2"), (21, "h1")])

    def test_a_shorter_one_waits_until_the_host_follows_its_plan(self) -> None:
        """It may be asleep between two beats of the old one, or refuse the new one."""
        self.plan(15.0, 60.0)
        self.known.beat("web1", 60.0, 1, 0, "old")
        self.known.expire(120.0)
        self.known.beat("web1", 120.0, 1, 0, "old")
        self.assertEqual(self.first_late(121, 400), 300.0)

    def test_a_shorter_one_holds_when_the_host_says_that_it_follows(self) -> None:
        """With its next beat."""
        self.plan(15.0, 60.0)
        self.known.beat("web1", 200.0, 1, 0, "new")
        self.assertEqual(self.first_late(61, 400), 215.0)
