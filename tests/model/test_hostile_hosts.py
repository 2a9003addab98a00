"""A host with a good key that means harm: it cannot speak for a server, nor take its memory."""

import pickle
import unittest
from datetime import UTC, datetime, timedelta, timezone

from msgspec import json

from monitor436.agent import event as agent
from monitor436.agent.wire import WireError
from monitor436.model import event as kinds
from monitor436.model.event import Event, Field
from monitor436.model.notify.occurrences import MOST
from monitor436.model.notify.tables import Tables
from monitor436.model.settings.notify import Notify
from monitor436.model.settings.status import Status
from monitor436.model.status.board import Board
from monitor436.model.status.change import Change, Subject
from monitor436.model.status.kept import KeptBoard, kept, restore
from monitor436.model.status.latest import Latest
from monitor436.model.status.standing import MOST_BAD, MOST_CHECKS
from monitor436.model.stream.ledger import MOST_SPOOLS, Ledger
from monitor436.model.stream.messages import read_events
from monitor436.web.exposed import EventCounts
from tests.model.notified import BEGIN, OPS, Notified, check, down, up

SPOOL = "0123456789abcdef"


def datagram(kind: str, **fields: Field) -> bytes:
    """What a host may send."""
    stated = {"at": 1_800_000_000, "severity": "info", "kind": kind, "text": "x", "check": "c", "fields": fields}
    return json.encode({"s": SPOOL, "n": 1, "a": 0, "e": [stated]})


def metric(*labels: str, check: str = "c") -> Event:
    """Values under these labels."""
    return Event(host="a", kind=agent.METRIC, check=check, fields=dict.fromkeys(labels, 1.0))


class WordTests(unittest.TestCase):
    def test_no_host_states_what_a_server_alone_can_know(self) -> None:
        """One silence for everything, and nobody would be told of the rest."""
        spoken = {agent.REPORTED, agent.METRIC, agent.LOST, agent.PLAN_IN_FORCE, "a_kind_of_later"}
        for kind in spoken:
            self.assertEqual(read_events(datagram(kind)).e[0].kind, kind)
        for kind in (kinds.SILENCE_ADDED, kinds.ACKNOWLEDGED, kinds.ISOLATED, kinds.HOST_DOWN, kinds.TAKEN_OVER):
            with self.assertRaises(WireError, msg=kind):
                read_events(datagram(kind, silence="s", until=4e9, host="*"))

    def test_a_time_can_be_told_in_every_zone(self) -> None:
        """Else nobody could list the events any more."""
        for at, good in ((0, True), (4e9, True), (-62135596800, False), (253402300799, False)):
            body = datagram(agent.REPORTED).replace(b"1800000000", b"%d" % at)
            if good:
                read_events(body).e[0].at.astimezone(timezone(timedelta(hours=14)))
            else:
                self.assertRaises(WireError, read_events, body)

    def test_a_number_that_is_no_float_is_passed_over(self) -> None:
        """And what comes behind it in the same batch is heard."""
        body = datagram(agent.METRIC, load=1).replace(b'"load":1', b'"load":1,"huge":1' + b"0" * 400)
        events = read_events(body).identified("a", 0, datetime(2027, 1, 1, tzinfo=UTC))
        latest = Latest()
        latest.heard([*events, metric("x", check="d")])
        self.assertEqual([numbers.values for _, numbers in latest.measured("a")], [{"load": 1.0}, {"x": 1.0}])


class TimeTests(unittest.TestCase):
    def test_things_that_differ_are_counted_and_not_looked_through(self) -> None:
        """Beyond the limit of one notifier, each more would cost a look at all that are remembered."""
        notified = Notified(Notify(command=OPS))
        for number in range(MOST + 5):
            notified.rules.changed(Change(Subject("a", f"c{number}"), "happened", "critical", "x", BEGIN), BEGIN)
        tables = notified.rules.tables
        held = tables.memory.happened.values()
        self.assertEqual(
            (tables.happenings, len(held), max(each.times for each in held)), ({"ops": MOST + 1}, MOST + 1, 5)
        )
        for key in list(tables.memory.happened)[:10]:
            tables.happened(key, None)
        self.assertEqual(tables.happenings, {"ops": MOST - 9})
        self.assertEqual(Tables(tables.memory).happenings, tables.happenings)

    def test_what_a_host_says_anew_costs_no_look_at_all_its_checks(self) -> None:
        """Only at those that it did not allow; also on a board that was kept."""
        board = Board()
        refused = Event(host="a", kind=agent.CHECK_REFUSED, severity="warning", check="r", text="no")
        for event in (*[check("a", f"c{number}", "critical") for number in range(50)], refused):
            board.take(event, 1000.0)
        other = Board()
        restore(other, json.decode(json.encode(kept(board, 1000.0)), type=KeptBoard), 1000.0)
        for each in (board, other):
            self.assertEqual(list(each.standings.hosts["a"].refused), [("r", ":refused")])
            self.assertEqual(list(each.standings.hosts["a"].anew), [("r", ":refused")])
            told = each.take(Event(host="a", kind=agent.PLAN_IN_FORCE), 1001.0)
            self.assertEqual([str(change.subject) for change in told], ["a/r/refused"])
            known = each.standings.hosts["a"]
            self.assertEqual((known.refused, known.anew, known.bad), ({}, {}, 50))


