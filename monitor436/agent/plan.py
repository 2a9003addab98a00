"""A host's plan: what it beats, follows and checks. Read from JSON, validated whole, written canonically.

The server checks what authors write with `read` too (YAML, every scalar text as written), so both sides agree.
"""

import json
import re
from collections import namedtuple

from monitor436.agent.event import SEVERITIES
from monitor436.agent.readings import NEEDS_OF, READINGS
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
    one_of,
    printable,
    seconds,
    shown,
    spelt,
    text,
    wrong,
)
from monitor436.agent.wire import SHA256

__all__ = [
    "REQUIRED",
    "UNKNOWN_KEY",
    "CommandCheck",
    "Limit",
    "LogCheck",
    "Plan",
    "PlanError",
    "ReadingCheck",
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
    "wrong",
]

MAX_CHECKS = 500
MAX_NAME = 64  # bytes of UTF-8: name, tags, text and fields of one event fit one datagram together
MAX_TAGS, MAX_TAG = 6, 16  # how many, and characters each, for the same reason
MAX_PATTERNS, MAX_PATTERN = 50, 500  # how many a check, and characters each
MAX_WORDS, MAX_WORD = 64, 1024  # words of a command, and characters each
MAX_PATH = 1024  # characters
BEAT = 5.0  # seconds between heartbeats, where a plan says nothing
LATE_AFTER = 3  # missed beats until a host is late, where a plan says nothing

Plan = namedtuple("Plan", "beat late checks")  # seconds, seconds, tuple of the three below
LogCheck = namedtuple("LogCheck", "name log match severity tags")
CommandCheck = namedtuple("CommandCheck", "name command value every timeout warning critical tags")  # value "": none
ReadingCheck = namedtuple("ReadingCheck", "name reading of every warning critical tags")  # of "": none
Limit = namedtuple("Limit", "direction value")  # "above" or "below", and a finite float

_LIMIT = re.compile(r"(above|below) +([-+]?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][-+]?[0-9]{1,2})?)\Z")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*\Z")


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


def _tree(check: "LogCheck | CommandCheck | ReadingCheck") -> "dict[str, object]":
    """A check as it stands in JSON: what is absent is left out, limits are text."""
    tree = {}  # type: dict[str, object]
    for key, value in check._asdict().items():
        if isinstance(value, Limit):
            number = int(value.value) if abs(value.value) < 1e15 and value.value.is_integer() else value.value
            tree[key] = "{} {!r}".format(value.direction, number)
        elif value not in (None, ""):
            tree[key] = value
    return tree


def _name(value: object) -> str:
    name = text(MAX_NAME)(value)
    if len(name.encode()) > MAX_NAME or not name.isprintable() or name != name.strip():
        raise wrong("expected at most {} bytes of printable text, got {}".format(MAX_NAME, shown(name)))
    return name


def _absolute(value: object) -> str:
    path = text(MAX_PATH)(value)
    if not path.startswith("/") or not path.isprintable() or ".." in path.split("/"):
        raise wrong('expected an absolute path without "..", got {}'.format(shown(path)))
    return path


def _log(value: object) -> str:
    path = _absolute(value)
    if "*" in path or path.endswith("/"):
        raise wrong("expected the path of one file, got {}".format(shown(path)))
    return path


def _pattern(value: object) -> str:
    pattern = text(MAX_PATTERN)(value)
    try:
        re.compile(pattern.encode())  # as bytes: that is how lines and output are matched
    except (re.error, ValueError, RuntimeError, OverflowError, MemoryError) as reason:  # all seen, by version
        raise wrong("not a regular expression: {}: {}".format(reason, shown(pattern))) from None
    return pattern


_words = items(text(MAX_WORD), 1, MAX_WORDS)


def _command(value: object) -> "tuple[object, ...]":
    if isinstance(value, str):
        example = ", ".join(value.split()[:4])
        raise wrong("expected a list of words such as [{:.60}], got {}".format(example or "df, -k", shown(value)))
    return _words(value)


