"""The pages about hosts, checks, polls and events, and the exposition, asked through the door."""

import re
from datetime import UTC, datetime
from itertools import count
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_text
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from monitor436.agent import event as agent
from monitor436.agent import wire
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.fleet.polls import Kept, Seen, Summary
from monitor436.model.metrics.exposition import OPENMETRICS, TEXT
from monitor436.model.status.board import Board
from monitor436.model.status.kept import kept, restore
from monitor436.model.status.latest import MOST_TEXT, MOST_VALUES, Latest, Words
from monitor436.model.status.standing import MOST_CHECKS
from monitor436.model.sweep.sweeps import SweepKept
from monitor436.web import exposed, exposition
from tests.test_docs import blocks, read, section, ticked
from tests.web.conversation import NOW, Conversation, request
from tests.web.known import PagesCase


def event(host: str, kind: str, check: str = "", severity: str = "info", text: str = "", **fields: Any) -> Event:
    """An event of a moment ago."""
    at = datetime.fromtimestamp(NOW - 5, UTC)
    return Event(time=at, severity=severity, host=host, kind=kind, check=check, text=text, fields=fields)  # type: ignore[arg-type]


class HostTests(PagesCase):
    def setUp(self) -> None:
        """Three that are up, one that is down, one that is waited for."""
        super().setUp()
        now = self.clock.seconds()
        for name, number, age in (("old", 3, 100), ("db1", 2, 2), ("web2", 1, 1), ("web1", 0, 0)):
            self.roster.beat(name, now - age, 5000, 100 * number, "")
            self.roster.greeted(name, "boot", "1.0", f"192.0.2.{10 - number}")
        self.roster.expect(["new"], now)
        for later in range(60):
            self.write(*self.roster.expire(now - 80.0 + later).events)
        self.groups = {"web1": ("web", "all"), "web2": ("web",), "db1": ("db",)}
        self.write(event("web2", agent.CHECK_STATE, "disk", "warning", "disk is 85", state="warning"))

    def names(self, query: str) -> list[str]:
        """The hosts that are listed."""
        return [each["name"] for each in self.get(f"/api/hosts?{query}").value["hosts"]]

    def test_a_row_says_how_a_host_is_and_why(self) -> None:
        """The worst of its state and its checks."""
        rows = {each["name"]: each for each in self.get("/api/hosts").value["hosts"]}
        self.assertEqual(sorted(rows), ["db1", "new", "old", "web1", "web2"])
        self.assertEqual(rows["web1"]["severity"], "info")
        self.assertEqual((rows["web2"]["severity"], rows["web2"]["text"]), ("warning", "disk is 85"))
        self.assertEqual(rows["web2"]["checks"], {"critical": 0, "warning": 1})
        self.assertEqual((rows["old"]["state"], rows["old"]["severity"]), ("down", "critical"))
        self.assertEqual((rows["old"]["reason"], rows["web1"]["reason"]), ("silent", ""))
        self.assertEqual((rows["new"]["state"], rows["new"]["severity"]), ("unknown", "warning"))
        self.assertEqual((rows["web1"]["group"], rows["web1"]["groups"]), ("web", ["web", "all"]))

    def test_rows_are_chosen(self) -> None:
        """By whatever a list is filtered by."""
        for query, names in (
            ("state=down,unknown", ["new", "old"]),
            ("host=web*", ["web1", "web2"]),
            ("host=web1,db*", ["db1", "web1"]),
            ("group=db,all", ["db1", "web1"]),
            ("severity=critical", ["old"]),
            ("severity=warning", ["new", "old", "web2"]),
            ("text=192.0.2.9", ["web2"]),
            ("text=WEB&state=up", ["web1", "web2"]),
            ("host=nobody", []),
        ):
            self.assertEqual(self.names(query), names, query)

    def test_rows_come_in_the_order_that_is_asked_for(self) -> None:
        """With - the other way round, and page by page."""
        for query, names in (
            ("sort=-name", ["web2", "web1", "old", "new", "db1"]),
            ("sort=-severity", ["old", "new", "web2", "db1", "web1"]),
            ("sort=address&state=up", ["db1", "web2", "web1"]),
            ("sort=state", ["old", "new", "db1", "web1", "web2"]),
            ("sort=age&state=up", ["web1", "web2", "db1"]),
            ("skip=1&most=2", ["new", "old"]),
            ("skip=9", []),
        ):
            self.assertEqual(self.names(query), names, query)
        self.assertEqual(self.get("/api/hosts?most=1").value["total"], 5)

    def test_one_host_is_told_with_what_is_bad(self) -> None:
        """And why, in sentences."""
        told = self.get("/api/hosts/web2").value
        self.assertEqual((told["up"], told["fill"], told["boot"]), (5000, 100, "boot"))
        self.assertEqual(told["why"], ["warning: disk: disk is 85"])
        self.assertEqual(told["bad"][0]["since"], NOW)
        self.assertIn("silent", " ".join(self.get("/api/hosts/old").value["why"]))

    def test_one_host_is_told_with_its_last_datagrams(self) -> None:
        """The newest first; none of one that was not heard since this server started."""
        now = self.clock.seconds()
        kept = self.roster.datagrams("web2")
        kept[:2] = (now - 7.0, wire.HELLO, 800, ("192.0.2.7", 5000)), (now - 2.0, wire.BEAT, 93, ("192.0.2.7", 5001))
        self.assertEqual(
            self.get("/api/hosts/web2").value["datagrams"],
            [
                {"type": "BEAT", "age": 2.0, "bytes": 93, "address": "192.0.2.7:5001"},
                {"type": "HELLO", "age": 7.0, "bytes": 800, "address": "192.0.2.7:5000"},
            ],
        )
        self.assertEqual(self.get("/api/hosts/web1").value["datagrams"], [])

    def test_all_hosts_are_looked_at_once_a_second_at_most(self) -> None:
        """Who came since then is not there yet; who was forgotten is gone at once."""
        self.names("")
        self.roster.beat("web0", self.clock.seconds(), 1, 0, "")
        self.roster.forget("web1")
        self.assertEqual(self.names("host=web*"), ["web2"])
        self.clock.advance(1)
        self.assertEqual(self.names("host=web*"), ["web0", "web2"])

    def test_what_is_no_question_is_refused(self) -> None:
        """With a reason."""
        for path, status in (
            ("/api/hosts?state=dead", 400), ("/api/hosts?sort=colour", 400), ("/api/hosts?sort=-", 400),
            ("/api/hosts?most=0", 400), ("/api/hosts?skip=-1", 400), ("/api/hosts?colour=red", 400),
            ("/api/hosts?severity=bad", 400), ("/api/hosts/nobody", 404),
        ):  # fmt: skip
            answer = self.get(path)
            self.assertEqual(answer.status, status, path)
            self.assertTrue(answer.value["detail"])


