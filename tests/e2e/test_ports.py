"""Ports of tests: nobody is given what another one has, whether it is bound or not."""

import random
import subprocess
import sys
import unittest

from tests.e2e.ports import free_port
from tests.e2e.processes import environment

SEED = 436  # the same dice fall for everybody
HOLDER = f"""
import random, sys
from tests.e2e.ports import free_port
print(free_port(random.Random({SEED})), flush=True)
sys.stdin.read()
"""


class PortTests(unittest.TestCase):
    def test_one_process_is_never_given_a_port_twice(self) -> None:
        """Though nothing is bound to it yet."""
        self.assertEqual(len({free_port(random.Random(SEED)) for _ in range(5)}), 5)

    def test_another_process_is_not_given_a_port_that_one_holds(self) -> None:
        """Two that would choose the same one choose different ones."""
        argv = [sys.executable, "-c", HOLDER]
        chosen = set()
        for _ in range(3):
            holder = subprocess.Popen(argv, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.addCleanup(holder.communicate)
            assert holder.stdout is not None
            chosen.add(int(holder.stdout.readline()))
        self.assertEqual(len(chosen), 3)
