"""A throw-away LAN: hosts in namespaces of their own on one broadcast segment, which can lose datagrams.

Addresses and names exist inside the namespaces only. Each namespace lives as long as a process that holds it, and
that one ends with this process, whatever becomes of it: its standard input is a pipe from here.
"""

import os
import shutil
import subprocess
import unittest
from collections.abc import Sequence

NEEDED = ("ip", "nft", "unshare", "nsenter")
NETWORK = "10.43.6"
HOLD = 'echo "$0" >/proc/sys/kernel/hostname && ip link set lo up && echo held && exec cat >/dev/null'
LOSSY = """\
table bridge loss {{
    chain forward {{
        type filter hook forward priority 0;
        ether type ip numgen random mod 100 < {percent} counter drop
    }}
}}
"""


HALF = """\
table bridge loss {{
    chain forward {{
        type filter hook forward priority 0;
        ether type ip udp length > 8 @th,64,16 0x6d34 @th,88,8 {kind} numgen inc mod 2 0 counter drop
    }}
}}
"""


class Namespace:
    """A network and a host name of its own. Raises OSError where that is not permitted."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--uts", "sh", "-c", HOLD, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._holder.stdout is not None
        said = self._holder.stdout.readline().decode().strip()
        if said != "held":
            self.close()
            raise PermissionError(said)
        self.pid = self._holder.pid
        self.prefix = ["nsenter", f"--net=/proc/{self.pid}/ns/net", f"--uts=/proc/{self.pid}/ns/uts", "--"]

    def run(self, *argv: str, given: str = "") -> str:
        """The output of a command in here. Raises OSError with what it said if it fails."""
        done = subprocess.run(
            [*self.prefix, *argv], input=given, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if done.returncode:
            raise OSError(f"{' '.join(argv)}: {done.stdout.strip()}")
        return done.stdout

    def close(self) -> None:
        """Let go of it; the kernel removes it with its interfaces once nothing runs in it."""
        for stream in (self._holder.stdin, self._holder.stdout):
            assert stream is not None
            stream.close()
        self._holder.wait()


class Lan:
    """Hosts under `names`, numbered from 10.43.6.1 on, joined by a bridge."""

    def __init__(self, names: Sequence[str]) -> None:
        self.hosts: dict[str, Namespace] = {}
        self._made: list[Namespace] = []
        try:
            self._switch = self._namespace("switch")
            self._switch.run("ip", "link", "add", "segment", "type", "bridge")
            self._switch.run("ip", "link", "set", "segment", "up")
            for number, name in enumerate(names, 1):
                self.hosts[name] = self._namespace(name)
                self._plug_in(self.hosts[name], number)
        except BaseException:
            self.close()
            raise

    def lose(self, percent: int) -> None:
        """From now on lose so many of a hundred IPv4 packets, each way, at random."""
        self._switch.run("nft", "-f", "-", given="flush ruleset\n" + LOSSY.format(percent=percent))

    def lose_half_of(self, kind: int) -> None:
        """From now on lose every other datagram of a type of ours, and nothing else."""
        self._switch.run("nft", "-f", "-", given="flush ruleset\n" + HALF.format(kind=kind))

    def lost(self) -> int:
        """How many packets were lost so far."""
        words = self._switch.run("nft", "list", "ruleset").split()
        return int(words[words.index("packets") + 1])

    def close(self) -> None:
        """Remove everything."""
        for namespace in self._made:
            namespace.close()
        self._made.clear()

    def _namespace(self, name: str) -> Namespace:
        made = Namespace(name)
        self._made.append(made)
        return made

    def _plug_in(self, host: Namespace, number: int) -> None:
        plug = f"port{number}"
        inside = ["peer", "name", "eth0", "netns", str(host.pid)]
        self._switch.run("ip", "link", "add", plug, "type", "veth", *inside)
        self._switch.run("ip", "link", "set", plug, "master", "segment", "up")
        host.run("ip", "address", "add", f"{NETWORK}.{number}/24", "broadcast", "+", "dev", "eth0")
        host.run("ip", "link", "set", "eth0", "up")


def skip_without(*programs: str) -> None:
    """Raises SkipTest, with the reason, where namespaces cannot be made, or one of these programs is not there."""
    if os.geteuid() != 0:
        raise unittest.SkipTest("network namespaces need root")
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        raise unittest.SkipTest(f"not installed: {', '.join(missing)}")


def made_lan(names: Sequence[str]) -> Lan:
    """A LAN; raises SkipTest, with the reason, where it cannot be had."""
    skip_without(*NEEDED)
    try:
        lan = Lan(names)
    except OSError as problem:
        raise unittest.SkipTest(f"no network namespaces: {problem}") from None
    try:
        lan.lose(0)
    except OSError as problem:
        lan.close()
        raise unittest.SkipTest(f"nftables cannot lose packets on a bridge: {problem}") from None
    return lan