class CheckTests(PagesCase):
    def rows(self, query: str = "") -> list[tuple[str, str, str]]:
        """Host, check and state of those that are listed."""
        return [(row["host"], row["name"], row["state"]) for row in self.get(f"/api/checks{query}").value["checks"]]

    def test_the_worst_come_first(self) -> None:
        """And each with what it measured."""
        self.write(
            event("b", kinds.HOST_FOUND),
            event("b", agent.METRIC, "load", load1=0.5),
            event("a", agent.METRIC, "disk", sda=80, sdb=90.5),
            event("a", agent.CHECK_STATE, "disk", "warning", "sdb is 90", state="warning", of="sdb"),
            event("c", agent.CHECK_FAILED, "users", "critical", "no such program", state="failed"),
        )
        self.assertEqual(self.rows(), [("c", "users", "critical"), ("a", "disk", "warning"), ("b", "load", "ok")])
        rows = self.get("/api/checks").value["checks"]
        self.assertEqual([row["value"] for row in rows], [None, None, 0.5])
        self.assertEqual(rows[1]["values"], {"sda": 80.0, "sdb": 90.5})
        self.assertEqual((rows[1]["text"], rows[1]["since"], rows[2]["measured"]), ("sdb is 90", NOW, NOW - 5))
        for query, hosts in (("?state=ok", "b"), ("?state=critical,warning", "ca"), ("?host=a,b", "ab"),
                             ("?check=dis*", "a"), ("?text=PROGRAM", "c"), ("?skip=1&most=1", "a")):  # fmt: skip
            self.assertEqual("".join(row[0] for row in self.rows(query)), hosts, query)
        self.assertEqual(self.get("/api/checks?state=bad").status, 400)

    def test_a_check_is_well_when_all_of_it_is(self) -> None:
        """Its run, each of its values, its lines; and refused until it is told of again."""
        bad: list[Event] = []
        for of in ("sda", "sdb"):
            bad.append(event("a", agent.CHECK_STATE, "disk", "warning", f"{of} full", state="warning", of=of))
        self.write(*bad)
        self.write(event("a", agent.CHECK_STATE, "disk", "info", "sda well", state="ok", of="sda"))
        self.assertEqual(self.rows(), [("a", "disk", "warning")])
        self.write(event("a", agent.CHECK_STATE, "disk", "info", "sdb well", state="ok", of="sdb"))
        self.assertEqual(self.rows(), [("a", "disk", "ok")])
        self.write(event("a", agent.CHECK_REFUSED, "disk", "warning", "not allowed"))
        self.assertEqual(self.rows(), [("a", "disk", "warning")])
        self.write(event("a", agent.PLAN_IN_FORCE))
        self.assertEqual(self.rows(), [("a", "disk", "ok")])

    def test_what_is_gone_is_not_listed(self) -> None:
        """A check that left its plan, a host that was forgotten."""
        for host, check in (("a", "disk"), ("a", "load"), ("b", "disk")):
            self.write(event(host, agent.CHECK_STATE, check, "critical", "bad", state="critical"))
        self.write(event("a", kinds.CHECK_REMOVED, "disk"), event("b", kinds.HOST_FORGOTTEN))
        self.assertEqual(self.rows(), [("a", "load", "critical")])

    def test_what_is_well_says_what_it_told_last(self) -> None:
        """When and in which words; what is bad says it in those of then."""
        self.write(event("a", agent.REPORTED, "backup", "critical", "no room"))
        [row] = self.get("/api/checks").value["checks"]
        self.assertEqual((row["state"], row["text"], row["since"], row["at"]), ("critical", "no room", NOW, NOW - 5))
        self.write(event("a", agent.REPORTED, "backup", "info", "12 GB"))
        [row] = self.get("/api/checks").value["checks"]
        self.assertEqual((row["state"], row["text"], row["since"], row["at"]), ("ok", "12 GB", NOW - 5, NOW - 5))

    def test_another_run_knows_what_is_bad_and_what_was_checked(self) -> None:
        """From the board, which is kept; what was measured is told again by agents."""
        self.write(
            event("a", agent.CHECK_STATE, "disk", "warning", "full", state="warning"),
            event("a", agent.METRIC, "load", load1=9.0),
        )
        copy, self.board = kept(self.board, NOW), Board()
        restore(self.board, copy, NOW)
        self.open_door()
        self.assertEqual(self.rows(), [("a", "disk", "warning"), ("a", "load", "ok")])
        rows = self.get("/api/checks").value["checks"]
        self.assertEqual([(row["text"], row["since"], row["at"]) for row in rows], [("full", NOW, 0.0), ("", 0.0, 0.0)])
        self.assertEqual((rows[1]["value"], rows[1]["measured"]), (None, 0.0))
        self.write(event("a", agent.METRIC, "load", load1=8.0))
        self.assertEqual(self.get("/api/checks?check=load").value["checks"][0]["value"], 8.0)

    def test_what_the_board_knows_of_a_trouble_is_told_with_it(self) -> None:
        """Who acknowledged it, as long as it is no worse than then, and the silence that it is under."""
        self.roster.beat("a", self.clock.seconds(), 1, 0, "")
        silence = event("", kinds.SILENCE_ADDED)
        silence.fields.update(silence="s1", until=NOW + 60, host="a", check="disk", by="ann")
        self.write(
            event("a", agent.CHECK_STATE, "disk", "warning", "full", state="warning"),
            event("a", kinds.ACKNOWLEDGED, "disk", "info", "on it", by="ann"),
            silence,
        )
        [check] = self.get("/api/checks").value["checks"]
        [host] = self.get("/api/hosts").value["hosts"]
        self.assertEqual((check["acked"], check["silenced"]), ("by ann: on it", "s1"))
        self.assertEqual((host["acked"], host["silenced"]), ("by ann: on it", "s1"))
        self.write(event("a", agent.CHECK_STATE, "disk", "critical", "fuller", state="critical"))
        self.assertEqual(self.get("/api/hosts/a").value["acked"], "")

    def test_hosts_are_chosen_by_whether_somebody_is_told_of_them(self) -> None:
        """Of one that is well it counts whether its end would be silenced: not where only a check or a warning is."""
        for host in ("a", "b", "c", "d"):
            self.roster.beat(host, self.clock.seconds(), 1, 0, "")
        for known, pattern, about, until in (
            ("s1", "a*", {}, 60), ("s2", "b", {"check": "disk"}, 60), ("s3", "d", {}, -1),
            ("s4", "d", {"severity": "warning"}, 60),
        ):  # fmt: skip
            silence = event("", kinds.SILENCE_ADDED)
            silence.fields.update(silence=known, until=NOW + until, host=pattern, by="ann", **about)
            self.write(silence)
        self.write(
            event("c", agent.CHECK_STATE, "disk", "warning", "full", state="warning"),
            event("c", kinds.ACKNOWLEDGED, "disk", "info", "on it", by="ann"),
        )

        def names(query: str) -> list[str]:
            return [each["name"] for each in self.get(f"/api/hosts?{query}").value["hosts"]]

        self.assertEqual([names(f"held={way}") for way in ("silenced", "acknowledged", "no", "")],
                         [["a"], ["c"], ["b", "d"], ["a", "b", "c", "d"]])  # fmt: skip
        self.write(event("b", agent.CHECK_STATE, "disk", "warning", "full", state="warning"))
        self.clock.advance(1)
        self.assertEqual(names("held=silenced"), ["a", "b"])
        self.assertEqual(names("held=silenced&severity=warning"), ["b"])
        self.assertEqual(self.get("/api/hosts?held=silenced&most=1&skip=1").value["total"], 2)
        self.assertEqual(self.get("/api/hosts?held=x").status, 400)

    def test_what_is_bad_about_a_host_itself_is_no_check(self) -> None:
        """A plan that it refused makes it worse, with the reason; a log that cannot be read is a check by its path."""
        self.roster.beat("a", self.clock.seconds(), 1, 0, "")
        self.write(event("a", agent.PLAN_REFUSED, "", "warning", "no such reading"))
        told = self.get("/api/hosts/a").value
        self.assertEqual((told["severity"], told["text"]), ("warning", "no such reading"))
        self.assertEqual((told["why"], told["bad"]), (["warning: no such reading"], []))
        self.assertEqual((told["checks"]["warning"], self.rows()), (0, []))
        self.write(event("a", agent.LOG_UNREADABLE, "", "warning", "may not be read", path="/x"))
        self.assertEqual(self.rows(), [("a", "log /x", "warning")])

    def test_nothing_of_one_host_takes_more_room_than_it_may(self) -> None:
        """Checks, values of a check, letters of a text."""
        latest = Latest()
        latest.heard(event("a", agent.METRIC, f"c{number}", load1=1) for number in range(MOST_CHECKS + 100))
        self.assertEqual(len(list(latest.measured("a"))), MOST_CHECKS)
        latest.heard([event("b", agent.METRIC, "c", **{f"l{number}": number for number in range(1000)})])
        latest.heard([event("b", agent.REPORTED, "c", "info", "x" * 5000)])
        self.assertEqual(len(latest.numbers("b", "c").values), MOST_VALUES)
        self.assertEqual(len(latest.words("b", "c").text), MOST_TEXT)
        latest.heard([event("a", kinds.HOST_FORGOTTEN), event("b", kinds.CHECK_REMOVED, "c")])
        self.assertEqual((list(latest.measured("a")), list(latest.measured("b"))), ([], []))
        self.assertEqual(latest.words("b", "c"), Words())


