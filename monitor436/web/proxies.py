"""For whom a proxy asks: trusted ones alone are believed, and only of what none before them can have written."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from monitor436.model.settings.http import BASE, Network

_PAIR = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^\s;,"]*)\s*(;|,|$)')
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
LONGEST = 4096  # characters of a header that is looked at


class Via(NamedTuple):
    """How a request came: the client's `address`, and the `root` of the URL by which it reached this server.

    `proxied`: through a proxy that is trusted; `host` is the name in the URL, without its port, in lower case.
    """

    address: str
    root: str
    host: str
    proxied: bool = False


class Proxies:
    """The proxies that are trusted. `how` is "x-forwarded" or "forwarded", whichever they set anew in each request."""

    def __init__(self, trusted: Sequence[Network], how: str, base: str = "") -> None:
        self._trusted = tuple(trusted)
        self._how = how
        self._base = base

    def trusts(self, address: str) -> bool:
        """Whether this is the address of a trusted proxy."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if parsed.version == 6 and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._trusted)

    def via(self, peer: str, headers: Mapping[str, str], secure: bool, here: str) -> Via:
        """How a request of `peer` came; `here` is this server's address and port, for who names no host."""
        scheme, host, prefix = "https" if secure else "http", headers.get("host", ""), self._base
        address, proxied = peer, self.trusts(peer)
        if proxied:
            said = _forwarded(headers) if self._how == "forwarded" else _x_forwarded(headers)
            address = self._client(peer, [each.address for each in said])
            nearest = said[-1] if said else Hop()
            scheme = nearest.scheme if nearest.scheme in ("http", "https") else scheme
            host = nearest.host or host
            given = headers.get("x-forwarded-prefix", "").rstrip("/")
            prefix = given if given and BASE.fullmatch(given) else prefix
        if not _AUTHORITY.fullmatch(host):
            host = here
        return Via(address, f"{scheme}://{host}{prefix}", _name(host), proxied)

    def _client(self, peer: str, chain: Sequence[str]) -> str:
        """The address nearest to us that is no trusted proxy: what stands before it anybody could have written."""
        for address in reversed(chain):
            if not is_address(address):
                return peer
            peer = address
            if not self.trusts(address):
                break
        return peer


class Hop(NamedTuple):
    """What one proxy says of who asked it."""

    address: str = ""
    scheme: str = ""
    host: str = ""


def _x_forwarded(headers: Mapping[str, str]) -> list[Hop]:
    chain = [_bare(each) for each in headers.get("x-forwarded-for", "")[-LONGEST:].split(",") if each.strip()]
    scheme = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
    host = headers.get("x-forwarded-host", "").rpartition(",")[2].strip()
    hops = [Hop(address) for address in chain] or [Hop()]
    return [*hops[:-1], Hop(hops[-1].address, scheme, host)] if chain or scheme or host else []


def _forwarded(headers: Mapping[str, str]) -> list[Hop]:
    """RFC 7239; what is not written as it says ends the list, and counts for nothing."""
    text, at = headers.get("forwarded", ""), 0
    if len(text) > LONGEST:
        return []
    hops, pairs = [], {}
    while at < len(text):
        found = _PAIR.match(text, at)
        if not found:
            return []
        name, value, end = found.groups()
        pairs[name.lower()] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        if end != ";":
            hops.append(Hop(_bare(pairs.get("for", "")), pairs.get("proto", "").lower(), pairs.get("host", "")))
            pairs = {}
        at = found.end()
    return hops


def _bare(written: str) -> str:
    """An address without brackets and port."""
    written = written.strip().strip('"')
    if written.startswith("["):
        return written[1:].partition("]")[0]
    return written.partition(":")[0] if written.count(":") == 1 else written


def is_address(text: str) -> bool:
    """Whether it is an IP address, of either version."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _name(authority: str) -> str:
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.partition(":")[0].lower()
