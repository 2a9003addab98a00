"""A broadcast segment of hosts that can be harmed: what `switch` does to it, told from here."""

import json
import os
import stat
import subprocess
import sys
import unittest
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.e2e.lan import NETWORK, Namespace, skip_without

TUN = "/dev/net/tun"
NEEDED = ("ip", "unshare", "nsenter")
SWITCH = Path(__file__).with_name("switch.py")


class Segment:
    """Hosts under `names`, numbered from .1 on, on a switch in user space. Raises OSError where that cannot be had."""

    def __init__(self, names: Sequence[str], seed: int) -> None:
        self.hosts: dict[str, Namespace] = {}
        self.done: dict[str, int] = {}
        self._rules: dict[str, float] = {}
        self._made = [Namespace("switch")]
        command = [*self._made[0].prefix, sys.executable, str(SWITCH), str(seed), *names]
        self._switch = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            if not self._answer():
                assert self._switch.stderr is not None
                raise OSError(self._switch.stderr.read().decode().strip().rpartition("\n")[2])
            for number, name in enumerate(names):
                self.hosts[name] = Namespace(name)
                self._made.append(self.hosts[name])
                self._plug_in(self.hosts[name], number)
        except BaseException:
            self.close()
            raise

    def harm(self, loss: float = 0.0, double: float = 0.0, late: float = 0.0) -> None:
        """From now on, in each direction between any two hosts."""
        self._rules = {"loss": loss, "double": double, "late": late}
        self.cut(())

    def cut(self, pairs: Iterable[tuple[str, str]]) -> None:
        """From now on nothing passes between these, and everything between the others."""
        assert self._switch.stdin is not None
        self._switch.stdin.write(json.dumps({**self._rules, "cut": list(pairs)}).encode() + b"\n")
        self._switch.stdin.flush()
        if not self._answer():
            raise OSError("the switch has ended")

    def close(self) -> None:
        """Remove everything."""
        for stream in (self._switch.stdin, self._switch.stdout, self._switch.stderr):
            assert stream is not None
            stream.close()
        self._switch.wait()
        for namespace in self._made:
            namespace.close()
        self._made.clear()

    def _answer(self) -> bool:
        assert self._switch.stdout is not None
        line = self._switch.stdout.readline()
        self.done = json.loads(line) if line else self.done
        return bool(line)

    def _plug_in(self, host: Namespace, number: int) -> None:
        self._made[0].run("ip", "link", "set", f"port{number}", "netns", str(host.pid), "name", "eth0")
        host.run("ip", "address", "add", f"{NETWORK}.{number + 1}/24", "broadcast", "+", "dev", "eth0")
        host.run("ip", "link", "set", "eth0", "up")


def made_segment(names: Sequence[str], seed: int) -> Segment:
    """A segment; raises SkipTest, with the reason, where it cannot be had."""
    skip_without(*NEEDED)
    try:
        if not os.path.exists(TUN):  # a container may have the kernel's, and no name for it
            os.makedirs(os.path.dirname(TUN), exist_ok=True)
            os.mknod(TUN, stat.S_IFCHR | 0o600, os.makedev(10, 200))  # as the kernel's devices.txt has it
        os.close(os.open(TUN, os.O_RDWR))
    except OSError as problem:
        raise unittest.SkipTest(f"no TAP interfaces: {TUN}: {problem.strerror}") from None
    try:
        return Segment(names, seed)
    except OSError as problem:
        raise unittest.SkipTest(f"no network namespaces with TAP interfaces: {problem}") from None
