"""The first start: find a server of the site, join over TLS, keep the identity it gives."""

import json
import os
import select
import socket
import time
from collections.abc import Callable

from monitor436.agent import wire
from monitor436.agent.identity import Identity, Packed, State
from monitor436.agent.link import sockets
from monitor436.agent.link.asking import Asking

AGAIN = 5.0  # seconds until a failed join is tried again; doubled up to AT_MOST
AT_MOST = 60.0
MAX_DOORS = 8  # servers tried, the latest heard
AT_ONCE = 1.0  # seconds of waiting: a signal that came right before it began is heeded after it


def read_beacon(datagram: bytes, key: wire.Key) -> "dict[str, object]":
    """What a beacon of our site says. Raises WireError."""
    if wire.header(datagram)[0] != wire.BEACON:
        raise wire.WireError("type")
    beacon = wire.parse(wire.authenticate(key, datagram))
    ports = [beacon.get("port"), beacon.get("door")]
    if not all(type(port) is int and 0 < port < 65536 for port in ports):
        raise wire.WireError("body")
    return beacon


class Joining:
    """Waits for a beacon, or goes to the servers named by hand, and joins at the first that lets it.

    `heard` has the beacons that led there, by door, for whoever goes on from here.
    """

    def __init__(
        self, packed: Packed, name: str, named: "list[str]", hears: socket.socket, say: "Callable[[str], None]"
    ) -> None:
        self._packed = packed
        self._name = name
        self._named = named
        self._hears = hears
        self._say = say
        self._key = wire.Key(packed.beacon_key)
        self._ask = ""
        self.heard = {}  # type: dict[tuple[str, int], tuple[bytes, tuple[str, int]]]

    def run(self, state: State) -> Identity:
        """Join; returns when the identity is on disk."""
        wait = AGAIN
        self._ask = _ask(state)
        while True:
            for address in self._doors():
                identity = self._join(address)
                if identity is not None:
                    state.keep_identity(identity)
                    return identity
            self._listen(wait)
            wait = min(wait * 2, AT_MOST) if self.heard or self._named else AGAIN

    def _doors(self) -> "list[tuple[str, int]]":
        doors = list(self.heard)
        for server in self._named:
            try:
                doors.append(sockets.resolve(server, self._packed.port))
            except (OSError, ValueError) as problem:
                self._tell("{}: {}".format(server, problem))
        return doors

    def _listen(self, patience: float) -> None:
        """Collect beacons until one comes from a door not tried yet, or patience is over."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            left = max(0.0, end - time.monotonic())
            select.select([self._hears], [], [], min(left, AT_ONCE))
            for datagram, address in sockets.arrived(self._hears):
                try:
                    beacon = read_beacon(datagram, self._key)
                except wire.WireError:
                    continue
                door = (address[0], int(str(beacon["door"])))
                if door not in self.heard:
                    self.heard = dict(list(self.heard.items())[1 - MAX_DOORS :])
                    self.heard[door] = (datagram, address)
                    return

    def _join(self, door: "tuple[str, int]") -> "Identity | None":
        body = json.dumps({"name": self._name, "ask": self._ask})
        asked = {"host": door[0], "port": door[1], "pin": self._packed.pin, "token": self._packed.token}
        asking = Asking(dict(asked, method="POST", path="/join", body=body), time.monotonic())
        while True:
            answer = asking.poll(time.monotonic())
            if answer is not None:
                break
            select.select([], [], [], 0.05)
        status, text = answer
        try:
            if status == 200:
                given = json.loads(text)
                return Identity(
                    self._name,
                    bytes.fromhex(given["key"]),
                    bytes.fromhex(given["serial"]),
                    int(given["generation"]),
                    bytes.fromhex(given.get("beacon_key", "")),
                )
        except (ValueError, KeyError, TypeError):
            text = "an answer that is not understood"
        self._tell("not joined at {}:{}: {}".format(door[0], door[1], text.strip() or "status {}".format(status)))
        return None

    def _tell(self, text: str) -> None:
        self._say(text)


def _ask(state: State) -> str:
    """What tells this machine from others until it has a key; kept, so that an approval is for it and no other."""
    kept = state.read("ask")
    if kept is None:
        kept = os.urandom(16).hex().encode()
        state.write("ask", kept)
    return kept.decode("ascii", "replace")
