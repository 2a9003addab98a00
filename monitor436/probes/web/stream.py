"""A TCP connection as small as a poll needs it: one socket, one reader of the reactor, one request at a time.

Twisted's own client makes a connector, a timer, a factory and a look-up for each, which is more than the asking costs:
to begin ten thousand of them took 1.1 s, where the kernel alone needs 0.2 s.
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

_FAMILY = {False: socket.AF_INET, True: socket.AF_INET6}
_KIND = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
AT_A_TIME = 1 << 16  # bytes that are read
HARD = struct.pack("ii", 1, 0)  # SO_LINGER: what is on its way is dropped
STOOD = (0, errno.EISCONN, errno.ECONNRESET)  # the last: and the peer has ended it since
OWN = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)  # this machine is at its end


@implementer(IReadWriteDescriptor)
class Stream:
    """On its way to an address as soon as it is made; nobody hears of it before `tell`.

    From then on its protocol hears, as of Twisted's transports, what comes; and `connectionFailed`, if it never stood.
    """

    __slots__ = ("_code", "_connecting", "_lost", "_pending", "_protocol", "_reactor", "_socket", "_where", "fileno")

    def __init__(self, reactor: Any, address: str, port: int) -> None:
        self._reactor = reactor
        self._protocol: Any = None
        self._pending = b""  # of a request that the kernel did not take at once
        self._connecting = False
        self._lost = False
        self._where = (address, port)
        try:
            made = socket.socket(_FAMILY[":" in address], _KIND)
        except OSError as problem:
            self._lost, self._code = True, problem.errno or errno.EMFILE
            return
        self._socket, self.fileno = made, made.fileno
        self._code = self._connect()

    def tell(self, protocol: Any) -> Failure | None:
        """What comes of it `protocol` hears, maybe at once; gives why it could not even begin."""
        if self._code == errno.EINPROGRESS:
            self._code = self._connect()  # who is near has answered by now
        if self._code in STOOD:
            self._protocol = protocol
            self._stands()
        elif self._code in (errno.EINPROGRESS, errno.EALREADY):
            self._protocol = protocol
            self._code, self._connecting = 0, True
            self._reactor.addWriter(self)
        else:
            self.drop()
            return unconnected(self._code)
        return None

    def drop(self) -> None:
        """Nobody will want to hear of it; whoever is told of it already ends it otherwise."""
        if self._protocol is None and not self._lost:
            self._lost = True
            self._socket.close()

    def _connect(self) -> int:
        try:
            return self._socket.connect_ex(self._where)
        except (OSError, OverflowError):  # an address that is none, or a port
            return errno.EINVAL

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
            self._code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if self._code:  # epoll tells of it otherwise, select does not
                return CONNECTION_LOST
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
        if self._connecting:
            code = self._code or self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
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
