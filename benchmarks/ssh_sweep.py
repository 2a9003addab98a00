"""F6: what asking hosts over ssh costs the one who asks: seconds of all, and CPU a host.

Every host has a loopback address of its own (127.x.y.z) and is the same sshd, which runs on the last CPU, the clients
on the first. Each client is a process of its own; a line of its output that is no uptime ends the run.

    python benchmarks/ssh_sweep.py [--hosts 200] [--at-once 32] [--rounds 3] [--only ours,pssh]

Needs Debian's openssh-server. Peers that are not installed are left out: pip install asyncssh paramiko gevent; Debian's
pssh and clustershell.
"""

import argparse
import asyncio
import contextlib
import getpass
import importlib.util
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from table import show, verdict

COMMAND = "cat /proc/uptime"
TIMEOUT = 240.0
SSHD = "/usr/sbin/sshd"
Measured = tuple[float, float]  # CPU seconds, seconds


def addresses(count: int) -> list[str]:
    """So many hosts."""
    return [f"127.{1 + n // 62500}.{n // 250 % 250}.{n % 250 + 1}" for n in range(count)]


def taken(before: Measured | None = None) -> Measured:
    """CPU of this process and its children, and time, until now or since then."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    now = sum(usage.ru_utime + usage.ru_stime for usage in used), time.monotonic()
    return now if before is None else (now[0] - before[0], now[1] - before[1])


class Place:
    """The folder of keys and files, the port of sshd, and who is asked how many at once."""

    def __init__(self, folder: Path, port: int, hosts: int, at_once: int) -> None:
        self.key, self.known, self.config = folder / "id_ed25519", folder / "known_hosts", folder / "ssh_config"
        self.hosts_file = folder / "hosts"
        self.port, self.hosts, self.at_once = port, addresses(hosts), at_once
        self.user = getpass.getuser()


def ours(place: Place) -> Measured:
    """monitor436's poller and its ssh probe."""
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react

    from monitor436.probes.poller import Poller
    from monitor436.probes.probe import Answer, Target
    from monitor436.probes.ssh.client import Limits, SshProbe
    from monitor436.probes.ssh.keys import read_key
    from monitor436.probes.ssh.known_hosts import KnownHosts
    from monitor436.probes.ssh.ring import KeyRing

    targets = [Target(host, f"ssh://{host}:{place.port}", host, place.port) for host in place.hosts]
    result: list[Measured] = []

    async def run(reactor: Any) -> None:
        ring, known = KeyRing(reactor, [read_key(place.key)]), KnownHosts([place.known])
        probe = SshProbe(reactor, TIMEOUT, ring, known, COMMAND, place.user, limits=Limits(*[TIMEOUT] * 6))
        before = taken()
        found = await Poller(reactor, probe, place.at_once).poll(targets)
        result.append(taken(before))
        wrong = [each for each in found if not isinstance(each, Answer)]
        assert not wrong, wrong[0]

    with contextlib.suppress(SystemExit):
        react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    return result[0]


def with_asyncssh(place: Place) -> Measured:
    """A connection a host, at most so many at a time."""
    import asyncssh

    async def run() -> Measured:
        room = asyncio.Semaphore(place.at_once)
        key, known = asyncssh.read_private_key(str(place.key)), asyncssh.read_known_hosts(str(place.known))

        async def ask(host: str) -> None:
            async with (
                room,
                asyncssh.connect(host, place.port, username=place.user, client_keys=[key], known_hosts=known,
                                 agent_path=None, config=None, login_timeout=TIMEOUT) as connection,
            ):  # fmt: skip
                assert float(str((await connection.run(COMMAND)).stdout).split()[0])

        before = taken()
        await asyncio.gather(*(ask(host) for host in place.hosts))
        return taken(before)

    return asyncio.run(run())


def with_paramiko(place: Place) -> Measured:
    """In gevent's threads."""
    from gevent import monkey

    monkey.patch_all()
    import paramiko
    from gevent.pool import Pool

    key = paramiko.Ed25519Key.from_private_key_file(str(place.key))

    def ask(host: str) -> None:
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(host, place.port, place.user, pkey=key, allow_agent=False, look_for_keys=False,
                       banner_timeout=TIMEOUT, auth_timeout=TIMEOUT)  # fmt: skip
        assert float(client.exec_command(COMMAND)[1].read().split()[0])
        client.close()

    before = taken()
    Pool(place.at_once).map(ask, place.hosts)
    return taken(before)


def run(argv: list[str], hosts: int) -> Measured:
    """Another program, which prints an uptime for each host."""
    before = taken()
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    measured = taken(before)
    printed = sum(line.rpartition(": ")[2].count(".") >= 2 and "[" not in line for line in done.stdout.splitlines())
    assert printed >= hosts, f"{argv[0]}: {printed} of {hosts} answered"
    return measured


def with_pssh(place: Place) -> Measured:
    """Debian's parallel-ssh."""
    return run(["parallel-ssh", "-h", str(place.hosts_file), "-p", str(place.at_once), "-i", "-t", str(int(TIMEOUT)),
                "-x", f"-F {place.config}", COMMAND], len(place.hosts))  # fmt: skip


