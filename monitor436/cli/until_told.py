"""Runs something until it is over, or somebody ends it by TERM or Ctrl-C: then it may end what it began."""

import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.python.failure import Failure

Turn = Callable[[], Coroutine[Any, Any, None]]


def until_told(work: Turn, end: Turn, reactor: Any) -> bool:
    """Whether `work` came to its end by itself. It is cancelled otherwise; `end` is awaited in both cases.

    Raises what `work` raises.
    """
    failed: list[Failure] = []
    ended: list[bool] = []
    running: list[Deferred[None]] = []
    told = False

    async def whole() -> None:
        await work()
        ended.append(True)

    def over(outcome: object) -> None:
        if told:
            return
        if isinstance(outcome, Failure):
            failed.append(outcome)
        _stop(reactor)  # it may be told in this turn, too

    def begin() -> None:
        end_once(reactor)
        running.append(Deferred.fromCoroutine(whole()))
        running[0].addBoth(over)

    def stop() -> "Deferred[None]":
        nonlocal told
        told = True
        for each in running:
            each.cancel()
        return Deferred.fromCoroutine(end())

    reactor.callWhenRunning(begin)
    reactor.addSystemEventTrigger("before", "shutdown", stop)
    reactor.run()
    if failed:
        failed[0].raiseException()
    return bool(ended)


def end_once(reactor: Any) -> None:
    """From now on TERM and INT end what runs; a second one, as an impatient Ctrl-C sends it, changes nothing."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: reactor.callFromThread(_stop, reactor))


def _stop(reactor: Any) -> None:
    with suppress(ReactorNotRunning):
        reactor.stop()
