"""A mail server (SMTP with STARTTLS, twisted.mail) and an HTTP server that write down all they get.

`python -m tests.e2e.receiver SMTP HTTP HTTPS PEM FILE [refuse]` listens on these loopback ports, with the certificate
in PEM. FILE gets a JSON line for each mail and each request. With `refuse`, mails are refused for now and requests are
answered with 503.
"""

import json
import sys
from pathlib import Path
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import reactor as reactor_module
from twisted.internet.defer import Deferred, succeed
from twisted.internet.ssl import PrivateCertificate
from twisted.mail import smtp
from twisted.mail.imap4 import LOGINCredentials, PLAINCredentials
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import implementer

LOOPBACK = "127.0.0.1"
USER, PASSWORD = b"monitor", b"4711 with spaces"
reactor: Any = reactor_module


class Book:
    """The file."""

    def __init__(self, path: Path, refuses: bool) -> None:
        self._path = path
        self.refuses = refuses

    def write(self, **about: object) -> None:
        """One line more."""
        with open(self._path, "a") as file:
            file.write(json.dumps(about) + "\n")


@implementer(smtp.IMessage)
class Message:
    """One mail as it comes."""

    def __init__(self, book: Book, to: str, secure: bool) -> None:
        self._book, self._to, self._secure = book, to, secure
        self._lines: list[bytes] = []

    def lineReceived(self, line: bytes) -> None:
        """The next line."""
        self._lines.append(line)

    def eomReceived(self) -> "Deferred[None]":
        """It is complete."""
        text = b"\n".join(self._lines).decode("utf-8", "surrogateescape")
        self._book.write(mail=text, to=self._to, secure=self._secure)
        return succeed(None)

    def connectionLost(self) -> None:
        """It never will be."""


@implementer(smtp.IMessageDelivery)
class Delivery:
    """Takes everything."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.protocol: Any = None

    def receivedHeader(self, helo: Any, origin: Any, recipients: Any) -> bytes:
        """As servers do."""
        return b"Received: by the receiver"

    def validateFrom(self, helo: Any, origin: Any) -> Any:
        """Anybody may send."""
        return origin

    def validateTo(self, user: Any) -> Any:
        """To anybody."""
        if self._book.refuses:
            raise smtp.SMTPServerError(451, "not now")
        return lambda: Message(self._book, str(user.dest), hasattr(user.protocol.transport, "getPeerCertificate"))


@implementer(IRealm)
class Realm:
    """Everybody who signed in gets the same."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def requestAvatar(self, avatar: Any, mind: Any, *interfaces: Any) -> Any:
        """Where to leave mails."""
        return smtp.IMessageDelivery, Delivery(self._book), lambda: None


class Mails(smtp.SMTPFactory):
    """A connection a mail."""

    def __init__(self, book: Book, pem: Path) -> None:
        users = InMemoryUsernamePasswordDatabaseDontUse()
        users.addUser(USER, PASSWORD)
        super().__init__(Portal(Realm(book), [users]))
        self._options = PrivateCertificate.loadPEM(pem.read_bytes()).options()
        self._book = book

    def buildProtocol(self, address: Any) -> Any:
        """With STARTTLS, and then sign-in."""
        challengers = {b"LOGIN": LOGINCredentials, b"PLAIN": PLAINCredentials}
        protocol = smtp.ESMTP(challengers, self._options)
        protocol.factory, protocol.portal = self, self.portal
        protocol.delivery = None
        return protocol


class Requests(Resource):
    """Any path."""

    isLeaf = True

    def __init__(self, book: Book) -> None:
        super().__init__()
        self._book = book

    def render(self, request: Any) -> bytes:
        """Whatever the method."""
        if self._book.refuses:
            request.setResponseCode(503)
            return b"not now"
        headers = {
            name.decode().lower(): values[0].decode() for name, values in request.requestHeaders.getAllRawHeaders()
        }
        body = request.content.read().decode("utf-8")
        self._book.write(request=request.uri.decode(), method=request.method.decode(), headers=headers, body=body)
        return b"{}"


def main(mails: int, requests: int, secure: int, pem: Path, file: Path, *words: str) -> None:
    """Serve until killed."""
    book = Book(file, "refuse" in words)
    reactor.listenTCP(mails, Mails(book, pem), interface=LOOPBACK)
    reactor.listenTCP(requests, Site(Requests(book)), interface=LOOPBACK)
    options = PrivateCertificate.loadPEM(pem.read_bytes()).options()
    reactor.listenSSL(secure, Site(Requests(book)), options, interface=LOOPBACK)
    reactor.callWhenRunning(lambda: print("receiving", flush=True))
    reactor.run()


if __name__ == "__main__":
    ports = [int(word) for word in sys.argv[1:4]]
    main(ports[0], ports[1], ports[2], Path(sys.argv[4]), Path(sys.argv[5]), *sys.argv[6:])
