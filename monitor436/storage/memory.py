"""No store at all: summaries are in memory and gone with the process."""

from collections.abc import Sequence

from monitor436.model.metrics.line import Part
from monitor436.model.metrics.rollup import Latest
from monitor436.storage.store import Opened, Store


class Memory(Store):
    """Keeps nothing."""

    shared = False

    async def open(self, wall: float) -> Opened:
        return Opened()

    async def more(self) -> Sequence[Part]:
        return ()

    async def write(self, parts: Sequence[Part], wall: float) -> None:
        pass

    async def read(self, host: str, wall: float) -> list[Part]:
        return []

    async def hosts(self, wall: float) -> list[str]:
        return []

    async def latest(self, wall: float) -> list[Latest]:
        return []

    async def expire(self, wall: float) -> None:
        pass

    async def close(self, wall: float) -> None:
        pass