class PollTests(PagesCase):
    def test_polls_are_told_with_their_last_rounds(self) -> None:
        """And the failing targets first."""
        rounds = [Summary(NOW - n, 0.5, 3, 2, 1, {"refused": 1}) for n in (60, 30)]
        targets = {
            "a": Seen("...", application="shop", version="1"),
            "b": Seen("xx.", reason="", failing=False),
            "c": Seen("xxx", failing=True, reason="refused", since=NOW - 60),
            "d": Seen("..x", reason="body"),
        }
        self.polls = {"shops": Kept(targets, rounds), "new": Kept()}
        told = self.get("/api/polls").value["polls"]
        self.assertEqual(
            [(each["name"], each["targets"], each["failing"]) for each in told], [("new", 0, 0), ("shops", 4, 1)]
        )
        self.assertEqual((told[0]["last"], told[1]["last"]["at"]), (None, NOW - 30))
        one = self.get("/api/polls/shops?rounds=1&most=3").value
        self.assertEqual([each["at"] for each in one["rounds"]], [NOW - 30])
        self.assertEqual([each["name"] for each in one["shown"]], ["c", "d", "a"])
        self.assertEqual(
            (self.get("/api/polls/none").status, self.get("/api/polls/shops?rounds=101").status), (404, 400)
        )


