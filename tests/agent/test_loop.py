"""The agent's loop, turn by turn on a made-up clock: what it waits for still comes after whatever else it does."""

import errno
import os
import selectors
import shutil
import signal
import sys
import tempfile
import time
import unittest
from typing import Any

from monitor436.agent import limits, plan
from monitor436.agent.identity import Identity, Packed, State
from monitor436.agent.loop import Agent
from monitor436.agent.options import say
from monitor436.agent.store.statement import FOLDER
from monitor436.agent.tail.notices import REST
from monitor436.agent.tools import report

SOON = 2.0  # seconds in which what happened is told, whoever rests
PLAN = '{{"checks": [{{"name": "{}", "log": "{}", "match": ["line"]}}]}}'
STATEMENT = b'{"at": 1, "severity": "info", "kind": "reported", "text": "stated"}'


class Silence:
    """A socket over which nothing comes and goes."""

    def __init__(self) -> None:
        self._ends = os.pipe()

    def fileno(self) -> int:
        return self._ends[0]

    def recvfrom(self, size: int) -> None:
        raise BlockingIOError

    def sendto(self, datagram: bytes, address: object) -> None:
        pass

    def close(self) -> None:
        for end in self._ends:
            os.close(end)


class LoopCase(unittest.TestCase):
    """Shared: the agent of a host that no server has answered."""

    def setUp(self) -> None:
        self.addCleanup(signal.signal, signal.SIGIO, signal.getsignal(signal.SIGIO))
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.state = os.path.join(self.folder, "state")
        self.log = os.path.join(self.folder, "app.log")
        self.write("old line")
        selector = selectors.DefaultSelector()
        self.addCleanup(selector.close)
        state = State(self.state)
        self.addCleanup(os.close, state._lock)
        packed = Packed("0" * 64, b"k" * 32, 1, 1, "", "", "", b"", b"", 0)
        anything = limits.Limits("any", "", "any", "")
        identity = Identity("h1", b"k" * 32, b"s" * 8, 0)
        self.agent: Any = Agent(identity, state, packed, [], anything, selector, lambda text: None)
        self.addCleanup(self.agent._spool.close)
        self.addCleanup(self.agent._notices.forget)
        self.agent._notices._kind = lambda folder: "ext4"
        silence: Any = Silence()
        self.addCleanup(silence.close)
        self.agent.talk.over(silence)
        self.agent.beacons.listen(silence)
        self.agent._hears, self.agent._multicast = silence, ""
        self.now = time.monotonic() // REST * REST + 100 * REST + 1.0  # right after a moment at which all look
        os.utime(os.path.join(self.state, FOLDER), (0, 0))  # no time passes between a look and the next change here
        self.agent._begin(self.now)

    def write(self, line: str) -> None:
        """Append to the log."""
        with open(self.log, "a") as file:
            file.write(line + "\n")

    def follow(self, check: str) -> None:
        """A plan with one check of the log comes."""
        body = PLAN.format(check, self.log).encode()
        self.agent._adopt(self.agent._in_force.adopt(plan.digest(body), body), self.now)

    def pass_time(self, seconds: float) -> "list[str]":
        """Turns as the loop takes them, for that long; the texts of the events that came of it."""
        end = self.now + seconds
        while self.now < end:
            self.now = max(self.now, min(self.agent._turn(self.now), end))
        return [str(event) for _, _, _, event in self.agent._spool.take(1000)]


class RestingTests(LoopCase):
    """Where the kernel tells of changes, nobody looks for them."""

    def setUp(self) -> None:
        super().setUp()
        if not os.path.exists("/proc/sys/fs/dir-notify-enable"):
            self.skipTest("this kernel gives no notices")
        self.follow("one")
        self.pass_time(10 * REST)

    def test_a_change_is_told_right_after_another_plan_came(self) -> None:
        """It takes the notices of those who rest: a line, and what a script states."""
        self.follow("two")
        self.pass_time(0.5)
        self.write("a line")
        report.leave(self.state, STATEMENT)
        told = "".join(self.pass_time(SOON))
        self.assertIn("a line", told)
        self.assertIn("stated", told)


class RefusingDiskTests(LoopCase):
    """Events wait in memory."""

    def test_a_statement_that_had_to_wait_leaves_the_inbox_all_the_same(self) -> None:
        """Once it is in the spool; until then its file is what makes it durable."""
        self.pass_time(REST)
        append = self.agent._spool.append

        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        self.agent._spool.append = refuse
        report.leave(self.state, STATEMENT)
        self.pass_time(REST + SOON)
        inbox = os.path.join(self.state, FOLDER)
        self.assertEqual((self.agent._keeper.waits, len(os.listdir(inbox))), (True, 1))
        self.agent._spool.append = append
        self.assertIn("stated", "".join(self.pass_time(REST + SOON)))
        self.assertEqual(os.listdir(inbox), [])


class ConsoleTests(unittest.TestCase):
    """What is said there."""

    def test_a_console_that_is_gone_ends_nothing(self) -> None:
        """As the terminal from which the agent was started, when it is closed."""

        class Gone:
            def write(self, text: str) -> None:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        gone: Any = Gone()
        self.addCleanup(setattr, sys, "stderr", sys.stderr)
        sys.stderr = gone
        say("greeted by a server")


if __name__ == "__main__":
    unittest.main()
