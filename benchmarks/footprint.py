"""The agent at rest, with five checks each 10 s: memory and CPU, beside other agents of this machine, in one run.

Packed agent files are started as on hosts, join a real server, and are watched after their first checks: one reads the
same things as collectd here, of the other's checks one runs a command, whose CPU counts. Floors are loops in bare
Python: one wakes each second, one sends a datagram each 5 s and takes the answer. node_exporter works only when asked,
and is asked each 10 s. Peers that are not installed are left out with a word.
"""

import argparse
import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

from apart import Apart, cpu_seconds
from msgspec import structs
from server import HERE, serve, settings
from table import show, verdict

CHECKS = """\
hosts: ["{host}"]
checks:
  root full: {{reading: filesystem_used_percent, of: /, every: 10s, warning: above 99}}
  load: {{reading: load1, every: 10s, warning: above 1000}}
  memory: {{reading: memory_available_percent, every: 10s, warning: below 1}}
  {fourth}
  log: {{log: {log}, match: ["ERROR"]}}
"""
FOURTHS = {
    "reads": "swap: {reading: swap_used_percent, every: 10s, warning: above 99}",
    "runs": "users: {command: [who, -q], value: '# users=(\\d+)', every: 10s, warning: above 1000}",
}  # the fourth check of each host
COLLECTD = """\
Interval 10
BaseDir "{folder}"
LoadPlugin df
LoadPlugin load
LoadPlugin memory
LoadPlugin swap
LoadPlugin tail
LoadPlugin csv
<Plugin tail>
  <File "{log}">
    Instance "log"
    <Match>
      Regex "ERROR"
      DSType "CounterInc"
      Type "counter"
    </Match>
  </File>
</Plugin>
<Plugin csv>
  DataDir "{folder}/csv"
</Plugin>
"""
MONIT = "set daemon 10\nset idfile {folder}/id\nset statefile {folder}/state\ncheck filesystem root with path /\n"
WAKES = "import time\nwhile True: time.sleep(1)"
SENDS = """\
import socket, time
talks = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    time.sleep(5)
    talks.sendto(bytes(100), ("{address}", {port}))
    talks.recv(2048)
"""
ASKED_EVERY = 10.0  # seconds between two questions to node_exporter
SETTLE = 20.0  # seconds until every check has run once
MIB = 1024.0  # KiB
COLUMNS = ("at rest", "RSS MiB", "private MiB", "CPU s/h", "wake-ups/s", "CPU × collectd")


class Figures(NamedTuple):
    """MiB resident, MiB private, seconds of CPU an hour, wake-ups a second."""

    resident: float
    private: float
    cpu: float
    wakes: float


def watch(pids: dict[str, int], seconds: float) -> dict[str, Figures]:
    """What each process holds, and what it uses in so many seconds."""
    before = {name: (_cpu(pid), _wakes(pid)) for name, pid in pids.items()}
    began = time.monotonic()
    time.sleep(seconds)
    found = {}
    for name, pid in pids.items():
        passed = time.monotonic() - began
        cpu, wakes = _cpu(pid) - before[name][0], _wakes(pid) - before[name][1]
        found[name] = Figures(*_memory(pid), cpu * 3600 / passed, wakes / passed)
    return found


def _cpu(pid: int) -> float:
    """Seconds of CPU of a process, and of its children that have ended: fields 16 and 17 of proc(5) stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return cpu_seconds(pid) + sum(map(int, fields[13:15])) / 100.0


def _wakes(pid: int) -> int:
    """How often its threads have waited for something."""
    name = "\nvoluntary_ctxt_switches:"
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "status").read_text().partition(name)[2].split()[0]) for thread in threads)


def _memory(pid: int) -> tuple[float, float]:
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, size, _ = line.split()
        found[name] = float(size) / MIB
    return found["Rss:"], found["Private_Clean:"] + found["Private_Dirty:"]


def free_port(kind: socket.SocketKind) -> int:
    """A port on loopback that nobody uses at present."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


