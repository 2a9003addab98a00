"""Hosts that go down and come back, or start anew, again and again. Pure: told the time, in monotonic seconds."""

from collections.abc import Iterable, Sequence

A_CHANGE = 10  # stops and reboots that weigh as much as one change: somebody who works there makes a few of them


class Turns:
    """When one host went down or came back: the last times, and how often since it flaps; when it started anew."""

    __slots__ = ("count", "flaps", "moved", "restarts", "times")

    def __init__(self, times: Sequence[float] = (), flaps: bool = False, moved: float = 0.0) -> None:
        self.times = list(times)
        self.flaps = flaps
        self.count = len(self.times)
        self.restarts: list[float] = []  # the last times, until it flaps
        self.moved = moved  # when it last changed its state in any way


class Flapping:
    """Who flaps: whoever made `changes` changes within some seconds, until it made none for as long. A stop or a
    reboot, which is mostly somebody's work, is A_CHANGE-th of one.

    Hosts that have not changed for that long cost nothing. With `changes` 0 nobody flaps.
    """

    def __init__(self, changes: int, within: float) -> None:
        self.changes = changes
        self.within = within
        self._turns: dict[str, Turns] = {}  # in the order of their last change

    def __contains__(self, name: str) -> bool:
        turns = self._turns.get(name)
        return turns is not None and turns.flaps

    def turned(self, name: str, now: float) -> float | None:
        """A host went down or came back. If it begins to flap with this: the seconds that its last `changes` took."""
        turns = self._latest(name, now)
        turns.count += 1
        turns.times = [*turns.times, now][-self.changes :] if self.changes else []
        took = now - turns.times[0] if len(turns.times) == self.changes > 0 else self.within
        if turns.flaps or took >= self.within:
            return None
        turns.flaps, turns.count = True, len(turns.times)
        return took

    def stirred(self, name: str, now: float) -> None:
        """A host that flaps does not hold still, though this is no change that counts."""
        if name in self:
            self._latest(name, now)

    def restarted(self, name: str, now: float) -> tuple[int, float] | None:
        """A host was stopped or rebooted. If it begins to flap with this: how many times, and in how many seconds."""
        most = self.changes * A_CHANGE
        if not most:
            self.stirred(name, now)
            return None
        turns = self._latest(name, now)
        if turns.flaps:
            turns.count += 1
            return None
        turns.restarts = [*turns.restarts, now][-most:]
        took = now - turns.restarts[0] if len(turns.restarts) == most else self.within
        if took >= self.within:
            return None
        turns.flaps, turns.count, turns.times = True, most, turns.restarts[-self.changes :]
        turns.restarts = []
        return most, took

    def steady(self, now: float) -> list[tuple[str, int]]:
        """Who flapped and has held still for long enough, with how often it changed. Costs O(those that did)."""
        still = []
        while self._turns:
            name, turns = next(iter(self._turns.items()))
            if turns.moved + self.within > now:
                break
            del self._turns[name]
            if turns.flaps:
                still.append((name, turns.count))
        return still

    def excuse(self, gap: float) -> None:
        """Nobody was watched for `gap` seconds."""
        for turns in self._turns.values():
            turns.times = [time + gap for time in turns.times]
            turns.restarts = [time + gap for time in turns.restarts]
            turns.moved += gap

    def kept(self, name: str, now: float) -> tuple[bool, tuple[float, ...]]:
        """Whether a host flaps, and how long ago its last changes were: what `restore` takes."""
        turns = self._turns.get(name)
        return (turns.flaps, tuple(round(now - time, 1) for time in turns.times)) if turns else (False, ())

    def restore(self, kept: Iterable[tuple[str, bool, Sequence[float]]], now: float) -> None:
        """What a run before this one knew: names with what `kept` gave. The time between the runs does not count."""
        turns = [
            (name, Turns([now - age for age in ages], flaps, now - min(ages))) for name, flaps, ages in kept if ages
        ]
        self._turns = dict(sorted(turns, key=lambda item: item[1].moved))

    def forget(self, name: str) -> None:
        """A host is none of ours any more."""
        self._turns.pop(name, None)

    def _latest(self, name: str, now: float) -> Turns:
        turns = self._turns.pop(name, None) or Turns()
        turns.moved = now
        self._turns[name] = turns
        return turns
