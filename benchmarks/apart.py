"""A function in a process of its own: what it answers, and what it costs."""

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

PATIENCE = 60.0  # seconds until a process that does not answer is given up


class Apart:
    """Runs `function(pipe, *arguments)` with an interpreter of its own, without what this one has imported.

    The function sends one object when it is ready, goes on until something comes through the pipe, and then sends
    another one: its result.
    """

    def __init__(self, function: Callable[..., None], *arguments: Any) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=function, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()
        self.ready: Any = self._answer()

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def cpu(self) -> float:
        """Seconds of CPU, user and system, that the process has used in all its threads."""
        return cpu_seconds(self.pid)

    def finish(self) -> Any:
        """Ask for the result, and wait until the process has ended."""
        self._pipe.send("finish")
        result = self._answer()
        self._process.join(PATIENCE)
        return result

    def _answer(self) -> Any:
        if not self._pipe.poll(PATIENCE):
            self._process.kill()
            raise SystemExit("a process of this benchmark does not answer")
        return self._pipe.recv()


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU that a process has used, to the nanosecond: its clock, named as clock_getcpuclockid(3) does."""
    return time.clock_gettime(~pid << 3 | 2)


def run_until_asked(pipe: Connection, ready: Any, result: Callable[[], Any]) -> None:
    """Run Twisted's reactor until something comes through `pipe`; answer with `result()` when it has stopped."""
    from twisted.internet import reactor
    from twisted.internet.task import LoopingCall

    def look() -> None:
        if pipe.poll():
            looks.stop()  # a server takes its time to stop
            reactor.stop()  # type: ignore[attr-defined]

    looks = LoopingCall(look)
    reactor.callWhenRunning(lambda: pipe.send(ready()))  # type: ignore[attr-defined]
    reactor.callWhenRunning(looks.start, 0.1)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]
    pipe.send(result())
