"""One connection to an HTTP server: one request at a time, and the connection lasts when both sides want it to."""

from collections.abc import Callable
from typing import Any

from twisted.internet import error, ssl
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure as Problem
from zope.interface import implementer

from monitor436.probes.probe import Failure
from monitor436.probes.web.bodies import Bodies
from monitor436.probes.web.reading import Reading
from monitor436.probes.web.stream import Stream, unconnected


@implementer(IHandshakeListener)
class Connection(Protocol):
    """Made by `connect`. `ask` gives the body of the answer; `free(self)` is called when it can be asked again.

    `gone(self)` is called once it is closed.
    """

    def __init__(self, ready: "Callable[[Connection | Failure], None]", over_tls: bool) -> None:
        self._ready: Callable[[Connection | Failure], None] | None = ready
        self._over_tls = over_tls
        self._reading: Reading | None = None
        self._answer: Deferred[bytes] | None = None
        self._bodies: Bodies | None = None
        self._large = False  # the body has its room among them, or waits for it
        self.free: Callable[[Connection], None] = Connection.close
        self.gone: Callable[[Connection], None] = _nobody
        self.key: object = None
        self.heard = False  # the server has begun to say something since it was asked
        self.closed = False

    @property
    def begun(self) -> bool:
        """Whether the header of the answer that is awaited is complete."""
        return self._reading is not None and self._reading.begun

    def ask(self, request: bytes, limit: int, bodies: Bodies) -> "Deferred[bytes]":
        """Send the request; fails with Failure. Whoever cancels closes the connection.

        A large answer comes when there is room for it among `bodies`.
        """
        self._reading, self._bodies = Reading(limit), bodies
        self.heard = False
        answer: Deferred[bytes] = Deferred(self._cancelled)
        self._answer = answer
        self.transport.write(request)  # type: ignore[union-attr]
        return answer

    def fail(self, failure: Failure) -> None:
        """No longer wait for the answer, for this reason; the connection ends."""
        answer = self._over()
        self.abort()
        if answer is not None:
            answer.errback(Problem(failure))

    def close(self) -> None:
        """End it as one does when nothing is on its way; over TLS that would wait for the peer's farewell."""
        if self._over_tls:
            self.abort()
        elif not self.closed:
            self.closed = True
            self.transport.loseConnection()  # type: ignore[union-attr]

    def abort(self) -> None:
        """End it now; what is on its way is dropped."""
        if not self.closed:
            self.closed = True
            self.transport.abortConnection()  # type: ignore[union-attr]

    def connectionMade(self) -> None:
        if self._over_tls:
            self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]
        else:
            self._stands(self)

    def connectionFailed(self, failure: Failure) -> None:
        """It never stood."""
        self.closed = True
        self._stands(failure)

    def handshakeCompleted(self) -> None:
        self._stands(self)

    def dataReceived(self, data: bytes) -> None:
        reading = self._reading
        if reading is None:  # nobody asked
            self.abort()
            return
        self.heard = True
        try:
            done = reading.take(data)
        except Failure as failure:
            if reading.keep and reading.begun:
                self._settle(Problem(failure), True)
            else:
                self.fail(failure)
            return
        if done:
            self._settle(reading.body, reading.keep)
        elif size := reading.large:
            self._large = True
            self._bodies.want(self.transport, size)  # type: ignore[union-attr]

    def connectionLost(self, reason: Problem = connectionDone) -> None:
        self.closed = True
        if self._ready is not None:
            self._stands(lost_in_handshake(reason))
        reading = self._reading
        if reading is not None:
            try:
                reading.ended()
            except Failure as failure:
                self.fail(failure)
            else:
                self._settle(reading.body, False)
        self.gone(self)

    def _stands(self, outcome: "Connection | Failure") -> None:
        ready, self._ready = self._ready, None
        if ready is not None:
            ready(outcome)

    def _settle(self, outcome: "bytes | Problem", keep: bool) -> None:
        answer = self._over()
        if keep and not self.closed:
            self.free(self)
        else:
            self.close()
        if answer is not None:
            answer.callback(outcome)

    def _over(self) -> "Deferred[bytes] | None":
        """Nothing is awaited any more; who awaited it."""
        answer, self._answer = self._answer, None
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.forget()
        if self._large:
            self._large = False
            self._bodies.leave(self.transport)  # type: ignore[union-attr]
        return answer

    def _cancelled(self, answer: object) -> None:
        self._over()
        self.abort()


