"""What the runs of a check come to: one event a change, and values as metrics."""

from collections.abc import Container

from monitor436.agent import event as stated
from monitor436.agent.kinds import CommandCheck, ProcessCheck, ReadingCheck
from monitor436.agent.notation import After, plain
from monitor436.agent.probe.thresholds import CRITICAL, LEVELS, OK, WARNING, Steady, judge

WORKS, FAILED = "works", "failed"
MOST = 100  # values that a check can have, and metrics of one run
MAX_OF = 128  # bytes of what a value is of: it stands in every event about it
MAX_LABEL = 200  # bytes: with its value it fits the fields of an event
FIELD = 6  # bytes that a field costs on the wire beside its name and its value
FRESH = Steady(After(1, 1))
RANK = LEVELS.index


class Verdict:
    """The state of a check, and of each thing that it has a value of. `at` is the wall clock.

    What was never judged counts as ok and working. `before` is what `kept` gave, of this check or of one that stood
    under its name: from there it goes on, so that nothing is told twice and an all-clear still comes.
    """

    def __init__(self, check: "CommandCheck | ProcessCheck | ReadingCheck", before: object = None) -> None:
        self.check = check
        self._limits = {level: getattr(check, level, None) for level in (WARNING, CRITICAL)}
        self._of = getattr(check, "of", "")
        self._working = Steady(check.after)
        self._states = {}  # type: dict[str, Steady]
        self._passed_over = ""
        if isinstance(before, dict):
            self._resume(before)

    def kept(self) -> "dict[str, object] | None":
        """What is to outlive the agent, as JSON-able data; None if it is as never judged."""
        states = {of: steady.state for of, steady in self._states.items() if steady.state != OK}
        if not states and self._working.state == OK and not self._passed_over:
            return None
        return {"failed": self._working.state != OK, "states": states, "over": self._passed_over}

    def value(self, value: float, at: float) -> "list[dict[str, object]]":
        """The one value of the check was had."""
        return self.values({"": value}, at)

    def values(self, values: "dict[str, float]", at: float, over: str = "") -> "list[dict[str, object]]":
        """Values were had, by what they are of; `over` says why that is not everything there is, if so."""
        finite = {stated.cut(of, MAX_OF): value for of, value in values.items() if abs(value) < float("inf")}
        if values and not finite:
            return self.failed("{} is no value".format(next(iter(values.values()))), at)
        chosen = sorted(finite, key=self._states.__contains__, reverse=True)[:MOST]  # a bad one is not lost sight of
        events = self.worked(at) + ([] if over else self._gone(finite, at))
        for of in chosen:
            level = judge(finite[of], self._limits[WARNING], self._limits[CRITICAL], self._states.get(of, FRESH).state)
            events += self._judged(of, level, at, "is {}".format(shown(finite[of])), value=finite[of])
        over = over or ("more than {} values".format(MOST) if len(finite) > MOST else "")
        events += self._passes_over(over, at)
        if self.check.metric:
            events += self._metrics({"{} {}".format(self.check.metric, of).strip(): finite[of] for of in chosen}, at)
        return events

    def status(
        self, level: str, text: str, numbers: "dict[str, float]", at: float, over: str = ""
    ) -> "list[dict[str, object]]":
        """A plug-in has judged by itself, in these words, and has measured these numbers."""
        over = over or ("more than {} metrics".format(MOST) if len(numbers) > MOST else "")
        first = {label: numbers[label] for label in list(numbers)[:MOST]}
        events = self.worked(at) + self._gone(("",), at) + self._judged("", level, at, text=text)
        return events + self._passes_over(over, at) + self._metrics(first, at)

    def count(self, count: int, at: float) -> "list[dict[str, object]]":
        """So many processes run."""
        check = self.check
        assert isinstance(check, ProcessCheck)
        few, many = count < check.least, check.most is not None and count > check.most
        wanted = "exactly" if check.least == check.most else "at least" if few else "at most"
        expected = "{} {} expected".format(wanted, check.least if few else check.most) if few or many else "as expected"
        text = "{}: {} run, {}".format(check.name, count, expected)
        events = self.worked(at) + self._gone(("",), at)
        events += self._judged("", check.severity if few or many else OK, at, text=text, value=count)
        return events + (self._metrics({check.metric: count}, at) if check.metric else [])

    def passed(self, at: float) -> "list[dict[str, object]]":
        """It ended well, and nobody asks for a value."""
        return self.worked(at) + self._gone((), at)

    def worked(self, at: float) -> "list[dict[str, object]]":
        """It could be run."""
        return self._ran(OK, "{} works again".format(self.check.name), at)

    def failed(self, why: str, at: float, kind: str = stated.CHECK_FAILED) -> "list[dict[str, object]]":
        """No value could be had; told once, until it works again. The states of values stay as they are."""
        return self._ran(WARNING, "{}: {}".format(self.check.name, why), at, kind)

    def _gone(self, there: "Container[str]", at: float) -> "list[dict[str, object]]":
        """Nothing more is heard of what is not `there`: it is not bad any longer."""
        events = []  # type: list[dict[str, object]]
        for of in [of for of in self._states if of not in there]:
            events += self._judged(of, OK, at, "is no longer there" if of else "is no longer judged")
        return events

    def _judged(
        self, of: str, level: str, at: float, what: str = "", text: str = "", value: "float | None" = None
    ) -> "list[dict[str, object]]":
        """A run has reached a level; the whole `text` of the event, or `what` is in its middle."""
        steady = self._states.setdefault(of, Steady(self.check.after))
        was = steady.add(level)
        if steady.quiet:
            del self._states[of]
        if not was:
            return []
        fields = {"state": steady.state, "was": was}  # type: dict[str, str | int | float | bool]
        if value is not None:
            fields["value"] = round(value, 6)
        if of or self._of:
            fields["of"] = of or self._of
        subject = " ".join(filter(None, (self.check.name, of)))
        text = text or "{} {}: {}{}".format(subject, what, steady.state, self._limit(steady.state))
        return [self._event(stated.CHECK_STATE, "info" if steady.state == OK else steady.state, text, at, fields)]

    def _metrics(self, values: "dict[str, float]", at: float) -> "list[dict[str, object]]":
        """Values by their labels, in as few events as there is room for."""
        groups, room = [], 0  # type: list[dict[str, float]], int
        for label, value in values.items():
            name, number = stated.cut(label, MAX_LABEL), round(value, 6)
            worth = len(name.encode("utf-8")) + len(str(number)) + FIELD
            if worth > room:
                groups.append({})
                room = stated.MAX_FIELDS
            groups[-1][name] = number
            room -= worth
        return [self._metric(group, at) for group in groups]

    def _metric(self, group: "dict[str, float]", at: float) -> "dict[str, object]":
        text = ", ".join("{} {}".format(label, shown(value)) for label, value in group.items())
        return self._event(stated.METRIC, "info", text, at, dict(group))

    def _passes_over(self, what: str, at: float) -> "list[dict[str, object]]":
        """There is too much of something, or (empty) no longer; told once."""
        was, self._passed_over = self._passed_over, what
        if not what or was == what:
            return []
        text = "{}: {}; the rest is passed over".format(self.check.name, what)
        return [self._event(stated.CHECK_FAILED, WARNING, text, at, {})]

    def _ran(self, level: str, text: str, at: float, kind: str = stated.CHECK_FAILED) -> "list[dict[str, object]]":
        if kind == stated.CHECK_STUCK:  # there will be no second run
            self._working = Steady(self.check.after, self._working.state, level)
        was = self._working.add(level)
        if not was:
            return []
        state, before, severity = (WORKS, FAILED, "info") if level == OK else (FAILED, WORKS, WARNING)
        return [self._event(kind, severity, text, at, {"state": state, "was": before})]

    def _limit(self, state: str) -> str:
        limit = self._limits.get(state)
        if limit is None:
            return ""
        runs = " in {} runs".format(self.check.after) if self.check.after.of > 1 else ""
        return " ({} {}{})".format(limit.direction, plain(limit.value), runs)

    def _event(
        self, kind: str, severity: str, text: str, at: float, fields: "dict[str, str | int | float | bool]"
    ) -> "dict[str, object]":
        return stated.event(kind, severity, text, at, self.check.name, fields, self.check.tags)

    def _resume(self, before: "dict[str, object]") -> None:
        """Go on from what was kept; what another version has kept otherwise is left aside."""
        states, after = before.get("states"), self.check.after
        if before.get("failed") is True:
            self._working = Steady(after, WARNING, WARNING)
        for of, state in states.items() if isinstance(states, dict) else ():
            if state in LEVELS and state != OK:
                self._states[of] = Steady(after, state, self._still(state))
        self._passed_over = str(before.get("over", ""))

    def _still(self, state: str) -> str:
        """The level of the check as it is now that a state comes nearest to, without being worse."""
        if isinstance(self.check, ProcessCheck):
            return self.check.severity  # type: ignore[no-any-return]
        nagios = isinstance(self.check, CommandCheck) and self.check.nagios
        known = [level for level, limit in self._limits.items() if limit is not None or nagios]
        return max((level for level in known if RANK(level) <= RANK(state)), key=RANK, default=OK)


def shown(value: float) -> str:
    """A number for people: whole ones and large ones in full, others with six digits."""
    if abs(value) >= 1e6:
        return plain(round(value, 0))
    return plain(value) if value == int(value) else "{:.6g}".format(value)