class EventTests(PagesCase):
    def texts(self, query: str) -> list[str]:
        """The texts of a page."""
        return [each["text"] for each in self.get(f"/api/events?{query}").value["events"]]

    def test_pages_follow_one_another_through_rotation(self) -> None:
        """Each event comes once."""
        found, cursor = [], ""
        for number in range(10):
            self.write(event("a", agent.LOG_LINE, text=str(number)))
            if number % 3 == 2:
                self.journal.rotate({})
        while True:
            page = self.get(f"/api/events?most=4&after={cursor}").value
            found += [each["text"] for each in page["events"]]
            cursor = page["cursor"]
            if not page["more"]:
                break
        self.assertEqual(found, [str(number) for number in range(10)])
        self.write(event("a", agent.LOG_LINE, text="next"))
        self.assertEqual(self.texts(f"after={cursor}"), ["next"])

    def test_the_last_ones_come_if_that_is_asked_for(self) -> None:
        """With a cursor to wait for the next ones."""
        for number in range(5):
            self.write(event("a", agent.LOG_LINE, text=str(number)))
        page = self.get("/api/events?from=end&most=2").value
        self.assertEqual([each["text"] for each in page["events"]], ["3", "4"])
        self.assertEqual(self.texts(f"after={page['cursor']}"), [])

    def test_pages_go_back_to_the_oldest_event(self) -> None:
        """With a filter, through rotation; and on again from any of them."""
        for number in range(12):
            self.write(event("a" if number % 2 else "b", agent.LOG_LINE, text=str(number)))
            if number % 5 == 4:
                self.journal.rotate({})
        found, query = [], "from=end"
        while query:
            page = self.get(f"/api/events?{query}&most=2&host=a").value
            found.append([each["text"] for each in page["events"]])
            query = page["older"] and f"before={page['older']}"
        self.assertEqual(found, [["9", "11"], ["5", "7"], ["1", "3"], []], "0 is before them")
        self.assertEqual(self.texts(f"after={page['cursor']}&host=a&most=2"), ["1", "3"])
        older = self.get("/api/events?from=end&most=1").value["older"]
        for wrong, status in ((f"before={older}&from=end", 400), (f"before={older}&after={older}", 400),
                              ("before=x", 400), (f"before={'0' * 16}-5", 410)):  # fmt: skip
            answer = self.get(f"/api/events?{wrong}")
            self.assertEqual((answer.status, answer.value["query"]), (status, "before"), wrong)

    def test_events_are_chosen(self) -> None:
        """Metrics come only if they are asked for."""
        self.write(
            event("web1", agent.LOG_LINE, "log", "warning", "one"),
            event("web2", agent.CHECK_STATE, "disk", "critical", "two", state="critical"),
            event("web1", agent.METRIC, "load", "info", "three", load1=1.0),
            event("", kinds.SERVER_STARTED, "", "info", 'four says "kind":"metric", "host":"web1"'),
        )
        for query, texts in (
            ("", ["one", "two"]), ("kind=metric", ["three"]), ("kind=log_line,metric", ["one", "three"]),
            ("host=web1", ["one"]), ("host=web*&severity=critical", ["two"]), ("check=d*", ["two"]),
            ("text=TW", ["two"]), ("host=web1&kind=check_state", []),
        ):  # fmt: skip
            self.assertEqual([text for text in self.texts(query) if not text.startswith("four")], texts, query)

    def test_a_cursor_that_leads_nowhere_is_told(self) -> None:
        """400 if it never was one, 410 if its file is gone."""
        self.write(event("a", agent.LOG_LINE))
        cursor = self.get("/api/events").value["cursor"]
        for path, status in ((f"after={cursor}&from=end", 400), ("after=x", 400), ("kind=x", 400), ("most=1001", 400),
                             (f"after={'0' * 16}-5", 410)):  # fmt: skip
            answer = self.get(f"/api/events?{path}")
            self.assertEqual(answer.status, status, path)
            self.assertTrue(answer.value["detail"])

    def test_a_disk_that_fails_is_no_end(self) -> None:
        """503 says that it may be asked again."""
        self.write(event("a", agent.LOG_LINE))
        self.journal.path.rename(self.journal.path.with_name("moved"))
        self.journal.path.mkdir()
        self.assertEqual(self.get("/api/events").status, 503)


