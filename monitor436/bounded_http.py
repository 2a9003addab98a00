"""HTTP for whoever asks one thing: one request a connection, bounded in bytes, in time, and in number."""

from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http import Request as HTTPRequest
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from monitor436.model.server.crowd import Crowd

MAX_BODY = 4096  # bytes of a request
MAX_DIGITS = 18  # of Content-Length: of thousands Python makes no number, and a traceback
ASKED = 15.0  # seconds from the connection to the last byte of its request, TLS and all
WHOLE = 60.0  # seconds of a connection, with its answer


class BoundedRequest(Request):
    """A request whose body may have MAX_BODY bytes, in chunks or not: twisted.web itself has no limit."""

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
        transport = self.channel.transport
        if transport is not None:
            transport.write(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            transport.loseConnection()


class BoundedChannel(HTTPChannel):
    """A connection with two deadlines, which no drop of bytes puts off: for its request, and for all of it."""

    factory: "BoundedSite"
    transport: Any
    _whole: Any = None  # the call at the end of its time; None: it was not let in

    def connectionMade(self) -> None:
        super().connectionMade()
        if self.factory.crowd.enter(self._peer()):
            self._whole = self.callLater(WHOLE, self.timeoutConnection)
        else:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        if self._whole is not None:
            self.factory.crowd.leave(self._peer())
            if self._whole.active():
                self._whole.cancel()

    def resetTimeout(self) -> None:
        """Called for every piece of data: who sends drop by drop would never be too slow."""

    def timeoutConnection(self) -> None:
        """A deadline has passed. Nothing is written of it: a stranger could fill the log."""
        self.factory.crowd.late += 1
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

    def _peer(self) -> str:
        return str(getattr(self.transport.getPeer(), "host", ""))


class BoundedSite(Site):
    """Serves pages to a crowd, and writes no line for each request: a fleet that comes together would fill the log.

    `name` is what the log calls it when it begins to listen.
    """

    protocol = BoundedChannel  # type: ignore[assignment]
    noisy = False
    displayTracebacks = False

    def __init__(self, root: Resource, crowd: Crowd, name: str, reactor: Any) -> None:
        super().__init__(root, requestFactory=BoundedRequest, timeout=ASKED, reactor=reactor)
        self.crowd = crowd
        self._name = name

    def logPrefix(self) -> str:
        """What Twisted's log begins with."""
        return self._name

    def log(self, request: HTTPRequest) -> None:
        pass
