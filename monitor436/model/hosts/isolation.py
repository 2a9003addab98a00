"""Self-doubt: when many hosts fall silent at once it is rather the network, or this server. Pure: told the time."""

MANY = 3  # hosts: so many may fail together and still be news one by one
SHARE = 3  # one of so many hosts: that part of those alive must be late for doubt
WAIT_SHARE = 6  # one of so many: then a verdict waits for a whole beat, in which all that fell silent have shown it
JITTER = 1.0  # seconds by which beats, and looks at them, may be late


class Isolation:
    """Who became late within one beat, and, while this is isolated, whose verdicts are held.

    `beat` is how often hosts beat, `hold` for how long verdicts wait; both in seconds.
    """

    def __init__(self, beat: float, hold: float) -> None:
        self.beat = beat
        self.hold = hold
        self.began: float | None = None
        self.held: set[str] = set()
        self.back = 0  # of those held, how many were heard again
        self.gone = 0  # and how many are down
        self._late: dict[str, float] = {}  # who is late, and since when, if that is not longer ago than one beat

    @property
    def until(self) -> float:
        """When what is held is decided."""
        assert self.began is not None
        return self.began + self.hold

    def late(self, name: str, now: float) -> None:
        """A host became late."""
        self._late[name] = now
        if self.began is not None:
            self.held.add(name)

    def heard(self, name: str) -> bool:
        """A late host is heard again: whether nobody knows better that it was late than this."""
        self._late.pop(name, None)
        if name not in self.held:
            return False
        self.held.remove(name)
        self.back += 1
        return True

    def down(self, name: str) -> None:
        """The verdict on a late host was given."""
        self._late.pop(name, None)
        if name in self.held:
            self.held.remove(name)
            self.gone += 1

    def begins(self, now: float, alive: int) -> bool:
        """Whether this begins to be isolated: so many of the hosts `alive` (up or late) fell silent at once."""
        self._expire(now)
        late = len(self._late)
        if self.began is not None or late <= MANY or late * SHARE <= alive:
            return False
        self.began, self.back, self.gone = now, 0, 0
        self.held = set(self._late)
        return True

    def waits(self, name: str, now: float, alive: int) -> bool:
        """Whether the verdict on a late host is to wait: perhaps many more are silent, and have not shown it yet."""
        self._expire(now)
        late = len(self._late)
        return name in self._late and alive > MANY and late > 1 and late * WAIT_SHARE > alive

    def ends(self, now: float) -> float | None:
        """After how many seconds it is over, now that nothing is held any more; None if it is not."""
        if self.began is None or self.held:
            return None
        lasted, self.began = now - self.began, None
        return lasted

    def excuse(self, gap: float) -> None:
        """Nobody was heard for `gap` seconds because this server stood still."""
        self._late = {name: since + gap for name, since in self._late.items()}
        if self.began is not None:
            self.began += gap

    def _expire(self, now: float) -> None:
        while self._late:
            name, since = next(iter(self._late.items()))
            if since + self.beat + JITTER > now:
                return
            del self._late[name]