def with_clush(place: Place) -> Measured:
    """ClusterShell."""
    return run(["clush", "--hostfile", str(place.hosts_file), "-f", str(place.at_once), "-u", str(int(TIMEOUT)),
                "-o", f"-F {place.config}", COMMAND], len(place.hosts))  # fmt: skip


def with_xargs(place: Place) -> Measured:
    """ssh itself, so many at a time."""
    return run(["xargs", "-a", str(place.hosts_file), "-P", str(place.at_once), "-I", "{}",
                "ssh", "-F", str(place.config), "{}", COMMAND], len(place.hosts))  # fmt: skip


CLIENTS: dict[str, tuple[Callable[[Place], Measured], str]] = {
    "ours": (ours, "monitor436"),
    "asyncssh": (with_asyncssh, "asyncssh"),
    "paramiko": (with_paramiko, "paramiko"),
    "pssh": (with_pssh, "parallel-ssh"),
    "clush": (with_clush, "clush"),
    "xargs": (with_xargs, "ssh"),
}


def start_sshd(folder: Path, hosts: int) -> tuple["subprocess.Popen[bytes]", int]:
    """One that lets us in, and the files for every client; its port."""
    for name in ("host_key", "id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"Port {port}\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/id_ed25519.pub\nPidFile none\n"
        "StrictModes no\nUsePAM no\nUseDNS no\nMaxStartups 1000\n"
    )
    (folder / "known_hosts").write_text(f"[127.*]:{port} " + (folder / "host_key.pub").read_text())
    (folder / "hosts").write_text("".join(f"{host}\n" for host in addresses(hosts)))
    (folder / "ssh_config").write_text(
        f"Host *\n Port {port}\n IdentityFile {folder}/id_ed25519\n IdentitiesOnly yes\n BatchMode yes\n"
        f" UserKnownHostsFile {folder}/known_hosts\n LogLevel ERROR\n"
    )
    with contextlib.suppress(PermissionError):
        Path("/run/sshd").mkdir(exist_ok=True)
    last = str(max(os.sched_getaffinity(0)))
    sshd = subprocess.Popen(["taskset", "-c", last, SSHD, "-D", "-f", folder / "sshd_config", "-E", folder / "log"])
    for _ in range(100):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return sshd, port
        time.sleep(0.1)
    raise SystemExit("sshd does not start")


def main() -> None:
    """Start sshd, run each client, print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--hosts", type=int, default=200)
    options.add_argument("--at-once", type=int, default=32)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", default=",".join(CLIENTS))
    options.add_argument("--client", nargs=3, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.client:
        name, folder, port = given.client
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(CLIENTS[name][0](Place(Path(folder), int(port), given.hosts, given.at_once))))
        return
    with tempfile.TemporaryDirectory() as made:
        sshd, port_number = start_sshd(Path(made), given.hosts)
        try:
            rows = {name: measured(given, name, made, port_number) for name in given.only.split(",") if there(name)}
        finally:
            sshd.terminate()
            sshd.wait()
    tell(given, rows)


def there(name: str) -> bool:
    """Whether a client is installed."""
    library = CLIENTS[name][1]
    found = (
        bool(shutil.which(library)) if name in ("pssh", "clush", "xargs") else bool(importlib.util.find_spec(library))
    )
    if not found:
        print(f"{name}: not installed, left out", file=sys.stderr)
    return found


def measured(given: Any, name: str, folder: str, port: int) -> Measured:
    """The median of the rounds, by CPU and by time."""
    again = [sys.executable, __file__, "--hosts", str(given.hosts), "--at-once", str(given.at_once)]
    rounds: list[Measured] = []
    for _ in range(given.rounds):
        done = subprocess.run(
            [*again, "--client", name, folder, str(port)], stdout=subprocess.PIPE, check=True, text=True
        )
        rounds.append(json.loads(done.stdout.splitlines()[-1]))
    middle = len(rounds) // 2
    return sorted(cpu for cpu, _ in rounds)[middle], sorted(seconds for _, seconds in rounds)[middle]


def tell(given: Any, rows: dict[str, Measured]) -> None:
    """The table, and what is to be reached."""
    own = rows.get("ours")
    table = [
        [name, f"{seconds:.2f}", f"{cpu / given.hosts * 1000:.2f}", f"{cpu / own[0]:.1f}" if own else ""]
        for name, (cpu, seconds) in rows.items()
    ]
    title = f"{given.hosts} hosts, {given.at_once} at once, one sshd; median of {given.rounds} rounds"
    libraries = [name for name in ("Twisted", "asyncssh", "paramiko") if importlib.util.find_spec(name.lower())]
    show(title, ["client", "s", "CPU ms a host", "× ours"], table, [f"{name} {version(name)}" for name in libraries])
    print()
    if own and "asyncssh" in rows:
        print("- " + verdict("CPU, × asyncssh", own[0] / rows["asyncssh"][0], 1.0))
        print("- " + verdict("seconds, × asyncssh", own[1] / rows["asyncssh"][1], 1.0))
    if own and "pssh" in rows:
        print("- " + verdict("seconds, × pssh", own[1] / rows["pssh"][1], 0.3))


if __name__ == "__main__":
    main()
