"""How many may be connected at once: in all, and of one address."""

from collections import Counter

from monitor436.model.keys.tries import whose


class Crowd:
    """Whoever is connected, `most` at once and `each` of one address (of IPv6: of one /64).

    `now` says how many there are; `refused` and `late` how many, since the start, were one too many, and were cut off
    because they took too long.
    """

    def __init__(self, most: int, each: int) -> None:
        self.now = 0
        self.refused = 0
        self.late = 0
        self._most = most
        self._each = each
        self._of: Counter[str] = Counter()

    def enter(self, address: str, trusted: bool = False) -> bool:
        """Whether there is room for another connection of this address; then it counts until it is told to `leave`.

        One that is `trusted` speaks for many: it may take all the room there is.
        """
        key = whose(address)
        if self.now >= self._most or (self._of[key] >= self._each and not trusted):
            self.refused += 1
            return False
        self.now += 1
        self._of[key] += 1
        return True

    def leave(self, address: str) -> None:
        """One that entered is gone."""
        key = whose(address)
        self.now -= 1
        self._of[key] -= 1
        if not self._of[key]:
            del self._of[key]
