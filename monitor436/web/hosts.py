"""Hosts over HTTP: who is there, how they are, and why."""

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct, structs

from monitor436.model.event import Severity
from monitor436.model.hosts.datagrams import Datagram
from monitor436.model.hosts.held import WAYS
from monitor436.model.hosts.rows import SORTS, STATES, HostRow, Wanted, chosen
from monitor436.web.fleet import Fleet
from monitor436.web.route import Call, Query, Refusal, Route

MOST = 10_000  # hosts in an answer
MOST_FILTER = 512  # characters


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

    `up` are its own seconds since boot, `fill` the bytes in its spool, `plan` the digest of the plan that it follows;
    `datagrams` are the last of them that this run of the server took, the newest first.
    """

    boot: str = ""
    up: int = 0
    fill: int = 0
    plan: str = ""
    twins: bool = False
    why: list[str] = []
    bad: list[BadCheck] = []
    datagrams: list[Datagram] = []


class HostPages:
    """The pages over the fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def routes(self) -> list[Route]:
        """The list, and one host."""
        query = {
            "state": Query(str, f"only these, between commas: {', '.join(STATES)}", "", 0, MOST_FILTER),
            "host": Query(str, 'only these: patterns such as "web*", between commas', "", 0, MOST_FILTER),
            "group": Query(str, "only those in one of these groups, between commas", "", 0, MOST_FILTER),
            "severity": Query(Severity, "this or worse", "info"),
            "held": Query(Literal["", *WAYS], "only these: silenced, acknowledged, or no: neither", ""),
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
        found = chosen(self._fleet.every(), wanted, query["sort"])
        if query["held"]:
            ways = self._fleet.held(found)
            found = [each for each, way in zip(found, ways, strict=True) if way.fits(query["held"])]
        skip = query["skip"]
        return Hosts(self._fleet.rows(found[skip : skip + query["most"]]), len(found), skip)

    async def one(self, call: Call) -> OneHost:
        """One by its name."""
        name = call.values["host"]
        here = self._fleet.one(name)
        if here is None:
            raise Refusal(404, "Not Found", f"no host {name[:100]!r} is known here")
        [seen], [row] = self._fleet.seen([here]), self._fleet.rows([here])
        shown: dict[str, Any] = structs.asdict(row)
        why = (
            [shown["text"]] if shown["text"] and shown["text"] not in {part.text for part in here.bad.values()} else []
        )
        why += [": ".join(filter(None, (part.severity, check, part.text))) for check, part in sorted(here.bad.items())]
        bad = [
            BadCheck(check, part.severity, part.text, part.since) for check, part in sorted(here.bad.items()) if check
        ]
        return OneHost(
            **shown, boot=seen.boot, up=seen.up, fill=seen.fill, plan=seen.plan, twins=seen.twins, why=why, bad=bad,
            datagrams=self._fleet.datagrams(here),
        )  # fmt: skip


def _parts(text: str) -> Iterable[str]:
    return filter(None, (part.strip() for part in text.split(",")))
