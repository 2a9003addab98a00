"""One host: what its events come to, and why it is as it is, in sentences."""

import unittest
from typing import Any

from msgspec import structs

from monitor436.model.event import Event
from monitor436.model.hosts.dossier import REASONS, Dossier, PlanNow
from monitor436.model.hosts.history import History, checks_now
from monitor436.model.hosts.host import Seen
from monitor436.model.keys.enrolment import Bound

DIGEST = "ab" * 32
OTHER = "cd" * 32


def read(*events: Event, most: int = 5) -> History:
    """The history of web1."""
    history = History("web1", most)
    for event in events:
        history.read(event)
    return history


def told(kind: str, severity: Any = "info", check: str = "", host: str = "web1", **fields: Any) -> Event:
    """An event, about web1 unless it says otherwise."""
    return Event(kind=kind, severity=severity, host=host, check=check, text=f"{kind} {check}".strip(), fields=fields)


def state(severity: str, of: str = "", check: str = "disk") -> Event:
    """A value of a check came to a level."""
    level = "ok" if severity == "info" else severity
    return told("check_state", severity, check, state=level, was="x", **({"of": of} if of else {}))


class HistoryTests(unittest.TestCase):
    """Events, one after the other."""

    def bad(self, *events: Event) -> list[str]:
        """What is bad about the check "disk" after these."""
        return [event.severity for event in read(*events).checks["disk"].bad]

    def test_a_value_is_bad_until_it_is_told_well(self) -> None:
        """The last word counts."""
        self.assertEqual(self.bad(state("warning"), state("critical")), ["critical"])
        self.assertEqual(self.bad(state("warning"), state("info")), [])

    def test_each_thing_that_a_check_has_a_value_of_stands_for_itself(self) -> None:
        """The worst comes first."""
        events = [state("warning", "/"), state("critical", "/var"), state("critical", "/tmp"), state("info", "/tmp")]
        self.assertEqual(self.bad(*events), ["critical", "warning"])

    def test_a_check_that_could_not_run_is_bad_beside_its_value(self) -> None:
        """Stuck and failed are over by the same event."""
        failed = told("check_failed", "warning", "disk", state="failed", was="works")
        stuck = told("check_stuck", "warning", "disk", state="failed", was="works")
        works = told("check_failed", "info", "disk", state="works", was="failed")
        self.assertEqual(self.bad(state("critical"), failed), ["critical", "warning"])
        self.assertEqual(self.bad(stuck, works), [])

    def test_what_passes_by_itself_is_not_bad_for_ever(self) -> None:
        """Lines, counts and notes have no end."""
        for kind in ("log_line", "log_count", "log_gap", "check_failed"):
            self.assertEqual(self.bad(told(kind, "critical", "disk")), [], kind)

    def test_log_checks_with_an_end_are_bad_until_then(self) -> None:
        """Too many lines, or none."""
        for kind in ("log_over", "log_silent"):
            self.assertEqual(self.bad(told(kind, "critical", "disk")), ["critical"])
            self.assertEqual(self.bad(told(kind, "critical", "disk"), told(kind, "info", "disk")), [])

    def test_a_refused_check_is_bad_until_another_plan_is_in_force(self) -> None:
        """Which may ask for what is allowed."""
        refused = told("check_refused", "warning", "disk")
        self.assertEqual(self.bad(refused), ["warning"])
        self.assertEqual(self.bad(refused, told("plan_in_force", digest="x")), [])

    def test_a_refused_check_is_over_when_it_runs_or_the_agent_starts_anew(self) -> None:
        """The host allows it now; what it still does not allow is said again."""
        refused = told("check_refused", "warning", "disk")
        self.assertEqual(self.bad(refused, told("metric", check="disk", disk=5)), [])
        self.assertEqual(self.bad(refused, state("info")), [])
        self.assertEqual(self.bad(refused, told("agent_started")), [])
        self.assertEqual(self.bad(refused, told("agent_started"), refused), ["warning"])

    def test_a_log_that_cannot_be_read_makes_its_checks_bad_until_it_can_be(self) -> None:
        """By its path, its pattern, or the folder that it is in; a host that starts says it anew."""
        path, folder = (told("log_unreadable", "warning", path=each) for each in ("/var/log/a/x.log", "/var/log/b"))
        logs = {"one": "/var/log/a/x.log", "some": "/var/log/a/*.log", "in b": "/var/log/b/y.log", "else": "/tmp/x.log"}
        origin = dict.fromkeys(logs, ("all.yaml", 1))

        def bad(*events: Event) -> list[str]:
            return [check.name for check in checks_now(read(*events), origin, logs) if check.bad]

        self.assertEqual(bad(path, folder), ["one", "some", "in b"])
        self.assertEqual(bad(path, folder, told("log_unreadable", path="/var/log/a/x.log")), ["in b"])
        self.assertEqual(bad(path, told("agent_stopped")), ["one", "some"])
        self.assertEqual(bad(path, folder, told("agent_started")), [])

    def test_metrics_are_no_events_to_show_and_others_hosts_events_are_not_read(self) -> None:
        """The last metric is kept for itself."""
        metric = told("metric", check="disk", disk=5)
        history = read(state("info"), metric, told("host_down", "critical", host="web2"))
        self.assertEqual((history.checks["disk"].metric, history.checks["disk"].last), (metric, state("info")))
        self.assertEqual((list(history.events), history.state), ([], None))

    def test_as_many_events_are_kept_as_are_asked_for(self) -> None:
        """The last ones; those of checks are shown with the checks."""
        history = read(told("agent_started"), told("host_found"), state("info"), told("agent_stopped"), most=2)
        self.assertEqual([event.kind for event in history.events], ["host_found", "agent_stopped"])
        self.assertFalse(read())
        self.assertTrue(read(state("info")))

    def test_checks_of_a_plan_come_in_its_order_with_their_place(self) -> None:
        """One of which nothing was ever told is there too; one that the plan no longer has is not."""
        history = read(state("critical"), state("critical", check="old"))
        now = checks_now(history, {"load": ("all.yaml", 3), "disk": ("web.yaml", 7)})
        self.assertEqual(
            [(check.name, check.line, check.state) for check in now], [("load", 3, ""), ("disk", 7, "critical")]
        )
        self.assertEqual([check.name for check in checks_now(history, None)], ["disk", "old"])


