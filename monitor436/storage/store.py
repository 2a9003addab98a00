"""What a store of summaries is, and the table of those there are."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from monitor436.model.metrics.line import Part
from monitor436.model.metrics.rollup import Latest
from monitor436.model.settings.whole import Settings

FILE = "summaries.sqlite"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class StoreAway(Exception):
    """A store cannot be used now; the text says why, for the operator. What was asked may be asked again.

    `anew`: it has to be opened again first.
    """

    def __init__(self, why: str, anew: bool = False) -> None:
        super().__init__(why)
        self.anew = anew


class Opened(NamedTuple):
    """What a store had when it was opened.

    `silent` is for how many seconds nobody wrote although nobody said goodbye, 0 after a clean stop or at the very
    first. `told` is what else the operator is to know: then the store is empty although it was not the first time.
    """

    silent: float = 0.0
    told: str = ""


class Store(Protocol):
    """Keeps windows of series. One that is away raises StoreAway; no call takes for ever.

    `shared`: other processes write there too, each its own parts, and what is read are those of all others. A part
    replaces what this process wrote of the same window before: writing twice does no harm, so what failed is written
    again, whether it arrived or not.
    """

    shared: bool

    async def open(self, wall: float) -> Opened:
        """Be ready. Windows that are no longer shown at `wall` (epoch seconds) are left out."""

    async def more(self) -> Sequence[Part]:
        """After `open`: windows to go on with, each once; nothing after the last, and from a store that is shared."""

    async def write(self, parts: Sequence[Part], wall: float) -> None:
        """Keep these, and that this process was there at `wall`."""

    async def read(self, host: str, wall: float) -> list[Part]:
        """The windows of a host that others wrote, several parts of one where several did."""

    async def hosts(self, wall: float) -> list[str]:
        """Those of which anybody wrote within a day."""

    async def latest(self, wall: float) -> list[Latest]:
        """The newest values that others wrote, perhaps several of one series."""

    async def expire(self, wall: float) -> None:
        """Forget windows that are no longer shown."""

    async def close(self, wall: float) -> None:
        """Say goodbye. Raises nothing."""


def open_store(settings: Settings, server: str, reactor: Any) -> Store:
    """The store that `metrics.store` names, for the server of that name; it is not opened yet."""
    return _STORES[settings.metrics.store](settings, server, reactor)


def _memory(settings: Settings, server: str, reactor: Any) -> Store:
    from monitor436.storage.memory import Memory

    return Memory()


def _sqlite(settings: Settings, server: str, reactor: Any) -> Store:
    from monitor436.one_thread import one_thread
    from monitor436.storage.sqlite import Sqlite

    return Sqlite(Path(settings.state) / FILE, one_thread(reactor, "metrics"), boot())


def _redis(settings: Settings, server: str, reactor: Any) -> Store:
    from monitor436.redis_link import RedisLink
    from monitor436.storage.redis import RedisStore

    return RedisStore(RedisLink(settings.redis, reactor), server, os.urandom(6).hex(), boot())


_STORES = {"memory": _memory, "sqlite": _sqlite, "redis": _redis}


def boot() -> str:
    """Which start of this machine it is: within one, its monotonic clock measures how long nobody wrote."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
