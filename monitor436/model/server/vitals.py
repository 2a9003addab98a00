"""How a server itself is: what it counts and measures, as `monitor436 doctor` shows it."""

from msgspec import Struct


class Vitals(Struct, frozen=True):
    """Taken at one moment by the process `process`. Counts are those since the server started, `up` seconds ago.

    `heard` counts datagrams by type, `refused` by reason, `dropped` those that the kernel dropped. `lag` is how late
    the server came to what it had to do in the last minute (99th percentile), and `sync` how long the disk took to make
    events durable since the moment before (the longest): seconds. `unwritten` says why events cannot be made durable at
    present. `fullest` are the hosts whose spools are fullest, as parts of 1; `troubles` those that it has told of, in
    the words that it told.
    """

    server: str
    process: int
    up: float
    heard: dict[str, int]
    refused: dict[str, int]
    dropped: int
    lag: float
    sync: float
    unwritten: str = ""
    fullest: dict[str, float] = {}
    troubles: dict[str, str] = {}
