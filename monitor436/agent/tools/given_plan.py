"""A plan to look at: in a file, as `monitor436 config plan HOST` prints it, or the one in force on this host."""

import json
import sys

from monitor436.agent import in_force, plan
from monitor436.agent.options import InTheWay
from monitor436.agent.shape import printable
from monitor436.agent.tools.glance import Glance

MAX_SIZE = 2 * 1024 * 1024  # bytes


class BadPlan(Exception):
    """What was read is no plan: `problems` has a sentence each."""

    def __init__(self, problems: "list[str]") -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def given_plan(path: str, state: str) -> "tuple[str, plan.Plan]":
    """(what to call it, the plan): of a file, - for standard input, or, if `path` is empty, the one in force.

    Raises BadPlan, InTheWay, OSError.
    """
    if path:
        name, raw = path, _file(path)
    else:
        kept = Glance(state).read(in_force.FILE)
        if kept is None:
            raise InTheWay("no plan is in force in {} (a file, or --state DIR)".format(state))
        name, raw = "the plan in force", kept
    try:
        return name, plan.read(json.loads(raw.decode("utf-8")))
    except plan.PlanError as wrong:
        told = [": ".join(filter(None, (plan.dotted(where), says))) for where, says in wrong.problems]
        raise BadPlan(["{}: {}".format(name, each) for each in told]) from None
    except (ValueError, RecursionError) as problem:
        text = "{}: not JSON as `monitor436 config plan HOST` prints it: {}".format(name, printable(str(problem)))
        raise BadPlan([text]) from None


def _file(path: str) -> bytes:
    if path == "-":
        raw = sys.stdin.buffer.read(MAX_SIZE + 1)
    else:
        with open(path, "rb") as file:
            raw = file.read(MAX_SIZE + 1)
    if len(raw) > MAX_SIZE:
        raise BadPlan(["{}: is larger than {} bytes".format(path, MAX_SIZE)])
    return raw
