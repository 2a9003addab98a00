"""A connection of the HTTP door: none of its phases takes longer than it may, and whoever is refused is told why."""

from typing import Any, Literal

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolNegotiationFactory, ISSLTransport
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from zope.interface import implementer

from monitor436.model.server.crowd import Crowd
from monitor436.model.settings.http import Http
from monitor436.web.problem import problem
from monitor436.web.reception import Reception
from monitor436.web.request import DoorRequest
from monitor436.web.route import Answer, Refusal
from monitor436.web.writing import whole

LINGER = 2.0  # seconds for which a client may still send after it was refused, so that it reads why
LINGER_MOST = 4 << 20  # bytes of that
GRACE = 2.0  # seconds for an answer that is under way when the server stops
LONGEST_LENGTH = 18  # digits of Content-Length: Python takes no number of thousands
CLOSING = 5.0  # seconds until a connection that shall close is cut

Phase = Literal["fresh", "idle", "head", "body", "answer", "unread", "stream", "linger", "closing"]


class Channel(HTTPChannel):
    """HTTP/1.1 as twisted.web reads it, with a deadline for each phase that no drop of bytes puts off."""

    maxHeaders = 100
    totalHeadersSize = 16384  # bytes
    factory: "Connections"
    transport: Any

    def __init__(self) -> None:
        super().__init__()
        self.phase: Phase = "fresh"
        self.paused = False  # the client does not take what we write
        self._overdue = False  # its time is over; it is looked once more whether anything came
        self._discarded = 0

    @property
    def over(self) -> bool:
        """Whether nothing more is answered here."""
        return self.phase in ("linger", "closing")

    @property
    def peer(self) -> str:
        """The address of who is connected."""
        return str(getattr(self.transport.getPeer(), "host", ""))

    def close(self) -> None:
        """The server stops: an answer under way may still go out, and one that the kernel has not taken yet."""
        self.persistent = False
        if self.phase == "answer":
            self.enter("answer", GRACE)
        elif self.phase == "idle":
            self.enter("closing", GRACE)
            self.loseConnection()
        else:
            self.transport.abortConnection()

    def connectionMade(self) -> None:
        super().connectionMade()
        if not self.factory.enter(self):
            self.enter("closing", CLOSING)
            if not self._secure():  # and not even a handshake where there is TLS
                crowd = Refusal(503, "Service Unavailable", "too many connections", {"Retry-After": "5"})
                self.transport.write(whole(problem(crowd), False, self.factory.reception.wall()))
            self.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.factory.leave(self)

    def enter(self, phase: Phase, seconds: float | None) -> None:
        """What it waits for now, and for how long."""
        self.phase, self._overdue = phase, False
        self.setTimeout(seconds)

    def dataReceived(self, data: bytes) -> None:
        if self.over:
            self._discard(data)
            return
        self._begin()
        super().dataReceived(data)

    def resetTimeout(self) -> None:
        """Called for every piece of data: a client that sends drop by drop would never be too slow."""

    def lineReceived(self, line: bytes) -> None:
        if not self.over:
            self._begin()
            super().lineReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        if self.over:
            self._discard(data)
        else:
            super().rawDataReceived(data)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.cut(problem(Refusal(431, "Request Header Fields Too Large", "a line of the head is too long")))

    def headerReceived(self, line: bytes) -> bool:
        """A field of the head; where the body ends is said in one way, which nobody between us reads otherwise."""
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip()
        if (name == b"content-length" and len(value) > LONGEST_LENGTH) or (
            name == b"transfer-encoding" and (value.lower() != b"chunked" or self._transferDecoder is not None)
        ):
            self._respondToBadRequestAndDisconnect()
            return False
        return bool(super().headerReceived(line))

    def allHeadersReceived(self) -> None:
        self.enter("body", self.factory.limits.body_time)
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        if not self.over:
            super().allContentReceived()

    def requestDone(self, request: Any) -> None:
        self.phase = "idle"
        super().requestDone(request)
        if self.paused:  # twisted.web would go on reading requests, and heap up answers
            self.transport.pauseProducing()
        if self.phase == "idle":
            limits = self.factory.limits
            if not self.persistent:
                self.enter("closing", CLOSING + limits.answer_time * self.paused)
            elif self.paused:
                self.enter("unread", limits.answer_time)
            else:
                self.enter("idle", limits.idle)

    def pauseProducing(self) -> None:
        self.paused = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self.paused = False
        if self.phase == "unread":
            self.enter("idle", self.factory.limits.idle)
        super().resumeProducing()

    def timeoutConnection(self) -> None:
        """A phase took too long, unless what came while this process stood still ends it."""
        if not self._overdue:
            self._overdue = True
            self.setTimeout(0)
            return
        phase = self.phase
        if phase not in ("idle", "linger"):
            self.factory.crowd.late += 1
        if phase in ("head", "body"):
            self.cut(problem(Refusal(408, "Request Timeout", f"the {phase} of the request took too long")))
        elif phase == "answer" and self.requests and self.requests[0].late():
            pass
        elif phase in ("closing", "answer", "unread", "stream"):
            self.transport.abortConnection()
        else:
            self.enter("closing", CLOSING)
            self.loseConnection()

    def cut(self, answer: Answer, counted: bool = False) -> None:
        """Answer at once, whatever is still to come, and close. What comes is thrown away, so that this is read."""
        if self.over:
            return
        self.enter("linger", LINGER)
        self.persistent = False
        reception = self.factory.reception
        if not counted:
            reception.measures.answered(None, answer.status, 0.0, 0, len(answer.body))
        self.transport.write(whole(answer, self._secure(), reception.wall()))
        self.transport.resumeProducing()

    def _begin(self) -> None:
        if self.phase in ("fresh", "idle", "unread"):
            self.enter("head", self.factory.limits.header_time)

    def _discard(self, data: bytes) -> None:
        self._discarded += len(data)
        if self._discarded > LINGER_MOST:
            self.transport.abortConnection()

    def _secure(self) -> bool:
        return bool(ISSLTransport.providedBy(self.transport))

    def _respondToBadRequestAndDisconnect(self) -> None:
        """What twisted.web calls for a head that it cannot read; its own answer has no body."""
        self.cut(problem(Refusal(400, "Bad Request", "this is not HTTP as it should be")))

    def _send100Continue(self) -> None:
        """A client waits to be asked for its body; it is not, if the answer is known without it."""
        if not self.over and not self.requests[-1].refused:
            super()._send100Continue()


