"""A thread for what blocks."""

import threading
import unittest
from collections.abc import Callable
from queue import Queue
from typing import Any

from monitor436.one_thread import one_thread


class Reactor:
    """Runs what other threads ask for when the test says so."""

    def __init__(self) -> None:
        self.asked: Queue[tuple[Callable[..., object], tuple[Any, ...]]] = Queue()
        self.last: list[Callable[[], object]] = []

    def callWhenRunning(self, call: Callable[[], object]) -> None:
        """It runs."""
        call()

    def addSystemEventTrigger(self, phase: str, event: str, call: Callable[[], object]) -> None:
        """At its end."""
        self.last.append(call)

    def callFromThread(self, call: Callable[..., object], *arguments: Any) -> None:
        """What a thread wants done here."""
        self.asked.put((call, arguments))

    def turn(self) -> None:
        """Do the next thing."""
        call, arguments = self.asked.get(timeout=5)
        call(*arguments)

    def end(self) -> None:
        """It stops."""
        for call in self.last:
            call()


class OneThreadTests(unittest.TestCase):
    """Calls and their outcomes."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.in_thread = one_thread(self.reactor, "tested")
        self.addCleanup(self.reactor.end)
        self.outcomes: list[Any] = []

    def test_a_call_runs_elsewhere_and_its_outcome_comes_back(self) -> None:
        """In the reactor's own thread."""
        done = self.in_thread(lambda: threading.current_thread().name)
        done.addCallback(lambda name: self.outcomes.append((name, threading.current_thread())))
        self.reactor.turn()
        self.assertEqual(self.outcomes, [("tested", threading.current_thread())])

    def test_calls_run_one_after_the_other(self) -> None:
        """In the order in which they were asked for."""
        ran: list[int] = []
        for number in range(100):
            self.in_thread(lambda number=number: ran.append(number))
        for _ in range(100):
            self.reactor.turn()
        self.assertEqual(ran, list(range(100)))

    def test_a_call_that_fails_fails_its_deferred_and_ends_nothing(self) -> None:
        """Whatever it raises."""
        for raised in (OSError(5, "input/output error"), SystemExit("no")):

            def fails(raised: BaseException = raised) -> None:
                raise raised

            self.in_thread(fails).addErrback(lambda failure: self.outcomes.append(failure.value))
            self.reactor.turn()
            self.assertIs(self.outcomes[-1], raised)
        self.in_thread(lambda: 1).addCallback(self.outcomes.append)
        self.reactor.turn()
        self.assertEqual(self.outcomes[-1], 1)

    def test_the_end_waits_for_what_was_asked(self) -> None:
        """A line that was handed over is written."""
        ran: list[int] = []
        gate = threading.Event()
        self.in_thread(lambda: (gate.wait(5), ran.append(1)))
        threading.Timer(0.01, gate.set).start()
        self.reactor.end()
        self.assertEqual(ran, [1])
