"""Whom to trust when a target is asked over TLS, and who we are."""

from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet import ssl
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

from monitor436.pem import authorities, own_certificate


class TlsOptions(NamedTuple):
    """Paths of PEM files: `ca`, whose certificates are trusted instead of the system's; `cert` and `key`, our own.

    `insecure`: whoever answers is believed, whatever certificate it has.
    """

    ca: str = ""
    cert: str = ""
    key: str = ""
    insecure: bool = False


@implementer(IOpenSSLClientConnectionCreator)
class _Unverified:
    """TLS with whoever answers."""

    def __init__(self, host: str, context: Any) -> None:
        self._host = host
        self._context = context

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Any:
        """Asks for the host by name, as servers of many names need."""
        connection = ssl.SSL.Connection(self._context, None)  # type: ignore[attr-defined]
        if not self._host.replace(".", "").isdigit() and ":" not in self._host:
            connection.set_tlsext_host_name(self._host.encode("idna"))
        return connection


def creators(options: TlsOptions) -> Callable[[str], Any]:
    """A function from a host's name to what Twisted makes TLS connections with; each is made once.

    Reads the files at once: raises OSError for one that cannot be read, ValueError for what is no certificate or key.
    """
    kept: dict[str, Any] = {}
    own = own_certificate(options.cert, options.key) if options.cert else None
    if options.insecure:
        context = ssl.CertificateOptions(verify=False, **_parts(own)).getContext()
        return lambda host: kept.setdefault(host, _Unverified(host, context))
    trust = ssl.trustRootFromCertificates(authorities(options.ca)) if options.ca else ssl.platformTrust()

    def creator(host: str) -> Any:
        if host not in kept:
            kept[host] = ssl.optionsForClientTLS(host, trustRoot=trust, clientCertificate=own)
        return kept[host]

    return creator


class Creators:
    """What TLS connections of a probe are made with. The files of `options` are read at once, and raise what `creators`
    raises; without options the authorities of the system are read when they are first needed, which takes a moment.
    """

    def __init__(self, options: TlsOptions | None) -> None:
        self._made = creators(options) if options else None

    def of(self, host: str) -> Any:
        """For a host by its name."""
        if self._made is None:
            self._made = creators(TlsOptions())
        return self._made(host)


def _parts(own: "ssl.PrivateCertificate | None") -> dict[str, Any]:
    return {} if own is None else {"privateKey": own.privateKey.original, "certificate": own.original}
