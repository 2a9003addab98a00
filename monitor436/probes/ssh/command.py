"""One command on a host over ssh: what RFC 4254 asks of a client that opens one session, and nothing more.

The window is what may be printed, and is never widened: a host cannot send more than that.
"""

import struct
from collections.abc import Callable
from typing import Any

from twisted.conch.ssh.common import NS, getNS
from twisted.conch.ssh.service import SSHService

from monitor436.model.sweep.remote import Said
from monitor436.probes.probe import Failure
from monitor436.probes.ssh.transport import plain

LIMIT = 64 << 10  # bytes that a command may print
PACKET = 32 << 10  # bytes of data in a packet, what every server keeps to
MOST_ERRORS = 4 << 10  # bytes of complaints that are kept

GLOBAL_REQUEST, REQUEST_FAILURE = 80, 82
OPEN, OPENED, NOT_OPENED, ADJUST, DATA, EXTENDED, EOF, CLOSE, REQUEST, SUCCESS, FAILED = range(90, 101)
_PROHIBITED = 1


class Command(SSHService):
    """Runs `command` as soon as a user is authenticated; `done(said)` or `failed(failure)` is called once."""

    name = b"ssh-connection"

    def __init__(
        self, command: bytes, limit: int, done: Callable[[Said], object], failed: Callable[[Failure], object]
    ) -> None:
        self._command = command
        self._limit = limit
        self._done = done
        self._failed = failed
        self._peer: bytes | None = None  # the number that the host gave the channel
        self._printed: list[bytes] = []
        self._errors = b""
        self._left = limit
        self._status: int | None = None
        self._signal = ""

    def serviceStarted(self) -> None:
        self._send(OPEN, NS(b"session") + struct.pack(">3L", 0, self._limit + 1, PACKET))

    def serviceStopped(self) -> None:
        """The transport tells who closed the connection."""

    def packetReceived(self, messageNum: int, packet: bytes) -> None:
        hear = self._HEARD.get(messageNum)
        if hear is not None:
            hear(self, packet)

    def _send(self, number: int, payload: bytes) -> None:
        self.transport.sendPacket(number, payload)  # type: ignore[union-attr]

    def _opened(self, packet: bytes) -> None:
        if self._peer is None:
            self._peer = packet[4:8]
            self._send(REQUEST, self._peer + NS(b"exec") + b"\1" + NS(self._command))
            self._send(EOF, self._peer)

    def _not_opened(self, packet: bytes) -> None:
        self._failed(Failure("command", f"opens no session: {plain(getNS(packet[8:])[0])}"))

    def _data(self, packet: bytes) -> None:
        data = getNS(packet[4:])[0]
        if self._room(data):
            self._printed.append(data)

    def _extended(self, packet: bytes) -> None:
        data = getNS(packet[8:])[0]
        if self._room(data):
            self._errors = (self._errors + data)[:MOST_ERRORS]

    def _room(self, data: bytes) -> bool:
        self._left -= len(data)
        if self._left < 0:
            self._failed(Failure("too_long", f"the command printed more than {self._limit:,} bytes"))
        return self._left >= 0

    def _request(self, packet: bytes) -> None:
        kind, rest = getNS(packet[4:])
        if kind == b"exit-status":
            (self._status,) = struct.unpack(">L", rest[1:5])
        elif kind == b"exit-signal":
            self._signal = plain(getNS(rest[1:])[0])
        elif rest[:1] != b"\0" and self._peer:
            self._send(FAILED, self._peer)

    def _refused(self, packet: bytes) -> None:
        self._failed(Failure("command", "does not run commands for this user"))

    def _closed(self, packet: bytes) -> None:
        if self._signal:
            self._failed(Failure("command", f"the command was ended by signal {self._signal}"))
        elif self._status is None:
            self._failed(Failure("command", "ended the command without an exit status"))
        else:
            self._done(Said(self._status, b"".join(self._printed), self._errors))

    def _global(self, packet: bytes) -> None:
        _, rest = getNS(packet)
        if rest[:1] != b"\0":
            self._send(REQUEST_FAILURE, b"")

    def _asked_to_open(self, packet: bytes) -> None:
        _, rest = getNS(packet)
        self._send(NOT_OPENED, rest[:4] + struct.pack(">L", _PROHIBITED) + NS(b"") + NS(b""))

    _HEARD: dict[int, Callable[[Any, bytes], None]] = {
        GLOBAL_REQUEST: _global,
        OPEN: _asked_to_open,
        OPENED: _opened,
        NOT_OPENED: _not_opened,
        DATA: _data,
        EXTENDED: _extended,
        CLOSE: _closed,
        REQUEST: _request,
        FAILED: _refused,
    }
