"""Beacons of the site: taken at once while they may be news, left to wait while home answers."""

import socket
from collections.abc import Callable
from selectors import EVENT_READ, BaseSelector

from monitor436.agent import wire
from monitor436.agent.link import sockets
from monitor436.agent.link.homing import MAX_SERVERS, Homing
from monitor436.agent.link.joining import read_beacon


class Beacons:
    """Tells `homing` which servers are heard. `keys` are those that beacons may be tagged under; `count(refused)` takes
    the WireError of what is none."""

    def __init__(
        self,
        keys: "list[bytes]",
        homing: Homing,
        selector: BaseSelector,
        count: "Callable[[wire.WireError], None]",
    ) -> None:
        self._keys = [wire.Key(key) for key in keys]
        self._homing = homing
        self._selector = selector
        self._count = count
        self._said = set()  # type: set[tuple[bytes, tuple[str, int]]]
        self._surprised = True
        self._wakes = False

    def listen(self, hears: socket.socket) -> None:
        """Take beacons from this socket from now on."""
        self._hears = hears
        self._wake()

    def accept(self, key: bytes) -> None:
        """Beacons may also be tagged under this key."""
        self._keys.insert(0, wire.Key(key))

    def hear(self, datagram: bytes, address: "tuple[str, int]", now: float) -> None:
        """A beacon came: where a server of our site may be. One that says the same again does not even need proof."""
        said = datagram[wire.HEADER.size : -wire.TAG_SIZE], address
        if said in self._said and self._homing.answers:
            return
        self._surprised = True
        try:
            beacon = self._read(datagram)
        except wire.WireError as refused:
            self._count(refused)
            return
        self._said = {*list(self._said)[1 - MAX_SERVERS :], said}
        name, boot = str(beacon.get("server", "")), str(beacon.get("boot", ""))
        self._homing.beacon(name, boot, (address[0], int(str(beacon["port"]))), int(str(beacon["door"])), now)

    def heed(self, now: float) -> None:
        """Take those that wait. While home answers and nobody else is heard, beacons wake nobody."""
        self._surprised = False
        self._take(now)
        wakes = self._surprised or not self._homing.answers
        if wakes and not self._wakes:
            self._wake()
        elif self._wakes and not wakes:
            self._selector.unregister(self._hears)
            self._wakes = False

    def _wake(self) -> None:
        self._selector.register(self._hears, EVENT_READ, self._take)
        self._wakes = True

    def _take(self, now: float) -> None:
        for datagram, address in sockets.arrived(self._hears):
            self.hear(datagram, address, now)

    def _read(self, datagram: bytes) -> "dict[str, object]":
        for key in self._keys[:-1]:
            try:
                return read_beacon(datagram, key)
            except wire.WireError:
                continue
        return read_beacon(datagram, self._keys[-1])
