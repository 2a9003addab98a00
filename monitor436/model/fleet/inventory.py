"""The hosts of a fleet as an admin lists them, and the address at which each tells its status. Pure.

A line is `host`, `host:port`, `[IPv6]:port`, an IPv6 address as it is, or a whole `http://` or `https://` URL. What
follows a `#` at the beginning of a line or after a blank is a comment.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from monitor436.agent.plan import shown
from monitor436.model.source import Problem, SettingsError

SERVER = "{server}"  # what a pattern has where a line of the inventory belongs
PATTERN = "http://{server}/status"
PORTS = {"http": 80, "https": 443}
MOST = 100_000  # targets of an inventory: ten times what one process is meant for
LONGEST = 2000  # characters of a URL: what servers and proxies take without asking

_ENTRY = re.compile(r"\S+")
_COMMENT = re.compile(r"(^|\s)#.*")
_URL = re.compile(r"(https?)://(\[[^\[\]/?#@]*\]|[^\[\]/?#@:]*)(?::([^/?#@]*))?([/?][!\x22$-~]*)?")
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?")


class Listed(NamedTuple):
    """One target: `name` as it was written, `url` to be asked, and `host` (no brackets) and `port` in it."""

    name: str
    url: str
    host: str
    port: int


class Inventory(NamedTuple):
    """The targets in their order, each once, and a sentence with its place for each that was listed again."""

    targets: list[Listed]
    twice: list[Problem]


def read_inventory(text: str, file: str, pattern: str = PATTERN) -> Inventory:
    """What a file lists. `pattern` is the URL of a line that is none itself; see `pattern_problem`.

    Raises SettingsError with every bad line as file:line:column, or one sentence if nothing is listed.
    """
    return read_with(lambda written: read_line(written, pattern), text, file)


def read_with(read: Callable[[str], Listed], text: str, file: str) -> Inventory:
    """What a file lists, each line as `read` has it, which raises ValueError. Raises SettingsError."""
    found: dict[str, tuple[int, Listed]] = {}
    bad, twice = [], []
    for line, column, written in _entries(text):
        try:
            listed = read(written)
        except ValueError as wrong:
            bad.append(Problem(file, line, column, "", str(wrong)))
            continue
        first, _ = found.setdefault(listed.url, (line, listed))
        if first != line:
            sentence = f"{shown(written)} is listed on line {first} already; it is asked once"
            twice.append(Problem(file, line, column, "", sentence))
    if not found and not bad:
        bad.append(Problem(file, 0, 0, "", "lists no host; write one a line"))
    if len(found) > MOST:
        bad.append(Problem(file, 0, 0, "", f"lists {len(found):,} hosts; at most {MOST:,} are asked by one process"))
    if bad:
        raise SettingsError(bad)
    return Inventory([listed for _, listed in found.values()], twice)


def read_line(written: str, pattern: str = PATTERN) -> Listed:
    """One target as it is written on a line. Raises ValueError with a sentence."""
    if "://" in written:
        return _at(written, written)
    if "/" in written:
        raise ValueError(f"expected a host or a whole URL such as http://web1/status, got {shown(written)}")
    server = f"[{written}]" if is_ipv6(written) else written
    if f"{SERVER}:" in pattern and re.search(r":[^\]]*$", server):
        raise ValueError(f"{shown(written)} has a port, and so has {pattern}: one of them is enough")
    return _at(written, pattern.replace(SERVER, server))


def pattern_problem(pattern: str) -> str:
    """What is wrong with the URL of lines that are none, such as "http://{server}:8080/health"; or ""."""
    if pattern.count(SERVER) != 1:
        return f"expected {SERVER} once, where the host belongs, such as {PATTERN}"
    try:
        read_line("host", pattern)
    except ValueError as wrong:
        return str(wrong)
    return ""


def _entries(text: str) -> Iterator[tuple[int, int, str]]:
    """Line, column and words of each line that lists something; a byte-order mark is no part of it."""
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        said = _COMMENT.sub("", line).strip()
        if said:
            first = _ENTRY.search(line)
            assert first
            yield number, first.start() + 1, said


def _at(written: str, url: str) -> Listed:
    if len(url) > LONGEST:
        raise ValueError(f"expected a URL of at most {LONGEST} characters, got {len(url):,}")
    if re.search(r"\s", written):
        raise ValueError(f"expected one host a line, got {shown(written)}")
    parts = _URL.fullmatch(url)
    if not parts:
        raise ValueError(_why_not(written, url))
    scheme, host, port, path = parts[1], parts[2], parts[3], parts[4] or "/"
    name = host_name(host, written)
    number = PORTS[scheme] if port is None else port_number(port)
    path = path if path.startswith("/") else "/" + path
    default = "" if number == PORTS[scheme] else f":{number}"
    shown_host = f"[{name}]" if ":" in name else name
    return Listed(written, f"{scheme}://{shown_host}{default}{path}", name, number)


def _why_not(written: str, url: str) -> str:
    if "@" in url.partition("://")[2].partition("/")[0]:
        return "a URL here holds no user and password; give an Authorization header instead"
    if "#" in url:
        return f"expected no fragment (#…) in a URL, got {shown(written)}"
    return f"expected host, host:port or an http or https URL, got {shown(written)}"


def host_name(host: str, written: str) -> str:
    """A name or an address; one of IPv6 stands in brackets. Raises ValueError about what was `written`."""
    if host.startswith("["):
        if is_ipv6(host[1:-1]):
            return host[1:-1].lower()
    elif re.fullmatch(r"[0-9.]+", host):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise ValueError(f"expected an IPv4 address such as 192.0.2.1, got {shown(host)}") from None
    elif _NAME.fullmatch(host):
        return host.lower()
    raise ValueError(f"expected the name or address of a host, got {shown(host or written)}")


def port_number(text: str) -> int:
    """From 1 to 65535. Raises ValueError."""
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError(f"expected a port from 1 to 65535, got {shown(text)}")
    return int(text)


def is_ipv6(text: str) -> bool:
    """Whether this is an address of IPv6, without a scope."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text
