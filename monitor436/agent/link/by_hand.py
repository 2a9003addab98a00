"""Servers named by hand, for networks through which no beacon comes: looked up until their names resolve."""

from collections.abc import Callable

from monitor436.agent.link import sockets
from monitor436.agent.link.homing import Homing


class ByHand:
    """`servers` are HOST[:PORT]; `say(text)` is for whoever reads the console."""

    def __init__(self, servers: "list[str]", port: int, homing: Homing, say: "Callable[[str], None]") -> None:
        self._servers = servers
        self._port = port
        self._homing = homing
        self._say = say
        self._known = set()  # type: set[str]

    def look(self) -> None:
        """Look up those that were not found yet."""
        for server in self._servers:
            if server in self._known:
                continue
            try:
                self._homing.named(server, sockets.resolve(server, self._port))
                self._known.add(server)
            except (OSError, ValueError) as problem:
                self._say("{}: {}".format(server, problem))
