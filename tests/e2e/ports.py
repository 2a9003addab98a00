"""Ports for servers of tests: below those that the kernel gives to clients, of which some tests have ten thousand."""

import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
FIRST = 10_000
LAST = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
KINDS = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
_dice = random.SystemRandom()  # tests of other processes choose at the same time


def free_port() -> int:
    """A loopback port that nobody uses at present, by UDP or by TCP."""
    while True:
        port = _dice.randrange(FIRST, LAST)
        try:
            for kind in KINDS:
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind((LOOPBACK, port))
        except OSError:
            continue
        return port
