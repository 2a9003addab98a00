"""The status board: what events make of hosts and checks."""

import unittest

from msgspec import json, structs

from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.settings.status import Status
from monitor436.model.status.board import Board
from monitor436.model.status.change import Change, Subject
from monitor436.model.status.kept import KeptBoard, kept, restore
from monitor436.model.status.overview import overview
from monitor436.model.status.parents import circle
from tests.model.notified import check, down, happening, up

NOW = 1000.0


class Seen(unittest.TestCase):
    """A board, and what it told."""

    def setUp(self) -> None:
        self.board = Board(Status(depends={"switch1": ("web*",), "gate/ping": ("br*",)}))
        self.now = NOW

    def take(self, *events: Event) -> list[Change]:
        """The next events."""
        return [change for event in events for change in self.board.take(event, self.now)]

    def told(self, *events: Event) -> list[tuple[str, str, str]]:
        """(what, of what, how bad) of what they change."""
        return [(change.kind, str(change.subject), change.severity) for change in self.take(*events)]

    def bad(self) -> dict[str, str]:
        """How bad what is."""
        return {str(subject): part.severity for subject, part in self.board.standings.bad()}


class HostTests(Seen):
    def test_late_is_soft_and_down_is_hard(self) -> None:
        """Nobody is told of the first."""
        late = happening(kinds.HOST_LATE, "warning", "a")
        self.assertEqual(self.told(happening(kinds.HOST_FOUND, "info", "a"), late), [])
        self.assertEqual(self.board.standings.hosts["a"].state, "late")
        self.assertEqual(self.told(down("a"), down("a")), [("state", "a", "critical")])
        self.assertEqual(self.told(up("a")), [("state", "a", "info")])
        self.assertEqual(self.bad(), {})

    def test_who_was_late_is_not_so_for_ever(self) -> None:
        """Hosts that fell silent at once come back without an event of their own, and a server may be restarted."""
        late = happening(kinds.HOST_LATE, "warning", "a")
        self.take(late, happening(kinds.ISOLATION_OVER, "info"))
        self.assertEqual(self.board.standings.hosts["a"].state, "up")
        self.take(late, happening(kinds.SERVER_STARTED, "info"))
        self.assertEqual(self.board.standings.hosts["a"].state, "up")

    def test_an_agent_that_was_stopped_is_no_trouble(self) -> None:
        """Though its host was down before."""
        self.assertEqual(self.told(down("a"), happening(kinds.HOST_STOPPED, "info", "a"))[1:], [("state", "a", "info")])

    def test_a_host_flaps_until_it_is_said_to_be_steady(self) -> None:
        """The roster counts, the board believes."""
        told = self.told(
            happening(kinds.HOST_FLAPPING, "warning", "a", state="up"),
            happening(kinds.HOST_STEADY, "critical", "a", state="down"),
        )
        self.assertEqual(told, [("flapping", "a", "warning"), ("steady", "a", "critical")])
        self.assertEqual(self.board.standings.hosts["a"].state, "down")

    def test_a_forgotten_host_leaves_no_trouble(self) -> None:
        """Neither its own nor those of its checks."""
        self.take(down("a"), check("a", "disk", "critical"))
        self.assertEqual(len(self.told(happening(kinds.HOST_FORGOTTEN, "info", "a"))), 2)
        self.assertEqual((self.bad(), dict(self.board.standings.hosts)), ({}, {}))