def _tag(value: object) -> str:
    if not isinstance(value, str) or not _TAG.match(value) or len(value) > MAX_TAG:
        raise wrong("expected at most {} letters, digits and . _ : / -, got {}".format(MAX_TAG, shown(value)))
    return value


def _limit(value: object) -> Limit:
    found = _LIMIT.match(value) if isinstance(value, str) else None
    if not found:
        raise wrong('expected a limit such as "above 80" or "below 10", got {}'.format(shown(value)))
    return Limit(found.group(1), float(found.group(2)) + 0.0)  # + 0.0: -0.0 becomes 0.0


_COMMON = {"name": (_name, REQUIRED), "tags": (items(_tag, 0, MAX_TAGS), ())}
_TIMED = {"every": (duration(0.1, 7 * DAY), 60.0), "warning": (_limit, None), "critical": (_limit, None)}
_LOG_FIELDS = {
    "log": (_log, REQUIRED),
    "match": (items(_pattern, 1, MAX_PATTERNS, bare=True), REQUIRED),
    "severity": (one_of("severity", list(SEVERITIES)), "warning"),
}
_COMMAND_FIELDS = {
    "command": (_command, REQUIRED),
    "value": (_pattern, ""),
    "timeout": (duration(0.1, 3600.0), 10.0),
}
_READING_FIELDS = {"reading": (one_of("reading", sorted(READINGS)), REQUIRED), "of": (_absolute, "")}
KINDS = {
    "log": (LogCheck, mapping({**_COMMON, **_LOG_FIELDS})),
    "command": (CommandCheck, mapping({**_COMMON, **_TIMED, **_COMMAND_FIELDS})),
    "reading": (ReadingCheck, mapping({**_COMMON, **_TIMED, **_READING_FIELDS})),
}


def _check(value: object) -> "LogCheck | CommandCheck | ReadingCheck":
    if not isinstance(value, dict):
        raise wrong("expected a mapping, got {}".format(shown(value)))
    kinds = [kind for kind in KINDS if kind in value]
    if len(kinds) != 1:
        raise wrong("needs exactly one of log, command and reading, has {}".format(" and ".join(kinds) or "none"))
    made, fields = KINDS[kinds[0]]
    values = fields(value)
    if kinds[0] == "reading":
        _whole_reading(values)
    _ordered_limits(values.get("warning"), values.get("critical"))
    check = made(**values)  # type: LogCheck | CommandCheck | ReadingCheck
    return check


def _whole_reading(values: "dict[str, object]") -> None:
    """A reading has an object where it needs one, and a limit."""
    needed = values["reading"] in NEEDS_OF
    if needed and not values["of"]:
        raise wrong('"{}" needs "of", a path such as "/"'.format(values["reading"]))
    if values["of"] and not needed:
        raise wrong('"{}" is about the whole host and takes no "of"'.format(values["reading"]), "of")
    if not values["warning"] and not values["critical"]:
        raise wrong('needs "warning" or "critical": without a limit it says nothing')


def _ordered_limits(warning: object, critical: object) -> None:
    """A critical limit that is reached no later than the warning one is a slip."""
    if not isinstance(warning, Limit) or not isinstance(critical, Limit) or warning.direction != critical.direction:
        return
    beyond = critical.value - warning.value
    if (beyond if warning.direction == "above" else -beyond) <= 0:
        raise wrong("must lie beyond the warning limit, {} {:g}".format(*warning), "critical")


_all_checks = items(_check, 0, MAX_CHECKS)


def _checks(value: object) -> "tuple[object, ...]":
    checks = _all_checks(value)
    names = [check[0] for check in checks]  # type: ignore[index]
    twice = [number for number, name in enumerate(names) if name in names[:number]]
    if twice:
        raise PlanError([((at, "name"), "another check is called {} too".format(shown(names[at]))) for at in twice])
    return checks


_PLAN = mapping({"beat": (duration(0.1, 3600.0), BEAT), "late": (duration(0.2, DAY), None), "checks": (_checks, ())})
