"""The kinds of check that a plan can hold, each with its fields, their bounds and their defaults."""

import re
from collections import namedtuple

from monitor436.agent.event import SEVERITIES
from monitor436.agent.hours import span
from monitor436.agent.notation import After, Limit, after, limit, over
from monitor436.agent.probe.readings import READINGS
from monitor436.agent.shape import (
    DAY,
    REQUIRED,
    UNKNOWN_KEY,
    PlanError,
    duration,
    flag,
    items,
    mapping,
    meant,
    one_of,
    shown,
    text,
    whole,
    wrong,
)

MAX_NAME = 64  # bytes of UTF-8: name, tags, text and fields of one event fit one datagram together
MAX_TAGS, MAX_TAG = 6, 16  # how many, and characters each, for the same reason
MAX_PATTERNS, MAX_PATTERN = 50, 500  # how many a check, and characters each
MAX_WORDS, MAX_WORD = 64, 1024  # words of a command, and characters each
MAX_PATH = 1024  # characters
MAX_TEMPLATE = 400  # characters of the text of an event
MAX_SPANS = 14  # of active hours: two a day
ALWAYS_THERE = ("line", "path", "count")  # what a text can name beside the groups of the patterns

LogCheck = namedtuple("LogCheck", "name log match exclude text count over absent severity tags active")
ProcessCheck = namedtuple(
    "ProcessCheck", "name process command_line user least most ps every timeout after severity metric tags active"
)
CommandCheck = namedtuple(
    "CommandCheck", "name command value nagios every timeout warning critical after metric tags active"
)
ReadingCheck = namedtuple("ReadingCheck", "name reading of every warning critical after metric tags active")

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")  # in a text: {group}, and {{ }} for braces
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*\Z")
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@!-]{0,63}\Z")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@$-]{0,63}\Z")


def named(value: object) -> str:
    """A reader of what a check or a metric is called. Raises PlanError."""
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
    if "**" in path or path.endswith("/"):
        raise wrong("expected the path of a file, or a pattern such as /var/log/app/*.log, got {}".format(shown(path)))
    return path


def _pattern(value: object) -> str:
    pattern = text(MAX_PATTERN)(value)
    if "\b" in pattern:
        raise wrong('a backspace, which "\\b" is in double quotes of YAML: write single quotes')
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


def _span(value: object) -> str:
    spelt = text(100)(value)
    try:
        span(spelt)
    except ValueError as sentence:
        raise wrong("{}, got {}".format(sentence, shown(spelt))) from None
    return " ".join(spelt.lower().split())


def _user(value: object) -> str:
    if not isinstance(value, str) or not _USER.match(value):
        raise wrong("expected the name of a user, got {}".format(shown(value)))
    return value


_COMMON = {
    "name": (named, REQUIRED),
    "tags": (items(_tag, 0, MAX_TAGS), ()),
    "active": (items(_span, 0, MAX_SPANS, bare=True), ()),
}
_SEVERITY = {"severity": (one_of("severity", list(SEVERITIES)), "warning")}
_TIMED = {"every": (duration(0.1, 7 * DAY), 60.0), "metric": (named, "")}
_RUN = {"timeout": (duration(0.1, 3600.0), 10.0)}
_LIMITS = {"warning": (limit, None), "critical": (limit, None), "after": (after, After(1, 1))}
_PERIOD = duration(1.0, 7 * DAY)
_patterns = items(_pattern, 1, MAX_PATTERNS, bare=True)
_LOG = {
    "log": (_log, REQUIRED),
    "match": (_patterns, REQUIRED),
    "exclude": (items(_pattern, 0, MAX_PATTERNS, bare=True), ()),
    "text": (text(MAX_TEMPLATE), ""),
    "count": (_PERIOD, 0.0),
    "over": (over, None),
    "absent": (_PERIOD, 0.0),
}
_PROCESS = {
    "process": (text(MAX_NAME), REQUIRED),
    "command_line": (_pattern, ""),
    "user": (_user, ""),
    "least": (whole(0, 1000000), None),
    "most": (whole(0, 1000000), None),
    "ps": (_command, ()),
    "after": (after, After(2, 2)),
}
_COMMAND = {"command": (_command, REQUIRED), "value": (_pattern, ""), "nagios": (flag, False)}
_READING = {"reading": (one_of("reading", sorted(READINGS)), REQUIRED), "of": (text(MAX_PATH), "")}


def _whole_log(values: "dict[str, object]") -> None:
    """At most one form, and a text that names what the patterns find."""
    forms = [form for form in ("count", "over", "absent") if values[form]]
    if len(forms) > 1:
        raise wrong("can have only one of count, over and absent, has {}".format(" and ".join(forms)))
    known = set(ALWAYS_THERE)
    for pattern in values["match"]:  # type: ignore[attr-defined]
        known.update(re.compile(pattern.encode()).groupindex)
    for found in PLACEHOLDER.finditer(str(values["text"])):
        if found.group() not in ("{{", "}}") and found.group(1) not in known:
            names = ", ".join("{" + name + "}" for name in sorted(known))
            raise wrong("{} stands for nothing; known are {}".format(found.group(), names), "text")


