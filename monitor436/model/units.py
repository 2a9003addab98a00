"""The kinds of scalar that settings have: how each is read from the text an operator writes, and written back.

A field's type names its kind, `Annotated[float, Meta(extra={"reads": "duration"})]`;
READS and WRITES say what it means.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta

from monitor436.agent.plan import seconds, shown, spelt
from monitor436.agent.wire import HOST_NAME

Duration = Annotated[float, Meta(extra={"reads": "duration"})]  # seconds
Size = Annotated[int, Meta(extra={"reads": "size"})]  # bytes
FilePath = Annotated[str, Meta(extra={"reads": "path"})]  # a relative one is seen from the settings file's folder
Address = Annotated[str, Meta(extra={"reads": "address"})]  # IPv4 or IPv6, no name: names are not looked up at start
MulticastGroup = Annotated[str, Meta(extra={"reads": "multicast group"})]  # "" for none
HostName = Annotated[str, Meta(extra={"reads": "host name"})]  # "" for the machine's own
HostPattern = Annotated[str, Meta(extra={"reads": "host pattern"})]  # a name, with * ? [ab] where it is a pattern

_SIZES = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_HOST_PATTERN = re.compile(r"[a-z0-9._*?\[\]!-]{1,100}")
_SIZE = re.compile(r"([0-9]{1,15})(KiB|MiB|GiB)?")


def size(text: str) -> int:
    """The bytes in a size such as "512", "4KiB", "64MiB" or "1GiB". Raises ValueError with a sentence."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError(f'expected a size such as "64MiB", "4KiB" or "512", got {shown(text)}')
    return int(found[1]) * _SIZES.get(found[2], 1)


def spelt_size(count: int) -> str:
    """A number of bytes as `size` reads it, in the largest unit that divides it."""
    for unit, worth in reversed(_SIZES.items()):
        if count and count % worth == 0:
            return f"{count // worth}{unit}"
    return str(count)


def address(text: str) -> str:
    """An IP address, as written. Raises ValueError with a sentence."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f'expected an IP address such as "192.168.1.2", got {shown(text)}') from None
    return text


def multicast_group(text: str) -> str:
    """An IPv4 multicast group, as written, or "". Raises ValueError with a sentence."""
    try:
        if text and not ipaddress.IPv4Address(text).is_multicast:
            raise ValueError
    except ValueError:
        raise ValueError(f'expected a multicast group such as "239.255.4.36", or "", got {shown(text)}') from None
    return text


def host_name(text: str) -> str:
    """A host's name as hosts are known by here, or "". Raises ValueError with a sentence."""
    if text and not HOST_NAME.match(text):
        raise ValueError(f'expected a name in lower case such as "web1", or "", got {shown(text)}')
    return text


def host_pattern(text: str) -> str:
    """A host's name or a shell pattern for names. Raises ValueError with a sentence."""
    if not _HOST_PATTERN.fullmatch(text):
        raise ValueError(f'expected a host such as "web1" or "web*", in lower case, got {shown(text)}')
    return text


def file_path(text: str) -> str:
    """The path of a file or folder, as written. Raises ValueError with a sentence."""
    if not text.isprintable() or not text:
        raise ValueError(f"expected a path, got {shown(text)}")
    return text


READS: dict[str, Callable[[str], object]] = {
    "duration": seconds,
    "size": size,
    "path": file_path,
    "address": address,
    "multicast group": multicast_group,
    "host name": host_name,
    "host pattern": host_pattern,
}
WRITES: dict[str, Callable[..., str]] = {"duration": spelt, "size": spelt_size}  # for the others: as it is
EXAMPLES = {"duration": 'a duration such as "30s"', "size": 'a size such as "64MiB"'}  # for the others: text
