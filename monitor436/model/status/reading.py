"""Which events say that something is bad or well, and about what."""

from collections.abc import Callable
from typing import NamedTuple

from monitor436.agent import event as agent
from monitor436.model import event as kinds
from monitor436.model.event import Event, Severity
from monitor436.model.status.change import UNREADABLE, Kind

FAILED, OVER, SILENT, REFUSED, PLAN, REPORTED, UNTRUSTED = (
    ":failed",
    ":over",
    ":silent",
    ":refused",
    ":plan",
    ":reported",
    ":untrusted",
)  # what of a check or host is meant, where it is none of its values; values are never spelt with a colon in front
STATES = {
    kinds.HOST_FOUND: "up",
    kinds.HOST_UP: "up",
    kinds.HOST_LATE: "late",
    kinds.HOST_DOWN: "down",
    kinds.HOST_STOPPED: "stopped",
    kinds.HOST_FLAPPING: "flapping",
}
SOFT = {kinds.HOST_LATE}  # not yet anything to be told of
TURNS: dict[str, Kind] = {kinds.HOST_FLAPPING: "flapping", kinds.HOST_STEADY: "steady"}
ISOLATION, STORE, PLANS = "isolation", "metrics store", "plans"  # of the server itself


class Reading(NamedTuple):
    """A state that an event tells: of which check, and of what about it."""

    check: str
    of: str
    severity: Severity


def anew(host: str, check: str, of: str) -> bool:
    """Whether whoever tells this tells it anew after a start, if it still is so; a poll keeps what it told."""
    if host:
        return of in (REFUSED, UNREADABLE)
    return check.startswith(("trouble ", "notifier ")) or check in (STORE, PLANS, ISOLATION)


def read(event: Event) -> Reading | None:
    """The state of a check, or of something about the host or the server, that an event tells; None if it does not."""
    reads = _READS.get(event.kind)
    return None if reads is None else reads(event)


def _state(event: Event) -> Reading | None:
    if not event.check or "state" not in event.fields:
        return None
    of = str(event.fields.get("of", ""))
    return Reading(event.check, of.lstrip(":"), event.severity)


def _ran(event: Event) -> Reading | None:
    if not event.check or "state" not in event.fields:
        return None  # something was passed over: no state that would end
    return Reading(event.check, FAILED, event.severity)


def _about(of: str) -> Callable[[Event], Reading | None]:
    return lambda event: Reading(event.check, of, event.severity) if event.check else None


def _unreadable(event: Event) -> Reading | None:
    return Reading(f"log {event.fields.get('path', '')}", UNREADABLE, event.severity)


def _trouble(event: Event) -> Reading | None:
    return Reading(f"trouble {event.fields.get('trouble', '')}", "", event.severity)


def _asked(event: Event) -> Reading | None:
    fields = event.fields
    group = " ".join(str(fields[name]) for name in ("application", "version") if fields.get(name))
    severity: Severity = event.severity
    if event.kind in (kinds.POLL_RECOVERED, kinds.SWEEP_RECOVERED) and fields.get("failing"):
        severity = "warning"  # some of them still fail
    return Reading(_rounds(event), group, severity)


def _doubted(event: Event) -> Reading | None:
    return Reading(_rounds(event), UNTRUSTED, event.severity)


def _rounds(event: Event) -> str:
    word = "sweep" if "sweep" in event.fields else "poll"
    return f"{word} {event.fields.get(word, '')}"


def _stored(event: Event) -> Reading | None:
    if event.fields.get("state") == "begun_anew":
        return None  # something that happened, and has no end
    return Reading(STORE, "", event.severity)


def _differ(event: Event) -> Reading | None:
    return Reading(PLANS, str(event.fields.get("server", "")), event.severity)


def _notified(event: Event) -> Reading | None:
    return Reading(f"notifier {event.fields.get('notifier', '')}", "", event.severity)


_READS: dict[str, Callable[[Event], Reading | None]] = {
    agent.CHECK_STATE: _state,
    agent.CHECK_FAILED: _ran,
    agent.CHECK_STUCK: _ran,
    agent.CHECK_REFUSED: _about(REFUSED),
    agent.LOG_OVER: _about(OVER),
    agent.LOG_SILENT: _about(SILENT),
    agent.LOG_UNREADABLE: _unreadable,
    agent.PLAN_REFUSED: lambda event: Reading("", PLAN, event.severity),
    kinds.SERVER_TROUBLE: _trouble,
    kinds.POLL_FAILED: _asked,
    kinds.POLL_RECOVERED: _asked,
    kinds.POLL_UNTRUSTED: _doubted,
    kinds.SWEEP_FAILED: _asked,
    kinds.SWEEP_RECOVERED: _asked,
    kinds.SWEEP_UNTRUSTED: _doubted,
    kinds.METRICS_STORE: _stored,
    kinds.PLANS_DIFFER: _differ,
    kinds.NOTIFY_FAILED: _notified,
}