class WaitingTests(PagesCase):
    def in_thread(self, call: Any) -> "Deferred[Any]":
        """Some day."""
        self.waits.append(Deferred())
        return self.waits[-1]

    def setUp(self) -> None:
        self.waits: list[Deferred[Any]] = []
        super().setUp()

    def test_only_so_many_wait_for_the_disk(self) -> None:
        """Who leaves makes room."""
        talks = [Conversation(self.door, f"192.0.2.{n}") for n in range(17)]
        for talk in talks:
            talk.send(request("GET", "/api/events"))
        self.assertEqual([answer.status for talk in talks for answer in talk.answers()], [503])
        talks[0].channel.connectionLost(Failure(ConnectionDone()))
        talk = Conversation(self.door, "192.0.2.99")
        talk.send(request("GET", "/api/events"))
        self.assertEqual(talk.answers(), [])


class ExpositionTests(PagesCase):
    def setUp(self) -> None:
        super().setUp()
        now = self.clock.seconds()
        self.roster.beat("web1", now, 5000, 10, "")
        self.write(event("web1", agent.METRIC, "load", load1=0.5))
        self.write(event("web1", agent.CHECK_STATE, 'di"sk', "critical", "full", state="critical"))
        self.write(event("gone", agent.CHECK_STATE, "disk", "critical", "full", state="critical"))
        self.polls = {"shops": Kept({}, [Summary(NOW, 0.5, 3, 2, 1, {})])}
        self.sweeps = {"fleet": SweepKept(Kept({}, [Summary(NOW, 0.7, 5, 4, 1, {})], "late")), "new": SweepKept()}
        self.crowd.enter("192.0.2.1")
        self.crowd.enter("192.0.2.2")
        self.crowd.late = 2
        self.post(f"/api/perf/jarvis/{int(NOW)}", b'{"cpu": 1.5}')
        self.post(f"/api/perf/jarvis/{int(NOW) - 400}", b'{"old": 1.5}')

    def samples(self, *lines: str) -> dict[tuple[str, ...], float]:
        """Value by name and labels, as prometheus_client reads the page; no series is there twice."""
        answer = self.get("/metrics", *lines)
        self.assertEqual(answer.status, 200)
        parse = parse_open if answer.fields["content-type"] == OPENMETRICS else parse_text
        found: dict[tuple[str, ...], float] = {}
        for family in parse(answer.body.decode()):
            for sample in family.samples:
                key = (sample.name, *sample.labels.values())
                self.assertNotIn(key, found)
                found[key] = sample.value
        return found

    def test_everything_is_told_in_both_formats(self) -> None:
        """With the same values."""
        found = self.samples()
        self.assertEqual(found["monitor436_host_up", "web1"], 1)
        self.assertEqual(found["monitor436_hosts", "up"], 1)
        self.assertEqual(found["monitor436_host_last_seen_age_seconds", "web1"], 0)
        self.assertEqual(found["monitor436_check_state", "web1", 'di"sk'], 2)
        self.assertEqual(found["monitor436_check_value", "web1", "load", "load1"], 0.5)
        self.assertEqual(found["monitor436_metric", "jarvis", "cpu"], 1.5)
        self.assertEqual(found["monitor436_poll_targets_well", "shops"], 2)
        sweeps = {name[0]: value for name, value in found.items() if name[0].startswith("monitor436_sweep")}
        self.assertEqual(
            {name.removeprefix("monitor436_sweep_"): value for name, value in sweeps.items()},
            {"hosts": 5, "hosts_answered": 4, "hosts_failing": 1, "round_seconds": 0.7,
             "round_timestamp_seconds": NOW, "trusted": 0},
        )  # fmt: skip
        ended = [found["monitor436_door_connections_ended_total", fate] for fate in ("refused", "timed_out")]
        self.assertEqual((found["monitor436_door_connections",], ended), (1, [1, 2]))
        self.assertEqual(found["monitor436_events_total", "check_state", "critical"], 2)
        self.assertEqual(found["monitor436_datagrams_total", "BEAT"], 2)
        self.assertEqual(found["monitor436_samples_total", "taken"], 2)
        self.assertEqual(found["monitor436_http_requests_total", "POST", "/api/perf/{host}/{epoch}", "2xx"], 2)
        other = self.samples("Accept: application/openmetrics-text; version=1.0.0")
        self.assertEqual({name[0] for name in other}, {name[0] for name in found})

    def test_what_is_no_more_is_not_told_for_ever(self) -> None:
        """Old values, hosts that nobody knows, what a host that is down measured."""
        found = self.samples()
        self.assertNotIn(("monitor436_metric", "jarvis", "old"), found)
        self.assertNotIn(("monitor436_check_state", "gone", "disk"), found)
        self.roster.stopped("web1", self.clock.seconds())
        found = self.samples()
        self.assertNotIn(("monitor436_check_value", "web1", "load", "load1"), found)
        self.assertIn(("monitor436_check_state", "web1", 'di"sk'), found)

    def test_the_page_is_bounded_and_says_what_is_left_out(self) -> None:
        """By family."""
        page = exposition.Exposition(
            [lambda: iter([("host_up", [((f"h{n}",), 1) for n in range(50)]), ("lag_seconds", [((), 1)])])],
            self.clock, self.clock.seconds, most=20,
        )  # fmt: skip
        text = b"".join([self.successResultOf(Deferred.fromCoroutine(page._text(False)))]).decode()
        self.assertEqual(text.count("monitor436_host_up{"), 20)
        self.assertIn('monitor436_series_left_out{family="host_up"} 30', text)
        self.assertIn('monitor436_series_left_out{family="lag_seconds"} 1', text)

    def test_others_work_while_a_large_page_is_made(self) -> None:
        """It is made in slices; hosts may come and go between two."""
        for number in range(3000):
            self.roster.beat(f"h{number}", self.clock.seconds(), 1, 0, "")
        hurries = count(0.0, 2 * exposition.SLICE)  # between two looks at this clock a slice is over
        page = exposition.Exposition(
            [exposed.hosts(self.roster, self.clock.seconds)], self.clock, lambda: next(hurries)
        )
        text = Deferred.fromCoroutine(page._text(False))
        self.assertNoResult(text)
        self.roster.beat("new", self.clock.seconds(), 1, 0, "")
        self.clock.advance(0)
        self.assertIn('monitor436_host_up{host="h2999"} 1', self.successResultOf(text).decode())

    def test_only_some_pages_are_made_at_once(self) -> None:
        """Others are to come again."""
        self.patch(exposition, "SLICE", -1.0)
        talks = [Conversation(self.door) for _ in range(5)]
        for talk in talks:
            talk.send(request("GET", "/metrics"))
        answers = [answer for talk in talks for answer in talk.answers()]
        self.assertEqual([(each.status, each.fields["retry-after"]) for each in answers], [(503, "1")])
        talks[0].channel.connectionLost(Failure(ConnectionDone()))
        self.clock.pump([0] * 50)
        self.assertEqual([answer.status for talk in talks[1:4] for answer in talk.answers()], [200] * 3)
        self.patch(exposition, "SLICE", 60.0)
        self.assertEqual(self.get("/metrics").fields["content-type"], TEXT)


class DocumentTests(PagesCase):
    def test_every_page_is_told_with_an_example_and_its_parameters(self) -> None:
        """docs/http-api.md; and no page that is not there."""
        text = read("docs/http-api.md")
        told = re.findall(r"^## ((?:GET|POST) /\S+)$", text, re.M)
        self.assertEqual(sorted(told), sorted(f"{route.method} {route.path}" for route in self.pages.routes))
        for route in self.pages.routes:
            part = section(text, f"{route.method} {route.path}")
            self.assertIn("curl ", blocks(part, "sh")[0], route.path)
            named = set(ticked(part))
            self.assertLessEqual(set(route.query), named, route.path)

    def test_every_example_is_answered(self) -> None:
        """None is of a page or a parameter that is not known."""
        shown = re.findall(r"http://localhost:4380(/[^'\s;]*)", "".join(blocks(read("docs/http-api.md"), "sh")))
        self.assertGreater(len(shown), 10)
        for path in shown:
            answer = self.get(path.replace("$(hostname)", "a").replace("/$(date", ""))
            self.assertIn(answer.status, (200, 404, 410), path)
