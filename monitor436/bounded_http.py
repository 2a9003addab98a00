"""HTTP for whoever asks one thing: one request a connection, bounded in bytes, in time, and in number."""

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IHandshakeListener, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http import Request as HTTPRequest
from twisted.web.resource import Resource
from twisted.web.server import Request, Site
from zope.interface import implementer

from monitor436.model.server.crowd import Crowd, Strangers

MAX_BODY = 4096  # bytes of a request
MAX_DIGITS = 18  # of Content-Length: of thousands Python makes no number, and a traceback
SHAKEN = 5.0  # seconds from the connection to the end of its TLS handshake
ASKED = 15.0  # seconds from the connection to the last byte of its request, TLS and all
WHOLE = 60.0  # seconds of a connection, with its answer


class BoundedRequest(Request):
    """A request whose body may have MAX_BODY bytes, in chunks or not: twisted.web itself has no limit."""

    channel: "BoundedChannel"

    def gotLength(self, length: int | None) -> None:
        if length is not None and length > MAX_BODY:
            self._refuse()
        super().gotLength(min(length or 0, MAX_BODY))

    def handleContentChunk(self, data: bytes) -> None:
        if self.content is not None and self.content.tell() + len(data) > MAX_BODY:
            self._refuse()
            return
        super().handleContentChunk(data)

    def _refuse(self) -> None:
        channel = self.channel
        if not channel.over:
            channel.write(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            channel.loseConnection()


@implementer(IHandshakeListener)
class BoundedChannel(HTTPChannel):
    """A connection with deadlines that no drop of bytes puts off: for its handshake, for its request, for all of it.

    It is a stranger among the crowd until it was answered well, and is ended where a newcomer finds no room. When it is
    `over`, which is as soon as it was answered, whatever still comes is thrown away: twisted.web would read on.
    """

    factory: "BoundedSite"
    transport: Any
    over = False
    _inside = False  # it counts as one of the crowd

    def __init__(self) -> None:
        super().__init__()
        self._ends: list[Any] = []  # the calls at the ends of its times
        self._shaken: Any = None  # that of its handshake

    def connectionMade(self) -> None:
        super().connectionMade()
        if not self._enter():
            self._cut()
            return
        self._ends.append(self.callLater(WHOLE, self.timeoutConnection))
        if ISSLTransport.providedBy(self.transport):
            self._shaken = self.callLater(SHAKEN, self.timeoutConnection)
            self._ends.append(self._shaken)

    def handshakeCompleted(self) -> None:
        """TLS is there; what remains is the time for the request."""
        if self._shaken is not None and self._shaken.active():
            self._shaken.cancel()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.over = True
        super().connectionLost(reason)
        self._leave()

    def dataReceived(self, data: bytes) -> None:
        if not self.over:
            super().dataReceived(data)

    def allContentReceived(self) -> None:
        if not self.over:
            super().allContentReceived()

    def lineLengthExceeded(self, line: bytes) -> None:
        self._respondToBadRequestAndDisconnect()

    def requestDone(self, request: HTTPRequest) -> None:
        if request.code < 400:
            self.factory.strangers.discard(self, self._peer())
        super().requestDone(request)

    def loseConnection(self) -> None:
        """Everything was said."""
        self.over = True
        super().loseConnection()

    def resetTimeout(self) -> None:
        """Called for every piece of data: who sends drop by drop would never be too slow."""

    def timeoutConnection(self) -> None:
        """A deadline has passed. Nothing is written of it: a stranger could fill the log."""
        self.factory.crowd.late += 1
        self._cut()

    def give_way(self) -> None:
        """Somebody else gets its room."""
        self.factory.crowd.displaced += 1
        self._cut()

    def _enter(self) -> bool:
        site, address, now = self.factory, self._peer(), self.factory.monotonic()
        other = site.strangers.gives_way(address, now)
        if other is not None:
            other.give_way()
        self._inside = site.crowd.enter(address)
        if self._inside:
            site.strangers.add(self, address, now)
        return self._inside

    def _leave(self) -> None:
        if self._inside:
            self._inside = False
            self.factory.crowd.leave(self._peer())
            self.factory.strangers.discard(self, self._peer())
        for end in self._ends:
            if end.active():
                end.cancel()
        self._ends.clear()

    def _cut(self) -> None:
        self.over = True
        self.setTimeout(None)
        self._leave()  # before the reactor comes round to it: there is somebody who wants to enter
        self.transport.abortConnection()

    def checkPersistence(self, request: HTTPRequest, version: bytes) -> bool:
        """Whoever wants more comes again."""
        request.responseHeaders.setRawHeaders(b"connection", [b"close"])
        return False

    def headerReceived(self, line: bytes) -> bool:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and len(value.strip()) > MAX_DIGITS:
            self._respondToBadRequestAndDisconnect()
            return False
        return bool(super().headerReceived(line))

    def _respondToBadRequestAndDisconnect(self) -> None:
        if not self.over:
            super()._respondToBadRequestAndDisconnect()

    def _send100Continue(self) -> None:
        if not self.over:
            super()._send100Continue()

    def _peer(self) -> str:
        return str(getattr(self.transport.getPeer(), "host", ""))


class BoundedSite(Site):
    """Serves pages to a crowd, and writes no line for each request: a fleet that comes together would fill the log.

    `name` is what the log calls it when it begins to listen.
    """

    protocol = BoundedChannel  # type: ignore[assignment]
    noisy = False
    displayTracebacks = False

    def __init__(
        self, root: Resource, crowd: Crowd, name: str, reactor: Any, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(root, requestFactory=BoundedRequest, timeout=ASKED, reactor=reactor)
        self.crowd = crowd
        self.strangers: Strangers[BoundedChannel] = Strangers(crowd)
        self.monotonic = monotonic
        self._name = name

    def logPrefix(self) -> str:
        """What Twisted's log begins with."""
        return self._name

    def log(self, request: HTTPRequest) -> None:
        pass
