"""Hosts over HTTP: who is there, how they are, and why."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from msgspec import Struct, structs

from monitor436.model.checks_seen import ChecksSeen
from monitor436.model.event import Severity
from monitor436.model.host_rows import SORTS, STATES, HostRow, Listed, Wanted, chosen, listed, row
from monitor436.model.hosts.host import Host, Seen
from monitor436.web.route import Call, Query, Refusal, Route

MOST = 10_000  # hosts in an answer
MOST_FILTER = 512  # characters
LOOK = 1.0  # seconds between two looks at every host


class Roster(Protocol):
    """Who is known."""

    def names(self) -> Sequence[str]:
        """Every host."""

    def get(self, name: str, /) -> Host | None:
        """What is known of a host."""

    def restless(self, name: str, /) -> bool:
        """Whether a host flaps, or two machines speak under its name."""

    def seen(self, now: float, names: Iterable[str], /) -> list[Seen]:
        """How these hosts are, in this order."""


class Hosts(Struct):
    """Some hosts, out of the `total` that are wanted; the first `skip` are left out."""

    hosts: list[HostRow]
    total: int
    skip: int


class BadCheck(Struct):
    """A check that is bad since (epoch seconds)."""

    name: str
    severity: Severity
    text: str
    since: float


class OneHost(HostRow):
    """A host with everything that is known of it.

    `up` are its own seconds since boot, `fill` the bytes in its spool, `plan` the digest of the plan that it follows.
    """

    boot: str = ""
    up: int = 0
    fill: int = 0
    plan: str = ""
    twins: bool = False
    why: list[str] = []
    bad: list[BadCheck] = []


class HostPages:
    """The pages over the roster; `groups(host)` are those that the plans have it in."""

    def __init__(
        self,
        roster: Roster,
        checks: ChecksSeen,
        groups: Callable[[str], Sequence[str]],
        monotonic: Callable[[], float],
    ) -> None:
        self._roster = roster
        self._checks = checks
        self._groups = groups
        self._monotonic = monotonic
        self._every: Sequence[Listed] = ()
        self._looked = float("-inf")

    def routes(self) -> list[Route]:
        """The list, and one host."""
        query = {
            "state": Query(str, f"only these, between commas: {', '.join(STATES)}", "", 0, MOST_FILTER),
            "host": Query(str, 'only these: patterns such as "web*", between commas', "", 0, MOST_FILTER),
            "group": Query(str, "only those in one of these groups, between commas", "", 0, MOST_FILTER),
            "severity": Query(Severity, "this or worse", "info"),
            "text": Query(str, "what stands in name, address or group, in any case", "", 0, MOST_FILTER),
            "sort": Query(str, f"by {', '.join(SORTS)}; with - before it the other way round", "name", 1, 20),
            "skip": Query(int, "leave out so many", 0, 0, 10_000_000),
            "most": Query(int, "give so many", 100, 1, MOST),
        }
        return [
            Route(
                "GET", "/api/hosts", "read", self.every, "The hosts, how they are and since when.", gives=Hosts,
                query=query, refuses={400: "A state or an order that is none."},
            ),
            Route(
                "GET", "/api/hosts/{host}", "read", self.one, "Everything that is known of a host.", gives=OneHost,
                refuses={404: "No such host is known."},
            ),
        ]  # fmt: skip

    async def every(self, call: Call) -> Hosts:
        """Those that are wanted."""
        query = call.query
        states = frozenset(_parts(query["state"]))
        if not states <= set(STATES):
            raise Refusal(400, "Bad Request", f"?state: expected some of {', '.join(STATES)}", query="state")
        if query["sort"].removeprefix("-") not in SORTS:
            raise Refusal(400, "Bad Request", f"?sort: expected one of {', '.join(SORTS)}", query="sort")
        wanted = Wanted(
            states, frozenset(_parts(query["group"])), tuple(_parts(query["host"])), query["severity"], query["text"]
        )
        found = chosen(self._all(), wanted, query["sort"])
        skip = query["skip"]
        return Hosts(self._rows(found[skip : skip + query["most"]]), len(found), skip)

    async def one(self, call: Call) -> OneHost:
        """One by its name."""
        name = call.values["host"]
        here = list(self._listed([name]))
        if not here:
            raise Refusal(404, "Not Found", f"no host {name[:100]!r} is known here")
        seen, known = self._roster.seen(self._monotonic(), [name])[0], self._checks.of(name)
        shown: dict[str, Any] = structs.asdict(row(here[0], seen, known))
        bad = [BadCheck(check, *known.checks[check].worst) for check in sorted(known.bad)]
        why = [shown["text"]] if shown["text"] and shown["text"] not in {each.text for each in bad} else []
        why += [f"{each.severity}: {each.name}: {each.text}" for each in bad]
        return OneHost(
            **shown, boot=seen.boot, up=seen.up, fill=seen.fill, plan=seen.plan, twins=seen.twins, why=why, bad=bad
        )

    def _all(self) -> Sequence[Listed]:
        """Every host; looked at once a second at most, as many may watch, and there may be thousands."""
        now = self._monotonic()
        if now - self._looked >= LOOK:
            self._looked, self._every = now, list(self._listed(self._roster.names()))
        return [each for each in self._every if self._roster.get(each.name) is each.host]

    def _listed(self, names: Iterable[str]) -> Iterator[Listed]:
        for name in names:
            host = self._roster.get(name)
            if host is not None:
                yield listed(host, self._checks.of(name), self._roster.restless(name), self._groups(name))

    def _rows(self, found: Sequence[Listed]) -> list[HostRow]:
        seen = self._roster.seen(self._monotonic(), [each.name for each in found])
        return [row(each, how, self._checks.of(each.name)) for each, how in zip(found, seen, strict=True)]


def _parts(text: str) -> Iterable[str]:
    return filter(None, (part.strip() for part in text.split(",")))
