"""When a check is due: every so often, checks spread over whole seconds. Pure."""

from monitor436.agent import wire

SOON = 10.0  # seconds within which every check runs for the first time
WHOLE = 1.0  # seconds: what is due in the same one shares a wake-up
TOGETHER = 5.0  # seconds, the same for what takes less than to wake up for it


def whole(at: float, step: float = WHOLE) -> float:
    """The last moment up to `at` that is a multiple of `step` seconds of the clock."""
    return at // step * step


class Schedule:
    """Turns every `every` seconds, on a monotonic clock; turns that were missed are skipped.

    The phase comes from the name: checks spread, and one check comes at the same moment after every start. Moments are
    multiples of `step` seconds of the clock, as far as `every` is one too.
    """

    def __init__(self, name: str, every: float, now: float, step: float = WHOLE) -> None:
        self._every = every
        hashed = wire.SHA256(name.encode("utf-8")).digest()
        phase = int.from_bytes(hashed[:4], "big") / 2.0**32
        self.due = whole(now + phase * min(every, SOON), step)

    def turn(self, now: float) -> None:
        """A turn was taken: the next one is the first in step that is still to come."""
        self.due += self._every * max(1, int((now - self.due) / self._every) + 1)
