"""A server's board and rules of notification in one process, which can be killed between any two steps."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count

from msgspec import json

from monitor436.model import event as kinds
from monitor436.model.event import Event, Field, Severity
from monitor436.model.notify.alarm import Entry, Memory
from monitor436.model.notify.notice import Item, Notice
from monitor436.model.notify.rules import Rules
from monitor436.model.notify.times import Clocks
from monitor436.model.settings.notify import Command, Notify, Route
from monitor436.model.settings.status import Status
from monitor436.model.status.board import Board

BEGIN = 1_800_000_000.0  # epoch seconds
LATE = 15.0
OPS = {"ops": Command(argv=("/bin/true",))}


def happening(kind: str, severity: Severity, host: str = "", check: str = "", text: str = "", **fields: Field) -> Event:
    """An event as the file has it, but for its time and its id."""
    return Event(kind=kind, severity=severity, host=host, check=check, text=text or f"{host} {kind}", fields=fields)


def down(host: str, reason: str = "silent") -> Event:
    """A host is down."""
    return happening(kinds.HOST_DOWN, "critical", host, reason=reason)


def up(host: str) -> Event:
    """A host is up again."""
    return happening(kinds.HOST_UP, "info", host, was="down")


def check(host: str, name: str, severity: Severity, of: str = "") -> Event:
    """A check is in another state."""
    more = {"of": of} if of else {}
    return happening("check_state", severity, host, name, f"{name} is {severity}", state=severity, was="", **more)


class Notified:
    """Events go in, notices come out; `kill` forgets everything but the file of events and the lines of the spool."""

    def __init__(self, notify: Notify | None = None, status: Status | None = None) -> None:
        self.now = BEGIN
        self.weekday, self.minute = 0, 12 * 60
        self.status = status or Status()
        self.notify = notify or Notify(command=OPS, group_wait=10.0, remind_every=0.0)
        self.file: list[tuple[Event, float]] = []
        self.spool: list[bytes] = []
        self.sent: list[Notice] = []
        self._keys = count(1)
        self._begin()

    def happens(self, *events: Event, kept: bool = True) -> None:
        """Events became durable; `kept`: what they come to is durable, too."""
        for event in events:
            number = len(self.file) + 1
            event = Event(
                **{name: getattr(event, name) for name in event.__struct_fields__}
                | {"id": f"@srv/a/{number}", "time": datetime.fromtimestamp(self.now, UTC)}
            )
            self.file.append((event, self.now))
            if kept:
                self._hear(event, self.now)
                self.keep()

    def passes(self, seconds: float, kept: bool = True, step: float = 1.0) -> None:
        """Time passes."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + step)
            for change in self.board.turn(self.now):
                self.rules.changed(change)
            notices = self.rules.turn(Clocks(self.now, self.now, self.weekday, self.minute))
            if kept:
                self.keep()
                self.sent += notices

    def keep(self) -> None:
        """What has changed is durable."""
        entry = self.rules.tables.take_entry()
        if entry is not None:
            if self.file:
                entry.event = self.file[-1][0].id
            self.spool.append(json.encode(entry))

    def kill(self) -> None:
        """The process ends and another begins."""
        self._begin()

    def _begin(self) -> None:
        memory = Memory()
        for line in self.spool:
            memory.add(json.decode(line, type=Entry))
        self.board = Board(self.status)
        self.rules = Rules(self.board, self.notify, "srv", lambda: f"key-{next(self._keys)}", lambda host: LATE)
        self.rules.restore(memory)
        heard = not memory.event
        for event, at in self.file:
            changes = [*self.board.turn(at), *self.board.take(event, at)]
            for change in changes if heard and memory.event else ():
                self.rules.changed(change)
            heard = heard or event.id == memory.event
        self.rules.follow(self.notify, self.now)
        self.rules.reconcile(self.now)
        self.keep()

    def _hear(self, event: Event, at: float) -> None:
        for change in self.board.take(event, at):
            self.rules.changed(change)

    @property
    def items(self) -> list[Item]:
        """Everything that was told."""
        return [item for notice in self.sent for item in notice.items]

    def told(self, *names: str) -> list[tuple[str, str]]:
        """(what, about what) in the order it was told, by the notifiers of these names, or all."""
        notices: Iterable[Notice] = (notice for notice in self.sent if not names or notice.to in names)
        return [(item.what, str(item.subject)) for notice in notices for item in notice.items]


def routed(**routes: Route) -> Notify:
    """Settings with two notifiers, `ops` and `dev`."""
    return Notify(command={**OPS, "dev": OPS["ops"]}, routes=routes, group_wait=10.0, remind_every=0.0)
