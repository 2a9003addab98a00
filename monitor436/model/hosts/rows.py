"""Hosts as lists show them: who is wanted, in which order, and what a row says. Pure."""

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from monitor436.model.event import Severity
from monitor436.model.hosts.held import OF_STATE, OPEN, Held, Holds, told
from monitor436.model.hosts.host import DOWN, LATE, STOPPED, UNKNOWN, UP, Host, Seen
from monitor436.model.status import worst
from monitor436.model.status.board import Board
from monitor436.model.status.change import RANKS
from monitor436.model.status.standing import HostNow
from monitor436.model.words import count, span

STATES = (DOWN, LATE, UNKNOWN, STOPPED, UP)  # the worst first, which is their order
SORTS = ("name", "state", "severity", "age", "lasted", "address", "group", "version")

_ANYTHING = re.compile("")


class HostRow(Struct):
    """A host: seconds since it was last heard (`age`) and since its state began (`lasted`).

    `severity` is that of its state or of its worst check, and `text` says why; `checks` counts those that are bad.
    `acked` says who knows of that, and `silenced` names the silence that it is under, or that the next alarm of a host
    that is well would be under.
    """

    name: str
    state: str
    age: float
    lasted: float
    severity: Severity
    text: str
    reason: str
    address: str
    group: str
    groups: Sequence[str]
    version: str
    checks: dict[str, int]
    flapping: bool
    heard: bool
    acked: str
    silenced: str


class Listed(NamedTuple):
    """What of a host says whether and where it is listed: little, as it is looked at for every host there is."""

    name: str
    host: Host
    severity: Severity
    groups: Sequence[str]
    bad: worst.Bad


class Wanted(NamedTuple):
    """Which hosts are wanted: of the states, groups and patterns of names; `text` is in name, address or group."""

    states: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    severity: Severity = "info"
    text: str = ""


def listed(host: Host, told: HostNow | None, restless: bool, groups: Sequence[str]) -> Listed:
    """One host; `told` is what the board has of it, `restless`: it flaps, or two machines speak under its name."""
    severity: Severity = OF_STATE.get(host.state, "info")
    bad = worst.bad(told)
    if bad:
        severity = max(severity, worst.severity(bad), key=RANKS.__getitem__)
    if severity == "info" and (restless or not host.heard):
        severity = "warning"
    return Listed(host.name, host, severity, groups, bad)


def held(each: Listed, board: Board, holds: Holds) -> Held:
    """Whether somebody is told of a host."""
    if each.severity == "info" and not holds.about(each.name):
        return OPEN
    return holds.of(*told(each.name, each.host.state, each.bad, board))


def row(each: Listed, seen: Seen, board: Board, holds: Holds) -> HostRow:
    """How a host is shown."""
    now = board.standings.hosts.get(seen.name) or HostNow(seen.name)
    subject, part = told(seen.name, seen.state, each.bad, board)
    acked, silenced = holds.of(subject, part)
    text = part.text if part and part is each.bad.get(subject.check) else ""
    return HostRow(
        name=seen.name,
        state=seen.state,
        age=seen.age,
        lasted=seen.lasted,
        severity=each.severity,
        text=text or _told(seen, now.text),
        reason=now.reason if seen.state in (DOWN, LATE, STOPPED) else "",
        address=seen.address,
        group=each.groups[0] if each.groups else "",
        groups=each.groups,
        version=seen.version,
        checks=worst.tally(each.bad),
        flapping=seen.flapping,
        heard=seen.heard,
        acked=acked,
        silenced=silenced,
    )


def chosen(hosts: Iterable[Listed], wanted: Wanted, sort: str) -> list[Listed]:
    """Those that are wanted, in their order; "-age" is that of "age" the other way round."""
    names, text, least = _pattern(wanted.names), wanted.text.casefold(), RANKS[wanted.severity]
    found = [
        each
        for each in hosts
        if (not wanted.states or each.host.state in wanted.states)
        and (not wanted.groups or not wanted.groups.isdisjoint(each.groups))
        and RANKS[each.severity] >= least
        and names.match(each.name)
        and (not text or text in f"{each.name} {each.host.address} {' '.join(each.groups)}".casefold())
    ]
    found.sort(key=lambda each: each.name)
    if sort != "name":
        found.sort(key=_KEYS[sort.removeprefix("-")], reverse=sort.startswith("-"))
    return found


def _pattern(names: tuple[str, ...]) -> "re.Pattern[str]":
    return re.compile("|".join(map(fnmatch.translate, names))) if names else _ANYTHING


def _told(seen: Seen, said: str) -> str:
    """In a sentence how it stands with a host, apart from its checks."""
    if seen.flapping:
        return f"flaps: {count(len(seen.turns), 'turn')} lately"
    if seen.twins:
        return "two machines speak under this name"
    if not seen.heard:
        return "was never heard"
    if seen.state in (DOWN, LATE):
        return said or f"silent for {span(seen.age)}"
    return ""


def _address(each: Listed) -> list[int]:
    return [int(part) if part.isdigit() else 256 for part in each.host.address.split(".")]


_KEYS: dict[str, Callable[[Listed], Any]] = {
    "name": lambda each: each.name,
    "state": lambda each: STATES.index(each.host.state) if each.host.state in STATES else len(STATES),
    "severity": lambda each: (RANKS[each.severity], each.host.state == DOWN),
    "age": lambda each: -each.host.last,
    "lasted": lambda each: -each.host.since,
    "address": _address,
    "group": lambda each: each.groups[:1],
    "version": lambda each: each.host.version,
}
