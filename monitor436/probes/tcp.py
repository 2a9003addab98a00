"""Connects to a target and lets go: whether something listens there."""

from typing import Any

from monitor436.probes.names import Names
from monitor436.probes.probe import Target
from monitor436.probes.web.exchange import Exchange


class TcpProbe:
    """Its answer is empty. `timeout` seconds for the look-up of the name and the connection."""

    def __init__(self, reactor: Any, timeout: float, names: Names | None = None) -> None:
        self.timeout = timeout
        self._reactor = reactor
        self._names = names or Names(reactor)

    async def probe(self, target: Target, within: float | None = None) -> bytes:
        """Nothing, as soon as the connection stands. Raises Failure."""
        exchange = Exchange(self._reactor, self.timeout if within is None else within)
        try:
            connection = await exchange.connect(target, self._names, None)
            connection.close()
        finally:
            exchange.over()
        return b""

    async def close(self) -> None:
        """Nothing is kept."""
