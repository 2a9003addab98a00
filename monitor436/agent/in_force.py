"""The plan in force on this host: after a start the last good one at once, a new one when it is whole and valid."""

import json
from collections.abc import Callable

from monitor436.agent import event as stated
from monitor436.agent import plan
from monitor436.agent.identity import State

FILE = "plan.json"


class InForce:
    """Keeps the plan on disk and tells whether a wanted one is still to be fetched."""

    def __init__(self, state: State, wall: "Callable[[], float]") -> None:
        self.digest = ""  # of the plan in force
        self.plan = plan.read({})
        self._refused = ""  # the digest that was refused last: not fetched again until another one is wanted
        self._state = state
        self._wall = wall

    def restore(self) -> bool:
        """Put the last good plan in force again. False if there is none."""
        kept = self._state.read(FILE)
        return kept is not None and not self._put_in_force(kept)

    def lacks(self, wanted: str) -> bool:
        """Whether a server wants a plan to be in force here that is not.

        One that was refused is lacked again once another was wanted: it is tried anew then, and told of anew.
        """
        if wanted and wanted != self._refused:
            self._refused = ""
        return bool(wanted) and wanted not in (self.digest, self._refused)

    def adopt(self, wanted: str, body: bytes) -> "list[dict[str, object]]":
        """A plan was fetched: in force if it is the wanted one and valid. What follows, as events.

        Raises OSError, and nothing changes, where it cannot be kept: a restart with the old plan would forget where
        the logs of the new one were read to.
        """
        if plan.digest(body) != wanted:
            return []  # it changed again while it was fetched; the next beat says what is wanted now
        at = self._wall()
        before = self.plan, self.digest
        problem = self._put_in_force(body)
        if problem:
            self._refused = wanted
            text = "the plan was refused, the old one stays in force: {}".format(problem)
            return [stated.event(stated.PLAN_REFUSED, "critical", text, at, fields={"digest": wanted[:12]})]
        try:
            self._state.write(FILE, body)
        except OSError:
            self.plan, self.digest = before
            raise
        checks = len(self.plan.checks)
        text = "plan {} is in force: {} check{}".format(wanted[:12], checks, "" if checks == 1 else "s")
        return [stated.event(stated.PLAN_IN_FORCE, "info", text, at, fields={"digest": wanted[:12]})]

    def _put_in_force(self, body: bytes) -> str:
        try:
            self.plan = plan.read(json.loads(body.decode("utf-8")))
        except (plan.PlanError, ValueError, RecursionError) as problem:
            return str(problem)
        self.digest = plan.digest(body)
        return ""
