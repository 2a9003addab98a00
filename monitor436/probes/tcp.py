"""Connects to a target and lets go: whether something listens there."""

from typing import Any

from monitor436.probes.names import Names
from monitor436.probes.probe import Target
from monitor436.probes.web.exchange import Exchange, begin
from monitor436.probes.web.stream import Stream


class TcpProbe:
    """Its answer is empty. `timeout` seconds for the look-up of the name and the connection."""

    def __init__(self, reactor: Any, timeout: float, names: Names | None = None) -> None:
        self.timeout = timeout
        self._reactor = reactor
        self._names = names or Names(reactor)

    def begin(self, target: Target) -> Stream | None:
        """A connection to a target that is asked in a moment; None if its name is to be looked up first."""
        return begin(self._reactor, target)

    async def probe(self, target: Target, within: float | None = None, begun: Stream | None = None) -> bytes:
        """Nothing, as soon as the connection stands. Raises Failure."""
        exchange = Exchange(self._reactor, self.timeout if within is None else within)
        try:
            connection = await exchange.connect(target, self._names, None, begun)
            connection.close()
        finally:
            exchange.over()
            if begun is not None:
                begun.drop()
        return b""

    async def close(self) -> None:
        """Nothing is kept."""
