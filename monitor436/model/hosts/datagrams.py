"""The last datagrams of a host: when each came, of which type, how long and from where. What was in them is not kept.

Pure. Whoever hears a host writes into its ring, a place for each number modulo `KEPT`: no more than making a tuple.
"""

from msgspec import Struct

from monitor436.agent import wire

KEPT = 16  # a power of two: the place of a datagram is its number & LAST
LAST = KEPT - 1

Came = tuple[float, int, int, tuple[str, int]]  # monotonic seconds, type, bytes, address
Ring = list[Came | None]


class Datagram(Struct, frozen=True):
    """One as it is shown: `age` in seconds, `bytes` without headers of UDP and IP, `address` as host:port."""

    type: str
    age: float
    bytes: int
    address: str


def ring() -> Ring:
    """Of a host that sent nothing yet."""
    return [None] * KEPT


def shown(kept: Ring, now: float) -> list[Datagram]:
    """Those in a ring, the newest first."""
    came = sorted((each for each in kept if each is not None), key=lambda each: -each[0])
    return [
        Datagram(wire.NAMES[kind], round(max(0.0, now - at), 1), size, f"{address[0]}:{address[1]}")
        for at, kind, size, address in came
    ]
