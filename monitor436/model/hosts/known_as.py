"""Who a host of an inventory is among those with an agent: by its name, its short name or its address. Pure."""

import re

from monitor436.model.hosts.roster import Roster
from monitor436.model.sweep.sweeps import Agent

_ADDRESS = re.compile(r"[0-9.]+|.*:.*")


class KnownAs:
    """Looks hosts up in a roster."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._changes = -1
        self._names: dict[str, str] = {}  # by address; "" where two hosts have it

    def find(self, host: str) -> Agent | None:
        """Its name in events and its state; None for a host without an agent, or if two could be meant."""
        if _ADDRESS.fullmatch(host):
            name = self._addresses().get(host, "")
        else:
            name = host if self._roster.get(host) else host.partition(".")[0]
        found = self._roster.get(name)
        return Agent(name, found.state) if found is not None else None

    def _addresses(self) -> dict[str, str]:
        """As they were when a host last appeared or changed its state."""
        if self._changes != self._roster.changes:
            self._changes = self._roster.changes
            self._names = {}
            for name, address in self._roster.addresses():
                self._names[address] = "" if address in self._names else name
        return self._names
