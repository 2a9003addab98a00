"""Who is alive, told the time."""

import random
import unittest

from monitor436.model import event as kinds
from monitor436.model.roster import DOWN, LATE, STOPPED, UP, Roster


def roster(late: float = 15.0, pings: int = 3, unknown_after: float = 120.0) -> Roster:
    """One in which every host is late after the same time."""
    return Roster(lambda name: late, pings, unknown_after)


class RosterTests(unittest.TestCase):
    """Events only when something changes."""

    def test_a_host_is_found_once(self) -> None:
        """Further beats are no news."""
        known = roster()
        self.assertEqual([event.kind for event in known.heard("web1", 1.0)], [kinds.HOST_FOUND])
        self.assertEqual(list(known.heard("web1", 2.0)), [])

    def test_silence_is_late_then_asked_then_down(self) -> None:
        """One event a change, with how long it has been silent and why that is the verdict."""
        known = roster()
        known.heard("web1", 0.0)
        self.assertEqual(known.expire(14.9), ([], []))
        late = known.expire(15.0)
        self.assertEqual([event.kind for event in late.events], [kinds.HOST_LATE])
        asked = list(late.pings)
        for now in (16.0, 17.0):
            asked += known.expire(now).pings
        self.assertEqual(asked, ["web1"] * 3)
        (down,) = known.expire(18.0).events
        self.assertEqual((down.kind, down.fields), (kinds.HOST_DOWN, {"reason": "silent", "seconds": 18.0}))
        self.assertEqual(known.expire(1e6), ([], []))

    def test_an_answer_to_a_question_saves_it(self) -> None:
        """And it is late again only after the whole time-out."""
        known = roster()
        known.heard("web1", 0.0)
        known.expire(15.0)
        (up,) = known.heard("web1", 16.5)
        self.assertEqual((up.kind, up.fields["was"], up.fields["seconds"]), (kinds.HOST_UP, LATE, 16.5))
        self.assertEqual(known.expire(31.4), ([], []))
        self.assertEqual(len(known.expire(31.5).events), 1)

    def test_a_goodbye_is_no_outage(self) -> None:
        """Stopped, never down; and up again with what it was before."""
        known = roster()
        known.heard("web1", 0.0)
        (stopped,) = known.stopped("web1", 5.0)
        self.assertEqual((stopped.kind, stopped.severity), (kinds.HOST_STOPPED, "info"))
        self.assertEqual(known.expire(1000.0), ([], []))
        (up,) = known.heard("web1", 1000.0)
        self.assertEqual(up.fields["was"], STOPPED)

    def test_a_planned_host_never_heard_is_told_once(self) -> None:
        """After its grace; when it comes it is found, not up again."""
        known = roster()
        known.expect(["web1"], 0.0)
        self.assertEqual(known.expire(119.0), ([], []))
        (down,) = known.expire(120.0).events
        self.assertEqual(down.fields["reason"], "never_seen")
        self.assertEqual(known.expire(1e6), ([], []))
        self.assertEqual([event.kind for event in known.heard("web1", 1e6)], [kinds.HOST_FOUND])

    def test_another_boot_id_is_a_reboot(self) -> None:
        """Also one shorter than the time-out; a first or unknown one is none."""
        known = roster()
        known.heard("web1", 0.0)
        self.assertEqual(known.greeted("web1", "b1", "1", "10.0.0.1"), [])
        self.assertEqual(known.greeted("web1", "b1", "1", "10.0.0.1"), [])
        (rebooted,) = known.greeted("web1", "b2", "1", "10.0.0.1")
        self.assertEqual(rebooted.kind, kinds.HOST_REBOOTED)

    def test_own_absence_moves_every_deadline(self) -> None:
        """A server that stood still for a minute calls nobody late."""
        known = roster()
        for number in range(100):
            known.heard(f"h{number}", number / 100)
        known.excuse(60.0)
        self.assertEqual(known.expire(61.0), ([], []))
        self.assertEqual(len(known.expire(77.0).events), 100)

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
        self.assertEqual(after.expire(1014.9), ([], []))
        self.assertEqual([after.get(name).state for name in ("up", "late", "down")], [UP, UP, DOWN])  # type: ignore[union-attr]
        self.assertEqual({event.host for event in after.expire(1015.0).events}, {"up", "late"})

    def test_verdicts_are_those_of_a_full_scan(self) -> None:
        """A hundred hosts with time-outs of their own beat by a seeded chance; each is late when a scan says so."""
        chance = random.Random(436)
        late = {f"h{number}": chance.choice((3.0, 15.0, 40.0)) for number in range(100)}
        known = Roster(late.__getitem__, pings=0)
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

    def test_flapping_hosts_do_not_fill_the_list_of_deadlines(self) -> None:
        """Stale entries go when their time comes."""
        known = roster(late=1.0)
        for step in range(10_000):
            known.heard("web1", step * 1.5)
            known.expire(step * 1.5 + 1.2)
        self.assertLess(len(known._deadlines), 10)
