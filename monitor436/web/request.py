"""A request under way: its body comes in, within its bounds, and its answer goes out, unless the client leaves."""

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.python.failure import Failure
from twisted.web.http import Request

from monitor436.web.problem import phrase, problem, too_large
from monitor436.web.reception import Head, Received
from monitor436.web.route import Answer, Refusal, Stream
from monitor436.web.tls import of_connection
from monitor436.web.writing import PIECE, Pieces, fields

if TYPE_CHECKING:
    from monitor436.web.channel import Channel

DISCARD = 1 << 16  # bytes of a body that nobody wants that are read nevertheless, so that the connection may stay
MOST_HELD = 64 << 20  # bytes of all bodies that are held at once
BODILESS = (204, 304)
LATE = 5.0  # seconds in which a client may take the answer that there is none


class DoorRequest(Request):
    """One request. What is known from the head is settled before a byte of the body is taken."""

    channel: "Channel"

    def __init__(self, channel: "Channel", queued: object = False) -> None:
        super().__init__(channel, False)
        self.refused: Refusal | None = None
        self._reception = channel.factory.reception
        self._limits = channel.factory.limits
        self._began = self._reception.clock()
        self._received: Received | None = None
        self._most = DISCARD
        self._body = bytearray()  # chunks of two bytes each would take thirty times their room
        self._taken = 0  # bytes of the body
        self._held = 0  # those that are kept
        self._running: Deferred[Any] | None = None
        self._secure = channel.isSecure()

    def parseCookies(self) -> None:
        """Whoever wants the header reads it."""

    def gotLength(self, length: int | None) -> None:
        """The head is complete; `length` is that of the body, None for one in chunks."""
        received = self._received = self._reception.receive(self._head())
        self.refused = received.refusal
        if received.route is not None and received.route.body is not None:
            self._most = received.route.most
        if length is not None and length > self._most:
            self._refuse(too_large(self._most))
        waits = b"100-continue" in (self.getHeader(b"expect") or b"").lower()
        if self.refused is not None and (waits or (length or 0) > DISCARD):
            self._cut()

    def handleContentChunk(self, data: bytes) -> None:
        self._taken += len(data)
        if self.refused is None and self._taken > self._most:
            self._refuse(too_large(self._most))
        elif self.refused is None and self._reception.held + len(data) > MOST_HELD:
            self._refuse(Refusal(503, "Service Unavailable", "too much is coming in at once", {"Retry-After": "1"}))
        if self.refused is None:
            self._body += data
            self._held += len(data)
            self._reception.held += len(data)
        elif self._taken > DISCARD:
            self._cut()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All of it is here. twisted.web would read forms, too; nobody wants them."""
        self.method, self.uri, self.clientproto = command, path, version
        self.process()

    def process(self) -> None:
        received = self._received
        assert received is not None
        self.channel.enter("answer", self._limits.answer_time)
        if self.refused is not None or received.route is None:
            self._give(problem(self.refused or Refusal(404, "Not Found")))
            return
        self.notifyFinish().addErrback(self._left)
        content = bytes(self._body)
        self._body.clear()
        self._running = ensureDeferred(self._reception.answer(received.route, received.call, content))
        self._running.addCallbacks(self._give, self._ended)

    def late(self) -> bool:
        """The answer took too long: whether the client can still be told so."""
        if self.startedWriting or self._running is None:
            return False
        self._running.cancel()
        if not self.startedWriting:
            self.channel.persistent = False
            self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
            self.channel.enter("answer", LATE)
            self._give(problem(Refusal(503, "Service Unavailable", "the answer took too long", {"Retry-After": "5"})))
        return True

    def connectionLost(self, reason: Any) -> None:
        self._release()
        super().connectionLost(reason)

    def _head(self) -> Head:
        here = self.channel.getHost()
        named = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, values in self.requestHeaders.getAllRawHeaders()
            for value in values
        ]
        address = f"[{here.host}]" if ":" in getattr(here, "host", "") else getattr(here, "host", "localhost")
        return Head(
            self.channel._command.decode("ascii", "replace"),
            self.channel._path,
            named,
            str(getattr(self.client, "host", "")),
            self._secure,
            of_connection(self.channel.transport) if self._secure else None,
            f"{address}:{getattr(here, 'port', 0)}",
        )

    def _refuse(self, refusal: Refusal) -> None:
        self.refused = self.refused or refusal
        self._release()

    def _cut(self) -> None:
        assert self.refused is not None
        answer = problem(self.refused)
        self._count(answer.status, len(answer.body))
        self.channel.cut(answer, counted=True)

    def _left(self, reason: Failure) -> None:
        self._reception.measures.left += 1
        if self._running is not None:
            self._running.cancel()

    def _ended(self, failure: Failure) -> None:
        failure.trap(CancelledError)  # the client left, or has waited too long

    def _give(self, answer: Answer | Stream) -> None:
        if self._disconnected or self.finished or self.startedWriting:
            return
        status = answer.status if isinstance(answer, Answer) else 200
        self.setResponseCode(status, phrase(status).encode())
        for name, value in fields(answer, self._secure, self._reception.wall()):
            if status not in BODILESS or name != "Content-Type":
                self.responseHeaders.addRawHeader(name, value)
        if isinstance(answer, Answer):
            self._write_whole(answer, status)
        else:
            self._stream(answer)

    def _write_whole(self, answer: Answer, status: int) -> None:
        body = b"" if status in BODILESS else answer.body
        if status not in BODILESS:
            self.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
        if len(body) <= PIECE and not self.channel.paused:
            self.write(body)
            self._done()
        else:  # it is not done before the client takes it: until then its next request is not looked at
            self.write(b"")  # the head
            body = b"" if self.method == b"HEAD" else body
            Pieces(body, self, lambda: self.channel is None or self.channel.paused, self._done).begin()

    def _stream(self, stream: Stream) -> None:
        self.write(b"")
        if self.method == b"HEAD":
            self._done()
            return
        self.channel.enter("stream", None)
        self._count(200, 0)
        self.notifyFinish().addBoth(lambda _: stream.end())
        stream.begin(self)

    def _done(self) -> None:
        if self.producer is not None:
            self.unregisterProducer()
        self._count(self.code, self.sentLength)
        self._release()
        self.finish()

    def _count(self, status: int, sent: int) -> None:
        route = self._received.route if self._received else None
        seconds = self._reception.clock() - self._began
        self._reception.measures.answered(
            (route.method, route.path) if route else None, status, seconds, self._taken, sent
        )

    def _release(self) -> None:
        self._reception.held -= self._held
        self._held = 0
        self._body.clear()
