"""Ports for servers of tests: below those that the kernel gives to clients, of which some tests have ten thousand.

A port belongs to the process that chose it until that process ends, also before a server is there and between two runs
of it: the tests of other processes choose at the same time, and even a look whether a port is free takes it away from
a server that starts in that moment.
"""

import fcntl
import os
import random
import socket
from pathlib import Path
from tempfile import gettempdir

LOOPBACK = "127.0.0.1"
FIRST = 10_000
USUAL = 32_768  # where those of clients begin on nearly every machine
KINDS = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
_clients = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
LAST = _clients if _clients > FIRST + 1000 else USUAL
# Byte number so of this file is locked by the process that has the port: the kernel lets go of it when that ends.
_book = os.open(Path(gettempdir(), f"m436-ports-{os.getuid()}"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
_ours: set[int] = set()  # a process may lock the same byte twice
_dice = random.SystemRandom()


def free_port(dice: random.Random = _dice) -> int:
    """A loopback port that nobody uses at present, by UDP or by TCP, and that nobody else is given."""
    while True:
        port = dice.randrange(FIRST, LAST)
        if _claimed(port) and _unbound(port):
            return port


def _claimed(port: int) -> bool:
    if port in _ours:
        return False
    try:
        fcntl.lockf(_book, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _ours.add(port)
    return True


def _unbound(port: int) -> bool:
    try:
        for kind in KINDS:
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.bind((LOOPBACK, port))
    except OSError:
        return False
    return True
