"""Asks a target's URL by GET and gives the body: one deadline for all of it, and nothing that has no bound."""

import re
from base64 import b64encode
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from monitor436 import __version__
from monitor436.probes.descriptors import room
from monitor436.probes.names import Names
from monitor436.probes.probe import Failure, Target
from monitor436.probes.web.bodies import MOST_HELD, Bodies
from monitor436.probes.web.connection import Connection
from monitor436.probes.web.exchange import Exchange, begin
from monitor436.probes.web.stream import Stream
from monitor436.probes.web.tls import Creators, TlsOptions

LIMIT = 1 << 20  # bytes of a body
MOST_KEPT = 20_000  # connections that wait for the next round
MOST_REQUESTS = 100_000  # that are kept ready

SECURE = {"http": False, "https": True}
FIELDS = {
    "User-Agent": f"monitor436/{__version__}",
    "Accept": "application/json, */*;q=0.1",
    "Accept-Encoding": "identity",
}  # of a request, where nobody wants other ones

_PLAIN = re.compile(r"(https?)://[a-z0-9.:-]+(/[A-Za-z0-9/:@!$&'()*+,;=~._-]*)")  # what most URLs are
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Request(NamedTuple):
    """What is sent for a target, and over which connections it may go."""

    key: tuple[str, str, int]
    secure: bool
    data: bytes


class HttpProbe:
    """Asks by HTTP/1.1, keeps connections, follows nobody elsewhere.

    `timeout` seconds for everything from the look-up of the name to the last byte; `headers` are (name, value) pairs
    that every request has; at most `limit` bytes of body, and of all large ones at a time about `most_held`. Raises
    ValueError for a header that cannot be sent and for files of `tls` that hold something else, OSError for files that
    cannot be read.
    """

    def __init__(
        self,
        reactor: Any,
        timeout: float,
        headers: Iterable[tuple[str, str]] = (),
        tls: TlsOptions | None = None,
        limit: int = LIMIT,
        names: Names | None = None,
        most_held: int = MOST_HELD,
    ) -> None:
        self.timeout = timeout
        self._reactor = reactor
        self._limit = limit
        self._bodies = Bodies(most_held)
        self._names = names or Names(reactor)
        given = dict(header_field(name, value) for name, value in headers)
        self._own = {name.lower() for name in given}
        fields = {name: value for name, value in FIELDS.items() if name.lower() not in self._own} | given
        self._fields = "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
        self._creators = Creators(tls)
        self._requests: dict[str, Request] = {}
        self._kept: dict[tuple[str, str, int], list[Connection]] = {}
        self._most_kept = min(MOST_KEPT, room() // 3)
        self._count = 0  # of those that are kept

    def begin(self, target: Target) -> Stream | None:
        """A connection to a target that is asked in a moment; None where one is kept, or that takes more than that."""
        if ("http", target.host, target.port) in self._kept or not target.url.startswith("http://"):
            return None
        return begin(self._reactor, target)

    async def probe(self, target: Target, within: float | None = None, begun: Stream | None = None) -> bytes:
        """The body; within `within` seconds, or the time of this probe. Raises Failure."""
        exchange = Exchange(self._reactor, self.timeout if within is None else within)
        try:
            request = self._requests.get(target.url) or self._request(target)
            while begun is None and (kept := self._take(request.key)):
                exchange.connection = kept
                try:
                    return await kept.ask(request.data, self._limit, self._bodies)
                except Failure:
                    if exchange.expired or kept.heard:
                        raise
                exchange.connection = None  # it was closed between two rounds, which is nobody's fault
            connection = await exchange.connect(target, self._names, self._creator(request), begun)
            connection.key, connection.free, connection.gone = request.key, self._keep, self._drop
            return await connection.ask(request.data, self._limit, self._bodies)
        finally:
            exchange.over()
            if begun is not None:
                begun.drop()

    async def close(self) -> None:
        """End every connection that waits for the next round."""
        kept, self._kept, self._count = self._kept, {}, 0
        for connections in kept.values():
            for connection in connections:
                connection.close()

    def _creator(self, request: Request) -> Any:
        """What makes TLS of a connection; None where there is none."""
        return self._creators.of(request.key[1]) if request.secure else None

    def _request(self, target: Target) -> Request:
        """Made once for a target."""
        plain = _PLAIN.fullmatch(target.url)
        try:
            scheme, path, login = (plain[1], plain[2], "") if plain else url_parts(target.url)
            host = target.host if target.host.isascii() else target.host.encode("idna").decode("ascii")
            secure = SECURE[scheme]
        except (KeyError, ValueError):
            raise Failure("protocol", f"{target.url!r} is no address of a page: http://… or https://…") from None
        lines = [f"GET {path} HTTP/1.1"]
        if "host" not in self._own:
            literal = f"[{host}]" if ":" in host else host
            usual = target.port == (443 if secure else 80)
            lines.append(f"Host: {literal}" if usual else f"Host: {literal}:{target.port}")
        if login and "authorization" not in self._own:
            lines.append(f"Authorization: {login}")
        data = "\r\n".join([*lines, self._fields]).encode("latin-1")
        if len(self._requests) >= MOST_REQUESTS:
            self._requests.clear()
        made = self._requests[target.url] = Request((scheme, target.host, target.port), secure, data)
        return made

    def _take(self, key: tuple[str, str, int]) -> Connection | None:
        kept = self._kept.get(key)
        if not kept:
            return None
        self._count -= 1
        connection = kept.pop()
        if not kept:
            del self._kept[key]
        return connection

    def _keep(self, connection: Connection) -> None:
        if self._count >= self._most_kept:
            connection.close()
            return
        self._count += 1
        self._kept.setdefault(connection.key, []).append(connection)  # type: ignore[arg-type]

    def _drop(self, connection: Connection) -> None:
        kept = self._kept.get(connection.key)  # type: ignore[call-overload]
        if kept and connection in kept:
            kept.remove(connection)
            self._count -= 1
            if not kept:
                del self._kept[connection.key]  # type: ignore[arg-type]


def url_parts(url: str) -> tuple[str, str, str]:
    """Scheme, what is asked for, and the value of Authorization if there is a user in the URL. Raises ValueError."""
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        path += "?" + quote(parts.query, safe="/?%:@!$&'()*+,;=~-._[]")
    if parts.username is None:
        return parts.scheme, path, ""
    secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return parts.scheme, path, "Basic " + b64encode(secret).decode()


def header_field(name: str, value: str) -> tuple[str, str]:
    """A header field as it is sent; one with a line end in it would be two."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a header")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"the header {name} cannot have the value {value!r}")
    return name, value.strip()
