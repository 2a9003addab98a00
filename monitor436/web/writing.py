"""How an answer goes onto the wire: the header fields that all have, and a body in pieces, as the client takes it."""

from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.web.http import datetimeToString
from zope.interface import implementer

from monitor436.web.problem import phrase
from monitor436.web.route import Answer

PIECE = 1 << 16  # bytes that are given to the transport at a time: it says stop when it has as much
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}  # a page that needs another says so in its own headers
YEAR = 365 * 86400


def fields(answer: Any, secure: bool, now: float) -> Iterator[tuple[str, str]]:
    """The header fields of an answer or Stream but for its length. `secure`: over TLS; `now` is wall-clock time."""
    own = {name.lower() for name in answer.headers}
    yield "Date", datetimeToString(now).decode()
    yield "Content-Type", answer.content_type
    if secure and "strict-transport-security" not in own:
        yield "Strict-Transport-Security", f"max-age={YEAR}"
    for name, value in ALWAYS.items():
        if name.lower() not in own:
            yield name, value
    yield from answer.headers.items()


def whole(answer: Answer, secure: bool, now: float) -> bytes:
    """An answer as bytes, after which the connection closes: for what is refused before there is a request."""
    lines = [f"HTTP/1.1 {answer.status} {phrase(answer.status)}"]
    lines += [f"{name}: {value}" for name, value in fields(answer, secure, now)]
    lines += [f"Content-Length: {len(answer.body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace") + answer.body


@implementer(IPushProducer)
class Pieces:
    """Writes `body` to `outlet` as fast as the client takes it, then calls `done`; `paused()`: it takes none now."""

    def __init__(self, body: bytes, outlet: Any, paused: Callable[[], bool], done: Callable[[], object]) -> None:
        self._rest = memoryview(body)
        self._outlet = outlet
        self._paused = paused
        self._done = done
        self._writing = False

    def begin(self) -> None:
        """From now on."""
        self._outlet.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        """The client takes bytes."""
        if self._writing or self._paused():  # what is written may be gone at once, and then we are called from within
            return
        self._writing = True
        while self._rest and not self._paused():
            piece, self._rest = self._rest[:PIECE], self._rest[PIECE:]
            self._outlet.write(bytes(piece))
        self._writing = False
        if not self._rest:
            done, self._done = self._done, lambda: None
            done()

    def pauseProducing(self) -> None:
        """It does not: `paused` says so too."""

    def stopProducing(self) -> None:
        """It is gone."""
        self._rest = memoryview(b"x")[:0]
        self._done = lambda: None
