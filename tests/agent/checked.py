"""Checks in force, on a made-up clock and a made-up host, and everything they emit."""

import json
import os
import selectors
import shutil
import tempfile
import unittest

from monitor436.agent.checks import Checks, Host
from monitor436.agent.plan import Plan
from monitor436.agent.probe import running
from monitor436.agent.schedule import SOON
from monitor436.agent.tail import pattern, watched

WALL = 1700000000.0
SH = "/bin/sh"


def unhurried(case: unittest.TestCase) -> None:
    """No search for files counts as a long one in this test, and no read: those are measured by the real clock.

    After a search in which a busy machine has stopped this process for a moment, new files would be left unseen for
    twenty times as long; on a made-up clock that may be minutes.
    """
    for module, name in ((pattern, "DEAR"), (watched, "BUDGET")):
        case.addCleanup(setattr, module, name, getattr(module, name))
        setattr(module, name, float("inf"))


class ChecksCase(unittest.TestCase):
    """Shared: checks with a plan. `kept` is what the disk holds."""

    def setUp(self) -> None:
        unhurried(self)
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.selector = selectors.DefaultSelector()
        self.addCleanup(self.selector.close)
        self.events = []  # type: list[Any]
        self.kept = {}  # type: dict[str, Any]
        self.writes = 0  # how often something was made durable
        self.now = 1000.0
        self.wall = WALL
        self.boot = "boot"
        self.refusals = {}  # type: dict[tuple[str, ...], str]
        self.checks = self.start()  # type: Any

    def start(self) -> Checks:
        """Checks as a start of the agent makes them, from what the disk holds."""
        host = Host(lambda argv: self.refusals.get(argv, ""), lambda path: "", lambda: self.wall + self.now, self.boot)
        checks = Checks(self.emit, host, self.selector, json.loads(json.dumps(self.kept)))
        self.addCleanup(self.end, checks)
        return checks

    def restart(self, *checks: object) -> None:
        """As after a kill: what was not kept is lost."""
        self.checks = self.start()
        self.adopt(*checks)

    def end(self, checks: Checks) -> None:
        """No test leaves a process behind."""
        checks.close(self.now)
        for child in checks._running._dropped:
            if not child.gone():
                os.waitpid(child.pid, 0)

    def emit(self, events: "list[dict[str, object]]", kept: "dict[str, object]") -> None:
        """What the spool does."""
        self.writes += 1
        self.events += events
        for key, value in json.loads(json.dumps(kept)).items():
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = value

    def adopt(self, *checks: object) -> None:
        """Put a plan with these checks in force."""
        self.checks.adopt(Plan(5.0, 15.0, checks), self.now)

    def told(self) -> "list[str]":
        """The texts of the events since the last call."""
        texts = [event["text"] for event in self.events]
        self.events.clear()
        return texts

    def run_once(self, after: float = 0.0, logs: bool = True) -> float:
        """One turn, some seconds later; when the next is due, in seconds from then."""
        self.now += after
        return float(self.checks.run(self.now, logs) - self.now)

    def run_commands(self, after: float = SOON) -> "list[str]":
        """A turn in which commands are due, and what comes of it: served as the loop does, until all have ended."""
        self.run_once(after)
        while self.selector.get_map():
            for key, _ in self.selector.select(30):
                key.data(self.now)
        while [run for run in self.checks._commands.values() if run.child is not None]:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            self.run_once(running.SOON)
        return self.told()
