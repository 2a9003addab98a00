"""What is different from the last report. Pure."""

from collections.abc import Sequence

from msgspec import Struct

from monitor436.model.fleet.interval import Counted
from monitor436.model.fleet.report import Group, Report
from monitor436.model.fleet.versions import Versus, against

THEN = "last time"


class Moved(Struct, frozen=True):
    """A group in both reports: by how much its columns and hosts went up, and its rate then and now."""

    by: dict[str, str]
    hosts: int
    columns: dict[str, float]
    versus: Versus | None


class Since(Struct, frozen=True):
    """From one report to a later one. `seconds` lie between them; `points` is how the share that answered moved.

    `failing` are targets that answered then (or were not asked) and do not now, `again` those that do again. Groups
    are told only if both reports have some and are grouped alike: `alike`.
    """

    seconds: float
    points: float
    failing: list[str]
    again: list[str]
    alike: bool
    moved: list[Moved]
    new: list[dict[str, str]]
    gone: list[dict[str, str]]


def since(last: Report, now: Report) -> Since:
    """The difference between two reports.

    Status pages count from when they were started, so a sum goes down where hosts were restarted or are gone.
    """
    failed, fails = {each.url: each.host for each in last.failures}, {each.url: each.host for each in now.failures}
    alike = last.by == now.by and bool(last.groups) and bool(now.groups)
    before = {_name(group): group for group in last.groups} if alike else {}
    after = {_name(group): group for group in now.groups} if alike else {}
    both = [name for name in after if name in before]
    return Since(
        seconds=(now.at - last.at) / 1000,
        points=now.answered.percent - last.answered.percent,
        failing=[host for url, host in fails.items() if url not in failed],
        again=[host for url, host in failed.items() if url not in fails],
        alike=alike,
        moved=_moved([(before[name], after[name]) for name in both]),
        new=[after[name].by for name in after if name not in before],
        gone=[before[name].by for name in before if name not in after],
    )


def _name(group: Group) -> tuple[str, ...]:
    return tuple(group.by.values())


def _counted(group: Group) -> Counted | None:
    return group.rate.counted if group.rate else None


def _moved(pairs: Sequence[tuple[Group, Group]]) -> list[Moved]:
    judged = against([(THEN, _counted(then), _counted(now)) for then, now in pairs])
    return [
        Moved(
            now.by,
            now.hosts - then.hosts,
            {name: value - then.columns[name] for name, value in now.columns.items() if name in then.columns},
            versus,
        )
        for (then, now), versus in zip(pairs, judged, strict=True)
    ]
