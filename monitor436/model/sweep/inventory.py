"""The hosts of a fleet as they are asked over ssh: `[user@]host[:port]` a line. Pure."""

import re

from monitor436.agent.plan import shown
from monitor436.model.fleet.inventory import Inventory, Listed, host_name, is_ipv6, port_number, read_with

PORT = 22

_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@\\+-]{0,63}\$?")
_PLACE = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::([^:]*))?")


def read_hosts(text: str, file: str, port: int = PORT) -> Inventory:
    """What a file lists, each host once for each user and port. Raises SettingsError."""
    return read_with(lambda written: read_host(written, port), text, file)


def read_host(written: str, port: int = PORT) -> Listed:
    """One line; its URL is `ssh://user@host:port`, without a user if none is written. Raises ValueError."""
    if re.search(r"\s", written):
        raise ValueError(f"expected one host a line, got {shown(written)}")
    user, at, place = written.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise ValueError(f"expected the name of a user before the @, got {shown(user)}")
    parts = _PLACE.fullmatch(f"[{place}]" if is_ipv6(place) else place)
    if not parts:
        raise ValueError(f"expected [user@]host[:port], got {shown(written)}")
    host = host_name(parts[1], written)
    number = port if parts[2] is None else port_number(parts[2])
    address = f"[{host}]" if ":" in host else host
    return Listed(written, f"ssh://{user}{at}{address}:{number}", host, number)


def user_problem(user: str) -> str:
    """Why nobody is called so, or ""."""
    return "" if not user or _USER.fullmatch(user) else f"expected the name of a user, got {shown(user)}"