def _whole_process(values: "dict[str, object]") -> None:
    """How many there have to be: at least one, if nothing is said."""
    least, most = values["least"], values["most"]
    if least is None:
        values["least"] = least = 1 if most is None else 0
    if most is not None and most < least:  # type: ignore[operator]
        raise wrong("must be no less than least, which is {}".format(least), "most")


def _whole_command(values: "dict[str, object]") -> None:
    """A Nagios plug-in judges by itself."""
    if values["nagios"]:
        for key in ("value", "warning", "critical", "metric"):
            if values[key]:
                raise wrong("has no place here: a Nagios plug-in says itself how things are, and its metrics", key)
    elif values["value"] and not (values["warning"] or values["critical"] or values["metric"]):
        raise wrong('needs "warning", "critical" or "metric": without these nobody looks at the value', "value")
    _ordered_limits(values)


def _whole_reading(values: "dict[str, object]") -> None:
    """A reading has an object where it needs one, and somebody who looks at it."""
    kind = READINGS[str(values["reading"])].of
    of = str(values["of"])
    if kind and not of:
        raise wrong('"{}" needs "of", {}'.format(values["reading"], _OF[kind]))
    if of and not kind:
        raise wrong('"{}" is about the whole host and takes no "of"'.format(values["reading"]), "of")
    if kind == "path":
        try:
            _absolute(of)
        except PlanError as problem:
            raise wrong(problem.problems[0][1], "of") from None
    elif kind and not _DEVICE.match(of):
        raise wrong("expected {}, got {}".format(_OF[kind], shown(of)), "of")
    if not values["warning"] and not values["critical"] and not values["metric"]:
        raise wrong('needs "warning", "critical" or "metric": without these nobody looks at the value')
    _ordered_limits(values)


_OF = {"path": 'a path such as "/"', "device": 'a disk such as "sda"', "interface": 'an interface such as "eth0"'}


def _ordered_limits(values: "dict[str, object]") -> None:
    """A critical limit that is reached no later than the warning one is a slip."""
    warning, critical = values["warning"], values["critical"]
    if not isinstance(warning, Limit) or not isinstance(critical, Limit) or warning.direction != critical.direction:
        return
    beyond = critical.value - warning.value
    if (beyond if warning.direction == "above" else -beyond) <= 0:
        raise wrong("must lie beyond the warning limit, {}".format(warning), "critical")


Kind = namedtuple("Kind", "made fields whole")  # the tuple it becomes, its fields, what no single field can tell
KINDS = {
    "log": Kind(LogCheck, {**_COMMON, **_LOG, **_SEVERITY}, _whole_log),
    "process": Kind(ProcessCheck, {**_COMMON, **_TIMED, **_RUN, **_PROCESS, **_SEVERITY}, _whole_process),
    "command": Kind(CommandCheck, {**_COMMON, **_TIMED, **_RUN, **_LIMITS, **_COMMAND}, _whole_command),
    "reading": Kind(ReadingCheck, {**_COMMON, **_TIMED, **_LIMITS, **_READING}, _whole_reading),
}
DEFAULTS = ("every", "timeout", "after", "severity", "tags", "active")  # what a plan file can say for all its checks


def defaults(value: object) -> "dict[str, object]":
    """A reader of what a plan file says for all its checks. Raises PlanError."""
    fields = {**_COMMON, **_TIMED, **_RUN, **_LIMITS, **_SEVERITY}
    return mapping({name: (fields[name][0], None) for name in DEFAULTS})(value)


def check(value: object) -> "LogCheck | ProcessCheck | CommandCheck | ReadingCheck":
    """The check in a mapping. Raises PlanError with everything that is wrong with it."""
    if not isinstance(value, dict):
        raise wrong("expected a mapping, got {}".format(shown(value)))
    kinds = [kind for kind in KINDS if kind in value]
    if len(kinds) != 1:
        several = "needs exactly one of log, process, command and reading, has {}".format(" and ".join(kinds) or "none")
        known = list(KINDS) + sorted({field for kind in KINDS.values() for field in kind.fields} - set(KINDS))
        slips = []  # type: list[tuple[tuple[str | int, ...], str]]
        slips += [((str(key),), UNKNOWN_KEY + "; " + meant(str(key), known)) for key in value if key not in known]
        raise PlanError(slips or [((), several)])  # of a kind that is misspelt nobody has to hear twice
    kind = KINDS[kinds[0]]
    values = mapping(kind.fields)(value)
    kind.whole(values)
    checked = kind.made(**values)  # type: LogCheck | ProcessCheck | CommandCheck | ReadingCheck
    return checked
