"""One series out of what several processes took of it: each has its own part of every window. Pure."""

from collections.abc import Iterable, Sequence

from monitor436.model.metrics.line import HOUR, MINUTE, Part, Window, merged
from monitor436.model.metrics.rollup import Latest, Series


def newest(values: Iterable[Latest]) -> list[Latest]:
    """One value of each series."""
    found: dict[tuple[str, str], Latest] = {}
    for each in values:
        there = found.get(each[:2])
        if there is None or each.at >= there.at:
            found[each[:2]] = each
    return list(found.values())


def joined(host: str, own: Sequence[Series], parts: Sequence[Part]) -> list[Series]:
    """The series of a host, of what this process took and the parts of others."""
    windows: dict[str, dict[tuple[int, int], list[Window]]] = {}
    for series in own:
        mine = windows.setdefault(series.label, {})
        for width, kept in ((MINUTE, series.minutes), (HOUR, series.hours)):
            for window in kept:
                mine[width, window.start] = [window]
    for part in parts:
        windows.setdefault(part.label, {}).setdefault((part.width, part.window.start), []).append(part.window)
    found = []
    for label, each in sorted(windows.items()):
        whole = {key: merged(several) for key, several in sorted(each.items())}
        minutes = [window for (width, _), window in whole.items() if width == MINUTE]
        hours = [window for (width, _), window in whole.items() if width == HOUR]
        found.append(Series(host, label, minutes, hours, pace(minutes, hours)))
    return found


def pace(minutes: Sequence[Window], hours: Sequence[Window]) -> float:
    """How many seconds lie between two samples as a rule, from the fullest window; 0 where that is not known."""
    for width, windows in ((MINUTE, minutes), (HOUR, hours)):
        most = max((window.count for window in windows), default=0)
        if most > 1:
            return round(width / most, 3)
    return 0.0