@implementer(IProtocolNegotiationFactory)
class Connections(ServerFactory):
    """Makes a Channel of each connection, and counts them."""

    noisy = False

    def __init__(self, reception: Reception, limits: Http, reactor: Any) -> None:
        self.reception = reception
        self.limits = limits
        self._reactor = reactor
        self.crowd = reception.measures.crowd = Crowd(limits.connections, limits.connections_each)
        self._open: set[Channel] = set()
        self._closed: Deferred[None] | None = None  # told when the last is gone

    def logPrefix(self) -> str:
        """What Twisted's log begins with, when it begins to listen."""
        return "HTTP door"

    def acceptableProtocols(self) -> list[bytes]:
        """What a client may choose in its TLS handshake."""
        return [b"http/1.1"]

    def buildProtocol(self, addr: Any) -> Any:
        channel = Channel()
        channel.factory = self
        channel.requestFactory = DoorRequest  # type: ignore[assignment]
        channel.callLater = self._reactor.callLater  # type: ignore[method-assign]
        channel.timeOut = self.limits.header_time  # type: ignore[assignment]
        return channel

    def close(self) -> Deferred[None]:
        """End every connection: the server stops. Answers under way are waited for, a little."""
        closed = self._closed = Deferred()
        for channel in list(self._open):
            channel.close()
        self._tell_if_closed()
        return closed

    def enter(self, channel: Channel) -> bool:
        """Whether there may be another connection of its address; then it counts."""
        if not self.crowd.enter(channel.peer, self.reception.trusts(channel.peer)):
            return False
        self._open.add(channel)
        return True

    def leave(self, channel: Channel) -> None:
        """One is gone."""
        if channel in self._open:
            self._open.remove(channel)
            self.crowd.leave(channel.peer)
            self._tell_if_closed()

    def _tell_if_closed(self) -> None:
        if self._closed is not None and not self._open:
            closed, self._closed = self._closed, None
            closed.callback(None)

    def log(self, request: Any) -> None:
        """twisted.web tells of each answer; they are counted, not written down."""