def _nobody(connection: Connection) -> None:
    pass


class Connecting(ClientFactory):
    """One attempt to connect to an address; `made` fires with a Connection, or fails with Failure.

    `shaking`: the connection stands, and TLS is being agreed on. Whoever cancels `made` ends the attempt.
    """

    noisy = False
    shaking = False
    _stopped = False

    def __init__(self, creator: Any = None) -> None:
        self.made: Deferred[Connection] = Deferred(self._cancelled)
        self._connector: Any = None
        self._stream: Stream | None = None
        self._share: Any = None
        self._connection: Connection | None = None
        self._creator = creator

    def start(
        self, reactor: Any, address: str, port: int, within: float | None, begun: Stream | None = None
    ) -> "Deferred[Connection]":
        """Begin, or go on with what has `begun`; `within` seconds, or as long as it takes."""
        if self._creator is not None:
            factory = TLSMemoryBIOFactory(self._creator, True, self)
            factory.noisy = False
            self._connector = reactor.connectTCP(address, port, factory, timeout=within)
            return self.made
        self._stream = begun or Stream(reactor, address, port)
        failure = self._stream.tell(Connection(self._outcome, False))
        if failure is not None:
            self._outcome(failure)
        elif within is not None and not self.made.called:
            self._share = reactor.callLater(within, self._late)
        return self.made

    def stop(self) -> None:
        """Give up; `made` will not fire."""
        self._stopped = True
        self._no_share()
        if self._connection is not None:
            self._connection.abort()
        elif self._stream is not None:
            self._stream.abortConnection()
        elif self._connector is not None:
            self._connector.stopConnecting()

    def buildProtocol(self, addr: object) -> Connection:
        self.shaking = self._creator is not None
        self._connection = Connection(self._outcome, self.shaking)
        return self._connection

    def clientConnectionFailed(self, connector: object, reason: Problem) -> None:
        self._outcome(not_connected(reason.value))

    def _cancelled(self, made: object) -> None:
        self.stop()

    def _late(self) -> None:
        self._share = None
        self._outcome(Failure("connect", "does not answer attempts to connect"))
        self.stop()

    def _no_share(self) -> None:
        if self._share is not None:
            self._share.cancel()
            self._share = None

    def _outcome(self, outcome: Connection | Failure) -> None:
        if self._stopped or self.made.called:
            return
        self._no_share()
        if isinstance(outcome, Failure):
            self.made.errback(Problem(outcome))
        else:
            self.made.callback(outcome)


def not_connected(problem: BaseException | None) -> Failure:
    """Why there is no connection, as Twisted says it."""
    if isinstance(problem, error.TimeoutError):
        return Failure("connect", "does not answer attempts to connect")
    if isinstance(problem, error.ConnectBindError):
        return Failure("unreachable", f"this machine can open no more connections: {problem.args[1:] or problem}")
    code = getattr(problem, "osError", None) or (problem.args[0] if problem and problem.args else 0)
    return unconnected(code) if isinstance(code, int) else Failure("unreachable", f"cannot be reached: {problem}")


def lost_in_handshake(reason: Problem) -> Failure:
    """Why TLS was not agreed on."""
    problem = reason.value
    if isinstance(problem, ssl.SSL.Error):  # type: ignore[attr-defined]
        said = problem.args[0] if problem.args else []
        words = ", ".join(str(entry[-1]) for entry in said if entry) if isinstance(said, list) else str(said)
        return Failure("tls", f"TLS fails: {words or 'the peer ended it'}")
    if isinstance(problem, (error.ConnectionLost, error.ConnectionDone)):
        return Failure("tls", "closed the connection while TLS was being agreed on")
    return Failure("tls", f"its certificate is not for this name: {type(problem).__name__}")
