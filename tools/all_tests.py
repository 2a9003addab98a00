"""`make test`: every tox environment of this machine, then one table and one count. Arguments go to tox."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from interpreters import path_with_all

ROOT = Path(__file__).resolve().parent.parent
OUTCOMES = ("passed", "failed", "skipped")
TOX = ("run-parallel", "--parallel", "auto", "--parallel-no-spinner")


def main(arguments):
    """Run tox and add up what its environments counted; the status is that of tox."""
    counts = ROOT / ".tox" / "counts"
    shutil.rmtree(counts, ignore_errors=True)
    counts.mkdir(parents=True)
    environment = {**os.environ, "PATH": path_with_all(), "M436_COUNTS": str(counts)}
    print("tests: all environments of tox.ini; the first time takes some minutes", flush=True)
    done = subprocess.run([sys.executable, "-m", "tox", *TOX, *arguments], cwd=ROOT, env=environment)
    total = dict.fromkeys(OUTCOMES, 0)
    print()
    for path in sorted(counts.glob("*.json")):
        count = json.loads(path.read_text())
        print(f"{path.stem:>8}: " + ", ".join(f"{count[outcome]} {outcome}" for outcome in OUTCOMES))
        for why, times in count["reasons"].items():
            print(f"{'':>10}{times} x skipped: {why}")
        for outcome in OUTCOMES:
            total[outcome] += count[outcome]
    if done.returncode:
        print(f"tox ended with status {done.returncode}: its summary above says which environment failed")
    print(", ".join(f"{total[outcome]} {outcome}" for outcome in OUTCOMES))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
