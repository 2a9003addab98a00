"""Sweeps over ssh over HTTP: how their hosts are, and their last rounds."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from monitor436.model.fleet.polls import Summary
from monitor436.model.sweep.sweeps import SweepKept
from monitor436.web.polls import QUERY, asked_for, brief, missing
from monitor436.web.route import Call, Route

Known = Callable[[], Mapping[str, SweepKept]]  # what each sweep knows, by its name


class SweepRow(Struct):
    """A sweep and its last round, None before the first. `untrusted` says why rounds say nothing of the hosts."""

    name: str
    hosts: int
    failing: int
    untrusted: str
    last: Summary | None


class SweepsPage(Struct):
    """All sweeps, by name."""

    sweeps: list[SweepRow]


class SweptHost(Struct):
    """A host as the inventory names it: `seconds` of uptime when it last answered, at `time` (epoch seconds).

    `reason` is why it failed in the last round, `failing` whether that was told.
    """

    host: str
    seconds: float | None
    time: float | None
    boot: str
    failing: bool
    reason: str


class OneSweep(SweepRow):
    """A sweep with its last rounds, the newest last, and some of its hosts, the failing ones first."""

    rounds: list[Summary]
    shown: list[SweptHost]


class SweepPages:
    """The pages over what sweeps know."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def routes(self) -> list[Route]:
        """All of them, and one."""
        return [
            Route("GET", "/api/sweeps", "read", self.every, "Ssh sweeps and how their hosts are.", gives=SweepsPage),
            Route(
                "GET", "/api/sweeps/{sweep}", "read", self.one, "A sweep, its last rounds and its hosts.",
                gives=OneSweep, query=QUERY, refuses={404: "There is no such sweep."},
            ),
        ]  # fmt: skip

    async def every(self, call: Call) -> SweepsPage:
        """By name."""
        return SweepsPage([SweepRow(*brief(name, kept.polled)) for name, kept in sorted(self._known().items())])

    async def one(self, call: Call) -> OneSweep:
        """One by its name."""
        name, sweeps = call.values["sweep"], self._known()
        if name not in sweeps:
            raise missing("sweep", name, sweeps)
        kept = sweeps[name]
        rounds, hosts = asked_for(kept.polled, call)
        shown = []
        for host, seen in hosts:
            last = kept.hosts.get(host)
            if last is None:
                shown.append(SweptHost(host, None, None, "", seen.failing, seen.reason))
            else:
                shown.append(SweptHost(host, last.seconds, last.time, last.boot, seen.failing, seen.reason))
        return OneSweep(*brief(name, kept.polled), rounds, shown)
