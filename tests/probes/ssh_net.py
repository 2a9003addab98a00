"""A network in memory on which hosts answer ssh, or behave as badly as a test wants; and a clock of its own."""

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure as Problem
from twisted.test import iosim

from monitor436.probes.probe import Target

Hears = Callable[["Rude", bytes], object]


class Rude(Protocol):
    """A server that writes `greeting` at once, and does what `hears` does with each piece of data."""

    greeting = b""
    hears: Hears | None = None

    def connectionMade(self) -> None:
        self.write(self.greeting)

    def dataReceived(self, data: bytes) -> None:
        if self.hears is not None:
            type(self).hears(self, data)  # type: ignore[misc]

    def write(self, data: bytes) -> None:
        """Send it, if there is any."""
        if data:
            self.transport.write(data)  # type: ignore[union-attr]


def rude(greeting: bytes = b"", hears: Hears | None = None) -> Factory[Any]:
    """A host that is such a server."""
    kind = type("OneRude", (Rude,), {"greeting": greeting, "hears": hears})
    return Factory.forProtocol(kind)


class _Connector:
    def __init__(self) -> None:
        self.state = "connecting"

    def stopConnecting(self) -> None:
        """Nobody waits any more."""
        self.state = "disconnected"


class Net(Clock):
    """`hosts`: who listens, by address and port; None is silence, and whoever is not there refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.hosts: dict[tuple[str, int], Factory[Any] | None] = {}
        self.pumps: list[Any] = []
        self.connectors: list[_Connector] = []

    def listen(self, address: str, factory: Factory[Any] | None, port: int = 22) -> Target:
        """Who is asked there."""
        self.hosts[address, port] = factory
        if factory is not None:
            factory.doStart()
        return Target(address, f"ssh://{address}:{port}", address, port)

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float | None = None) -> _Connector:
        """As a reactor does it."""
        connector = _Connector()
        self.connectors.append(connector)
        if self.hosts.get((host, port), self) is not None:
            self.callLater(0, self._connect, connector, (host, port), factory)
        return connector

    def _connect(self, connector: _Connector, place: tuple[str, int], factory: Any) -> None:
        if connector.state != "connecting":
            return
        host = self.hosts.get(place)
        if host is None:
            connector.state = "disconnected"
            factory.clientConnectionFailed(connector, Problem(ConnectionRefusedError()))
            return
        connector.state = "connected"
        client, server = factory.buildProtocol(None), host.buildProtocol(None)
        fakes = iosim.makeFakeServer(server), iosim.makeFakeClient(client)
        self.pumps.append(iosim.connect(server, fakes[0], client, fakes[1]))

    def settle(self, seconds: float = 0.0) -> None:
        """Let so much time pass, and whatever was sent arrive."""
        end = self.seconds() + seconds
        while True:
            self.advance(0)
            moved = [pump.pump() for pump in list(self.pumps)]
            due = [call for call in self.getDelayedCalls() if call.getTime() <= end]
            if any(moved):
                continue
            if not due:
                break
            self.advance(max(0.0, min(call.getTime() for call in due) - self.seconds()))
        self.advance(end - self.seconds())
