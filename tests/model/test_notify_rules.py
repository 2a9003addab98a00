"""Who is told of what and when: grouped, once, with every recovery, over restarts at any point."""

import unittest
from collections import defaultdict
from itertools import pairwise

from hypothesis import given
from hypothesis import settings as pace
from hypothesis import strategies as st
from msgspec import structs

from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.settings.notify import Notify, Quiet, Route
from monitor436.model.settings.status import Status
from tests.model.notified import BEGIN, LATE, OPS, Notified, check, down, happening, routed, up

BEHIND = Status(depends={"switch1": ("web*",)})


def silence(until: float, **fields: str) -> Event:
    """An operator's silence."""
    given = {"silence": "s1", "until": until, "by": "ann", "act": "1", **fields}
    return Event(kind=kinds.SILENCE_ADDED, text="works", fields=given)


class GroupTests(unittest.TestCase):
    def test_a_switch_with_200_hosts_behind_it_is_one_notification(self) -> None:
        """And the recovery of each host is told, as well as that of the switch."""
        house = Notified(status=BEHIND)
        hosts = [f"web{number}" for number in range(200)]
        for host in hosts[:100]:
            house.happens(down(host))
        house.passes(3)
        house.happens(down("switch1"), *(down(host) for host in hosts[100:]))
        house.passes(3600)
        self.assertEqual(house.told(), [("alarm", "switch1")])
        self.assertEqual(sorted(house.items[0].behind), sorted(hosts))
        house.happens(up("switch1"), *(up(host) for host in hosts))
        house.passes(60)
        self.assertEqual(len(house.sent), 2)
        back = [("recovery", host) for host in ("switch1", *hosts)]
        self.assertEqual(sorted(house.told()[1:]), sorted(back))

    def test_a_host_that_stays_down_when_its_switch_is_back_is_told(self) -> None:
        """It was only covered."""
        house = Notified(status=BEHIND)
        house.happens(down("web1"), down("web2"), down("switch1"))
        house.passes(60)
        house.happens(up("switch1"), up("web1"))
        house.passes(60)
        self.assertEqual(
            house.told(), [("alarm", "switch1"), ("recovery", "switch1"), ("recovery", "web1"), ("alarm", "web2")]
        )

    def test_behind_a_switch_may_be_another_with_hosts_behind_it(self) -> None:
        """All are named with the first, and every recovery is told; one that stays away is told for itself."""
        house = Notified(status=Status(depends={"core": ("switch*",), "switch1": ("web*",), "switch2": ("db*",)}))
        hosts = ["web1", "web2", "switch1", "switch2", "db1"]
        house.happens(*map(down, hosts), down("core"))
        house.passes(600)
        self.assertEqual(house.told(), [("alarm", "core")])
        self.assertEqual(sorted(house.items[0].behind), sorted(hosts))
        house.happens(*map(up, ("core", "switch2", "web1")))
        house.passes(600)
        back = [("recovery", host) for host in ("core", "switch2", "web1")]
        self.assertEqual(sorted(house.told()[1:]), [("alarm", "db1"), ("alarm", "switch1"), *back])
        house.happens(*map(up, ("switch1", "web2", "db1")))
        house.passes(600)
        self.assertEqual(sorted(house.told()[6:]), [("recovery", host) for host in ("db1", "switch1", "web2")])

    def test_hosts_have_as_long_as_they_may_be_silent_to_come_back_after_their_switch(self) -> None:
        """They beat every so often, and group_wait may be over by then. A start of the server begins that time anew."""
        for restarts in (False, True):
            with self.subTest(restarts=restarts):
                house = Notified(status=BEHIND)
                hosts = ["web1", "web2", "web3"]
                house.happens(down("switch1"), *map(down, hosts))
                house.passes(60)
                house.happens(up("switch1"), up("web1"))
                house.passes(LATE - 2)
                if restarts:
                    house.kill()
                    house.passes(LATE - 2)
                house.happens(up("web2"))
                house.passes(60)
                back = [("recovery", host) for host in ("switch1", "web1", "web2")]
                self.assertEqual(house.told(), [("alarm", "switch1"), *back, ("alarm", "web3")])

    def test_an_outage_that_is_over_before_it_is_told_is_told_of_nobody(self) -> None:
        """Though the hosts come back after the switch, when group_wait is over."""
        house = Notified(status=BEHIND)
        house.happens(down("switch1"), down("web1"), down("web2"))
        house.passes(5)
        house.happens(up("switch1"), up("web1"))
        house.passes(LATE - 1)
        house.happens(up("web2"))
        house.passes(60)
        self.assertEqual(house.told(), [])

    def test_behind_a_switch_that_flaps_nobody_flaps_for_himself(self) -> None:
        """What is down when it holds still is told."""
        house = Notified(status=BEHIND)
        flaps = happening(kinds.HOST_FLAPPING, "critical", "switch1", state="flapping")
        house.happens(flaps, down("web1"), happening(kinds.HOST_FLAPPING, "critical", "web2", state="flapping"))
        house.passes(600)
        self.assertEqual(house.told(), [("flapping", "switch1")])
        house.happens(happening(kinds.HOST_STEADY, "info", "switch1", state="up"))
        house.happens(happening(kinds.HOST_STEADY, "info", "web2", state="up"))
        house.passes(600)
        self.assertEqual(house.told()[1:], [("recovery", "switch1"), ("recovery", "web2"), ("alarm", "web1")])

    def test_without_dependencies_hosts_that_fall_together_are_one_notification(self) -> None:
        """Those within group_wait."""
        house = Notified()
        for number in range(200):
            house.happens(down(f"web{number}"))
            house.passes(0.02, step=0.02)
        house.passes(60)
        self.assertEqual((len(house.sent), len(house.items)), (1, 200))

    def test_hosts_lost_with_their_segment_are_told_with_the_isolation(self) -> None:
        """One notification when they fall silent; it is over when the last is back."""
        house = Notified()
        house.happens(happening(kinds.ISOLATED, "critical", hosts=3, of=4))
        house.passes(60)
        house.happens(*(down(f"web{number}", "segment_lost") for number in range(3)))
        house.happens(happening(kinds.ISOLATION_OVER, "warning", back=0, down=3))
        house.passes(600)
        self.assertEqual(house.told(), [("alarm", "this server/isolation")])
        house.happens(*(up(f"web{number}") for number in range(3)))
        house.passes(60)
        self.assertEqual(len(house.sent), 2)
        self.assertEqual({what for what, _ in house.told()[1:]}, {"recovery"})
        self.assertEqual(len(house.told()), 5)

    def test_a_check_of_a_host_that_is_down_waits_for_the_host(self) -> None:
        """And is told if it is bad still."""
        house = Notified()
        house.happens(down("web1"), check("web1", "disk", "critical"))
        house.passes(60)
        self.assertEqual(house.told(), [("alarm", "web1")])
        house.happens(up("web1"))
        house.passes(60)
        self.assertEqual(house.told()[1:], [("recovery", "web1"), ("alarm", "web1/disk")])

    def test_what_is_over_before_it_is_told_is_never_told(self) -> None:
        """Nor is its end."""
        house = Notified()
        house.happens(down("web1"), up("web1"))
        house.passes(60)
        self.assertEqual(house.sent, [])

    def test_more_than_one_notice_holds_go_into_several(self) -> None:
        """Each item once."""
        house = Notified()
        house.happens(*(down(f"h{number}") for number in range(2500)))
        house.passes(60)
        self.assertEqual([len(notice.items) for notice in house.sent], [1000, 1000, 500])


