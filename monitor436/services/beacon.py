"""I am here: tells every network that this machine is on where the server is."""

import ipaddress
import socket
from collections.abc import Callable

import psutil
from msgspec import json
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from monitor436.agent import wire
from monitor436.model.keys.site_keys import SiteKeys
from monitor436.model.settings.hosts import Beacon
from monitor436.periodic import Periodic

SOON = 0.3  # seconds between the first beacons after a start, so that agents greet a new server at once
FIRST = 3  # how many those are


def networks() -> list[tuple[str, str]]:
    """(own address, broadcast address) of every IPv4 interface that is up, loopback too."""
    found = []
    up = psutil.net_if_stats()
    for name, addresses in psutil.net_if_addrs().items():
        for each in addresses:
            if each.family == socket.AF_INET and each.netmask and name in up and up[name].isup:
                broadcast = broadcast_of(each.address, each.netmask, each.broadcast)
                if broadcast:
                    found.append((each.address, broadcast))
    return found


def broadcast_of(address: str, netmask: str, told: str | None) -> str:
    """The broadcast address of an interface; "" if its network has none.

    `told` is what the kernel says: for an address that was given without one (`ip address add` without `brd`), that is
    nothing or the address itself.
    """
    network = ipaddress.ip_network(f"{address}/{netmask}", strict=False)
    if network.prefixlen >= 31:
        return ""
    return told if told and told != address else str(network.broadcast_address)


class BeaconService(Periodic):
    """Sends beacons by directed broadcast and by multicast. `say()` gives what a beacon says.

    Beacons are tagged under a key that every agent file holds: they are hints where to greet, never authority.
    """

    log = Logger()

    def __init__(
        self, settings: Beacon, keys: SiteKeys, say: Callable[[], dict[str, object]], clock: IReactorTime
    ) -> None:
        super().__init__("beacon", SOON, self.send, clock)
        self.settings = settings
        self._keys = keys.for_beacons()
        self._say = say
        self._sent = 0
        self._socket: socket.socket | None = None
        self._failing: set[str] = set()

    def startService(self) -> None:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket = opened
        super().startService()

    def stopService(self) -> None:
        super().stopService()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def follow(self, keys: SiteKeys) -> None:
        """The keys of the site from now on; beacons go out under each, for hosts that have only one of them."""
        self._keys = keys.for_beacons()

    def send(self) -> None:
        """One beacon to every network, under every key."""
        self._sent += 1
        if self._sent == FIRST:
            self.retime(self.settings.every)
        said, here = json.encode(self._say()), networks()
        for key in self._keys:
            beacon = wire.seal(key, wire.BEACON, 0, 0, self._sent, said)
            for broadcast in self.settings.to or [broadcast for _, broadcast in here]:
                self._send_to(beacon, broadcast)
            if self.settings.multicast and not self.settings.to:
                for address, _ in here:
                    self._send_to(beacon, self.settings.multicast, address)

    def _send_to(self, beacon: bytes, address: str, through: str = "") -> None:
        if self._socket is None:
            return
        try:
            if through:
                self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(through))
            self._socket.sendto(beacon, (address, self.settings.port))
            self._failing.discard(address + through)
        except OSError as problem:
            if address + through not in self._failing:  # told once, and again when it has worked in between
                self._failing.add(address + through)
                self.log.warn("no beacon to {address}: {why}", address=address, why=problem.strerror)
