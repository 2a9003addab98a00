"""What happened and is no state, such as a line of a log: told once, then with a count, not too often."""

from msgspec import structs

from monitor436.model.event import Severity
from monitor436.model.notify.alarm import Happened
from monitor436.model.notify.notice import Item
from monitor436.model.notify.routes import quiet, told_of
from monitor436.model.notify.tables import Tables, key_of
from monitor436.model.notify.times import Clocks
from monitor436.model.settings.notify import Notify
from monitor436.model.status.board import Board
from monitor436.model.status.change import RANKS, Change, Subject

MOST = 1000  # different things that are remembered for one notifier; what comes beyond is counted as one
OTHERS = Subject("", "others")


class Occurrences:
    """What happens is told after `group_wait`; the same again no sooner than `repeat_every` later, with how often."""

    def __init__(self, tables: Tables, board: Board, notify: Notify) -> None:
        self._tables = tables
        self._board = board
        self.notify = notify

    def add(self, change: Change, now: float) -> None:
        """Something happened."""
        memory = self._tables.memory
        for name in told_of(self.notify, change.subject, change.severity, change.tags):
            subject = change.subject
            if key_of(subject, name) not in memory.happened and self._tables.happenings[name] >= MOST:
                subject = OTHERS
            known = memory.happened.get(key_of(subject, name))
            again = known is not None and known.times > 0
            since = known.since if known and again else change.at
            severity: Severity = known.severity if known and again else "info"
            if RANKS[change.severity] > RANKS[severity]:
                severity = change.severity
            told, times = (known.told, known.times + 1) if known else (0.0, 1)
            each = Happened(
                name, subject, severity, change.text, since, change.at, times, told, change.tags, change.event
            )
            self._tables.happened(key_of(subject, name), each)
            if self._ripe(each, now) and name not in memory.groups:
                self._tables.due(name, now + self.notify.group_wait)

    def items(self, name: str, clocks: Clocks, most: int) -> list[Item]:
        """What is to be told now."""
        items: list[Item] = []
        for key, each in list(self._tables.memory.happened.items()):
            ripe = each.to == name and each.times and self._ripe(each, clocks.now) and len(items) < most
            if not ripe or quiet(self.notify.quiet, each.severity, clocks.weekday, clocks.minute):
                continue
            if self._board.silences.holding(each.subject, each.severity, each.tags, clocks.wall):
                self._tables.happened(key, None)
                continue
            items.append(_item(each))
            self._tables.happened(key, structs.replace(each, times=0, told=clocks.now))
        return items

    def look(self, clocks: Clocks) -> None:
        """What happened again meanwhile is due; what did not is forgotten."""
        for key, each in list(self._tables.memory.happened.items()):
            if not self._ripe(each, clocks.now):
                continue
            if not each.times or each.to not in self.notify.named():
                self._tables.happened(key, None)
                continue
            waits = quiet(self.notify.quiet, each.severity, clocks.weekday, clocks.minute)
            if not waits and each.to not in self._tables.memory.groups:
                self._tables.due(each.to, clocks.now)

    def _ripe(self, each: Happened, now: float) -> bool:
        return not each.told or now >= each.told + self.notify.repeat_every


def _item(each: Happened) -> Item:
    more = {"since": each.since, "times": each.times, "tags": each.tags, "event": each.event}
    return Item("happened", each.severity, each.text, each.at, *each.subject, **more)  # type: ignore[arg-type]
