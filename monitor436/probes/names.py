"""Host names to addresses: by the system's own resolver, in few threads, each name once, kept for a minute."""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure as Problem

from monitor436.probes.probe import Failure

AT_ONCE = 50  # threads: 200 slow names took 4 s with ten of them, 0.9 s with fifty
KEPT = 60.0  # seconds an answer is good for; the system's resolver does not tell the record's own time
KEPT_FAILURE = 5.0  # seconds a name that is not known is not asked for again
MOST = 50_000  # names that are kept

LookUp = Callable[[str], list[str]]


def look_up(name: str) -> list[str]:
    """The addresses of a host, best first. Blocks; raises OSError."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Names:
    """Asks for each name once at a time, however many wait for it, and remembers what it heard.

    `look_up` runs in a thread that nobody waits for when the program ends: a resolver can take half a minute.
    """

    def __init__(
        self,
        reactor: Any,
        look_up: LookUp = look_up,
        at_once: int = AT_ONCE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reactor = reactor
        self._look_up = look_up
        self._monotonic = monotonic
        self._at_once = at_once
        self._running = 0
        self._queue: deque[str] = deque()
        self._waiting: dict[str, list[Deferred[list[str]]]] = {}
        self._known: dict[str, tuple[float, list[str] | Failure]] = {}

    def addresses(self, name: str) -> "Deferred[list[str]]":
        """The addresses of `name`, at least one; fails with Failure("name"). Who cancels no longer waits."""
        answer: Deferred[list[str]] = Deferred()
        known = self._known.get(name)
        if known is not None and known[0] > self._monotonic():
            self._tell(answer, known[1])
            return answer
        waiting = self._waiting.get(name)
        if waiting is not None:
            waiting.append(answer)
            return answer
        self._waiting[name] = [answer]
        self._queue.append(name)
        self._next()
        return answer

    def _next(self) -> None:
        while self._queue and self._running < self._at_once:
            name = self._queue.popleft()
            self._running += 1
            threading.Thread(target=self._ask, args=(name,), daemon=True, name=f"name {name}").start()

    def _ask(self, name: str) -> None:
        """In a thread."""
        outcome: list[str] | Failure
        try:
            outcome = self._look_up(name) or Failure("name", f"{name} has no address")
        except (OSError, UnicodeError) as problem:
            why = getattr(problem, "strerror", None) or str(problem)
            outcome = Failure("name", f"the name {name} is not known: {why}")
        self._reactor.callFromThread(self._heard, name, outcome)

    def _heard(self, name: str, outcome: list[str] | Failure) -> None:
        self._running -= 1
        if len(self._known) >= MOST:
            self._known.clear()
        kept = KEPT_FAILURE if isinstance(outcome, Failure) else KEPT
        self._known[name] = self._monotonic() + kept, outcome
        for answer in self._waiting.pop(name, ()):
            if not answer.called:
                self._tell(answer, outcome)
        self._next()

    def _tell(self, answer: "Deferred[list[str]]", outcome: list[str] | Failure) -> None:
        if isinstance(outcome, Failure):
            answer.errback(Problem(Failure(outcome.reason, outcome.text)))
        else:
            answer.callback(outcome)
