"""The rehearsal, as a newcomer starts it."""

from unittest import TestCase

from monitor436.demo.script import STEPS
from tests.e2e.processes import MONITOR436, run


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
