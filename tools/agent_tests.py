"""The agent's tests under every older interpreter of this machine, 3.6 first, with nothing installed.

From 3.11 on the tox environments of the server run them too.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from interpreters import found

VERSIONS = [(3, minor) for minor in range(6, 11)]
OLDEST = VERSIONS[0]
ROOT = Path(__file__).resolve().parent.parent
RUN = ("-m", "unittest", "discover", "-s", "tests/agent", "-t", ".")
RAN = re.compile(r"^Ran (\d+) tests?", re.MULTILINE)
DETAIL = re.compile(r"(failures|errors|skipped)=(\d+)")
WHY = re.compile(r"\.\.\. skipped ['\"](.*)['\"]$", re.MULTILINE)


def run(python):
    """The count of one run and what it printed."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""}
    done = subprocess.run(
        [str(python), *RUN, "-v"], cwd=str(ROOT), env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    ran = RAN.search(done.stdout)
    detail = {what: int(number) for what, number in DETAIL.findall(done.stdout.rpartition("\nRan ")[2])}
    failed, skipped = detail.get("failures", 0) + detail.get("errors", 0), detail.get("skipped", 0)
    if (done.returncode and not failed) or not ran or ran.group(1) == "0":
        failed += 1  # it did not get as far as its tests
    passed = max(0, int(ran.group(1)) - failed - skipped) if ran else 0
    return {"passed": passed, "failed": failed, "skipped": skipped, "reasons": WHY.findall(done.stdout)}, done.stdout


def main():
    """Run them all; the status is 1 if one fails, or under M436_NO_SKIPS=1 if one is skipped or 3.6 is not here."""
    strict = os.environ.get("M436_NO_SKIPS") == "1"
    total = {"passed": 0, "failed": 0, "skipped": 0, "reasons": {}}
    interpreters = found(VERSIONS)
    for version, python in interpreters.items():
        count, output = run(python)
        if count["failed"] or (strict and count["skipped"]):
            print(output)
        print("python {}.{}: {passed} passed, {failed} failed, {skipped} skipped".format(*version, **count), flush=True)
        for outcome in ("passed", "failed", "skipped"):
            total[outcome] += count[outcome]
        for why in count["reasons"]:
            why = "python {}.{}: {}".format(*version, why)
            total["reasons"][why] = total["reasons"].get(why, 0) + 1
    if OLDEST not in interpreters:
        why = "python 3.6, the oldest that hosts may have, is not on this machine"
        print("skipped: " + why)
        total["skipped"] += 1
        total["reasons"][why] = 1
    if strict:
        total["failed"] += total["skipped"]
        total["skipped"] = 0
    if os.environ.get("M436_COUNTS"):
        path = Path(os.environ["M436_COUNTS"], os.environ.get("TOX_ENV_NAME", "agent") + ".json")
        path.write_text(json.dumps(total))
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
