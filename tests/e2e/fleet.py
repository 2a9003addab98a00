"""Many hosts in one process that greet and beat with the agent's own code.

python fleet.py SITE PORT BEACONS COUNT EVERY TOLD [FIRST]: SITE is a server's folder of keys, PORT its UDP port on
loopback, BEACONS the port of its beacons. The hosts h00000 …, or from number FIRST on, beat EVERY seconds. Every half
second the file TOLD is replaced: how many are answered, and since when all of them are. At USR1 the next DYING hosts
die, without a goodbye.
"""

import os
import select
import signal
import sys
import time
from heapq import heappop, heappush
from pathlib import Path

from msgspec import Struct, json

from monitor436.agent import wire
from monitor436.agent.identity import Identity
from monitor436.agent.link import sockets
from monitor436.agent.link.joining import read_beacon
from monitor436.heart import Heart, Sent

DYING = 10
SOCKETS = 16  # the hosts share them, as a socket for each would cost more than what is tested
TELL_EVERY = 0.5  # seconds
LONGEST = 0.05  # seconds until beacons are looked at
FEW = 64  # turns of hosts until what has arrived is looked at


class Told(Struct):
    """`answered`: hosts with a session; `oldest`: when that host was last answered that was so longest ago, and `late`:
    by how much the latest beat went out too late, in seconds of the monotonic clock of this machine.
    """

    alive: int
    answered: int
    oldest: float
    late: float


class Fleet:
    """Hosts, and the sockets that they share."""

    def __init__(self, site: bytes, port: int, count: int, every: float, first: int = 0) -> None:
        self.server = ("127.0.0.1", port)
        self.hearts: dict[str, Heart] = {}
        self._beacons = wire.Key(wire.beacon_key(site))
        self._talks = [sockets.talking() for _ in range(min(SOCKETS, count))]
        self._socket_of = {}
        self._of_session: dict[int, str] = {}
        self._due: list[tuple[float, str]] = []
        self.late = 0.0
        self._doomed = self._dead = 0
        boot, begun = os.urandom(8).hex(), time.monotonic()
        for number in range(count):
            name, serial = f"h{first + number:05}", b"%08d" % (first + number)
            identity = Identity(name, wire.host_key(site, name, serial, 0), serial, 0)
            heart = Heart(identity, every, boot, lambda: 1, os.urandom)
            heart.homing.named("server", self.server)
            self.hearts[name] = heart
            self._socket_of[name] = self._talks[number % len(self._talks)]
            heappush(self._due, (begun + every * number / count, name))

    def die(self, count: int) -> None:
        """The first so many of those who live, at the next turn: a signal may come in the middle of one."""
        self._doomed += count

    def turn(self, hears: object) -> None:
        """Do what is due, take what has arrived."""
        if self._dead < self._doomed:
            for name in list(self.hearts)[: self._doomed - self._dead]:
                del self.hearts[name]
                self._dead += 1
        now = time.monotonic()
        for _ in range(FEW):
            if not self._due or self._due[0][0] > now:
                break
            due, name = heappop(self._due)
            heart = self.hearts.get(name)
            if heart is not None:
                self.late = max(self.late, now - due)
                self._send(heart.turn(now), name)
                heappush(self._due, (heart.due, name))
        wait = min(max(0.0, self._due[0][0] - time.monotonic()), LONGEST) if self._due else LONGEST
        ready, _, _ = select.select([*self._talks, hears], [], [], wait)
        for through in ready:
            take = self._hear_beacon if through is hears else self._hear
            for datagram, address in sockets.arrived(through):
                take(datagram, address)

    def told(self) -> Told:
        """How it is."""
        heard = [server.heard for heart in self.hearts.values() for server in heart.homing.servers.values()]
        answered = sum(heart.greeted for heart in self.hearts.values())
        late, self.late = self.late, 0.0
        return Told(len(self.hearts), answered, min(heard, default=0.0), late)

    def _hear(self, datagram: bytes, address: tuple[str, int]) -> None:
        kind, _, session, _ = wire.header(datagram)
        if kind == wire.WELCOME:
            name = self._of_session[session] = wire.open_greeting(datagram).name
        else:
            name = self._of_session.get(session, "")
        heart = self.hearts.get(name)
        if heart is not None:
            self._send(heart.takes(datagram, address, time.monotonic()), name)

    def _hear_beacon(self, datagram: bytes, address: tuple[str, int]) -> None:
        try:
            beacon = read_beacon(datagram, self._beacons)
        except wire.WireError:
            return
        now, boot, server = time.monotonic(), str(beacon["boot"]), str(beacon["server"])
        for name, heart in self.hearts.items():
            heart.homing.beacon(server, boot, self.server, int(str(beacon["door"])), now)
            if heart.due <= now:
                heappush(self._due, (now, name))

    def _send(self, sent: Sent, name: str) -> None:
        for datagram, address in sent:
            try:
                self._socket_of[name].sendto(datagram, address)
            except OSError:
                continue


def main(site: Path, port: int, beacons: int, count: int, every: float, told: Path, first: int = 0) -> None:
    """Beat until killed."""
    hears = sockets.hearing(beacons, "")
    fleet = Fleet((site / "site.key").read_bytes(), port, count, every, first)
    signal.signal(signal.SIGUSR1, lambda *_: fleet.die(DYING))
    tell_at = 0.0
    print("beating", flush=True)
    while True:
        fleet.turn(hears)
        if time.monotonic() >= tell_at:
            tell_at = time.monotonic() + TELL_EVERY
            new = told.with_suffix(".new")
            new.write_bytes(json.encode(fleet.told()))
            new.replace(told)


if __name__ == "__main__":
    port, beacons, count, first = (int(word) for word in [*sys.argv[2:5], *sys.argv[7:], "0"][:4])
    main(Path(sys.argv[1]), port, beacons, count, float(sys.argv[5]), Path(sys.argv[6]), first)
