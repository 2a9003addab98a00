"""Where a page may lead us: the next address out of a redirect, and which addresses nobody is led to."""

import ipaddress
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from monitor436.probes.probe import Failure, Target
from monitor436.probes.web.http import url_parts
from monitor436.probes.web.packing import shown

FOLLOWED = frozenset({301, 302, 303, 307, 308})
LONGEST = 2000  # characters of an address
PORTS = {"http": 80, "https": 443}


class Hop(NamedTuple):
    """One address on the way: its parts, and the value of Authorization that was in it."""

    scheme: str
    host: str
    port: int
    path: str
    login: str = ""

    @property
    def url(self) -> str:
        """As it is asked, without a user."""
        literal = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{literal}:{self.port}{self.path}"

    def like(self, other: "Hop") -> bool:
        """Whether it is the same server: only there our own header fields go."""
        return self[:3] == other[:3]


def first(target: Target) -> Hop:
    """Where a target begins. Raises Failure."""
    try:
        scheme, path, login = url_parts(target.url)
        host = target.host.encode("idna").decode("ascii") if ":" not in target.host else target.host
        if scheme not in PORTS:
            raise ValueError
    except ValueError:
        raise Failure("protocol", f"{target.url!r} is no address of a page: http://… or https://…") from None
    return Hop(scheme, host, target.port, path, login)


def onward(hop: Hop, location: bytes) -> Hop:
    """Where a redirect leads. Raises Failure for what nobody should follow."""
    said = shown(location)
    if len(location) > LONGEST:
        raise Failure("redirect", f"leads to an address of {len(location)} characters: {said}…")
    try:
        url = urljoin(hop.url, location.decode("utf-8"))
        parts = urlsplit(url)
        scheme, path, _ = url_parts(url)
        port = parts.port or PORTS[scheme]
        host = parts.hostname or ""
        host = host if ":" in host else host.encode("idna").decode("ascii")
        if not host or not host.isprintable() or any(letter in host for letter in " /\\@?#"):
            raise ValueError
    except (KeyError, ValueError):
        raise Failure("redirect", f"leads to {said}, which is no address of a page") from None
    if parts.username is not None:
        raise Failure("redirect", f"leads to an address with a user in it: {said}")
    if hop.scheme == "https" and scheme == "http":
        raise Failure("redirect", f"leads from https to http: {said}")
    return Hop(scheme, host, port, path)


def is_inside(address: str) -> bool:
    """Whether an address is this machine's or its link's own, to which no stranger may lead us."""
    try:
        found: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found.sixtofour or found
    return found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast
