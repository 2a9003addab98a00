"""Two machines under one name: a copy of a disk, or of a state folder. Pure: told the time, in monotonic seconds.

Both have the key, and each session takes the place of the other machine's. What tells them from one machine that
reboots is that a boot id comes back: the kernel draws one at each boot and never the same again.
"""

RETURNS = 2  # boot ids that came back before it is told: once may be a virtual machine that was set back
WITHIN = 86400.0  # seconds for which boot ids are remembered: the machines of a slow plan take turns slowly
BOOTS = 4  # boot ids remembered of a name


class Past:
    """The boots of one name that were taken for gone, and how often one of them came back."""

    __slots__ = ("boots", "returns", "told", "touched")

    def __init__(self, touched: float) -> None:
        self.boots: dict[str, str] = {}  # boot id → address, the latest last
        self.returns = 0
        self.told = False
        self.touched = touched


class Twins:
    """The names under which a boot id came back that was taken for gone."""

    def __init__(self) -> None:
        self._past: dict[str, Past] = {}  # in the order in which they were last touched

    def __contains__(self, name: str) -> bool:
        past = self._past.get(name)
        return past is not None and past.told

    def replaced(self, name: str, before: tuple[str, str], boot: str, now: float) -> str:
        """A greeting came from another `boot` than the one `before` (its boot id and address).

        "rebooted", or "twins" if that proves that there are two machines, or "" if there is nothing to tell.
        """
        self._expire(now)
        past = self._past.pop(name, None) or Past(now)
        self._past[name] = past
        past.touched = now
        returned = past.boots.pop(boot, None) is not None
        past.boots[before[0]] = before[1]
        while len(past.boots) > BOOTS:
            del past.boots[next(iter(past.boots))]
        if not returned:
            return "" if past.told else "rebooted"
        past.returns += 1
        if past.told or past.returns < RETURNS:
            return ""
        past.told = True
        return "twins"

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
