"""The rehearsal, as a newcomer starts it."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import TestCase

from monitor436.demo.script import STEPS
from tests.e2e.patience import eventually
from tests.e2e.processes import MONITOR436, Process, run
from tests.e2e.servers import SOON


class DemoTests(TestCase):
    """The real server and three real agents on loopback."""

    def test_every_step_happens(self) -> None:
        """Exit status 0."""
        status, said = run([*MONITOR436, "demo", "--check"], seconds=120)
        self.assertEqual(status, 0, said)
        self.assertTrue(said.startswith("dashboard: http://127.0.0.1:"), said)
        self.assertIn(f"{len(STEPS)} of {len(STEPS)} steps happened", said)

    def test_agents_with_another_sites_key_are_noticed(self) -> None:
        """Exit status 1: the check can fail."""
        status, said = run([*MONITOR436, "demo", "--check", "--wrong-key"], seconds=120)
        self.assertEqual(status, 1, said)
        self.assertIn("not: found by broadcast", said)

    def test_an_interrupt_at_the_terminal_ends_it_quietly(self) -> None:
        """Exit status 130; the terminal interrupts the agents as well, and they may have ended before."""
        with TemporaryDirectory() as folder:
            rehearsal = Process([*MONITOR436, "demo"], Path(folder) / "demo.log")
            self.addCleanup(rehearsal.kill)
            rehearsal.says("plan in force", 2 * SOON)
            children = Path(f"/proc/{rehearsal.pid}/task/{rehearsal.pid}/children")

            def interrupted() -> list[str]:
                agents = children.read_text().split()
                for agent in agents:
                    with suppress(ProcessLookupError):  # the rehearsal goes on, and kills one of them itself
                        os.kill(int(agent), signal.SIGINT)
                return agents  # again and again: it starts that one anew, if this takes its time

            eventually(lambda: not interrupted(), SOON, "the agents have ended")
            self.assertEqual(rehearsal.stop(signal.SIGINT), 130)
            self.assertNotIn("Traceback", rehearsal.output)
