"""How often an address may show a wrong token."""

import ipaddress
from collections import OrderedDict

MOST = 10  # wrong tokens of one address ...
WITHIN = 60.0  # ... in so many seconds
ADDRESSES = 10_000  # that are remembered at once


class Tries:
    """Counts wrong tokens by address, IPv6 by its /64. It forgets the one that was quiet longest when it is full."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[float, int]] = OrderedDict()  # when the count began, and the count

    def wrong(self, address: str, now: float) -> float:
        """Another wrong token; the seconds after which to try again, 0.0 while it is within the limit."""
        key = whose(address)
        began, count = self._wrong.pop(key, (now, 0))
        if now - began >= WITHIN:
            began, count = now, 0
        self._wrong[key] = (began, count + 1)
        while len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)
        return 0.0 if count < MOST else WITHIN - (now - began)


def whose(address: str) -> str:
    """What stands for everybody who can have an address at will: of IPv6 its /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
