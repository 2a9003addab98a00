"""Lines of syslog as RFC 5424 has them: over UDP (RFC 5426), TCP with counted octets (RFC 6587), or a local socket."""

import os
import re
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from monitor436.model.notify.notice import Item, Notice
from monitor436.model.notify.wording import item_lines, plain
from monitor436.model.settings.notify import Syslog
from monitor436.notifiers.notifier import NotSent

SEVERITIES = {"info": 6, "warning": 4, "critical": 2}
MOST = 2000  # bytes of a line: what every receiver takes
NOT_IN_NAMES = re.compile(r"[^!-~]|[=\]\"]")


class SyslogNotifier:
    """A line for each item, with structured data `m436@32473`: key, host, check, severity."""

    refresh = 0.0

    def __init__(self, server: str, syslog: Syslog, reactor: Any) -> None:
        self._syslog = syslog
        self._reactor = reactor

    async def send(self, notice: Notice) -> None:
        """Hand over every line."""
        told = [line(notice, item, self._syslog.facility) for item in notice.items]
        running = Deferred.fromCoroutine(self._hand_over(told))
        call = self._reactor.callLater(self._syslog.time_limit, running.cancel)
        try:
            await running
        except CancelledError:
            raise NotSent(f"not handed over within {self._syslog.time_limit:g} s").at(self._place) from None
        except OSError as problem:
            raise NotSent(problem.strerror or str(problem)).at(self._place) from None
        except Exception as problem:  # of names and connections
            raise NotSent(str(problem) or type(problem).__name__).at(self._place) from None
        finally:
            if call.active():
                call.cancel()

    async def restate(self, items: Sequence[Item]) -> None:
        """It is told once."""

    @property
    def _place(self) -> str:
        return self._syslog.path if self._syslog.over == "unix" else f"{self._syslog.host}:{self._syslog.port}"

    async def _hand_over(self, told: list[bytes]) -> None:
        if self._syslog.over == "tcp":
            await self._stream(b"".join(b"%d %s" % (len(each), each) for each in told))
            return
        if self._syslog.over == "udp":
            address = await self._reactor.resolve(self._syslog.host)
            place: Any = (address, self._syslog.port)
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
        else:
            place, family = self._syslog.path, socket.AF_UNIX
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
            sender.connect(place)
            for each in told:
                sender.send(each)

    async def _stream(self, data: bytes) -> None:
        endpoint = HostnameEndpoint(self._reactor, self._syslog.host.encode("idna"), self._syslog.port)
        protocol: Any = await endpoint.connect(Factory.forProtocol(_Writer))
        try:
            protocol.transport.write(data)
            protocol.transport.loseConnection()
            await protocol.ended
        except CancelledError:
            protocol.transport.abortConnection()
            raise


class _Writer(Protocol):
    """`ended` fires when everything was written and the connection is closed."""

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Cleanly, or not."""
        if self.ended.called:
            return
        if reason.check(type(connectionDone.value)):
            self.ended.callback(None)
        else:
            self.ended.errback(reason)


def line(notice: Notice, item: Item, facility: int) -> bytes:
    """An item as one line; no text in it can end the line or its structured data."""
    priority = facility * 8 + SEVERITIES[item.severity]
    stamp = datetime.fromtimestamp(notice.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    names = {"key": notice.key, "host": item.host, "check": item.check, "what": item.what, "severity": item.severity}
    data = " ".join(f'{name}="{_quoted(value)}"' for name, value in names.items() if value)
    server = NOT_IN_NAMES.sub("_", notice.server)[:255] or "-"
    head = f"<{priority}>1 {stamp} {server} monitor436 {os.getpid()} {item.what} [m436@32473 {data}] "
    text = "; ".join(" ".join(each.split()) for each in item_lines(item))
    return (head.encode() + text.encode())[:MOST].decode("utf-8", "ignore").encode()


def _quoted(value: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", plain(value)[:200])
