"""A host's plan: what it beats, follows and checks. Read from JSON, validated whole, written canonically.

The server checks what authors write with `read` too (YAML, every scalar text as written), so both sides agree.
"""

import json
from collections import namedtuple

from monitor436.agent.kinds import DEFAULTS, KINDS, CommandCheck, LogCheck, ProcessCheck, ReadingCheck, check, defaults
from monitor436.agent.notation import After, Limit, Over
from monitor436.agent.shape import (
    DAY,
    REQUIRED,
    UNKNOWN_KEY,
    PlanError,
    dotted,
    duration,
    items,
    mapping,
    meant,
    printable,
    seconds,
    shown,
    spelt,
    text,
    whole,
    wrong,
)
from monitor436.agent.wire import SHA256

__all__ = [
    "DEFAULTS",
    "KINDS",
    "REQUIRED",
    "UNKNOWN_KEY",
    "After",
    "CommandCheck",
    "Limit",
    "LogCheck",
    "Over",
    "Plan",
    "PlanError",
    "ProcessCheck",
    "ReadingCheck",
    "defaults",
    "digest",
    "dotted",
    "dump",
    "items",
    "mapping",
    "meant",
    "printable",
    "read",
    "seconds",
    "shown",
    "spelt",
    "text",
    "whole",
    "wrong",
]

MAX_CHECKS = 500
BEAT = 5.0  # seconds between heartbeats, where a plan says nothing
LATE_AFTER = 3  # missed beats until a host is late, where a plan says nothing

Plan = namedtuple("Plan", "beat late checks")  # seconds, seconds, tuple of checks as `kinds` has them


def read(tree: object) -> Plan:
    """The plan in `tree`: parsed JSON, or the same shape with every scalar as text ("above 80", "1m", "no").

    Durations are numbers of seconds, or texts such as "500ms", "30s", "5m", "2h", "1d".
    Raises PlanError with every problem at once.
    """
    plan = Plan(**_PLAN(tree))
    if plan.late is None:
        return plan._replace(late=LATE_AFTER * plan.beat)
    if plan.late < 2 * plan.beat:
        raise wrong("must be at least twice beat, which is {:g}s".format(plan.beat), "late")
    return plan


def dump(plan: Plan) -> bytes:
    """The plan as canonical JSON: sorted keys, no spaces, UTF-8. `read` of it gives an equal plan."""
    tree = {"beat": plan.beat, "late": plan.late, "checks": [_tree(check) for check in plan.checks]}
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


def digest(dumped: bytes) -> str:
    """What a plan is known by: the SHA-256 of its canonical JSON, 64 hex characters."""
    return str(SHA256(dumped).hexdigest())


def _tree(check: "LogCheck | ProcessCheck | CommandCheck | ReadingCheck") -> "dict[str, object]":
    """A check as it stands in JSON: what is absent is left out, the small notations are text."""
    tree = {}  # type: dict[str, object]
    for key, value in check._asdict().items():
        if isinstance(value, (Limit, After, Over)):
            tree[key] = str(value)
        elif value or (isinstance(value, int) and value is not False):  # nothing is left out, 0 is not
            tree[key] = value
    return tree


_all_checks = items(check, 0, MAX_CHECKS)


def _checks(value: object) -> "tuple[object, ...]":
    checks = _all_checks(value)
    names = [check[0] for check in checks]  # type: ignore[index]
    twice = [number for number, name in enumerate(names) if name in names[:number]]
    if twice:
        raise PlanError([((at, "name"), "another check is called {} too".format(shown(names[at]))) for at in twice])
    return checks


_PLAN = mapping({"beat": (duration(0.1, 3600.0), BEAT), "late": (duration(0.2, DAY), None), "checks": (_checks, ())})
