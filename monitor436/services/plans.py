"""The plans in force: read from their folder, read anew after an edit, and who is told."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from monitor436.agent.event import PLAN_REFUSED
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.fleet.inventory import Listed
from monitor436.model.plans.planbook import Planbook
from monitor436.model.plans.planfile import status_target
from monitor436.model.source import SettingsError
from monitor436.model.words import count
from monitor436.periodic import Periodic
from monitor436.planfolder import Stamp, read_planbook, stamp

STILL = 0.5  # seconds for which the folder has to stand still until it is read: half a file is not read
ABOUT = 0.9  # of that: timers keep to a grid, not to a distance


class Plans(Periodic):
    """Serves the planbook of a folder. Files that do not read well never replace those that did.

    `canary` are patterns of hosts that get an edit first, and the seconds until the others do; if one of them refuses
    its plan, all go back to what they had, until the next edit: to read the same files again is none. `state(events)`
    takes what happened; `changed(hosts)` is called with those whose plan is another one now.
    """

    log = Logger()

    def __init__(
        self,
        folder: str,
        every: float,
        rhythm: tuple[float, float],
        canary: tuple[Sequence[str], float],
        state: Callable[[list[Event]], None],
        clock: IReactorTime,
    ) -> None:
        super().__init__("plans", every, self.look, clock)
        self._every = every
        self._clock = clock
        self._canary, self._canary_wait = canary
        self._trial: Planbook | None = None  # what the canary group follows, and nobody else yet
        self._trial_ends = 0.0
        self._held = ""  # the mark of the edit that the canary group has refused, until the next one
        self.book = Planbook({})
        self.mark = ""  # what all plans of this server are known by
        self.changed: Callable[[Iterable[str]], None] = lambda hosts: None
        self._folder = folder
        self._rhythm = rhythm
        self._state = state
        self._stamp: Stamp | None = None  # of what was read last, good or not
        self._moving: Stamp | None = None  # seen once; read when it is the same some time later
        self._moved = 0.0  # when it was seen first
        self._served: dict[str, str] = {}  # digests that were told, by host
        self._refused = False  # what was read last
        self._read_well = False  # until then hosts keep what they have: the empty book is nobody's wish

    def startService(self) -> None:
        self._stamp = stamp(self._folder)
        self._read()
        super().startService()

    @property
    def folder(self) -> str:
        """Where they are written."""
        return self._folder

    def digest(self, host: str) -> str:
        """The digest of the plan that a host should follow; empty while no plans without mistakes were read."""
        digest = self._served.get(host)  # as good as the book's: `_serve` brings it up to date
        if digest is None:
            digest = self._served[host] = self._book_of(host).digest(host) if self._read_well else ""
        return digest

    def plan(self, host: str) -> bytes:
        """That plan, canonical JSON."""
        return self._book_of(host).plan(host)

    def late(self, host: str) -> float:
        """After how many seconds of silence a host is late."""
        return self._book_of(host).late(host)

    def generation(self, host: str) -> int:
        """The generation that a host's key must have at least."""
        return self.book.generation(host)

    def announced(self, addresses: Callable[[], Iterable[tuple[str, str]]]) -> Iterator[Listed]:
        """Where those of the (host, address) pairs whose plans say so tell their status."""
        for host, address in addresses():
            url = self.book.status_url(host)
            if url:
                with suppress(ValueError):  # a name or an address that makes no URL of it
                    yield status_target(url, host, address)

    def heard(self, events: Sequence[Event]) -> None:
        """Events became durable: a canary that refuses its plan ends the trial."""
        for event in events:
            if event.kind == PLAN_REFUSED and (tried := self._tries(event.host, str(event.fields.get("digest", "")))):
                self._trial, self._held = None, tried.mark()
                text = f"the edit of the plans stays off: {event.host} says: {event.text}"
                self._state([Event(kind=kinds.PLANS_HELD, severity="warning", text=text)])
                self._serve()

    def look(self) -> None:
        """Read the folder again if it changed and has stood still since the last look, which is soon after a change."""
        if self._trial is not None and self._clock.seconds() >= self._trial_ends:
            self.book, self._trial = self._trial, None
            changed = self._serve()
            text = f"the canary group follows the edited plans; now {count(changed, 'more host')} to"
            self._state([Event(kind=kinds.PLANS_CHANGED, text=text, fields={"hosts": changed})])
        found, now, still = stamp(self._folder), self._clock.seconds(), min(STILL, self._every)
        if found == self._stamp:
            self._moving = None
        elif found != self._moving:
            self._moving, self._moved = found, now
        elif now - self._moved >= still * ABOUT:
            self._stamp, self._moving = found, None
            self._read()
        self.retime(self._every if self._moving is None else still)

    def reload(self, folder: str, rhythm: tuple[float, float]) -> None:
        """Read now, whatever the stamps say. Plans that are what they were are no news, nor is what was refused."""
        self._folder, self._rhythm = folder, rhythm
        found = stamp(folder)
        if found != self._stamp:
            self._held = ""  # saved again, perhaps as it was: it is tried anew
        self._stamp = found
        self._read(again=True)

    def _read(self, again: bool = False) -> None:
        refused, self._refused = self._refused, True
        try:
            book = read_planbook(self._folder, *self._rhythm)
        except SettingsError as wrong:
            text = f"{count(len(wrong.problems), 'mistake')} in the plans, the old ones stay in force: {wrong.told}"
            self.log.error("{text}", text=text)
            self._state([Event(kind=kinds.PLANS_REFUSED, severity="warning", text=text)])
            return
        self._refused = False
        if again and not refused and book.mark() in (self._held, (self._trial or self.book).mark()):
            return
        self._held = ""
        files, checks = book.size()
        first = ""
        if self._canary and self._read_well:
            self._trial, self._trial_ends = book, self._clock.seconds() + self._canary_wait
            first = " first"
        else:
            self.book, self._trial, self._read_well = book, None, True
        changed = self._serve()
        told = count(changed, "host")
        text = f"plans read: {count(files, 'file')}, {count(checks, 'check')}; {told} to follow another plan{first}"
        self._state([Event(kind=kinds.PLANS_CHANGED, text=text, fields={"hosts": changed})])

    def _serve(self) -> int:
        """Every host that is known has the plan of its book from now on; how many have another one than before."""
        wanted = {host: self._book_of(host).digest(host) for host in self._served}
        changed = [host for host, digest in wanted.items() if digest != self._served[host]]
        self._served = wanted
        self.mark = self.book.mark()
        self.changed(changed)
        return len(changed)

    def _book_of(self, host: str) -> Planbook:
        return self._trial if self._trial is not None and self._is_canary(host) else self.book

    def _tries(self, host: str, digest: str) -> Planbook | None:
        """What a host is trying, if its plan in there has this digest, or the beginning of it: no earlier edit."""
        tried = self._trial if self._is_canary(host) else None
        return tried if tried is not None and tried.digest(host).startswith(digest) else None

    def _is_canary(self, host: str) -> bool:
        return any(fnmatchcase(host, pattern) for pattern in self._canary)
