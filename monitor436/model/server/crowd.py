"""How many may be connected at once, in all and of one address, and who goes where somebody new finds no room."""

from collections import Counter
from collections.abc import Hashable
from typing import Generic, TypeVar

from monitor436.model.keys.tries import whose

# A fleet that comes at once would push itself out, each host before it is answered: so a stranger has so many seconds
# at least where nobody takes more room than others.
GRACE = 2.0

Guest = TypeVar("Guest", bound=Hashable)


class Crowd:
    """Whoever is connected, `most` at once and `each` of one address (of IPv6: of one /64).

    `now` says how many there are; `refused`, `late` and `displaced` how many, since the start, were one too many, were
    cut off because they took too long, and had to make room for somebody else.
    """

    def __init__(self, most: int, each: int) -> None:
        self.now = 0
        self.refused = 0
        self.late = 0
        self.displaced = 0
        self._most = most
        self._each = each
        self._of: Counter[str] = Counter()

    def enter(self, address: str, trusted: bool = False) -> bool:
        """Whether there is room for another connection of this address; then it counts until it is told to `leave`.

        One that is `trusted` speaks for many: it may take all the room there is.
        """
        if self.full() or (self.has_its_share(address) and not trusted):
            self.refused += 1
            return False
        self.now += 1
        self._of[whose(address)] += 1
        return True

    def leave(self, address: str) -> None:
        """One that entered is gone."""
        key = whose(address)
        self.now -= 1
        self._of[key] -= 1
        if not self._of[key]:
            del self._of[key]

    def full(self) -> bool:
        """Whether there is room for nobody."""
        return self.now >= self._most

    def has_its_share(self, address: str) -> bool:
        """Whether there is no room for another one of this address, trusted ones aside."""
        return self._of[whose(address)] >= self._each


class Strangers(Generic[Guest]):
    """Those in a crowd who have not got what they came for: one of them makes room for a newcomer who finds none.

    So nobody holds a door by doing nothing at it: whoever fills it from few addresses loses connections of its own, and
    one that asks at once is answered before its turn comes.
    """

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._of: dict[str, dict[Guest, float]] = {}  # of each address, oldest first, with when it came

    def add(self, guest: Guest, address: str, now: float) -> None:
        """One has entered."""
        self._of.setdefault(whose(address), {})[guest] = now

    def discard(self, guest: Guest, address: str) -> None:
        """One is no stranger any more, or gone; it may be either already."""
        key = whose(address)
        guests = self._of.get(key, {})
        guests.pop(guest, None)
        if not guests:
            self._of.pop(key, None)

    def gives_way(self, address: str, now: float) -> Guest | None:
        """Who has to go so that another one of this address can enter; None: there is room, or nobody has to.

        That is the oldest of the address that has most of them, if the newcomer's has fewer even with it; else the
        oldest of all, if it has had its GRACE. An address that has its share has only its own to send away.
        """
        mine = self._of.get(whose(address), {})
        if self._crowd.has_its_share(address):
            groups = [mine] if mine else []
        elif self._crowd.full():
            groups = list(self._of.values())
        else:
            return None
        if not groups:
            return None
        most = max(groups, key=lambda guests: (len(guests), -_oldest(guests)[1]))
        if len(most) > len(mine) + 1:
            return _oldest(most)[0]
        guest, came = min(map(_oldest, groups), key=lambda oldest: oldest[1])
        return guest if now - came >= GRACE else None


def _oldest(guests: dict[Guest, float]) -> tuple[Guest, float]:
    return next(iter(guests.items()))
