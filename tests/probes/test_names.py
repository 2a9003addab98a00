"""Names to addresses: each asked once, few at a time, remembered for a while."""

import queue
import threading
import unittest
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from monitor436.probes.names import AT_ONCE, KEPT, KEPT_FAILURE, Names, look_up
from monitor436.probes.probe import Failure

PATIENCE = 10.0  # seconds for a thread to begin or to end


class FromThreads:
    """A reactor as far as it is needed: calls from threads wait until the test makes them."""

    def __init__(self) -> None:
        self.calls: queue.Queue[tuple[Callable[..., Any], tuple[Any, ...]]] = queue.Queue()

    def callFromThread(self, call: Callable[..., Any], *arguments: Any) -> None:
        """From a thread."""
        self.calls.put((call, arguments))

    def turn(self) -> None:
        """Make the next of them."""
        call, arguments = self.calls.get(timeout=PATIENCE)
        call(*arguments)


class NamesTests(unittest.TestCase):
    def setUp(self) -> None:
        self.now = 0.0
        self.reactor = FromThreads()
        self.asked: list[str] = []
        self.heard: list[object] = []

    def names(self, look_up: Callable[[str], list[str]] | None = None, at_once: int = AT_ONCE) -> Names:
        """Names that are all known, unless `look_up` says something else."""
        return Names(self.reactor, look_up or self.known, at_once, lambda: self.now)

    def known(self, name: str) -> list[str]:
        """Its address."""
        self.asked.append(name)
        return ["192.0.2.1"]

    def unknown(self, name: str) -> list[str]:
        """It has none."""
        self.asked.append(name)
        raise OSError(-2, "Name or service not known")

    def ask(self, names: Names, name: str) -> "Deferred[Any]":
        """What comes is in `heard`."""
        answer = names.addresses(name)
        answer.addBoth(lambda found: self.heard.append(getattr(found, "value", found)))
        return answer

    def test_many_who_ask_for_one_name_are_one_question(self) -> None:
        """And all of them hear the answer, but for who gave up."""
        names = self.names()
        answers = [self.ask(names, "web1") for _ in range(4)]
        answers[0].cancel()
        self.reactor.turn()
        self.assertEqual(self.asked, ["web1"])
        self.assertIsInstance(self.heard[0], CancelledError)
        self.assertEqual(self.heard[1:], [["192.0.2.1"]] * 3)

    def test_an_answer_is_good_for_a_while(self) -> None:
        """Then it is asked for again."""
        names = self.names()
        for later, asked in ((0.0, 1), (KEPT - 1, 1), (1.0, 2)):
            self.now += later
            self.ask(names, "web1")
            if len(self.heard) < 1 or asked == 2:
                self.reactor.turn()
            self.assertEqual(len(self.asked), asked)
        self.assertEqual(self.heard, [["192.0.2.1"]] * 3)

    def test_a_name_that_is_not_known_is_asked_for_again_sooner(self) -> None:
        """Each who asks gets a failure of its own."""
        names = self.names(self.unknown)
        self.ask(names, "web1")
        self.reactor.turn()
        self.ask(names, "web1")
        self.assertEqual(len(self.asked), 1)
        self.now += KEPT_FAILURE
        self.ask(names, "web1")
        self.reactor.turn()
        self.assertEqual(len(self.asked), 2)
        failures = [each for each in self.heard if isinstance(each, Failure)]
        self.assertEqual([failure.reason for failure in failures], ["name"] * 3)
        self.assertEqual(len({id(failure) for failure in failures}), 3)

    def test_few_threads_at_a_time(self) -> None:
        """The next name begins when one is done."""
        go = threading.Semaphore(0)
        lock = threading.Lock()
        running, most = 0, 0

        def slow(name: str) -> list[str]:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            go.acquire(timeout=PATIENCE)
            with lock:
                running -= 1
            return ["192.0.2.1"]

        names = self.names(slow, at_once=3)
        for number in range(9):
            self.ask(names, f"web{number}")
        for _ in range(9):
            go.release()
            self.reactor.turn()
        self.assertEqual((len(self.heard), running), (9, 0))
        self.assertLessEqual(most, 3)

    def test_the_system_knows_this_machine(self) -> None:
        """As 127.0.0.1, ::1 or both, each once."""
        found = look_up("localhost")
        self.assertLessEqual(set(found), {"127.0.0.1", "::1"})
        self.assertEqual(len(found), len(set(found)))
        self.assertGreater(len(found), 0)


if __name__ == "__main__":
    unittest.main()
