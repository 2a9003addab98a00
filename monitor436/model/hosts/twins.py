"""Two machines under one name: a copy of a disk, or of a state folder. Pure: told the time, in monotonic seconds.

Both have the key, and each session takes the place of the other machine's. What tells them from one machine that
reboots, or whose agent is started again, is that somebody comes back who was taken for gone: a kernel draws a boot id
at each boot, an agent a spool id at each start, and neither ever draws the same again.
"""

from collections.abc import Iterator
from typing import NamedTuple

RETURNS = 2  # times that somebody came back before it is told: once may be a virtual machine that was set back
WITHIN = 86400.0  # seconds for which they are remembered: the machines of a slow plan take turns slowly
MOST = 4  # remembered of a name


class Speaker(NamedTuple):
    """Who speaks under a name: the boot of a machine, the agent by the spool it began with ("" if it has none)."""

    boot: str
    agent: str
    address: str


class Past:
    """Those who spoke under one name and were taken for gone, and how often one of them came back."""

    __slots__ = ("gone", "returns", "told", "touched")

    def __init__(self, touched: float) -> None:
        self.gone: list[Speaker] = []  # the latest last
        self.returns = 0
        self.told = False
        self.touched = touched


class Twins:
    """The names under which somebody came back who was taken for gone, again and again."""

    def __init__(self) -> None:
        self._past: dict[str, Past] = {}  # in the order in which they were last touched

    def __contains__(self, name: str) -> bool:
        past = self._past.get(name)
        return past is not None and past.told

    def replaced(self, name: str, before: Speaker, speaker: Speaker, now: float) -> str:
        """Another one speaks than `before`: "rebooted", "twins" if these are two machines, "" if it is no news."""
        self._expire(now)
        past = self._past.pop(name, None) or Past(now)
        self._past[name] = past
        past.touched = now
        others = [each for each in past.gone if each[:2] != speaker[:2]]
        returned = len(others) < len(past.gone)
        past.gone = [*others, before][-MOST:]
        if not returned:
            return "" if past.told or before.boot == speaker.boot else "rebooted"
        past.returns += 1
        if past.told or past.returns < RETURNS:
            return ""
        past.told = True
        return "twins"

    def agents(self, name: str) -> Iterator[str]:
        """The agents that spoke under a name and were taken for gone, by the spools they began with."""
        past = self._past.get(name)
        return (speaker.agent for speaker in (past.gone if past else ()) if speaker.agent)

    def restore(self, name: str, now: float) -> None:
        """A run before this one told of that name."""
        self._past[name] = past = Past(now)
        past.told = True

    def forget(self, name: str) -> None:
        """A host is none of ours any more."""
        self._past.pop(name, None)

    def _expire(self, now: float) -> None:
        while self._past:
            name, past = next(iter(self._past.items()))
            if past.touched + WITHIN > now:
                return
            del self._past[name]
