"""Many targets through one probe: order, bounds, times, further attempts."""

import weakref
from typing import Any, NamedTuple

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.probes.poller import AT_A_TURN, PAUSE, Poller
from monitor436.probes.probe import Answer, Failed, Failure, Target


def target(number: int) -> Target:
    """One of many."""
    return Target(f"h{number}", f"http://h{number}/", f"h{number}", 80)


class Scripted:
    """A probe whose answers are written down: per target a list of (seconds it takes, body or Failure)."""

    timeout = 1.0

    def __init__(self, clock: Clock, script: dict[str, list[tuple[float, Any]]]) -> None:
        self.clock, self.script = clock, script
        self.asked: list[tuple[str, float | None]] = []
        self.running = self.most = 0

    async def probe(self, target: Target, within: float | None = None) -> bytes:
        self.asked.append((target.name, within))
        steps = self.script.get(target.name, [(0.0, b"ok")])
        seconds, outcome = steps.pop(0) if len(steps) > 1 else steps[0]
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if seconds:
                later: Deferred[None] = Deferred()
                self.clock.callLater(min(seconds, within or seconds), later.callback, None)
                await later
                if within is not None and within < seconds:
                    raise Failure("header", "late")
        finally:
            self.running -= 1
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, bytes)
        return outcome

    async def close(self) -> None:
        """Nothing."""


class Early(Scripted):
    """One that connects before it asks."""

    def __init__(self, clock: Clock, script: dict[str, list[tuple[float, Any]]]) -> None:
        super().__init__(clock, script)
        self.begun: list[str] = []
        self.over: list[str] = []
        self.dropped: list[str] = []

    def begin(self, target: Target) -> Any:
        """What is begun knows whose it is."""
        self.begun.append(target.name)
        return Head(self, target.name)

    async def probe(self, target: Target, within: float | None = None, begun: Any = None) -> bytes:
        if begun is not None:
            assert begun.name == target.name
            self.over.append(begun.name)
        return await super().probe(target, within)


class Head(NamedTuple):
    """What was begun."""

    early: Early
    name: str

    def drop(self) -> None:
        """It is not asked after all."""
        self.early.dropped.append(self.name)


REFUSED = Failure("refused", "refuses")


class PollerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def poll(self, script: dict[str, list[tuple[float, Any]]], count: int, **options: Any) -> list[Answer | Failed]:
        """Let a round run; `heard` is what came, in the order in which it came."""
        self.probe = Scripted(self.clock, script)
        self.heard: list[Answer | Failed] = []
        poller = Poller(self.clock, self.probe, monotonic=self.clock.seconds, **options)
        done = Deferred.fromCoroutine(poller.poll([target(number) for number in range(count)], self.heard.append))
        self.clock.pump([0.01] * 500)
        return self.successResultOf(done)

    def test_results_are_in_the_order_of_the_targets(self) -> None:
        """And told in that in which they come."""
        results = self.poll({"h0": [(0.5, b"slow")], "h1": [(0.1, Failure("status", "answers 503"))]}, 3)
        self.assertEqual([result.target.name for result in results], ["h0", "h1", "h2"])
        self.assertEqual([result.target.name for result in self.heard], ["h2", "h1", "h0"])
        answer, failed, _ = results
        assert isinstance(answer, Answer) and isinstance(failed, Failed)
        self.assertEqual((answer.body, failed.reason, failed.text), (b"slow", "status", "answers 503"))
        self.assertAlmostEqual(answer.seconds, 0.5, 1)
        self.assertAlmostEqual(failed.seconds, 0.1, 1)

    def test_a_body_lives_until_it_is_read(self) -> None:
        """What is kept is what the reader makes of it, in the order of the targets."""

        class Body(bytearray):
            """One that can be watched."""

        made: list[weakref.ref[Body]] = []

        class Large(Scripted):
            async def probe(self, target: Target, within: float | None = None) -> bytes:
                await super().probe(target, within)
                body = Body(1000)
                made.append(weakref.ref(body))
                return body  # type: ignore[return-value]

        alive: list[int] = []

        def keep(result: Answer | Failed) -> int:
            alive.append(sum(each() is not None for each in made))
            return len(result.body) if isinstance(result, Answer) else 0

        poller = Poller(self.clock, Large(self.clock, {}), at_once=10, monotonic=self.clock.seconds)
        done = Deferred.fromCoroutine(poller.read([target(number) for number in range(200)], keep))
        self.clock.pump([0.01] * 10)
        self.assertEqual(self.successResultOf(done), [1000] * 200)
        self.assertLessEqual(max(alive), 10)

    def test_many_do_not_keep_the_reactor_from_everybody_else(self) -> None:
        """They begin in portions."""
        probe = Scripted(self.clock, {f"h{number}": [(0.5, b"")] for number in range(1000)})
        done = Deferred.fromCoroutine(Poller(self.clock, probe).poll([target(number) for number in range(1000)]))
        self.assertEqual(len(probe.asked), AT_A_TURN)
        self.clock.advance(0)
        self.assertEqual(len(probe.asked), 1000)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(probe.running, 0)

    def test_connections_come_first_and_the_time_runs_from_there(self) -> None:
        """Of as many as are asked at once. What was begun is asked over it, once: attempts after that begin anew."""
        self.probe = early = Early(self.clock, {"h1": [(0.0, REFUSED), (9.0, b"")], "h2": [(9.0, b"")]})
        early.timeout = 4.0
        targets = [target(number) for number in range(5)]
        poller = Poller(self.clock, early, 4, 1, self.clock.seconds, at_a_turn=2)
        done = Deferred.fromCoroutine(poller.poll(targets))
        self.assertEqual((early.begun, early.asked), (["h0", "h1"], []))
        self.clock.advance(0.25)
        self.assertEqual(early.begun, ["h0", "h1", "h2", "h3"])
        self.clock.pump([0.01] * 450)
        self.assertEqual([name for name, _ in early.asked], ["h0", "h1", "h2", "h3", "h4", "h1"])
        self.assertEqual([round(left or 0.0, 2) for _, left in early.asked], [3.75, 3.75, 4.0, 4.0, 4.0, 3.7])
        self.assertEqual(early.over, ["h0", "h1", "h2", "h3"])
        results = self.successResultOf(done)
        self.assertEqual([round(result.seconds, 1) for result in results], [0.0, 4.0, 4.0, 0.0, 0.0])

    def test_who_is_asked_late_has_a_second_all_the_same(self) -> None:
        """Or the whole time, if that is less: it is not to blame."""
        for timeout, left in ((3.0, 1.0), (9.0, 5.0), (0.5, 0.5)):
            early = Early(self.clock, {})
            early.timeout = timeout
            done = Deferred.fromCoroutine(
                Poller(self.clock, early, monotonic=self.clock.seconds, at_a_turn=1).poll([target(0)])
            )
            self.clock.advance(4.0)
            self.assertEqual((early.asked, len(self.successResultOf(done))), ([("h0", left)], 1))

    def test_what_was_begun_is_let_go_of_with_the_round(self) -> None:
        """Nobody was asked yet."""
        early = Early(self.clock, {})
        done = Deferred.fromCoroutine(Poller(self.clock, early, at_a_turn=2).poll([target(0), target(1), target(2)]))
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual((early.begun, early.asked, early.dropped), (["h0", "h1"], [], ["h0", "h1"]))

    def test_no_targets_no_results(self) -> None:
        """At once."""
        self.assertEqual(self.poll({}, 0), [])

    def test_no_more_than_so_many_at_once(self) -> None:
        """The next begins as soon as one is done."""
        results = self.poll({f"h{number}": [(0.1, b"")] for number in range(30)}, 30, at_once=10)
        self.assertEqual((len(results), self.probe.most), (30, 10))

    def test_who_was_slow_is_asked_first_in_the_next_round(self) -> None:
        """The slowest before all others; results stay in the order of the targets."""
        self.probe = Scripted(self.clock, {"h7": [(0.9, b"")], "h3": [(0.5, b"")]})
        poller = Poller(self.clock, self.probe, at_once=1, monotonic=self.clock.seconds)
        targets = [target(number) for number in range(9)]
        for _ in range(2):
            done = Deferred.fromCoroutine(poller.poll(targets))
            self.clock.pump([0.01] * 200)
            self.assertEqual([result.target for result in self.successResultOf(done)], targets)
        self.assertEqual([name for name, _ in self.probe.asked[9:]], "h7 h3 h0 h1 h2 h4 h5 h6 h8".split())

    def test_who_refuses_is_asked_again(self) -> None:
        """A service that restarts; all attempts share the time."""
        (result,) = self.poll({"h0": [(0.0, REFUSED), (0.1, REFUSED), (0.0, b"up")]}, 1, retries=2)
        self.assertIsInstance(result, Answer)
        lefts = [left for _, left in self.probe.asked if left is not None]
        self.assertEqual(lefts[0], 1.0)
        self.assertAlmostEqual(lefts[1], 1.0 - PAUSE)
        self.assertLess(lefts[2], 0.9 - 2 * PAUSE)

    def test_only_so_often(self) -> None:
        """Then it is the last failure that counts."""
        (result,) = self.poll({"h0": [(0.0, REFUSED)]}, 1, retries=3)
        assert isinstance(result, Failed)
        self.assertEqual((result.reason, len(self.probe.asked)), ("refused", 4))

    def test_not_beyond_the_time(self) -> None:
        """However many attempts are left."""
        (result,) = self.poll({"h0": [(0.4, REFUSED)]}, 1, retries=100)
        self.assertEqual(len(self.probe.asked), 3)
        self.assertLess(result.seconds, 1.02)

    def test_an_answer_is_not_asked_for_again(self) -> None:
        """An error is one; who ran out of time had it all."""
        for reason in ("status", "header", "too_long", "redirect"):
            self.poll({"h0": [(0.0, Failure(reason, "no"))]}, 1, retries=3)
            self.assertEqual(len(self.probe.asked), 1, reason)

    def test_a_defect_in_a_probe_ends_nothing(self) -> None:
        """It is logged, and its target failed."""
        results = self.poll({"h0": [(0.0, ZeroDivisionError())]}, 2)
        assert isinstance(results[0], Failed)
        self.assertEqual((results[0].reason, results[0].text), ("protocol", "asking it failed here: ZeroDivisionError"))
        self.assertIsInstance(results[1], Answer)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_who_cancels_asks_no_more(self) -> None:
        """Those that wait for their turn included."""
        probe = Scripted(self.clock, {"h0": [(9.0, b"")]})
        done = Deferred.fromCoroutine(Poller(self.clock, probe, at_once=1).poll([target(0), target(1)]))
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual([name for name, _ in probe.asked], ["h0"])
