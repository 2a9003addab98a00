"""The agent where it may do little: as an ordinary user, and where /proc is hidden. It says what it cannot do."""

import os
import shutil
import unittest
from typing import Any

from tests.e2e.patience import eventually
from tests.e2e.servers import SOON
from tests.e2e.stage import Agent, Stage

NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
OF_THE_SYSTEM = ["env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]  # this test's own Python may be in somebody's home
NO_PROC = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
HIDDEN = ["unshare", "--mount", "sh", "-c", 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', "sh"]
PLAN = """\
hosts: ["*"]
checks:
  lines: {{log: {folder}/open.log, match: ["line"]}}
  secret: {{log: {folder}/secret.log, match: ["line"]}}
  load: {{reading: load1, every: 500ms, warning: below 1000}}
  memory: {{reading: memory_available_percent, every: 500ms, warning: above 0.1}}
  of root: {{process: "*", user: root, most: 0, every: 500ms, after: 1}}
  who: {{command: [id, -u], every: 500ms, warning: above -1}}
"""
CHECKS = PLAN.count("{{")


class LittleTests(Stage):
    """The server is run by whoever runs the tests; its agent may do less."""

    def setUp(self) -> None:
        if os.geteuid():
            raise unittest.SkipTest("only root can become somebody else")
        missing = [name for name in ("setpriv", "unshare", "python3") if not shutil.which(name, path="/usr/bin:/bin")]
        if missing:
            raise unittest.SkipTest(f"not in /usr/bin: {', '.join(missing)}")
        super().setUp()
        self.folder.chmod(0o755)
        for name, mode in (("open.log", 0o644), ("secret.log", 0o600)):
            (self.folder / name).touch(mode)
        self.site = self.server().start()
        self.site.plan(PLAN.format(folder=self.folder))

    def host(self, prefix: list[str]) -> Agent:
        """The agent, behind `prefix`, in a folder and with a file that are nobody's."""
        file = self.folder / "agent436.pyz"
        shutil.copy(self.site.agent_file(), file)
        agent = Agent(self.folder / "h1", file, [*OF_THE_SYSTEM, *prefix], ["--name", "h1", "--commands", "any"])
        self.agents.append(agent)
        if prefix[-len(AS_NOBODY) :] == AS_NOBODY:
            for path in (file, self.folder / "h1"):
                os.chown(path, NOBODY, NOBODY)
        agent.start()
        self.site.follows("h1", CHECKS)
        return agent

    def tells(self, kind: str, check: str) -> str:
        """The first thing that is told of a check."""
        event: dict[str, Any] = self.site.event(SOON, host="h1", kind=kind, check=check)
        return str(event["text"])

    def assert_works(self, agent: Agent) -> None:
        """What needs no rights works: lines, a reading, a command; it ends as it is told to."""
        (self.folder / "open.log").write_text("line one\n")
        self.assertEqual(self.tells("log_line", "lines"), "line one")
        self.tells("check_state", "load")
        self.tells("check_state", "who")
        up = "it is listed, and up: nobody may be late for long"
        eventually(lambda: self.site.hosts().get("h1", {}).get("state") == "up", SOON, up)
        self.assertEqual(agent.stop(), 0)
        self.complete(self.site)

    def unreadable(self) -> str:
        """What is told of the log that only root may read."""
        path = str(self.folder / "secret.log")
        events = self.site.events(host="h1", kind="log_unreadable")
        return next((str(event["text"]) for event in events if event["fields"]["path"] == path), "")

    def test_an_ordinary_user_has_what_it_may_have(self) -> None:
        """Of a log that it may not read it says so, once."""
        agent = self.host(AS_NOBODY)
        self.assertIn(str(NOBODY), self.tells("check_state", "who"))
        self.tells("check_state", "memory")
        self.tells("check_state", "of root")
        self.assert_works(agent)
        self.assertIn("Permission denied", self.unreadable())
        self.assertEqual(len(self.site.events(kind="log_unreadable")), 1)

    def test_without_proc_readings_say_what_is_missing(self) -> None:
        """And no process is called missing, or too many."""
        agent = self.host(NO_PROC)
        self.assertIn("/proc", self.tells("check_failed", "memory"))
        self.assertIn("/proc", self.tells("check_failed", "of root"))
        self.assert_works(agent)
        self.assertEqual(self.site.events(kind="check_state", check="of root"), [])

    def test_where_other_users_processes_are_hidden_that_is_said(self) -> None:
        """A mount option that many machines with several users have."""
        agent = self.host([*HIDDEN, *AS_NOBODY])
        self.assertIn("ps", self.tells("check_failed", "of root"))
        self.tells("check_state", "memory")
        self.assert_works(agent)
        self.assertEqual(self.site.events(kind="check_state", check="of root"), [])