class MemoryTests(unittest.TestCase):
    def test_labels_that_are_gone_are_not_kept(self) -> None:
        """However many there were."""
        latest = Latest()
        for number in range(5):
            latest.heard([metric(f"hostile label {number}")])
        self.assertNotIn(b"hostile label 0", pickle.dumps(latest))
        self.assertIn(b"hostile label 4", pickle.dumps(latest))

    def test_names_of_checks_beyond_the_limit_are_not_kept(self) -> None:
        """On the board too, where they are spelt once for all hosts."""
        board = Board()
        for number in range(5):
            board.standings.spelt(f"hostile check {number}")
        self.assertNotIn(b"hostile check", pickle.dumps(board.standings))

    def test_spools_of_one_host_are_bounded(self) -> None:
        """Each datagram may name another; those of other hosts stay, and the last of its own go on."""
        ledger = Ledger()
        for host, spools in (("b", range(3)), ("a", range(MOST_SPOOLS + 50))):
            for number in spools:
                message = read_events(datagram(agent.REPORTED).replace(SPOOL.encode(), b"%016x" % number))
                self.assertEqual(ledger.take(host, message), (0, 1, None))
                ledger.wrote(host, message.s, 1)
        restarted = Ledger()
        restarted.restore(ledger.copy())
        restarted.restore({"a": {f"{number:016x}": 1 for number in range(5000, 5010)}})
        for each in (ledger, restarted):
            self.assertEqual({host: len(spools) for host, spools in each.durable.items()}, {"b": 3, "a": MOST_SPOOLS})
        self.assertEqual(ledger.accepted("a", f"{MOST_SPOOLS + 49:016x}"), 1)
        self.assertEqual(ledger.accepted("a", f"{0:016x}"), 0)

    def test_kinds_that_are_not_known_are_counted_as_one(self) -> None:
        """Each would be a series for ever."""
        counts = EventCounts()
        counts.heard([Event(host="a", kind=f"kind_{'x' * number}") for number in range(30)])
        counts.heard([Event(host="a", kind=agent.REPORTED)])
        ((_, samples),) = counts.source()
        self.assertEqual(list(samples), [(("other", "info"), 30), (("reported", "info"), 1)])

    def test_what_turned_of_late_is_bounded(self) -> None:
        """Values may have any name; those that turned before still flap."""
        board, told = Board(Status(flapping_changes=4, flapping_within=600.0)), list[Change]()
        board.turns.most = 10
        for number in range(20):
            board.take(check("a", "c", "critical", f"v{number}"), 1000.0)
            board.take(check("a", "c", "info", f"v{number}"), 1000.0)
        for _ in range(4):
            told += board.take(check("a", "c", "critical", "v1"), 1001.0)
            told += board.take(check("a", "c", "info", "v1"), 1001.0)
        self.assertEqual(len(board.turns.names()), 10)
        self.assertIn("flapping", {each.kind for each in told})

    def test_no_more_is_bad_about_one_host_than_there_is_room_for(self) -> None:
        """Many checks of many parts; what is well again leaves its room to others, and a restart knows the count."""
        board = Board()

        def take(severity: kinds.Severity, checks: range) -> None:
            for number in checks:
                for part in range(100):
                    board.take(check("a", f"c{number}", severity, f"v{part}"), 1000.0)

        take("critical", range(60))
        self.assertEqual(len(list(board.standings.bad())), MOST_BAD)
        take("info", range(10))
        other = Board()
        restore(other, json.decode(json.encode(kept(board, 1000.0)), type=KeptBoard), 1000.0)
        board = other
        take("critical", range(100, 130))
        self.assertEqual(len(list(board.standings.bad())), MOST_BAD)
        take("info", range(130))
        self.assertEqual(board.standings.hosts["a"].bad, 0)

    def test_however_much_is_bad_there_is_room_for_the_host_itself(self) -> None:
        """That it is down, and that it is up again, is told once each."""
        board = Board()
        for number in range(MOST_CHECKS):
            board.take(check("a", f"c{number}", "critical"), 1000.0)
        told = [change.severity for each in (down("a"), down("a"), up("a")) for change in board.take(each, 1000.0)]
        self.assertEqual(told, ["critical", "info"])
