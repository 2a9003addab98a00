"""A UDP port that takes bursts: what arrived together is handed on together, and answers go straight to the socket.

twisted's own port calls its protocol for each datagram and looks at each answer's address; both cost a server of many
hosts more than the system calls do.
"""

import socket
import struct
import time
from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from zope.interface import implementer

from monitor436.agent.wire import MAX_DATAGRAM

Address = tuple[str, int]
Burst = list[tuple[bytes, Address]]
BURST = 64  # datagrams that are handed on together
BURSTS = 4  # until other work of the reactor gets its turn: while one is taken, the next arrives
TURN = 0.01  # seconds until it gets it in any case: a burst of greetings costs fifty times one of heartbeats
SEEN = MAX_DATAGRAM + 1  # bytes taken of a datagram: enough to see that it is too long
SO_RCVBUFFORCE = getattr(socket, "SO_RCVBUFFORCE", 33)
SO_MEMINFO = 55
_MEMINFO = struct.Struct("9I")  # linux/sock_diag.h; the last one counts datagrams that were dropped


class Receiver(Protocol):
    """Who takes what arrives."""

    def arrived(self, burst: Burst) -> None:
        """These datagrams came, in this order; each with the address that it says it came from."""


@implementer(IReadDescriptor)
class UdpPort:
    """A bound IPv4 socket in the reactor, with a receive buffer of `buffer` bytes if the kernel allows it.

    `write(datagram, address)` sends, and may raise OSError. Raises OSError where the address cannot be had.
    """

    def __init__(
        self,
        address: Address,
        buffer: int,
        receiver: Receiver,
        reactor: IReactorFDSet,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._receiver = receiver
        self._reactor = reactor
        self._monotonic = monotonic
        self.write = self._socket.sendto
        try:
            self._enlarge(buffer)
            self._socket.bind(address)
        except OSError:
            self._socket.close()
            raise

    @property
    def port(self) -> int:
        """The port that is open."""
        return self._socket.getsockname()[1]  # type: ignore[no-any-return]

    @property
    def buffer(self) -> int:
        """How many bytes of datagrams, with what the kernel needs for each, may wait for us."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    @property
    def dropped(self) -> int:
        """How many datagrams the kernel dropped so far, because nobody took them in time."""
        return _MEMINFO.unpack(self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size))[-1]  # type: ignore[no-any-return]

    def start(self) -> None:
        """Begin to listen."""
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Stop listening, and close."""
        self._reactor.removeReader(self)
        self._socket.close()

    def doRead(self) -> None:
        """Take what waits, for a while."""
        end = self._monotonic() + TURN
        for _ in range(BURSTS):
            burst = self._burst()
            if not burst:
                return
            self._receiver.arrived(burst)
            if self._monotonic() >= end:
                return

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """What the reactor calls this port."""
        return "udp"

    def connectionLost(self, reason: object) -> None:
        """The reactor let go of the socket."""

    def _burst(self) -> Burst:
        receive = self._socket.recvfrom
        burst: Burst = []
        try:
            while len(burst) < BURST:
                burst.append(receive(SEEN))
        except OSError:
            pass  # nothing more for now, or news of a datagram sent earlier that did not arrive
        return burst

    def _enlarge(self, size: int) -> None:
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, size)  # may exceed the kernel's limit
        except OSError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)  # may not, and gets less then
