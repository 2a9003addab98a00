"""The agent at rest, with five checks each 10 s: memory and CPU, beside other agents of this machine, in one run.

A packed agent file is started as on a host, joins a real server, and is watched after its first checks. CPU counts the
commands it runs. Peers that are not installed are left out with a word: collectd-core, monit, prometheus-node-exporter.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from apart import Apart
from server import HERE, serve, settings
from table import show, verdict

PLAN = """\
hosts: ["*"]
checks:
  root full: {{reading: filesystem_used_percent, of: /, every: 10s, warning: above 99}}
  load: {{reading: load1, every: 10s, warning: above 1000}}
  memory: {{reading: memory_available_percent, every: 10s, warning: below 1}}
  users: {{command: [who, -q], value: '# users=(\\d+)', every: 10s, warning: above 1000}}
  log: {{log: {folder}/app.log, match: ["ERROR"]}}
"""
SETTLE = 15.0  # seconds until every check has run once
MIB = 1024.0  # KiB
TICKS = os.sysconf("SC_CLK_TCK")


class Figures(NamedTuple):
    """MiB resident, MiB private, seconds of CPU an hour."""

    resident: float
    private: float
    cpu: float


def watch(pids: dict[str, int], seconds: float) -> dict[str, Figures]:
    """What each process holds, and what it uses in so many seconds."""
    before = {name: _ticks(pid) for name, pid in pids.items()}
    time.sleep(seconds)
    return {
        name: Figures(*_memory(pid), (_ticks(pid) - before[name]) / TICKS * 3600 / seconds)
        for name, pid in pids.items()
    }


def _ticks(pid: int) -> int:
    """User and system time of a process and of its children that have ended: fields 14 to 17 of proc(5) stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def _memory(pid: int) -> tuple[float, float]:
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, size, _ = line.split()
        found[name] = float(size) / MIB
    return found["Rss:"], found["Private_Clean:"] + found["Private_Dirty:"]


def peers(folder: Path) -> dict[str, list[str]]:
    """The commands of other agents that are installed here, each in the foreground and on loopback."""
    collectd = folder / "collectd.conf"
    plugins = "\n".join(f"LoadPlugin {name}" for name in ("df", "load", "memory", "users", "csv"))
    collectd.write_text(
        f'Interval 10\nBaseDir "{folder}"\n{plugins}\n<Plugin csv>\nDataDir "{folder}/csv"\n</Plugin>\n'
    )
    monit = folder / "monitrc"
    monit.write_text(
        f"set daemon 10\nset idfile {folder}/id\nset statefile {folder}/state\ncheck filesystem root with path /\n"
    )
    monit.chmod(0o600)
    commands = {
        "collectd": ["collectd", "-f", "-C", str(collectd)],
        "monit": ["monit", "-I", "-c", str(monit)],
        "node_exporter": ["prometheus-node-exporter", f"--web.listen-address={HERE}:0"],
    }
    return {name: argv for name, argv in commands.items() if shutil.which(argv[0])}


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=60.0, help="how long it is watched (default: %(default)g)")
    options.add_argument("--python", default="/usr/bin/python3", help="the host's interpreter (default: %(default)s)")
    given = options.parse_args()
    started: dict[str, subprocess.Popen[bytes]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "app.log").touch()
        served = Apart(serve, settings(folder / "site", PLAN.format(folder=folder)))
        commands = {
            "agent436": [
                given.python,
                "-I",
                "-S",
                str(folder / "site" / "agent436.pyz"),
                "--state",
                str(folder / "host"),
            ],
            "bare Python, asleep": [given.python, "-I", "-S", "-c", "import time; time.sleep(1e6)"],
            **peers(folder),
        }
        commands["agent436"] += ["--server", f"{HERE}:{served.ready}"]
        try:
            for each, argv in commands.items():
                started[each] = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(SETTLE)
            alive = {each: process.pid for each, process in started.items() if process.poll() is None}
            found = watch(alive, given.seconds)
        finally:
            for process in started.values():
                process.kill()
                process.wait()
        in_force = (folder / "host" / "plan.json").exists()
        served.finish()
    if not in_force:
        sys.exit("the agent did not get its plan: nothing was measured")
    ours = found["agent436"]
    rows = [
        [each, f"{f.resident:.1f}", f"{f.private:.1f}", f"{f.cpu:.1f}", f"{f.resident / ours.resident:.2f}"]
        for each, f in found.items()
    ]
    missing = sorted({"collectd", "monit", "node_exporter"} - set(found))
    columns = ("at rest", "RSS MiB", "private MiB", "CPU s/h", "RSS × ours")
    show(f"five checks each 10 s, watched for {given.seconds:g} s", columns, rows)
    print(f"not here: {', '.join(missing)}" if missing else "")
    print(verdict("MiB resident", ours.resident, 14.0))
    print(verdict("MiB private", ours.private, 8.0))
    if "collectd" in found:
        print(verdict("CPU, × collectd", ours.cpu / max(found["collectd"].cpu, 1e-9), 0.5))


if __name__ == "__main__":
    main()
