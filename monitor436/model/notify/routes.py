"""Who is to be told of what, by the settings; and when it is quiet."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from monitor436.model.settings.notify import DAYS, Notify, Quiet, Route
from monitor436.model.status.change import RANKS, Subject


def told_of(notify: Notify, subject: Subject, severity: str, tags: Iterable[str]) -> set[str]:
    """The names of the notifiers that are to be told. None is told that it cannot be told anything."""
    if notify.routes:
        fit = [route for route in notify.routes.values() if _fits(route, subject, severity, tags)]
        names = {name for route in fit for name in route.to}
    else:
        names = set(notify.named()) if RANKS[severity] >= RANKS["warning"] else set()
    return names if subject.host else {name for name in names if subject.check != f"notifier {name}"}


def _fits(route: Route, subject: Subject, severity: str, tags: Iterable[str]) -> bool:
    return (
        RANKS[severity] >= RANKS[route.severity]
        and (not route.hosts or any(fnmatchcase(subject.host, pattern) for pattern in route.hosts))
        and (not route.checks or any(fnmatchcase(subject.check, pattern) for pattern in route.checks))
        and (not route.tags or any(tag in route.tags for tag in tags))
    )


def quiet(hours: Quiet, severity: str, weekday: int, minute: int) -> bool:
    """Whether such news waits for the end of the quiet hours. `weekday`: 0 is Monday; `minute`: of the day."""
    if not hours.begins or RANKS[severity] >= RANKS[hours.but]:
        return False
    begins, ends = _minutes(hours.begins), _minutes(hours.ends)
    if begins < ends:
        return begins <= minute < ends and _on(hours, weekday)
    return (minute >= begins and _on(hours, weekday)) or (minute < ends and _on(hours, weekday - 1))


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


def _on(hours: Quiet, weekday: int) -> bool:
    return not hours.days or DAYS[weekday % 7] in hours.days
