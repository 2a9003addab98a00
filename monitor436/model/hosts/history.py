"""What the events of one host come to: how it stands with it and with each of its checks. Pure: read event by event."""

from collections import deque
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from msgspec import Struct

from monitor436.agent import event as agent
from monitor436.model import event as kinds
from monitor436.model.event import Event

STATE = {
    kinds.HOST_FOUND,
    kinds.HOST_LATE,
    kinds.HOST_DOWN,
    kinds.HOST_UP,
    kinds.HOST_STOPPED,
    kinds.HOST_FLAPPING,
    kinds.HOST_STEADY,
}  # after which a host is in another state
HEARD = {kinds.HOST_FOUND, kinds.HOST_UP, kinds.HOST_JOINED}  # after which its name is its own
LASTING = {agent.CHECK_STATE, agent.CHECK_FAILED, agent.CHECK_STUCK, agent.LOG_OVER, agent.LOG_SILENT}
SEVERITIES = ("info", "warning", "critical")


class CheckHistory:
    """One check of a host: its last event, its last metric, and what is bad about it at present.

    `began` is the first event that was read, which is the oldest that is kept, and not the check's first.
    """

    def __init__(self) -> None:
        self.last: Event | None = None
        self.metric: Event | None = None
        self._bad: dict[tuple[str, str], Event] = {}

    @property
    def bad(self) -> list[Event]:
        """The events that began what is not over yet, the worst first."""
        return sorted(self._bad.values(), key=lambda event: -SEVERITIES.index(event.severity))

    def read(self, event: Event) -> None:
        """The next one."""
        if event.kind != agent.CHECK_REFUSED:
            self.replanned()  # it is allowed by now
        if event.kind == agent.METRIC:
            self.metric = event
            return
        self.last = event
        if event.kind in LASTING and (event.fields.get("state") or not event.kind.startswith("check")):
            ran = event.kind in (agent.CHECK_FAILED, agent.CHECK_STUCK)
            about = ("", "") if ran else (event.kind, str(event.fields.get("of", "")))
            self._bad.pop(about, None)
            if event.severity != "info":
                self._bad[about] = event
        elif event.kind == agent.CHECK_REFUSED:
            self._bad[agent.CHECK_REFUSED, ""] = event

    def replanned(self) -> None:
        """What was not allowed before is asked for anew."""
        self._bad.pop((agent.CHECK_REFUSED, ""), None)


class History:
    """Everything about `host` in an events file, oldest event first; `most` of its last events are kept.

    `found` is when it was heard for the first time, `joined` its last join, `state` what turned it last, `plan` what it
    said last of its plan, `agent` the last start or stop, `refused` somebody with another key who came since it was
    heard. `isolated` is the event after which verdicts on many hosts wait, if they do; `dead` the one that says of a
    host that is down that only its agent is dead. `unreadable` are the logs, by path, that it cannot read at present.
    """

    def __init__(self, host: str, most: int) -> None:
        self.host = host
        self.found: Event | None = None
        self.joined: Event | None = None
        self.state: Event | None = None
        self.plan: Event | None = None
        self.agent: Event | None = None
        self.refused: Event | None = None
        self.isolated: Event | None = None
        self.dead: Event | None = None
        self.unreadable: dict[str, Event] = {}
        self.checks: dict[str, CheckHistory] = {}
        self.events: deque[Event] = deque(maxlen=most)

    def __bool__(self) -> bool:
        """Whether there was any."""
        return bool(self.events or self.checks)

    def read(self, event: Event) -> None:
        """The next event, whoever it is about."""
        if event.host != self.host:
            if event.kind in (kinds.ISOLATED, kinds.ISOLATION_OVER):
                self.isolated = event if event.kind == kinds.ISOLATED else None
            return
        if event.check:
            self.checks.setdefault(event.check, CheckHistory()).read(event)
            return
        self.events.append(event)
        if event.kind in STATE:
            self.state, self.dead = event, None
        if event.kind in HEARD:
            self.refused = None
        self._keep(event)

    def _keep(self, event: Event) -> None:
        if event.kind == kinds.HOST_FOUND:
            self.found = event
        elif event.kind == kinds.HOST_JOINED:
            self.joined = event
        elif event.kind == kinds.HOST_REFUSED:
            self.refused = event
        elif event.kind == kinds.AGENT_DEAD:
            self.dead = event
        elif event.kind == agent.LOG_UNREADABLE:
            self.unreadable.pop(path := str(event.fields.get("path", "")), None)
            if event.severity != "info":
                self.unreadable[path] = event
        elif event.kind in (agent.AGENT_STARTED, agent.AGENT_STOPPED):
            self.agent = event
            if event.kind == agent.AGENT_STARTED:  # it says anew what it cannot read
                self.unreadable.clear()
            for check in self.checks.values():  # it says anew what it does not allow
                check.replanned()
        elif event.kind in (agent.PLAN_IN_FORCE, agent.PLAN_REFUSED):
            self.plan = event
            if event.kind == agent.PLAN_IN_FORCE:
                for check in self.checks.values():
                    check.replanned()


class CheckNow(Struct, frozen=True, omit_defaults=True):
    """How it stands with a check: where the plan has it from, its state, what is bad, its last event and metric.

    `state` is that of the worst that is bad, "info" if nothing is, "" if nothing was ever told of it.
    """

    name: str
    file: str = ""
    line: int = 0
    state: str = ""
    bad: list[Event] = []
    last: Event | None = None
    metric: Event | None = None


def checks_now(
    history: History, origin: dict[str, tuple[str, int]] | None, logs: Mapping[str, str] | None = None
) -> list[CheckNow]:
    """The checks of a plan, in its order, by the file and line of each; without a plan (None) those ever told of.

    `logs` are the paths or patterns of its log checks: one of a log that cannot be read is as bad as that.
    """
    found = []
    for name in history.checks if origin is None else origin:
        file, line = (origin or {}).get(name, ("", 0))
        past = history.checks.get(name, CheckHistory())
        bad = [*past.bad, *_unread((logs or {}).get(name, ""), history.unreadable.items())]
        state = bad[0].severity if bad else "info" if past.last or past.metric else ""
        found.append(CheckNow(name, file, line, state, bad, past.last, past.metric))
    return found


def _unread(log: str, unreadable: Iterable[tuple[str, Event]]) -> list[Event]:
    """What keeps files of a log, or folders on the way to them, from being read."""
    parts = log.split("/")
    steps = ((path, path.split("/"), event) for path, event in unreadable)
    return [
        event
        for path, ways, event in steps
        if path == log or (len(ways) <= len(parts) and all(map(fnmatchcase, ways, parts)))
    ]
