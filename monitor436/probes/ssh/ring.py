"""The keys that hosts are shown, in the order in which they may be accepted."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred

from monitor436.probes.ssh.keys import Agent, KeyRefused, PrivateKey, agent_keys

MOST_REMEMBERED = 100_000  # hosts


class KeyRing:
    """Keys of files first, then those of the agent at `agent`, "" for none. The agent is asked once, by `open`."""

    def __init__(self, reactor: Any, files: Sequence[PrivateKey], agent: str = "") -> None:
        self._reactor = reactor
        self._keys: list[PrivateKey] = list(files)
        self._path = agent
        self._agent: Agent | None = None
        self._opening: list[Deferred[None]] | None = None
        self._good: dict[str, bytes] = {}
        self._last = b""
        self.lacking = ""  # why the agent gave no keys

    async def open(self) -> None:
        """Ask the agent, if that has not been done."""
        if not self._path:
            return
        if self._opening is not None:
            waits: Deferred[None] = Deferred()
            self._opening.append(waits)
            await waits
            return
        self._opening = []
        try:
            self._agent, keys = await agent_keys(self._path, self._reactor)
            known = {key.blob for key in self._keys}
            self._keys += [key for key in keys if key.blob not in known]
        except KeyRefused as wrong:
            self.lacking = str(wrong)
        finally:
            self._path = ""
            waiting, self._opening = self._opening, None
            for waits in waiting:
                if not waits.called:
                    waits.callback(None)

    def close(self) -> None:
        """Let go of the agent."""
        if self._agent is not None:
            self._agent.close()

    def keys(self, place: str) -> list[PrivateKey]:
        """All of them; first the one that this place accepted, or else the one that the last place did."""
        first = self._good.get(place, self._last)
        return sorted(self._keys, key=lambda key: key.blob != first)

    def worked(self, place: str, key: PrivateKey) -> None:
        """A place accepted this key."""
        self._last = key.blob
        if len(self._good) >= MOST_REMEMBERED:
            self._good.clear()
        self._good[place] = key.blob
