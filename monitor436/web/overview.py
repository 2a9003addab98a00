"""The whole fleet in one answer: how many hosts are how, in all and in each group, and a letter for every host."""

from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct

from monitor436.model.hosts.held import WAYS
from monitor436.model.hosts.host import UP
from monitor436.model.hosts.rows import HostRow, Wanted, chosen
from monitor436.model.status.worst import tally
from monitor436.model.words import count
from monitor436.web.fleet import Fleet
from monitor436.web.route import Call, Route

FRESH = 0.25  # seconds for which an answer is given again: many pages may be open
WORST = 40  # hosts that the text shows
LETTERS = {"up": "u", "late": "l", "down": "d", "stopped": "s", "unknown": "n"}
WORSE = {"critical": "c", "warning": "w"}  # of a host that is up


class GroupNow(Struct):
    """A group of the plans: hosts by state, and in `cells` a letter for each in the order of names: up, late, down,
    stopped, never heard (n), or up with warning or critical checks.
    """

    name: str
    hosts: dict[str, int]
    cells: str


class Overview(Struct):
    """The fleet. `worse` counts hosts that are critical, and those that are warning or worse; `checks` the bad ones.

    A host of several groups is in each of them; one of none is in the group "". `silenced` counts silences in force,
    `held` the hosts that are silenced, and those of which what is worst was acknowledged.
    """

    server: str
    hosts: dict[str, int]
    worse: dict[str, int]
    checks: dict[str, int]
    groups: list[GroupNow]
    degraded: str = ""
    silenced: int = 0
    held: dict[str, int] = {}

    @property
    def all(self) -> int:
        """How many hosts there are."""
        return sum(self.hosts.values())


class OverviewPage:
    """GET /api/overview, and the same as plain text. `degraded()` says what is wrong with this server, if anything."""

    def __init__(
        self,
        server: str,
        fleet: Fleet,
        degraded: Callable[[], str],
        monotonic: Callable[[], float],
        silenced: Callable[[], int] = lambda: 0,
    ) -> None:
        self._server = server
        self._fleet = fleet
        self._degraded = degraded
        self._monotonic = monotonic
        self._silenced = silenced
        self._kept: Overview | None = None
        self._kept_at = 0.0

    def routes(self) -> list[Route]:
        """One page."""
        summary = "The fleet: how many hosts are how, in all and by group, and a letter for every host."
        return [Route("GET", "/api/overview", "read", self.get, summary, gives=Overview)]

    async def get(self, call: Call) -> Overview:
        """The fleet now, or as it was a moment ago."""
        now = self._monotonic()
        if self._kept is None or now - self._kept_at >= FRESH:
            self._kept, self._kept_at = self._counted(), now
        return self._kept

    async def text(self, call: Call) -> str:
        """The same for a terminal, with those hosts that are worst."""
        told = await self.get(call)
        bad = chosen(self._fleet.every(), Wanted(severity="warning"), "-severity")
        ways = zip(bad, self._fleet.held(bad), strict=True)
        bad = [each for each, way in sorted(ways, key=lambda each: not each[1].fits("no"))]  # what is open comes first
        shown = bad[:WORST]
        return as_text(told, self._fleet.rows(shown), len(bad) - len(shown))

    def _counted(self) -> Overview:
        states: Counter[str] = Counter()
        worse: Counter[str] = Counter(critical=0, warning=0)
        checks: Counter[str] = Counter(critical=0, warning=0)
        groups: dict[str, tuple[Counter[str], list[str]]] = {}
        every = self._fleet.every()
        ways = self._fleet.held(every)
        held = {way: sum(each.fits(way) for each in ways) for way in WAYS if way != "no"}
        for each in every:
            state = each.host.state
            states[state] += 1
            letter = LETTERS.get(state, "n")
            if each.severity != "info":
                worse["warning"] += 1
                worse["critical"] += each.severity == "critical"
                checks.update(tally(each.bad))
                letter = WORSE[each.severity] if state == UP else letter
            for group in each.groups or ("",):
                among = groups.get(group) or groups.setdefault(group, (Counter(), []))
                among[0][state] += 1
                among[1].append(letter)
        by_name = [GroupNow(name, dict(counts), "".join(cells)) for name, (counts, cells) in sorted(groups.items())]
        by_name.sort(key=lambda group: not group.name)  # those of none come last
        degraded, silenced = self._degraded(), self._silenced()
        return Overview(self._server, dict(states), dict(worse), dict(checks), by_name, degraded, silenced, held)


def as_text(told: Overview, rows: Sequence[HostRow], more: int) -> str:
    """An overview as lines of plain text, with the hosts in `rows`; nothing in it moves a cursor."""
    up = told.hosts.get(UP, 0)
    lines = [f"{_plain(told.server)}: {up:,} of {told.all:,} hosts are up"]
    if told.degraded:
        lines.append(f"this server has a trouble of its own: {_plain(told.degraded)}")
    lines.append("  ".join(f"{state} {much:,}" for state, much in sorted(told.hosts.items()) if state != UP))
    lines.append(f"checks: {told.checks['critical']:,} critical, {told.checks['warning']:,} warning")
    if told.silenced:
        lines.append(f"silenced: {count(told.held.get('silenced', 0), 'host')} by {count(told.silenced, 'silence')}")
    if told.held.get("acknowledged"):
        lines.append(f"acknowledged: {count(told.held['acknowledged'], 'host')}")
    named = [group for group in told.groups if group.name]
    if named:
        wide = max(len(group.name) for group in named)
        lines += [
            "",
            *(f"{group.name:{wide}}  {group.hosts.get(UP, 0):>6,} of {len(group.cells):,} up" for group in named),
        ]
    if rows:
        wide = max(len(each.name) for each in rows)
        lines += [
            "",
            *(f"{each.severity:8}  {each.name:{wide}}  {each.state:7}  {_plain(_told(each))}" for each in rows),
        ]
    if more:
        lines.append(f"… and {more:,} more hosts")
    return "\n".join(line.rstrip() for line in lines if line or line == "") + "\n"


def _told(each: HostRow) -> str:
    """Why it is bad, and whether nobody is told of that."""
    if each.silenced:
        return f"{each.text}  [silenced {each.silenced}]"
    return f"{each.text}  [acknowledged {each.acked}]" if each.acked else each.text


def _plain(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
