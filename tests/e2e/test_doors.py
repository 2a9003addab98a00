"""The ways to start a server, and what it does with signals; the agent file, and an old Python that runs it."""

import shutil
import signal
import subprocess
import sys
import unittest
from pathlib import Path

from msgspec import structs

from monitor436.model.settings.rendered import render
from tests.e2e.patience import eventually
from tests.e2e.processes import MONITOR436, ROOT, TWISTD, run
from tests.e2e.servers import SOON, UP, Server
from tests.e2e.stage import Agent, Stage

CLEAN = {"run": 0, "twistd": -signal.SIGTERM}  # twistd ends itself by the signal that it got, after a clean stop

HUNG_UP_EARLY = """
import os, signal, sys
from twisted.internet import reactor
from monitor436.tap import open_monitor
monitor = open_monitor(sys.argv[1])
with open(sys.argv[1], "a") as settings:
    settings.write("nonsense: 1\\n")
os.kill(os.getpid(), signal.SIGHUP)
monitor.startService()
reactor.addSystemEventTrigger("before", "shutdown", monitor.stopService)
reactor.run()
"""


def python36() -> str:
    """An interpreter of version 3.6, wherever one is; raises SkipTest."""
    found = [shutil.which("python3.6"), *sorted(Path.home().glob(".pyenv/versions/3.6*/bin/python"))]
    for each in filter(None, found):
        told = subprocess.run([str(each), "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if told.stdout.startswith("Python 3.6"):
            return str(each)
    raise unittest.SkipTest("no Python 3.6 on this machine")


class DoorTests(Stage):
    """Each way runs the same server."""

    def assert_starts_and_stops(self, server: Server, argv: list[str | Path], status: int) -> None:
        """It runs, ends at TERM, and its file begins with the start and ends with the stop."""
        process = server.launch(argv)
        process.says(UP, SOON)
        self.assertEqual(process.stop(), status, process.output)
        kinds = [event["kind"] for event in server.events()]
        self.assertEqual((kinds[0], kinds[-1]), ("plans_changed", "server_stopped"), kinds)
        self.assertIn("server_started", kinds)
        self.complete(server)

    def test_monitor436_run(self) -> None:
        """Status 0."""
        server = self.server()
        self.assert_starts_and_stops(server, [*MONITOR436, "run", "-c", server.config], CLEAN["run"])

    def test_twistd_with_the_plug_in(self) -> None:
        """The plug-in is found by its name."""
        server = self.server()
        self.assert_starts_and_stops(server, [*TWISTD, "monitor436", "-c", server.config], CLEAN["twistd"])

    def test_twistd_with_the_tac_file_of_a_copied_tree(self) -> None:
        """It reads the settings beside it, from whichever folder it is started."""
        server = self.server()
        tree = self.folder / "tree"
        shutil.copytree(ROOT / "etc", tree / "etc")
        shutil.copy(ROOT / "monitor.tac", tree)
        (tree / "etc" / "monitor436.yaml").write_text(render(server.settings))
        self.assert_starts_and_stops(server, [*TWISTD, "-y", tree / "monitor.tac"], CLEAN["twistd"])

    def test_an_interrupt_is_a_clean_stop(self) -> None:
        """As from a keyboard."""
        server = self.server()
        process = server.launch([*MONITOR436, "run", "-c", server.config])
        process.says(UP, SOON)
        self.assertEqual(process.stop(signal.SIGINT), 0)
        self.assertEqual(server.events()[-1]["kind"], "server_stopped")

    def test_an_interrupt_ends_the_agent_beside_a_server_first(self) -> None:
        """Its goodbye is heard, so nobody takes that host for down later; also if only the server is told to end."""
        server = self.server()
        for runs, number in enumerate((signal.SIGINT, signal.SIGTERM)):
            process = server.launch([*MONITOR436, "run", "--here", "-c", server.config])
            server.event(kind="agent_started", after=runs)
            self.assertEqual(process.stop(number), 0)
            last = [event["kind"] for event in server.events() if event["kind"] != "server_trouble"][-3:]
            self.assertEqual((set(last[:2]), last[2]), ({"host_stopped", "agent_stopped"}, "server_stopped"))

    def test_a_port_that_is_taken_ends_the_start_with_one_sentence(self) -> None:
        """Status 1 and no traceback, for both ports and both commands."""
        first = self.server().start()
        taken = first.settings
        free = self.server(name="free").settings
        for what, settings in (
            ("agents", structs.replace(free, agents=taken.agents)),
            ("plans", structs.replace(free, plans=structs.replace(free.plans, port=taken.plans.port))),
        ):
            port = taken.agents.port if what == "agents" else taken.plans.port
            kind = "udp" if what == "agents" else "tcp"
            file = self.folder / f"{what}.yaml"
            file.write_text(render(settings))
            for argv in ([*MONITOR436, "run"], [*TWISTD, "monitor436"]):
                status, output = run([*argv, "-c", file])
                self.assertEqual(status, 1, output)
                told = [line for line in output.splitlines() if "monitor436: " in line]
                self.assertEqual(len(told), 1, output)
                self.assertTrue(told[0].endswith(f"{what}: 127.0.0.1:{port}/{kind}: Address already in use"), told)
                self.assertNotIn("Traceback", output)
                self.assertEqual(f"monitor436 doctor -c {file} tells which" in output, argv[-1] == "run", output)

    def test_hup_opens_the_events_file_anew(self) -> None:
        """What was moved away is finished, what comes is in a new file under the old name, and both are one whole."""
        server = self.server().start()
        agent = self.joined(server, "h1")
        agent.write(["line before"])
        server.event(host="h1", text="line before")
        moved = server.file.with_name("events.jsonl.1")
        server.file.rename(moved)
        server.hang_up()
        renewed = Server(self.folder / "view", server.settings)
        renewed.file = server.file
        eventually(server.file.exists, SOON, "the events file is opened anew")
        agent.write(["line after"])
        renewed.event(host="h1", text="line after")
        self.assertNotIn(b"line after", moved.read_bytes())
        self.complete(server, moved, server.file)
        self.assertEqual(server.stop(), CLEAN["twistd"])
        self.complete(server, moved, server.file)

    def test_hup_with_bad_settings_keeps_the_old_ones(self) -> None:
        """The server goes on, and an event says file, line and column."""
        server = self.server().start()
        server.config.write_text("heartbeat:\n  evry: 5s\n")
        server.hang_up()
        self.assertIn("monitor436.yaml:2:3: ", server.event(kind="settings_refused")["text"])
        self.joined(server, "h1")

    def test_hup_before_the_server_runs_waits_until_it_does(self) -> None:
        """A start may take its time, and whoever rotates logs at boot knows nothing of it."""
        server = self.server()
        server.launch([sys.executable, "-c", HUNG_UP_EARLY, server.config])
        self.assertIn("nonsense", server.event(kind="settings_refused")["text"])

    def test_the_agent_file_is_the_same_when_it_is_packed_twice(self) -> None:
        """And the same as what the server wrote; with a key inside, too."""
        server = self.server().start()
        one, two = self.folder / "one.pyz", self.folder / "two.pyz"
        for host in ([], ["--host", "h1"]):
            for path in (one, two):
                status, told = server.command("agent", "pack", *host, "-o", str(path))
                self.assertEqual(status, 0, told)
            self.assertEqual(one.read_bytes(), two.read_bytes())
            if not host:
                self.assertEqual(one.read_bytes(), server.agent_file().read_bytes())

    def test_a_file_with_the_key_inside_needs_no_join(self) -> None:
        """It has its name, too."""
        server = self.server().start()
        path = self.folder / "h1.pyz"
        server.command("agent", "pack", "--host", "h1", "-o", str(path))
        agent = Agent(self.folder / "h1", path)
        self.agents.append(agent)
        agent.start()
        server.event(host="h1", kind="host_found")
        self.assertEqual(server.events(kind="host_joined"), [])

    def test_python_36_runs_the_same_plan(self) -> None:
        """From the join to a line of its log."""
        python = python36()
        server = self.server().start()
        agent = Agent(self.folder / "old", server.agent_file(), [python], ["--name", "old"])
        self.agents.append(agent)
        server.follow(agent.log, "old")
        newer = self.joined(server, "new")
        agent.start()
        server.follows("old")
        for each, host in ((agent, "old"), (newer, "new")):
            each.write(["line"])
            server.event(host=host, kind="log_line")
        self.assertEqual(agent.stop(), 0)
        self.complete(server)
