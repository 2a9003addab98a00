"""Lizmon's API: what it takes, what it refuses and why, and the shape in which it answers."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from monitor436.model.metrics.perf import host_name, moment, summaries
from monitor436.model.metrics.rollup import Series, Window
from monitor436.web.perf import AT_ONCE, MOST_UNDER_WAY, Perf
from tests.web.conversation import NOW, WEB1, Conversation, ask, door, request
from tests.web.known import OPEN, PagesCase

AT = int(NOW)
MINUTE, HOUR = AT - AT % 60, AT - AT % 3600
DOCUMENTED = {"averages", "start", "end", "timeslice-size-sec", "average-count"}
OF_AVERAGE = {"start-sec", "avg", "interval-size-sec", "end-sec", "num-samples"}


class PostTests(PagesCase):
    def test_values_are_summed_up_by_minute_and_by_hour(self) -> None:
        """In the shape that lizmon documented, with more beside it."""
        for n, value in enumerate((4.0, 5.0, 5.94)):
            self.assertEqual(self.post(f"/api/perf/jarvis/{AT + n}", json.encode({"cpu": value})).value, {"taken": 1})
        told = self.get("/api/perf/jarvis").value
        self.assertEqual(list(told), ["summary:by-minute:cpu", "summary:by-hour:cpu"])
        for name, start, width, back in (("minute", MINUTE, 60, 3600), ("hour", HOUR, 3600, 86400)):
            summary = told[f"summary:by-{name}:cpu"]
            self.assertEqual(summary.keys(), DOCUMENTED)
            self.assertEqual((summary["timeslice-size-sec"], summary["average-count"]), (width, 1))
            self.assertEqual((summary["start"], summary["end"]), ((AT - back) // width * width, AT))
            [window] = summary["averages"]
            self.assertLess(OF_AVERAGE, window.keys())
            self.assertEqual((window["start-sec"], window["end-sec"], window["interval-size-sec"]),
                             (start, start + width, width))  # fmt: skip
            told_of = [window[key] for key in ("avg", "num-samples", "count", "min", "max", "last")]
            self.assertEqual(told_of, [4.98, 3, 3, 4.0, 5.94, 5.94])

    def test_a_label_is_found_by_a_part_of_its_name_in_whatever_case(self) -> None:
        """The width is part of the name."""
        self.post(f"/api/perf/jarvis/{AT}", b'{"CPU user": 1, "mem": 2}')
        for wanted, names in (
            ("by-minute:cpu", ["summary:by-minute:CPU user"]),
            ("cpu%20USER", ["summary:by-minute:CPU user", "summary:by-hour:CPU user"]),
            ("BY-HOUR", ["summary:by-hour:CPU user", "summary:by-hour:mem"]),
            ("disk", []),
        ):
            self.assertEqual(list(self.get(f"/api/perf/jarvis/{wanted}").value), names)

    def test_a_host_has_one_name_in_whatever_case(self) -> None:
        """As names of machines do; and one that never posted has no summaries."""
        self.post(f"/api/perf/Jarvis.Local/{AT}", b'{"cpu": 1}')
        self.assertEqual(len(self.get("/api/perf/JARVIS.local/cpu").value), 2)
        self.assertEqual(self.get("/api/perf").value, {"hosts": ["jarvis.local"]})
        answer = self.get("/api/perf/nobody")
        self.assertEqual((answer.status, answer.value), (200, {}))

    def test_others_work_while_a_large_batch_is_taken(self) -> None:
        """Also while most of it is refused, which costs more."""
        done: list[int] = []

        def turn() -> Deferred[None]:
            done.append(sum(self.rollups.counts[fate] for fate in ("taken", "refused")))
            return succeed(None)

        pages = door(*Perf(self.rollups, lambda: NOW, turn).routes(), http=OPEN)
        items = [{"host": f"h{n}", "at": AT, "values": {f"l{m}": m for m in range(100)}} for n in range(30)]
        told = ask(pages, "POST", "/api/perf", "", json.encode(items)).value
        self.assertEqual((told["taken"], told["refused"]), (20 * 5, 20 * 95 + 10 * 100))
        self.assertGreater(done.count(0), 3)  # while they are looked through
        self.assertLessEqual(max(after - before for before, after in pairwise([*done, 3000])), AT_ONCE + 100)

    def test_only_some_large_batches_are_taken_at_once(self) -> None:
        """Each has to be held until it is done; a client that left is not counted."""
        waits: list[Deferred[None]] = []

        def turn() -> Deferred[None]:
            waits.append(Deferred())
            return waits[-1]

        pages = door(*Perf(self.rollups, lambda: NOW, turn).routes(), http=OPEN)
        items = [{"host": f"h{n}", "at": AT, "values": {f"l{m}": m for m in range(100)}} for n in range(6)]
        body = request("POST", "/api/perf", "", json.encode(items))
        talks = [Conversation(pages) for _ in range(MOST_UNDER_WAY + 1)]
        for talk in talks:
            talk.send(body)
        self.assertEqual(talks[-1].answers()[0].status, 503)
        talks[0].leave()
        talks[-1].send(body)
        self.assertEqual((talks[-1].answers(), len(waits)), ([], MOST_UNDER_WAY + 1))

    def test_a_moment_is_seconds_of_utc(self) -> None:
        """What is something else is told as what it seems to be."""
        for text, hint in (
            (f"{AT}000", "these look like milliseconds"),
            (f"{AT}000000", "these look like microseconds"),
            (f"{AT}000000000", "these look like nanoseconds"),
            ("now", "expected seconds since 1970"),
            ("-5", "expected seconds"),
            ("1e9", "expected seconds"),
            ("%D9%A3", "expected seconds"),
        ):
            answer = self.post(f"/api/perf/jarvis/{text}", b'{"cpu": 1}')
            self.assertEqual(answer.status, 400, text)
            self.assertIn(hint, answer.value["detail"])
        self.assertEqual(self.post(f"/api/perf/jarvis/{AT}.25", b'{"cpu": 1}').status, 200)

    def test_what_is_too_old_or_of_tomorrow_is_refused_and_told(self) -> None:
        """Such as what a client sends whose idea of UTC is that of its time zone."""
        for at, which, words in ((AT + 7200, "future", "7200 s ahead of the clock"), (AT - 90_000, "late", "s old")):
            answer = self.post(f"/api/perf/jarvis/{at}", b'{"cpu": 1}')
            self.assertEqual((answer.status, answer.value[which]), (422, 1))
            self.assertIn(words, answer.value["detail"])
        self.assertEqual(self.get("/api/perf").value["hosts"], [])

    def test_bad_input_is_a_4xx_with_a_reason(self) -> None:
        """Never a 500, as it was."""
        path = f"/api/perf/jarvis/{AT}"
        cases: list[tuple[bytes, int]] = [
            (b"", 400), (b"cpu=1", 400), (b"[1]", 422), (b"{}", 422), (b'{"cpu": null}', 422), (b'{"cpu": [1]}', 422),
            (b'{"cpu": "much"}', 422), (b'{"cpu": true}', 422), (b'{"": 1}', 422), (b'{"cpu": "nan"}', 422),
            (b'{"cpu": 1e999}', 422), (b'{"cpu": "inf"}', 422), (b'{"cpu": ' + b"9" * 5000 + b"}", 422),
            (json.encode({"x" * 201: 1}), 422), (json.encode({str(n): 1 for n in range(1001)}), 422),
            (b'{"\xff": 1}', 400), (b'{"a\\u0000b": 1}', 422), (b"[" * 50_000, 400), (b'{"cpu": 1', 400),
        ]  # fmt: skip
        for body, status in cases:
            with self.subTest(body=body[:40]):
                answer = self.post(path, body)
                self.assertIn(answer.status, {status, 400, 422})
                self.assertTrue(answer.value["detail"])
        for host in ("a%20b", "a%00", "x" * 101):
            self.assertEqual(self.post(f"/api/perf/{host}/{AT}", b'{"cpu": 1}').status, 400, host)
            self.assertEqual(self.get(f"/api/perf/{host}").status, 400, host)
        self.assertEqual(self.get("/api/perf").value["hosts"], [])

    def test_numbers_as_text_are_numbers(self) -> None:
        """Lizmon took them."""
        self.assertEqual(self.post(f"/api/perf/jarvis/{AT}", b'{"cpu": "4.98", "mem": "50"}').value, {"taken": 2})

    def test_limits_are_told_beside_what_was_taken(self) -> None:
        """Five labels a host here."""
        answer = self.post(f"/api/perf/jarvis/{AT}", json.encode({str(n): n for n in range(8)}))
        self.assertEqual((answer.status, answer.value["taken"], answer.value["refused"]), (200, 5, 3))
        self.assertIn("more than 5 labels", answer.value["why"][0])

    def test_a_token_of_a_host_posts_for_that_one_only(self) -> None:
        """Also inside a batch."""
        self.door = door(*self.pages.routes, clock=self.clock)
        item = {"at": AT, "values": {"cpu": 1}}
        for host, status in (("web1", 200), ("WEB1", 200), ("web2", 403)):
            answer = ask(self.door, "POST", f"/api/perf/{host}/{AT}", WEB1, b'{"cpu": 1}')
            self.assertEqual(answer.status, status, host)
            batch = json.encode([{"host": "web1", **item}, {"host": host, **item}])
            self.assertEqual(ask(self.door, "POST", "/api/perf", WEB1, batch).status, status, host)
        self.assertEqual(ask(self.door, "GET", "/api/perf/web1", WEB1).status, 403)


class BatchTests(PagesCase):
    def test_what_can_be_taken_is_and_the_rest_is_told_item_by_item(self) -> None:
        """With its place."""
        items = [{"host": f"h{n}", "at": AT if n % 2 else AT - 10 * 86400, "values": {"cpu": n}} for n in range(6)]
        answer = self.post("/api/perf", json.encode(items))
        self.assertEqual((answer.status, answer.value["taken"], answer.value["late"]), (200, 3, 3))
        self.assertEqual([each["item"] for each in answer.value["items"]], [0, 2, 4])
        self.assertEqual(self.get("/api/perf").value["hosts"], ["h1", "h3", "h5"])

    def test_an_item_that_is_none_refuses_the_whole(self) -> None:
        """And nothing of it was taken."""
        good: dict[str, Any] = {"host": "a", "at": AT, "values": {"cpu": 1}}
        for wrong in (
            {**good, "host": "a b"}, {**good, "host": ""}, {**good, "at": "now"}, {**good, "values": {}},
            {**good, "values": {"cpu": "x"}}, {**good, "more": 1}, {"host": "a", "at": AT}, [], None,
        ):  # fmt: skip
            answer = self.post("/api/perf", json.encode([good, wrong]))
            self.assertIn(answer.status, (400, 422), wrong)
        self.assertEqual(self.post("/api/perf", b"[]").status, 422)
        self.assertEqual(self.post("/api/perf", json.encode([good] * 1001)).status, 422)
        self.assertEqual(self.get("/api/perf").value["hosts"], [])


class ShapeTests(SynchronousTestCase):
    def test_a_window_says_how_many_samples_there_should_be(self) -> None:
        """By the pace at which they come; the present one as far as it has come."""
        windows = [Window(start, 30, 30.0, 1.0, 1.0, 1.0, start + 59.0) for start in (MINUTE - 60, MINUTE)]
        told = summaries([Series("a", "cpu", windows, [], 1.0)], "", MINUTE + 40.0)
        self.assertEqual([each.expected for each in told["summary:by-minute:cpu"].averages], [60, 40])

    def test_averages_have_no_dust(self) -> None:
        """Of adding floats."""
        window = Window(MINUTE, 3, 0.1 + 0.2 + 0.3, 0.1, 0.3, 0.3, MINUTE + 2.0)
        [average] = summaries([Series("a", "x", [window], [])], "", NOW)["summary:by-minute:x"].averages
        self.assertEqual(average.avg, 0.2)

    @given(st.text(max_size=120))
    def test_whatever_a_path_says_is_taken_or_refused(self, text: str) -> None:
        """Nothing else comes of it."""
        for read in (host_name, moment):
            try:
                read(text)
            except ValueError as wrong:
                self.assertTrue(str(wrong).isprintable())