class FlappingTests(unittest.TestCase):
    def test_a_flapping_check_is_two_lines(self) -> None:
        """That it flaps, and in which state it is steady."""
        house = Notified()
        for _ in range(100):
            house.happens(check("web1", "disk", "critical"))
            house.passes(1)
            house.happens(check("web1", "disk", "info"))
            house.passes(1)
        house.passes(3600, step=5)
        self.assertEqual(house.told(), [("flapping", "web1/disk"), ("recovery", "web1/disk")])

    def test_one_that_ends_bad_is_an_alarm(self) -> None:
        """Told when it holds still."""
        house = Notified()
        for _ in range(5):
            house.happens(check("web1", "disk", "critical"), check("web1", "disk", "info"))
        house.happens(check("web1", "disk", "critical"))
        house.passes(3600, step=5)
        self.assertEqual(house.told(), [("flapping", "web1/disk"), ("alarm", "web1/disk")])

    def test_it_goes_on_flapping_over_a_restart(self) -> None:
        """Nothing is told twice."""
        house = Notified()
        for turn in range(60):
            house.happens(check("web1", "disk", "critical" if turn % 2 else "info"))
            house.passes(5)
            house.kill()
        house.happens(check("web1", "disk", "info"))
        house.passes(3600, step=5)
        self.assertEqual(house.told(), [("flapping", "web1/disk"), ("recovery", "web1/disk")])


