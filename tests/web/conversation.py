"""A door without ports: its own routes or given ones, a clock, and connections in memory."""

from typing import Any

from msgspec import json
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from monitor436.model.keys.site_keys import SiteKeys
from monitor436.model.keys.tokens import Token, Tokens, hashed, spelt_token
from monitor436.model.settings.http import Http
from monitor436.web.channel import Channel
from monitor436.web.door import HttpDoor
from monitor436.web.route import Route

NOW = 1_800_000_000.0  # wall clock
TOKENS = {name: spelt_token(bytes([number]) * 32) for number, name in enumerate(("reader", "writer", "boss", "late"))}
WEB1 = spelt_token(b"\7" * 32)
KEPT = [
    Token("reader", hashed(TOKENS["reader"]), ("read",)),
    Token("writer", hashed(TOKENS["writer"]), ("metrics",)),
    Token("boss", hashed(TOKENS["boss"]), ("admin",), NOW - 10, NOW + 10),
    Token("late", hashed(TOKENS["late"]), ("read", "metrics", "admin"), NOW - 10, NOW - 1),
    Token("web1", hashed(WEB1), ("metrics",), host="web1"),
]
PEER = "192.0.2.9"


class SiteStub:
    """A site's keys."""

    keys = SiteKeys(b"k" * 32, b"b" * 32)


class Wire(StringTransport):
    """A transport that can be full: then whoever writes is told to stop, as a socket's buffer does it."""

    room: int | None = None  # bytes until it is full; None: never

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.room is not None and len(self.value()) >= self.room and self.producer is not None:
            self.producer.pauseProducing()

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()

    aborted = False


class Answered:
    """One answer as it came: status, header fields in lower case, body."""

    def __init__(self, status: int, fields: dict[str, str], body: bytes) -> None:
        self.status = status
        self.fields = fields
        self.body = body

    @property
    def value(self) -> Any:
        """The body as JSON."""
        return json.decode(self.body)


class Conversation:
    """One connection to a door."""

    def __init__(self, door: HttpDoor, peer: str = PEER) -> None:
        self.wire = Wire(IPv4Address("TCP", "127.0.0.1", 4380), IPv4Address("TCP", peer, 40000))
        self.channel: Channel = door.connections.buildProtocol(None)
        self.channel.makeConnection(self.wire)

    def send(self, data: bytes) -> None:
        """What the client sends."""
        self.channel.dataReceived(data)

    def answers(self, head: bool = False) -> list[Answered]:
        """Everything that came back and is whole, without interim answers; then it is forgotten."""
        rest, found = self.wire.value(), []
        while b"\r\n\r\n" in rest:
            top, _, rest = rest.partition(b"\r\n\r\n")
            first, *lines = top.decode("latin-1").split("\r\n")
            fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            status = int(first.split()[1])
            if status == 100:
                continue
            length = 0 if head else int(fields.get("content-length", "0"))
            found.append(Answered(status, fields, rest[:length]))
            rest = rest[length:]
        self.wire.clear()
        return found

    def leave(self) -> None:
        """The client is gone."""
        self.channel.connectionLost(Failure(ConnectionDone()))

    @property
    def closed(self) -> bool:
        """Whether the door has closed it."""
        return bool(self.wire.disconnecting or self.wire.aborted)


def door(*routes: Route, http: Http | None = None, clock: Clock | None = None, **more: Any) -> HttpDoor:
    """A door that does not listen."""
    clock = clock or Clock()
    tokens = Tokens(KEPT)
    return HttpDoor(
        http or Http(),
        routes,
        lambda shown, now: tokens.find(shown),
        SiteStub(),
        clock,
        clock=clock.seconds,
        wall=lambda: NOW,
        **more,
    )


def request(method: str, path: str, token: str = "", body: bytes | None = None, *lines: str) -> bytes:
    """A request as bytes."""
    head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *lines]
    if token:
        head.append(f"Authorization: Bearer {token}")
    if body is not None:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + (body or b"")


def ask(
    at: HttpDoor, method: str, path: str, token: str = "", body: bytes | None = None, *lines: str, peer: str = PEER
) -> Answered:
    """One request on a connection of its own, and its one answer."""
    talk = Conversation(at, peer)
    talk.send(request(method, path, token, body, *lines))
    [answered] = talk.answers(method == "HEAD")
    talk.leave()
    return answered
