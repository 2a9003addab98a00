"""Debian's own Nagios plug-ins (monitoring-plugins-basic) as checks of a plan, from the plan to the events file."""

import os
import unittest
from pathlib import Path
from typing import Any

from tests.e2e.patience import eventually
from tests.e2e.processes import Process
from tests.e2e.servers import SOON, Server
from tests.e2e.stage import Stage

FOLDERS = (Path("/usr/lib/nagios/plugins"), Path("/usr/lib64/nagios/plugins"))
NEEDED = ("check_disk", "check_dummy", "check_load", "check_procs")
MARK = f"98765.{os.getpid():07d}"  # seconds that nobody else sleeps, tests in other processes neither
PLAN = """\
hosts: [h1]
defaults: {{every: 1s}}
checks:
  root full:
    command: [{folder}/check_disk, -w, 0%, -c, 0%, -p, /]
    nagios: yes
  tiny disk:
    command: [{folder}/check_disk, -w, 100%, -c, 0%, -p, /]
    nagios: yes
    tags: [os]
  load:
    command: [{folder}/check_load, -w, "1000,1000,1000", -c, "2000,2000,2000"]
    nagios: yes
  sleepers:
    command: [{folder}/check_procs, -c, "1:", -C, sleep, -a, "{mark}"]
    nagios: yes
  no idea:
    command: [{folder}/check_dummy, "3", nobody knows]
    nagios: yes
    after: 2
"""


def plugins() -> Path:
    """The folder that they are in; raises SkipTest, with the reason, where they are not."""
    for folder in FOLDERS:
        if all((folder / name).exists() for name in NEEDED):
            return folder
    raise unittest.SkipTest("not installed: monitoring-plugins-basic")


class NagiosTests(Stage):
    """One agent with plug-ins that are well, bad, unknown, and bad for a while."""

    def setUp(self) -> None:
        folder = plugins()
        super().setUp()
        self.site: Server = self.server().start()
        self.host = self.agent(self.site, "h1")
        self.site.plan(PLAN.format(folder=folder, mark=MARK))
        self.host.start()
        self.site.follows("h1", checks=5)

    def news(self, check: str) -> list[dict[str, Any]]:
        """What was told of a check, metrics left out."""
        return [event for event in self.site.events(host="h1", check=check) if event["kind"] != "metric"]

    def metric(self, check: str) -> dict[str, float]:
        """The first numbers of a check."""
        fields: dict[str, float] = self.site.event(host="h1", check=check, kind="metric")["fields"]
        return fields

    def test_state_text_and_numbers_arrive_as_the_plug_ins_give_them(self) -> None:
        """Changes as events, once each; performance data as metrics under their own labels."""
        tiny = self.site.event(host="h1", check="tiny disk", kind="check_state")
        self.assertEqual((tiny["severity"], tiny["fields"]), ("warning", {"state": "warning", "was": "ok"}))
        self.assertRegex(tiny["text"], r"^DISK WARNING - free space: / [0-9.]+ ?M")
        self.assertNotIn("|", tiny["text"])
        self.assertEqual(tiny["tags"], ["os"])
        unknown = self.site.event(host="h1", check="no idea", kind="check_failed")
        self.assertEqual(unknown["text"], "no idea: unknown: UNKNOWN: nobody knows")
        self.assertAlmostEqual(self.metric("load")["load1"], os.getloadavg()[0], delta=20)
        self.assertEqual(list(self.metric("load")), ["load1", "load5", "load15"])
        self.assertGreater(self.metric("root full")["/"], 0)
        self.assertEqual(self.metric("sleepers"), {"procs": 0})
        eventually(lambda: len(self.site.events(check="tiny disk", kind="metric")) > 2, SOON, "it runs again")
        told = {name: [event["kind"] for event in self.news(name)] for name in ("tiny disk", "root full", "load")}
        self.assertEqual(told, {"tiny disk": ["check_state"], "root full": [], "load": []})
        self.complete(self.site)

    def test_what_was_bad_is_told_when_it_is_good_again_over_a_restart_too(self) -> None:
        """A state that lasts is not told twice."""
        missed = self.site.event(host="h1", check="sleepers", kind="check_state")
        self.assertEqual((missed["severity"], missed["text"][:15]), ("critical", "PROCS CRITICAL:"))
        self.assertEqual(self.host.stop(), 0)
        known = len(self.site.events(check="sleepers", kind="metric"))
        self.host.start()
        self.site.event(host="h1", check="sleepers", kind="metric", after=known)
        sleeper = Process(["sleep", MARK], self.folder / "sleeper.log")
        self.addCleanup(sleeper.kill)
        back = self.site.event(host="h1", check="sleepers", kind="check_state", after=1)
        self.assertEqual((back["severity"], back["fields"]), ("info", {"state": "ok", "was": "critical"}))
        self.assertRegex(back["text"], r"^PROCS OK: 1 process")
        self.assertEqual([event["kind"] for event in self.news("sleepers")], ["check_state", "check_state"])
        self.complete(self.site)
