"""Hears the beacons of the site's other servers."""

import socket
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from monitor436.agent import wire
from monitor436.agent.link import sockets
from monitor436.agent.link.joining import read_beacon
from monitor436.model.event import Event
from monitor436.model.keys.site_keys import SiteKeys
from monitor436.model.server.neighbours import Neighbours
from monitor436.model.settings.hosts import Beacon
from monitor436.periodic import Periodic

LOOK_EVERY = 1.0  # seconds


class NeighboursService(Periodic):
    """Takes beacons from the port on which agents hear them, beside the agents of this machine.

    Without that port nothing is lost but the news that another server has other plans.
    """

    log = Logger()

    def __init__(
        self,
        settings: Beacon,
        keys: SiteKeys,
        neighbours: Neighbours,
        state: Callable[[list[Event]], None],
        clock: IReactorTime,
    ) -> None:
        super().__init__("neighbours", LOOK_EVERY, self.look, clock)
        self._settings = settings
        self._keys = keys.for_beacons()
        self._neighbours = neighbours
        self._state = state
        self._clock = clock
        self._socket: socket.socket | None = None

    def startService(self) -> None:
        try:
            self._socket = sockets.hearing(self._settings.port, self._settings.multicast)
        except OSError as problem:
            self.log.warn("beacons of other servers are not heard: {why}", why=problem.strerror)
        super().startService()

    def stopService(self) -> None:
        super().stopService()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def follow(self, keys: SiteKeys) -> None:
        """The keys of the site from now on."""
        self._keys = keys.for_beacons()

    def look(self) -> None:
        """Take what has come."""
        for datagram, _ in sockets.arrived(self._socket) if self._socket is not None else ():
            self.hear(datagram)

    def hear(self, datagram: bytes) -> None:
        """A datagram came; what is no beacon of this site is nobody's business here."""
        for key in self._keys:
            try:
                beacon = read_beacon(datagram, key)
            except wire.WireError:
                continue
            server, mark = beacon.get("server"), beacon.get("plans")
            if isinstance(server, str) and isinstance(mark, str):
                self._state(self._neighbours.heard(server, mark, self._clock.seconds()))
            return
