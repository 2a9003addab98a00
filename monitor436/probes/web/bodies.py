"""How many bytes of bodies a probe holds at once: who has a large one waits, unheard, until there is room for it."""

from typing import Any

MOST_HELD = 64 << 20  # bytes of all bodies that are on their way to one probe
SMALL = 1 << 14  # bytes of a body that nobody counts: more than a status page has, and ten thousand may come at once


class Bodies:
    """Gives each connection room for the whole of its body or none, in the order in which they ask.

    Who has room can come to an end with it, so nobody waits for somebody who waits. The time of an exchange goes on
    while it waits: servers that fill the room and then dawdle make others late, and never this process large.
    """

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most = most
        self._left = most
        self._held: dict[Any, int] = {}
        self._waiting: dict[Any, int] = {}  # in their order

    def want(self, transport: Any, size: int) -> None:
        """A body of `size` bytes comes over `transport`, which is paused until there is room.

        May be said again as it comes: who waits is paused again, whoever resumed it.
        """
        if transport in self._held:
            return
        size = min(size, self._most)
        if size <= self._left and not self._waiting:
            self._hold(transport, size)
        else:
            self._waiting.setdefault(transport, size)
            transport.pauseProducing()

    def leave(self, transport: Any) -> None:
        """Its body is no longer held, or no longer awaited."""
        if self._waiting.pop(transport, None) is not None:
            transport.resumeProducing()
        self._left += self._held.pop(transport, 0)
        while self._waiting:
            following, size = next(iter(self._waiting.items()))
            if size > self._left:
                break
            del self._waiting[following]
            self._hold(following, size)
            following.resumeProducing()

    def _hold(self, transport: Any, size: int) -> None:
        self._left -= size
        self._held[transport] = size