class CheckTests(Seen):
    def test_values_of_a_check_are_bad_each_for_itself(self) -> None:
        """As is a run that failed."""
        failed = happening("check_failed", "warning", "a", "disk", state="failed", was="works")
        self.take(check("a", "disk", "critical", of="/"), check("a", "disk", "warning", of="/home"), failed)
        self.assertEqual(self.bad(), {"a/disk//": "critical", "a/disk//home": "warning", "a/disk/failed": "warning"})
        self.take(check("a", "disk", "info", of="/"))
        self.assertEqual(set(self.bad()), {"a/disk//home", "a/disk/failed"})

    def test_what_no_event_ends_is_no_state(self) -> None:
        """Lines that were passed over, lines of a log, events of scripts without the name of a check."""
        overran = happening("check_failed", "warning", "a", "log")
        line, said = happening("log_line", "critical", "a", "log"), happening("reported", "warning", "a")
        self.assertEqual([what for what, _, _ in self.told(overran, line, said)], ["happened"] * 3)
        self.assertEqual(self.bad(), {})

    def test_what_a_host_does_not_allow_is_over_with_the_next_plan(self) -> None:
        """Or when the check says anything."""
        refused = happening("check_refused", "warning", "a", "disk")
        self.take(refused)
        self.assertEqual(self.told(happening("plan_in_force", "info", "a")), [("steady", "a/disk/refused", "info")])
        self.take(refused)
        told = self.told(check("a", "disk", "critical"))
        self.assertEqual(told, [("steady", "a/disk/refused", "info"), ("state", "a/disk", "critical")])

    def test_a_check_that_left_the_plan_is_bad_no_more(self) -> None:
        """Once the server says so."""
        self.take(check("a", "disk", "critical"), happening("log_unreadable", "warning", "a", path="/x"))
        self.assertEqual(self.board.unplanned("a", ["load"]), ["disk"])
        told = self.told(happening(kinds.CHECK_REMOVED, "info", "a", "disk"))
        self.assertEqual(told, [("steady", "a/disk", "info")])

    def test_what_scripts_state_of_a_check_is_hard_after_some_of_its_last_reports(self) -> None:
        """Two of three here; one good report between does not make it well."""
        self.board.follow(Status(fail_after=2, of=3))
        bad, good = happening("reported", "critical", "a", "backup"), happening("reported", "info", "a", "backup")
        self.assertEqual(self.told(bad, good), [])
        self.assertEqual(self.told(bad), [("state", "a/backup/reported", "critical")])
        self.assertEqual(self.told(good), [("state", "a/backup/reported", "info")])
        self.assertEqual(self.told(good, good), [])
        self.assertEqual(self.board.standings.hosts["a"].checks, {"backup": None})

    def test_a_hostile_host_takes_no_more_room_than_it_may(self) -> None:
        """What comes beyond is told as something that happened."""
        told = [what for number in range(3000) for what, _, _ in self.told(check("a", f"c{number}", "critical"))]
        self.assertEqual((told.count("state"), told.count("happened")), (2000, 1000))
        told = [what for number in range(300) for what, _, _ in self.told(check("b", "c", "critical", of=str(number)))]
        self.assertEqual((told.count("state"), told.count("happened")), (200, 100))

    def test_polls_and_troubles_of_the_server_are_states_of_it(self) -> None:
        """A group is well when none of it fails any more."""
        failed = happening(kinds.POLL_FAILED, "critical", poll="shop", application="web", version="2", failing=2, of=2)
        back = structs.replace(failed, kind=kinds.POLL_RECOVERED, severity="info")
        one, none = ({**failed.fields, "failing": number} for number in (1, 0))
        trouble = happening(kinds.SERVER_TROUBLE, "critical", trouble="disk", state="begun")
        self.take(failed, structs.replace(back, fields=one), trouble)
        self.assertEqual(self.bad(), {"this server/poll shop/web 2": "warning", "this server/trouble disk": "critical"})
        self.take(structs.replace(back, fields=none), structs.replace(trouble, severity="info"))
        self.assertEqual(self.bad(), {})

    def test_so_are_sweeps_and_the_store_of_metrics(self) -> None:
        """A store that began anew is something that happened."""
        failed = happening(kinds.SWEEP_FAILED, "warning", sweep="fleet", failing=2, of=9)
        back = structs.replace(failed, kind=kinds.SWEEP_RECOVERED, severity="info")
        doubted = happening(kinds.SWEEP_UNTRUSTED, "warning", sweep="fleet", state="untrusted")
        away, anew, well = (
            happening(kinds.METRICS_STORE, severity, state=state)  # type: ignore[arg-type]
            for severity, state in (("warning", "degraded"), ("warning", "begun_anew"), ("info", "well"))
        )
        told = self.told(failed, doubted, away, anew)
        self.assertEqual([what for what, *_ in told], ["state", "state", "state", "happened"])
        subjects = ("sweep fleet", "sweep fleet/untrusted", "metrics store")
        self.assertEqual(self.bad(), {f"this server/{each}": "warning" for each in subjects})
        self.take(back, structs.replace(doubted, severity="info"), well)
        self.assertEqual(self.bad(), {"this server/sweep fleet": "warning"})
        self.take(structs.replace(back, fields={"sweep": "fleet", "failing": 0}))
        self.assertEqual(self.bad(), {})


