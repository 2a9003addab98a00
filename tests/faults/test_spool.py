"""The agent's spool on a disk that fails and forgets: no segment comes back that no server was told of any more."""

import json
import random
import subprocess
import sys

from monitor436.agent.store.spool import Spool
from tests.e2e.processes import ROOT
from tests.faults.disk import FSYNC, OPEN, RENAME, WRITE, Disk
from tests.faults.small_disks import SmallDisksCase

SEEDS = 20
RUNS = 3  # of an agent, each of which finds everything acknowledged at once
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from monitor436.agent import event
from monitor436.agent.store.spool import Spool

spool = Spool(sys.argv[2], sys.argv[3])
spool.append([event.event(event.LOG_LINE, "info", "a line", 1.0)], {})
for id, _, last, _ in spool.take(10):
    spool.acknowledge(id, last)
print(json.dumps(spool.live()))
"""  # it ends without a goodbye
KILLED = """
import os, struct, sys
sys.path.insert(0, sys.argv[1])
from monitor436.agent import event
from monitor436.agent.store.spool import Spool

spool = Spool(sys.argv[2], sys.argv[3])
sync = os.fsync

def killed(file):
    if sys.argv[4] == "fails":
        with open(os.environ["M436_FAILS"], "r+b") as fails:
            fails.write(struct.pack("III", 2, 5, 1000000))  # every fsync
        try:
            sync(file)
        except OSError:
            os._exit(9)
    os._exit(9 if sys.argv[4] == "waits" else 1)

for number in range(5):
    os.fsync = sync if number < 4 else killed
    spool.append([event.event(event.LOG_LINE, "info", "line %d" % number, 1.0)], {})
"""  # it is killed before its last record is synced, or when that has failed
TOLD = """
import json, sys
sys.path.insert(0, sys.argv[1])
from monitor436.agent.store.spool import Spool

spool = Spool(sys.argv[2], sys.argv[3])
print(json.dumps([json.loads(each[-1].decode())["text"] for each in spool.take(100)]))
"""


class SpoolTests(SmallDisksCase):
    """Agents that run one after the other, until the power is cut."""

    def run_on(self, disk: Disk, program: str, number: int, *words: str) -> "subprocess.CompletedProcess[str]":
        """A run of an agent."""
        given = [str(ROOT), str(disk.at / "spool"), f"{number:016x}", *words]
        return subprocess.run([*disk.prefix(), sys.executable, "-c", program, *given], text=True, capture_output=True)

    def live_in(self, disk: Disk, number: int) -> list[str] | None:
        """The spools that an agent names at the end of a run; None if the disk does not let it run."""
        done = self.run_on(disk, PROGRAM, number)
        self.assertTrue(done.returncode == 0 or "OSError" in done.stderr, done.stderr)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def test_what_comes_back_in_a_power_cut_was_named_until_then(self) -> None:
        """A server forgets the numbers of spools that are not named: one that came back would be taken for new."""
        for seed in range(SEEDS):
            disk = self.made_disk(f"forgets-{seed}")
            for number in range(1, RUNS + 1):
                named = self.live_in(disk, number)
            disk.cut_power(random.Random(seed))
            after = Spool(str(disk.at / "spool"), "f" * 16)
            self.assertLessEqual(set(after.live()) - {after.id}, set(named or ()), seed)
            after.close()

    def test_it_is_so_while_the_disk_fails(self) -> None:
        """Whatever of it fails: an agent that runs names what may come back."""
        dice = random.Random(436)
        ran = 0
        for seed in range(SEEDS):
            disk = self.made_disk(f"fails-{seed}")
            named = self.live_in(disk, 1)
            for number in range(2, RUNS + 2):
                disk.fail(dice.choice([FSYNC, OPEN, RENAME, WRITE, FSYNC | RENAME]), 0.3)
                said = self.live_in(disk, number)
                ran += said is not None
                named = named if said is None else said
            disk.cut_power(random.Random(seed))
            disk.heal()
            after = Spool(str(disk.at / "spool"), "f" * 16)
            self.assertLessEqual(set(after.live()) - {after.id}, set(named or ()), seed)
            after.close()
        self.assertGreater(ran, SEEDS // 2)

    def test_what_a_run_tells_that_the_one_before_left_stays(self) -> None:
        """The one before was killed while it waited for the disk, or when that had failed."""
        for how in ("waits", "fails"):
            disk = self.made_disk(how)
            self.assertEqual(self.run_on(disk, KILLED, 1, how).returncode, 9, how)
            disk.heal()
            told = json.loads(self.run_on(disk, TOLD, 2).stdout)
            self.assertEqual(told, [f"line {number}" for number in range(5)], how)
            disk.cut_power(random.Random(1))
            self.assertEqual(json.loads(self.run_on(disk, TOLD, 3).stdout), told, how)
