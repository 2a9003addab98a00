"""The loop of a heart: its sockets and its time."""

import select
import socket
import time
from collections.abc import Callable

from monitor436.agent import wire
from monitor436.agent.identity import Identity
from monitor436.agent.link import sockets
from monitor436.agent.link.door import exchange
from monitor436.agent.link.joining import read_beacon
from monitor436.agent.link.rekeying import Rekeying
from monitor436.heart import Heart, Sent


class Beacons:
    """Those of one server, told from others by its address: whoever said where to beat wants no other place."""

    def __init__(self, key: bytes, server: tuple[str, int]) -> None:
        self._keys = [wire.Key(key)]
        self._server = server

    def accept(self, key: bytes) -> None:
        """Beacons may also be tagged under this key."""
        self._keys.insert(0, wire.Key(key))

    def heard(self, heart: Heart, datagram: bytes, address: tuple[str, int], now: float) -> None:
        """A beacon came: a server that was started anew is greeted at once."""
        for key in self._keys:
            try:
                beacon = read_beacon(datagram, key)
            except wire.WireError:
                continue
            if (address[0], beacon["port"]) == self._server:
                boot, door = str(beacon.get("boot", "")), int(str(beacon["door"]))
                heart.homing.beacon(str(beacon.get("server", "")), boot, self._server, door, now)
            return


class AtOnce:
    """A request at the TLS door that is waited for: whoever only beats has nothing else to do."""

    def __init__(self, asked: dict[str, object], now: float) -> None:
        answer = exchange(asked)
        self._answer = int(str(answer["status"])), str(answer["body"])

    def poll(self, now: float) -> tuple[int, str]:
        """Status and body."""
        return self._answer


class Beating:
    """Runs a heart. `to` is what its server is called, `say(text)` is for whoever watches.

    `pin` is that of the site; `keep(identity)` puts a key on disk to which this host is moved.
    """

    def __init__(
        self,
        heart: Heart,
        beacons: Beacons,
        pin: str,
        keep: Callable[[Identity], None],
        to: str,
        say: Callable[[str], None],
    ) -> None:
        self._heart = heart
        self._rekeying = Rekeying(heart.identity, pin, keep, heart.homing, self._moved, say, AtOnce)  # type: ignore[arg-type]
        heart.told = self._rekeying.told
        self._beacons = beacons
        self._to = to
        self._say = say
        self._greeted = False

    def run(self, talks: socket.socket, hears: socket.socket) -> None:
        """Beat until interrupted; then say goodbye."""
        self._say(f"beating to {self._to} every {self._heart.every:g} s")
        try:
            while True:
                send(talks, self._heart.turn(time.monotonic()))
                if time.monotonic() >= self._rekeying.due:
                    self._rekeying.turn(time.monotonic())
                due = min(self._heart.due, self._rekeying.due)
                select.select([talks, hears], [], [], max(0.0, due - time.monotonic()))
                self._take(talks, hears, time.monotonic())
        finally:
            send(talks, self._heart.goodbye())

    def _moved(self, identity: Identity, now: float) -> None:
        self._heart.homing.rekey(identity.key, now)
        self._beacons.accept(identity.beacon_key)
        self._say("moved to another site key")

    def _take(self, talks: socket.socket, hears: socket.socket, now: float) -> None:
        for datagram, address in sockets.arrived(hears):
            self._beacons.heard(self._heart, datagram, address, now)
        for datagram, address in sockets.arrived(talks):
            send(talks, self._heart.takes(datagram, address, now))
        if self._heart.greeted != self._greeted:
            self._greeted = self._heart.greeted
            self._say(f"{self._to} " + ("answers" if self._greeted else "does not answer; greeting it again and again"))


def hearing(port: int, multicast: str) -> socket.socket:
    """Where beacons are heard; if that cannot be had, a socket that hears nothing: greetings go out all the same."""
    try:
        return sockets.hearing(port, multicast)
    except OSError:
        return sockets.talking()


def send(through: socket.socket, sent: Sent) -> None:
    """Send datagrams; where there is no route at present it is as if the network had lost them."""
    for datagram, address in sent:
        try:
            through.sendto(datagram, address)
        except OSError:
            continue
