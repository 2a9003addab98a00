"""Little servers on loopback that behave as badly as a test wants, in the process of the test."""

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol

from monitor436.probes.probe import Target


class Server(Protocol):
    """Calls `behave(self, request)` for each whole request; `behave` writes what it likes."""

    behave: Callable[["Server", bytes], object]

    def connectionMade(self) -> None:
        self._begun = b""
        self._pending: Any = None
        self.drips = 0
        self.factory.connections.append(self)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self._begun += data
        while b"\r\n\r\n" in self._begun:
            request, _, self._begun = self._begun.partition(b"\r\n\r\n")
            self.factory.requests.append(request)  # type: ignore[union-attr]
            self.factory.behave(self, request)  # type: ignore[union-attr]

    def write(self, data: bytes) -> None:
        """Send it."""
        self.transport.write(data)  # type: ignore[union-attr]

    def later(self, seconds: float, behave: Callable[["Server", bytes], object], request: bytes) -> None:
        """Behave like that then, if the connection still stands."""
        if self.connected:
            self._pending = reactor.callLater(seconds, behave, self, request)  # type: ignore[attr-defined]

    def connectionLost(self, reason: object = None) -> None:
        self.forget()

    def forget(self) -> None:
        """Nothing more will be done."""
        self.connected = 0
        if self._pending is not None and self._pending.active():
            self._pending.cancel()

    def end(self) -> None:
        """Close, when everything is sent."""
        self.transport.loseConnection()  # type: ignore[union-attr]


class Farm(Factory):
    """Listens on loopback; `requests` and `connections` are those it saw."""

    protocol = Server
    noisy = False

    def __init__(self, behave: Callable[[Server, bytes], object]) -> None:
        self.behave = behave
        self.requests: list[bytes] = []
        self.connections: list[Server] = []

    def serve(self, reactor: Any, tls: Any = None, address: str = "127.0.0.1") -> Any:
        """A port that the kernel chose, once it listens."""
        if tls is not None:
            self.port = reactor.listenSSL(0, self, tls, interface=address)
        else:
            self.port = reactor.listenTCP(0, self, interface=address, backlog=1024)
        return self.port

    def target(self, path: str = "/status", scheme: str = "http", host: str = "127.0.0.1") -> Target:
        """A page of it."""
        number = self.port.getHost().port
        return Target(f"{host}:{number}", f"{scheme}://{host}:{number}{path}", host, number)

    def settled(self, count: int, drips: int) -> bool:
        """Whether so many have asked, and those who are served in drips have so many."""
        return len(self.requests) == count and all(
            server.drips == 0 or server.drips >= drips for server in self.connections
        )

    async def close(self) -> None:
        """Stop listening, and end what is open."""
        await self.port.stopListening()
        for connection in self.connections:
            if connection.connected:
                connection.forget()
                connection.transport.abortConnection()  # type: ignore[union-attr]


def ok(body: bytes = b'{"Application":"a"}', *fields: bytes) -> bytes:
    """A good answer."""
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *fields, b"", body])
