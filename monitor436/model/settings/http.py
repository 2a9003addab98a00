"""Settings of the HTTP door: where it listens, who may ask what, and how much of everything."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Struct

from monitor436.model.settings.said import DAY, why
from monitor436.model.source import Path
from monitor436.model.units import Duration, FilePath

DEFAULT = "127.0.0.1:4380"
BASE = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
FIELD = re.compile(r"[A-Za-z0-9-]{1,64}")
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Http(Struct, frozen=True):
    """The HTTP door: the API, the metrics, the OpenAPI document."""

    listen: Annotated[str, why('Address and TCP port, such as "0.0.0.0:4380" or "[::]:4380"; "": no HTTP.')] = DEFAULT
    certificate: Annotated[FilePath, why("PEM: the certificate of this server, and those between it and its root.")] = (
        ""
    )
    key: Annotated[FilePath, why("PEM: its private key, if that is not in the same file.")] = ""
    client_ca: Annotated[FilePath, why("PEM: who signs the certificates with which hosts ask for tokens.")] = ""
    plain: Annotated[bool, why("Without TLS also where others than this machine can listen on the way.")] = False
    without_token: Annotated[
        tuple[Literal["read", "metrics"], ...], why("What needs no token: read, to ask; metrics, to post numbers.")
    ] = ()
    names: Annotated[
        tuple[str, ...], why("Names of this server in URLs; who shows no token must use one of these, or an address.")
    ] = ()
    base: Annotated[str, why('What the paths begin with when they arrive here, such as "/monitor".')] = ""
    trusted_proxies: Annotated[
        tuple[str, ...], why("Networks or addresses of proxies, who say for whom they ask; nobody else is believed.")
    ] = ()
    forwarded: Annotated[
        Literal["x-forwarded", "forwarded"],
        why("How they say it: X-Forwarded-For and its kin, or Forwarded (RFC 7239)."),
    ] = "x-forwarded"
    client_certificate: Annotated[
        str, why('The header in which they pass a client\'s certificate, as URL-encoded PEM; "": they do not.')
    ] = ""
    connections: Annotated[int, why("How many connections there may be at once ...", ge=1, le=100_000)] = 512
    connections_each: Annotated[
        int, why("... and how many of one address, unless it is a trusted proxy.", ge=1, le=100_000)
    ] = 64
    idle: Annotated[Duration, why("After how long a connection without a request is closed.", ge=1.0, le=3600.0)] = 60.0
    header_time: Annotated[Duration, why("How long the head of a request may take to come ...", ge=1.0, le=600.0)] = (
        10.0
    )
    body_time: Annotated[Duration, why("... and its body ...", ge=1.0, le=3600.0)] = 30.0
    answer_time: Annotated[
        Duration, why("... and its answer, until the client has taken the last byte.", ge=1.0, le=3600.0)
    ] = 60.0
    token_life: Annotated[
        Duration, why("How long a token is good that a host got for its certificate.", ge=10.0, le=DAY)
    ] = 900.0

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        yield from self._of_place()
        yield from self._of_proxies()
        if self.key and not self.certificate:
            yield ("key",), "needs a certificate"
        if self.client_ca and not (self.certificate or self.client_certificate):
            yield ("client_ca",), "needs TLS here (certificate), or proxies that pass certificates (client_certificate)"
        if not BASE.fullmatch(self.base):
            yield ("base",), 'expected a path such as "/monitor", without a slash at its end'
        for number, name in enumerate(self.names):
            if not NAME.fullmatch(name):
                yield ("names", number), 'expected a name in lower case such as "monitor.example", without a port'

    def _of_place(self) -> Iterator[tuple[Path, str]]:
        if not self.listen:
            return
        try:
            address, _ = place(self.listen)
        except ValueError as wrong:
            yield ("listen",), str(wrong)
            return
        if not ipaddress.ip_address(address).is_loopback and not self.certificate and not self.plain:
            sentence = "others could read tokens on the way: give a certificate, or say plain: true if a proxy has one"
            yield ("listen",), sentence

    def _of_proxies(self) -> Iterator[tuple[Path, str]]:
        for number, written in enumerate(self.trusted_proxies):
            try:
                network(written)
            except ValueError:
                yield ("trusted_proxies", number), 'expected a network or address such as "10.0.0.0/24" or "::1"'
        if not self.client_certificate:
            return
        if not FIELD.fullmatch(self.client_certificate):
            yield ("client_certificate",), 'expected the name of a header such as "X-Client-Cert"'
        if not self.trusted_proxies or not self.client_ca:
            yield ("client_certificate",), "needs trusted_proxies, and a client_ca"


def place(listen: str) -> tuple[str, int]:
    """Address and port of "127.0.0.1:4380" or "[::1]:4380". Raises ValueError with a sentence."""
    address, _, port = listen.rpartition(":")
    wrong = ValueError('expected an IP address and a port such as "127.0.0.1:4380" or "[::1]:4380"')
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535 or ("]" in address) != (":" in address):
        raise wrong
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise wrong from None
    return address, int(port)


def network(written: str) -> Network:
    """A network such as "10.0.0.0/24", or one of a single address. Raises ValueError."""
    return ipaddress.ip_network(written)
