"""One thread for what blocks, beside the reactor's own pool, which slow name look-ups may fill."""

import sys
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

SWITCH = 0.0005  # seconds that a thread which comes back from the disk waits at most while the reactor is busy
PATIENCE = 10.0  # seconds that the end of the process waits for the last call

Outcome = TypeVar("Outcome")


def over(running: Deferred[Any]) -> Deferred[None]:
    """Fires when what others wait for, too, has come to its end, whichever."""
    done: Deferred[None] = Deferred()
    running.addBoth(lambda _: done.callback(None))
    return done


def one_thread(reactor: Any, name: str) -> Callable[[Callable[[], Outcome]], Deferred[Outcome]]:
    """A function that runs a call in a thread of its own and gives a Deferred, as long as the reactor runs.

    Calls run one after the other. twisted's thread pool does the same for ten times the overhead.
    """
    calls: SimpleQueue[tuple[Callable[[], Any], Deferred[Any]] | None] = SimpleQueue()

    def work() -> None:
        while (asked := calls.get()) is not None:
            call, done = asked
            try:
                outcome = call()
            except BaseException:  # whatever it is, it belongs to whoever asked for the call
                reactor.callFromThread(done.errback, Failure())
            else:
                reactor.callFromThread(done.callback, outcome)

    thread = Thread(target=work, name=name, daemon=True)

    def start() -> None:
        sys.setswitchinterval(min(SWITCH, sys.getswitchinterval()))
        thread.start()

    def stop() -> None:
        calls.put(None)
        thread.join(PATIENCE)

    def ask(call: Callable[[], Outcome]) -> Deferred[Outcome]:
        done: Deferred[Outcome] = Deferred()
        calls.put((call, done))
        return done

    reactor.callWhenRunning(start)
    reactor.addSystemEventTrigger("after", "shutdown", stop)
    return ask
