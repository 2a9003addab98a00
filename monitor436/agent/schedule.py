"""When a check is due: every so often, each check at a moment of its own. Pure."""

from monitor436.agent import wire

SOON = 10.0  # seconds within which every check runs for the first time


class Schedule:
    """Turns every `every` seconds, on a monotonic clock; turns that were missed are skipped.

    The phase comes from the name: checks spread, and one check comes at the same moment after every start.
    """

    def __init__(self, name: str, every: float, now: float) -> None:
        self._every = every
        hashed = wire.SHA256(name.encode("utf-8")).digest()
        phase = int.from_bytes(hashed[:4], "big") / 2.0**32
        self.due = now + phase * min(every, SOON)

    def turn(self, now: float) -> None:
        """A turn was taken: the next one is the first in step that is still to come."""
        self.due += self._every * max(1, int((now - self.due) / self._every) + 1)