class HeldTests(Seen):
    def held(self, *subject: str) -> str:
        """Why nobody is told of it."""
        return self.board.held(Subject(*subject), "critical", (), self.now)

    def test_hosts_stand_behind_their_switch_and_checks_behind_their_host(self) -> None:
        """A parent may be a host or a check."""
        self.take(down("web1"), down("br1"), down("switch1"), check("gate", "ping", "critical", of="1"))
        self.assertEqual(self.held("web1"), "behind switch1")
        self.assertEqual(self.held("br1"), "behind gate/ping")
        self.assertEqual(self.held("switch1"), "")
        self.assertEqual(self.held("switch1", "disk"), "behind switch1")
        self.take(up("switch1"))
        self.assertEqual(self.held("web1"), "")

    def test_what_would_stand_behind_itself_is_refused(self) -> None:
        """Both could be down and nobody told."""
        self.assertEqual(circle({"a": ("b",), "b/x": ("c*",), "c1": ("a",)}), "a")
        self.assertEqual(circle({"a": ("*",), "b": ("c",)}), "")
        self.assertEqual(len(list(Status(depends={"a": ("b",), "b": ("a",)}).problems())), 1)

    def test_a_silence_that_makes_no_sense_is_passed_over(self) -> None:
        """As is one too many."""
        for until in ("soon", 9e9):
            self.take(Event(kind=kinds.SILENCE_ADDED, text="x", fields={"silence": "s", "until": until, "host": "a*"}))
        self.assertEqual(len(self.board.silences.known), 1)
        self.assertEqual(self.held("a1"), "silenced s")
        self.now = 9.1e9
        self.assertEqual(self.held("a1"), "")


class KeptTests(Seen):
    def test_a_board_that_was_kept_goes_on_as_if_nothing_had_been(self) -> None:
        """States, silences, acknowledgements, who flaps, who was lost together."""
        for _ in range(2):
            self.take(check("a", "disk", "critical"), check("a", "disk", "info"))
        self.take(
            check("b", "disk", "critical"),
            happening(kinds.ACKNOWLEDGED, "info", "b", by="ann", act="7"),
            happening(kinds.ISOLATED, "critical"),
            down("c", "segment_lost"),
            happening(kinds.ISOLATION_OVER, "warning"),
            happening("metric", "info", "b", "load"),
            Event(kind=kinds.SILENCE_ADDED, fields={"silence": "s", "until": 9e9, "host": "z"}),
        )
        copy = json.decode(json.encode(kept(self.board, self.now)), type=KeptBoard)
        other = Board(Status())
        restore(other, copy, self.now)
        self.assertEqual(overview(other, self.now), overview(self.board, self.now))
        self.assertTrue(other.flaps(Subject("a", "disk")))
        self.assertEqual(other.acted, "7")
        self.assertEqual([change.subject for change in other.turn(self.now + 600)], [Subject("a", "disk")])
        self.assertEqual(
            [str(change.subject) for change in other.take(up("c"), 2000.0)], ["c", "this server/isolation"]
        )

    def test_the_overview_counts_hosts_and_checks(self) -> None:
        """What nobody is told of comes last."""
        found = happening(kinds.HOST_FOUND, "info", "a")
        metrics = [happening("metric", "info", "a", f"c{number}") for number in range(3)]
        self.take(found, *metrics, check("a", "c1", "warning"), down("switch1"), down("web1"))
        view = overview(self.board, self.now)
        self.assertEqual(view.hosts, {"up": 1, "down": 2})
        self.assertEqual(view.checks, {"info": 2, "warning": 1})
        self.assertEqual([each.host for each in view.troubles], ["switch1", "a", "web1"])
        self.assertEqual([each.host for each in view.open], ["switch1", "a"])
