"""TLS of the HTTP door: its certificate, whose certificates of clients it takes, and whom such a certificate names."""

import re
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.internet.ssl import CertificateOptions
from zope.interface import implementer

from monitor436.agent.wire import HOST_NAME
from monitor436.ordered import StartError

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)
_URI = re.compile(r"(?:urn:monitor436:host:|spiffe://[^/?#]+/host/)([^/?#]+)")


class Shown(NamedTuple):
    """Whom a verified certificate of a client names: its first SAN, and the hosts that it may speak for."""

    name: str
    hosts: tuple[str, ...]


@implementer(IOpenSSLContextFactory)
class Tls:
    """The certificate, key and clients' authority in these PEM files; "" for none.

    Raises StartError with a sentence where they cannot be used.
    """

    def __init__(self, certificate: str, key: str, client_ca: str) -> None:
        self._files = (certificate, key, client_ca)
        self._store = crypto.X509Store()
        self._options: CertificateOptions | None = None
        self.reload()

    def reload(self) -> None:
        """Read the files again; who is connected keeps what there was. Raises StartError, and then nothing changes."""
        certificate, key, client_ca = self._files
        authorities = _certificates(client_ca) if client_ca else []
        store = crypto.X509Store()
        for authority in authorities:
            store.add_cert(authority)
        options = None
        if certificate:
            own, *between = _certificates(certificate)
            options = CertificateOptions(
                privateKey=_private(key or certificate),
                certificate=own,
                extraCertChain=between,
                verify=bool(authorities),
                caCerts=authorities or None,
                requireCertificate=False,  # who has none may show a token
            )
            try:
                options.getContext().check_privatekey()
            except SSL.Error:
                raise StartError(f"http: the key in {key or certificate} is not that of {certificate}") from None
        self._options, self._store = options, store

    def getContext(self) -> Any:
        """As Twisted asks for it, for each connection."""
        assert self._options is not None
        return self._options.getContext()

    def forwarded(self, header: str) -> Shown | None:
        """Whom a certificate names that a proxy passed as URL-encoded PEM; None if it is not one of the authority's."""
        try:
            certificate = crypto.load_certificate(crypto.FILETYPE_PEM, unquote_to_bytes(header))
            crypto.X509StoreContext(self._store, certificate).verify_certificate()
        except (crypto.Error, crypto.X509StoreContextError, ValueError):
            return None
        return shown(certificate) if _for_clients(certificate) else None


def shown(certificate: crypto.X509) -> Shown | None:
    """Whom a certificate names that was verified; None if it has no DNS name or URI as SAN (RFC 5280 4.2.1.6).

    A DNS name is a host's name as it stands; of URIs those of the forms urn:monitor436:host:NAME and
    spiffe://DOMAIN/host/NAME name one.
    """
    try:
        extensions = certificate.to_cryptography().extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None
    dns = [name.lower() for name in names.get_values_for_type(x509.DNSName) if "*" not in name]
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    hosts = [*dns, *(found[1] for uri in uris if (found := _URI.fullmatch(uri)))]
    hosts = [host for host in dict.fromkeys(hosts) if HOST_NAME.match(host)]
    named = [*dns, *uris]
    return Shown(named[0][:256], tuple(hosts)) if named else None


def _for_clients(certificate: crypto.X509) -> bool:
    """Whether it may be used by a client, as a handshake asks (RFC 5280 4.2.1.12)."""
    try:
        uses = certificate.to_cryptography().extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return False
    return any(use in (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE) for use in uses)


def of_connection(transport: Any) -> Shown | None:
    """Whom the certificate of a connection's client names; the handshake verified its chain."""
    ask = getattr(transport, "getPeerCertificate", None)
    certificate = ask() if ask is not None else None
    return None if certificate is None else shown(certificate)


def _certificates(path: str) -> list[crypto.X509]:
    pieces = _PEM.findall(_content(path))
    try:
        if pieces:
            return [crypto.load_certificate(crypto.FILETYPE_PEM, piece) for piece in pieces]
    except crypto.Error:
        pass
    raise StartError(f"http: {path}: expected PEM certificates")


def _private(path: str) -> crypto.PKey:
    try:
        return crypto.load_privatekey(crypto.FILETYPE_PEM, _content(path), b"")
    except (crypto.Error, ValueError, TypeError):
        raise StartError(f"http: {path}: expected a PEM private key without a password") from None


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as problem:
        raise StartError(f"http: {path}: {problem.strerror}") from None
