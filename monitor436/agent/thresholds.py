"""Values against limits: ok, warning or critical, and news only when that changes. Pure."""

OK, WARNING, CRITICAL = "ok", "warning", "critical"


def judge(value: float, warning: "object", critical: "object") -> str:
    """What a value is, given two limits (`plan.Limit` or None): the worse one that is crossed."""
    for state, limit in ((CRITICAL, critical), (WARNING, warning)):
        if limit is not None and _crossed(value, limit):
            return state
    return OK


def _crossed(value: float, limit: "object") -> bool:
    direction, bound = limit  # type: ignore[misc]
    return bool(value > bound if direction == "above" else value < bound)


class Flip:
    """Remembers a state and tells of changes. What was never judged counts as ok."""

    def __init__(self) -> None:
        self.state = OK

    def to(self, state: str) -> str:
        """The state before, if this is another one; empty if nothing changed."""
        was, self.state = self.state, state
        return was if was != state else ""
