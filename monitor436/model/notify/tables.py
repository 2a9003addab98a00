"""What the rules remember, and what of it has changed since that was made durable."""

from collections import Counter
from collections.abc import Iterable

from monitor436.model.notify.alarm import Alarm, Entry, Happened, Memory
from monitor436.model.notify.notice import Notice
from monitor436.model.status.change import Subject

BETWEEN = "\x1f"


def key_of(subject: Subject, *before: str) -> str:
    """A subject as one text."""
    return BETWEEN.join((*before, *subject))


class Tables:
    """Alarms, what happened, when groups are due, what is owed; each step's changes can be taken as an Entry."""

    def __init__(self, memory: Memory | None = None) -> None:
        self.memory = memory or Memory()
        self._entry = _empty()
        self.happenings = Counter(each.to for each in self.memory.happened.values())  # by notifier
        self._waiting: dict[str, dict[str, None]] = {}  # keys of alarms, by the notifier that has news of them
        for key, alarm in self.memory.alarms.items():
            self.wait(key, alarm.news)

    def take_entry(self) -> Entry | None:
        """What has changed since the last call; None if nothing has."""
        if not self.dirty:
            return None
        entry, self._entry = self._entry, _empty()
        return entry

    @property
    def dirty(self) -> bool:
        """Whether anything has changed since `take_entry`."""
        entry = self._entry
        return bool(entry.alarms or entry.happened or entry.groups or entry.owed or entry.done)

    def put(self, key: str, alarm: Alarm | None) -> None:
        """An alarm is now as this; None: it is forgotten."""
        self._entry.alarms[key] = alarm
        if alarm is None:
            self.memory.alarms.pop(key, None)
        else:
            self.memory.alarms[key] = alarm

    def happened(self, key: str, each: Happened | None) -> None:
        """The same for what is no state."""
        self._entry.happened[key] = each
        before = self.memory.happened.pop(key, None) if each is None else self.memory.happened.get(key)
        if before is not None:
            self.happenings[before.to] -= 1
        if each is not None:
            self.happenings[each.to] += 1
            self.memory.happened[key] = each

    def due(self, name: str, when: float | None) -> None:
        """When the news for a notifier are told; None: there are none."""
        if self.memory.groups.get(name) == when:
            return
        self._entry.groups[name] = when
        if when is None:
            self.memory.groups.pop(name, None)
        else:
            self.memory.groups[name] = when

    def owe(self, notice: Notice) -> None:
        """It is to be sent."""
        self._entry.owed.append(notice)
        self.memory.owed[notice.key] = notice

    def done(self, key: str) -> None:
        """It was sent, or given up."""
        if self.memory.owed.pop(key, None) is not None:
            self._entry.done.append(key)

    def wait(self, key: str, names: Iterable[str]) -> None:
        """There is news of an alarm for these notifiers."""
        for name in names:
            self._waiting.setdefault(name, {})[key] = None

    def waiting(self, name: str, most: int) -> list[str]:
        """The keys of alarms of which there is news for a notifier, taken out."""
        waits = self._waiting.get(name, {})
        taken = [key for _, key in zip(range(most), waits, strict=False)]
        for key in taken:
            del waits[key]
        return [key for key in taken if key in self.memory.alarms]

    def waits(self, name: str) -> bool:
        """Whether there is more."""
        return bool(self._waiting.get(name))


def _empty() -> Entry:
    return Entry(alarms={}, happened={}, groups={}, owed=[], done=[])