class HeldTests(unittest.TestCase):
    def test_a_silence_stops_alarms_and_never_recoveries(self) -> None:
        """web1 was told before."""
        house = Notified()
        house.happens(down("web1"))
        house.passes(60)
        house.happens(silence(BEGIN + 1000, host="web*"), down("web2"), up("web1"))
        house.passes(600)
        self.assertEqual(house.told(), [("alarm", "web1"), ("recovery", "web1")])

    def test_what_is_still_bad_when_a_silence_ends_is_told(self) -> None:
        """Whether it expires or is removed."""
        house = Notified()
        house.happens(silence(BEGIN + 1000, host="web*"), down("web1"), down("db1"))
        house.passes(990)
        self.assertEqual(house.told(), [("alarm", "db1")])
        house.passes(60)
        self.assertEqual(house.told(), [("alarm", "db1"), ("alarm", "web1")])
        other = Notified()
        other.happens(silence(BEGIN + 1000, host="web*"), down("web1"))
        other.passes(60)
        other.happens(happening(kinds.SILENCE_REMOVED, "info", silence="s1"))
        other.passes(60)
        self.assertEqual(other.told(), [("alarm", "web1")])

    def test_silences_fit_by_check_tag_and_severity(self) -> None:
        """All that is given must fit."""
        house = Notified()
        house.happens(silence(BEGIN + 9e9, check="disk*", severity="warning"))
        house.happens(check("a", "disk /", "warning"), check("b", "disk /", "critical"), check("c", "load", "warning"))
        house.passes(60)
        self.assertEqual(house.told(), [("alarm", "b/disk /"), ("alarm", "c/load")])
        tagged = Notified()
        tagged.happens(silence(BEGIN + 9e9, tag="test"))
        tagged.happens(structs.replace(check("a", "x", "critical"), tags=("test",)), check("b", "x", "critical"))
        tagged.passes(60)
        self.assertEqual(tagged.told(), [("alarm", "b/x")])

    def test_what_is_acknowledged_is_not_told_again_until_it_is_worse(self) -> None:
        """Its recovery is."""
        house = Notified(Notify(command=OPS, group_wait=10.0, remind_every=3600.0))
        house.happens(check("a", "disk", "warning"))
        house.passes(60)
        house.happens(happening(kinds.ACKNOWLEDGED, "info", "a", "disk", "on it", by="ann"))
        house.passes(3 * 3600, step=5)
        self.assertEqual(house.told(), [("alarm", "a/disk")])
        house.happens(check("a", "disk", "critical"))
        house.passes(60)
        house.happens(check("a", "disk", "info"))
        house.passes(60)
        self.assertEqual(house.told(), [("alarm", "a/disk"), ("alarm", "a/disk"), ("recovery", "a/disk")])

    def test_one_is_reminded_of_what_stays_bad(self) -> None:
        """Every remind_every, over restarts too."""
        house = Notified(Notify(command=OPS, group_wait=10.0, remind_every=3600.0))
        house.happens(down("web1"))
        house.passes(1800, step=5)
        house.kill()
        house.passes(3 * 3600 - 1800, step=5)
        self.assertEqual(house.told(), [("alarm", "web1"), *[("reminder", "web1")] * 2])

    def test_quiet_hours_hold_back_what_is_less_than_critical(self) -> None:
        """In the morning what is bad still is told; recoveries come at any hour."""
        house = Notified(
            Notify(command=OPS, group_wait=10.0, remind_every=0.0, quiet=Quiet(begins="22:00", ends="07:00"))
        )
        house.happens(check("old", "disk", "warning"))
        house.passes(60)
        house.minute = 23 * 60
        house.happens(check("a", "disk", "warning"), check("b", "disk", "warning"), down("web1"))
        house.happens(check("old", "disk", "info"), happening("log_line", "warning", "a", "log", "hm"))
        house.passes(60)
        self.assertEqual(sorted(house.told()[1:]), [("alarm", "web1"), ("recovery", "old/disk")])
        house.happens(check("b", "disk", "info"))
        house.minute = 7 * 60
        house.passes(60)
        self.assertEqual(house.told()[3:], [("alarm", "a/disk"), ("happened", "a/log")])


