"""The plans in force: read from their folder, read anew after an edit, and who is told."""

from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.planbook import Planbook
from monitor436.model.source import SettingsError
from monitor436.model.words import count
from monitor436.periodic import Periodic
from monitor436.planfolder import Stamp, read_planbook, stamp

SHOWN = 10  # problems told in one event; `monitor436 config check` tells them all


class Plans(Periodic):
    """Serves the planbook of a folder. Files that do not read well never replace those that did.

    `state(events)` takes what happened; `changed(hosts)` is called with those whose plan is another one now.
    """

    log = Logger()

    def __init__(
        self,
        folder: str,
        every: float,
        rhythm: tuple[float, float],
        state: Callable[[list[Event]], None],
        clock: IReactorTime,
    ) -> None:
        super().__init__("plans", every, self.look, clock)
        self.book = Planbook({})
        self.changed: Callable[[Iterable[str]], None] = lambda hosts: None
        self._folder = folder
        self._rhythm = rhythm
        self._state = state
        self._stamp: Stamp | None = None  # of what was read last, good or not
        self._moving: Stamp | None = None  # seen once; read when it is the same at the next look
        self._served: dict[str, str] = {}  # digests that were told, by host
        self._read_well = False  # until then hosts keep what they have: the empty book is nobody's wish

    def startService(self) -> None:
        self._stamp = stamp(self._folder)
        self._read()
        super().startService()

    def digest(self, host: str) -> str:
        """The digest of the plan that a host should follow; empty while no plans without mistakes were read."""
        digest = self._served.get(host)  # as good as the book's: `_read` brings it up to date
        if digest is None:
            digest = self._served[host] = self.book.digest(host) if self._read_well else ""
        return digest

    def plan(self, host: str) -> bytes:
        """That plan, canonical JSON."""
        return self.book.plan(host)

    def late(self, host: str) -> float:
        """After how many seconds of silence a host is late."""
        return self.book.late(host)

    def look(self) -> None:
        """Read the folder again if it changed and has stood still since the last look: half a file is not read."""
        found = stamp(self._folder)
        if found == self._stamp:
            self._moving = None
        elif found != self._moving:
            self._moving = found
        else:
            self._stamp, self._moving = found, None
            self._read()

    def reload(self, folder: str, rhythm: tuple[float, float]) -> None:
        """Read now, whatever the stamps say."""
        self._folder, self._rhythm = folder, rhythm
        self._stamp = stamp(folder)
        self._read()

    def _read(self) -> None:
        try:
            book = read_planbook(self._folder, *self._rhythm)
        except SettingsError as wrong:
            told = "; ".join(str(problem) for problem in wrong.problems[:SHOWN])
            text = f"{count(len(wrong.problems), 'mistake')} in the plans, the old ones stay in force: {told}"
            self.log.error("{text}", text=text)
            self._state([Event(kind=kinds.PLANS_REFUSED, severity="warning", text=text)])
            return
        self.book, self._read_well = book, True
        changed = [host for host, before in self._served.items() if book.digest(host) != before]
        self._served.update((host, book.digest(host)) for host in changed)
        files, checks = book.size()
        told = count(len(changed), "host")
        text = f"plans read: {count(files, 'file')}, {count(checks, 'check')}; {told} to follow another plan"
        self._state([Event(kind=kinds.PLANS_CHANGED, text=text, fields={"hosts": len(changed)})])
        self.changed(changed)
