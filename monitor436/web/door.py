"""The HTTP door, a service: listens, with TLS or without, and follows the settings."""

import socket
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from msgspec import structs
from twisted.application.service import Service
from twisted.internet.defer import ensureDeferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from monitor436.model.keys.site_keys import SiteKeys
from monitor436.model.keys.tokens import Token
from monitor436.model.settings.http import Http, network, place
from monitor436.ordered import StartError
from monitor436.web.admission import Admission, nobody
from monitor436.web.channel import Connections
from monitor436.web.measures import Measures
from monitor436.web.openapi import openapi
from monitor436.web.proxies import Proxies
from monitor436.web.reception import Reception
from monitor436.web.route import Identity, Route
from monitor436.web.table import Table
from monitor436.web.tls import Tls
from monitor436.web.tokens import TokenPage

FIXED = (
    "listen certificate key client_ca plain base trusted_proxies forwarded client_certificate".split()
)  # of the start, as long as it runs
UNREAD = 1 << 18  # bytes that the kernel keeps for a client that does not read; it would keep megabytes
BACKLOG = 512  # connections that wait to be taken


class HasKeys(Protocol):
    """The site, as far as this door needs it."""

    @property
    def keys(self) -> SiteKeys:
        """Those that are good now."""


class HttpDoor(Service):
    """Listens where `http` says, and answers by `routes` and its own: /api/token and /api/openapi.json.

    `find(shown, now)` gives a token that was made by hand, at a moment of `clock`; `sessions` says whose a cookie is.
    The files of TLS are read anew at `follow`; where it listens is settled at the start.
    """

    log = Logger()

    def __init__(
        self,
        http: Http,
        routes: Iterable[Route],
        find: Callable[[str, float], Token | None],
        site: HasKeys,
        reactor: Any,
        sessions: Callable[[str], Identity | None] = nobody,
        measures: Measures | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.setName("http")
        self.settings = http
        self.address, self.port = place(http.listen) if http.listen else ("", 0)
        self._reactor = reactor
        self._listening: IListeningPort | None = None
        self._tls: Tls | None = None
        own = TokenPage(lambda: site.keys.present, lambda: self.settings.token_life, wall).routes()
        pages = [*routes, *own]
        self.admission = Admission(
            lambda shown: find(shown, clock()), lambda: site.keys.accepted, http.without_token, http.names, clock, wall,
            sessions,
        )  # fmt: skip
        self.reception = Reception(
            Table([*pages, openapi(pages)]),
            self.admission,
            Proxies([network(each) for each in http.trusted_proxies], http.forwarded, http.base),
            clock,
            wall,
            http.base,
            http.client_certificate,
            lambda header: self._tls.forwarded(header) if self._tls else None,
            measures,
        )
        self.connections = Connections(self.reception, http, reactor)

    @property
    def measures(self) -> Measures:
        """What it counts."""
        return self.reception.measures

    def startService(self) -> None:
        """Raises StartError where the port cannot be had, or the files of TLS cannot be used."""
        super().startService()
        http = self.settings
        if not http.listen:
            return
        self.prepare()
        try:
            self._listening = self._listen()
        except CannotListenError as problem:
            why = getattr(problem.socketError, "strerror", "") or problem.socketError
            raise StartError(f"http: {self.address}:{self.port}/tcp: {why}") from None
        self.port = getattr(self._listening.getHost(), "port", 0)

    def prepare(self) -> None:
        """Read the files of TLS. Raises StartError."""
        http = self.settings
        if http.certificate or http.client_ca:
            self._tls = Tls(http.certificate, http.key, http.client_ca)

    def stopService(self) -> object:
        super().stopService()
        return ensureDeferred(self._stop())

    def follow(self, http: Http) -> None:
        """Other settings: who needs no token, names, limits, and files of TLS that were replaced.

        Where it listens, sub-path and proxies stay those of the start; a certificate that cannot be used is refused.
        """
        fixed = {name: getattr(self.settings, name) for name in FIXED}
        self.settings = structs.replace(http, **fixed)
        self.connections.limits = self.settings
        self.admission.follow(http.without_token, http.names)
        if self._tls is not None:
            try:
                self._tls.reload()
            except StartError as problem:
                self.log.error("{problem}; the certificate of before stays in use", problem=str(problem))

    async def _stop(self) -> None:
        if self._listening is not None:
            await maybeDeferred(self._listening.stopListening)
        await self.connections.close()

    def _listen(self) -> Any:
        where = {"backlog": BACKLOG, "interface": self.address}
        if self.settings.certificate:
            port = self._reactor.listenSSL(self.port, self.connections, self._tls, **where)
        else:
            port = self._reactor.listenTCP(self.port, self.connections, **where)
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD)  # connections inherit it
        return port
