"""Hosts that greet a server and seal what they say, with the agent's own code."""

import os
import socket
import struct
import time
from typing import NamedTuple

from monitor436.agent import wire
from monitor436.agent.link.homing import Homing

BUFFER = 4 << 20  # bytes: what a server asks the kernel for, too


class Greeted(NamedTuple):
    """What a host has after its greeting: its serial, its key, the session, and the server's message."""

    serial: bytes
    key: bytes
    session: wire.Session
    message: dict[str, object]


def opened(port: int = 0) -> socket.socket:
    """A UDP socket on loopback with large buffers, whose receive calls give up after a fifth of a second."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for forced, plain in ((33, socket.SO_RCVBUF), (32, socket.SO_SNDBUF)):  # SO_RCVBUFFORCE, SO_SNDBUFFORCE
        try:
            made.setsockopt(socket.SOL_SOCKET, forced, BUFFER)
        except OSError:
            made.setsockopt(socket.SOL_SOCKET, plain, BUFFER)
    # Not settimeout(): that would cost a poll() each time.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 200_000))
    made.bind(("127.0.0.1", port))
    return made


def greet(through: socket.socket, server: tuple[str, int], site_key: bytes, count: int) -> list[wire.Session]:
    """The sessions of `count` hosts, each greeted, and heard once by a heartbeat."""
    sessions = [greeted(through, server, site_key, f"host{number:05}").session for number in range(count)]
    for session in sessions:
        through.sendto(session.seal(wire.BEAT, beat(0)), server)
        time.sleep(0.0005)  # each is news, which the server writes down
    drain(through)
    return sessions


def beat(up: int) -> bytes:
    """The body of a heartbeat."""
    return wire.dump({"up": up, "fill": 0, "plan": "5e" * 32})


def drain(through: socket.socket) -> None:
    """Take whatever arrives until nothing does."""
    try:
        while True:
            through.recv(2048)
    except BlockingIOError:
        pass


def greeted(through: socket.socket, server: tuple[str, int], site_key: bytes, name: str) -> Greeted:
    """One host, greeted; it was not heard yet."""
    serial = os.urandom(8)
    secret = wire.host_key(site_key, name, serial, 0)
    homing = Homing(name, serial, 0, secret, lambda: {"boot": "b", "up": 1, "version": "0", "spools": []}, os.urandom)
    homing.named("server", server)
    for hello, address in homing.greetings(0.0):
        through.sendto(hello, address)
    datagram, address = through.recvfrom(2048)
    welcomed = homing.welcome(wire.open_greeting(datagram), datagram, address, 0.0)
    assert welcomed is not None and welcomed[0].session is not None
    return Greeted(serial, secret, welcomed[0].session, welcomed[1])