class RouteTests(unittest.TestCase):
    def test_routes_choose_by_host_check_tag_and_severity(self) -> None:
        """Each notifier is told once, though two routes lead to it."""
        house = Notified(
            routed(
                all=Route(to=("ops",)),
                critical=Route(to=("ops",), severity="critical"),
                db=Route(to=("dev",), hosts=("db*",), checks=("disk*",), tags=("sql",)),
            )
        )
        house.happens(
            structs.replace(check("db1", "disk /", "critical"), tags=("sql",)), check("db2", "disk /", "warning")
        )
        house.passes(60)
        self.assertEqual(house.told("ops"), [("alarm", "db1/disk /"), ("alarm", "db2/disk /")])
        self.assertEqual(house.told("dev"), [("alarm", "db1/disk /")])

    def test_who_was_told_of_the_worse_is_told_of_the_better(self) -> None:
        """Though that alone would not have been for them."""
        house = Notified(routed(c=Route(to=("dev",), severity="critical")))
        house.happens(check("a", "disk", "critical"))
        house.passes(60)
        house.happens(check("a", "disk", "warning"))
        house.passes(60)
        house.happens(check("a", "disk", "info"))
        house.passes(60)
        self.assertEqual(
            [(item.what, item.severity) for item in house.items],
            [("alarm", "critical"), ("alarm", "warning"), ("recovery", "info")],
        )

    def test_the_first_start_tells_what_is_bad_already(self) -> None:
        """In one notification, and nothing of the past."""
        house = Notified(Notify())
        house.happens(
            down("a"), down("b"), up("b"), check("c", "disk", "critical"), happening("log_line", "critical", "c")
        )
        house.notify = Notify(command=OPS)
        house.spool = []
        house.kill()
        house.passes(60)
        self.assertEqual((len(house.sent), house.told()), (1, [("alarm", "a"), ("alarm", "c/disk")]))


class HappenedTests(unittest.TestCase):
    def test_lines_of_a_log_are_told_once_and_then_with_a_count(self) -> None:
        """No sooner than repeat_every."""
        house = Notified()
        for number in range(100):
            house.happens(happening("log_line", "warning", "a", "errors", f"error {number}"))
            house.passes(1)
        self.assertEqual([(len(notice.items), notice.items[0].times) for notice in house.sent], [(1, 10)])
        house.passes(600)
        self.assertEqual([item.times for item in house.items], [10, 90])
        self.assertEqual(house.items[1].text, "error 99")

    def test_a_flood_of_different_things_takes_no_more_room(self) -> None:
        """They are counted as one."""
        house = Notified()
        house.happens(*(happening("log_line", "warning", "a", f"log {number}") for number in range(1500)))
        house.passes(60)
        self.assertEqual(sum(item.times for item in house.items), 1500)
        self.assertEqual(len(house.rules.tables.memory.happened), 1001)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("host"), st.integers(0, 2), st.booleans()),
        st.tuples(st.just("check"), st.integers(0, 2), st.sampled_from(("info", "warning", "critical"))),
        st.tuples(st.just("wait"), st.sampled_from((1, 4, 11, 60)), st.booleans()),
        st.tuples(st.just("silence"), st.integers(0, 2), st.integers(5, 200)),
        st.tuples(st.just("ack"), st.integers(0, 2), st.booleans()),
        st.tuples(st.just("kill"), st.integers(0, 1), st.booleans()),
    ),
    max_size=60,
)


class PropertyTests(unittest.TestCase):
    @given(STEPS)
    @pace(max_examples=250)
    def test_no_recovery_is_lost_and_nothing_is_told_twice(self, steps: list[tuple[str, int, object]]) -> None:
        """Whatever happens, and wherever the process is killed: after the event, or before what it comes to is kept."""
        house = Notified(status=Status(depends={"h0": ("h1",)}, flapping_within=50.0))
        for what, number, more in steps:
            host = f"h{number}"
            if what == "host":
                house.happens(down(host) if more else up(host), kept=bool(number or more))
                if not (number or more):
                    house.kill()  # the event is in the file, and nothing else knows of it
            elif what == "check":
                house.happens(check(host, "disk", more))
            elif what == "wait":
                house.passes(number, kept=bool(more))
                if not more:
                    house.kill()  # what was decided meanwhile is forgotten
            elif what == "silence":
                house.happens(silence(house.now + int(more), host=host))
            elif what == "ack":
                house.happens(happening(kinds.ACKNOWLEDGED, "info", host, "disk" if more else "", by="ann"))
            else:
                house.kill()
        for number in range(3):
            house.happens(up(f"h{number}"), check(f"h{number}", "disk", "info"))
        house.passes(400)
        told: dict[str, list[str]] = defaultdict(list)
        covered = set()
        for item in house.items:
            told[str(item.subject)].append(item.what if item.what == "recovery" else f"{item.what} {item.severity}")
            covered |= set(item.behind)
        for subject, lines in told.items():
            self.assertEqual(lines[-1], "recovery", (subject, lines))
        for subject, lines in told.items():
            pairs = list(pairwise(lines))
            self.assertEqual([pair for pair in pairs if pair[0] == pair[1]], [], (subject, lines))
        self.assertLessEqual(covered, told.keys())
        keys = [notice.key for notice in house.sent]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertEqual(house.rules.tables.memory.alarms, {})