def answers() -> int:
    """Answer each datagram from now on; the port."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind((HERE, 0))

    def run() -> None:
        while True:
            datagram, address = bound.recvfrom(2048)
            bound.sendto(datagram, address)

    threading.Thread(target=run, daemon=True).start()
    return int(bound.getsockname()[1])


def asks(url: str) -> None:
    """Read this page each ASKED_EVERY seconds from now on, as Prometheus would."""

    def run() -> None:
        while True:
            time.sleep(ASKED_EVERY)
            with contextlib.suppress(OSError), urllib.request.urlopen(url) as page:  # it ends before we do
                page.read()

    threading.Thread(target=run, daemon=True).start()


def peers(folder: Path, log: Path) -> dict[str, list[str]]:
    """The commands of other agents that are installed here, each in the foreground and on loopback."""
    collectd, monit = folder / "collectd.conf", folder / "monitrc"
    collectd.write_text(COLLECTD.format(folder=folder, log=log))
    monit.write_text(MONIT.format(folder=folder))
    monit.chmod(0o600)
    port = free_port(socket.SOCK_STREAM)
    commands = {
        "collectd": ["collectd", "-f", "-C", str(collectd)],
        "monit": ["monit", "-I", "-c", str(monit)],
        "node_exporter": ["prometheus-node-exporter", f"--web.listen-address={HERE}:{port}"],
    }
    found = {name: argv for name, argv in commands.items() if shutil.which(argv[0])}
    if "node_exporter" in found:
        asks(f"http://{HERE}:{port}/metrics")
    return found


def agents(folder: Path, python: list[str], log: Path) -> tuple[Apart, dict[str, list[str]]]:
    """A server, and the commands of its two agents, by what their fourth check does."""
    made = settings(folder / "site")
    (folder / "site" / "agents" / "all.yaml").unlink()
    for host, fourth in FOURTHS.items():
        (folder / "site" / "agents" / f"{host}.yaml").write_text(CHECKS.format(host=host, fourth=fourth, log=log))
    port = free_port(socket.SOCK_DGRAM)
    beacon = structs.replace(made.beacon, port=port, to=("127.255.255.255",))
    served = Apart(serve, structs.replace(made, beacon=beacon))
    file = str(folder / "site" / "agent436.pyz")
    common = [*python, file, "--server", f"{HERE}:{served.ready}", "--logs", "any"]
    return served, {host: [*common, "--name", host, "--state", str(folder / host)] for host in FOURTHS}


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--seconds", type=float, default=120.0, help="how long they are watched (default: %(default)g)"
    )
    options.add_argument("--python", default="/usr/bin/python3", help="the host's interpreter (default: %(default)s)")
    given = options.parse_args()
    python = [given.python, "-I", "-S"]
    started: dict[str, subprocess.Popen[bytes]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "logs" / "app.log"  # where nobody else writes
        log.parent.mkdir()
        log.touch()
        served, ours = agents(folder, python, log)
        commands = {
            "monitor436 agent": ours["reads"],
            "monitor436 agent, runs a command": ours["runs"],
            "bare Python, wakes each second": [*python, "-c", WAKES],
            "bare Python, a datagram each 5 s": [*python, "-c", SENDS.format(address=HERE, port=answers())],
            **peers(folder, log),
        }
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
        in_force = all((folder / host / "plan.json").exists() for host in FOURTHS)
        served.finish()
    if not in_force:
        sys.exit("the agents did not get their plans: nothing was measured")
    told(found, given.seconds)


def told(found: dict[str, Figures], seconds: float) -> None:
    """Print what was found."""
    collectd = found["collectd"].cpu if "collectd" in found else float("nan")
    rows = [
        [each, f"{f.resident:.1f}", f"{f.private:.1f}", f"{f.cpu:.2f}", f"{f.wakes:.2f}", f"{f.cpu / collectd:.2f}"]
        for each, f in found.items()
    ]
    missing = sorted({"collectd", "monit", "node_exporter"} - set(found))
    show(f"five checks each 10 s, watched for {seconds:g} s", COLUMNS, rows)
    print(f"not here: {', '.join(missing)}" if missing else "")
    ours = found["monitor436 agent"]
    print(verdict("MiB resident", ours.resident, 14.0))
    print(verdict("MiB private", ours.private, 8.0))
    if "collectd" in found:
        print(verdict("CPU, × collectd", ours.cpu / collectd, 0.5))


if __name__ == "__main__":
    main()
