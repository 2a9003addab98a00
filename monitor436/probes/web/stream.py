"""A TCP connection as small as a poll needs it: one socket, one reader of the reactor, one request at a time.

Twisted's own client makes a connector, a timer, a factory and a look-up for each, which is more than the asking costs:
to begin ten thousand of them took 1.1 s.
"""

import errno
import os
import socket
import struct
from typing import Any

from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure as Problem
from zope.interface import implementer

from monitor436.probes.probe import Failure

AT_A_TIME = 1 << 16  # bytes that are read
HARD = struct.pack("ii", 1, 0)  # SO_LINGER: what is on its way is dropped
OWN = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)  # this machine is at its end


@implementer(IReadWriteDescriptor)
class Stream:
    """Tells `protocol`, as Twisted's transports do, what it hears; and `connectionFailed`, if it never stood."""

    __slots__ = ("_connecting", "_lost", "_pending", "_protocol", "_reactor", "_socket", "fileno")

    def __init__(self, reactor: Any, protocol: Any) -> None:
        self._reactor = reactor
        self._protocol = protocol
        self._pending = b""  # of a request that the kernel did not take at once
        self._connecting = False
        self._lost = False

    def connect(self, address: str, port: int) -> Failure | None:
        """Begin. What comes of it the protocol hears, maybe at once; gives why it cannot even begin."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        except OSError as problem:
            return unconnected(problem.errno or 0)
        self._socket, self.fileno = made, made.fileno
        where = (address, port)
        try:
            code = made.connect_ex(where)
            if code == errno.EINPROGRESS:
                code = made.connect_ex(where)  # who is near has answered by now
        except OSError as problem:  # an address that is none
            code = problem.errno or errno.EINVAL
        if code in (0, errno.EISCONN):
            self._stands()
        elif code in (errno.EINPROGRESS, errno.EALREADY):
            self._connecting = True
            self._reactor.addWriter(self)
        else:
            made.close()
            return unconnected(code)
        return None

    def write(self, data: bytes) -> None:
        """Send; what the kernel does not take is sent later."""
        if not self._pending:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # whoever reads hears of it
            if sent == len(data):
                return
            data = data[sent:]
        self._pending += data
        self._reactor.addWriter(self)

    def loseConnection(self) -> None:
        """End it."""
        if not self._lost:
            self.connectionLost(Problem(CONNECTION_DONE))

    def abortConnection(self) -> None:
        """End it now."""
        if not self._lost:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HARD)
            self.connectionLost(Problem(CONNECTION_LOST))

    def pauseProducing(self) -> None:
        """Hear nothing for a while."""
        self._reactor.removeReader(self)

    def resumeProducing(self) -> None:
        """Hear again."""
        if not self._lost:
            self._reactor.addReader(self)

    # What the reactor calls

    def doRead(self) -> Exception | None:  # type: ignore[override]
        """The reactor: there is something to read, or the end of it."""
        try:
            data = self._socket.recv(AT_A_TIME)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        self._protocol.dataReceived(data)
        return None

    def doWrite(self) -> Exception | None:  # type: ignore[override]
        """The reactor: the connection stands, or takes more."""
        if self._lost:
            return None
        if self._connecting:
            self._connecting = False
            self._reactor.removeWriter(self)
            self._stands()
            return None
        try:
            self._pending = self._pending[self._socket.send(self._pending) :]
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not self._pending:
            self._reactor.removeWriter(self)
        return None

    def connectionLost(self, reason: Problem) -> None:
        """The reactor: it is over."""
        if self._lost:
            return
        self._lost = True
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if self._connecting else 0
        self._socket.close()
        if self._connecting:
            self._protocol.connectionFailed(unconnected(code or errno.ECONNABORTED))
        else:
            self._protocol.connectionLost(reason)

    def logPrefix(self) -> str:
        """What the reactor calls it in its log."""
        return "poll"

    def _stands(self) -> None:
        self._reactor.addReader(self)
        self._protocol.makeConnection(self)


def unconnected(code: int) -> Failure:
    """Why there is no connection, by the number of the system's error."""
    if code == errno.ECONNREFUSED:
        return Failure("refused", "refuses connections: nothing listens there")
    if code == errno.ETIMEDOUT:
        return Failure("connect", "does not answer attempts to connect")
    why = os.strerror(code)
    if code in OWN:
        return Failure("unreachable", f"this machine can open no more connections: {why}")
    return Failure("unreachable", f"cannot be reached: {why}")
