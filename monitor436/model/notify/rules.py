"""The rules of notification: what the news of the board come to, for whom. Pure: told the time, in epoch seconds."""

from collections.abc import Callable, Iterable

from msgspec import structs

from monitor436.model.notify.alarm import BEHIND, Alarm, Memory
from monitor436.model.notify.holding import Holding
from monitor436.model.notify.notice import Item, Notice, What
from monitor436.model.notify.occurrences import Occurrences
from monitor436.model.notify.routes import told_of
from monitor436.model.notify.tables import Tables, key_of
from monitor436.model.notify.times import Clocks
from monitor436.model.settings.notify import Notify
from monitor436.model.status.board import Board
from monitor436.model.status.change import Change, Kind

LOOK = 5.0  # seconds between looks at what was held back, and at reminders
MOST_ITEMS = 1000  # of one notice


class Rules:
    """Who was told of what, and is to be told of what next. `new_key()` gives a key that no other notice has,
    `late(host)` after how many seconds of silence a host is late.

    Every alarm that was told has its recovery told to the same notifiers; neither is told twice. What changes stands
    in `tables`, to be made durable.
    """

    def __init__(
        self, board: Board, notify: Notify, server: str, new_key: Callable[[], str], late: Callable[[str], float]
    ) -> None:
        self._board = board
        self._notify = notify
        self._server = server
        self._new_key = new_key
        self._holding = Holding(board, notify, late)
        self._looked = float("-inf")
        self.restore(Memory())

    def restore(self, memory: Memory) -> None:
        """What a run before this one knew."""
        self.tables = Tables(memory)
        self._occurrences = Occurrences(self.tables, self._board, self._notify)

    def follow(self, notify: Notify, now: float) -> None:
        """Other settings: who is told of nothing any more is forgotten, who is to be told of what is there is told."""
        self._notify = self._occurrences.notify = self._holding.notify = notify
        named, memory = notify.named(), self.tables.memory
        for key, alarm in list(memory.alarms.items()):
            told = {name: state for name, state in alarm.told.items() if name in named}
            news, held, reminds = ([name for name in names if name in named] for names in _lists(alarm))
            # while this server was away nobody could be heard: the time to come back begins anew
            fitting = structs.replace(alarm, told=told, news=news, held=held, reminds=reminds, free=0.0)
            if fitting != alarm:
                self.tables.put(key, fitting)
            self._tell(key, now)
        for name in [name for name in memory.groups if name not in named]:
            self.tables.due(name, None)
        for key in [key for key, notice in memory.owed.items() if notice.to not in named]:
            self.tables.done(key)

    def reconcile(self, now: float) -> None:
        """Whatever the board says and was never heard here: for the first start, and should anything be missing."""
        standing = dict(self._board.standings.bad())
        for alarm in list(self.tables.memory.alarms.values()):
            if alarm.severity != "info" and alarm.subject not in standing and not self._board.flaps(alarm.subject):
                self.changed(Change(alarm.subject, "steady", "info", f"{alarm.subject} is well by now", now))
        for subject, part in standing.items():
            known, flaps = self.tables.memory.alarms.get(key_of(subject)), self._board.flaps(subject)
            if known is None or known.flaps != flaps or (not flaps and known.severity != part.severity):
                kind: Kind = "flapping" if flaps else "steady"
                self.changed(Change(subject, kind, part.severity, part.text, part.since, part.tags, part.event), now)

    # What happens.

    def changed(self, change: Change, now: float | None = None) -> None:
        """News of the board; `now` is when they came, if not when they happened."""
        now = change.at if now is None else now
        if change.kind == "happened":
            self._occurrences.add(change, now)
            return
        key, flaps = key_of(change.subject), change.kind == "flapping"
        alarm = self.tables.memory.alarms.get(key)
        well = change.severity == "info" and not flaps
        if alarm is None and well:
            return
        if alarm is None:
            alarm = Alarm(change.subject, change.severity, change.text, change.at, change.at)
        elif alarm.severity == "info" and not well:
            alarm = structs.replace(alarm, since=change.at, held=[], reminds=[], remind=0.0, behind=False)
        alarm = structs.replace(alarm, severity=change.severity, text=change.text, at=change.at, flaps=flaps)
        tags, event = change.tags or alarm.tags, change.event or alarm.event
        behind = alarm.behind or (not well and self._board.behind(change.subject) is not None)
        self.tables.put(key, structs.replace(alarm, tags=tags, event=event, behind=behind))
        self._tell(key, now)

    def turn(self, clocks: Clocks) -> list[Notice]:
        """What time does: groups that have waited long enough are told."""
        if clocks.now - self._looked >= LOOK:
            self._looked = clocks.now
            self._look(clocks)
            self._occurrences.look(clocks)
        notices = []
        for name in [name for name, due in self.tables.memory.groups.items() if due <= clocks.now]:
            items = self._alarms(name, clocks)
            items += self._occurrences.items(name, clocks, MOST_ITEMS)
            self.tables.due(name, clocks.now if self.tables.waits(name) else None)  # one notice may not hold all
            if items:
                notice = Notice(self._new_key(), name, round(clocks.wall, 3), self._server, tuple(items))
                self.tables.owe(notice)
                notices.append(notice)
        return notices

    def standing(self, name: str) -> list[Item]:
        """Everything bad that a notifier was told of and that is not over."""
        alarms = self.tables.memory.alarms.values()
        return [_item("alarm", each) for each in alarms if each.severity != "info" and _knows(each, name)]

    # Alarms.

    def _tell(self, key: str, now: float) -> None:
        """There may be something to say about an alarm, to everybody whom it concerns."""
        alarm = self.tables.memory.alarms[key]
        names = set(alarm.told)
        if alarm.severity != "info":
            names |= told_of(self._notify, alarm.subject, alarm.severity, alarm.tags)
        elif not names and not alarm.news:
            self.tables.put(key, None)  # nobody knew of it
            return
        names = {name for name in names if alarm.told.get(name) != alarm.state} - {*alarm.news}
        if names:
            self.tables.put(key, structs.replace(alarm, news=[*alarm.news, *sorted(names)]))
        for name in names:
            self.tables.wait(key, [name])
            if name not in self.tables.memory.groups:
                self.tables.due(name, now + self._notify.group_wait)

    def _alarms(self, name: str, clocks: Clocks) -> list[Item]:
        """What is to be said about alarms now."""
        items: list[Item] = []
        covered: list[str] = []
        for key in self.tables.waiting(name, MOST_ITEMS):
            item = self._item(key, name, clocks)
            if item is not None:
                items.append(item)
            elif name in self._held(key):
                covered.append(key)
        return self._cover(name, covered, items)

    def _item(self, key: str, name: str, clocks: Clocks) -> Item | None:
        """What is to be said about one; None if nothing is: it is known, or it is held back."""
        alarm = self.tables.memory.alarms[key]
        told, state, reminds = alarm.told.get(name), alarm.state, name in alarm.reminds
        news, held, others = ([each for each in names if each != name] for names in _lists(alarm))
        alarm = structs.replace(alarm, news=news, held=held, reminds=others)
        if alarm.severity == "info":
            left = {each: known for each, known in alarm.told.items() if each != name}
            self.tables.put(key, structs.replace(alarm, told=left) if left or news else None)
            return None if told is None else _item("recovery", alarm, told)
        if told == state and not reminds:
            self.tables.put(key, alarm)
            return None
        alarm, holds = self._holding.look(alarm, clocks)
        if holds:
            self.tables.put(key, structs.replace(alarm, held=[*held, name]))
            return None
        every = self._notify.remind_every
        remind = clocks.now + every if every else 0.0
        self.tables.put(key, structs.replace(alarm, told={**alarm.told, name: state}, remind=remind))
        what: What = "reminder" if told == state else "flapping" if alarm.flaps else "alarm"
        return _item(what, alarm, told or "")

    def _cover(self, name: str, keys: Iterable[str], items: list[Item]) -> list[Item]:
        """Hosts behind what was told are told with it, so that their recovery is news; the items, with their names."""
        known: set[tuple[str, str]] | None = None
        behind: dict[tuple[str, str], list[str]] = {}
        for key in keys:
            alarm = self.tables.memory.alarms[key]
            parent = None if alarm.subject.check or name in alarm.told else self._board.behind(alarm.subject)
            if parent is None:
                continue
            if known is None:
                alarms = self.tables.memory.alarms.values()
                known = {each.subject[:2] for each in alarms if each.severity != "info" and _knows(each, name)}
            while parent is not None and parent[:2] not in known:
                parent = self._board.behind(parent)  # a switch behind another: settings have no circle
            if parent is not None:
                behind.setdefault(parent[:2], []).append(alarm.subject.host)
                self.tables.put(key, structs.replace(alarm, told={**alarm.told, name: BEHIND}))
        for number, item in enumerate(items):
            if item.what != "recovery" and item.subject[:2] in behind:
                items[number] = structs.replace(item, behind=tuple(behind.pop(item.subject[:2])))
        return items

    def _look(self, clocks: Clocks) -> None:
        """At what was held back, and whether it still is; and at what one is to be reminded of."""
        still: dict[str, list[str]] = {}
        for key, alarm in list(self.tables.memory.alarms.items()):
            if alarm.severity == "info" or not (alarm.held or 0 < alarm.remind <= clocks.now):
                continue
            seen, holds = self._holding.look(alarm, clocks)
            if seen != alarm:
                alarm = seen
                self.tables.put(key, alarm)
            if holds:
                for name in alarm.held:
                    still.setdefault(name, []).append(key)
            elif alarm.held:
                self.tables.put(key, structs.replace(alarm, held=[]))
                self._tell(key, clocks.now)
            else:
                self._remind(key, clocks)
        for name, keys in still.items():
            self._cover(name, keys, [])

    def _remind(self, key: str, clocks: Clocks) -> None:
        alarm = self.tables.memory.alarms[key]
        names = [name for name, told in alarm.told.items() if told == alarm.state]
        every = self._notify.remind_every
        remind = clocks.now + every if every else 0.0
        news = list(dict.fromkeys([*alarm.news, *names]))
        self.tables.put(key, structs.replace(alarm, reminds=names, news=news, remind=remind))
        self.tables.wait(key, names)
        for name in names:
            self.tables.due(name, min(self.tables.memory.groups.get(name, clocks.now), clocks.now))

    def _held(self, key: str) -> list[str]:
        alarm = self.tables.memory.alarms.get(key)
        return alarm.held if alarm else []


def _lists(alarm: Alarm) -> tuple[list[str], list[str], list[str]]:
    return alarm.news, alarm.held, alarm.reminds


def _knows(alarm: Alarm, name: str) -> bool:
    return alarm.told.get(name, BEHIND) != BEHIND


def _item(what: What, alarm: Alarm, was: str = "") -> Item:
    more = {"since": alarm.since, "was": was, "tags": alarm.tags, "event": alarm.event}
    return Item(what, alarm.severity, alarm.text, alarm.at, *alarm.subject, **more)  # type: ignore[arg-type]
