"""Sweeps over ssh over HTTP: how their hosts are, and their last rounds."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from monitor436.model.polls import Summary
from monitor436.model.sweeps import SweepKept
from monitor436.web.route import Call, Query, Refusal, Route

MOST = 10_000  # hosts in an answer

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
        query = {
            "rounds": Query(int, "the last so many rounds", 100, 0, 100),
            "most": Query(int, "so many hosts", 100, 0, MOST),
        }
        return [
            Route("GET", "/api/sweeps", "read", self.every, "Ssh sweeps and how their hosts are.", gives=SweepsPage),
            Route(
                "GET", "/api/sweeps/{sweep}", "read", self.one, "A sweep, its last rounds and its hosts.",
                gives=OneSweep, query=query, refuses={404: "There is no such sweep."},
            ),
        ]  # fmt: skip

    async def every(self, call: Call) -> SweepsPage:
        """By name."""
        return SweepsPage([SweepRow(*_row(name, kept)) for name, kept in sorted(self._known().items())])

    async def one(self, call: Call) -> OneSweep:
        """One by its name."""
        name, sweeps = call.values["sweep"], self._known()
        if name not in sweeps:
            known = ", ".join(sorted(sweeps)) or "none"
            raise Refusal(404, "Not Found", f"no sweep {name[:100]!r}; there are: {known}")
        kept = sweeps[name]
        rounds = kept.polled.rounds[-call.query["rounds"] :] if call.query["rounds"] else []
        targets = sorted(
            kept.polled.targets.items(), key=lambda each: (not each[1].failing, not each[1].reason, each[0])
        )
        shown = []
        for host, seen in targets[: call.query["most"]]:
            last = kept.hosts.get(host)
            if last is None:
                shown.append(SweptHost(host, None, None, "", seen.failing, seen.reason))
            else:
                shown.append(SweptHost(host, last.seconds, last.time, last.boot, seen.failing, seen.reason))
        return OneSweep(*_row(name, kept), rounds, shown)


def _row(name: str, kept: SweepKept) -> tuple[str, int, int, str, Summary | None]:
    polled = kept.polled
    failing = sum(seen.failing for seen in polled.targets.values())
    return name, len(polled.targets), failing, polled.untrusted, polled.rounds[-1] if polled.rounds else None
