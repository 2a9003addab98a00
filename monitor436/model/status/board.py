"""The status board: every host and check as the events leave them. Pure: callers say what time it is, epoch seconds."""

from collections.abc import Callable, Iterable, Sequence

from monitor436.agent import event as agent
from monitor436.model import event as kinds
from monitor436.model.event import Event, Severity
from monitor436.model.hosts.host import SEGMENT_LOST
from monitor436.model.settings.status import Status
from monitor436.model.status import reading
from monitor436.model.status.change import UNREADABLE, Change, Subject
from monitor436.model.status.doubts import NOT_AGAIN, Doubts
from monitor436.model.status.parents import Parents
from monitor436.model.status.silences import Silences
from monitor436.model.status.standing import Flaps, Standings
from monitor436.model.words import count, span

NOTHING: Sequence[Change] = ()
ISOLATION = Subject("", reading.ISOLATION)
REUNITED = "since the server was started not so many hosts have fallen silent at once"
BETWEEN = "\x1f"  # the parts of a subject where it is one text


class Board:
    """States by host and check, silences, and who flaps. Read event by event, in the order of the file.

    `acted` is the last act of an operator that became an event, `turns` when what turned of late, `cut` the hosts that
    were lost with their segment and are not back, `doubts` who was started and has to tell anew what is bad.
    """

    def __init__(self, status: Status | None = None) -> None:
        self.standings = Standings()
        self.silences = Silences()
        self.acted = ""
        self.turns = Flaps(0, 0.0)
        self.cut: set[str] = set()
        self.doubts = Doubts()
        self.follow(status or Status())

    def follow(self, status: Status) -> None:
        """Other settings, from now on."""
        self.turns.changes, self.turns.within = status.flapping_changes, status.flapping_within
        self._bad, self._of = status.fail_after, status.of
        self._parents = Parents(status.depends)

    # What happens.

    def take(self, event: Event, now: float) -> Sequence[Change]:
        """The next event of the file; what changes by it."""
        kind = event.kind
        if self.doubts.known:
            self.doubts.heard(event, now)
        if kind == agent.METRIC:
            self.standings.known(event.host, event.check)
            return NOTHING
        special = _SPECIAL.get(kind)
        if special is not None:
            return special(self, event, now)
        found = reading.read(event)
        if found is not None:
            allowed = () if found.of == reading.REFUSED else self._well(event, now, event.check, (reading.REFUSED,))
            subject = Subject(event.host, self.standings.spelt(found.check), found.of)
            return [*allowed, *self._moved(subject, found.severity, event, now)]
        return NOTHING if event.severity == "info" else [_happened(event, now)]

    def turn(self, now: float) -> list[Change]:
        """What time does: whoever flapped and holds still is told of; what was not told anew after a start is over."""
        gone = self.doubts.over(self.standings, now)
        changes = self._over([subject for subject in gone if subject != ISOLATION], NOT_AGAIN, now)
        isolated = self.standings.part(ISOLATION)
        if isolated is not None and ISOLATION in gone:  # of a run before this one; who was lost in it has to come back
            isolated.over = True
            changes.extend(self._reunited(now, REUNITED))
        for key, turns in self.turns.steady(now):
            subject = Subject(*key.split(BETWEEN, 2))
            part = self.standings.part(subject)
            severity: Severity = part.severity if part else "info"
            said = part.text if part and severity != "info" else "well"
            text = f"{subject} flaps no more, after {count(turns, 'change')}: {said}"
            changes.append(Change(subject, "steady", severity, text, now, part.tags if part else ()))
        return changes

    # What is asked.

    def flaps(self, subject: Subject) -> bool:
        """Whether it does at present."""
        if not subject.check and not subject.of:
            host = self.standings.hosts.get(subject.host)
            return host is not None and host.state == "flapping"
        return _key(subject) in self.turns

    def held(self, subject: Subject, severity: str, tags: Iterable[str], wall: float) -> str:
        """Why there is to be no alarm: "silenced …", "acknowledged …" or "behind …"; "" if there is no reason."""
        silence = self.silences.holding(subject, severity, tags, wall)
        if silence:
            return f"silenced {silence}"
        part = self.standings.part(subject)
        if part is not None and (known_to := part.known_to(severity)):
            return f"acknowledged {known_to}"
        behind = self.behind(subject)
        return f"behind {behind}" if behind else ""

    def behind(self, subject: Subject) -> Subject | None:
        """What is bad and stands between this server and a subject."""
        host = self.standings.hosts.get(subject.host)
        if host is None or not subject.host:
            return None
        if (subject.check or subject.of) and host.state == "down":
            return Subject(subject.host)
        if host.cut and self.standings.part(ISOLATION) is not None:
            return ISOLATION
        parents = (Subject(*parent) for parent in self._parents.of(subject.host) if self._fails(*parent))
        return next(parents, None)

    def unplanned(self, host: str, planned: Iterable[str]) -> list[str]:
        """The checks of a host that something is bad about, though they stand in its plan no more."""
        known, wanted = self.standings.hosts.get(host), set(planned)
        own = {UNREADABLE, reading.REPORTED}  # no plan asks for them
        checks = known.checks.items() if known else ()
        return [check for check, parts in checks if check and parts and check not in wanted and not own & parts.keys()]

    # Hosts.

    def _host(self, event: Event, now: float) -> Sequence[Change]:
        host = self.standings.host(event.host)
        state = reading.STATES.get(event.kind) or str(event.fields.get("state", "up"))
        host.state, host.since, host.text = state, now, event.text
        host.reason = str(event.fields.get("reason", ""))
        if event.kind in reading.SOFT:
            return NOTHING
        if event.fields.get("reason") == SEGMENT_LOST:
            self.cut.add(event.host)
        elif state in ("up", "stopped"):
            self.cut.discard(event.host)
        host.cut = event.host in self.cut
        subject, was = Subject(event.host), self.standings.severity(Subject(event.host))
        if event.severity == "info":
            self.standings.drop(subject)
        else:
            self.standings.put(subject, event.severity, event, now)
        kind = reading.TURNS.get(event.kind, "state")
        changed = kind != "state" or was != event.severity
        told = [Change(subject, kind, event.severity, event.text, now, event.tags, event.id)] if changed else []
        return [*told, *self._reunited(now)]

    def _isolated(self, event: Event, now: float) -> Sequence[Change]:
        told = self.standings.part(ISOLATION) is not None
        part = self.standings.put(ISOLATION, event.severity, event, now)
        if part is not None:
            part.over = False
        return NOTHING if told else [Change(ISOLATION, "state", event.severity, event.text, now, (), event.id)]

    def _isolation_over(self, event: Event, now: float) -> Sequence[Change]:
        part = self.standings.part(ISOLATION)
        self._on_time()
        if part is None:
            return NOTHING
        part.over, part.text = True, event.text
        return self._reunited(now, event.text)

    def _reunited(self, now: float, text: str = "all hosts that were cut off together are heard again") -> list[Change]:
        """If none of those that were lost together is missing any more, and no verdict waits."""
        part = self.standings.part(ISOLATION)
        if self.cut or part is None or not part.over:
            return []
        self.standings.drop(ISOLATION)
        return [Change(ISOLATION, "state", "info", text, now)]

    def _forgotten(self, event: Event, now: float) -> Sequence[Change]:
        changes = self._well(event, now)
        self.standings.hosts.pop(event.host, None)
        self.cut.discard(event.host)
        return [*changes, *self._reunited(now)]

    def _started(self, event: Event, now: float) -> Sequence[Change]:
        """What it does not tell anew is over. A server gives whoever was late the whole time once more."""
        self.doubts.started(self.standings.hosts.get(event.host), event, now)
        if event.kind == kinds.SERVER_STARTED:
            self._on_time()
        return NOTHING

    def _on_time(self) -> None:
        for host in self.standings.hosts.values():
            if host.state == "late":
                host.state = "up"

    # Checks.

    def _reported(self, event: Event, now: float) -> Sequence[Change]:
        """What a script states of a check is a state of it, once enough of its last reports say so."""
        if not event.check:
            return NOTHING if event.severity == "info" else [_happened(event, now)]
        subject = Subject(event.host, self.standings.spelt(event.check), reading.REPORTED)
        before = self.standings.part(subject)
        last = ((before.last if before else "") + ("." if event.severity == "info" else "x"))[-self._of :]
        was: Severity = before.severity if before else "info"
        hard: Severity = event.severity if event.severity != "info" else was
        changes = self._moved(subject, hard if last.count("x") >= self._bad else "info", event, now)
        if "x" in last and self._of > 1:
            part = self.standings.part(subject) or self.standings.put(subject, "info", event, now)
            if part is not None:
                part.last = last
        return changes

    def _moved(self, subject: Subject, severity: Severity, event: Event, now: float) -> Sequence[Change]:
        """A subject is in a state now; whether that is news."""
        was = self.standings.severity(subject)
        if severity == "info":
            self.standings.drop(subject)
            self.standings.known(subject.host, subject.check)
        elif self.standings.put(subject, severity, event, now) is None:
            return [_happened(event, now)]  # no room for one state more
        if was == severity:
            return NOTHING
        took = self.turns.turned(_key(subject), now)
        if took is not None:
            worst: Severity = "critical" if "critical" in (was, severity) else "warning"
            text = f"{subject} is flapping: {count(self.turns.changes, 'change')} in {span(took)}"
            text += f"; nothing more until it holds still for {span(self.turns.within)}: {event.text}"
            return [Change(subject, "flapping", worst, text, now, event.tags, event.id)]
        if _key(subject) in self.turns:
            return NOTHING
        return [Change(subject, "state", severity, event.text, now, event.tags, event.id)]

    def _removed(self, event: Event, now: float) -> Sequence[Change]:
        changes = self._well(event, now, event.check)
        host = self.standings.hosts.get(event.host)
        if host is not None:
            host.checks.pop(event.check, None)
        return changes

    def _afresh(self, event: Event, now: float) -> Sequence[Change]:
        """A host says anew what it does not allow."""
        host = self.standings.hosts.get(event.host)
        refused = host.refused if host else ()  # not all that is bad: it may say so again and again
        return self._over([Subject(event.host, check, of) for check, of in refused], event, now)

    def _well(self, event: Event, now: float, only: str | None = None, ofs: Sequence[str] = ()) -> list[Change]:
        """Whatever is bad about the host of an event is over: all of it, or only of a check, or only such parts."""
        host = self.standings.hosts.get(event.host)
        checks = host.checks if host else {}
        chosen = checks.items() if only is None else [(only, checks.get(only))]
        gone = [Subject(event.host, check, of) for check, parts in chosen for of in parts or () if not ofs or of in ofs]
        return self._over(gone, event, now)

    def _over(self, gone: Sequence[Subject], event: Event, now: float) -> list[Change]:
        for subject in gone:
            self.turns.forget(_key(subject))
            self.standings.drop(subject)
        return [Change(subject, "steady", "info", event.text, now, event.tags, event.id) for subject in gone]

    # Operators.

    def _silenced(self, event: Event, now: float) -> Sequence[Change]:
        self.acted = str(event.fields.get("act", self.acted))
        self.silences.expire(now)
        (self.silences.added if event.kind == kinds.SILENCE_ADDED else self.silences.removed)(event)
        return NOTHING

    def _acknowledged(self, event: Event, now: float) -> Sequence[Change]:
        self.acted = str(event.fields.get("act", self.acted))
        host = self.standings.hosts.get(event.host)
        for subject, part in list(self.standings.bad_of(event.host, host)) if host else ():
            if event.check in ("", subject.check):
                part.acked, part.acked_at = f"by {event.fields.get('by', '')}: {event.text}", part.severity
        return NOTHING

    def _fails(self, host: str, check: str) -> bool:
        """Whether a parent is bad."""
        known = self.standings.hosts.get(host)
        if known is None or not check:
            return known is not None and known.state in ("down", "flapping")
        return any(part.severity != "info" for part in (known.checks.get(check) or {}).values())


def _happened(event: Event, now: float) -> Change:
    return Change(Subject(event.host, event.check), "happened", event.severity, event.text, now, event.tags, event.id)


def _key(subject: Subject) -> str:
    return BETWEEN.join(subject)


_SPECIAL: dict[str, Callable[[Board, Event, float], Sequence[Change]]] = {
    **dict.fromkeys([*reading.STATES, kinds.HOST_STEADY], Board._host),
    kinds.ISOLATED: Board._isolated,
    kinds.ISOLATION_OVER: Board._isolation_over,
    kinds.HOST_FORGOTTEN: Board._forgotten,
    kinds.SERVER_STARTED: Board._started,
    kinds.CHECK_REMOVED: Board._removed,
    kinds.SILENCE_ADDED: Board._silenced,
    kinds.SILENCE_REMOVED: Board._silenced,
    kinds.ACKNOWLEDGED: Board._acknowledged,
    agent.REPORTED: Board._reported,
    agent.AGENT_STARTED: Board._started,
    agent.PLAN_IN_FORCE: Board._afresh,
}
