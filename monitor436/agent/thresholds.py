"""Values against limits: ok, warning or critical, and news only when that changes. Pure."""

from monitor436.agent import event as stated
from monitor436.agent.plan import CommandCheck, Limit, ReadingCheck

OK, WARNING, CRITICAL = "ok", "warning", "critical"
WORKS, FAILED = "works", "failed"
INFINITE = (float("inf"), float("-inf"))


def judge(value: float, warning: "Limit | None", critical: "Limit | None") -> str:
    """What a value is, given two limits: the worse one that is crossed."""
    for state, limit in ((CRITICAL, critical), (WARNING, warning)):
        if limit is not None and (value > limit.value if limit.direction == "above" else value < limit.value):
            return state
    return OK


class Flip:
    """Remembers a state and tells of changes."""

    def __init__(self, state: str) -> None:
        self.state = state

    def to(self, state: str) -> str:
        """The state before, if this is another one; empty if nothing changed."""
        was, self.state = self.state, state
        return was if was != state else ""


class Verdict:
    """What a check's values come to: one event a change. `at` is the wall clock.

    What was never judged counts as ok and working; `before` is the verdict on the check as it was before an edit.
    """

    def __init__(self, check: "CommandCheck | ReadingCheck", before: "Verdict | None" = None) -> None:
        self.check = check
        self._limits = before._limits if before else Flip(OK)  # type: Flip
        self._working = before._working if before else Flip(WORKS)  # type: Flip

    def value(self, value: float, at: float) -> "list[dict[str, object]]":
        """A value was had."""
        check = self.check
        if value != value or value in INFINITE:
            return self.failed("{} is no value".format(value), at)
        events = self.worked(at)
        state = judge(value, check.warning, check.critical)
        was = self._limits.to(state)
        if was:
            severity = "info" if state == OK else state
            text = "{} is {:g}: {}{}".format(check.name, value, state, _limit(check, state))
            fields = {"state": state, "was": was, "value": round(value, 6)}  # type: dict[str, str | int | float | bool]
            events.append(self._event(stated.CHECK_STATE, severity, text, at, fields))
        return events

    def worked(self, at: float) -> "list[dict[str, object]]":
        """It could be run."""
        if not self._working.to(WORKS):
            return []
        text = "{} works again".format(self.check.name)
        return [self._event(stated.CHECK_FAILED, "info", text, at, {"state": WORKS, "was": FAILED})]

    def failed(self, why: str, at: float, kind: str = stated.CHECK_FAILED) -> "list[dict[str, object]]":
        """No value could be had; told once, until it works again."""
        if not self._working.to(FAILED):
            return []
        text = "{}: {}".format(self.check.name, why)
        return [self._event(kind, "warning", text, at, {"state": FAILED, "was": WORKS})]

    def _event(
        self, kind: str, severity: str, text: str, at: float, fields: "dict[str, str | int | float | bool]"
    ) -> "dict[str, object]":
        return stated.event(kind, severity, text, at, self.check.name, fields, self.check.tags)


def _limit(check: "CommandCheck | ReadingCheck", state: str) -> str:
    limit = {WARNING: check.warning, CRITICAL: check.critical}.get(state)
    return " ({} {:g})".format(limit.direction, limit.value) if limit is not None else ""