class WhyTests(unittest.TestCase):
    """Sentences."""

    def setUp(self) -> None:
        key = Bound("web1", "01" * 8, 1, greeted=True)
        seen = Seen("web1", "up", 2.0, 60.0, plan=DIGEST)
        self.kept = Dossier(
            "web1", "srv", True, 1.0, seen, key, PlanNow(DIGEST, DIGEST), [], *[None] * 8, []  # type: ignore[arg-type]
        )  # fmt: skip

    def why(self, seen: dict[str, Any] | None = None, **changes: Any) -> str:
        """The one sentence about a host that differs in this from one with which all is well."""
        assert self.kept.seen is not None
        changed = structs.replace(self.kept, seen=structs.replace(self.kept.seen, **(seen or {})))
        found = structs.replace(changed, **changes).why()
        self.assertEqual(len(found), 1, found)
        return found[0]

    def test_of_a_host_with_which_all_is_well_nothing_is_said(self) -> None:
        """And it is well."""
        self.assertEqual((self.kept.why(), self.kept.well), ([], True))

    def test_every_reason_has_its_sentence(self) -> None:
        """That of the event which turned it."""
        for reason in ("silent", "segment_lost", "never_seen"):
            down = told("host_down", "critical", reason=reason)
            self.assertEqual(self.why({"state": "down"}, turned=down), REASONS[reason])
            self.assertFalse(structs.replace(self.kept, seen=Seen("web1", "down", 9, 9)).well)
        self.assertIn("goodbye", self.why({"state": "stopped"}, turned=told("host_stopped", reason="stopped")))
        self.assertEqual(self.why({"twins": True}), REASONS["duplicate_name"])

    def test_a_late_host_may_be_one_of_many(self) -> None:
        """Then verdicts wait."""
        late = {"seen": {"state": "late"}, "turned": told("host_late", "warning", reason="silent")}
        self.assertEqual(self.why(**late), REASONS["silent"])
        kept = structs.replace(self.kept, seen=Seen("web1", "late", 20, 5, plan=DIGEST), turned=late["turned"])
        many = Event(kind="isolated", text="9 of 10 hosts fell silent at once")
        self.assertIn("9 of 10", structs.replace(kept, isolated=many).why()[1])

    def test_a_server_that_does_not_run_is_said_first(self) -> None:
        """With how old everything is."""
        self.assertIn("how srv knew it 5m ago", self.why(runs=False, age=300.0))

    def test_keys_tell_what_is_to_be_done(self) -> None:
        """Approve, join again, forget."""
        waits = Bound("web1", state="waiting", address="192.0.2.7")
        self.assertIn("192.0.2.7): monitor436 host approve web1", self.why(key=waits))
        self.assertIn("revoked", self.why(plan=PlanNow(DIGEST, DIGEST, 2)))
        self.assertIn("never greeted", self.why(key=Bound("web1", "01" * 8)))
        self.assertIn("monitor436 host forget web1", self.why(refused=told("host_refused", "warning")))

    def test_a_plan_that_is_not_in_force_is_told_with_the_reason(self) -> None:
        """Refused there, not fetched yet, or not heard; or the files have mistakes."""
        other = PlanNow(DIGEST, OTHER)
        refused = told("plan_refused", "critical", digest=OTHER[:12])
        self.assertIn("plan_refused", self.why(plan=other, told_plan=refused))
        self.assertIn("not fetched", self.why(plan=other, told_plan=told("plan_refused", digest="ee" * 6)))
        self.assertIn("not fetched", self.why(plan=other))
        kept = structs.replace(self.kept, seen=Seen("web1", "down", 9, 9, plan=DIGEST), plan=other)
        self.assertIn("when it is heard again", kept.why()[-1])
        self.assertIn("2 mistakes", self.why(plan=PlanNow(DIGEST, "", 0, ["a", "b"])))

    def test_bad_checks_are_said_with_their_text(self) -> None:
        """And the host is not well."""
        checks = checks_now(read(state("critical")), {"disk": ("all.yaml", 1)})
        self.assertEqual(self.why(checks=checks), "critical: disk: check_state disk")
        self.assertFalse(structs.replace(self.kept, checks=checks).well)

    def test_a_log_that_cannot_be_read_is_said_once_and_is_not_well(self) -> None:
        """However many checks read it."""
        event = told("log_unreadable", "warning", path="/etc/passwd")
        history = read(event)
        origin = {"a": ("all.yaml", 1), "b": ("all.yaml", 2)}
        checks = checks_now(history, origin, dict.fromkeys(origin, "/etc/passwd"))
        self.assertEqual([check.state for check in checks], ["warning", "warning"])
        self.assertEqual(self.why(checks=checks, unreadable=[event]), "warning: log_unreadable")
        self.assertFalse(structs.replace(self.kept, unreadable=[event]).well)

    def test_a_check_is_named_once(self) -> None:
        """Lines of logs do not name theirs, and a text may begin with a longer word."""
        for text, meant in (
            ("disk is 85: critical", "critical: disk is 85: critical"),
            ("disk: is full", "critical: disk: is full"),
            ("disk", "critical: disk"),
            ("disks are full", "critical: disk: disks are full"),
            ("I/O error on disk", "critical: disk: I/O error on disk"),
        ):
            history = read(structs.replace(state("critical"), text=text))
            self.assertEqual(self.why(checks=checks_now(history, None)), meant)

    def test_of_a_host_whose_agent_alone_is_dead_that_is_said(self) -> None:
        """In place of what else its silence might mean, until it turns again."""
        down = told("host_down", "critical", reason="silent")
        found = read(down, told("agent_dead", "warning"))
        why = self.why({"state": "down"}, turned=found.state, dead=found.dead)
        self.assertEqual(why, "agent_dead. On that host: agent436.pyz doctor")
        for later in ("host_up", "host_down", "host_stopped"):
            self.assertIsNone(read(down, told("agent_dead", "warning"), told(later)).dead)

    def test_a_host_that_was_never_heard_has_its_next_step(self) -> None:
        """Whether a plan names it or only names.jsonl."""
        self.assertIn("agent436.pyz doctor", self.why({"state": "unknown", "heard": False}))
        self.assertIn("agent436.pyz doctor", structs.replace(self.kept, seen=None).why()[0])

    def test_a_spool_that_fills_and_a_host_that_flaps_are_worth_a_word(self) -> None:
        """Little in a spool is not."""
        self.assertIn("3 MiB", self.why({"fill": 3 << 20}))
        self.assertIn("2 turns", self.why({"flapping": True, "turns": (1.0, 2.0)}))
