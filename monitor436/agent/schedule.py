"""When a check is due: every so often, each check at a moment of its own. Pure."""

from monitor436.agent import wire

SOON = 10.0  # seconds within which every check runs for the first time


class Schedule:
    """Turns every `every` seconds. The phase comes from the name, so that many checks spread; missed turns are skipped."""

    def __init__(self, name: str, every: float, now: float) -> None:
        self.every = every
        phase = int.from_bytes(wire.SHA256(name.encode()).digest()[:4], "big") / 2.0**32
        self.due = now + phase * min(every, SOON)

    def turn(self, now: float) -> None:
        """A turn was taken: the next one is the first in step that is still to come."""
        self.due += self.every * max(1, int((now - self.due) / self.every) + 1)
