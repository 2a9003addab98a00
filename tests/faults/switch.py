"""An Ethernet switch in user space that loses, doubles and delays frames: python switch.py SEED NAME...

It makes a TAP interface `port0`, `port1` … for each name; whoever started it puts them where they belong. On standard
input it takes one JSON object a line and answers each with what it has done so far:

    {"loss": 0.1, "double": 0.1, "late": 0.1, "cut": [["s1", "h1"]]}

Chances are for each frame and direction; a late frame comes up to LATE seconds after those behind it. Between the two
of a cut nothing passes. The fate of the frames between two ports hangs on the seed and on nothing else.
"""

import fcntl
import json
import os
import random
import select
import struct
import sys
import time
from heapq import heappop, heappush
from typing import Any

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000  # linux/if_tun.h
MAX_FRAME = 65600
BURST = 64  # frames from one port before the others have their turn
LATE = 0.05  # seconds; far more than it takes to send a window of datagrams


class Switch:
    """Ports, the rules between them, and the frames that are late."""

    def __init__(self, seed: str, names: list[str]) -> None:
        self.done = dict.fromkeys(("passed", "lost", "doubled", "late", "cut"), 0)
        self._names = names
        self._ports = [_tap(f"port{number}") for number in range(len(names))]
        self._dice = {
            (one, other): random.Random(f"{seed} {one} {other}")
            for one in range(len(names))
            for other in range(len(names))
        }
        self._loss = self._double = self._late = 0.0
        self._cut: set[frozenset[int]] = set()
        self._where: dict[bytes, int] = {}  # hardware address → port, learned from what comes in
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._count = 0

    def run(self) -> None:
        """Until standard input ends."""
        poll = select.poll()
        for fd in (0, *self._ports):
            poll.register(fd, select.POLLIN)
        ports = {fd: number for number, fd in enumerate(self._ports)}
        while True:
            wait = None if not self._waiting else max(0.0, self._waiting[0][0] - time.monotonic()) * 1000
            for fd, _ in poll.poll(wait):
                if fd == 0:
                    line = sys.stdin.buffer.readline()
                    if not line:
                        return
                    self._obey(json.loads(line))
                    print(json.dumps(self.done), flush=True)
                else:
                    self._take(ports[fd])
            now = time.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                _, _, to, frame = heappop(self._waiting)
                self._put(to, frame)

    def _obey(self, rules: dict[str, Any]) -> None:
        self._loss, self._double, self._late = (float(rules.get(each, 0)) for each in ("loss", "double", "late"))
        self._cut = {frozenset(map(self._names.index, pair)) for pair in rules.get("cut", ())}

    def _take(self, port: int) -> None:
        for _ in range(BURST):
            try:
                frame = os.read(self._ports[port], MAX_FRAME)
            except BlockingIOError:
                return
            self._where[frame[6:12]] = port
            to = None if frame[0] & 1 else self._where.get(frame[:6])
            for other in range(len(self._ports)) if to is None else (to,):
                if other != port:
                    self._forward(port, other, frame)

    def _forward(self, port: int, to: int, frame: bytes) -> None:
        if frozenset((port, to)) in self._cut:
            self.done["cut"] += 1
            return
        dice = self._dice[port, to].random
        lost, doubled, late = dice() < self._loss, dice() < self._double, dice() < self._late
        if lost:
            self.done["lost"] += 1
            return
        if doubled:
            self.done["doubled"] += 1
            self._later(to, frame, dice())
        if late:
            self.done["late"] += 1
            self._later(to, frame, dice())
        else:
            self._put(to, frame)

    def _later(self, to: int, frame: bytes, part: float) -> None:
        self._count += 1
        heappush(self._waiting, (time.monotonic() + part * LATE, self._count, to, frame))

    def _put(self, to: int, frame: bytes) -> None:
        try:
            os.write(self._ports[to], frame)
            self.done["passed"] += 1
        except OSError:  # the port is down, or its queue is full: as if lost
            self.done["lost"] += 1


def _tap(name: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


if __name__ == "__main__":
    switch = Switch(sys.argv[1], sys.argv[2:])
    print(json.dumps(switch.done), flush=True)
    switch.run()
