"""One thread for what blocks, beside the reactor's own pool, which slow name look-ups may fill."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool


def one_thread(reactor: Any, name: str) -> Callable[[Callable[[], None]], Deferred[None]]:
    """A function that runs a call in a thread of its own and gives a Deferred, as long as the reactor runs."""
    pool = ThreadPool(0, 1, name)
    reactor.callWhenRunning(pool.start)
    reactor.addSystemEventTrigger("after", "shutdown", pool.stop)
    return lambda call: deferToThreadPool(reactor, pool, call)
