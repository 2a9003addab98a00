"""Datagrams with events that came before their turn: kept until what is missing has come. Pure.

So a datagram that was lost costs one repetition, and not everything that was sent after it.
"""

AHEAD = 32  # datagrams of one host: as many as it may have on its way


class Ahead:
    """Bodies of datagrams by host, spool, and number of their first event; what does not fit will be sent again."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[tuple[str, int], bytes]] = {}

    def keep(self, host: str, spool: str, first: int, body: bytes) -> None:
        """Keep a body whose turn comes when everything before number `first` has been taken."""
        kept = self._kept.setdefault(host, {})
        if len(kept) < AHEAD:
            kept[spool, first] = body

    def turn(self, host: str, spool: str, last: int) -> bytes | None:
        """Everything up to `last` has been taken: the body whose turn it is now, if it has come. It is forgotten."""
        kept = self._kept.get(host)
        if kept is None:
            return None
        for passed in [key for key in kept if key[0] == spool and key[1] <= last]:
            del kept[passed]
        body = kept.pop((spool, last + 1), None)
        if not kept:
            del self._kept[host]
        return body

    def holds(self, host: str) -> bool:
        """Whether something of this host waits for its turn."""
        return host in self._kept

    def forget(self, host: str) -> None:
        """What this host has said does not count any more."""
        self._kept.pop(host, None)
